"""A program for `test_stream_kills`: consumers of one source, each killed by kill -9.

    python stream_kills.py produce SOURCE FOLDER           writes events until FOLDER/stop
    python stream_kills.py warm SOURCE FOLDER              lists the kernels of a store
    python stream_kills.py consume SOURCE FOLDER ROUNDS    forks and kills a consumer a round

SOURCE is `journal` or a Redis address. Event n is always the same, see `events`. The parent of the
consumers never touches Polars' threads, so that forking it is safe. Prints JSON: how many were
produced, or one line a round.
"""

import contextlib
import importlib
import json
import os
import pickle
import random
import select
import signal
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import redis

from workbench import features
from workbench.events import EventLog
from workbench.features import redis_group
from workbench.journal import Journal

START, NONE = datetime(2026, 3, 1, tzinfo=UTC), timedelta(0)
PER_USER = {"of": "payment", "per": "user"}
FEATURES = [
    features.count(**PER_USER),
    features.sum("amount", **PER_USER, hours=1, step_minutes=1),
    features.mean("amount", **PER_USER, minutes=2),
    features.std("amount", **PER_USER),
    features.last("amount", 3, **PER_USER),
    features.distinct("amount", **PER_USER, minutes=1),
    features.time_since(**PER_USER),
]
redis_group.IDLE_SECONDS = 0.05


def events(numbers: range) -> dict:
    """Payments by number: some arrive late, in an order that is not that of their times."""
    known = [START + timedelta(milliseconds=10 * n) for n in numbers]
    late = [timedelta(seconds=n * 7919 % 60) if n % 10 == 0 else NONE for n in numbers]
    return {
        "event": [*numbers],
        "user": [n * 31 % 17 for n in numbers],
        "amount": [n % 101 / 4 for n in numbers],
        "time": [moment - delay for moment, delay in zip(known, late, strict=True)],
        "known_at": known,
    }


def produce(source: str, folder: Path) -> int:
    """Write, and in the case of the journal also drain, until told to stop."""
    rng, number, stop = random.Random(0), 0, folder / "stop"
    if source != "journal":
        publisher = features.RedisPublisher(source, "s0")
        while not stop.exists():
            some = range(number, number + rng.randrange(1, 40))
            publisher.publish("payment", events(some))
            number = some.stop
            time.sleep(0.002)
        return number
    log = EventLog(folder / "log")
    with Journal(folder / "journal", sync_ms=1) as journal:
        while not stop.exists():
            some = range(number, number + rng.randrange(1, 100))
            columns = events(some)
            for row in zip(*columns.values(), strict=True):
                journal.write("payment", **dict(zip(columns, row, strict=True)))
            number = some.stop
            if rng.random() < 0.02:
                journal.drain(log)
            time.sleep(0.002)
        journal.drain(log)
    return number


def opened(source: str, folder: Path, consumer: str):
    """The source that a consumer reads."""
    if source == "journal":
        return features.JournalSource(folder / "journal", batch_events=200)
    return features.RedisStreamSource(source, "s0", consumer=consumer)


def consume(source: str, folder: Path, turn: int, pipe: int) -> None:
    """Stream until killed, telling through a pipe that it began."""
    store = store_of(folder)
    stream = opened(source, folder, "b" if turn % 5 == 0 else "a")
    os.write(pipe, b"o\n")
    features.stream(stream, store, batch_ms=2)


def store_of(folder: Path) -> features.OnlineStore:
    """The store that the consumers feed."""
    return features.OnlineStore(folder / "online", FEATURES)


def warm(folder: Path) -> dict[str, list]:
    """The signatures of all kernels that a store compiles, in a file."""
    for numbers in (range(50), range(50, 100)):
        store = features.OnlineStore(folder / "throwaway", FEATURES)
        store.apply({"payment": pl.DataFrame(events(numbers))}, ("nowhere", "0"))
        store.read_many({"user": [1, 2]}, at=START + timedelta(hours=1))
        store.close()
    kernels = {}
    for name, module in [*sys.modules.items()]:
        if name.startswith("workbench.features.kernels_"):
            functions = {n: f for n, f in vars(module).items() if hasattr(f, "signatures")}
            kernels[name] = {n: function.signatures for n, function in functions.items()}
    (folder / "kernels").write_bytes(pickle.dumps(kernels))
    return {name: len(functions) for name, functions in kernels.items()}


def load_kernels(folder: Path) -> None:
    """Have them ready before the forks: a consumer killed while Numba loads tells us nothing."""
    for name, functions in pickle.loads((folder / "kernels").read_bytes()).items():
        module = importlib.import_module(name)
        for function, signatures in functions.items():
            for signature in signatures:
                getattr(module, function).compile(signature)


def one_round(source: str, folder: Path, turn: int) -> dict:
    """Fork, wait until it has begun and then a random while, kill, and read what was told."""
    reader, writer = os.pipe()
    process = os.fork()
    if process == 0:
        os.close(reader)
        try:
            consume(source, folder, turn, writer)
        except BaseException as error:
            os.write(writer, f"x {error!r}\n".encode())
        os._exit(1)
    os.close(writer)
    if turn % 10:  # every tenth may also be killed while it opens
        select.select([reader], [], [], 20)
    time.sleep(random.Random(turn).uniform(0.0, 0.15 if turn % 4 else 0.5))
    with contextlib.suppress(ProcessLookupError):
        os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)
    told = b""
    while chunk := os.read(reader, 65536):
        told += chunk
    os.close(reader)
    return {"round": turn, "told": told.decode().split("\n")[:-1]}


def main(what: str, source: str, folder: Path, *rounds: str) -> None:
    if what == "produce":
        print(json.dumps(produce(source, folder)))
        return
    if what == "warm":
        print(json.dumps(warm(folder)))
        return
    load_kernels(folder)
    for turn in range(int(rounds[0])):
        print(json.dumps(one_round(source, folder, turn)), flush=True)


if __name__ == "__main__":
    assert redis.__version__  # imported before the forks
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), *sys.argv[4:])
