"""One request or many, from keys to values: `OnlineStore.read` and `read_many`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from workbench.features.composed import Ratio
from workbench.features.definition import Feature
from workbench.features.entity_keys import key_of, keys_of, plain_key
from workbench.features.reading import read_requests
from workbench.features.tracks import Group
from workbench.features.viewing import GroupView

__all__ = ["read_frame", "read_one"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_US = timedelta(microseconds=1)


def read_one(store, keys: Mapping[str, object], t: int) -> dict[str, object]:
    """The features of one request, by name."""
    reader = store._reader
    ids = [_ids_of(group, keys) for group in store._groups]

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
    leaves: dict[Feature, object] = {}
    for view, some, record, mark in zip(reader.views, ids, records, marks, strict=True):
        check_known(view.group, mark)
        if some is None:
            values = [None] * len(view.group.leaves)
        else:
            for key, value, wanted in zip(view.group.per, some, view.key_types, strict=True):
                _check_type(key, value, wanted)
            values, truncated = view.values(record[0], reader.moment(t, mark))
            reader.truncated += truncated
        leaves.update(zip(view.group.leaves, values, strict=True))
    return {each.name: _combined(each, leaves, keys, t) for each in store.features}


def read_frame(store, columns, at: datetime | None) -> pl.DataFrame:
    """The features of many requests as columns beside theirs."""
    asked, single = _asked(store, columns, at)
    reader, n = store._reader, len(asked)
    taken = sorted({each.name for each in store.features} & set(asked.columns))
    if taken:
        raise ValueError(f"requests already have a column {taken[0]!r}: give the feature a name=")
    times = asked["time"].to_physical().to_numpy()
    parts = [_Part(group, asked, single) for group in store._groups]
    try:
        records, marks = reader.records(
            lambda prefixes: [
                part.keys(prefix or b"") for part, prefix in zip(parts, prefixes, strict=True)
            ]
        )
    except ConnectionError:
        if store.on_error == "raise":
            raise
        return _all_missing(store, asked)
    leaves: dict[Feature, pl.Series] = {}
    for view, part, found, mark in zip(reader.views, parts, records, marks, strict=True):
        check_known(view.group, mark)
        part.check(view)
        whens = _moments(reader, times, mark, part)
        made, truncated = view.columns(part.spread(found), whens)
        reader.truncated += truncated
        for leaf, column in zip(view.group.leaves, made, strict=True):
            leaves[leaf] = part.whole(column, n)
    made = {each.name: each.combine(leaves, asked) for each in store.features}
    return asked.with_columns(**made) if at is not None or "time" in columns else (
        asked.drop("time").with_columns(**made)
    )  # fmt: skip


def check_known(group: Group, mark: int | None) -> None:
    """A group that the store does not hold cannot be read."""
    if mark is None:
        names = [leaf.name for leaf in group.leaves]
        raise ValueError(
            f"not materialised: {', '.join(names[:3])}{', …' if len(names) > 3 else ''}; the store "
            "holds other definitions. Materialise these from the log first"
        )


class _Part:
    """The keys of one group among many requests; one for all where none of them differs."""

    def __init__(self, group: Group, asked: pl.DataFrame, single: set[str]):
        self.group = group
        self.one = {*group.per, "time"} <= single and len(asked) > 0
        frame = asked.select(group.per)
        frame = frame.head(1) if self.one else frame
        self.columns = [plain_key(frame[key], key, "requests") for key in group.per]
        self.null = None
        if any(column.null_count() for column in self.columns):
            null = pl.DataFrame(self.columns).select(pl.any_horizontal(pl.all().is_null()))
            self.null = null.to_series().to_numpy()

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
        for key, column, wanted in zip(self.group.per, self.columns, view.key_types, strict=True):
            if wanted is not None and str(column.dtype) not in (wanted, "Null"):
                raise ValueError(_other_type(key, str(column.dtype), wanted))

    def whole(self, column: pl.Series, n: int) -> pl.Series:
        """A leaf's column for all requests; null where a key is."""
        if self.null is not None:
            column = pl.select(pl.when(pl.Series(~self.null)).then(column)).to_series()
        return column.new_from_index(0, n) if self.one else column


