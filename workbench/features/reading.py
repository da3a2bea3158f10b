"""The way in and out of `training_frame`: any table of requests, any log of events, checked once.

Everything inside works on Polars columns with UTC microsecond clocks and plain ids.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta

import polars as pl

from workbench.features.definition import Feature, expression
from workbench.tables import one_frame

__all__ = [
    "ORDERED",
    "attach",
    "check_keys",
    "check_names",
    "plain_events",
    "plan_events",
    "read_events",
    "read_requests",
    "scan_kind",
    "without_nan",
]

ORDERED = ("latest", "last", "values")  # where two events of one time need an order
_CLOCK = pl.Datetime("us", "UTC")


def read_requests(requests, keys: list[str], others: Sequence[str] = ()) -> pl.DataFrame:
    """`time`, the keys and other columns as Polars columns, checked; NaN is null."""
    if not hasattr(requests, "columns") or isinstance(requests, pl.LazyFrame):
        raise ValueError(
            f"requests must be a Polars, pandas or Arrow table, got {type(requests).__name__}"
        )
    asked = one_frame(requests, "the table of requests", ["time", *keys, *others])
    _check_clock(asked.schema["time"], "time", "requests")
    if asked["time"].null_count():
        raise ValueError(f"time of requests is null in {asked['time'].null_count()} rows")
    for key in keys:
        if asked.schema[key] == pl.UInt64 and (asked[key].max() or 0) >= 2**63:
            raise ValueError(
                f"{key} of requests goes beyond 2**63 - 1, where ids end: make it text"
            )
    asked = asked.with_columns(_utc("time"), *_plain_keys(asked.schema, keys))
    return _filled(asked, others)


def read_events(log, kind: str, features: list[Feature], asked: pl.DataFrame) -> pl.DataFrame:
    """The events that any of these features could see at any of these requests; NaN is null.

    `event`, if there is one, comes along where it may decide between two events of one time.
    """
    lazy = plan_events(log, kind, features, asked)
    if lazy is None:
        return pl.DataFrame(schema={"time": _CLOCK, "known_at": _CLOCK})
    events = without_nan(lazy.collect(), features)
    check_keys(kind, features, asked, events)
    return events


def plan_events(log, kind: str, features: list[Feature], asked: pl.DataFrame):
    """What `read_events` collects, still lazy; None if there is nothing, not even the columns."""
    needed = frozenset().union(*(feature.columns for feature in features))
    first, last = _reach(features, asked)
    whole = isinstance(log, Mapping) and not isinstance(log.get(kind), pl.LazyFrame | None)
    if whole:
        table = log[kind] if hasattr(log, "entities") else _near(log[kind], first, last)
    else:
        table = scan_kind(log, kind, first, last)
    lazy = table.lazy()
    schema = lazy.collect_schema()
    columns = ["time", "known_at", *sorted(needed - {"time", "known_at"})]
    if not set(columns) <= set(schema) and lazy.head(1).collect().is_empty():
        return None
    _need(columns, schema.names(), f"events of kind {kind!r}")
    for clock in ("time", "known_at"):
        _check_clock(schema[clock], clock, f"events of kind {kind!r}")
    if "event" in schema and any(feature.aggregate in ORDERED for feature in features):
        columns += {"event"} - needed
    if not whole:
        lazy = lazy.filter(pl.col("known_at") < last) if last is not None else lazy
    elif table["time"].null_count() + table["known_at"].null_count():
        lazy = lazy.drop_nulls(["time", "known_at"])  # never known, or nobody knows when
    keys = {key for feature in features for key in feature.per}
    plain = _plain_keys(schema, sorted(keys | ({"event"} & set(columns))))
    return lazy.select(columns).with_columns(_utc("time"), _utc("known_at"), *plain)


def plain_events(lazy: pl.LazyFrame, kind: str, per: tuple[str, ...]) -> pl.LazyFrame:
    """All columns of the events, clocks and keys as `plan_events` has them."""
    schema = lazy.collect_schema()
    _need(["time", "known_at", *per], schema.names(), f"events of kind {kind!r}")
    for clock in ("time", "known_at"):
        _check_clock(schema[clock], clock, f"events of kind {kind!r}")
    plain = _plain_keys(schema, sorted({*per, *({"event"} & set(schema))}))
    lazy = lazy.drop_nulls(["time", "known_at"])
    return lazy.with_columns(_utc("time"), _utc("known_at"), *plain)


def check_keys(kind: str, features: list[Feature], asked: pl.DataFrame, events) -> None:
    """Refuse keys of one type in the requests and another in the events."""
    keys = sorted({key for feature in features for key in feature.per})
    for key in keys if len(events) else ():
        if asked.schema[key] not in (events.schema[key], pl.Null):
            raise ValueError(
                f"{key} is {asked.schema[key]} in the requests and {events.schema[key]} in "
                f"{kind}: the same id must have one type; cast one of them (workbench.rename makes "
                "whole floats, which pandas makes of ids with gaps, whole numbers again)"
            )


def without_nan(events: pl.DataFrame, features: list[Feature]) -> pl.DataFrame:
    """NaN made null where conditions read it; a column on its own is looked at when it is read."""
    read = {each for feature in features for each in (feature.where, feature.column) if each}
    sentences = (expression(each) for each in read if not each.isidentifier())
    return _filled(events, {name for each in sentences for name in each.meta.root_names()})


def scan_kind(log, kind: str, first, last) -> pl.LazyFrame:
    """Events of one kind with first <= time < last, from a log or a mapping of tables."""
    if not isinstance(log, Mapping):
        return log.scan(kind, start=first, end=last)
    if kind not in log:
        raise ValueError(f"the log has no events of kind {kind!r}; it has {sorted(log)}")
    lazy = log[kind] if isinstance(log[kind], pl.LazyFrame) else one_frame(log[kind], kind).lazy()
    schema = lazy.collect_schema()
    for clock in ("time", "known_at"):
        if clock in schema:
            _check_clock(schema[clock], clock, f"events of kind {kind!r}")
            lazy = lazy.with_columns(_utc(clock))
    if "time" in schema:
        lazy = lazy if first is None else lazy.filter(pl.col("time") >= first)
        lazy = lazy if last is None else lazy.filter(pl.col("time") < last)
    return lazy


def check_names(features: list, requests) -> None:
    """Refuse two features of one name, and names that the requests have already."""
    names = [feature.name for feature in features]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"two features are called {twice[0]!r}: give one of them another name=")
    taken = sorted(set(names) & set(map(str, getattr(requests, "column_names", requests.columns))))
    if taken:
        raise ValueError(f"requests already have a column {taken[0]!r}: give the feature a name=")


def attach(requests, columns: dict[str, pl.Series]):
    """The requests with more columns, as the type they came in."""
    if isinstance(requests, pl.DataFrame):
        return requests.with_columns(**columns)
    if hasattr(requests, "assign"):  # pandas: by position, the index stays
        return requests.assign(**{name: new.to_numpy() for name, new in columns.items()})
    for name, new in columns.items():
        requests = requests.append_column(name, new.to_arrow())
    return requests


def _reach(features: list[Feature], asked: pl.DataFrame):
    """The span of time that any of the requests can see; None is no bound."""
    last = asked["time"].max()
    if last is None or any(feature.window is None for feature in features):
        return None, last
    zero = timedelta(0)
    return asked["time"].min() - max(f.window + f.lag + (f.step or zero) for f in features), last


def _near(table, first, last) -> pl.DataFrame:
    """The rows of that span of time, or simply all if they are not many more."""
    table = one_frame(table, "events")
    clock = table.schema.get("time")
    if last is None or clock != pl.Datetime or clock.time_zone is None:
        return table
    time = _utc("time")
    near = time < last if first is None else time.is_between(first, last)
    held = table.select(near).to_series()
    return table if 2 * held.sum() > len(table) else table.filter(held)


def _filled(table: pl.DataFrame, columns: Iterable[str]) -> pl.DataFrame:
    floats = [name for name in columns if table.schema[name].is_float()]
    return table.with_columns(pl.col(name).fill_nan(None) for name in floats)


def _plain_keys(schema, keys: list[str]) -> list[pl.Expr]:
    """Integers as Int64 and categories as String, so that equal ids compare equal."""
    return [
        pl.col(key).cast(pl.Int64 if schema[key].is_integer() else pl.String)
        for key in keys
        if schema[key].is_integer() or schema[key] in (pl.Categorical, pl.Enum)
    ]


def _utc(clock: str) -> pl.Expr:
    return pl.col(clock).dt.convert_time_zone("UTC").dt.cast_time_unit("us")


def _check_clock(dtype: pl.DataType, clock: str, where: str) -> None:
    if dtype != pl.Datetime or dtype.time_zone is None:
        raise ValueError(
            f"{clock} of {where} must be a time with a zone, got {dtype}: "
            f'workbench.rename(table, time="{clock}", tz="Europe/Zurich") gives it one'
        )


def _need(columns: list[str], present: list[str], where: str) -> None:
    missing = [column for column in columns if column not in present]
    if missing:
        raise ValueError(f"{where} have no column {missing[0]!r}; they have {list(present)}")
