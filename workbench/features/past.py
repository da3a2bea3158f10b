"""From events and requests to columns: each aggregate as one call of a kernel.

Polars evaluates conditions and columns and turns keys and values into integers; the `History`
of the entities does the rest; here its answers become columns again, in the order of the requests.
"""

from __future__ import annotations

import numpy as np
import polars as pl
import pyarrow as pa

from workbench.features.codes import codes_of, ranks
from workbench.features.definition import Feature, expression
from workbench.features.history import History, Seen
from workbench.features.reading import ORDERED
from workbench.features.threads import plain

__all__ = ["Past"]

_CLOCKS = ("time", "known_at")
_US_A_DAY = 86_400_000_000
_ALL = np.empty(0, np.bool_)


class Past:
    """What the requests know about the events of one kind, per one entity."""

    def __init__(self, events: pl.DataFrame, asked: pl.DataFrame, per: tuple[str, ...]):
        self.events, self.per = events, per
        self.asked_rows = len(asked)
        self.asked_time = plain(asked["time"].dt.epoch("us"), np.int64)
        self.asked_code, self.code, self.entities = codes_of(per, asked, events)
        self.clocks = [plain(events[clock].dt.epoch("us"), np.int64) for clock in _CLOCKS]
        self._histories: dict[tuple, History] = {}

    def column(self, feature: Feature) -> pl.Series:
        """The feature for every request, nulls and `missing` and all."""
        history = self._history(feature)
        made = self._aggregate(feature, history, history.seen(feature))
        where = np.full(self.asked_rows, -1)
        where[history.rows_asked] = np.arange(len(history.rows_asked))
        keyed = pl.Series(where)
        made = made.gather(keyed.set(keyed < 0, None))
        if feature.missing is None or not made.null_count():
            return made
        return _filled(made, pl.Series(where >= 0), feature)

    def _history(self, feature: Feature) -> History:
        """The entities' events, less those that a condition leaves out."""
        ordered = feature.aggregate in ORDERED
        for key in ((feature.where, True), (feature.where, ordered)):
            if key in self._histories:
                return self._histories[key]
        code = self.code
        if feature.where is not None and len(code):
            code = np.where(plain(_condition(feature, self.events)), code, -1)
        asked = (self.asked_code, self.asked_time, self.entities)
        tie, text = _tie(self.events, ordered)
        history = History(code, *self.clocks, tie, *asked)
        if text and history.has_ties:
            history = History(code, *self.clocks, _fingerprints(self.events), *asked)
        self._histories[feature.where, ordered] = history
        return history

    def _aggregate(self, feature: Feature, history: History, seen: Seen) -> pl.Series:
        """Values in the order of the history's requests."""
        if not len(history.rows):  # nothing happened: the columns may not even be known yet
            return _nothing(feature, len(history.rows_asked), self.events)
        if feature.aggregate == "count":
            return pl.Series(history.count(seen, _ALL))
        if feature.aggregate in ("latest", "time_since"):
            place = history.latest(seen)
            row = pl.Series(history.rows[place]).set(pl.Series(place < 0), None)
            if feature.aggregate == "latest":
                return _column(feature, self.events).gather(row)
            since = (history.asked_time - history.time[place]) / _US_A_DAY
            return pl.Series(since).set(pl.Series(place < 0), None)
        column = _column(feature, self.events).gather(history.rows)
        if feature.aggregate == "distinct":
            value, values = ranks(column)
            return pl.Series(history.distinct(seen, value, len(values)))
        if feature.aggregate == "values":
            value, values = ranks(column)
            offsets, found = history.values(seen, value, len(values), feature.most)
            return _lists(offsets, values.gather(found))
        valid = plain(column.is_not_null()) if column.null_count() else _ALL
        if feature.aggregate == "last":
            offsets, place = history.last(seen, valid, feature.most)
            return _lists(offsets, column.gather(place))
        return _of_numbers(feature, history, seen, plain(_numbers(column, feature)), valid)


