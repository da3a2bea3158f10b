"""What a plan takes from the log: mean and variance of a metric, what CUPED saves, new users a day.

log of one's own users ─► baseline          one number per user, as the experiment will count it
                       ─► entries           users by the day they first came
                       ─► plan_by_day       longer is not only more users: sums grow too
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import ArrayLike

from workbench.experiments.cuped import adjust
from workbench.experiments.metric import Metric, as_metrics
from workbench.experiments.planning import Design, minimum_detectable_effect
from workbench.experiments.running import running_moments
from workbench.experiments.statistics import statistics
from workbench.tables import one_frame

__all__ = ["Baseline", "baseline", "duration_days", "entries", "plan_by_day"]


@dataclass(frozen=True, slots=True)
class Baseline:
    """A metric before the experiment: `variance` is of one user, without what CUPED takes away."""

    metric: str
    users: int
    mean: float
    variance: float
    reduction: float  # share of the variance that the covariates explain: give it to `Design`

    def __repr__(self) -> str:
        head = f"{self.metric}: {self.users:,} users, mean {self.mean:.3g}"
        spread = f"{head}, standard deviation {math.sqrt(self.variance):.3g}"
        return f"{spread}, covariates explain {self.reduction:.1%}"


def baseline(table, metric: str | Metric) -> Baseline:
    """Mean and variance per user of a metric in a log without arms.

    Take as many days as the experiment shall have: sums per user grow with time.

    Parameters
    ----------
    table : polars, pandas or Arrow table, or polars.LazyFrame
        `user` and the metric's columns; rows of one user are summed.
    metric : str or Metric
        A ratio has the variance of the delta method; covariates give `reduction`.

    Raises
    ------
    ValueError
        If the table is not as it must be, see `analyse`, or has fewer than two users.

    Examples
    --------
    >>> frame = pl.DataFrame({"user": [1, 2, 3, 3], "spent": [1.0, 3.0, 2.0, 3.0]})
    >>> baseline(frame, "spent")
    spent: 3 users, mean 3, standard deviation 2, covariates explain 0.0%
    """
    (wanted,) = as_metrics(metric)
    frame = table if isinstance(table, pl.LazyFrame) else one_frame(table, "table")
    sample = statistics(frame.with_columns(variant=pl.lit("all")), wanted).sample(variant="all")
    if sample is None or sample.users < 2:
        raise ValueError("a variance needs at least two users")
    whole = adjust(sample, sample, wanted)
    left = float(whole.control.variance)
    reduction = float(whole.reduction)
    raw = left / (1 - reduction) if reduction < 1 else left
    return Baseline(wanted.name, int(sample.users), float(whole.control.mean), raw, reduction)


def entries(table) -> pl.DataFrame:
    """New users of each day (UTC): `day users`, days without any included.

    Parameters
    ----------
    table : polars, pandas or Arrow table, or polars.LazyFrame
        `user time`; a user enters on the day of the first row, as in an experiment that began with
        the log.

    Raises
    ------
    ValueError
        If a column is missing or null, or there are no rows.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> time = [datetime(2026, 3, day, tzinfo=UTC) for day in (1, 1, 2, 4)]
    >>> entries(pl.DataFrame({"user": [1, 2, 1, 3], "time": time}))["users"].to_list()
    [2, 0, 0, 1]
    """
    if isinstance(table, pl.LazyFrame):
        table = table.select("user", "time").collect()
    frame = one_frame(table, "table", ["user", "time"]).select("user", "time")
    if not len(frame) or any(frame.null_count().row(0)):
        raise ValueError("user and time must be there, and not null, in at least one row")
    first = frame.group_by("user").agg(pl.col("time").min().dt.convert_time_zone("UTC").dt.date())
    last = frame["time"].dt.convert_time_zone("UTC").dt.date().max()
    days = pl.DataFrame({"day": pl.date_range(first["time"].min(), last, eager=True)})
    counts = first.group_by(pl.col("time").alias("day")).agg(users=pl.len().cast(pl.Int64))
    return days.join(counts, on="day", how="left", maintain_order="left").fill_null(0)


def duration_days(
    users: ArrayLike, new_users: ArrayLike, *, traffic_share: float = 1.0, tail_days: int = 7
) -> np.ndarray:
    """Days until so many users have come, shape of `users`; infinite if they never will.

    Parameters
    ----------
    users : array-like
        That the experiment needs, both arms.
    new_users : array-like, shape (days,)
        By day of entry, from `entries`: many on the first days, when everybody is new.
    traffic_share : float
        Share of the users who are in the experiment, in (0, 1].
    tail_days : int
        Beyond the log each day brings as many as the mean of its last days.

    Raises
    ------
    ValueError
        If counts are negative or missing, or a number is out of range.

    Examples
    --------
    >>> duration_days([900, 1_200, 1_500], [1_000, 200, 100], tail_days=1).tolist()
    [1.0, 2.0, 5.0]
    """
    users, daily = np.asarray(users, float), np.asarray(new_users, float)
    if daily.ndim != 1 or not len(daily) or not (np.isfinite(daily) & (daily >= 0)).all():
        raise ValueError("new_users must be counts of at least one day")
    if not 0 < traffic_share <= 1:
        raise ValueError(f"traffic_share must be in (0, 1], got {traffic_share}")
    if not (users > 0).all():  # NaN is not above zero either
        raise ValueError(f"users must be above zero, got {users}")
    if tail_days < 1:
        raise ValueError(f"tail_days must be at least 1, got {tail_days}")
    needed, total = users / traffic_share, np.cumsum(daily)
    within = np.searchsorted(total, needed * (1 - 1e-12)) + 1.0
    rate = daily[-tail_days:].mean()
    with np.errstate(divide="ignore"):
        beyond = len(daily) + np.ceil(np.round((needed - total[-1]) / rate, 9))
    return np.where(needed <= total[-1], within, beyond)[()]


def plan_by_day(table, metric: str, design: Design | None = None) -> pl.DataFrame:
    """Smallest effect that each length of experiment would find, from the log's own first days.

    Parameters
    ----------
    table : polars, pandas or Arrow table, or polars.LazyFrame
        `user time` and the metric, from the day on which the experiment might have begun.
    metric : str
        Summed per user.
    design : Design, optional

    Returns
    -------
    polars.DataFrame
        `day users mean variance minimum_detectable_effect minimum_detectable_lift`; days on which
        nothing can be told (one user, no variance) have nulls, a mean not above zero no lift.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> time = [datetime(2026, 3, 1 + row // 4, tzinfo=UTC) for row in range(8)]
    >>> frame = pl.DataFrame({"user": range(8), "time": time, "spent": [1.0, 3.0] * 4})
    >>> plan_by_day(frame, "spent").select("day", "users").rows()
    [(1, 4), (2, 8)]
    """
    lazy = table.lazy() if isinstance(table, (pl.DataFrame, pl.LazyFrame)) else None
    lazy = one_frame(table, "table").lazy() if lazy is None else lazy
    days = running_moments(lazy.with_columns(variant=pl.lit("all")), metric)
    usable = (pl.col("variance") > 0) & (pl.col("users") > 1)
    known = days.with_row_index("_row").filter(usable)
    effect = minimum_detectable_effect(known["users"], known["variance"], design)
    effects = known.select("_row", minimum_detectable_effect=pl.Series(np.atleast_1d(effect)))
    joined = days.with_row_index("_row").join(effects, on="_row", how="left", maintain_order="left")
    lift = pl.col("minimum_detectable_effect") / pl.col("mean")
    return joined.select(
        (pl.col("_row").cast(pl.Int64) + 1).alias("day"), "users", "mean", "variance",
        "minimum_detectable_effect",
        minimum_detectable_lift=pl.when(pl.col("mean") > 0).then(lift),
    )  # fmt: skip
