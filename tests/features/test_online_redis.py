"""A store in Redis when Redis is gone, slow or wanted by two writers."""

from __future__ import annotations

import signal
import socket
import subprocess
import time

import pytest

from tests.features.test_online_refusals import COUNT, DAY, PER, START, payments
from workbench import features


@pytest.fixture
def own_redis(redis_address, tmp_path):
    """A Redis that a test may stop: (address, process)."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(tmp_path)]
    server = subprocess.Popen(["redis-server", *options], stdout=subprocess.DEVNULL)
    while socket.socket().connect_ex(("127.0.0.1", port)):
        time.sleep(0.05)
    yield f"redis://127.0.0.1:{port}/0", server
    server.send_signal(signal.SIGCONT)
    server.kill()
    server.wait(10)


@pytest.mark.parametrize("how", ["killed", "stopped"])
def test_redis_gone_between_reads_costs_a_bounded_wait_then_what_was_asked_for(own_redis, how):
    address, server = own_redis
    latest = features.latest("amount", **PER, missing=-1.0, name="latest")
    some = [COUNT, latest]
    words = {"timeout_seconds": 0.2}
    strict = features.OnlineStore(address, some, **words)
    easy = features.OnlineStore(address, some, **words, on_error="missing")
    strict.apply({"payment": payments()})
    for store in (strict, easy):
        assert store.read({"user": 1}, at=START + DAY) == {"n": 3, "latest": 1.0}
    server.kill() if how == "killed" else server.send_signal(signal.SIGSTOP)
    began = time.monotonic()
    with pytest.raises(ConnectionError, match="cannot be reached"):
        strict.read({"user": 1}, at=START + DAY)
    assert easy.read({"user": 1}, at=START + DAY) == {"n": None, "latest": -1.0}
    frame = easy.read_many({"user": [1, 2]}, at=START + DAY)
    assert frame["latest"].to_list() == [-1.0, -1.0]
    assert frame["n"].to_list() == [None, None]
    assert time.monotonic() - began < 3 * 4 * 0.2 + 1.0
    if how == "stopped":
        server.send_signal(signal.SIGCONT)
        assert strict.read({"user": 1}, at=START + DAY) == {"n": 3, "latest": 1.0}


def test_two_writers_of_one_redis_exclude_each_other(redis_address, monkeypatch):
    from workbench.features import redis_store

    monkeypatch.setattr(redis_store, "LEASE_SECONDS", 0.4)
    address = f"{redis_address}?name=two-writers"
    first, second = (features.OnlineStore(address, COUNT) for _ in range(2))
    first.apply({"payment": payments(2)})
    time.sleep(0.5)  # idle for longer than the lease: anybody may write now
    assert second.apply({"payment": payments(3)}).events == 1
    with pytest.raises(ValueError, match="another writer"):
        first.apply({"payment": payments(4)})
    second.close()
    assert first.apply({"payment": payments(4)}).events == 1
    assert first.read({"user": 1}, at=START + DAY) == {"n": 4}


def test_who_slept_through_the_lease_writes_unless_somebody_else_did(redis_address, monkeypatch):
    from workbench.features import redis_store

    monkeypatch.setattr(redis_store, "LEASE_SECONDS", 0.2)
    address = f"{redis_address}?name=sleepers"
    sleeper, other = (redis_store.RedisStore(address, 1.0) for _ in range(2))

    def slowly(writing, meanwhile=lambda: None):
        count = int(writing.get(b"count") or 0)
        time.sleep(0.3)
        meanwhile()
        writing.put_many([(b"count", b"%d" % (count + 1))])

    def write_in_between():
        with other.exclusively():
            other.write(lambda writing: writing.put_many([(b"count", b"10")]))
        other.close()  # gives the lease back: nobody holds it any more

    with sleeper.exclusively():
        sleeper.write(slowly)
    assert sleeper.read([b"count"]) == [b"1"]
    with sleeper.exclusively(), pytest.raises(ValueError, match="another writer took over"):
        sleeper.write(lambda writing: slowly(writing, write_in_between))
    assert sleeper.read([b"count"]) == [b"10"]
    sleeper.close()
