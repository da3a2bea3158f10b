"""A Redis server of one's own: on a free port of the loopback, in memory, gone afterwards."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

__all__ = ["redis_server"]


@contextmanager
def redis_server() -> Iterator[int]:
    """Its port; the server ends with the block.

    Raises
    ------
    RuntimeError
        If `redis-server` is not installed, or does not answer within ten seconds.
    """
    if shutil.which("redis-server") is None:
        raise RuntimeError("redis-server is not installed: `make services` installs it")
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="workbench-redis-") as folder:
        words = {"port": port, "bind": "127.0.0.1", "save": "", "appendonly": "no", "dir": folder}
        command = ["redis-server", *(part for k, v in words.items() for part in (f"--{k}", str(v)))]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            _wait(process, port)
            yield port
        finally:
            process.terminate()
            process.wait()


def _wait(process: subprocess.Popen, port: int) -> None:
    for _ in range(200):
        if process.poll() is not None:
            break
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError("redis-server does not answer")
