"""Stores to test with: a new folder each time, and a Redis server of one's own."""

from __future__ import annotations

import itertools
import os
import shutil
import socket
import subprocess
import time

import pytest

from workbench import features


@pytest.fixture(scope="session")
def redis_address(tmp_path_factory):
    """A private Redis on a free loopback port; skipped where there is none, but never in CI."""
    program = shutil.which("redis-server")
    if program is None:
        if os.environ.get("CI") == "true":
            pytest.fail("redis-server is not installed, and in CI it must be")
        pytest.skip("redis-server is not installed (apt install redis-server)")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder = tmp_path_factory.mktemp("redis")
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    server = subprocess.Popen([program, *options], stdout=subprocess.DEVNULL)
    try:
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        else:
            pytest.fail("redis-server did not start")
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        server.terminate()
        server.wait(10)


@pytest.fixture(params=["lmdb", "redis"])
def new_store(request, tmp_path_factory):
    """Make a store of some features that has nothing in it yet."""
    numbers = itertools.count()
    if request.param == "redis":
        address = request.getfixturevalue("redis_address")
        return lambda some, **words: features.OnlineStore(
            f"{address}?name={tmp_path_factory.mktemp('name').name}{next(numbers)}", some, **words
        )
    folder = tmp_path_factory.mktemp("stores")
    return lambda some, **words: features.OnlineStore(folder / str(next(numbers)), some, **words)


@pytest.fixture(scope="session")
def stream_server(tmp_path_factory):
    """A Redis for streams, that tests may empty, stop and start again."""
    program = shutil.which("redis-server")
    if program is None:
        if os.environ.get("CI") == "true":
            pytest.fail("redis-server is not installed, and in CI it must be")
        pytest.skip("redis-server is not installed (apt install redis-server)")
    server = StreamServer(program, tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def stream_address(stream_server):
    """Its address, with nothing in it."""
    import redis

    with redis.Redis.from_url(stream_server.address) as client:
        client.flushall()
    return stream_server.address


class StreamServer:
    """Starts, stops and starts again; remembers in an append-only file."""

    def __init__(self, program, folder):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.address = f"redis://127.0.0.1:{port}/0"
        self._command = [program, "--port", str(port), "--bind", "127.0.0.1"]
        self._command += ["--dir", str(folder), "--save", "", "--appendonly", "yes"]
        self._process = None

    def start(self):
        import redis

        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)
        with redis.Redis.from_url(self.address) as client:
            for _ in range(200):
                try:
                    client.ping()
                    return
                except redis.exceptions.RedisError:  # not yet, or still reading its file
                    assert self._process.poll() is None, "redis-server did not start"
                    time.sleep(0.05)
        raise AssertionError("redis-server did not answer within 10 s")

    def stop(self):
        self._process.terminate()
        self._process.wait(20)
