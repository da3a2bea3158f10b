"""Kill -9 at random moments: nothing that was promised is lost, and nothing is twice."""

import json
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from workbench.events import EventLog
from workbench.journal import Journal

ROUNDS = 100
ROUND = 1_000_000


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """A journal and a log after a hundred kills, and what each round was promised."""
    folder = tmp_path_factory.mktemp("killed")
    program = Path(__file__).parent / "kill_at_random.py"
    done = subprocess.run(
        [sys.executable, program, folder, str(ROUNDS), "0"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    rounds = [json.loads(line) for line in done.stdout.splitlines()]
    log = EventLog(folder / "log")
    with Journal(folder / "journal") as journal:
        undrained, in_log = journal.waiting, events(log).height
        report = journal.drain(log)
    return {"rounds": rounds, "log": log, "report": report, "in_log": in_log, "left": undrained}


def events(log):
    return log.scan("click").select("event", "user").collect()


def test_every_round_ran_and_kills_hit_writing_and_draining(killed):
    rounds = killed["rounds"]
    assert len(rounds) == ROUNDS
    assert [each["errors"] for each in rounds if each["errors"]] == []
    assert sum(each["acknowledged"] is not None for each in rounds) > ROUNDS / 3
    assert sum(each["in_drain"] for each in rounds) >= 20
    assert sum(each["drained"] for each in rounds) >= 15


def test_no_event_is_twice(killed):
    found = events(killed["log"])
    assert found["event"].is_unique().all()


def test_nothing_acknowledged_is_lost_and_each_round_left_a_whole_beginning(killed):
    found = events(killed["log"]).with_columns(turn=pl.col("event") // ROUND)
    spans = found.group_by("turn").agg(
        first=pl.min("event") % ROUND, last=pl.max("event") % ROUND, count=pl.len()
    )
    by_round = {row["turn"]: row for row in spans.iter_rows(named=True)}
    assert all(row["first"] == 0 and row["count"] == row["last"] + 1 for row in by_round.values())
    for each in killed["rounds"]:
        if each["acknowledged"] is not None:
            assert by_round[each["round"]]["last"] >= each["acknowledged"] % ROUND


def test_the_last_drain_adds_only_what_was_not_in_the_log_yet(killed):
    report = killed["report"]
    total = events(killed["log"]).height
    assert killed["in_log"] + report.added.get("click", 0) == total
    assert killed["log"].quarantine().is_empty()
    assert killed["left"] >= report.added.get("click", 0)
