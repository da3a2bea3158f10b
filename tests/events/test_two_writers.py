"""Writers at the same time: none waits for ever, none loses anything, no event is twice."""

import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from workbench.events import EventLog
from workbench.events.lake import CommitFailedError, Lake

MOMENT = datetime(2026, 3, 1, 12, tzinfo=UTC)


def payments(first: int, rows: int = 10) -> pl.DataFrame:
    return pl.DataFrame(
        {"event": range(first, first + rows), "time": MOMENT, "user": 7, "amount": 1.5}
    )


def test_three_processes_with_the_same_events_put_each_in_once(tmp_path):
    program = Path(__file__).parent / "writer.py"
    writers = [
        subprocess.Popen(
            [sys.executable, program, tmp_path / "log", str(first), "20"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for first in (0, 0, 5)
    ]
    failures = [writer.communicate()[1] for writer in writers]
    assert [writer.returncode for writer in writers] == [0, 0, 0], failures
    events = EventLog(tmp_path / "log").scan("payment").collect()["event"]
    expected = [event for event in range(5 * 25 + 5) if event % 10 != 3]
    assert events.sort().to_list() == expected


def test_without_waiting_in_turn_writers_still_put_each_event_in_once(tmp_path, monkeypatch):
    monkeypatch.setattr("workbench.events.lake.fcntl", None)  # as on a machine without file locks
    log = EventLog(tmp_path / "log")
    log.append(payment=payments(0), known_at="time")

    def write():
        for number in range(12):
            EventLog(tmp_path / "log").append(payment=payments(5 * number), known_at="time")

    threads = [threading.Thread(target=write) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert log.scan("payment").collect()["event"].sort().to_list() == list(range(65))


def test_a_commit_from_a_stale_snapshot_fails_and_leaves_no_file(tmp_path):
    log = EventLog(tmp_path)
    log.append(payment=payments(0), known_at="time")
    lake = Lake(tmp_path)
    stale = lake.snapshot()
    log.append(payment=payments(100), known_at="time")
    before = sorted(tmp_path.rglob("*.parquet"))
    rows = payments(0).with_columns(known_at="time")
    number = stale.transaction("workbench") + 1
    with pytest.raises(CommitFailedError, match="Concurrent"):
        lake.commit(stale, [("payment", rows)], {"workbench": number})
    assert sorted(tmp_path.rglob("*.parquet")) == before


def test_two_compactions_at_once_do_not_double_the_rows(tmp_path):
    log = EventLog(tmp_path)
    for number in range(4):
        log.append(payment=payments(10 * number), known_at="time")
    lake = Lake(tmp_path)
    stale = lake.snapshot()
    log.compact()
    merged = stale.scan(stale.files, stale.columns(stale.files)).collect()
    with pytest.raises(CommitFailedError):
        lake.commit(stale, [("payment", merged)], {"compaction": 1}, replacing=stale.files)
    assert log.scan("payment").collect().height == 40


def test_an_append_and_a_compaction_at_once_both_count(tmp_path):
    log = EventLog(tmp_path)
    for number in range(4):
        log.append(payment=payments(10 * number), known_at="time")
    lake = Lake(tmp_path)
    stale = lake.snapshot()
    log.append(payment=payments(40), known_at="time")
    merged = stale.scan(stale.files, stale.columns(stale.files)).collect()
    lake.commit(stale, [("payment", merged)], {"compaction": 1}, replacing=stale.files)
    assert log.scan("payment").collect()["event"].sort().to_list() == list(range(50))


def test_a_writer_that_never_gets_its_turn_says_so(tmp_path, monkeypatch):
    log = EventLog(tmp_path)
    log.append(payment=payments(0), known_at="time")
    monkeypatch.setattr("workbench.events.commits.ATTEMPTS", 3)

    def always_late(*_, **__):
        raise CommitFailedError("Concurrent transaction failed")

    monkeypatch.setattr(Lake, "commit", always_late)
    with pytest.raises(OSError, match=r"gave up after 3 attempts.*nothing was added, try again"):
        log.append(payment=payments(100), known_at="time")
