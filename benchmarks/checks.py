"""All checks of a month's payments, against a peer, and against reading every column once.

29 days of payments with hours and weekdays, in one Parquet file a day; the last day is checked
against the 28 before. The limit reads one column after the other and takes its least and greatest
value and its nulls, which is the least that a check of it could do.

At a million events (at most) the peer is Evidently, in an environment of its own, which the first
run builds. It gets pandas frames that are in memory already; reading and imports are not counted.
It checks less, see `evidently_checks`. At ten million one call of it takes many minutes, so there
the peer is no checker but a profile, what checks could be made from: Polars' describe (nulls, mean,
deviation, extremes, quartiles), of both windows.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.harness import Row, measure
from benchmarks.peer_checks import NAME, serving

__all__ = ["payments", "run"]

DAYS, FIRST_DAY = 29, datetime(2025, 6, 2, tzinfo=UTC)
MOST_FOR_PANDAS = 1_000_000  # events
HOURS = np.array([1, 1, 1, 1, 1, 2, 4, 6, 8, 9, 9, 10, 11, 10, 9, 9, 10, 12, 13, 12, 9, 6, 4, 2])
WEEK = np.array([1.0, 0.95, 0.95, 1.0, 1.1, 1.3, 0.7])


def run(quick: bool = False) -> list[Row]:
    """All checks at a million and at ten million events."""
    sizes = (50_000, 500_000) if quick else (1_000_000, 10_000_000)
    return [one_size(rows, quick=quick) for rows in sizes]


def one_size(rows: int, *, quick: bool) -> Row:
    from workbench.data import checks

    at = FIRST_DAY + timedelta(days=DAYS)
    with tempfile.TemporaryDirectory(prefix="workbench-bench-") as folder:
        for day in range(DAYS):
            path = Path(folder) / f"day={day:02}.parquet"
            payments(round(rows * WEEK[day % 7] / WEEK.mean() / DAYS), day).write_parquet(path)
        events = pl.scan_parquet(f"{folder}/*.parquet")

        def ours() -> None:
            report = checks.report(events, "payment", at=at)
            if not report.ok:
                raise ValueError(f"these payments are sound, but: {report}")

        def every_column() -> None:
            for name in events.collect_schema().names():
                column = pl.col(name)
                events.select(
                    least=column.min(), greatest=column.max(), nulls=column.null_count()
                ).collect()

        total = events.select(pl.len()).collect().item()
        last = pl.col("known_at") >= at - timedelta(days=1)
        with (evidently if rows <= MOST_FOR_PANDAS else profile)(events, last) as peer:
            return measure(
                "checks",
                f"all checks of {total:,} events, {DAYS} days",
                ours=ours,
                peer=peer.check,
                limit=every_column,
                peer_name=peer.name,
                target="ratio_to_limit <= 1.5",
                repeats=1 if quick else 2 if rows <= MOST_FOR_PANDAS else 5,
                quick=quick,
            )


@dataclass(frozen=True)
class Peer:
    """What is called, and what it is called."""

    name: str
    check: Callable[[], object]


@contextmanager
def evidently(events: pl.LazyFrame, last: pl.Expr) -> Iterator[Peer]:
    with serving((events.filter(~last).collect(), events.filter(last).collect())) as check:
        yield Peer(f"{NAME}: drift, nulls and repeats only, rows in memory", check)


@contextmanager
def profile(events: pl.LazyFrame, last: pl.Expr) -> Iterator[Peer]:
    def check() -> None:
        for window in (~last, last):
            events.filter(window).describe()

    yield Peer("Polars describe: a profile only", check)


def payments(rows: int, day: int) -> pl.DataFrame:
    """Payments of one day in order of time, known a second later, with random ids."""
    rng = np.random.default_rng([7, day])
    hour = rng.choice(24, rows, p=HOURS / HOURS.sum())
    time = np.sort(((hour + rng.random(rows)) * 3.6e9).astype(np.int64)) + day * 86_400_000_000
    places = pl.Series([f"place {number}" for number in range(50)])
    surfaces = pl.Series(["home", "search", "checkout"])
    moment = pl.lit(FIRST_DAY).cast(pl.Datetime("us", "UTC"))
    return pl.DataFrame(
        {
            "event": rng.integers(0, 2**62, rows),
            "time": time,
            "known_at": np.sort(time + rng.exponential(1e6, rows).astype(np.int64)),
            "request": rng.integers(0, 2**62, rows),
            "user": rng.integers(0, 200_000, rows),
            "item": rng.integers(0, 50_000, rows),
            "seller": rng.integers(0, 5_000, rows),
            "session": rng.integers(0, 2**62, rows),
            "device": rng.integers(0, 300_000, rows),
            "place": places.gather(np.minimum(rng.zipf(1.5, rows) - 1, 49)),
            "surface": surfaces.gather(rng.choice(3, rows, p=[0.6, 0.3, 0.1])),
            "amount": rng.lognormal(3.5, 1.0, rows).round(2),
            "score": rng.beta(2, 30, rows),
            "live": rng.random(rows) < 0.98,
        }
    ).with_columns(
        time=moment + pl.duration(microseconds="time"),
        known_at=moment + pl.duration(microseconds="known_at"),
    )
