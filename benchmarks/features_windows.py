"""Windows of an hour, a day and a month x count, sum, mean, at the events themselves.

Payments lie in the order of time. The peers do what we do, without a definition: Polars sorts and
rolls, DuckDB has window functions, pandas rolls by group (on a tenth of the events: it takes so
long). The limit is two pointers in numba, and one clock.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import polars as pl

from benchmarks.features_data import AREA, arrays, spending
from benchmarks.features_limits import windowed
from benchmarks.harness import Row, measure

__all__ = ["run"]

HOURS = (1, 24, 720)
WINDOWS_US = np.array(HOURS) * 3_600_000_000


def run(quick: bool = False) -> list[Row]:
    """Against Polars and DuckDB on all events, against pandas on a tenth."""
    events = 250_000 if quick else 5_000_000
    paid, tenth = spending(events), spending(events // 10)
    repeats = 2 if quick else 5
    return [
        one("Polars sort and rolling", polars, paid, repeats, "ratio_to_peer <= 1.2", quick=quick),
        one("DuckDB window functions", duckdb, paid, min(repeats, 3), None, quick=quick),
        one("pandas rolling by group", pandas, tenth, 1, None, quick=quick),
    ]


def one(name: str, peer, paid: pl.DataFrame, repeats: int, target: str | None, *, quick) -> Row:
    given = paid.to_pandas() if peer is pandas else paid
    user, time = arrays(paid)
    amount, users = paid["amount"].to_numpy(), int(paid["user"].max()) + 1
    check(ours(paid), windowed(user, time, amount, WINDOWS_US, users))
    return measure(
        AREA,
        f"windows 1 h, 1 d, 30 d x count, sum, mean, {len(paid) / 1e6:g} M events",
        ours=partial(ours, paid),
        peer=partial(peer, given),
        limit=partial(windowed, user, time, amount, WINDOWS_US, users),
        peer_name=name,
        target=target,
        repeats=repeats,
        quick=quick,
    )


def ours(paid: pl.DataFrame) -> pl.DataFrame:
    from workbench import features

    wanted = [
        make(hours)
        for hours in HOURS
        for make in (
            lambda hours: features.count("payment", per="user", hours=hours),
            lambda hours: features.sum("amount", of="payment", per="user", hours=hours),
            lambda hours: features.mean("amount", of="payment", per="user", hours=hours),
        )
    ]
    return features.training_frame(paid.select("user", "time"), wanted, {"payment": paid})


def polars(paid: pl.DataFrame) -> list[pl.DataFrame]:
    ordered, amount = paid.sort("user", "time"), pl.col("amount")
    return [
        ordered.rolling("time", period=f"{hours}h", closed="left", group_by="user").agg(
            count=pl.len(), sum=amount.sum(), mean=amount.mean()
        )
        for hours in HOURS
    ]


def duckdb(paid: pl.DataFrame) -> pl.DataFrame:
    import duckdb

    sides = ", ".join(
        f"count(amount) OVER w{h}, sum(amount) OVER w{h}, avg(amount) OVER w{h}" for h in HOURS
    )
    windows = ", ".join(
        f"w{h} AS (PARTITION BY user ORDER BY micros RANGE BETWEEN {h * 3_600_000_000} PRECEDING "
        "AND 1 PRECEDING)"
        for h in HOURS
    )
    micros = paid.select("user", "amount", micros=pl.col("time").dt.epoch("us"))  # noqa: F841
    with duckdb.connect() as database:
        database.execute("SET enable_progress_bar = false")
        return database.sql(f"SELECT {sides} FROM micros WINDOW {windows}").to_arrow_table()


def pandas(paid) -> list:
    ordered = paid.sort_values("time", kind="stable").set_index("time")
    groups = ordered.groupby("user")["amount"]
    return [
        groups.rolling(f"{hours}h", closed="left").agg(["count", "sum", "mean"]) for hours in HOURS
    ]


def check(frame: pl.DataFrame, expected: np.ndarray) -> None:
    """Whether ours are the values of the limit, up to its rounding.

    Raises ValueError if not.
    """
    found = np.stack([column.to_numpy() for column in frame.get_columns()[2:]])
    if not np.allclose(found, expected, rtol=1e-6, atol=1e-6, equal_nan=True):
        raise ValueError("ours and the limit found different values")
