"""One request or many, from keys to values: `OnlineStore.read` and `read_many`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from workbench.features.composed import Calendar, Ratio
from workbench.features.definition import Feature
from workbench.features.entity_keys import key_of, keys_of, plain_key
from workbench.features.tracks import Group
from workbench.features.viewing import GroupView
from workbench.tables import one_frame

__all__ = ["Plan", "read_frame", "read_one"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_US = timedelta(microseconds=1)


class Plan:
    """Where the values of each feature come from, looked up once."""

    def __init__(self, features: list, groups: list[Group]):
        self.features, self.groups = features, groups
        self.leaves = [leaf for group in groups for leaf in group.leaves]
        self.names = [each.name for each in features]
        self.keys = sorted({key for group in groups for key in group.per})
        inputs = frozenset().union(*(each.inputs for each in features))
        self.others = sorted(inputs - {*self.keys} - {"time"})
        self.simple = all(isinstance(each, Feature) for each in features)
        places = {leaf: place for place, leaf in enumerate(self.leaves)}
        self.places = [places[each] for each in features] if self.simple else []


def read_one(store, keys: Mapping[str, object], t: int) -> dict[str, object]:
    """The features of one request, by name."""
    reader, plan = store._reader, store._plan
    ids = [_ids_of(group.per, keys) for group in plan.groups]

    def keys_for(prefixes):
        return [
            [] if some is None else [key_of(prefix or b"", some)]
            for prefix, some in zip(prefixes, ids, strict=True)
        ]

    try:
        records, marks = reader.records(keys_for)
    except ConnectionError:
        if store.on_error == "raise":
            raise
        return {each.name: _missing(each) for each in store.features}
    found: list = []
    for view, some, record, mark in zip(reader.views, ids, records, marks, strict=True):
        if mark is None:
            raise _unknown(view.group)
        if some is None:
            found += [None] * len(view.group.leaves)
            continue
        for key, value, wanted in zip(view.group.per, some, view.key_types, strict=True):
            if wanted is not None and (wanted == "String") != isinstance(value, str):
                came = "String" if isinstance(value, str) else "Int64"
                raise ValueError(_other_type(key, came, wanted))
        values, truncated = view.values(record[0], t if t > mark else reader.moment(t, mark))
        reader.truncated += truncated
        found += values
    if plan.simple:
        return {name: found[at] for name, at in zip(plan.names, plan.places, strict=True)}
    leaves = dict(zip(plan.leaves, found, strict=True))
    return {each.name: _combined(each, leaves, keys, t) for each in plan.features}


def read_frame(store, columns, at: datetime | None) -> pl.DataFrame:
    """The features of many requests as columns beside theirs."""
    reader, plan = store._reader, store._plan
    asked = Requests(plan, columns, at)
    parts = [_Part(group, asked) for group in plan.groups]
    try:
        records, marks = reader.records(
            lambda prefixes: [
                part.keys(prefix or b"") for part, prefix in zip(parts, prefixes, strict=True)
            ]
        )
    except ConnectionError:
        if store.on_error == "raise":
            raise
        return asked.frame().with_columns(**{x.name: pl.lit(_missing(x)) for x in plan.features})
    found: list[pl.Series] = []
    for view, part, some, mark in zip(reader.views, parts, records, marks, strict=True):
        if mark is None:
            raise _unknown(view.group)
        part.check(view)
        times = part.times
        if len(times) and times.min() <= mark:
            times = np.array([reader.moment(t, mark) for t in times.tolist()], np.int64)
        made, truncated = view.columns(part.spread(some), times)
        reader.truncated += truncated
        found += [part.whole(column, asked.rows) for column in made]
    if plan.simple:
        made = [found[at].alias(name) for name, at in zip(plan.names, plan.places, strict=True)]
    else:
        leaves = dict(zip(plan.leaves, found, strict=True))
        whole = asked.frame(clock=True)
        made = [each.combine(leaves, whole).alias(each.name) for each in plan.features]
    return asked.frame().hstack(made)


class Requests:
    """Many requests: their columns, of one row where all have the same, and their times."""

    def __init__(self, plan: Plan, columns, at: datetime | None):
        if not isinstance(columns, Mapping):
            table = one_frame(columns, "the table of requests")
            columns = {name: table[name] for name in table.columns}
        for name in (*plan.keys, *plan.others):
            if name not in columns:
                raise ValueError(f"requests have no column {name!r}; they have {list(columns)}")
        for name in plan.names:
            if name in columns:
                raise ValueError(
                    f"requests already have a column {name!r}: give the feature a name="
                )
        self.single = {name for name, value in columns.items() if _is_single(value)}
        self.columns = {
            name: pl.Series(name, [value] if name in self.single else value)
            for name, value in columns.items()
        }
        lengths = {len(self.columns[name]) for name in columns if name not in self.single}
        if len(lengths) > 1:
            raise ValueError(f"the columns of requests have different lengths: {sorted(lengths)}")
        self.rows = lengths.pop() if lengths else 1
        self.time = _clock(at if at is not None else self.columns.get("time"))
        for name in plan.others:
            if self.columns[name].dtype.is_float():
                self.columns[name] = self.columns[name].fill_nan(None)
        if at is None and "time" in columns:
            self.columns["time"] = self.time

    def frame(self, clock: bool = False) -> pl.DataFrame:
        """The columns as they came; with `clock`, the time of each request too."""
        columns = self.columns | ({"time": self.time} if clock else {})
        return pl.DataFrame(
            [
                column.new_from_index(0, self.rows) if len(column) == 1 < self.rows else column
                for column in (each.alias(name) for name, each in columns.items())
            ]
        )


class _Part:
    """The keys of one group among many requests; one for all where none of them differs."""

    def __init__(self, group: Group, asked: Requests):
        self.per = group.per
        columns = [plain_key(asked.columns[key], key, "requests") for key in group.per]
        times = asked.time.to_physical().to_numpy()
        rows = max(len(times), *map(len, columns)) if asked.rows > 0 else 0
        self.columns = [
            each if len(each) == rows else each.new_from_index(0, rows) for each in columns
        ]
        self.times = np.array(times if len(times) == rows else np.repeat(times, rows), np.int64)
        self.null = None
        if any(column.null_count() for column in self.columns):
            self.null = np.zeros(rows, bool)
            for column in self.columns:
                self.null |= column.is_null().to_numpy()

    def keys(self, prefix: bytes) -> list[bytes]:
        """Of those that are not null."""
        if self.null is None:
            return keys_of(prefix, self.columns)
        if self.null.all():
            return []
        there = pl.Series(~self.null)
        return keys_of(prefix, [column.filter(there) for column in self.columns])

    def spread(self, found: list[bytes | None]) -> list[bytes | None]:
        """The records in the order of the requests."""
        if self.null is None:
            return found
        left = iter(found)
        return [None if null else next(left) for null in self.null.tolist()]

    def check(self, view: GroupView) -> None:
        """Ids must be of the type that the store has."""
        for key, column, wanted in zip(self.per, self.columns, view.key_types, strict=True):
            if wanted is not None and str(column.dtype) not in (wanted, "Null"):
                raise ValueError(_other_type(key, str(column.dtype), wanted))

    def whole(self, column: pl.Series, rows: int) -> pl.Series:
        """A leaf's column for all requests; null where a key is."""
        if self.null is not None:
            column = pl.select(pl.when(pl.Series(~self.null)).then(column)).to_series()
        return column.new_from_index(0, rows) if len(column) == 1 < rows else column


