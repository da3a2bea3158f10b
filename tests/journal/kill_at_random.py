"""A program for `test_kill`: writers of one journal, each killed by kill -9 at a random moment.

Run as `python kill_at_random.py FOLDER ROUNDS SEED`. Every round forks a child that opens the
journal, writes numbered events, syncs, drains, and tells through a pipe what it was promised:
`a N` after sync (numbers up to N are safe), `d` and `e` around a drain. The parent lives through
it all and never touches Polars' threads, so that forking it is safe. Prints JSON, one line a round.
"""

import json
import os
import random
import select
import signal
import sys
import time
from pathlib import Path

from workbench.events import EventLog
from workbench.journal import Journal

ROUND = 1_000_000  # numbers of round r: r * ROUND, r * ROUND + 1, ...


def child(folder: Path, turn: int, seed: int, pipe: int) -> None:
    """Write, sync and drain until killed."""
    rng = random.Random(seed)
    journal = Journal(folder / "journal", sync_ms=1)
    log = EventLog(folder / "log")
    os.write(pipe, b"o\n")
    number = turn * ROUND
    while True:
        for _ in range(rng.randrange(1, 200)):
            journal.write("click", event=number, item=number % 100, user=turn)
            number += 1
        if rng.random() < 0.3:
            some = range(number, number + rng.randrange(1, 300))
            columns = {"event": some, "item": [1] * len(some), "user": [turn] * len(some)}
            journal.write_many("click", columns)
            number = some.stop
        if rng.random() < 0.5:
            journal.sync()
            os.write(pipe, f"a {number - 1}\n".encode())
        if rng.random() < 0.3:
            os.write(pipe, b"d\n")
            journal.drain(log)
            os.write(pipe, b"e\n")


def one_round(folder: Path, turn: int, seed: int) -> dict:
    """Fork, wait for the open journal and then a random while, kill, and read what was told."""
    rng = random.Random(seed)
    reader, writer = os.pipe()
    process = os.fork()
    if process == 0:
        os.close(reader)
        try:
            child(folder, turn, seed, writer)
        except BaseException as error:
            os.write(writer, f"x {error!r}\n".encode())
        os._exit(1)
    os.close(writer)
    told = b""
    if turn % 10:  # every tenth may also be killed while it opens the journal
        select.select([reader], [], [], 20)
    time.sleep(rng.uniform(0.0, 0.12 if turn % 3 else 0.6))
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)
    while chunk := os.read(reader, 65536):
        told += chunk
    os.close(reader)
    lines = told.decode().split("\n")[:-1]
    acknowledged = [int(line[2:]) for line in lines if line.startswith("a ")]
    return {
        "round": turn,
        "acknowledged": max(acknowledged, default=None),
        "in_drain": lines.count("d") - lines.count("e"),
        "drained": lines.count("e"),
        "errors": [line for line in lines if line.startswith("x")],
    }


if __name__ == "__main__":
    where, rounds, first_seed = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    for number in range(rounds):
        print(json.dumps(one_round(where, number, first_seed + number)), flush=True)
