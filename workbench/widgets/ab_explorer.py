"""What an experiment says today, after so many looks: intervals over days, segments, a verdict.

`explore` is pure arithmetic on `Days`; `ab_chart` draws it, `ab_panel` and a marimo app show it. A
slider calls both.

    Days ─► day, looks, adjustment, CUPED ─► View: SRM light, verdict, days, segments
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from workbench.experiments.boundaries import confidence_sequence, group_sequential, msprt
from workbench.experiments.corrections import holm
from workbench.experiments.difference import Moments, difference_in_means
from workbench.experiments.looks import ADJUSTMENTS
from workbench.experiments.sample_ratio import sample_ratio
from workbench.widgets.ab_days import ALL, Days
from workbench.widgets.ab_verdict import false_alarm_rate, verdict_of
from workbench.widgets.ab_view import View

__all__ = ["LEAST_USERS", "View", "explore", "look_days"]

LEAST_USERS = 100  # of each arm: below that an asymptotic interval is not to be believed


def look_days(today: int, looks: int) -> tuple[int, ...]:
    """Evenly spread looks, the last of them today.

    >>> look_days(14, 3)
    (5, 9, 14)
    """
    if not 1 <= looks <= today:
        raise ValueError(f"looks must be between 1 and today, {today}, got {looks}")
    return tuple(round(today * number / looks) for number in range(1, looks + 1))


def explore(
    days: Days,
    metric: str,
    arm: str,
    *,
    planned_users: int,
    today: int | None = None,
    looks: int | None = None,
    adjustment: str = "always_valid",
    cuped: bool = False,
    segment: str = ALL,
    confidence: float = 0.95,
    true_lifts: Sequence[float] | None = None,
) -> View:
    """The view of one metric on one day.

    Parameters
    ----------
    days : Days
        From `days_of`.
    metric, arm : str
    planned_users : int
        Of the control and this arm, in the end. It must come from the plan, not from the data.
    today : int, optional
        From 1; the last day by default.
    looks : int, optional
        How many looks until today, today's included; one a day by default.
    adjustment : {"always_valid", "group_sequential", "fixed"}
        What the verdict goes by.
    cuped : bool
    segment : str
        Column of the forest.
    confidence : float
    true_lifts : sequence of float, optional
        True lift at the end of each day of `days`, where one knows it: `studies.day_by_day`.

    Raises
    ------
    ValueError
        If a name is unknown, or a number out of its range.

    Examples
    --------
    >>> from datetime import UTC, datetime, timedelta
    >>> from workbench.widgets.ab_days import days_of
    >>> n = 4_000
    >>> when = [datetime(2026, 3, 1, tzinfo=UTC) + timedelta(days=user % 4) for user in range(n)]
    >>> table = pl.DataFrame({"user": range(n), "time": when}).with_columns(
    ...     variant=pl.when(pl.col("user") // 4 % 2 == 0).then(pl.lit("old")).otherwise(
    ...         pl.lit("new")), spent=pl.col("user") // 8 % 7 + 0.0)
    >>> table = table.with_columns(pl.col("spent") + (pl.col("variant") == "new") * 0.6)
    >>> days = days_of(table, "spent", expected={"old": 0.5, "new": 0.5})
    >>> explore(days, "spent", "new", planned_users=8_000)
    stop: new is better, on day 1 (always valid)
    users: old 2,000 (50.0%, plan 50.0%), new 2,000 (50.0%, plan 50.0%); p = 1, as dealt
    spent, new, day 4: lift +20.1% [+15.6%, +24.8%], always valid [+13.1%, +27.5%]
    """
    today = days.days if today is None else today
    if not 1 <= today <= days.days:
        raise ValueError(f"today must be a day between 1 and {days.days}, got {today}")
    if adjustment not in ADJUSTMENTS:
        raise ValueError(f"adjustment must be one of {ADJUSTMENTS}, got {adjustment!r}")
    if not planned_users > 0:
        raise ValueError(f"planned_users must be above zero, got {planned_users}")
    if true_lifts is not None and len(true_lifts) != days.days:
        raise ValueError(
            f"true_lifts must have a lift for each of {days.days} days, got {len(true_lifts)}"
        )
    alpha = 1 - confidence
    at = look_days(today, today if looks is None else looks)
    table, z, saved = _over_days(days, metric, arm, today, planned_users, cuped, confidence)
    counts = dict(zip(days.expected, days.users[:, today - 1].astype(int).tolist(), strict=True))
    ratio = sample_ratio(counts, days.expected)
    users = table["users"].to_numpy()
    looked = np.array([*at]) - 1
    able = looked[~np.isnan(z[looked])]
    if len(at) < today or not len(able):
        bounds = _bounds(adjustment, users[able] / planned_users, alpha)
    else:  # the bounds of all days begin with these: computed once
        pair = [0, [*days.expected].index(arm)]
        every = days.users[pair].sum(axis=0)[able[0] :] / planned_users
        bounds = _bounds(adjustment, every, alpha)[: len(able)]
    p_value = table["p_value"].to_numpy()[able]
    share = users[able] / max(users[-1], 1)
    verdict = verdict_of(
        z[able], bounds, users[able] / planned_users, able + 1,
        adjustment=adjustment, arm=arm, sample_ratio=ratio, alpha=alpha,
    )  # fmt: skip
    table = table.with_columns(looked=pl.col("day").is_in([*at]))
    return View(
        metric=metric,
        arm=arm,
        today=today,
        adjustment=adjustment,
        table=table,
        segments=_forest(days, metric, arm, today, cuped, segment, confidence),
        sample_ratio=ratio,
        verdict=verdict,
        looks=at,
        bounds=tuple(bounds.tolist()),
        false_alarm=false_alarm_rate(tuple(share.tolist()), alpha),
        claims=int((p_value < alpha).sum()),
        saved=float(np.nan_to_num(saved)),
        planned_users=int(planned_users),
        confidence=confidence,
        true_lifts=() if true_lifts is None else tuple(float(each) for each in true_lifts[:today]),
    )


def _over_days(days, metric, arm, today, planned, cuped, confidence):
    """The table, z of each day, and what CUPED saved today."""
    both = days.moments(metric, arm, cuped=cuped)
    first, second = both.control, both.treatment
    n0, n1, mean0, mean1, var0, var1 = (
        np.asarray(each, float)[0, :today]
        for each in (first.users, second.users, first.mean, second.mean,
                     first.variance, second.variance)
    )  # fmt: skip
    naive = difference_in_means(
        Moments(n0, mean0, var0), Moments(n1, mean1, var1), confidence=confidence
    )
    users, alpha = n0 + n1, 1 - confidence
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = var0 / n0 + var1 / n1
        z = np.asarray(naive.difference) / np.sqrt(variance)
        logs = np.sqrt(var0 / n0 / mean0**2 + var1 / n1 / mean1**2)
    z = np.where((variance == 0) & (naive.difference == 0), 0.0, z)
    few = np.minimum(n0, n1) < LEAST_USERS
    wide = confidence_sequence(np.maximum(users, 1), 1.0, tuned_at=planned, alpha=alpha)
    wide = np.where(few, np.nan, wide)  # in standard errors: the same for difference and lift
    ratio = np.asarray(naive.lift, float) + 1
    with np.errstate(over="ignore", invalid="ignore"):
        factor = np.exp(wide * logs)
    valid_p = np.where(np.isinf(z) & ~few, 0.0, 1.0)
    usable = np.flatnonzero(np.isfinite(z) & ~few)
    if len(usable):
        # the mixture of the confidence sequence: tau^2 = t rho^2 v, in units of the error
        wanted = -2 * np.log(alpha)
        tau = np.sqrt(users[usable] * (wanted + np.log(wanted) + 1) / planned)
        _, found = msprt(z[usable], 1.0, tau=tau, alpha=alpha)
        valid_p[usable] = found
    table = pl.DataFrame(
        {
            "day": np.arange(1, today + 1),
            "users": users.astype(int),
            "control_mean": mean0,
            "arm_mean": mean1,
            "lift": ratio - 1,
            "low": np.asarray(naive.lift_low, float),
            "high": np.asarray(naive.lift_high, float),
            "valid_low": ratio / factor - 1,
            "valid_high": ratio * factor - 1,
            "p_value": np.asarray(naive.p_value, float),
            "valid_p_value": np.minimum.accumulate(valid_p),
            "difference": np.asarray(naive.difference, float),
        }
    )
    return table, np.where(few, np.nan, z), np.asarray(both.reduction)[0, today - 1]


def _bounds(adjustment: str, share: np.ndarray, alpha: float) -> np.ndarray:
    """Standard errors to be from zero at each look, shape (looks,)."""
    from scipy.stats import norm

    if not len(share):
        return np.zeros(0)
    if adjustment == "always_valid":
        return np.asarray(confidence_sequence(share, 1.0, tuned_at=1.0, alpha=alpha))
    if adjustment == "fixed":
        return np.where(share >= 1, norm.isf(alpha / 2), np.inf)
    capped, bounds = np.minimum(share, 1.0), np.full(len(share), np.inf)
    kept = np.append(True, np.diff(capped) > 0)  # after the first full look nothing is left
    bounds[kept] = group_sequential(capped[kept], alpha)
    over = np.flatnonzero(capped >= 1)
    bounds[over] = bounds[over[0]] if len(over) else bounds[over]
    return bounds


def _forest(days, metric, arm, today, cuped, segment, confidence) -> pl.DataFrame:
    """Lift by value of a segment, everybody first; p by itself and after Holm."""
    rows = []
    for column in dict.fromkeys((ALL, segment)):
        both = days.moments(metric, arm, cuped=cuped, segment=column)
        effect = difference_in_means(both.control, both.treatment, confidence=confidence)
        users = np.asarray(both.control.users + both.treatment.users)
        numbers = (effect.lift, effect.lift_low, effect.lift_high, effect.p_value)
        told = [np.asarray(each, float)[:, today - 1] for each in numbers]
        rows += zip(days.segments[column], users[:, today - 1].astype(int), *told, strict=True)
    names = ["value", "users", "lift", "low", "high", "p_value"]
    forest = pl.DataFrame(rows, names, orient="row")
    if len(forest) == 1:
        return forest.with_columns(p_holm="p_value")
    corrected = np.append(np.nan, holm(forest["p_value"].to_numpy()[1:]))
    return forest.with_columns(p_holm=pl.Series(corrected))
