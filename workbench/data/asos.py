"""The ASOS Digital Experiments Dataset: what 78 real A/B tests read at each look.

Summaries, not events: nobody's actions are in it, so it is no set of `workbench.data.public`.

    one row as published                        ──► readings: a row per comparison and look
    experiment, variant, metric, time,                       in the vocabulary
    count, mean and variance of both arms       ──► moments:  of one comparison, for `looks`

Liu, Cardoso, Couturier & McCoy (2021), "Datasets for online controlled experiments", NeurIPS
Datasets and Benchmarks (arXiv:2111.10198). Moments are cumulative; metric 1 is 0 or 1, 2 and 3 are
counts, 4 is a real number; which they are, and which shares were planned, is not published.
"""

from __future__ import annotations

import polars as pl

from workbench.data.download import fetch
from workbench.data.sources import SOURCES

__all__ = ["moments", "readings", "table"]

_COMPARISON = ["experiment", "arm", "metric"]


def table() -> pl.DataFrame:
    """The file as published: 24,153 rows, its own columns and names.

    Raises
    ------
    ValueError
        If the file is not the one that was published.
    OSError
        If it must be fetched and cannot be.
    """
    folder = fetch(SOURCES["asos"])
    return pl.read_parquet(folder / "asos_digital_experiments_dataset.parquet")


def readings(published: pl.DataFrame | None = None, *, daily: bool = True) -> pl.DataFrame:
    """Each comparison at each look, as far as it can be read.

    Parameters
    ----------
    published : polars.DataFrame, optional
        As `table` gives it; fetched by default.
    daily : bool, default True
        Only the last reading of each day; otherwise all, every twelve hours in most experiments.

    Returns
    -------
    polars.DataFrame
        `experiment arm metric day users_control users_arm mean_control mean_arm variance_control
        variance_arm`, by comparison and day (since the start). Left out: readings without a
        variance, or with fewer than two users in an arm, or fewer than at an earlier reading.

    Examples
    --------
    >>> one = {"experiment_id": "a", "variant_id": 1, "metric_id": 4,
    ...        "time_since_start": [0.5, 1.0], "count_c": [10.0, 20.0],
    ...        "count_t": [11.0, 19.0], "mean_c": 1.0, "mean_t": 2.0,
    ...        "variance_c": [3.0, None], "variance_t": 3.0}
    >>> readings(pl.DataFrame(one)).select("experiment", "day", "users_arm").rows()
    [('a', 0.5, 11)]
    """
    published = table() if published is None else published
    users = [pl.col(f"count_{side}").cast(pl.Int64) for side in "ct"]
    numbers = [f"{what}_{side}" for what in ("mean", "variance") for side in "ct"]
    frame = (
        published.filter(
            pl.all_horizontal(pl.col(numbers).is_finite().fill_null(False)),
            pl.min_horizontal("count_c", "count_t") >= 2,
        )
        .select(
            pl.col("experiment_id").alias("experiment"),
            pl.col("variant_id").alias("arm"),
            pl.col("metric_id").alias("metric"),
            pl.col("time_since_start").alias("day"),
            users[0].alias("users_control"),
            users[1].alias("users_arm"),
            *(
                pl.col(f"{what}_{short}").alias(f"{what}_{side}")
                for what in ("mean", "variance")
                for short, side in (("c", "control"), ("t", "arm"))
            ),
        )
        .sort(*_COMPARISON, "day")
    )
    total = pl.col("users_control") + pl.col("users_arm")
    frame = frame.filter(total >= total.cum_max().over(_COMPARISON))
    if not daily:
        return frame
    day = pl.col("day").ceil()
    return frame.filter(pl.col("day") == pl.col("day").max().over(*_COMPARISON, day))


def moments(frame: pl.DataFrame, experiment: str, *, arm: int, metric: int) -> pl.DataFrame:
    """One comparison of `readings` as `look variant users mean variance`, for `looks`.

    Raises
    ------
    ValueError
        If there is no such comparison.
    """
    same = (pl.col("experiment") == experiment) & (pl.col("arm") == arm)
    mine = frame.filter(same & (pl.col("metric") == metric))
    if mine.is_empty():
        raise ValueError(f"there is no comparison {experiment!r}, arm {arm}, metric {metric}")
    sides = [
        mine.select(
            look="day",
            variant=pl.lit(side),
            **{what: pl.col(f"{what}_{side}") for what in ("users", "mean", "variance")},
        )
        for side in ("control", "arm")
    ]
    return pl.concat(sides)
