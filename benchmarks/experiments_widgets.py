"""What stands behind a slider: one move in an explorer, over a million rows.

A move is everything between the slider and the browser: the figures, the words and the pictures as
HTML. Ours is the slowest move of twenty, one for nearly every control and setting; reading the rows
once, before the first move, is not in it, nor is the first use of a column, in the round that is
not counted. The peer is what one would write instead, asked again at every move (four of them, it
takes long): tea-tasting over the rows until that day; pandas' `cut` and `crosstab` of the slice.
Polars' plain aggregates of the same rows are the limit of whoever reads them again. We do not, so
we may be below it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from time import perf_counter

import numpy as np
import polars as pl

from benchmarks.harness import Row
from benchmarks.rounds import alternating, row

__all__ = ["run"]

AREA = "experiments"
START = datetime(2026, 3, 1, tzinfo=UTC)
DAYS, SHARES = 28, {"old": 0.5, "new": 0.5}
COUNTRIES = ["ch", "de", "fr", "it", "at"]


def run(quick: bool = False) -> list[Row]:
    """The A/B explorer, and the shadow explorer."""
    rows, repeats = (50_000, 1) if quick else (1_000_000, 5)
    return [ab_moves(rows, repeats, quick), shadow_moves(rows, repeats, quick)]


def ab_moves(rows: int, repeats: int, quick: bool) -> Row:
    """Day, looks, adjustment, CUPED and segment of an experiment of 28 days."""
    from workbench.widgets import ab_chart, ab_days
    from workbench.widgets.ab_explorer import explore

    users = users_of(rows)
    days = ab_days.days_of(
        users, "spent", expected=SHARES, covariates={"spent": "before"}, segments=["country"]
    )

    def move(number: int) -> None:
        view = explore(
            days, "spent", "new", planned_users=rows, today=DAYS - number, looks=14 - number % 14,
            adjustment=["always_valid", "group_sequential", "fixed"][number % 3],
            cuped=number % 2 == 0, segment=["country", "all users"][number % 4 == 3],
        )  # fmt: skip
        ab_chart.html(view)

    def until(number: int) -> pl.DataFrame:
        return users.filter(pl.col("day") < DAYS - number)

    def peer(number: int) -> None:
        import tea_tasting as tt

        tt.Experiment(spent=tt.Mean("spent", "before")).analyze(until(number), control="old")

    def limit(number: int) -> None:
        until(number).group_by("variant", "country").agg(
            pl.len(), pl.mean("spent"), pl.var("spent").alias("variance")
        )

    return _row("A/B explorer", move, peer, limit, "tea-tasting", rows, repeats, quick)


def shadow_moves(rows: int, repeats: int, quick: bool) -> Row:
    """Slice, cutoff, cell and outcomes of two models' scores."""
    import pandas as pd

    from workbench.widgets import shadow_chart
    from workbench.widgets.shadow_explorer import Choice, explore
    from workbench.widgets.shadow_ground import ground_of

    both = pairs_of(rows)
    ground, theirs = ground_of(both), both.to_pandas()
    edges = np.linspace(0, 1, 21)

    def move(number: int) -> None:
        by, value = ("country", COUNTRIES[number % 5]) if number % 2 else ("amount", None)
        told = "label" if number % 3 else None
        cutoff = 0.3 + 0.02 * number if number % 4 < 2 else None  # also with slice and outcomes
        cell = (number, 19 - number)
        choice = Choice(by=by, value=value, outcomes=told, cutoff=cutoff, cell=cell)
        shadow_chart.html(explore(ground, choice))

    def peer(number: int) -> None:
        part = theirs[theirs["country"] == COUNTRIES[number % 5]] if number % 2 else theirs
        pd.crosstab(pd.cut(part["live_score"], edges), pd.cut(part["shadow_score"], edges))
        (part["live_action"] != part["shadow_action"]).groupby(part["country"]).mean()

    def limit(number: int) -> None:
        part = both.filter(country=COUNTRIES[number % 5]) if number % 2 else both
        cells = [(pl.col(f"{who}_score") * 20).cast(pl.Int32) for who in ("live", "shadow")]
        part.group_by(cells).agg(pl.len())
        differ = pl.col("live_action") != pl.col("shadow_action")
        part.group_by("country").agg(differ.mean())

    return _row("shadow explorer", move, peer, limit, "pandas crosstab", rows, repeats, quick)


def users_of(rows: int) -> pl.DataFrame:
    """One row per user, entering over 28 days."""
    rng = np.random.default_rng(3)
    before = rng.gamma(4.0, 2.5, rows)
    minutes = rng.integers(0, DAYS * 1440, rows)
    return pl.DataFrame(
        {
            "user": np.arange(rows),
            "variant": pl.Series(["old", "new"]).gather(rng.integers(0, 2, rows)),
            "time": pl.Series(minutes) * 60_000_000,
            "day": minutes // 1440,
            "country": pl.Series(COUNTRIES).gather(rng.integers(0, 5, rows)),
            "spent": before + rng.normal(0, 3, rows),
            "before": before,
        }
    ).with_columns(time=START + pl.col("time").cast(pl.Duration("us")))


def pairs_of(rows: int) -> pl.DataFrame:
    """Two scores that mostly agree, the actions they lead to, and a label for nine in ten."""
    rng = np.random.default_rng(4)
    live = rng.beta(1, 4, rows)
    shadow = np.clip(live + rng.normal(0, 0.1, rows), 0, 1 - 1e-9)
    known = rng.random(rows) < 0.9
    return pl.DataFrame(
        {
            "request": np.arange(rows),
            "country": pl.Series(COUNTRIES).gather(rng.integers(0, 5, rows)),
            "amount": rng.lognormal(3, 1, rows),
            "live_score": live,
            "shadow_score": shadow,
            "live_action": np.where(live > 0.5, "block", "approve"),
            "shadow_action": np.where(shadow > 0.5, "block", "approve"),
            "label": pl.Series(np.where(known, (rng.random(rows) < live).astype(int), -1)),
        }
    ).with_columns(label=pl.when(pl.col("label") >= 0).then("label"))


def _row(
    name: str, ours: Callable, peer: Callable, limit: Callable, peer_name: str,
    rows: int, repeats: int, quick: bool,
) -> Row:  # fmt: skip
    numbers = range(4 if quick else 20)
    contenders = {"ours": numbers, "peer": numbers[:4], "limit": numbers}
    calls = {"ours": ours, "peer": peer, "limit": limit}
    return row(
        AREA,
        f"slowest move of the {name}, {rows / 1e6:g} M rows",
        "ms",
        alternating(
            {who: partial(_slowest, calls[who], which) for who, which in contenders.items()},
            repeats,
        ),
        peer_name=peer_name,
        target="ours <= 150",
        quick=quick,
    )


def _slowest(move: Callable[[int], None], numbers: Sequence[int]) -> float:
    """Milliseconds of the slowest of the moves."""
    took = []
    for number in numbers:
        start = perf_counter()
        move(number)
        took.append((perf_counter() - start) * 1e3)
    return max(took)
