"""From the journal into a store: every event once, in whatever pieces it comes."""

import os
import signal
import threading
import time
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from tests.features.recorder import Recorder
from workbench import features
from workbench.events import EventLog
from workbench.journal import Journal, JournalGap

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def journal(tmp_path):
    with Journal(tmp_path / "journal", sync_ms=500) as journal:
        yield journal


@pytest.fixture
def store(tmp_path):
    store = Recorder(tmp_path / "store.db")
    yield store
    store.close()


def write(journal, numbers):
    for number in numbers:
        journal.write("click", event=number, item=number % 7)
    journal.sync()


def catch_up(journal, store, **options):
    source = features.JournalSource(journal.path, **options)
    try:
        return features.stream(source, store, batch_ms=5, until="caught up")
    finally:
        source.close()


def test_all_that_was_written_is_applied_once_and_then_only_what_is_new(journal, store):
    write(journal, range(100))
    report = catch_up(journal, store)
    assert (report.events, report.duplicates, report.stopped) == (100, 0, "caught up")
    assert 0 < report.lag_seconds < 60
    write(journal, range(100, 130))
    assert catch_up(journal, store).events == 30
    assert store.events() == [*range(130)]


@pytest.mark.parametrize("batch_events", [1, 7, 1000])
def test_any_size_of_batch_gives_the_same(journal, store, batch_events):
    for begin in range(0, 60, 10):
        write(journal, range(begin, begin + 10))
        journal.write("note", event=begin + 1000, amount=begin * 1.0)
    journal.sync()
    catch_up(journal, store, batch_events=batch_events)
    assert store.events() == [*range(60)]
    assert store.events("note") == [*range(1000, 1060, 10)]
    assert store.duplicates == 0


def test_rows_and_tables_arrive_as_drain_would_append_them(journal, store, tmp_path):
    columns = {"event": range(1000, 1300), "item": 1, "time": NOON, "known_at": NOON}
    journal.write_many("click", pl.DataFrame(columns))
    journal.write("click", event=1, item=None, time=NOON, known_at=NOON)
    journal.write("click", event=2, item=3, user=8, time=NOON, known_at=NOON)
    journal.sync()
    source = features.JournalSource(journal.path)
    batch = source.read(None, 0.1)
    log = EventLog(tmp_path / "log")
    journal.drain(log)
    drained = log.scan("click").sort("event").collect()
    came = batch.tables["click"].sort("event")
    assert came.select(sorted(came.columns)).equals(drained.select(sorted(came.columns)))
    assert batch.refused == {"click.item: null": 1}  # as in the log's quarantine:
    assert log.quarantine()["reason"].to_list() == ["click.item: null"]
    source.close()


@pytest.mark.parametrize("kill_between", [False, True])
def test_values_of_different_types_come_in_parts_each_once(journal, store, kill_between):
    for number in range(40):
        journal.write("note", event=number, size=[1, 0.5, "big"][number % 3])
    journal.sync()
    if kill_between:  # as if the consumer died after each commit
        for _ in range(10):
            source = features.JournalSource(journal.path)
            batch = source.read(store.position(source.name), 0.01)
            source.close()
            if batch is not None:
                store.apply(batch.tables, (source.name, batch.position))
    else:
        assert catch_up(journal, store).batches == 2
    assert store.events("note") == [*range(40)]
    assert store.duplicates == 0


def test_a_batch_committed_and_not_told_is_not_applied_again(journal, store):
    write(journal, range(10))
    source = features.JournalSource(journal.path)
    batch = source.read(None, 0.1)
    store.apply(batch.tables, (source.name, batch.position))
    source.close()  # killed before done()
    assert catch_up(journal, store).events == 0
    assert store.duplicates == 0


def test_a_batch_not_committed_comes_again(journal, store):
    write(journal, range(10))
    source = features.JournalSource(journal.path)
    assert source.read(None, 0.1).events == 10
    source.close()
    assert catch_up(journal, store).events == 10


def test_draining_while_streaming_loses_nothing(journal, store, tmp_path):
    log = EventLog(tmp_path / "log")
    with features.Streaming(features.JournalSource(journal.path), store, batch_ms=5) as running:
        for begin in range(0, 1000, 50):
            write(journal, range(begin, begin + 50))
            journal.drain(log)
        report = running.catch_up()
    assert report.events == 1000
    assert store.events() == [*range(1000)]
    assert log.scan("click").collect().height == 1000
    write(journal, [1000])
    journal.drain(log)
    assert len([*journal.path.glob("*.kept")]) <= 2


