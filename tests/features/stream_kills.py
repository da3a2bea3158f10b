"""A program for `test_stream_kills`: consumers of one source, each killed by kill -9.

    python stream_kills.py produce SOURCE FOLDER          writes numbered events until FOLDER/stop
    python stream_kills.py consume SOURCE FOLDER ROUNDS   forks a consumer a round and kills it

SOURCE is `journal` or a Redis address. The parent of the consumers never touches Polars' threads,
so that forking it is safe. Prints JSON: what was produced, or one line a round.
"""

import contextlib
import json
import os
import random
import select
import signal
import sys
import time
from pathlib import Path

import redis

from tests.features.recorder import Recorder
from workbench import features
from workbench.events import EventLog
from workbench.features import redis_group
from workbench.journal import Journal

redis_group.IDLE_SECONDS = 0.05


def produce(source: str, folder: Path) -> int:
    """Write, and in the case of the journal also drain, until told to stop."""
    rng, number, stop = random.Random(0), 0, folder / "stop"
    if source != "journal":
        publisher = features.RedisPublisher(source, "s0")
        while not stop.exists():
            some = range(number, number + rng.randrange(1, 40))
            publisher.publish("click", {"event": some, "item": [n % 7 for n in some]})
            number = some.stop
            time.sleep(0.002)
        return number
    log = EventLog(folder / "log")
    with Journal(folder / "journal", sync_ms=1) as journal:
        while not stop.exists():
            for _ in range(rng.randrange(1, 100)):
                journal.write("click", event=number, item=number % 7)
                number += 1
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
    store = Recorder(folder / "store.db")
    stream = opened(source, folder, "b" if turn % 5 == 0 else "a")
    os.write(pipe, b"o\n")
    features.stream(stream, store, batch_ms=2)


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
    for turn in range(int(rounds[0])):
        print(json.dumps(one_round(source, folder, turn)), flush=True)


if __name__ == "__main__":
    assert redis.__version__  # imported before the forks
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), *sys.argv[4:])
