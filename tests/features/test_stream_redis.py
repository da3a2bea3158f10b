"""From Redis Streams into a store: consumer groups, and what happens when somebody dies."""

import json
import threading
import time
from datetime import UTC, datetime

import polars as pl
import pytest
import redis

from tests.features.recorder import Recorder
from tests.features.redis_streams import catch_up, publish
from workbench import features
from workbench.features import redis_group, redis_source

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def client(stream_address):
    with redis.Redis.from_url(stream_address) as client:
        yield client


@pytest.fixture
def store(tmp_path):
    store = Recorder(tmp_path / "store.db")
    yield store
    store.close()


def test_all_that_was_published_is_applied_once_and_acknowledged(stream_address, client, store):
    publish(stream_address, range(100), pieces=10)
    report = catch_up(stream_address, store)
    assert (report.events, report.duplicates) == (100, 0)
    assert client.xpending("s0", "features")["pending"] == 0
    publish(stream_address, range(100, 120), pieces=3)
    assert catch_up(stream_address, store).events == 20
    assert store.events() == [*range(120)]


def test_json_from_anywhere_is_read_too(stream_address, client, store):
    first = {"event": "a", "item": 7, "time": "2026-03-01T12:00:00Z", "known_at": 1772366401000000}
    client.xadd("s0", {"kind": "click", "json": json.dumps(first)})
    client.xadd("s0", {"kind": "click", "json": json.dumps([{"item": 8}, {"item": 9}])})
    catch_up(stream_address, store)
    by_id = {row["event"]: row for row in store.rows()}
    assert by_id["a"]["time"].startswith("2026-03-01 12:00:00")
    assert by_id["a"]["known_at"].startswith("2026-03-01 12:00:01")
    others = [row for event, row in by_id.items() if event != "a"]
    assert [row["item"] for row in others] == [8, 9]
    assert all(row["event"].startswith("s0/") and row["time"] == row["known_at"] for row in others)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"kind": "click", "json": "{"}, "JSONDecodeError"),
        ({"kind": "click", "json": "7"}, "an event is a JSON object, got int"),
        ({"kind": "click", "json": '{"item": 7, "time": "yesterday"}'}, "Invalid isoformat"),
        ({"kind": "click", "json": '{"item": 7, "time": "2026-03-01T12:00"}'}, "needs a time zone"),
        ({"kind": "click", "json": '{"item": [7]}'}, "got list"),
        ({"kind": "Click!", "json": "{}"}, "a kind is lower case letters"),
        ({"kind": "click", "table": b"abcdefgh" * 9}, "Error"),
        ({"kind": "click", "table": b""}, "Error"),
        ({"item": "7"}, "an entry has the fields kind, and table or json"),
        ({"kind": "click", "json": "{}"}, "click.item: missing"),
    ],
)
def test_what_is_no_event_is_counted_and_kept_aside(stream_address, client, store, fields, reason):
    client.xadd("s0", fields)
    publish(stream_address, range(3))
    report = catch_up(stream_address, store)
    assert report.events == 3
    [(said, count)] = report.refused.items()
    assert reason in said
    assert count == 1
    [(_id, kept)] = client.xrange("s0:aside")
    assert kept[b"reason"].decode() == said
    assert client.xpending("s0", "features")["pending"] == 0


def test_killed_after_the_commit_and_before_the_acknowledgement(stream_address, store):
    publish(stream_address, range(30), pieces=3)
    source = features.RedisStreamSource(stream_address, "s0", consumer="a")
    batch = source.read(None, 0.05)
    store.apply(batch.tables, (source.name, batch.position))
    source.close()
    report = catch_up(stream_address, store, consumer="a")
    assert (report.events, report.duplicates) == (0, 0)  # by the position, not by the ids
    assert store.events() == [*range(30)]


def test_killed_before_the_commit(stream_address, store):
    publish(stream_address, range(30), pieces=3)
    source = features.RedisStreamSource(stream_address, "s0", consumer="a")
    assert source.read(None, 0.05).events == 30
    source.close()
    assert catch_up(stream_address, store, consumer="a").events == 30


def test_what_a_dead_consumer_had_taken_goes_to_another(stream_address, store, monkeypatch):
    publish(stream_address, range(30), pieces=3)
    dead = features.RedisStreamSource(stream_address, "s0", consumer="dead")
    assert dead.read(None, 0.05).events == 30
    dead.close()
    assert catch_up(stream_address, store, consumer="b").events == 0  # not silent for long enough
    monkeypatch.setattr(redis_group, "IDLE_SECONDS", 0.01)
    time.sleep(0.02)
    assert catch_up(stream_address, store, consumer="b").events == 30