def test_a_consumer_that_was_away_during_drains_goes_on(journal, store, tmp_path):
    log = EventLog(tmp_path / "log")
    write(journal, range(10))
    catch_up(journal, store)
    for begin in range(10, 50, 10):
        write(journal, range(begin, begin + 10))
        journal.drain(log)
    catch_up(journal, store)
    assert store.events() == [*range(50)]
    assert store.duplicates == 0


def test_after_a_gap_a_restart_goes_on_from_what_is_there(journal, store, tmp_path):
    log = EventLog(tmp_path / "log")
    write(journal, range(10))
    catch_up(journal, store)
    features.JournalSource(journal.path).forget()
    for begin in range(10, 50, 10):
        write(journal, range(begin, begin + 10))
        journal.drain(log)
    write(journal, range(50, 60))
    with pytest.raises(JournalGap, match="rebuild"):
        catch_up(journal, store)
    store.apply({"click": log.scan("click").collect()})  # up to date from the log
    catch_up(journal, store, restart=True)
    assert store.events() == [*range(60)]
    catch_up(journal, store)


def test_another_journal_at_the_same_place_is_an_error(journal, store, tmp_path):
    write(journal, range(10))
    catch_up(journal, store)
    with Journal(tmp_path / "other") as other:
        write(other, range(3))
        with pytest.raises(JournalGap, match="the store stands in the journal"):
            catch_up(other, store)


def test_streaming_in_a_thread_catches_up_and_stops(journal, store):
    running = features.Streaming(features.JournalSource(journal.path), store, batch_ms=10).start()
    for begin in range(0, 50, 10):
        write(journal, range(begin, begin + 10))
        running.catch_up()
        assert store.events() == [*range(begin + 10)]
    report = running.stop()
    assert (report.events, report.stopped) == (50, "interrupted")
    assert "50 events" in repr(running)


class Failing(Recorder):
    def apply(self, tables, position=None):
        raise ValueError("user is String, and Int64 in the store")


def test_what_goes_wrong_in_the_thread_is_raised_where_one_waits(journal, tmp_path):
    write(journal, range(3))
    running = features.Streaming(features.JournalSource(journal.path), Failing(tmp_path / "f"))
    running.start()
    with pytest.raises(ValueError, match="user is String"):
        running.catch_up()
    with pytest.raises(ValueError, match="user is String"):
        running.stop()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_finishes_the_batch_and_reports(journal, store, number):
    write(journal, range(10))
    before = signal.getsignal(number)
    timer = threading.Timer(0.3, os.kill, (os.getpid(), number))
    timer.start()
    with_source = features.JournalSource(journal.path)
    report = features.stream(with_source, store, batch_ms=20)
    with_source.close()
    timer.join()
    assert (report.events, report.stopped) == (10, "interrupted")
    assert signal.getsignal(number) is before


def test_it_stops_at_its_time(journal, store):
    source = features.JournalSource(journal.path)
    began = time.monotonic()
    report = features.stream(
        source, store, batch_ms=10, until=datetime.now(UTC) + timedelta(seconds=0.2)
    )
    source.close()
    assert report.stopped == "its time was up"
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"batch_ms": 0}, "batch_ms must be positive, got 0"),
        ({"until": "now"}, "until must be"),
        ({"until": datetime(2026, 1, 1)}, "until must be"),
    ],
)
def test_wrong_options_are_named(journal, store, options, words):
    source = features.JournalSource(journal.path)
    with pytest.raises(ValueError, match=words):
        features.stream(source, store, **options)
    source.close()
    with pytest.raises(ValueError, match="batch_events must be at least 1, got 0"):
        features.JournalSource(journal.path, batch_events=0)


def test_many_small_batches_wait_for_each_other_but_not_the_first_after_a_silence(journal, store):
    with features.Streaming(features.JournalSource(journal.path), store, batch_ms=200) as running:
        running.catch_up()
        began = time.monotonic()
        for number in range(30):
            write(journal, [number])
            time.sleep(0.01)
        running.catch_up()
        took = time.monotonic() - began
        assert running.report.batches <= 2 + took / 0.2
    assert store.events() == [*range(30)]
