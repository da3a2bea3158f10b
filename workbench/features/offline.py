"""Training rows as they were knowable: `training_frame`.

    requests ─► keys and times ─► codes ───────────────┐
    log ──────► scan(kind): needed columns and dates ──┴─► History ─► one array per feature

The log is read once per kind. It may be an `EventLog`, a view of one, or simply a mapping from
kind to a table that has the two clocks.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

import numpy as np
import polars as pl

from workbench.features.composed import Ratio
from workbench.features.definition import Feature, expression
from workbench.features.reading import attach, check_names, read_events, read_requests
from workbench.features.stabbing import History

__all__ = ["training_frame"]

_US = timedelta(microseconds=1)
_US_A_DAY = 86_400_000_000
_TYPES = {"count": np.int64, "distinct": np.int64}


def training_frame(requests, features: Iterable[Feature | Ratio] | Feature | Ratio, log):
    """Return the requests with one column per feature, as it was knowable at each request.

    A request at t sees the events with time in [t - lag - window, t - lag) and known_at < t.
    Events at the very time of the request, among them the request itself, are not seen.

    Parameters
    ----------
    requests : polars.DataFrame, pandas.DataFrame or pyarrow.Table, n rows
        Has `time` (with time zone) and the features' key columns.
    features : Feature, Ratio, or several of them
        Their names become the new columns.
    log : EventLog, or mapping of kind to Polars, pandas or Arrow table
        Where the events are. What came into the log later than a request's time never shows.

    Returns
    -------
    same type as `requests`, n rows
        The same rows in the same order (pandas: with the same index) and one new column for each
        feature: Int64 for counts, Float64 for the rest. A request whose key is null has null
        features. No events: 0 for count, sum and distinct, null for mean, share and time_since.

    Raises
    ------
    ValueError
        If a key, a clock or a needed column is missing, a clock has no time zone, a key has one
        type in the requests and another in the events, a kind is unknown, a name is taken, or
        an aggregated column is neither a number nor a condition or is not finite.

    Notes
    -----
    Two clocks make this an interval-stabbing problem; see `workbench.features.stabbing`.
    O((n + m) log m) for n requests and m events, whatever the windows.

    Examples
    --------
    >>> from datetime import datetime, UTC
    >>> from workbench import features
    >>> day = lambda d: datetime(2024, 5, d, tzinfo=UTC)
    >>> paid = pl.DataFrame({"user": [1, 1], "amount": [10.0, 30.0], "time": [day(1), day(2)],
    ...                      "known_at": [day(1), day(9)]})         # the second is known late
    >>> asked = pl.DataFrame({"user": [1, 1, 2], "time": [day(3), day(10), day(10)]})
    >>> mean = features.mean("amount", of="payment", per="user", days=30, name="mean_30d")
    >>> features.training_frame(asked, [mean], {"payment": paid})["mean_30d"].to_list()
    [10.0, 20.0, None]
    """
    features = [features] if isinstance(features, Feature | Ratio) else list(features)
    wrong = [feature for feature in features if not hasattr(feature, "leaves")]
    if wrong:
        raise ValueError(
            f'features are definitions, such as features.count("payment", per="user"), '
            f"got {wrong[0]!r}"
        )
    keys = {key for feature in features for leaf in feature.leaves for key in leaf.per}
    asked = read_requests(requests, sorted(keys))
    check_names(features, requests)
    leaves = {leaf: None for feature in features for leaf in feature.leaves}
    for kind in {leaf.of for leaf in leaves}:
        of_kind = [leaf for leaf in leaves if leaf.of == kind]
        events = read_events(log, kind, of_kind, asked)
        leaves |= _compute(of_kind, events, asked)
    columns = {feature.name: _combine(feature, leaves) for feature in features}
    return attach(requests, columns)


def _compute(features: list[Feature], events: pl.DataFrame, asked: pl.DataFrame) -> dict:
    """Columns for features of one kind, sharing one `History` per entity."""
    columns = {}
    t = asked["time"].dt.epoch("us").to_numpy()
    for per in {feature.per for feature in features}:
        code, past, entities = _encode(list(per), events, asked)
        known = code >= 0
        where, when = code[known], t[known]
        history = History(
            past["_code"].to_numpy(),
            past["time"].dt.epoch("us").to_numpy(),
            past["known_at"].dt.epoch("us").to_numpy(),
            where,
            when,
            entities,
        )
        for feature in features:
            if feature.per == per:
                values, missing = _aggregate(feature, history, past)
                columns[feature] = _scatter(values, missing, known)
    return columns


def _aggregate(feature: Feature, history: History, past: pl.DataFrame):
    """Values at each request and a mask of those that are null (None: no nulls)."""
    if not len(history):  # nothing happened: the columns may not even be known yet
        nothing = np.zeros(len(history.first), _TYPES.get(feature.aggregate, float))
        return nothing, None if feature.aggregate in ("count", "distinct", "sum") else nothing == 0
    window = None if feature.window is None else feature.window // _US
    lag = feature.lag // _US
    valid = None
    if feature.where is not None:
        valid = past.select(_condition(feature.where, past, feature)).to_series().to_numpy()
    if feature.aggregate == "count":
        return history.count(window, lag, valid), None
    if feature.aggregate == "time_since":
        latest, found = history.latest(window, lag, valid)
        return (history.asked[1] - latest) / _US_A_DAY, ~found
    column = past.select(expression(feature.column).alias("_value")).to_series()
    present = column.is_not_null().to_numpy() if column.null_count() else None
    valid = present if valid is None else valid if present is None else valid & present
    if feature.aggregate == "distinct":
        return history.distinct(
            window, lag, column.rank("dense").fill_null(0).to_numpy(), valid
        ), None
    total = history.sum(window, lag, _numbers(column, feature), valid)
    if feature.aggregate == "sum":
        return total, None
    number = history.count(window, lag, valid)
    return total / np.maximum(number, 1), number == 0


def _numbers(column: pl.Series, feature: Feature) -> np.ndarray:
    if not (column.dtype.is_numeric() or column.dtype == pl.Boolean):
        raise ValueError(
            f"{feature.aggregate}({feature.column!r}) of {feature.of} needs numbers or a "
            f"condition, got {column.dtype}"
        )
    values = column.cast(pl.Float64).fill_null(0.0).to_numpy()
    if not np.isfinite(values).all():
        raise ValueError(f"{feature.column!r} of {feature.of} has NaN or infinite values")
    if feature.aggregate == "share" and ((values < 0) | (values > 1)).any():
        raise ValueError(
            f"share({feature.column!r}) of {feature.of} needs a condition or values in [0, 1], "
            f"got values from {values.min():g} to {values.max():g}"
        )
    return values


def _condition(text: str, past: pl.DataFrame, feature: Feature) -> pl.Expr:
    condition = expression(text)
    kind = past.lazy().select(condition).collect_schema().dtypes()[0]
    if kind != pl.Boolean:
        raise ValueError(f"where={text!r} of {feature.of} must be a condition, it gives {kind}")
    return condition.fill_null(False).alias("_where")


def _combine(feature: Feature | Ratio, leaves: dict) -> pl.Series:
    if isinstance(feature, Feature):
        return leaves[feature].alias(feature.name)
    under = leaves[feature.under].cast(pl.Float64)
    under = under.set(under == 0, None)
    return (leaves[feature.over].cast(pl.Float64) / under).alias(feature.name)


def _scatter(values: np.ndarray, missing, known: np.ndarray) -> pl.Series:
    """Put the values of requests with a known entity back among all requests."""
    if missing is None and known.all():
        return pl.Series(values)
    full = np.zeros(len(known), values.dtype)
    full[known] = values
    null = ~known
    if missing is not None:
        null[known] = missing
    return pl.Series(full).set(pl.Series(null), None)


def _encode(per: list[str], events: pl.DataFrame, asked: pl.DataFrame):
    """Entity codes of the requests (-1: null key) and the events of those entities, sorted."""
    complete = pl.all_horizontal(pl.col(per).is_not_null())
    entities = asked.filter(complete).select(per).unique().with_row_index("_code")
    entities = entities.with_columns(pl.col("_code").cast(pl.Int64))
    code = asked.select(per).join(entities, on=per, how="left", maintain_order="left")["_code"]
    past = events.clear().with_columns(pl.lit(0, pl.Int64).alias("_code"))
    if len(events):
        past = events.join(entities, on=per, how="inner").sort("_code", "time")
    return code.fill_null(-1).to_numpy(), past, len(entities)
