"""From events and requests to columns: each aggregate as one call of a kernel.

Polars evaluates conditions and columns and turns keys and values into integers; the `History`
of the entities does the rest; here its answers become columns again, in the order of the requests.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
import polars as pl
import pyarrow as pa

from workbench.features.codes import codes_of, fingerprints, ranks
from workbench.features.definition import Feature, expression
from workbench.features.history import Asked, History, words_of
from workbench.features.newest import latest_in_runs, latest_rows
from workbench.features.reading import ORDERED
from workbench.features.threads import plain

__all__ = ["Past", "columns_of"]

_CLOCKS = ("time", "known_at")
_US_A_DAY = 86_400_000_000
_ALL = np.empty(0, np.bool_)


def columns_of(
    features: list[Feature],
    events: pl.DataFrame,
    asked: pl.DataFrame,
    entities: pl.DataFrame | None = None,
) -> dict[Feature, pl.Series]:
    """The columns of features that share the kind and the entity.

    `entities`, if there are, say that events lie by entity and time, and where each starts.
    """
    past = Past(events, asked, features[0].per, entities)
    counts_last = sorted(features, key=lambda each: each.aggregate == "count")  # sums have counted
    return {feature: past.column(feature) for feature in counts_last}


class Past:
    """What the requests know about the events of one kind, per one entity."""

    def __init__(self, events, asked: pl.DataFrame, per: tuple[str, ...], entities=None):
        self.events = events
        found = codes_of(per, asked, events if entities is None else entities)
        self._asked_code, self._found_code, self._entities = found
        self._starts = None if entities is None else plain(entities["_first"], np.int64)
        self._asked_at = plain(asked["time"].to_physical(), np.int64)
        self.clocks = [plain(events[clock].to_physical(), np.int64) for clock in _CLOCKS]
        self._histories: dict[tuple, History] = {}
        self._codes: dict[str | None, np.ndarray] = {}
        self._latest: dict[tuple, pl.Series] = {}

    @cached_property
    def asked(self) -> Asked:
        """The requests by entity and time."""
        return Asked(self._asked_code, self._asked_at, self._entities)

    def column(self, feature: Feature) -> pl.Series:
        """The feature for every request, nulls and `missing` and all."""
        if not len(self.events):  # the columns may not even be known yet
            made = _nothing(feature, len(self._asked_at), self.events)
            made = made if self._keyless is None else made.set(self._keyless, None)
        elif feature.aggregate in ("latest", "time_since"):
            made = self._of_the_latest(feature)
        else:
            made = self._aggregate(feature)
        return made if feature.missing is None else _filled(made, self._keyless, feature)

    def _of_the_latest(self, feature: Feature) -> pl.Series:
        row = self._latest_rows(feature)
        if feature.aggregate == "latest":
            return _column(feature, self.events, row)
        since = pl.Series(self._asked_at) - pl.Series(self.clocks[0]).gather(row)
        days = since.fill_null(0).to_numpy() / _US_A_DAY  # Polars multiplies by the inverse
        return pl.Series(days).set(since.is_null(), None)

    def _latest_rows(self, feature: Feature) -> pl.Series:
        """The event for each request, null for none; found once for features that share it."""
        key = (feature.where, *words_of(feature))
        if key not in self._latest:
            row = pl.Series(self._find_latest(feature))
            self._latest[key] = row.set(row < 0, None).cast(pl.get_index_type())
        return self._latest[key]

    def _find_latest(self, feature: Feature) -> np.ndarray:
        if feature.session is not None:
            history = self._history(feature)
            place = history.latest(history.seen(feature))
            return self.asked.in_order(np.append(history.rows, -1)[place], -1)
        if self._starts is not None and feature.where is None:
            runs = (self._found_code, self._starts, self._entities)
            row = latest_in_runs(feature, self._asked_code, self._asked_at, *self.clocks, runs)
            if row is not None:
                return row
        code, (tie, text) = self._code(feature), _tie(self.events, True)
        row, ties = latest_rows(feature, self.asked, code, *self.clocks, tie)
        if text and ties:
            tie = fingerprints(self.events["event"])
            row, _ = latest_rows(feature, self.asked, code, *self.clocks, tie)
        return self.asked.in_order(row, -1)

    @cached_property
    def _keyless(self) -> pl.Series | None:
        """True for requests whose key is null; None if there is none."""
        keyless = self._asked_code < 0
        return pl.Series(keyless) if keyless.any() else None

    @cached_property
    def _code_of_all(self) -> np.ndarray:
        """Entity of each event; -1 for those that nobody asks about."""
        if self._starts is None:
            return self._found_code
        return np.repeat(self._found_code, np.diff(self._starts, append=len(self.events)))

    def _code(self, feature: Feature) -> np.ndarray:
        """Entities of the events, less those that the feature's condition leaves out."""
        if feature.where is None:
            return self._code_of_all
        if feature.where not in self._codes:
            held = plain(_condition(feature, self.events))
            self._codes[feature.where] = np.where(held, self._code_of_all, -1)
        return self._codes[feature.where]

    def _history(self, feature: Feature) -> History:
        ordered = feature.aggregate in ORDERED
        for key in ((feature.where, True), (feature.where, ordered)):
            if key in self._histories:
                return self._histories[key]
        code, tie, text = self._code(feature), *_tie(self.events, ordered)
        history = History(code, *self.clocks, tie, self.asked)
        if text and history.has_ties:
            history = History(code, *self.clocks, fingerprints(self.events["event"]), self.asked)
        self._histories[feature.where, ordered] = history
        return history

    def _aggregate(self, feature: Feature) -> pl.Series:
        history = self._history(feature)
        seen = history.seen(feature)
        if feature.aggregate == "count":
            return self._count(feature, history)
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
            ("sums", feature.column, words_of(feature)),
            lambda: [*map(self._numbers, history.sums(seen, values, valid))],
        )
        if not len(valid):  # then somebody has counted already
            history.keep(("count", words_of(feature)), lambda: number)
        if feature.aggregate == "sum":
            return total
        return pl.select(pl.when(number > 0).then(total / number)).to_series()

    def _count(self, feature: Feature, history: History) -> pl.Series:
        return history.keep(
            ("count", words_of(feature)),
            lambda: self._numbers(history.count(history.seen(feature), _ALL)),
        )

    def _gathered(self, feature: Feature, history: History) -> pl.Series:
        return history.keep(feature.column, lambda: _column(feature, self.events, history.rows))

    def _numbers(self, values: np.ndarray, null: np.ndarray | None = None) -> pl.Series:
        made = pl.Series(self.asked.in_order(values))
        if null is not None and null.any():
            made = made.set(pl.Series(self.asked.in_order(null)), None)
        return made if self._keyless is None else made.set(self._keyless, None)

    def _lists(self, offsets: np.ndarray, content: pl.Series) -> pl.Series:
        flat = pa.LargeListArray.from_arrays(pa.array(offsets), content.to_arrow())
        places = pl.Series(self.asked.in_order(np.arange(len(self.asked)), -1))
        return pl.Series(flat).gather(places.set(places < 0, None))


def _column(feature: Feature, events: pl.DataFrame, rows) -> pl.Series:
    """What is aggregated, in these rows; NaN is null."""
    column = events.select(expression(feature.column).alias("_value")).to_series()
    column = column.rechunk().gather(rows)
    if not column.dtype.is_float() or column.is_finite().all():
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


def _nothing(feature: Feature, rows: int, events: pl.DataFrame) -> pl.Series:
    """The feature where nothing has happened, in the type that it has when something does."""
    if feature.aggregate in ("count", "distinct"):
        return pl.zeros(rows, pl.Int64, eager=True)
    if feature.aggregate == "sum":
        return pl.zeros(rows, pl.Float64, eager=True)
    dtype = pl.Float64
    if feature.aggregate in ("latest", "last", "values"):
        known = feature.columns <= set(events.columns)
        dtype = _column(feature, events.clear(), []).dtype if known else pl.Null
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
