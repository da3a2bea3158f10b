"""From the journal into the log, once, whatever happens in between."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from workbench.contracts import Column, Contract
from workbench.events import EventLog
from workbench.journal import Journal
from workbench.lab import Lab

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def lab(tmp_path):
    with Lab("drain", home=tmp_path) as lab:
        lab.clock.now = NOON
        yield lab


def in_log(log, kind="click"):
    return log.scan(kind).collect().sort("event")


def test_written_events_are_in_the_log_with_the_labs_time(lab):
    ids = [lab.journal.write("click", item=item, user=7) for item in range(3)]
    lab.journal.write("purchase", item=1, user=7, amount=3)
    assert repr(lab.journal) == "Journal: 4 events not yet drained"
    report = lab.journal.drain(lab.log)
    assert report.added == {"click": 3, "purchase": 1}
    clicks = in_log(lab.log)
    assert sorted(clicks["event"]) == sorted(ids)
    assert clicks["known_at"].to_list() == [NOON] * 3
    assert in_log(lab.log, "purchase")["amount"].to_list() == [3.0]
    assert repr(lab.journal) == "Journal: 0 events not yet drained"
    assert len(list(lab.journal.path.glob("*.journal"))) == 1  # the open one


def test_an_empty_drain_changes_nothing(lab):
    assert lab.journal.drain(lab.log).version == -1
    lab.journal.write("click", item=1)
    lab.journal.drain(lab.log)
    report = lab.journal.drain(lab.log)
    assert (report.added, report.version) == ({}, lab.log.version)


class Failing:
    """A log that commits and then dies, as seen from the journal."""

    def __init__(self, log, fail):
        self.log, self.fail, self.version = log, fail, log.version

    def append(self, **arguments):
        report = self.log.append(**arguments)
        if self.fail:
            raise ConnectionError("died after the commit")
        return report


def test_a_batch_that_came_before_a_crash_is_not_added_again(lab):
    lab.journal.write_many("click", {"item": [1, 2, 3]})
    with pytest.raises(ConnectionError):
        lab.journal.drain(Failing(lab.log, fail=True))
    assert len(in_log(lab.log)) == 3
    version = lab.log.version
    assert lab.journal.waiting == 3  # the journal cannot know
    lab.journal.close()
    with Journal(lab.journal.path) as journal:
        report = journal.drain(lab.log)
    assert (report.added, lab.log.version) == ({}, version)
    assert len(in_log(lab.log)) == 3


def test_numbers_of_segments_are_never_used_again(lab):
    """Else a later batch would count as one that is in already."""
    for turn in range(3):
        with Journal(lab.path / "other", clock=lab.clock) as journal:
            journal.write("click", item=turn)
            assert journal.drain(lab.log).added == {"click": 1}
    assert sorted(in_log(lab.log)["item"]) == [0, 1, 2]


def test_bad_rows_go_to_the_logs_quarantine_and_nothing_is_lost(lab):
    journal = lab.journal
    journal.write("click", event="good", item=1, score=0.5)
    journal.write("click", event="word", item=1, score="high")
    journal.write("click", event="nan", item=1, score=float("nan"))
    journal.write("click", event="none", item=None)
    journal.write("click", event="future", item=1, known_at=NOON + timedelta(days=1))
    journal.write("click", event="early", item=1, time=NOON, known_at=NOON - timedelta(days=1))
    report = journal.drain(lab.log)
    assert report.added == {"click": 1}
    assert sum(report.quarantined.values()) == 5
    assert in_log(lab.log)["event"].to_list() == ["good"]
    assert lab.log.quarantine().height == 5


def test_an_unknown_kind_waits_until_it_is_registered(lab):
    lab.journal.write("sensor", celsius=21.5)
    with pytest.raises(ValueError, match="sensor"):
        lab.journal.drain(lab.log)
    assert lab.journal.waiting == 1
    lab.log.register(Contract("sensor", (Column(name="celsius", dtype="float"),)))
    assert lab.journal.drain(lab.log).added == {"sensor": 1}


def test_ids_that_the_log_refuses_can_be_repaired(lab):
    lab.log.append(click=pl.DataFrame({"event": ["a"], "time": NOON, "item": [1]}), known_at="time")
    lab.journal.write("click", item="17")
    with pytest.raises(ValueError, match="item"):
        lab.journal.drain(lab.log)
    report = lab.journal.drain(lab.log, repair=lambda kind, table: table.cast({"item": pl.Int64}))
    assert report.added == {"click": 1}
    assert sorted(in_log(lab.log)["item"]) == [1, 17]


def test_events_of_several_segments_keep_their_order_of_batches(lab, monkeypatch):
    monkeypatch.setattr("workbench.journal.segments.SEGMENT_BYTES", 1_000)
    for number in range(200):
        lab.journal.write("click", event=number, item=number)
        if number % 20 == 0:
            lab.journal.sync()
    lab.journal.sync()
    assert len(list(lab.journal.path.glob("*.journal"))) > 3
    report = lab.journal.drain(lab.log)
    assert report.added == {"click": 200}
    assert in_log(lab.log)["event"].to_list() == list(range(200))


def test_two_journals_drain_into_one_log(lab):
    clock = lab.clock
    with (
        Journal(lab.path / "one", clock=clock) as one,
        Journal(lab.path / "two", clock=clock) as two,
    ):
        assert one.id != two.id
        for journal in (one, two, one):
            journal.write("click", item=1)
            journal.drain(lab.log)
    assert len(in_log(lab.log)) == 3


def test_writing_goes_on_while_draining(lab):
    journal = lab.journal
    journal.write("click", event=1, item=1)

    class Slow(Failing):
        def append(self, **arguments):
            journal.write("click", event=2, item=2)
            journal.sync()
            return self.log.append(**arguments)

    journal.drain(Slow(lab.log, fail=False))
    assert in_log(lab.log)["event"].to_list() == [1]
    assert journal.waiting == 1
    journal.drain(EventLog(lab.path / "log", clock=lab.clock))
    assert in_log(lab.log)["event"].to_list() == [1, 2]
