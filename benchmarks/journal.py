"""Many small events a second, on the disk every 10 ms. Rows of the area `log`.

All three write one event after the other, as fast as they can, and end when the last is on the
disk. The peer is SQLite in WAL mode with synchronous=FULL: the same columns, a commit every 10 ms.
The limit writes bytes that lie ready, and syncs every 10 ms. On a disk that lies about syncing
(memory file systems do) all three look better.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from time import perf_counter

from benchmarks.harness import Row, measure

__all__ = ["run"]

SYNC_MS = 10.0
EVENT = {"user": 123_456, "item": 98_765, "request": 5_000_000_000, "position": 3}


def run(quick: bool = False) -> list[Row]:
    """Events a second through `Journal.write`."""
    events = 10_000 if quick else 200_000
    folder = Path(tempfile.mkdtemp(prefix="workbench-bench-"))
    try:
        row = measure(
            "log",
            f"journal: {events:,} small events one by one, fsync every {SYNC_MS:g} ms",
            **contenders(folder, events),
            peer_name="SQLite, WAL, synchronous=FULL",
            unit="events/s",
            count=events,
            target="ours >= 20000",
            repeats=3 if quick else 7,
            quick=quick,
        )
    finally:
        shutil.rmtree(folder)
    return [row]


def contenders(folder: Path, events: int) -> dict:
    def ours() -> Iterator:
        from workbench.journal import Journal

        path = Path(tempfile.mkdtemp(dir=folder))
        os.sync()
        with Journal(path, sync_ms=SYNC_MS) as journal:

            def write():
                for _ in range(events):
                    journal.write("click", **EVENT)
                journal.sync()

            yield write

    def sqlite() -> Iterator:
        path = Path(tempfile.mkdtemp(dir=folder)) / "journal.db"
        database = sqlite3.connect(path, isolation_level=None)
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA synchronous=FULL")
        database.execute("CREATE TABLE event (event PRIMARY KEY, kind, time, known_at, content)")
        os.sync()

        def write():
            numbers, due = count(), perf_counter() + SYNC_MS / 1000
            database.execute("BEGIN")
            for _ in range(events):
                now = datetime.now(UTC).isoformat()
                row = (f"session-{next(numbers)}", "click", now, now, json.dumps(EVENT))
                database.execute("INSERT INTO event VALUES (?, ?, ?, ?, ?)", row)
                if perf_counter() >= due:
                    database.execute("COMMIT")
                    database.execute("BEGIN")
                    due = perf_counter() + SYNC_MS / 1000
            database.execute("COMMIT")

        yield write
        database.close()

    def raw() -> Iterator:
        path = Path(tempfile.mkdtemp(dir=folder)) / "journal.bytes"
        line = json.dumps({"event": "session-1000000", "kind": "click", **EVENT}).encode() + b"\n"
        os.sync()
        with path.open("wb") as file:

            def write():
                due = perf_counter() + SYNC_MS / 1000
                for _ in range(events):
                    file.write(line)
                    if perf_counter() >= due:
                        sync(file)
                        due = perf_counter() + SYNC_MS / 1000
                sync(file)

            yield write

    return {"ours": ours, "peer": sqlite, "limit": raw}


def sync(file) -> None:
    file.flush()
    os.fdatasync(file.fileno())
