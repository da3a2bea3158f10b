"""Loose events as bytes, and back as tables with the very same types.

Events of one kind with the same columns and types share a *shape*; a row is the shape's number and
its values, a datetime being microseconds since 1970. A payload carries the shapes that it uses, so
each can be read alone:

    [{"0": ["click", ["event", "user", "time"], "sit"]},
     [0, "7f3a-1", 42, 1767225600000000], ...]
"""

from __future__ import annotations

import json
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from workbench.journal.tables import TIME, check_table

__all__ = ["Encoder", "Shape", "decode", "id_types_in"]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DTYPES = {"b": pl.Boolean, "i": pl.Int64, "f": pl.Float64, "s": pl.String, "t": TIME, "n": pl.Null}
_json = json.JSONEncoder(ensure_ascii=False, check_circular=False, separators=(",", ":")).encode


class Shape(NamedTuple):
    """What rows have in common: `types` has a letter a column, b i f s t, or n for None."""

    number: int
    kind: str
    columns: tuple[str, ...]
    types: str
    convert: tuple[tuple[int, Callable], ...]  # (place in the row, what makes its value plain)


class Encoder:
    """Turns events into rows, refusing what no log could take."""

    def __init__(self) -> None:
        self.id_types: dict[str, pl.DataType] = {}  # of each id column, by the first that came
        self._lock = threading.Lock()
        self._shapes: dict[tuple, Shape] = {}
        self._by_number: list[Shape] = []

    def row(self, kind: str, event: Mapping[str, Any]) -> list:
        """One event as a row: the number of its shape, then plain values."""
        values = event.values()
        key = (kind, tuple(event), tuple(map(type, values)))
        shape = self._shapes.get(key) or self._new_shape(key, event)
        row = [shape.number, *values]
        place = 1
        try:
            for place, convert in shape.convert:
                row[place] = convert(row[place])
        except ValueError as error:
            raise ValueError(f"{kind}.{shape.columns[place - 1]}: {error}") from None
        return row

    def payload(self, rows: list[list]) -> bytes:
        """Rows, and the shapes that they use, as UTF-8 JSON."""
        used = (self._by_number[number] for number in sorted({row[0] for row in rows}))
        shapes = {shape.number: [shape.kind, shape.columns, shape.types] for shape in used}
        return _json([shapes, *rows]).encode()

    def check(self, kind: str, table: pl.DataFrame) -> None:
        """Hold the ids of this journal to one type, and the table to what a log can take."""
        with self._lock:
            self.id_types |= check_table(kind, table, self.id_types)

    def _new_shape(self, key: tuple, event: Mapping[str, Any]) -> Shape:
        kind, columns, _types = key
        plain = [_plain(kind, column, value) for column, value in event.items()]
        types = "".join(letter for letter, _convert in plain)
        schema = {c: DTYPES[letter] for c, letter in zip(columns, types, strict=True)}
        self.check(kind, pl.DataFrame(schema=schema))
        convert = tuple((place, c) for place, (_letter, c) in enumerate(plain, 1) if c)
        with self._lock:
            shape = Shape(len(self._by_number), kind, columns, types, convert)
            self._by_number.append(shape)
            self._shapes[key] = shape
        return shape


def decode(payloads: Iterable[bytes]) -> list[tuple[str, pl.DataFrame]]:
    """The tables of many payloads, one for each kind, columns and types.

    >>> encoder = Encoder()
    >>> moment = datetime(2026, 1, 1, tzinfo=UTC)
    >>> row = encoder.row("click", {"event": "a", "time": moment, "known_at": moment, "item": 7})
    >>> [(kind, table)] = decode([encoder.payload([row])])
    >>> kind, table["item"].to_list(), table["time"].item() == moment
    ('click', [7], True)
    """
    gathered = defaultdict(list)
    for payload in payloads:
        shapes, *rows = json.loads(payload)
        keys = {int(n): (kind, tuple(names), types) for n, (kind, names, types) in shapes.items()}
        for row in rows:
            gathered[keys[row[0]]].append(row)
    tables = []
    for (kind, columns, types), rows in gathered.items():
        _numbers, *values = zip(*rows, strict=True)
        series = [
            _series(column, letter, column_values)
            for column, letter, column_values in zip(columns, types, values, strict=True)
            if letter != "n"
        ]
        tables.append((kind, pl.DataFrame(series)))
    return tables


def id_types_in(payload: bytes) -> dict[str, pl.DataType]:
    """The types of the id columns in a payload, without reading its rows."""
    shapes, _end = json.JSONDecoder().raw_decode(payload.decode(), 1)
    found = {}
    for kind, columns, types in shapes.values():
        schema = {c: DTYPES[letter] for c, letter in zip(columns, types, strict=True)}
        found |= check_table(kind, pl.DataFrame(schema=schema), {})
    return found


def _series(column: str, letter: str, values: tuple) -> pl.Series:
    if letter == "t":
        return pl.Series(column, values, dtype=pl.Int64).cast(TIME)
    return pl.Series(column, values, dtype=DTYPES[letter])


def _plain(kind: str, column: str, value: Any) -> tuple[str, Callable | None]:
    """The letter of a value's type, and the function that makes such values plain JSON."""
    if isinstance(value, datetime):
        return "t", _microseconds
    if isinstance(value, np.generic) and not isinstance(value, np.datetime64 | np.timedelta64):
        letter, convert = _plain(kind, column, value.item())
        return letter, (lambda number: convert(number.item())) if convert else np.generic.item
    simple = {
        type(None): ("n", None),
        bool: ("b", None),
        int: ("i", _int64),
        float: ("f", None),
        str: ("s", _text),
    }
    if type(value) in simple:
        return simple[type(value)]
    raise ValueError(
        f"{kind}.{column}: a value is None, bool, int, float, str or a datetime with a time zone, "
        f"got {type(value).__name__}"
    )


def _microseconds(time: datetime) -> int:
    if time.tzinfo is None:
        raise ValueError(f"a datetime needs a time zone, got {time!r}")
    if getattr(time, "nanosecond", 0):  # pandas
        raise ValueError(f"microseconds are the finest unit, got {time!r}")
    since = time - EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def _int64(number: int) -> int:
    if not -(2**63) <= number < 2**63:
        raise ValueError(f"an int must fit into 64 bits, got {number}")
    return number


def _text(text: str) -> str:
    if not text.isascii():
        text.encode()  # UnicodeEncodeError, a ValueError, for half of a surrogate pair
    return text
