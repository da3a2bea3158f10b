"""Redis trimmed, emptied, away: never a silent loss, never an endless wait."""

import time

import pytest
import redis

from tests.features.recorder import Recorder
from tests.features.redis_streams import catch_up, publish
from workbench import features
from workbench.features import redis_source
from workbench.features.redis_source import StreamGap


@pytest.fixture
def client(stream_address):
    with redis.Redis.from_url(stream_address) as client:
        yield client


@pytest.fixture
def store(tmp_path):
    store = Recorder(tmp_path / "store.db")
    yield store
    store.close()


def test_entries_trimmed_before_they_were_read_are_a_loud_error_until_a_restart(
    stream_address, client, store
):
    publish(stream_address, range(10))
    catch_up(stream_address, store)
    publish(stream_address, range(10, 60), pieces=10)
    client.xtrim("s0", maxlen=4, approximate=False)
    for _ in range(2):  # also the second time
        with pytest.raises(StreamGap, match=r"6 entries of 's0' were trimmed.*restart=True"):
            catch_up(stream_address, store)
    catch_up(stream_address, store, restart=True)
    assert len(store.events()) == 10 + 4 * 5
    publish(stream_address, [99])
    assert catch_up(stream_address, store).events == 1


def test_a_publisher_that_trims_is_noticed(stream_address, store):
    publish(stream_address, range(10))
    catch_up(stream_address, store)
    publish(stream_address, range(10, 2_000), pieces=1_000, keep_entries=10)
    with pytest.raises(StreamGap, match="were trimmed before they were read"):
        catch_up(stream_address, store)


def test_trimming_what_was_finished_is_no_gap(stream_address, client, store):
    for begin in range(0, 100, 10):
        publish(stream_address, range(begin, begin + 10), pieces=5)
        catch_up(stream_address, store)
        client.xtrim("s0", maxlen=0 if begin % 20 else 2, approximate=False)
    assert store.events() == [*range(100)]


def test_a_group_that_begins_late_takes_what_is_there(stream_address, client, store):
    publish(stream_address, range(100), pieces=10)
    client.xtrim("s0", maxlen=3, approximate=False)
    assert catch_up(stream_address, store).events == 30


def test_entries_trimmed_while_unfinished_are_an_error_unless_they_were_committed(
    stream_address, client, store
):
    publish(stream_address, range(30), pieces=3)
    source = features.RedisStreamSource(stream_address, "s0", consumer="a")
    batch = source.read(None, 0.05)
    source.close()
    client.xtrim("s0", maxlen=0, approximate=False)
    with pytest.raises(StreamGap, match="3 entries of 's0' were trimmed after they were read"):
        catch_up(stream_address, store, consumer="a")
    client.flushall()
    publish(stream_address, range(30), pieces=3)
    source = features.RedisStreamSource(stream_address, "s0", consumer="a")
    batch = source.read(None, 0.05)
    store.apply(batch.tables, (source.name, batch.position))
    source.close()
    client.xtrim("s0", maxlen=0, approximate=False)
    assert catch_up(stream_address, store, consumer="a").events == 0


def test_a_redis_that_was_emptied_is_a_loud_error(stream_address, client, store):
    publish(stream_address, range(10))
    catch_up(stream_address, store)
    client.flushall()
    publish(stream_address, range(10, 20))
    for _ in range(2):
        with pytest.raises(StreamGap, match="the group 'features' of 's0' is gone from Redis"):
            catch_up(stream_address, store)
    catch_up(stream_address, store, restart=True)
    assert store.events() == [*range(20)]


def test_a_redis_that_is_emptied_while_it_is_read_is_a_loud_error(stream_address, client, store):
    publish(stream_address, range(10))
    running = features.Streaming(features.RedisStreamSource(stream_address, "s0"), store).start()
    running.catch_up()
    client.flushall()
    with pytest.raises(StreamGap, match="went from Redis while it was read"):
        running.catch_up()
    with pytest.raises(StreamGap, match="restart=True"):
        running.stop()


def test_a_redis_that_goes_away_and_comes_back_loses_nothing(stream_address, stream_server, store):
    source = features.RedisStreamSource(stream_address, "s0", consumer="a")
    with features.Streaming(source, store, batch_ms=5) as running:
        publish(stream_address, range(50), pieces=5)
        running.catch_up()
        stream_server.stop()
        time.sleep(0.3)
        stream_server.start()
        publish(stream_address, range(50, 90), pieces=5)
        running.catch_up()
    assert store.events() == [*range(90)]


def test_a_redis_that_stays_away_is_an_error_after_a_bounded_wait(store, monkeypatch):
    monkeypatch.setattr(redis_source, "PATIENCE_SECONDS", 0.3)
    began = time.monotonic()
    with pytest.raises(ConnectionError, match=r"Redis at redis://127.0.0.1:1/0 has not answered"):
        catch_up("redis://127.0.0.1:1/0", store)
    assert time.monotonic() - began < 5


def test_an_interrupt_is_heard_while_redis_is_away(store):
    source = features.RedisStreamSource("redis://127.0.0.1:1/0", "s0")
    running = features.Streaming(source, store, batch_ms=5).start()
    time.sleep(0.1)
    began = time.monotonic()
    assert running.stop().stopped == "interrupted"
    assert time.monotonic() - began < 2
