"""Users, means and covariances day by day, in one pass over rows with times.

A user counts from the first row on, with the sum of the rows so far. From one day to the next only
the users with new rows change, so the sums of a day are those of the day before plus, for each of
them, what they are now less what they were.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import combinations_with_replacement

import numpy as np
import polars as pl

from workbench.experiments.metric import Mean, columns_of
from workbench.experiments.statistics import Sample
from workbench.tables import one_frame

__all__ = ["Running", "running_moments", "running_samples"]


@dataclass(frozen=True, slots=True)
class Running:
    """What was known at each look.

    Parameters
    ----------
    looks : list of datetime
        Rows before the moment are in.
    samples : mapping of (segment, arm) to Sample
        With one element per look; the segment is None where there are none.
    """

    looks: list[datetime]
    samples: Mapping[tuple, Sample]


def running_moments(table, metric: str, *, every: timedelta = timedelta(days=1)) -> pl.DataFrame:
    """Users, mean and variance of each arm up to each look; see `running_samples`.

    Returns
    -------
    polars.DataFrame
        `look variant users mean variance`; null where there are too few users.

    Examples
    --------
    >>> from datetime import UTC
    >>> day = lambda d: datetime(2026, 3, d, tzinfo=UTC)
    >>> rows = {"user": [1, 2, 1, 3], "variant": "old", "time": [day(1), day(1), day(2), day(2)],
    ...         "spent": [2.0, 4.0, 6.0, 0.0]}
    >>> running_moments(pl.DataFrame(rows), "spent").select("users", "mean", "variance").rows()
    [(2, 3.0, 2.0), (3, 4.0, 16.0)]
    """
    running = running_samples(table, Mean(metric), every=every)
    frames = [
        pl.DataFrame(
            {
                "look": running.looks,
                "variant": arm,
                "users": sample.users.astype(np.int64),
                "mean": sample.means[:, 0],
                "variance": sample.covariance[:, 0, 0],
            },
            schema_overrides={"look": pl.Datetime("us", "UTC")},
        )
        for (_, arm), sample in running.samples.items()
    ]
    return pl.concat(frames).sort("look", maintain_order=True).fill_nan(None)


def running_samples(
    table, metric: Mean, *, every: timedelta = timedelta(days=1), segment: str | None = None
) -> Running:
    """What is needed to read a mean at each look, with or without its covariates.

    Parameters
    ----------
    table : polars, pandas or Arrow table, or polars.LazyFrame
        Columns `user variant time`, the metric, its covariates (one value per user) and the
        segment; any number of rows per user, the first of which is the exposure.
    metric : Mean
        Not winsorised: a quantile of all users is known at the end alone.
    every : timedelta
        Between looks, from the midnight (UTC) before the first row.
    segment : str, optional
        A column with one value per user; samples are then within each.

    Raises
    ------
    ValueError
        If a column is missing or null, a number is not finite, a user has two arms, segments or
        values of a covariate, or `every` is no time.
    """
    if not isinstance(every, timedelta) or every <= timedelta(0):
        raise ValueError(f"every must be a timedelta above zero, got {every!r}")
    if metric.winsorise is not None:
        raise ValueError(f"{metric.name}: a capped metric cannot be read day by day")
    fixed = ["variant", *metric.covariates, *([segment] if segment else [])]
    names = list(dict.fromkeys(["user", "time", metric.column, *fixed]))
    frame = one_frame(table, "table", names).select(names)
    _check(frame, metric)
    time = pl.col("time").dt.convert_time_zone("UTC").dt.cast_time_unit("us")
    begin = frame.select(time.min().dt.truncate("1d")).item()
    look = (time - begin).dt.total_microseconds() // (every // timedelta(microseconds=1))
    users = _one_each(frame, fixed)
    daily = (
        frame.select("user", _look=look, _value=pl.col(metric.column).cast(pl.Float64))
        .group_by("user", "_look")
        .agg(pl.sum("_value"))
        .sort("user", "_look")
        .join(users, on="user", how="left", maintain_order="left")
    )
    changes, keys = _changes(daily, metric)
    groups = [*([segment] if segment else []), "variant"]
    sums = changes.group_by(*groups, "_look").agg(pl.exclude("user").sum())
    count = int(daily["_look"].max()) + 1
    looks = [begin + (number + 1) * every for number in range(count)]
    samples = {}
    for group in changes.select(groups).unique(maintain_order=True).iter_rows():
        mine = sums.filter(pl.col(n).eq(v) for n, v in zip(groups, group, strict=True))
        total = np.zeros((count, len(changes.columns) - len(groups) - 2))
        values = mine.select(pl.exclude(*groups, "_look", "user")).to_numpy()
        total[mine["_look"].to_numpy()] = values
        key = group if segment else (None, *group)
        samples[key] = _sample(total.cumsum(axis=0), keys, _centres(daily, metric))
    return Running(looks, samples)


def _changes(daily: pl.DataFrame, metric: Mean) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """Per user and look: what the sums of users, values and products gain; names of the columns."""
    columns = ["_value", *metric.covariates]
    centre = dict(zip(columns, _centres(daily, metric), strict=True))
    new = daily["user"].is_first_distinct()  # sorted: the first row of each user
    running = _within(daily["_value"].to_numpy(), new.to_numpy())
    after = {"_value": pl.lit(pl.Series(running))}
    after |= {name: pl.col(name).cast(pl.Float64) for name in metric.covariates}
    before = {**after, "_value": after["_value"] - pl.col("_value")}
    new = pl.lit(new.cast(pl.Float64))
    now = {name: value - centre[name] for name, value in after.items()}
    was = {name: (1 - new) * (value - centre[name]) for name, value in before.items()}
    gains = {"_users": new} | {f"_sum {name}": now[name] - was[name] for name in columns}
    gains |= {
        f"_product {one} {other}": now[one] * now[other] - was[one] * was[other]
        for one, other in combinations_with_replacement(columns, 2)
    }
    kept = [name for name in daily.columns if not name.startswith("_") or name == "_look"]
    kept = [name for name in kept if name not in metric.covariates or name == "variant"]
    return daily.select(*kept, **gains), tuple(c.key for c in columns_of(metric))


def _centres(daily: pl.DataFrame, metric: Mean) -> np.ndarray:
    """Provisional means: squares of small numbers keep their digits."""
    return np.array([float(daily[name].mean()) for name in ("_value", *metric.covariates)])


def _sample(total: np.ndarray, keys: tuple[str, ...], centres: np.ndarray) -> Sample:
    """Means and covariances from sums of users, values and products, one row per look."""
    size = len(keys)
    users, first, products = total[:, 0], total[:, 1 : 1 + size], total[:, 1 + size :]
    second = np.empty((len(total), size, size))
    for at, (one, other) in enumerate(combinations_with_replacement(range(size), 2)):
        second[:, one, other] = second[:, other, one] = products[:, at]
    with np.errstate(divide="ignore", invalid="ignore"):
        means = first / users[:, None]
        spread = second - first[:, :, None] * means[:, None, :]
        covariance = spread / (users - 1)[:, None, None]
    covariance[users < 2] = np.nan
    own = np.arange(size)
    covariance[:, own, own] = np.maximum(covariance[:, own, own], 0)
    return Sample(keys, users, means + centres, covariance)


def _check(frame: pl.DataFrame, metric: Mean) -> None:
    if not len(frame):
        raise ValueError("the table has no rows")
    for name in frame.columns:
        if frame[name].null_count():
            raise ValueError(f"{name!r} is null in {frame[name].null_count():,} rows")
    time = frame.schema["time"]
    if not isinstance(time, pl.Datetime) or time.time_zone is None:
        raise ValueError(f"time must have a time zone, got {time}")
    for name in (metric.column, *metric.covariates):
        column = frame[name]
        if not (column.dtype.is_numeric() or column.dtype == pl.Boolean):
            raise ValueError(f"{name!r} must be numbers, got {column.dtype}")
        if column.dtype.is_float() and not column.is_finite().all():
            raise ValueError(f"{name!r} has NaN or infinite values")


def _one_each(frame: pl.DataFrame, fixed: list[str]) -> pl.DataFrame:
    """The columns that have one value per user, a row each."""
    users = frame.select("user", *fixed).unique()
    several = users.filter(pl.col("user").is_duplicated())
    if len(several):
        name = next(
            n for n in fixed if several.select("user", n).n_unique() > several["user"].n_unique()
        )
        why = "leave crossed users out first, see `exposed`"
        why = why if name == "variant" else "it must be known before the user was dealt"
        raise ValueError(f"user {several['user'][0]!r} has two values of {name!r}: {why}")
    return users


def _within(values: np.ndarray, first: np.ndarray) -> np.ndarray:
    """Running sums that begin anew at each `first`; kept small on the way, so digits are kept."""
    mean = values.mean()
    small, starts = np.cumsum(values - mean), np.flatnonzero(first)
    sizes = np.diff(np.append(starts, len(values)))
    before = np.repeat(np.where(starts > 0, small[starts - 1], 0.0), sizes)
    place = np.arange(len(values)) - np.repeat(starts, sizes) + 1
    return small - before + place * mean
