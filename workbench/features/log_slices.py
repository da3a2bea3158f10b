"""A log, read from the oldest news to the youngest, as much at a time as memory should hold."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import polars as pl

from workbench.features.catalog import NEVER
from workbench.features.reading import scan_kind
from workbench.features.tracks import Group

__all__ = ["slices"]

SLICE_ROWS = 4_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_US = timedelta(microseconds=1)


def slices(log, groups: list[Group], since: int, late_us: int, until: int):
    """What a log learnt from `since` until `until`, oldest first, some rows at a time.

    Where events have ids, it begins `late_us` earlier: what came already will be known.
    """
    scans: dict[str, pl.LazyFrame] = {}
    end = _EPOCH + until * _US
    for kind in sorted({kind for group in groups for kind in group.kinds}):
        lazy = scan_kind(log, kind, None, end)
        names = lazy.collect_schema().names()
        if "known_at" not in names or "time" not in names:
            if lazy.head(1).collect().is_empty():
                continue
            raise ValueError(
                f"events of kind {kind!r} need the columns time and known_at; they have {names}"
            )
        known = pl.col("known_at") < end
        if since != NEVER:
            first = since - late_us if "event" in names else since
            known &= pl.col("known_at") >= _EPOCH + first * _US
        lazy = lazy.filter(known)
        leaves = [leaf for group in groups for leaf in group.leaves if leaf.of == kind]
        needed = frozenset().union(*(leaf.columns for leaf in leaves)) | {"event"}
        needed = sorted((needed - {"time", "known_at"}) & {*names})
        scans[kind] = lazy.select("time", "known_at", *needed)
    cuts = _cuts([*scans.values()])
    for low, high in itertools.pairwise([None, *cuts, None]):
        parts = [pl.col("known_at") >= low] if low is not None else []
        parts += [pl.col("known_at") < high] if high is not None else []
        yield {kind: lazy.filter(*parts).collect() for kind, lazy in scans.items()}


def _cuts(scans: list[pl.LazyFrame]) -> list[datetime]:
    """Where to cut the events so that each slice has at most about SLICE_ROWS."""
    if sum(lazy.select(pl.len()).collect().item() for lazy in scans) <= SLICE_ROWS:
        return []
    hour = pl.col("known_at").dt.truncate("1h")
    hours = pl.concat([lazy.group_by(hour).len().collect() for lazy in scans])
    hours = hours.group_by("known_at").agg(pl.sum("len")).sort("known_at")
    number = (hours["len"].cum_sum() - 1) // SLICE_ROWS
    return hours.filter(number.diff().fill_null(0) > 0)["known_at"].to_list()
