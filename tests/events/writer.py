"""A program for `test_two_writers` and `test_kill`: appends the same events as every other copy.

Run as `python writer.py FOLDER FIRST BATCHES [--fork ROUNDS SEED]`. Batch b has events 5 b to
5 b + 9, so that each event comes in two batches. With --fork, every round forks a child, kills it
at a random moment with kill -9, and the next goes on where the dead one stopped; the parent never
starts Polars' threads, so that forking it is safe. Prints `b` after each batch that is in.
"""

import os
import random
import select
import signal
import sys
import time
from datetime import UTC, datetime, timedelta

import polars as pl

from workbench.events import EventLog

START = datetime(2026, 3, 1, tzinfo=UTC)


def batch(number: int) -> dict[str, pl.DataFrame]:
    """Ten payments, half of them in the batch before too, one of them bad; and their clicks."""
    events = range(5 * number, 5 * number + 10)
    moments = [START + timedelta(minutes=30 * event) for event in events]
    payment = pl.DataFrame(
        {
            "event": events,
            "time": moments,
            "user": [event % 7 for event in events],
            "amount": [float("nan") if event % 10 == 3 else event / 4 for event in events],
        }
    )
    return {"payment": payment, "click": payment.select("event", "time", item="user")}


def write(folder: str, first: int, batches: int, out: int) -> None:
    log = EventLog(folder)
    os.write(out, b"o\n")
    for number in range(first, first + batches):
        log.append(**batch(number), known_at="time")
        os.write(out, f"{number}\n".encode())


def kill_at_random(folder: str, first: int, rounds: int, seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(rounds):
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reader)
            try:
                write(folder, first, 10**6, writer)
            except BaseException as error:
                os.write(writer, f"x{error!r}\n".encode())
            os._exit(1)
        os.close(writer)
        told, wanted = b"", rng.randrange(5)  # lines: it has opened the log, then its batches
        while told.count(b"\n") < wanted and select.select([reader], [], [], 20)[0]:
            told += os.read(reader, 65536)
        time.sleep(rng.uniform(0.0, 0.05))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        while chunk := os.read(reader, 65536):
            told += chunk
        os.close(reader)
        lines = told.decode().split("\n")[:-1]
        errors = [line for line in lines if line.startswith("x")]
        done = [int(line) for line in lines if line.isdigit()]
        print("round", len(done), *errors, flush=True)
        first = max(done, default=first - 1) + 1
    print("next", first, flush=True)


if __name__ == "__main__":
    folder, first, batches = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    if "--fork" in sys.argv:
        kill_at_random(folder, first, int(sys.argv[5]), int(sys.argv[6]))
    else:
        write(folder, first, batches, sys.stdout.fileno())
