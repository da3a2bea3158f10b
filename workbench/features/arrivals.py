"""Events of one kind as they arrive at a store: columns in the store's types, and what is unfit.

Types are those in which a column was first seen. Whole numbers become floats where the store has
floats; integers and floats of other widths become the wider one; anything else is refused. Rows
that cannot be used for what they hold are marked with a reason, to be kept aside.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from workbench.features.definition import Feature, expression
from workbench.features.entity_keys import plain_key
from workbench.features.reading import scan_kind
from workbench.features.seen_ids import id_words
from workbench.features.threads import plain
from workbench.features.value_words import vector_width

__all__ = ["ASIDE", "Arrivals"]

ASIDE = {
    "kind": pl.String,
    "reason": pl.String,
    "event": pl.String,
    "time": pl.Datetime("us", "UTC"),
    "known_at": pl.Datetime("us", "UTC"),
    "content": pl.String,
}
_CLOCKS = ("time", "known_at")
_FOREVER = np.iinfo(np.int64).min


class Arrivals:
    """A table of one kind, ready to be applied.

    Parameters
    ----------
    kind : str
    table : Polars, pandas or Arrow table, n rows
        With `time` and `known_at`, mostly `event`, and what the features read.
    features : list of Feature
        All that read this kind.
    types : dict of column to type
        What the store has seen so far; what is new is added.
    strict : bool
        Whether a column that is not there is an error. In a stream nobody may have had a value.

    Attributes
    ----------
    reason : ndarray of int64, shape (n,)
        Place in `reasons` of why a row is unfit; 0 for fit ones.
    """

    def __init__(self, kind: str, table, features: list[Feature], types: dict, strict: bool):
        self.kind, self.types, self.reasons = kind, types, [""]
        frame = table
        if not isinstance(table, pl.DataFrame):
            frame = scan_kind({kind: table}, kind, None, None).collect()
        self.raw = frame
        self.reason = np.zeros(len(frame), np.int64)
        keys = {key for feature in features for key in feature.per}
        needed = frozenset().union(*(feature.columns for feature in features)) - {*_CLOCKS}
        self._check_columns(frame, sorted(needed) if strict else [])
        frame = scan_kind({kind: frame}, kind, None, None).collect()  # checks the clocks
        columns = {name: self._clock(frame[name], name) for name in _CLOCKS}
        for name in sorted(needed | ({"event"} & set(frame.columns))):
            column = frame[name] if name in frame.columns else pl.Series([None] * len(frame))
            if name in keys or name == "event":
                column = plain_key(column, name, kind)
            columns[name] = self._in_type(column, name)
        self.frame = pl.DataFrame(columns)
        self.time, self.known = (plain(columns[n].to_physical(), np.int64) for n in _CLOCKS)
        self.mark(self.time > self.known, "known before it happened")
        self._conditions: dict[str | None, np.ndarray | None] = {None: None}
        self._values: dict[str, pl.Series] = {}
        for feature in features:
            self._check_values(feature)

    def __len__(self) -> int:
        return len(self.time)

    @property
    def ids(self):
        """(high, low) words of the events' ids and which there are; None without ids."""
        if "event" not in self.frame.columns:
            return None
        event = self.frame["event"]
        return *id_words(event), plain(event.is_not_null(), bool)

    def ties(self) -> np.ndarray:
        """What decides between events of equal clocks, shape (n,)."""
        from workbench.assign import fingerprint

        if "event" not in self.frame.columns or self.frame["event"].dtype == pl.Null:
            return np.zeros(len(self), np.int64)
        event = self.frame["event"]
        if event.dtype == pl.String:
            return fingerprint("", event.fill_null("").to_numpy()).view(np.int64)
        return plain(event.fill_null(_FOREVER), np.int64)

    def holds(self, where: str | None) -> np.ndarray | None:
        """Which rows meet a condition, shape (n,); None for all."""
        if where not in self._conditions:
            held = self._evaluated(where)
            if held.dtype not in (pl.Boolean, pl.Null):
                raise ValueError(
                    f"where={where!r} of {self.kind} must be a condition, it gives {held.dtype}"
                )
            self._conditions[where] = plain(held.cast(pl.Boolean).fill_null(False), bool)
        return self._conditions[where]

    def values(self, column: str) -> pl.Series:
        """A column or a condition, evaluated."""
        if column not in self._values:
            self._values[column] = self._evaluated(column)
        return self._values[column]

    def numbers(self, column: str) -> pl.Series:
        """The same as floats."""
        return self.values(column).cast(pl.Float64)

    def mark(self, unfit: np.ndarray, why: str) -> None:
        """Give these rows a reason to be kept aside, unless they have one."""
        unfit = unfit & (self.reason == 0)
        if unfit.any():
            if why not in self.reasons:
                self.reasons.append(why)
            self.reason[unfit] = self.reasons.index(why)

    def aside(self) -> pl.DataFrame:
        """The rows with a reason: kind, reason, event, time, known_at, content as JSON."""
        rows = np.flatnonzero(self.reason)
        raw, fit = self.raw[rows], self.frame[rows]
        event = fit["event"].cast(pl.String) if "event" in fit.columns else [None] * len(rows)
        made = {
            "kind": [self.kind] * len(rows),
            "reason": [self.reasons[k] for k in self.reason[rows]],
            "event": event,
            "time": fit["time"],
            "known_at": fit["known_at"],
            "content": raw.select(pl.struct(pl.all()).struct.json_encode()).to_series(),
        }
        return pl.DataFrame(made, schema=ASIDE)

    def _check_columns(self, frame: pl.DataFrame, needed: list[str]) -> None:
        for name in (*_CLOCKS, *needed):
            if name not in frame.columns:
                raise ValueError(
                    f"events of kind {self.kind!r} have no column {name!r}; they have "
                    f"{frame.columns}"
                )

    def _clock(self, column: pl.Series, name: str) -> pl.Series:
        if column.null_count():
            self.mark(plain(column.is_null(), bool), f"no {name}")
            column = column.fill_null(pl.lit(0).cast(column.dtype))
        return column

    def _in_type(self, column: pl.Series, name: str) -> pl.Series:
        if column.dtype in (pl.Categorical, pl.Enum):
            column = column.cast(pl.String)
        if column.dtype.is_float():
            column = column.fill_nan(None)
        here, there = column.dtype, self.types.get(name)
        if here == pl.Null:
            return column if there is None else column.cast(there)
        if isinstance(here, pl.List | pl.Array) and here.inner.is_numeric():
            self._check_vectors(column, name)
            column, here = column.cast(pl.List(here.inner)), pl.List(here.inner)
        if there is None or here == there:
            self.types[name] = here
            return column
        if here.is_integer() and there.is_integer():
            self.types[name] = pl.Int64()
        elif here.is_float() and there.is_float():
            self.types[name] = pl.Float64()
        elif here.is_float() and there.is_integer():
            whole = column.cast(there, strict=False)
            odd = (whole.cast(pl.Float64) != column) | (whole.is_null() & column.is_not_null())
            self.mark(plain(odd.fill_null(False), bool), f"{name} is {there} here")
            return whole
        elif not (here.is_integer() and there.is_float()) and type(here) is not type(there):
            raise ValueError(f"{name} of {self.kind} is {there} in this store, got {here}")
        return column.cast(self.types[name])

    def _check_vectors(self, column: pl.Series, name: str) -> None:
        if column.null_count() == len(column):
            return
        length = column.list.len() if isinstance(column.dtype, pl.List) else column.arr.len()
        width = self.types.setdefault(f"{name}[]", vector_width(column))
        other = plain((length != width).fill_null(False), bool)
        self.mark(other, f"{name} has not {width} numbers")

    def _evaluated(self, text: str) -> pl.Series:
        try:
            made = self.frame.select(expression(text).alias("_")).to_series()
        except pl.exceptions.PolarsError as error:
            raise ValueError(f"{text!r} of {self.kind} cannot be computed: {error}") from error
        return made.fill_nan(None) if made.dtype.is_float() else made

    def _check_values(self, feature: Feature) -> None:
        """Values must be finite, numbers be numbers, shares within [0, 1]."""
        if feature.column is None:
            return
        column = self.values(feature.column)
        if column.dtype.is_float():
            infinite = plain(column.is_infinite().fill_null(False), bool)
            self.mark(infinite, f"{feature.column} is infinite")
        if feature.aggregate in ("distinct", "values") and isinstance(column.dtype, pl.List):
            raise ValueError(
                f"{feature.aggregate}({feature.column!r}) of {feature.of} needs single values, got "
                f"{column.dtype}"
            )
        if feature.aggregate not in ("sum", "mean", "share", "min", "max", "std"):
            return
        if not (column.dtype.is_numeric() or column.dtype in (pl.Boolean, pl.Null)):
            raise ValueError(
                f"{feature.aggregate}({feature.column!r}) of {feature.of} needs numbers or a "
                f"condition, got {column.dtype}"
            )
        if feature.aggregate == "share":
            outside = ~self.numbers(feature.column).is_between(0, 1)
            outside = plain(outside.fill_null(False), bool)
            held = self.holds(feature.where)
            unfit = outside if held is None else outside & held
            self.mark(unfit, f"{feature.column} is outside [0, 1]")
