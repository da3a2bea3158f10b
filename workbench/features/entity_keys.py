"""The keys of entities as bytes: equal for equal ids, in the order of the ids for one number."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import polars as pl

from workbench.features.threads import plain

__all__ = ["key_of", "keys_of", "plain_key"]

_LONGEST = 400  # bytes; LMDB takes 511
_MIDDLE = 2**63


def plain_key(column: pl.Series, name: str, where: str) -> pl.Series:
    """A key column as Int64 or String; ValueError for what cannot be an id."""
    dtype = column.dtype
    if dtype.is_integer() and dtype not in (pl.Int128, pl.UInt128):
        if dtype == pl.UInt64 and (column.max() or 0) >= _MIDDLE:
            raise ValueError(
                f"{name} of {where} goes beyond 2**63 - 1, where ids end: make it text"
            )
        return column if dtype == pl.Int64 else column.cast(pl.Int64)
    if dtype in (pl.String, pl.Categorical, pl.Enum):
        return column if dtype == pl.String else column.cast(pl.String)
    if dtype == pl.Null:
        return column
    raise ValueError(
        f"{name} of {where} is {dtype}: keys are whole numbers or texts (workbench.rename makes "
        "whole floats, which pandas makes of ids with gaps, whole numbers again)"
    )


def key_of(prefix: bytes, values: Sequence[int | str]) -> bytes:
    """The key of one entity.

    >>> key_of(b"r", (7,)).hex()
    '728000000000000007'
    >>> key_of(b"r", ("a", 7)) == keys_of(b"r", [pl.Series(["a"]), pl.Series([7])])[0]
    True
    """
    if len(values) == 1:
        (value,) = values
        if isinstance(value, str):
            return _bounded(prefix, value.encode())
        return prefix + (value + _MIDDLE).to_bytes(8, "big")
    return _bounded(prefix, b"".join(map(_part, values)))


def keys_of(prefix: bytes, columns: list[pl.Series]) -> list[bytes]:
    """The keys of many entities, shape (n,), none of them null."""
    if len(columns) > 1:
        rows = zip(*(column.to_list() for column in columns), strict=True)
        return [_bounded(prefix, b"".join(map(_part, row))) for row in rows]
    (column,) = columns
    if column.dtype == pl.String:
        return [_bounded(prefix, value.encode()) for value in column.to_list()]
    width = len(prefix) + 8
    made = np.empty((len(column), width), np.uint8)
    made[:, : len(prefix)] = np.frombuffer(prefix, np.uint8)
    shifted = plain(column, np.int64).view(np.uint64) ^ np.uint64(_MIDDLE)
    made[:, len(prefix) :] = shifted.astype(">u8").view(np.uint8).reshape(-1, 8)
    content = made.tobytes()
    return [content[at : at + width] for at in range(0, len(content), width)]


def _part(value: int | str) -> bytes:
    if isinstance(value, str):
        content = value.encode()
        return len(content).to_bytes(4, "big") + content
    return (value + _MIDDLE).to_bytes(8, "big")


def _bounded(prefix: bytes, content: bytes) -> bytes:
    if len(content) > _LONGEST:
        content = b"\xff" + hashlib.blake2b(content).digest()
    return prefix + content
