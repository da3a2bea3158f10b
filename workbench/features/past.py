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
from workbench.features.history import Asked, History, words_of
from workbench.features.newest import latest_rows
from workbench.features.reading import ORDERED
from workbench.features.threads import plain

__all__ = ["Past"]

_CLOCKS = ("time", "known_at")
_US_A_DAY = 86_400_000_000
_ALL = np.empty(0, np.bool_)


class Past:
    """What the requests know about the events of one kind, per one entity."""

    def __init__(self, events: pl.DataFrame, asked: pl.DataFrame, per: tuple[str, ...]):
        self.events = events
        asked_code, self.code, entities = codes_of(per, asked, events)
        self._asked_at = plain(asked["time"].dt.epoch("us"), np.int64)
        self.asked = Asked(asked_code, self._asked_at, entities)
        self.clocks = [plain(events[clock].dt.epoch("us"), np.int64) for clock in _CLOCKS]
        self._histories: dict[tuple, History] = {}
        self._codes: dict[str | None, np.ndarray] = {None: self.code}
        self._latest: dict[tuple, np.ndarray] = {}

    def column(self, feature: Feature) -> pl.Series:
        """The feature for every request, nulls and `missing` and all."""
        if not len(self.events):  # the columns may not even be known yet
            made = _nothing(feature, self.asked.requests, self.events)
            made = made if self.asked.keyless is None else made.set(self.asked.keyless, None)
        elif feature.aggregate in ("latest", "time_since"):
            made = self._of_the_latest(feature)
        else:
            made = self._aggregate(feature)
        if feature.missing is None or not made.null_count():
            return made
        return _filled(made, self.asked.keyless, feature)

    def _of_the_latest(self, feature: Feature) -> pl.Series:
        row = self._latest_rows(feature)
        none = pl.Series(row < 0)
        if feature.aggregate == "latest":
            return _column(feature, self.events).gather(pl.Series(row).set(none, None))
        since = (self._asked_at - self.clocks[0][row]) / _US_A_DAY
        return pl.Series(since).set(none, None)

    def _latest_rows(self, feature: Feature) -> np.ndarray:
        """The event for each request, -1 for none; found once for features that share it."""
        key = (feature.where, *words_of(feature))
        if key not in self._latest:
            if feature.session is None:
                row = self._first_to_see(feature)
            else:
                history = self._history(feature)
                place = history.latest(history.seen(feature))
                row = np.append(history.rows, -1)[place]
            self._latest[key] = self.asked.in_order(row, -1)
        return self._latest[key]

    def _first_to_see(self, feature: Feature) -> np.ndarray:
        code, tie, text = self._code(feature), *_tie(self.events, True)
        row, ties = latest_rows(feature, self.asked, code, *self.clocks, tie)
        if text and ties:
            tie = _fingerprints(self.events)
            row, _ = latest_rows(feature, self.asked, code, *self.clocks, tie)
        return row

    def _code(self, feature: Feature) -> np.ndarray:
        """Entities of the events, less those that the feature's condition leaves out."""
        if feature.where not in self._codes:
            held = plain(_condition(feature, self.events))
            self._codes[feature.where] = np.where(held, self.code, -1)
        return self._codes[feature.where]

    def _history(self, feature: Feature) -> History:
        ordered = feature.aggregate in ORDERED
        for key in ((feature.where, True), (feature.where, ordered)):
            if key in self._histories:
                return self._histories[key]
        code, tie, text = self._code(feature), *_tie(self.events, ordered)
        history = History(code, *self.clocks, tie, self.asked)
        if text and history.has_ties:
            history = History(code, *self.clocks, _fingerprints(self.events), self.asked)
        self._histories[feature.where, ordered] = history
        return history

    def _aggregate(self, feature: Feature) -> pl.Series:
        history = self._history(feature)
        seen = history.seen(feature)
        if feature.aggregate == "count":
            return self._numbers(history.count(seen, _ALL))
        if feature.aggregate in ("distinct", "values"):
            value, values = history.keep(
                ("ranks", feature.column), lambda: ranks(self._gathered(feature, history))
            )
            if feature.aggregate == "distinct":
                return self._numbers(history.distinct(seen, value, len(values)))
            offsets, found = history.values(seen, value, len(values), feature.most)
            return self._lists(offsets, values.gather(found))
        column = self._gathered(feature, history)
        valid = plain(column.is_not_null()) if column.null_count() else _ALL
        if feature.aggregate == "last":
            offsets, place = history.last(seen, valid, feature.most)
            return self._lists(offsets, column.gather(place))
        return self._of_numbers(feature, history, valid)

    def _of_numbers(self, feature: Feature, history: History, valid) -> pl.Series:
        seen = history.seen(feature)
        column = self._gathered(feature, history)
        values = history.keep(
            ("numbers", feature.column, feature.aggregate == "share"),
            lambda: plain(_numbers(column, feature)),
        )
        if feature.aggregate in ("min", "max"):
            sign = 1.0 if feature.aggregate == "max" else -1.0
            found = history.extremes(seen, values, valid, sign)
            return self._numbers(found, np.isinf(found))
        if feature.aggregate == "std":
            found = history.spreads(seen, values, valid)
            return self._numbers(found, np.isnan(found))
        total, number = history.keep(
            ("sums", feature.column, words_of(feature)), lambda: history.sums(seen, values, valid)
        )
        if feature.aggregate == "sum":
            return self._numbers(total)
        with np.errstate(invalid="ignore"):
            return self._numbers(total / number, number == 0)

    def _gathered(self, feature: Feature, history: History) -> pl.Series:
        return history.keep(
            feature.column, lambda: _column(feature, self.events).gather(history.rows)
        )

    def _numbers(self, values: np.ndarray, null: np.ndarray | None = None) -> pl.Series:
        made = pl.Series(self.asked.in_order(values))
        if null is not None and null.any():
            made = made.set(pl.Series(self.asked.in_order(null)), None)
        return made if self.asked.keyless is None else made.set(self.asked.keyless, None)

    def _lists(self, offsets: np.ndarray, content: pl.Series) -> pl.Series:
        flat = pa.LargeListArray.from_arrays(pa.array(offsets), content.to_arrow())
        places = pl.Series(self.asked.in_order(np.arange(len(self.asked)), -1))
        return pl.Series(flat).gather(places.set(places < 0, None))


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


def _filled(made: pl.Series, keyless: pl.Series | None, feature: Feature) -> pl.Series:
    """`missing` in place of null, but not where the request's key is null."""
    missing = pl.Series([feature.missing])
    text = (made.dtype == pl.String) + (missing.dtype == pl.String)
    if text == 1 and made.dtype != pl.Null:
        raise ValueError(
            f"missing={feature.missing!r} of {feature.name} cannot stand among {made.dtype}"
        )
    empty = made.is_null() if keyless is None else made.is_null() & ~keyless
    return pl.select(pl.when(empty).then(pl.lit(feature.missing)).otherwise(made)).to_series()
