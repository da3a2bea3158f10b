"""Experiments to look at in the A/B explorer, and one that is dealt from a shop one has played.

The quick ones are hashed numbers: two have a true lift by construction, the third has lost users.
In a shop everybody lives through both pages, so the truth of each day is a number.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import polars as pl

from workbench.assign import assign, uniform
from workbench.studies.day_by_day import day_by_day, true_lifts

__all__ = ["DEMOS", "Demo", "ab_demo", "of_a_shop"]

DAYS, USERS, SHARES = 28, 20_000, {"old": 0.5, "new": 0.5}
DEMOS = ("a better page", "no difference", "a page that loses users")


@dataclass(frozen=True, slots=True)
class Demo:
    """Rows `user variant time`, a metric and what was known before; the plan; the truth if any.

    `true_lifts` are those of `metric` at the end of each day.
    """

    table: pl.DataFrame
    metric: str
    planned_users: int
    true_lifts: tuple[float, ...] | None


def ab_demo(name: str) -> Demo:
    """One of `DEMOS`, the same on every machine.

    Raises ValueError for another name.

    >>> shown = ab_demo("no difference")
    >>> shown.table.columns, shown.true_lifts[-1]
    (['user', 'variant', 'device', 'spent', 'spent_before', 'time'], 0.0)
    """
    if name not in DEMOS:
        raise ValueError(f"name must be one of {[*DEMOS]}, got {name!r}")
    lift = 0.05 if name == DEMOS[0] else 0.0
    table = _hashed(lift)
    if name != DEMOS[2]:
        return Demo(table, "spent", USERS, (lift,) * DAYS)
    lost = (pl.col("variant") == "new") & (pl.col("user") % 12 == 0)
    return Demo(table.filter(~lost), "spent", USERS, None)


def of_a_shop(outcomes: Any, past: Any, metric: str, *, start: datetime) -> Demo:
    """One experiment between two arms of potential outcomes, and what people did in the past.

    Parameters
    ----------
    outcomes : PotentialOutcomes
        With days kept apart; the first arm is the control.
    past : PotentialOutcomes
        Of the days before, in one arm.
    metric : str
    start : datetime
        The moment at which the world began.

    Raises
    ------
    ValueError
        If days were not kept, there is no such metric, or the arms are not two.
    """
    if len(outcomes.arms) != 2:
        raise ValueError(f"outcomes must have two arms, got {outcomes.arms}")
    baseline, arm = outcomes.arms
    known = {"user": past.users, f"{metric}_before": past.of(metric, past.arms[0])}
    table = day_by_day(outcomes, metric, {baseline: 0.5, arm: 0.5}, start=start)
    table = table.join(pl.DataFrame(known), on="user", how="left", maintain_order="left")
    lifts = true_lifts(outcomes, metric, arm=arm, baseline=baseline)
    return Demo(table, metric, len(outcomes.users), tuple(lifts.tolist()))


def _hashed(lift: float) -> pl.DataFrame:
    user = np.arange(USERS)
    first, second, third = (uniform(f"demo {name}", user) for name in ("a", "b", "c"))
    before = 5 - 5 * np.log1p(-first)
    variant = assign(user, SHARES, salt="demo arm")
    noise = np.sqrt(-2 * np.log1p(-second)) * np.cos(2 * np.pi * third)
    better = np.where(variant == "new", 1 + lift, 1.0)
    minutes = (uniform("demo time", user) * DAYS * 1440).astype(int)
    return pl.DataFrame(
        {
            "user": user,
            "variant": variant,
            "device": np.array(["phone", "laptop", "tablet"])[user % 10 // 5 + (user % 10 == 9)],
            "spent": np.maximum((before + 4 * noise) * better, 0),
            "spent_before": before,
        }
    ).with_columns(
        time=pl.datetime(2026, 3, 1, time_zone="UTC") + pl.duration(minutes=pl.lit(minutes))
    )
