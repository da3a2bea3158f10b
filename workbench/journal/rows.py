"""Loose events as bytes, and back as tables with the very same types.

Events of one kind with the same columns and types share a *shape*; a row is the shape's number and
its values, a datetime being microseconds since 1970. Many rows of one shape become a table; a few
stay rows, with the shapes that they use, so that each payload can be read alone:

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

from workbench.journal.frames import ROWS, TABLE
from workbench.journal.tables import TIME, check_table, pack

__all__ = ["Encoder", "Moment", "Shape", "decode", "id_types_in"]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MANY_ROWS = 200  # of one shape: from here on a table is quicker, measured at 5 to 10 columns
DTYPES = {"b": pl.Boolean, "i": pl.Int64, "f": pl.Float64, "s": pl.String, "t": TIME, "n": pl.Null}
_json = json.JSONEncoder(ensure_ascii=False, check_circular=False, separators=(",", ":")).encode


class Moment(int):
    """A time that is in microseconds since 1970 already.

    >>> Moment.of(datetime(1970, 1, 1, 0, 1, tzinfo=UTC))
    60000000
    """

    @classmethod
    def of(cls, time: datetime) -> Moment:
        """The moment of a datetime with a time zone."""
        return cls(_microseconds(time))


class Shape(NamedTuple):
    """What rows have in common: `types` has a letter a column, b i f s t, or n for None."""

    number: int
    kind: str
    columns: tuple[str, ...]
    types: str
    ints: tuple[int, ...]  # places in the row that must fit into 64 bits
    convert: tuple[tuple[int, Callable], ...]  # (place, what makes its value plain)


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
            for place in shape.ints:
                if not -(2**63) <= row[place] < 2**63:
                    raise ValueError(f"an int must fit into 64 bits, got {row[place]}")
            for place, convert in shape.convert:
                row[place] = convert(row[place])
        except ValueError as error:
            raise ValueError(f"{kind}.{shape.columns[place - 1]}: {error}") from None
        return row

    def payloads(self, rows: list[list]) -> list[tuple[bytes, bytes, int]]:
        """Rows as records for `Segments.append`: (type, payload, events)."""
        by_shape = defaultdict(list)
        for row in rows:
            by_shape[row[0]].append(row)
        records, few, shapes = [], [], {}
        for number, members in by_shape.items():
            shape = self._by_number[number]
            if len(members) >= MANY_ROWS:
                table = _table(shape.columns, shape.types, members)
                records.append((TABLE, pack(shape.kind, table), len(members)))
            else:
                few += members
                shapes[number] = [shape.kind, shape.columns, shape.types]
        if few:
            records.append((ROWS, _json([shapes, *few]).encode(), len(few)))
        return records

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
        ints = tuple(p for p, value in enumerate(event.values(), 1) if type(value) is int)
        convert = tuple((place, c) for place, (_letter, c) in enumerate(plain, 1) if c)
        with self._lock:
            shape = Shape(len(self._by_number), kind, columns, types, ints, convert)
            self._by_number.append(shape)
            self._shapes[key] = shape
        return shape


def decode(payloads: Iterable[bytes]) -> list[tuple[str, pl.DataFrame]]:
    """The tables of many payloads, one for each kind, columns and types.

    >>> encoder = Encoder()
    >>> moment = datetime(2026, 1, 1, tzinfo=UTC)
    >>> row = encoder.row("click", {"event": "a", "time": moment, "known_at": moment, "item": 7})
    >>> [(_type, payload, _events)] = encoder.payloads([row])
    >>> [(kind, table)] = decode([payload])
    >>> kind, table["item"].to_list(), table["time"].item() == moment
    ('click', [7], True)
    """
    gathered = defaultdict(list)
    for payload in payloads:
        shapes, *rows = json.loads(payload)
        keys = {int(n): (kind, tuple(names), types) for n, (kind, names, types) in shapes.items()}
        for row in rows:
            gathered[keys[row[0]]].append(row)
    return [
        (kind, _table(columns, types, rows)) for (kind, columns, types), rows in gathered.items()
    ]


def id_types_in(payload: bytes) -> dict[str, pl.DataType]:
    """The types of the id columns in a payload, without reading its rows."""
    shapes, _end = json.JSONDecoder().raw_decode(payload.decode(), 1)
    found = {}
    for kind, columns, types in shapes.values():
        schema = {c: DTYPES[letter] for c, letter in zip(columns, types, strict=True)}
        found |= check_table(kind, pl.DataFrame(schema=schema), {})
    return found


def _table(columns: tuple[str, ...], types: str, rows: list[list]) -> pl.DataFrame:
    _numbers, *values = zip(*rows, strict=True)
    series = []
    for column, letter, cells in zip(columns, types, values, strict=True):
        if letter == "t":
            series.append(pl.Series(column, cells, dtype=pl.Int64).cast(TIME))
        elif letter != "n":
            series.append(pl.Series(column, cells, dtype=DTYPES[letter]))
    return pl.DataFrame(series)


def _plain(kind: str, column: str, value: Any) -> tuple[str, Callable | None]:
    """The letter of a value's type, and the function that makes such values plain JSON."""
    if isinstance(value, datetime):
        return "t", _microseconds
    if isinstance(value, Moment):
        return "t", None
    if isinstance(value, np.generic) and not isinstance(value, np.datetime64 | np.timedelta64):
        letter, convert = _plain(kind, column, value.item())
        if letter == "i":
            return "i", _int64
        return letter, (lambda scalar: convert(scalar.item())) if convert else np.generic.item
    simple = {
        type(None): ("n", None),
        bool: ("b", None),
        int: ("i", None),
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


def _int64(scalar: np.generic) -> int:
    number = scalar.item()
    if number >= 2**63:
        raise ValueError(f"an int must fit into 64 bits, got {number}")
    return number


def _text(text: str) -> str:
    if not text.isascii():
        text.encode()  # UnicodeEncodeError, a ValueError, for half of a surrogate pair
    return text
