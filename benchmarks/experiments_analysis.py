"""The read-out of an experiment: 10 M users, two metrics with CUPED, one row per user.

Everyone has the data in memory where they like it best: we, Polars and tea-tasting a frame (its
answer took half as long there as on DuckDB), DuckDB a table of its own. The limit is the raw query
in DuckDB: users, means, variances and two covariances by arm, and no statistics. Ours also looks
whether users are one a row, whether anything is null or no number, and tests the sample ratio.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import polars as pl

from benchmarks.harness import Row, measure

__all__ = ["run"]

AREA = "experiments"
VALUES = ("revenue", "clicks", "revenue_before", "clicks_before")
SHARES = {"old": 0.5, "new": 0.5}


def run(quick: bool = False) -> list[Row]:
    """Against the raw query of DuckDB and of Polars, and against tea-tasting."""
    import duckdb

    users = 500_000 if quick else 10_000_000
    frame = people(users)
    with duckdb.connect() as database:
        database.execute("SET enable_progress_bar = false")
        database.register("frame", frame.to_arrow())
        database.execute("CREATE TABLE people AS SELECT * FROM frame")
        limit = partial(raw_duckdb, database)
        rows = [
            ("tea-tasting on Polars", tea_tasting(frame), "ratio_to_peer <= 1.2"),
            ("DuckDB raw query", limit, "ratio_to_peer <= 1.2"),
            ("Polars raw query", partial(raw_polars, frame), None),
        ]
        check(frame, rows[0][1])
        return [
            measure(
                AREA,
                f"read-out, two metrics with CUPED, {users / 1e6:g} M users",
                ours=partial(ours, frame),
                peer=peer,
                limit=limit,
                peer_name=name,
                target=target,
                repeats=2 if quick else 7,
                quick=quick,
            )
            for name, peer, target in rows
        ]


def people(users: int) -> pl.DataFrame:
    """Users in their order, half in each arm; the history explains half of the variance."""
    rng = np.random.default_rng(0)
    before, clicks = rng.exponential(5.0, users), rng.poisson(2.0, users)
    return pl.DataFrame(
        {
            "user": np.arange(users),
            "variant": pl.Series(["old", "new"]).gather(rng.integers(0, 2, users)),
            "revenue": before + rng.exponential(5.0, users),
            "clicks": clicks + rng.poisson(2.0, users).astype(float),
            "revenue_before": before,
            "clicks_before": clicks.astype(float),
        }
    )


def ours(frame: pl.DataFrame):
    """Our read-out."""
    from workbench.experiments.analyse import analyse
    from workbench.experiments.metric import Mean

    metrics = [Mean(name, [f"{name}_before"]) for name in VALUES[:2]]
    return analyse(frame, metrics, expected=SHARES)


def raw_duckdb(database) -> list[tuple]:
    """One pass: all that the statistics need."""
    sides = ", ".join(f"avg({name}), var_samp({name})" for name in VALUES)
    both = ", ".join(f"covar_samp({name}, {name}_before)" for name in VALUES[:2])
    query = f"SELECT variant, count(*), {sides}, {both} FROM people GROUP BY variant"
    return database.execute(query).fetchall()


def raw_polars(frame: pl.DataFrame) -> pl.DataFrame:
    """The same; Polars has variance and covariance by group, each with its own pass."""
    return (
        frame.lazy()
        .group_by("variant")
        .agg(
            pl.len(),
            *(pl.col(name).mean().alias(f"mean {name}") for name in VALUES),
            *(pl.col(name).var().alias(f"variance {name}") for name in VALUES),
            *(pl.cov(name, f"{name}_before").alias(f"with {name}") for name in VALUES[:2]),
        )
        .collect()
    )


def tea_tasting(table):
    """Its read-out of a frame of Polars."""
    import tea_tasting as tt

    experiment = tt.Experiment({name: tt.Mean(name, f"{name}_before") for name in VALUES[:2]})
    return partial(experiment.analyze, table, control="old")


def check(frame: pl.DataFrame, peer) -> None:
    """Raises ValueError unless ours and tea-tasting's are one number."""
    found, expected = ours(frame), peer()
    for name in VALUES[:2]:
        mine = found[f"{name}, CUPED"].effect
        theirs = expected[name]
        pairs = [(mine.low, theirs.effect_size_ci_lower), (mine.p_value, theirs.pvalue)]
        if not all(np.isclose(a, b, rtol=1e-7) for a, b in pairs):
            raise ValueError(f"ours and tea-tasting differ on {name}: {pairs}")