def _moments(reader, times: np.ndarray, mark: int, part: _Part) -> np.ndarray:
    times = times[:1] if part.one else times
    if not len(times) or times.min() > mark:
        return np.ascontiguousarray(times, np.int64).copy()
    return np.array([reader.moment(t, mark) for t in times.tolist()], np.int64)


def _asked(store, columns, at: datetime | None) -> tuple[pl.DataFrame, set[str]]:
    """All requests as a frame with `time`, and the columns that are one value for all."""
    keys = sorted({key for group in store._groups for key in group.per})
    others = {name for each in store.features for name in each.inputs} - {*keys, "time"}
    if at is None and "time" not in columns:
        at = datetime.now(UTC)
    if not isinstance(columns, Mapping):
        table = columns
        if at is not None:
            table = pl.DataFrame(table).with_columns(time=pl.lit(at))
        return read_requests(table, keys, sorted(others)), {"time"} if at is not None else set()
    absent = sorted(({*keys} | others) - set(columns))
    if absent:
        raise ValueError(f"requests have no column {absent[0]!r}; they have {list(columns)}")
    if at is not None and getattr(at, "tzinfo", None) is None:
        raise ValueError(f"at must be a time with a zone, got {at!r}")
    columns = dict(columns) | ({} if at is None else {"time": at})
    single = {name for name, value in columns.items() if _is_single(value)}
    lengths = {len(value) for name, value in columns.items() if name not in single}
    if len(lengths) > 1:
        raise ValueError(f"the columns of requests have different lengths: {sorted(lengths)}")
    n = lengths.pop() if lengths else 1
    made = {
        name: pl.Series([value]).new_from_index(0, n) if name in single else pl.Series(value)
        for name, value in columns.items()
    }
    frame = pl.DataFrame(made)
    extra = frame.drop([name for name in (*keys, *others, "time") if name in frame.columns])
    asked = read_requests(frame, keys, sorted(others))
    asked = pl.concat([asked, extra], how="horizontal") if extra.width else asked
    return asked.select(frame.columns), single


def _is_single(value) -> bool:
    return value is None or isinstance(value, str | datetime) or not hasattr(value, "__len__")


def _ids_of(group: Group, keys: Mapping[str, object]) -> tuple | None:
    """The keys of a group in a request; None if one is null."""
    try:
        ids = tuple(keys[key] for key in group.per)
    except KeyError as error:
        raise ValueError(f"the request has no key {error}; it has {list(keys)}") from None
    for key, value in zip(group.per, ids, strict=True):
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | str | np.integer):
            raise ValueError(
                f"{key} of the request must be a whole number or a text, got {value!r}"
            )
    return tuple(value if isinstance(value, str) else int(value) for value in ids)


def _check_type(key: str, value: int | str, wanted: str | None) -> None:
    came = "String" if isinstance(value, str) else "Int64"
    if wanted is not None and came != wanted:
        raise ValueError(_other_type(key, came, wanted))


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
    absent = sorted(feature.inputs - set(keys) - {"time"})
    if absent:
        raise ValueError(f"the request has no {absent[0]!r} for {feature.name}; it has {[*keys]}")
    one = {leaf: pl.Series([leaves[leaf]]) for leaf in feature.leaves}
    columns = {name: [keys[name]] for name in feature.inputs - {"time"}}
    asked = pl.DataFrame({"time": [_EPOCH + t * _US], **columns})
    return feature.combine(one, asked)[0]


def _missing(feature):
    return feature.missing if isinstance(feature, Feature) else None


def _all_missing(store, asked: pl.DataFrame) -> pl.DataFrame:
    return asked.with_columns(**{each.name: pl.lit(_missing(each)) for each in store.features})
