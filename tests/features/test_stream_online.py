"""Streamed into the online store, the features are those of training over the drained log."""

import random
from datetime import timedelta

import polars as pl
import pytest

from tests.features.stream_kills import FEATURES, START, events
from workbench import features
from workbench.events import EventLog
from workbench.journal import Journal

USERS = [*range(17)]


@pytest.fixture
def journal(tmp_path):
    with Journal(tmp_path / "journal", sync_ms=500) as journal:
        yield journal


@pytest.fixture
def store(tmp_path):
    store = features.OnlineStore(tmp_path / "online", FEATURES, late_days=1.0)
    yield store
    store.close()


def write(journal, rows):
    for row in rows:
        journal.write("payment", **row)
    journal.sync()


def rows_of(numbers):
    return pl.DataFrame(events(numbers)).to_dicts()


def catch_up(journal, store):
    source = features.JournalSource(journal.path, batch_events=40)
    try:
        return features.stream(source, store, until="caught up")
    finally:
        source.close()


def assert_as_trained(store, log, at):
    asked = pl.DataFrame({"user": USERS, "time": at}).with_columns(
        pl.col("time").dt.convert_time_zone("UTC")
    )
    trained = features.training_frame(asked, FEATURES, log)
    online = store.read_many({"user": USERS}, at=at)
    for feature in FEATURES:
        got, want = online[feature.name].to_list(), trained[feature.name].to_list()
        exact = feature.aggregate not in ("sum", "mean", "std")
        assert got == (want if exact else pytest.approx(want, rel=1e-9)), feature.name


def test_in_the_order_of_arrival_with_late_ones_among_them(journal, store, tmp_path):
    log = EventLog(tmp_path / "log")
    for begin in range(0, 900, 300):
        write(journal, rows_of(range(begin, begin + 300)))
        report = catch_up(journal, store)
        assert (report.events, report.duplicates, report.aside) == (300, 0, {})
        journal.drain(log)
        assert_as_trained(store, log, START + timedelta(milliseconds=10 * (begin + 300)))


@pytest.mark.parametrize("seed", range(5))
def test_out_of_order_within_the_bound_is_exact(journal, store, tmp_path, seed):
    log = EventLog(tmp_path / "log")
    rows = rows_of(range(600))
    random.Random(seed).shuffle(rows)
    for begin in range(0, 600, 150):
        write(journal, rows[begin : begin + 150])
        assert catch_up(journal, store).aside == {}
    journal.drain(log)
    assert_as_trained(store, log, START + timedelta(seconds=7))


def test_beyond_the_bound_events_are_counted_and_kept_aside(journal, store, tmp_path):
    log = EventLog(tmp_path / "log")
    write(journal, rows_of(range(300)))
    catch_up(journal, store)
    journal.drain(log)
    day = timedelta(days=1)
    late = {"event": 10**6, "user": 3, "amount": 1.0, "time": START - day, "known_at": START - day}
    write(journal, [late, *rows_of(range(300, 320))])
    report = catch_up(journal, store)
    assert report.events == 20
    [(reason, count)] = report.aside.items()
    assert "bound" in reason
    assert count == 1
    assert store.aside().height == 1
    log.append(payment=pl.DataFrame(events(range(300, 320))))
    assert_as_trained(store, log, START + timedelta(milliseconds=3200))


def test_duplicates_change_nothing(journal, store, tmp_path):
    log = EventLog(tmp_path / "log")
    rows = rows_of(range(300))
    again = [*rows, *rows[::3], *rows[::7]]
    random.Random(0).shuffle(again)
    write(journal, again)
    report = catch_up(journal, store)
    assert (report.events, report.duplicates) == (300, 100 + 43)
    journal.drain(log)
    assert_as_trained(store, log, START + timedelta(seconds=3))


def test_a_first_state_from_the_log_and_the_rest_from_the_stream(journal, store, tmp_path):
    log = EventLog(tmp_path / "log")
    features.JournalSource(journal.path).close()  # from here on drain keeps what is not streamed
    write(journal, rows_of(range(300)))
    journal.drain(log)
    write(journal, rows_of(range(300, 350)))
    now = START + timedelta(seconds=3)
    store.materialise(log, until=now)
    assert_as_trained(store, log, now)
    report = catch_up(journal, store)
    assert (report.events, report.duplicates) == (50, 300)
    journal.drain(log)
    assert_as_trained(store, log, START + timedelta(milliseconds=3500))


def test_values_are_readable_while_the_stream_runs_in_a_thread(journal, store, tmp_path):
    log = EventLog(tmp_path / "log")
    with features.Streaming(features.JournalSource(journal.path), store, batch_ms=5) as running:
        for begin in range(0, 500, 50):
            write(journal, rows_of(range(begin, begin + 50)))
            running.catch_up()
            journal.drain(log)
            assert_as_trained(store, log, START + timedelta(milliseconds=10 * (begin + 50)))


def test_a_store_opened_again_goes_on_where_it_was(journal, tmp_path):
    log = EventLog(tmp_path / "log")
    for begin in range(0, 300, 100):
        write(journal, rows_of(range(begin, begin + 100)))
        store = features.OnlineStore(tmp_path / "online", FEATURES)
        assert catch_up(journal, store).events == 100
        store.close()
        journal.drain(log)
    store = features.OnlineStore(tmp_path / "online", FEATURES)
    assert_as_trained(store, log, START + timedelta(seconds=3))
    store.close()
