"""Keys and values in Redis, for features that several machines read; one of them writes.

A commit is one MULTI/EXEC, so that a reader, by one MGET, sees whole commits only. The writer holds
a lease, a key that expires. What a commit builds on is watched by the number of commits: a writer
that slept through its lease writes if nobody else did, and is refused if somebody did.
"""

from __future__ import annotations

import contextlib
import secrets
import threading
import time
from collections.abc import Callable, Iterable
from urllib.parse import parse_qs, urlsplit, urlunsplit

from workbench.features.redis_line import RedisLine

__all__ = ["LEASE_SECONDS", "RedisStore"]

LEASE_SECONDS = 5.0
_WRITE_SECONDS = 60.0  # a first materialisation is one large command
_TOGETHER = 2_000  # keys in one MSET


class RedisStore:
    """One store in a Redis; `?name=` in the address keeps several apart."""

    def __init__(self, address: str, timeout_seconds: float):
        import redis
        from redis.backoff import NoBackoff
        from redis.retry import Retry

        self._redis = redis
        parts = urlsplit(address)
        name = parse_qs(parts.query).get("name", ["shop"])[0]
        self.where = address
        plain = urlunsplit(parts._replace(query=""))

        def client(seconds: float):
            return redis.from_url(
                plain,
                socket_connect_timeout=timeout_seconds,
                socket_timeout=seconds,
                retry=Retry(NoBackoff(), 1),
                retry_on_error=[redis.ConnectionError],  # the server was started again
            )

        self._line = RedisLine(parts, timeout_seconds)
        self._writing = client(_WRITE_SECONDS)
        self._prefix = f"features:{name}:".encode()
        self._lease, self._token = self._prefix + b"lease", secrets.token_hex(8).encode()
        self._commits = self._prefix + b"commits"
        self._one_writer = threading.RLock()
        self._held = False

    def read(self, keys: list[bytes]) -> list[bytes | None]:
        """The values of some keys, None for those there are not, all of one commit."""
        if not keys:
            return []
        prefix = self._prefix
        try:
            return self._line.mget([prefix + key for key in keys])
        except ConnectionError as error:
            raise self._gone(error) from error

    @contextlib.contextmanager
    def exclusively(self):
        """Hold the lease; a writer that was killed leaves it for `LEASE_SECONDS`."""
        with self._one_writer, self._reachable():
            patience = time.monotonic() + 1.2 * LEASE_SECONDS
            while not self._take_lease():
                if self._held or time.monotonic() > patience:
                    self._held = False
                    raise ValueError(
                        f"the store {self.where} has another writer: only one may write, any "
                        f"number may read; a writer that is gone is forgotten after "
                        f"{LEASE_SECONDS:g} s"
                    )
                time.sleep(0.05)
            self._held = True
            yield

    def write(self, work: Callable[[_Writing], object]):
        """Do some work in one transaction, all of it or nothing; return what it returns."""
        with self._reachable(), self._writing.pipeline(transaction=True) as commands:
            commands.watch(self._commits)
            writing = _Writing(self._writing, self._prefix)
            done = work(writing)
            if commands.get(self._lease) not in (self._token, None):
                raise ValueError(f"another writer took over the store {self.where}")
            commands.multi()
            writing.commit(commands)
            commands.incr(self._commits)
            commands.set(self._lease, self._token, px=int(LEASE_SECONDS * 1000))
            try:
                commands.execute()
            except self._redis.WatchError as error:
                raise ValueError(f"another writer took over the store {self.where}") from error
        return done

    def close(self) -> None:
        """Let go of the connections and of the lease."""
        with contextlib.suppress(self._redis.RedisError):
            if self._held and self._writing.get(self._lease) == self._token:
                self._writing.delete(self._lease)
        self._held = False
        self._line.close()
        self._writing.close()

    def _take_lease(self) -> bool:
        milliseconds = int(LEASE_SECONDS * 1000)
        if self._writing.set(self._lease, self._token, nx=True, px=milliseconds):
            return True
        return self._writing.get(self._lease) == self._token

    @contextlib.contextmanager
    def _reachable(self):
        try:
            yield
        except (self._redis.ConnectionError, self._redis.TimeoutError) as error:
            raise self._gone(error) from error

    def _gone(self, error: Exception) -> ConnectionError:
        return ConnectionError(f"the store {self.where} cannot be reached: {error}")


class _Writing:
    """What is being written; reads see it, and so far nobody else."""

    def __init__(self, client, prefix: bytes):
        self._client, self._prefix = client, prefix
        self._new: dict[bytes, bytes | None] = {}

    def get(self, key: bytes) -> bytes | None:
        """The value of a key."""
        return self.get_many([key])[0]

    def get_many(self, keys: Iterable[bytes]) -> list[bytes | None]:
        """Values of some keys, None for those there are not."""
        keys = [self._prefix + key for key in keys]
        stored = [key for key in keys if key not in self._new]
        found = dict(zip(stored, self._client.mget(stored), strict=True)) if stored else {}
        return [self._new[key] if key in self._new else found[key] for key in keys]

    def put_many(self, pairs: Iterable[tuple[bytes, bytes]]) -> None:
        """Set some keys."""
        self._new.update((self._prefix + key, bytes(value)) for key, value in pairs)

    def delete(self, key: bytes) -> None:
        """Remove a key, if it is there."""
        self._new[self._prefix + key] = None

    def commit(self, commands) -> None:
        """Queue everything."""
        put = [pair for pair in self._new.items() if pair[1] is not None]
        for at in range(0, len(put), _TOGETHER):
            commands.mset(dict(put[at : at + _TOGETHER]))
        gone = [key for key, value in self._new.items() if value is None]
        if gone:
            commands.delete(*gone)
