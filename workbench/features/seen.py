"""Which events does one request see, and what keeps the others out? Plain filters, one entity.

This is the definition of `workbench.features.definition` once more, with no cleverness and none of
the engine's code, so that `why` and the audit can hold the engine to it.
"""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import polars as pl

from workbench.assign import fingerprint
from workbench.features.definition import Feature, expression
from workbench.features.reading import scan_kind

__all__ = ["SEEN", "look", "ties"]

SEEN = "seen"
_US = timedelta(microseconds=1)
_NUMBERS = ("sum", "mean", "min", "max", "std", "share")


def look(asked: pl.DataFrame, feature: Feature, log) -> pl.DataFrame:
    """All events of the request's entity, youngest first, and whether each is seen.

    Parameters
    ----------
    asked : pl.DataFrame, 1 row
        `time` and the keys, as `read_requests` makes them.
    feature : Feature
    log : EventLog, or mapping of kind to table

    Returns
    -------
    pl.DataFrame
        `time known_at event value tile status`: `value` is that of the feature's column, `tile` the
        start of the step that the event falls into (the event's own time where there is no step),
        `status` is "seen" or the first reason why not.

    Raises
    ------
    ValueError
        If a column is missing, a key has another type there, or the column holds infinite values.
    """
    (request,) = asked.to_dicts()
    events = _of_entity(asked, feature, log)
    time, known_at = (pl.col(clock).dt.epoch("us") for clock in ("time", "known_at"))
    t = (asked["time"].dt.epoch("us"))[0]
    a, step = t - feature.lag // _US, 1 if feature.step is None else feature.step // _US
    status = (
        pl.when(time > t)
        .then(pl.lit("it happens later"))
        .when(time == t)
        .then(pl.lit("at the same instant"))
        .when(known_at.is_null() | (known_at >= t))
        .then(pl.lit("not yet known"))
        .when(~pl.col("_holds"))
        .then(pl.lit(f"fails where={feature.where}"))
    )
    if feature.lag:
        young = time >= a if feature.step is None else time // step >= a // step
        status = status.when(young).then(pl.lit("in the lag"))
    if feature.window is not None:
        old = time // step < (a - feature.window // _US) // step
        status = status.when(old).then(pl.lit("too old"))
    events = events.with_columns(
        status=status.otherwise(pl.lit(SEEN)),
        tile=pl.from_epoch(time // step * step, "us").dt.replace_time_zone("UTC"),
    ).sort("time", "known_at", "_tie", descending=True)
    if feature.session is not None:
        events = _after_silence(events, request["time"], feature.session)
    kept = ["time", "known_at", *(["event"] if "event" in events.columns else [])]
    return events.select(*kept, "value", "tile", "status")


def _of_entity(asked: pl.DataFrame, feature: Feature, log) -> pl.DataFrame:
    lazy = scan_kind(log, feature.of, None, None)
    schema = lazy.collect_schema()
    absent = sorted(({"time", "known_at"} | feature.columns) - set(schema))
    if absent and not lazy.head(1).collect().is_empty():
        raise ValueError(
            f"events of kind {feature.of!r} have no column {absent[0]!r}; they have "
            f"{schema.names()}"
        )
    if absent:  # nothing ever happened: the columns are not even known yet
        clock = pl.Datetime("us", "UTC")
        empty = {"time": clock, "known_at": clock, "value": pl.Float64, "_holds": pl.Boolean}
        return pl.DataFrame(schema=empty | {"_tie": pl.Int64})
    lazy = lazy.with_row_index("_row")
    for key in feature.per:
        wanted = asked[key]
        plain = pl.Int64 if schema[key].is_integer() else schema[key]
        plain = pl.String if plain in (pl.Categorical, pl.Enum) else plain
        if wanted.dtype not in (plain, pl.Null):
            raise ValueError(
                f"{key} is {wanted.dtype} in the request and {plain} in {feature.of}: the same "
                "id must have one type; cast one of them"
            )
        lazy = lazy.filter(pl.col(key).cast(plain) == pl.lit(wanted[0], plain))
    holds = pl.lit(True) if feature.where is None else expression(feature.where).fill_null(False)
    value = pl.lit(None, pl.Float64) if feature.column is None else expression(feature.column)
    utc = [pl.col(c).dt.convert_time_zone("UTC").dt.cast_time_unit("us") for c in _CLOCKS]
    events = lazy.with_columns(*utc, value=value, _holds=holds).collect()
    return events.with_columns(value=_plain(events["value"], feature), _tie=ties(events))


_CLOCKS = ("time", "known_at")


def _plain(value: pl.Series, feature: Feature) -> pl.Series:
    """NaN is a missing number, infinite is an error, a condition is zero or one."""
    if value.dtype.is_float():
        if value.is_infinite().any():
            raise ValueError(f"{feature.column!r} of {feature.of} has infinite values")
        value = value.fill_nan(None)
    if feature.aggregate in _NUMBERS and (value.dtype.is_numeric() or value.dtype == pl.Boolean):
        return value.cast(pl.Float64)
    return value


def ties(events: pl.DataFrame) -> pl.Series:
    """What decides between events of equal clocks, the greater is the younger; shape (n,), Int64.

    `events` has `event`, or `_row`, its place in the log.
    """
    if "event" not in events.columns:
        return events["_row"].cast(pl.Int64)
    if events["event"].dtype.is_integer():
        return events["event"].cast(pl.Int64)
    ids = events["event"].cast(pl.String).fill_null("").to_numpy()
    return pl.Series(fingerprint("", ids).view(np.int64) if len(ids) else [], dtype=pl.Int64)


def _after_silence(events: pl.DataFrame, t, gap: timedelta) -> pl.DataFrame:
    """Take out what lies behind the first silence, walking back from the request."""
    seen = events.filter(pl.col("status") == SEEN)
    newer = pl.concat([pl.Series([t], dtype=seen.schema["time"]), seen["time"]]).head(len(seen))
    behind = ((newer - seen["time"]) > gap).cum_max()
    first = seen.filter(behind)["time"].max()
    if first is None:
        return events
    cut = (pl.col("status") == SEEN) & (pl.col("time") <= first)
    return events.with_columns(
        status=pl.when(cut).then(pl.lit("before the silence")).otherwise("status")
    )