def test_delivered_twice_changes_nothing(stream_address, client, store):
    publish(stream_address, range(30), pieces=3)
    catch_up(stream_address, store)
    for _id, fields in client.xrange("s0"):
        client.xadd("s0", fields)
    report = catch_up(stream_address, store)
    assert (report.events, report.duplicates) == (0, 30)
    assert store.events() == [*range(30)]


def test_two_consumers_of_one_group_share_two_streams(stream_address, tmp_path):
    stores = [Recorder(tmp_path / f"{number}.db") for number in range(2)]
    running = [
        features.Streaming(
            features.RedisStreamSource(stream_address, f"s{number}", consumer=f"c{number}"),
            stores[number],
            batch_ms=5,
        ).start()
        for number in range(2)
    ]
    for begin in range(0, 400, 40):
        publish(stream_address, range(begin, begin + 40, 2), stream="s0")
        publish(stream_address, range(begin + 1, begin + 40, 2), stream="s1")
    reports = [each.catch_up() for each in running]
    for each in running:
        each.stop()
    assert [report.events for report in reports] == [200, 200]
    assert stores[0].events() == [*range(0, 400, 2)]
    assert stores[1].events() == [*range(1, 400, 2)]


def test_two_consumers_of_the_same_streams_feed_one_store_once(stream_address, store, monkeypatch):
    monkeypatch.setattr(redis_group, "IDLE_SECONDS", 0.02)  # they rob each other all the time
    monkeypatch.setattr(redis_group, "TAKE_ENTRIES", 5)
    running = [
        features.Streaming(
            features.RedisStreamSource(stream_address, ["s0", "s1"], consumer=name),
            store,
            batch_ms=2,
        ).start()
        for name in ("a", "b")
    ]
    for begin in range(0, 400, 40):
        publish(stream_address, range(begin, begin + 20), stream="s0", pieces=20)
        publish(stream_address, range(begin + 20, begin + 40), stream="s1", pieces=20)
    for each in running * 2:
        each.catch_up()
    reports = [each.stop() for each in running]
    assert store.events() == [*range(400)]
    assert sum(report.events for report in reports) == 400


def test_different_types_come_in_parts(stream_address, client, store):
    publisher = features.RedisPublisher(stream_address, "s0")
    for number, size in enumerate([1, "big", 0.5]):
        publisher.publish("note", {"event": [number], "size": [size]})
    report = catch_up(stream_address, store)
    assert (report.events, report.batches) == (3, 2)
    assert client.xpending("s0", "features")["pending"] == 0


def test_a_table_is_cut_into_entries_and_a_batch_into_bounded_pieces(
    stream_address, client, store, monkeypatch
):
    monkeypatch.setattr(redis_source, "BATCH_EVENTS", 10_000)
    table = pl.DataFrame({"event": range(45_000), "item": 1, "time": NOON, "known_at": NOON})
    features.RedisPublisher(stream_address, "s0").publish("click", table)
    assert client.xlen("s0") == 5
    assert catch_up(stream_address, store).batches == 5
    assert len(store.events()) == 45_000


def test_publishing_without_ids_names_each_event_once(stream_address, store):
    publisher = features.RedisPublisher(stream_address, "s0")
    for _ in range(3):
        publisher.publish("click", {"item": [1, 2]})
    catch_up(stream_address, store)
    assert len(set(store.events())) == 6


@pytest.mark.parametrize("streams", [(), ("a", "a")])
def test_streams_are_different_and_at_least_one(streams):
    with pytest.raises(ValueError, match="streams must name one or more different streams"):
        features.RedisStreamSource("redis://127.0.0.1:1/0", streams)


def test_a_null_id_cannot_be_published(stream_address):
    publisher = features.RedisPublisher(stream_address, "s0")
    with pytest.raises(ValueError, match="event of click is null in 1 rows"):
        publisher.publish("click", {"event": [1, None], "item": [1, 2]})


def test_a_quiet_stream_is_waited_on_not_polled(stream_address, client, store):
    source = features.RedisStreamSource(stream_address, "s0")
    assert source.read(None, 0.01) is None
    timer = threading.Timer(0.1, publish, (stream_address, range(3)))
    timer.start()
    began = time.monotonic()
    assert source.read(None, 5.0).events == 3
    assert time.monotonic() - began < 2
    timer.join()
    source.close()
