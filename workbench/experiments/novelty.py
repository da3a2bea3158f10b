"""Does the effect last? Day by day since each user first met the new thing, early against late."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from workbench.experiments.difference import Difference, Moments, difference_in_means
from workbench.tables import one_frame

__all__ = ["Novelty", "novelty"]


@dataclass(frozen=True, slots=True)
class Novelty:
    """The effect by day since exposure.

    Parameters
    ----------
    metric : str
    table : pl.DataFrame
        `day difference low high`: the effect per user on that day, one by one.
    early, late : Difference
        Mean effect per day over the first and the last half of the days.
    change : Difference
        Late minus early, of the same users: its `p_value` tests that the effect lasts.
    """

    metric: str
    table: pl.DataFrame
    early: Difference
    late: Difference
    change: Difference
    confidence: float

    @property
    def ok(self) -> bool:
        """Whether the effect may be taken as lasting: no change beyond chance."""
        return self.change.p_value >= 1 - self.confidence

    @property
    def verdict(self) -> str:
        """Lasts, fades, turns or grows."""
        if self.ok:
            return "no change beyond chance"
        early, late = self.early.difference, self.late.difference
        sure = max(self.early.p_value, self.late.p_value) < 1 - self.confidence
        if early * late < 0 and sure:
            return "THE EFFECT TURNS"
        return "THE EFFECT FADES" if abs(late) < abs(early) else "THE EFFECT GROWS"

    def __repr__(self) -> str:
        days = len(self.table)
        lines = [f"{self.metric}, effect per user and day over {days} days since exposure"]
        for name in ("early", "late", "change"):
            each = getattr(self, name)
            interval = f"[{each.low:+.3g}, {each.high:+.3g}]"
            lines.append(f"{name:<7} {each.difference:+.3g} {interval}, p = {each.p_value:.2g}")
        return "\n".join([*lines, self.verdict])


def novelty(
    table,
    metric: str,
    *,
    expected: Mapping[str, float],
    days: int,
    confidence: float = 0.95,
) -> Novelty:
    """Compare the effect in the first half of the days since exposure with that in the last.

    Parameters
    ----------
    table : polars, pandas or Arrow table
        Columns `user`, `variant`, `day` (whole days since the exposure of that user, from 0) and
        the metric. Days without a row are 0; a user who did nothing has one row of 0. Only users
        who were watched for all the days, or late days lack those who came last.
    metric : str
        A column of numbers, summed per user and day.
    expected : mapping of arm to float
        Two arms; the first is the control.
    days : int
        How many days each user was watched, at least 2; of an odd number the middle one is in
        neither half.
    confidence : float, default 0.95

    Raises
    ------
    ValueError
        If a column is missing or null, a day is outside [0, days), a user is in two arms, an arm
        was not planned or has fewer than two users.

    Notes
    -----
    Kohavi, Tang & Xu (2020), "Trustworthy online controlled experiments", chapter 3 (novelty and
    primacy). Each user is compared with themselves, so that a user's days need not be independent:
    late minus early per user is one number, and Welch's test compares the arms.

    Examples
    --------
    >>> rows = pl.DataFrame({"user": range(400)}).join(pl.DataFrame({"day": range(4)}), how="cross")
    >>> new = pl.col("user") % 2 == 1
    >>> rows = rows.with_columns(
    ...     variant=pl.when(new).then(pl.lit("new")).otherwise(pl.lit("old")),
    ...     clicks=pl.col("user") % 5 + (pl.col("user") + pl.col("day")) % 3
    ...     + pl.when(new & (pl.col("day") < 2)).then(1).otherwise(0))
    >>> novelty(rows, "clicks", expected={"old": 0.5, "new": 0.5}, days=4).verdict
    'THE EFFECT FADES'
    """
    if isinstance(days, bool) or not isinstance(days, int) or days < 2:
        raise ValueError(f"days must be a whole number of at least 2, got {days!r}")
    if len(expected) != 2:
        raise ValueError(f"novelty compares two arms, got {[*expected]}")
    frame = one_frame(table, "table", ["user", "variant", "day", metric])
    _check(frame, metric, expected, days)
    value = pl.col(metric).cast(pl.Float64)
    half = days // 2
    is_early, is_late = pl.col("day") < half, pl.col("day") >= days - half
    users = (
        frame.group_by("user")
        .agg(
            pl.col("variant").first(),
            (pl.col("variant").n_unique() > 1).alias("moved"),
            early=value.filter(is_early).sum() / half,
            late=value.filter(is_late).sum() / half,
        )
        .with_columns(change=pl.col("late") - pl.col("early"))
        .sort("user")
    )
    if users["moved"].any():
        raise ValueError(f"{users['moved'].sum():,} users are in more than one arm: leave them out")
    arms = [users.filter(pl.col("variant") == arm) for arm in expected]
    parts = {
        name: difference_in_means(
            *(Moments(len(arm), arm[name].mean() or 0.0, arm[name].var() or 0.0) for arm in arms),
            confidence=confidence,
        )
        for name in ("early", "late", "change")
    }
    sizes = [len(arm) for arm in arms]
    by_day = _by_day(frame.with_columns(value.alias("_value")), [*expected], sizes, days)
    each = difference_in_means(*by_day, confidence=confidence)
    table = pl.DataFrame(
        {"day": np.arange(days), "difference": each.difference, "low": each.low, "high": each.high}
    )
    return Novelty(metric, table, **parts, confidence=confidence)


def _by_day(frame: pl.DataFrame, arms: list[str], sizes: list[int], days: int) -> list[Moments]:
    """Moments of each arm on each day; who has no row has 0."""
    sums = (
        frame.group_by("variant", "user", "day")
        .agg(pl.col("_value").sum())
        .group_by("variant", "day")
        .agg(first=pl.col("_value").sum(), second=pl.col("_value").pow(2).sum())
    )
    made = []
    for arm, users in zip(arms, sizes, strict=True):
        mine = sums.filter(pl.col("variant") == arm)
        first, second = np.zeros((2, days))
        first[mine["day"]], second[mine["day"]] = mine["first"], mine["second"]
        mean = first / users
        variance = np.maximum(second - users * mean**2, 0.0) / (users - 1)
        made.append(Moments(users, mean, variance))
    return made


def _check(frame: pl.DataFrame, metric: str, expected: Mapping, days: int) -> None:
    for name in ("user", "variant", "day", metric):
        if frame[name].null_count():
            raise ValueError(f"{name!r} is null in {frame[name].null_count():,} rows")
    value, day = frame[metric], frame["day"]
    if not (value.dtype.is_numeric() or value.dtype == pl.Boolean):
        raise ValueError(f"metric {metric!r} must be numbers, got {value.dtype}")
    if value.dtype.is_float() and not value.is_finite().all():
        raise ValueError(f"metric {metric!r} has NaN or infinite values")
    if not day.dtype.is_integer() or not day.is_between(0, days - 1).all():
        raise ValueError(
            f"day must be whole days in [0, {days}), got {day.dtype} up to {day.max()}"
        )
    counts = frame.group_by("variant").agg(pl.col("user").n_unique())
    counts = dict(counts.iter_rows())
    strange = [arm for arm in counts if arm not in expected]
    if strange:
        raise ValueError(f"arm {strange[0]!r} was not planned; the plan has {[*expected]}")
    few = [arm for arm in expected if counts.get(arm, 0) < 2]
    if few:
        raise ValueError(f"arm {few[0]!r} has fewer than two users: nothing to compare")