def _clock(given) -> pl.Series:
    """Times as Polars keeps them, one or n; now if none is given."""
    if given is None:
        return pl.Series("time", [datetime.now(UTC)])
    if not isinstance(given, pl.Series):
        if getattr(given, "tzinfo", None) is None:
            raise ValueError(f"at must be a time with a zone, got {given!r}")
        return pl.Series("time", [(given - _EPOCH) // _US]).cast(pl.Datetime("us", "UTC"))
    if given.dtype != pl.Datetime or given.dtype.time_zone is None:
        raise ValueError(f"time of requests must be a time with a zone, got {given.dtype}")
    if given.null_count():
        raise ValueError(f"time of requests is null in {given.null_count()} rows")
    return given.dt.convert_time_zone("UTC").dt.cast_time_unit("us")


def _is_single(value) -> bool:
    return value is None or isinstance(value, str | datetime) or not hasattr(value, "__len__")


def _ids_of(per: tuple[str, ...], keys: Mapping[str, object]) -> tuple | None:
    """The keys of a group in a request; None if one is null."""
    ids = []
    for key in per:
        if key not in keys:
            raise ValueError(f"the request has no key {key!r}; it has {list(keys)}")
        value = keys[key]
        if value is None:
            return None
        if type(value) not in (int, str):
            if isinstance(value, bool) or not isinstance(value, int | str | np.integer):
                raise ValueError(
                    f"{key} of the request must be a whole number or a text, got {value!r}"
                )
            value = value if isinstance(value, str) else int(value)
        ids.append(value)
    return tuple(ids)


def _unknown(group: Group) -> ValueError:
    names = [leaf.name for leaf in group.leaves]
    return ValueError(
        f"not materialised: {', '.join(names[:3])}{', …' if len(names) > 3 else ''}; the store "
        "holds other definitions. Materialise these from the log first"
    )


def _other_type(key: str, came: str, wanted: str) -> str:
    return (
        f"{key} is {came} in the request and {wanted} in the store: the same id must have one "
        "type; cast one of them"
    )


def _combined(feature, leaves: dict[Feature, object], keys: Mapping[str, object], t: int):
    if isinstance(feature, Feature):
        return leaves[feature]
    if isinstance(feature, Ratio):
        over, under = leaves[feature.over], leaves[feature.under]
        return None if over is None or not under else float(over) / float(under)
    if isinstance(feature, Calendar):
        return feature.at(_EPOCH + t * _US)
    absent = sorted(feature.inputs - set(keys) - {"time"})
    if absent:
        raise ValueError(f"the request has no {absent[0]!r} for {feature.name}; it has {[*keys]}")
    one = {leaf: pl.Series([leaves[leaf]]) for leaf in feature.leaves}
    columns = {name: [keys[name]] for name in feature.inputs - {"time"}}
    asked = pl.DataFrame({"time": [_EPOCH + t * _US], **columns})
    return feature.combine(one, asked)[0]


def _missing(feature):
    return feature.missing if isinstance(feature, Feature) else None
