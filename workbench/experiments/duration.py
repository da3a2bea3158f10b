"""How many days must the experiment run? From one's own log: its variance, its traffic.

    first d days of the log ─► one number per user ─► mean, variance, users ─► what d days can see

Both move with the days: a user who was there yesterday is not new today, and sums per user grow.
So the log is read as if the experiment had begun on its first day, once for every day.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from numbers import Real

import numpy as np
import polars as pl
from numpy.typing import ArrayLike

from workbench.experiments.cuped import adjust
from workbench.experiments.difference import plain
from workbench.experiments.metric import Mean, Metric, as_metrics, columns_of
from workbench.experiments.planning import Design, minimum_detectable_effect, sample_size
from workbench.experiments.running import running_samples
from workbench.experiments.statistics import Sample, statistics
from workbench.tables import lazy_frame

__all__ = ["Duration", "duration", "duration_days"]

_USUAL = Design()
_PARTS = ("users", "means", "covariance")


@dataclass(frozen=True)
class Duration:
    """What every number of days can see, and the first that is enough.

    `table` has a row a day: `days`, `users` in the experiment, `mean`, `variance` (after CUPED),
    `reduction` (the share of the variance that CUPED takes, and so of the users),
    `minimum_detectable_effect`, the same as `lift` (NaN for a mean of 0), and `in_log`: False where
    it is beyond the log. `days` is None if the traffic dried up before it was enough.
    """

    table: pl.DataFrame
    metric: str
    days: int | None
    effect: float
    design: Design

    def __repr__(self) -> str:
        table, design = self.table, self.design
        log = table.filter("in_log")
        last = log.row(-1, named=True)
        mean = table["mean"][min(self.days or log.height, table.height) - 1]
        share = f" ({self.effect / abs(mean):+.2%})" if mean else ""
        test = f"a loss of {design.margin:.3g} ruled out" if design.margin else "seen"
        when = "never: no new users come" if self.days is None else f"{self.days} days"
        if self.days is not None:
            weeks = -(-self.days // 7)
            when += f", in whole weeks {7 * weeks}"
        lines = [
            f"{self.metric}: {when}",
            f"an effect of {self.effect:+.3g}{share}, {test} with power {design.power:.0%}, "
            f"alpha {design.alpha:.3g}",
            f"log of {log.height} days: {last['users']:,.0f} users, mean {last['mean']:.3g}, "
            f"variance {last['variance']:.3g}"
            + (f", CUPED saves {last['reduction']:.0%} of users" if last["reduction"] else ""),
            f"{'days':>6}{'users':>13}{'smallest effect':>18}{'lift':>9}",
        ]
        wanted = {1, 2, 7, 14, 28, log.height, self.days}
        for row in table.filter(pl.col("days").is_in([day for day in wanted if day])).rows():
            days, users, _, _, _, least, lift, in_log = row
            lines.append(
                f"{days:>6}{users:>13,.0f}{least:>18.3g}{lift:>+9.2%}"
                f"{'' if in_log else '  beyond the log'}"
            )
        return "\n".join(lines)


def duration(
    table,
    metric: str | Metric,
    *,
    effect: float | None = None,
    lift: float | None = None,
    traffic_share: float = 1.0,
    design: Design = _USUAL,
) -> Duration:
    """Days until the experiment can see the effect, if it goes as in the log.

    Parameters
    ----------
    table : polars, pandas or Arrow table, or polars.LazyFrame
        Rows with `user`, `time` and the metric's columns, of whole days, also of those users who
        came and did nothing (0): they will be in the experiment too.
    metric : str or Metric
        One; with covariates the variance is that after CUPED. A ratio's is of the delta method.
    effect : float, optional
        The difference to plan for, in the metric's unit.
    lift : float, optional
        The same as a share of the mean (0.02: two per cent): better where sums per user grow with
        the days. Give one of the two.
    traffic_share : float, default 1
        Share of all users who are in the experiment at all, in (0, 1].
    design : Design
        How it will be tested.

    Returns
    -------
    Duration
        Its repr is the report.

    Raises
    ------
    ValueError
        Unless one effect is given, or the table has no rows or times, or is not as `statistics`
        wants it.

    Notes
    -----
    A mean is read in one pass, anything else once for every day. Beyond the log: mean and variance
    of its last day, and new users at the rate of its last seven days (`duration_days`).

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> rng = np.random.default_rng(0)
    >>> user, day = rng.integers(0, 5_000, 20_000), np.sort(rng.integers(0, 14, 20_000))
    >>> time = [datetime(2026, 3, 1, tzinfo=UTC) + timedelta(days=int(each)) for each in day]
    >>> log = pl.DataFrame({"user": user, "time": time, "spent": rng.exponential(5, 20_000)})
    >>> duration(log, "spent", lift=0.08).days
    6
    """
    metrics = as_metrics(metric)
    if len(metrics) != 1:
        raise ValueError(f"metric must be one metric, got {len(metrics)}")
    if not 0 < traffic_share <= 1:
        raise ValueError(f"traffic_share must be in (0, 1], got {traffic_share}")
    given = [each for each in (effect, lift) if each is not None]
    if len(given) != 1 or not isinstance(given[0], Real) or not np.isfinite(given[0]):
        raise ValueError(f"give effect or lift, a finite number, got {effect!r} and {lift!r}")
    log = _by_day(table, metrics[0], traffic_share)
    target = _share_of(lift, log["mean"].to_numpy()) if effect is None else float(effect)
    target = np.broadcast_to(target, log.height)
    least = minimum_detectable_effect(log["users"], log["variance"], design=design)
    wanted = target if design.margin is not None else np.abs(target)
    enough = np.flatnonzero(least <= wanted)
    variance, last = log["variance"][-1], float(target[-1])
    users = sample_size(last, variance, design=design)  # raises for an effect of 0
    if len(enough):
        days, last = int(enough[0]) + 1, float(target[enough[0]])
    else:
        days = duration_days(users, log["users"])
        days = None if np.isinf(days) else max(int(days), log.height + 1)
    table = _beyond(log, days)
    curve = minimum_detectable_effect(table["users"], table["variance"], design=design)
    table = table.with_columns(minimum_detectable_effect=pl.Series(curve)).with_columns(
        lift=pl.when(pl.col("mean") != 0)
        .then(pl.col("minimum_detectable_effect") / pl.col("mean").abs())
        .otherwise(float("nan"))
    )
    table = table.select(pl.exclude("in_log"), "in_log")
    return Duration(table, metrics[0].name, days, last, design)


def duration_days(users: ArrayLike, arrived: ArrayLike) -> float | np.ndarray:
    """Days until so many different users have come.

    Parameters
    ----------
    users : float or array
        Needed, as `sample_size` says.
    arrived : array-like, shape (days,)
        How many different users had come by the end of each day.

    Returns
    -------
    float or ndarray
        Whole days, at least one. After the last, users come at the mean rate of the last seven;
        infinity if nobody new did.

    Raises
    ------
    ValueError
        If `arrived` is empty, falls or is not finite, or `users` is negative or NaN.

    Examples
    --------
    >>> duration_days([500, 1_000, 2_200], arrived=[600, 1_000, 1_200]).tolist()
    [1.0, 2.0, 6.0]
    """
    users, arrived = np.asarray(users, float), np.asarray(arrived, float)
    if np.any(np.isnan(users)) or np.any(users < 0):
        raise ValueError(f"users must be 0 or more, got {users}")
    if arrived.ndim != 1 or not len(arrived) or not np.isfinite(arrived).all():
        raise ValueError(f"arrived must be a row of finite numbers, got {arrived}")
    if arrived[0] < 0 or np.any(np.diff(arrived) < 0):
        raise ValueError("arrived counts users so far: it must not be negative or fall")
    inside = np.searchsorted(arrived, users) + 1.0
    week = np.concatenate([[0.0], arrived])[-8:]
    rate = (week[-1] - week[0]) / (len(week) - 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        later = len(arrived) + np.ceil((users - arrived[-1]) / rate)
    return plain(np.where(users <= arrived[-1], inside, later))


def _by_day(table, metric: Metric, traffic_share: float) -> pl.DataFrame:
    """Users, mean, variance and reduction of the first day, the first two, ..., as far as goes."""
    names = list(dict.fromkeys(["user", "time", *(each.name for each in columns_of(metric))]))
    frame = lazy_frame(table, "table", names)
    kind = frame.collect_schema()["time"]
    if not isinstance(kind, pl.Datetime) or kind.time_zone is None:
        raise ValueError(f"time must be dates with hours and a zone, got {kind}")
    time = pl.col("time")
    frame = frame.with_columns(time.dt.convert_time_zone("UTC"), variant=pl.lit("all"))
    first, last, nulls = frame.select(
        time.min().alias("first"), time.max().alias("last"), time.null_count().alias("nulls")
    ).collect().row(0)  # fmt: skip
    if nulls or first is None:
        raise ValueError(f"time is null in {nulls} rows" if nulls else "table has no rows")
    if isinstance(metric, Mean) and metric.winsorise is None:
        [sample] = running_samples(frame, metric).samples.values()
    else:
        midnight = first.replace(hour=0, minute=0, second=0, microsecond=0)
        days = range(1, (last - midnight) // timedelta(days=1) + 2)
        until = [pl.lit(midnight + timedelta(days=each)) for each in days]
        each = [statistics(frame.filter(time < end), metric).samples for end in until]
        parts = ([getattr(one, name) for one in each] for name in _PARTS)
        sample = Sample(each[0].columns, *(np.concatenate(part) for part in parts))
    made = adjust(sample, sample, metric)
    return pl.DataFrame(
        {
            "days": np.arange(1, len(sample.users) + 1),
            "users": np.asarray(sample.users, float) * traffic_share,
            "mean": np.asarray(made.control.mean, float),
            "variance": np.nan_to_num(made.control.variance),  # NaN of a single user: none yet
            "reduction": np.asarray(made.reduction, float),
        }
    ).with_columns(in_log=pl.lit(True))


def _beyond(log: pl.DataFrame, days: int | None) -> pl.DataFrame:
    """The log's days and those after it, at most a year, until the last that is needed."""
    more = min((days or 0) - log.height, 365)
    if more <= 0:
        return log
    week = np.concatenate([[0.0], log["users"].to_numpy()])[-8:]
    after = np.arange(1, more + 1)
    last = log.tail(1).drop("days", "users", "in_log")
    rows = pl.DataFrame(
        {"days": log.height + after, "users": week[-1] + after * np.diff(week).mean()}
    )
    rows = rows.join(last, how="cross").with_columns(in_log=pl.lit(False))
    return pl.concat([log, rows.select(log.columns)])


def _share_of(lift: float, mean: np.ndarray) -> np.ndarray:
    if mean[-1] == 0:
        raise ValueError("lift is a share of the mean, and that is 0: give effect")
    return lift * np.abs(mean)
