"""Kill -9 at random moments of appending: the log stays whole, and nothing is lost or twice."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from workbench.events import EventLog

ROUNDS = 100


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """A log whose writer was killed a hundred times, each time to be followed by another."""
    folder = tmp_path_factory.mktemp("killed") / "log"
    program = Path(__file__).parent / "writer.py"
    done = subprocess.run(
        [sys.executable, program, folder, "0", "0", "--fork", str(ROUNDS), "0"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    lines = [line.split(maxsplit=2) for line in done.stdout.splitlines()]
    rounds = [int(line[1]) for line in lines if line[0] == "round"]
    errors = [line[2] for line in lines if len(line) > 2]
    return {"log": EventLog(folder), "rounds": rounds, "errors": errors, "next": int(lines[-1][1])}


def test_every_round_was_killed_and_none_failed(killed):
    assert len(killed["rounds"]) == ROUNDS
    assert killed["errors"] == []
    assert sum(batches > 0 for batches in killed["rounds"]) > ROUNDS / 4


def test_what_an_append_returned_from_is_in_the_log_once(killed):
    payments = killed["log"].scan("payment").collect()["event"].sort()
    last = 5 * (killed["next"] - 1) + 10  # batches up to next - 1 were acknowledged
    expected = [event for event in range(last) if event % 10 != 3]
    assert payments.is_unique().all()
    assert payments.to_list()[: len(expected)] == expected
    assert set(payments[len(expected) :]) <= set(range(last, last + 5))  # one more may be in


def test_the_kinds_of_one_append_got_in_together(killed):
    log = killed["log"]
    clicks, payments = (log.scan(kind).collect()["event"] for kind in ("click", "payment"))
    assert clicks.is_unique().all()
    assert {event for event in clicks if event % 10 != 3} == set(payments)
    assert log.quarantine().height == sum(event % 10 == 3 for event in clicks)


def test_kills_leave_files_that_nobody_reads(killed):
    log = killed["log"]
    files = [each for each in os.walk(log.path) for each in each[2] if each.endswith(".parquet")]
    assert len(files) > log._lake.snapshot().files.height
    log.compact()
    test_what_an_append_returned_from_is_in_the_log_once(killed)
