"""Kill -9 at random moments: nothing that was promised is lost, and nothing is twice."""

import json
import subprocess
import sys
import threading
from pathlib import Path

import polars as pl
import pytest

from workbench.events import EventLog
from workbench.journal import Journal, JournalReader
from workbench.journal.frames import TABLE
from workbench.journal.rows import decode
from workbench.journal.tables import unpack

pytestmark = pytest.mark.clock  # a kill hits whatever the process has come to by then

ROUNDS = 100
ROUND = 1_000_000


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """A journal and a log after a hundred kills, and what each round was promised."""
    folder = tmp_path_factory.mktemp("killed")
    (folder / "journal").mkdir()
    program = Path(__file__).parent / "kill_at_random.py"
    with JournalReader(folder / "journal", "follower") as reader:
        over, followed = threading.Event(), []
        follower = threading.Thread(target=follow, args=(reader, over, followed))
        follower.start()
        done = subprocess.run(
            [sys.executable, program, folder, str(ROUNDS), "0"], capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr[-2000:]
        Journal(folder / "journal").close()  # cuts the last torn tail
        over.set()
        follower.join()
    rounds = [json.loads(line) for line in done.stdout.splitlines()]
    log = EventLog(folder / "log")
    with Journal(folder / "journal") as journal:
        undrained, in_log = journal.waiting, events(log).height
        report = journal.drain(log)
    found = {"rounds": rounds, "log": log, "report": report, "in_log": in_log, "left": undrained}
    return found | {"followed": followed}


def follow(reader, over, followed):
    """Read along; an error is what comes last."""
    place, last = None, False
    try:
        while not last:
            last = over.is_set()
            while (found := reader.read(place))[0]:
                frames, place = found
                rows = decode(frame.payload for frame in frames if frame.type != TABLE)
                rows += [unpack(frame.payload) for frame in frames if frame.type == TABLE]
                followed += [number for _kind, table in rows for number in table["event"]]
                reader.done(place)
            reader.wait(found[1], 0.01)
    except Exception as error:
        followed.append(error)


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


def test_one_that_read_along_saw_exactly_what_the_log_has(killed):
    assert [each for each in killed["followed"] if isinstance(each, Exception)] == []
    assert sorted(killed["followed"]) == sorted(events(killed["log"])["event"])
