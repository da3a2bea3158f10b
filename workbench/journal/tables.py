"""What the journal keeps as tables: rows written by the thousand, and what `drain` appends.

A table's payload is its kind, a line feed, and an Arrow stream.
"""

from __future__ import annotations

import io
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from itertools import zip_longest
from typing import Any

import polars as pl

from workbench.contracts import CONTRACTS, VOCABULARY, Contract, check
from workbench.tables import to_polars

__all__ = ["TIME", "check_table", "pack", "parts", "table_of", "unpack"]

TIME = pl.Datetime("us", "UTC")
_BEGIN = datetime(1970, 1, 1, tzinfo=UTC)


def check_table(
    kind: str, table: pl.DataFrame, id_types: Mapping[str, pl.DataType]
) -> dict[str, pl.DataType]:
    """The types of the table's ids, Int64 or String, after asking whether a log could take it.

    Single rows are not looked at: what is wrong with them is for the log's quarantine.

    Raises
    ------
    ValueError
        If the table as a whole breaks a rule of `contracts.check`, or an id is not of the type
        in `id_types`.
    """
    if not isinstance(kind, str) or not re.fullmatch(r"[a-z][a-z0-9_]*", kind):
        raise ValueError(
            f"a kind is lower case letters, digits and '_', beginning with a letter; got {kind!r}"
        )
    check(table.clear(), CONTRACTS.get(kind, Contract(kind)), _BEGIN)
    found = {}
    for column, dtype in table.schema.items():
        if VOCABULARY.get(column) != "id" or dtype == pl.Null:
            continue
        found[column] = pl.Int64() if dtype.is_integer() else pl.String()
        expected = id_types.get(column, found[column])
        if found[column] != expected:
            raise ValueError(
                f"{kind}.{column} is {expected} in this journal, got {found[column]}: the ids of "
                "one column are all whole numbers or all words"
            )
    return found


def table_of(kind: str, columns: Mapping[str, Any] | Any) -> pl.DataFrame:
    """Any table or mapping of arrays as a Polars table, in the types of rows written singly."""
    try:
        if isinstance(columns, Mapping):
            table = pl.DataFrame(dict(columns))
        else:
            table, *others = to_polars(columns, kind)
            if others:
                raise ValueError("a column mixes types; write such rows one by one")
    except (TypeError, ValueError, pl.exceptions.PolarsError) as error:
        raise ValueError(f"{kind} cannot be read as a table: {error}") from error
    casts = {}
    for column, dtype in table.schema.items():
        if dtype == pl.Float32:
            casts[column] = pl.Float64
        elif dtype.is_integer() and dtype not in (pl.UInt64, pl.Int128):
            casts[column] = pl.Int64
        elif dtype in (pl.Categorical, pl.Enum):
            casts[column] = pl.String
    return table.cast(casts)


def pack(kind: str, table: pl.DataFrame) -> bytes:
    """The payload of a table."""
    stream = io.BytesIO()
    table.write_ipc_stream(stream)
    return kind.encode() + b"\n" + stream.getvalue()


def unpack(payload: bytes) -> tuple[str, pl.DataFrame]:
    """The kind and table of a payload.

    >>> unpack(pack("click", pl.DataFrame({"item": [7]})))[1].item()
    7
    """
    kind, stream = payload.split(b"\n", 1)
    return kind.decode(), pl.read_ipc_stream(io.BytesIO(stream))


def parts(tables: Iterable[tuple[str, pl.DataFrame]]) -> list[dict[str, pl.DataFrame]]:
    """Gather tables into as few appends as their types allow, the same ones every time.

    A column of floats in one table and whole numbers in another becomes floats where that is
    exact. Any other difference in type makes a second part, for the log's contracts to judge.

    >>> tables = [("vote", pl.DataFrame({"label": label})) for label in ([1], [0.5], ["yes"])]
    >>> [part["vote"]["label"].to_list() for part in parts(tables)]
    [[1.0, 0.5], ['yes']]
    """
    by_kind = defaultdict(list)
    for kind, table in tables:
        by_kind[kind].append(table)
    merged = {kind: _merge(pieces) for kind, pieces in by_kind.items()}
    return [
        {kind: table for kind, table in zip(merged, level, strict=True) if table is not None}
        for level in zip_longest(*merged.values())
    ]


def _merge(pieces: list[pl.DataFrame]) -> list[pl.DataFrame]:
    floats = {c for piece in pieces for c, dtype in piece.schema.items() if dtype == pl.Float64}
    groups: list[tuple[dict, list]] = []
    for piece in pieces:
        piece = _floats_where_exact(piece, floats)
        for schema, members in groups:
            if all(schema.get(c, dtype) == dtype for c, dtype in piece.schema.items()):
                schema.update(piece.schema)
                members.append(piece)
                break
        else:
            groups.append((dict(piece.schema), [piece]))
    return [pl.concat(members, how="diagonal") for _schema, members in groups]


def _floats_where_exact(piece: pl.DataFrame, floats: set[str]) -> pl.DataFrame:
    whole = [c for c in piece.columns if c in floats and piece.schema[c] == pl.Int64]
    exact = [c for c in whole if piece[c].is_between(-(2**53), 2**53).all()]
    return piece.cast(dict.fromkeys(exact, pl.Float64))
