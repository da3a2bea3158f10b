"""A program for `test_online_kill`: writers of one store, each killed at a random moment.

Run as `python store_writer.py ADDRESS apply|materialise ROUNDS SEED`. Batch b has an event of each
user, in minute b. Every round forks a child that goes on where the store stands and tells through
a pipe where it found it (`o N`) and what it was promised (`a N`: batches below N are in). The
parent never opens the store nor starts Polars' threads, so that forking it is safe. Prints JSON,
one line a round. With `read` instead it reads until it is ended, and prints what it saw.
"""

from __future__ import annotations

import json
import os
import random
import select
import signal
import sys
import time
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from workbench import features
from workbench.features import kernels_ids, kernels_order, kernels_state, redis_store

START = datetime(2024, 5, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
USERS = 20
PER = {"of": "payment", "per": "user"}
FEATURES = [
    features.count(**PER, name="count"),
    features.sum("amount", **PER, days=3650, step_minutes=60, name="sum"),
    features.distinct("event", **PER, name="different"),
    features.last("batch", 3, **PER, name="last"),
]
redis_store.LEASE_SECONDS = 0.3  # or each round would wait for the dead writer's lease


def batches(first: int, last: int) -> pl.DataFrame:
    """Events of some batches."""
    number = pl.int_range(first, last, eager=True)
    table = pl.DataFrame({"batch": number}).join(pl.DataFrame({"user": range(USERS)}), how="cross")
    moment = pl.lit(START) + pl.col("batch") * MINUTE
    return table.with_columns(
        event=pl.col("batch") * USERS + pl.col("user"), amount=1.0, time=moment, known_at=moment
    )


def child(address: str, how: str, seed: int, pipe: int) -> None:
    """Write until killed."""
    rng = random.Random(seed)
    store = features.OnlineStore(address, FEATURES)
    if how == "materialise":
        until = store.status()["groups"]["user"]["materialised_until"]
        number = 0 if until is None else (until - START) // MINUTE
    else:
        number = int(store.position("test") or 0)
    os.write(pipe, f"o {number}\n".encode())
    while True:
        after = number + rng.randrange(1, 40)
        if how == "materialise":  # ids make it read a day again each time
            store.materialise({"payment": batches(0, after + 5)}, until=START + after * MINUTE)
        else:
            again = max(0, number - rng.randrange(0, 10))
            store.apply({"payment": batches(again, after)}, position=("test", str(after)))
        number = after
        os.write(pipe, f"a {number}\n".encode())


def one_round(address: str, how: str, turn: int, seed: int) -> dict:
    """Fork, wait for the open store and then a random while, kill, and read what was told.

    In two rounds of three the while begins with the first promise: on a slow machine, too, most
    kills hit a writer at work. Every tenth may also be killed while it opens the store.
    """
    rng = random.Random(seed)
    reader, writer = os.pipe()
    process = os.fork()
    if process == 0:
        os.close(reader)
        try:
            child(address, how, seed, writer)
        except BaseException as error:
            os.write(writer, f"x {error!r}\n".encode())
        os._exit(1)
    os.close(writer)
    told, awaited = b"", 0 if turn % 10 == 0 else 1 if turn % 3 == 0 else 2
    until = time.monotonic() + 20
    while told.count(b"\n") < awaited and (left := until - time.monotonic()) > 0:
        if select.select([reader], [], [], left)[0]:
            if not (chunk := os.read(reader, 65536)):
                break
            told += chunk
    time.sleep(rng.uniform(0.0, 0.15))
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)
    while chunk := os.read(reader, 65536):
        told += chunk
    os.close(reader)
    lines = told.decode().split("\n")[:-1]
    numbers = {letter: [int(x[2:]) for x in lines if x[0] == letter] for letter in "oa"}
    return {
        "found": next(iter(numbers["o"]), None),
        "promised": max(numbers["a"], default=None),
        "errors": [line for line in lines if line[0] == "x"],
    }


def read(address: str, pipe: int) -> None:
    """Read all users at once, again and again: all have as many events, in every feature."""
    store = features.OnlineStore(address, FEATURES)
    told, reads, torn, counts = False, 0, [], set()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    try:
        while True:
            frame = store.read_many({"user": list(range(USERS))}, at=START + 10**6 * MINUTE)
            whole = frame.select("count", "sum", "different").n_unique() == 1
            counts.add(frame["count"][0])
            if not whole or frame["sum"][0] != frame["count"][0]:
                torn.append(frame["count"].to_list())
            reads += 1
            if not told:
                told = True
                os.write(pipe, b"reading\n")
    finally:
        report = {"reads": reads, "states": len(counts), "torn": torn[:3]}
        os.write(pipe, (json.dumps(report) + "\n").encode())


def warm_up() -> None:
    """Load the compiled kernels before the first fork, without Polars."""
    some, flags = np.zeros(1, np.int64), np.zeros(1, bool)
    table = tuple(np.zeros(1024, np.int64) for _ in range(3))
    kernels_ids.rebuilt(*table, np.zeros(1024, bool), 0, 1024)
    kernels_ids.admit(some, some, some, flags, *table, np.zeros(1024, bool))
    bounds, rows = kernels_order.group(some, 1)
    kernels_order.sort_runs(0, 1, bounds, rows, some, some, some, some, some)
    kernels_state.update(
        np.frombuffer(b"", np.int64), np.zeros(2, np.int64), np.zeros((1, 2), np.int64), some,
        some, some, some, flags, some, np.zeros((1, 11), np.int64), 0, 9, np.zeros(9, np.int64),
        np.zeros(2, np.int64),
    )  # fmt: skip


if __name__ == "__main__":
    where, mode = sys.argv[1:3]
    if mode == "read":
        read(where, sys.stdout.fileno())
    else:
        warm_up()
        rounds, first_seed = int(sys.argv[3]), int(sys.argv[4])
        for number in range(rounds):
            print(json.dumps(one_round(where, mode, number, first_seed + number)), flush=True)
