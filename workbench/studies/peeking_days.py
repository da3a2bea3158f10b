"""A/A tests on one's own log: deal what has happened again and again, and watch it day by day.

    rows of a period in which all were treated alike ─► dealt by a hash, many times ─► p of each day

Nothing differs, so whatever such a test claims is false; how often it does is the price of reading
it this way, on these people and this metric. Unlike in the arena, where each look has new people
(`arena_readings`), people come back here: a person counts from the first row on, with all so far.
"""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import polars as pl

from workbench.assign import assign
from workbench.experiments.difference import Moments, difference_in_means
from workbench.tables import one_frame

__all__ = ["watched_twins"]

_TOGETHER = 64  # experiments in one matrix product
_ARMS = ("A", "B")


def watched_twins(
    table, metric: str, *, count: int, share: float = 0.5, salt: str = "A/A",
    every: timedelta = timedelta(days=1),
) -> pl.DataFrame:  # fmt: skip
    """What many A/A tests show at each look.

    Parameters
    ----------
    table : polars, pandas or Arrow table
        `user time` and the metric, any number of rows per user; the first is the exposure.
    metric : str
        Numbers, summed per user.
    count : int
        Tests; number i deals by `assign(users, {"A": …, "B": …}, salt=f"{salt}/{i}")`.
    share : float
        Of "B".
    every : timedelta
        Between looks, from the midnight (UTC) before the first row.

    Returns
    -------
    DataFrame, shape (count * looks, 7)
        `experiment day users_control users_arm difference variance p_value`; `day` counts looks
        from 1, p is Welch's, as if it were the only look, and null where an arm has fewer than two
        users.

    Raises
    ------
    ValueError
        If a column is missing or null, the metric is no finite number, time has no zone, there are
        no rows, `count` is below 1, the share is outside (0, 1), or `every` is no time.

    Notes
    -----
    Sums are exact, whatever the order of adding: values are centred and rounded to multiples of
    2**-52 of their sum, as in `marketplace.redeal`. Users x looks numbers are held in memory.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> when = [datetime(2026, 3, 1 + n % 3, tzinfo=UTC) for n in range(300)]
    >>> rows = pl.DataFrame({"user": range(300), "time": when}).with_columns(spent=1.0)
    >>> watched_twins(rows, "spent", count=2).select("experiment", "day", "users_arm").rows()[:3]
    [(0, 1, 51), (0, 2, 107), (0, 3, 152)]
    """
    if not isinstance(count, int) or count < 1 or not 0 < share < 1:
        raise ValueError(f"need count >= 1 and share in (0, 1), got {count!r} and {share}")
    if not isinstance(every, timedelta) or every <= timedelta(0):
        raise ValueError(f"every must be a timedelta above zero, got {every!r}")
    users, present, sums = _until_each_look(table, metric, every)
    looks = sums.shape[1]
    columns, centre = _exact(present, sums)
    everybody = columns.sum(axis=0)
    sides = []
    for first in range(0, count, _TOGETHER):
        numbers = range(first, min(first + _TOGETHER, count))
        shares = dict(zip(_ARMS, (1 - share, share), strict=True))
        dealt = [assign(users, shares, salt=f"{salt}/{number}") == "B" for number in numbers]
        arm = np.stack(dealt).astype(float) @ columns
        sides.append((everybody - arm, arm))
    control, arm = (
        _moments(np.concatenate(side), looks, centre) for side in zip(*sides, strict=True)
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        found = difference_in_means(control, arm)
        variance = control.variance / control.users + arm.variance / arm.users
    return pl.DataFrame(
        {
            "experiment": np.repeat(np.arange(count), looks),
            "day": np.tile(np.arange(1, looks + 1), count),
            "users_control": control.users.astype(int),
            "users_arm": arm.users.astype(int),
            "difference": np.asarray(found.difference, float),
            "variance": variance,
            "p_value": np.asarray(found.p_value, float),
        }
    ).with_columns(pl.col("difference", "variance", "p_value").fill_nan(None))


def _until_each_look(table, metric: str, every: timedelta):
    """Users, who is there by each look, and their sums until then, arrays (users, looks)."""
    frame = one_frame(table, "table", ["user", "time", metric]).select("user", "time", metric)
    if not len(frame):
        raise ValueError("the table has no rows")
    for name in frame.columns:
        if frame[name].null_count():
            raise ValueError(f"{name!r} is null in {frame[name].null_count():,} rows")
    kind = frame.schema["time"]
    if not isinstance(kind, pl.Datetime) or kind.time_zone is None:
        raise ValueError(f"time must have a time zone, got {kind}")
    value = frame[metric]
    if not value.dtype.is_numeric() or not value.cast(pl.Float64).is_finite().all():
        raise ValueError(f"{metric!r} must be finite numbers, got {value.dtype}")
    time = pl.col("time").dt.convert_time_zone("UTC").dt.cast_time_unit("us")
    begin = frame.select(time.min().dt.truncate("1d")).item()
    look = (time - begin).dt.total_microseconds() // (every // timedelta(microseconds=1))
    per_day = frame.group_by("user", look=look).agg(pl.col(metric).cast(pl.Float64).sum())
    per_day = per_day.sort("user", "look")
    users = per_day["user"].unique(maintain_order=True)
    at = per_day["user"].rle_id().to_numpy()
    shape = (len(users), int(per_day["look"].max()) + 1)
    gained, there = np.zeros(shape), np.zeros(shape)
    gained[at, per_day["look"].to_numpy()] = per_day[metric].to_numpy()
    there[at, per_day["look"].to_numpy()] = 1.0
    return users.to_numpy(), np.maximum.accumulate(there, axis=1), gained.cumsum(axis=1)


def _exact(present: np.ndarray, sums: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Users, centred values and their squares at each look, (users, 3 * looks); the centres."""
    centre = (sums * present).sum(axis=0) / np.maximum(present.sum(axis=0), 1)
    value = (sums - centre) * present
    columns = np.concatenate([present, value, value**2], axis=1)
    total = np.abs(columns).sum(axis=0)
    step = np.exp2(np.ceil(np.log2(np.where(total > 0, total, 1.0))) - 52)
    return np.round(columns / step) * step, centre


def _moments(summed: np.ndarray, looks: int, centre: np.ndarray) -> Moments:
    """Users, means and variances, flat: experiment by experiment, look by look."""
    users, first, second = (summed[:, at * looks : (at + 1) * looks] for at in range(3))
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = first / users
        variance = np.maximum(second - users * mean**2, 0) / (users - 1)
    variance = np.where(users > 1, variance, np.nan)
    return Moments(users.ravel(), (mean + centre).ravel(), variance.ravel())
