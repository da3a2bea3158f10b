"""The raw limits of the online store: packed numbers under a key, and nothing else.

No definitions, no versions, no clocks, no time-to-live, no second writer to be afraid of.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import polars as pl

__all__ = ["RawLmdb", "RawRedis", "raw_lmdb", "raw_redis"]

BATCH = 10_000


class RawLmdb:
    """One value a user in LMDB."""

    def __init__(self, path: Path, names: list[str]):
        import lmdb

        self._names, self._key, self._row = (
            names,
            struct.Struct(">q"),
            struct.Struct(f"{len(names)}d"),
        )
        self._environment = lmdb.open(str(path), map_size=2**36, lock=False)
        self._reading = None

    def write(self, rows: Iterable[tuple[int, bytes]]) -> None:
        """All in one transaction, in the order of keys."""
        with self._environment.begin(write=True) as transaction, transaction.cursor() as cursor:
            pack = self._key.pack
            cursor.putmulti(((pack(user), row) for user, row in rows), append=True)

    def start(self) -> None:
        """Open the one transaction that all reads share."""
        self._reading = self._environment.begin(buffers=True)

    def one(self, user: int) -> dict[str, float]:
        """The numbers of one user."""
        row = self._reading.get(self._key.pack(user))
        return dict(zip(self._names, self._row.unpack(row), strict=True))

    def many(self, users: list[int]) -> pl.DataFrame:
        """A frame of several."""
        get, pack = self._reading.get, self._key.pack
        return frame_of([get(pack(user)) for user in users], self._names)

    def close(self) -> None:
        """End the transaction and close the file."""
        if self._reading is not None:
            self._reading.abort()
        self._environment.close()


class RawRedis:
    """One value a user in Redis."""

    def __init__(self, port: int, names: list[str]):
        import redis

        self._names, self._row = names, struct.Struct(f"{len(names)}d")
        self._client = redis.Redis(host="127.0.0.1", port=port, db=1)

    def write(self, rows: Iterable[tuple[int, bytes]]) -> None:
        """In pipelines."""
        rows = list(rows)
        for start in range(0, len(rows), BATCH):
            some = rows[start : start + BATCH]
            self._client.mset({f"u{user}": row for user, row in some})

    def one(self, user: int) -> dict[str, float]:
        """The numbers of one user."""
        row = self._client.get(f"u{user}")
        return dict(zip(self._names, self._row.unpack(row), strict=True))

    def many(self, users: list[int]) -> pl.DataFrame:
        """A frame of several."""
        return frame_of(self._client.mget([f"u{user}" for user in users]), self._names)

    def close(self) -> None:
        """Let the connection go."""
        self._client.close()


def frame_of(rows: list, names: list[str]) -> pl.DataFrame:
    numbers = np.frombuffer(b"".join(rows), np.float64).reshape(len(rows), len(names))
    return pl.from_numpy(numbers, schema=names, orient="row")


def packed(profiles: pl.DataFrame, names: list[str]) -> Iterator[tuple[int, bytes]]:
    """The rows as keys and bytes, in the order of users."""
    ordered = profiles.sort("user")
    rows = memoryview(np.ascontiguousarray(ordered.select(names).to_numpy())).cast("B")
    width = 8 * len(names)
    for place, user in enumerate(ordered["user"].to_list()):
        yield user, rows[place * width : (place + 1) * width]


@contextmanager
def raw_lmdb(folder: Path, profiles: pl.DataFrame, names: list[str]) -> Iterator[RawLmdb]:
    """Filled, and ready to be read."""
    store = RawLmdb(folder, names)
    store.write(packed(profiles, names))
    store.start()
    try:
        yield store
    finally:
        store.close()


@contextmanager
def raw_redis(port: int, profiles: pl.DataFrame, names: list[str]) -> Iterator[RawRedis]:
    """Filled, and ready to be read."""
    store = RawRedis(port, names)
    store.write((user, bytes(row)) for user, row in packed(profiles, names))
    try:
        yield store
    finally:
        store.close()
