"""Point-in-time joins: ten million events, a million requests, five values that live a month.

All frames lie in memory, in no order; sorting counts. The peer is Polars' `join_asof`, which has
one clock, keeps ties as they fall and returns the rows in its own order: its sorts are the two that
it needs. Feast reads its events from a Parquet file, the only way it has. The limit is a merge with
two pointers in numba, see `features_limits`.
"""

from __future__ import annotations

import tempfile
from functools import partial

import numpy as np
import polars as pl

from benchmarks.feast_peer import feast
from benchmarks.features_data import AREA, COLUMNS, TTL, arrays, history
from benchmarks.features_limits import merged, merged_sorted
from benchmarks.harness import Row, measure

__all__ = ["as_of", "latest", "ours", "run"]

POLARS = "Polars join_asof, its sorts"
TTL_US = int(TTL.total_seconds() * 1e6)


def run(quick: bool = False) -> list[Row]:
    """Against Polars on one clock and on two, from a layout, and against Feast."""
    events, requests = (500_000, 50_000) if quick else (10_000_000, 1_000_000)
    size = f"join {events / 1e6:g} M events, {requests / 1e6:g} M requests"
    word = {"quick": quick, "repeats": 2 if quick else 5}
    asked, happened = history(events, requests)
    rows = [
        against_polars(asked, happened, f"{size}, known at once", "ratio_to_peer <= 1.0", **word),
        from_layout(asked, happened, f"{size}, from a layout by (entity, time)", **word),
        against_feast(
            asked, happened, f"{size}, known at once", "duckdb", "ratio_to_peer <= 0.4", **word
        ),
    ]
    del asked, happened
    late = history(events, requests, late=0.01)
    work = f"{size}, 1 % known late (the peer is wrong there)"
    rows.append(against_polars(*late, work, "ratio_to_peer <= 1.5", **word))
    del late
    small = history(events // 10, requests // 10)
    work = f"join {events / 1e7:g} M events, {requests / 1e7:g} M requests, known at once"
    rows.append(against_feast(*small, work, "dask", None, **word))
    return rows


def latest() -> list:
    """The five features."""
    from workbench import features

    return [
        features.latest(name, of="event", per="user", days=TTL.days, name=name) for name in COLUMNS
    ]


def ours(asked: pl.DataFrame, happened) -> pl.DataFrame:
    """By our own join."""
    from workbench import features

    return features.training_frame(asked, latest(), {"event": happened})


def as_of(asked: pl.DataFrame, happened: pl.DataFrame) -> pl.DataFrame:
    """By Polars, in the order of time; one clock."""
    return asked.sort("time").join_asof(
        happened.select("user", "time", *COLUMNS).sort("time"),
        on="time",
        by="user",
        strategy="backward",
        tolerance=TTL,
        allow_exact_matches=False,
        check_sortedness=False,
    )


def against_polars(asked, happened, work: str, target: str, **word) -> Row:
    if "late" not in work:
        check_equal(ours(asked, happened), as_of(asked, happened))
    return measure(
        AREA,
        work,
        ours=partial(ours, asked, happened),
        peer=partial(as_of, asked, happened),
        limit=partial(
            merged, arrays(happened), arrays(asked), TTL_US, int(happened["user"].max()) + 1
        ),
        peer_name=POLARS,
        target=target,
        **word,
    )


def from_layout(asked, happened, work: str, **word) -> Row:
    """The events were laid out once, which does not count; the peer still sorts them."""
    from workbench import features

    users = int(happened["user"].max()) + 1
    sorted_events = happened.sort("user", "time")
    ends = np.searchsorted(sorted_events["user"].to_numpy(), np.arange(users + 1))
    lying = (ends, *arrays(sorted_events)[1:])
    with tempfile.TemporaryDirectory(prefix="workbench-bench-") as folder:
        layout = features.lay_out({"event": happened}, "event", "user", folder)
        check_equal(features.training_frame(asked, latest(), layout), as_of(asked, happened))
        return measure(
            AREA,
            work,
            ours=lambda: features.training_frame(asked, latest(), layout),
            peer=partial(as_of, asked, happened),
            limit=partial(merged_sorted, lying, arrays(asked), TTL_US, users),
            peer_name=POLARS + ", in memory",
            target="ratio_to_peer <= 0.25",
            **word,
        )


def against_feast(asked, happened, work: str, offline: str, target: str | None, **word) -> Row:
    with (
        feast(happened.drop("event"), COLUMNS, offline=offline, ttl_days=TTL.days) as peer,
        tempfile.NamedTemporaryFile(suffix=".parquet") as file,
    ):
        asked.write_parquet(file.name)
        peer("load", requests=file.name)
        return measure(
            AREA,
            work,
            ours=partial(ours, asked, happened),
            peer=lambda: peer("join"),
            limit=partial(
                merged, arrays(happened), arrays(asked), TTL_US, int(happened["user"].max()) + 1
            ),
            peer_name=f"Feast ({'DuckDB' if offline == 'duckdb' else 'Dask'})",
            target=target,
            quick=word["quick"],
            repeats=min(word["repeats"], 3),
        )


def check_equal(frame: pl.DataFrame, other: pl.DataFrame) -> None:
    """Whether both found the same values, row for row in one order.

    Raises ValueError if not: a benchmark of two different things is none.
    """
    order = ["user", "time", *COLUMNS]
    if not frame.select(order).sort(order).equals(other.select(order).sort(order)):
        raise ValueError("ours and the peer found different values")
