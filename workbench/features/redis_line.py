"""A line to Redis that can do one thing, MGET, with as little in between as possible.

A client for everything spends more on one read than Redis and the network together. This speaks
the protocol (RESP, redis.io/docs/reference/protocol-spec) over a socket with a timeout; each thread
has its own. What cannot be reached is a ConnectionError.
"""

from __future__ import annotations

import socket
import ssl
import threading
from urllib.parse import SplitResult, unquote

__all__ = ["RedisLine"]

_BUFFER = 1 << 18


class RedisLine:
    """Reads of many keys at once."""

    def __init__(self, address: SplitResult, timeout_seconds: float):
        self._address, self._timeout = address, timeout_seconds
        self._local = threading.local()

    def mget(self, keys: list[bytes]) -> list[bytes | None]:
        """The values of some keys, None for those there are not."""
        parts = [b"*%d\r\n$4\r\nMGET\r\n" % (len(keys) + 1)]
        parts += [b"$%d\r\n%b\r\n" % (len(key), key) for key in keys]
        command = b"".join(parts)
        used = getattr(self._local, "stream", None) is not None
        try:
            return self._asked(command)
        except TimeoutError as error:
            self.close()
            raise ConnectionError(f"no answer within {self._timeout:g} s") from error
        except OSError as error:
            self.close()
            if not used:
                raise ConnectionError(str(error)) from error
        try:  # the server may have been started again since
            return self._asked(command)
        except OSError as error:
            self.close()
            raise ConnectionError(str(error)) from error

    def close(self) -> None:
        """Hang up, in this thread."""
        stream, self._local.stream = getattr(self._local, "stream", None), None
        if stream is not None:
            stream.close()
            self._local.socket.close()

    def _asked(self, command: bytes) -> list[bytes | None]:
        stream = getattr(self._local, "stream", None) or self._connected()
        self._local.socket.sendall(command)
        first = stream.readline()
        if first[:1] != b"*":
            raise ConnectionError(first[1:].decode(errors="replace").strip() or "it hung up")
        found = []
        for _ in range(int(first[1:])):
            size = int(stream.readline()[1:] or b"-2")
            content = None if size == -1 else stream.read(size + 2)
            if size < -1 or (content is not None and len(content) < size + 2):
                raise ConnectionError("it hung up")
            found.append(content and content[:-2])
        return found

    def _connected(self):
        address = self._address
        if address.scheme == "unix":
            line = socket.socket(socket.AF_UNIX)
            line.settimeout(self._timeout)
            line.connect(address.path)
        else:
            there = (address.hostname or "127.0.0.1", address.port or 6379)
            line = socket.create_connection(there, self._timeout)
            line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if address.scheme == "rediss":
            line = ssl.create_default_context().wrap_socket(line, server_hostname=there[0])
        self._local.socket = line
        self._local.stream = stream = line.makefile("rb", _BUFFER)
        if address.password:
            name = [unquote(address.username)] if address.username else []
            self._told(stream, "AUTH", *name, unquote(address.password))
        number = address.path.strip("/") if address.scheme != "unix" else ""
        if number not in ("", "0"):
            self._told(stream, "SELECT", number)
        return stream

    def _told(self, stream, *words: str) -> None:
        parts = [f"${len(word.encode())}\r\n{word}\r\n" for word in words]
        self._local.socket.sendall(f"*{len(words)}\r\n{''.join(parts)}".encode())
        answer = stream.readline()
        if answer[:1] != b"+":
            raise ConnectionError(answer[1:].decode(errors="replace").strip() or "it hung up")