def _of_numbers(feature: Feature, history: History, seen: Seen, values, valid) -> pl.Series:
    if feature.aggregate in ("min", "max"):
        found = history.extremes(seen, values, valid, 1.0 if feature.aggregate == "max" else -1.0)
        return pl.Series(found).set(pl.Series(np.isinf(found)), None)
    if feature.aggregate == "std":
        return pl.Series(history.spreads(seen, values, valid)).fill_nan(None)
    total, number = history.sums(seen, values, valid)
    if feature.aggregate == "sum":
        return pl.Series(total)
    return pl.Series(total / np.maximum(number, 1)).set(pl.Series(number == 0), None)


def _column(feature: Feature, events: pl.DataFrame) -> pl.Series:
    column = events.select(expression(feature.column).alias("_value")).to_series()
    if not column.dtype.is_float():
        return column
    if column.is_infinite().any():
        raise ValueError(f"{feature.column!r} of {feature.of} has infinite values")
    return column.fill_nan(None)


def _numbers(column: pl.Series, feature: Feature) -> pl.Series:
    if not (column.dtype.is_numeric() or column.dtype == pl.Boolean):
        raise ValueError(
            f"{feature.aggregate}({feature.column!r}) of {feature.of} needs numbers or a "
            f"condition, got {column.dtype}"
        )
    values = column.cast(pl.Float64).fill_null(0.0)
    if feature.aggregate == "share" and not values.is_between(0, 1).all():
        raise ValueError(
            f"share({feature.column!r}) of {feature.of} needs a condition or values in [0, 1], "
            f"got values from {values.min():g} to {values.max():g}"
        )
    return values


def _condition(feature: Feature, events: pl.DataFrame) -> pl.Series:
    held = events.select(expression(feature.where).alias("_where")).to_series()
    if held.dtype != pl.Boolean:
        raise ValueError(
            f"where={feature.where!r} of {feature.of} must be a condition, it gives {held.dtype}"
        )
    return held.fill_null(False)


def _tie(events: pl.DataFrame, ordered: bool) -> tuple[np.ndarray, bool]:
    """What decides between events of equal clocks, and whether that still is to be hashed."""
    dtype = events.schema.get("event") if ordered else None
    if dtype is not None and dtype.is_integer():
        return plain(events["event"].cast(pl.Int64).fill_null(-(2**63)), np.int64), False
    return np.empty(0, np.int64), dtype == pl.String


def _fingerprints(events: pl.DataFrame) -> np.ndarray:
    from workbench.assign import fingerprint

    return fingerprint("", events["event"].fill_null("").to_numpy()).view(np.int64)


def _nothing(feature: Feature, rows: int, events: pl.DataFrame) -> pl.Series:
    """The feature where nothing has happened, in the type that it has when something does."""
    if feature.aggregate in ("count", "distinct"):
        return pl.zeros(rows, pl.Int64, eager=True)
    if feature.aggregate == "sum":
        return pl.zeros(rows, pl.Float64, eager=True)
    dtype = pl.Float64
    if feature.aggregate in ("latest", "last", "values"):
        known = feature.columns <= set(events.columns)
        dtype = _column(feature, events.clear()).dtype if known else pl.Null
    if feature.aggregate == "latest" or (dtype == pl.Float64 and feature.most is None):
        return pl.Series([None] * rows, dtype=dtype)
    return pl.Series([[]] * rows, dtype=pl.List(dtype))


def _lists(offsets: np.ndarray, content: pl.Series) -> pl.Series:
    flat = content.to_arrow()
    return pl.Series(pa.LargeListArray.from_arrays(pa.array(offsets), flat))


def _filled(made: pl.Series, keyed: pl.Series, feature: Feature) -> pl.Series:
    """`missing` in place of null, but not where the request's key is null."""
    missing = pl.Series([feature.missing])
    text = (made.dtype == pl.String) + (missing.dtype == pl.String)
    if text == 1 and made.dtype != pl.Null:
        raise ValueError(
            f"missing={feature.missing!r} of {feature.name} cannot stand among {made.dtype}"
        )
    return pl.select(
        pl.when(keyed & made.is_null()).then(pl.lit(feature.missing)).otherwise(made)
    ).to_series()
