"""A private redis-server, on a free loopback port, for the tests that need one."""

import os
import shutil
import socket
import subprocess
import time

import pytest


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory):
    """Address of a Redis that nobody else uses; the tests share it, each flushes it first."""
    program = shutil.which("redis-server")
    if program is None:
        if os.environ.get("CI") == "true":
            pytest.fail("redis-server is not installed, and in CI no test may be skipped")
        pytest.skip("redis-server is not installed: apt-get install redis-server")
    server = RedisServer(program, tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def redis_address(redis_server):
    import redis

    with redis.Redis.from_url(redis_server.address) as client:
        client.flushall()
    return redis_server.address


class RedisServer:
    """Starts, stops and starts again; remembers in an append-only file."""

    def __init__(self, program, folder):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.address = f"redis://127.0.0.1:{self.port}/0"
        self._command = [program, "--port", str(self.port), "--bind", "127.0.0.1"]
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
