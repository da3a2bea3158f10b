"""How long must it run? Effect, power and traffic in; days, and what each day could find, out.

`plan` is arithmetic on `workbench.experiments.planning`; `html` draws it, `planner_panel` and a
marimo app show it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import polars as pl

from workbench.experiments.boundaries import confidence_sequence, group_sequential
from workbench.experiments.crossing import crossing_probability
from workbench.experiments.looks import ADJUSTMENTS
from workbench.experiments.planning import Design, minimum_detectable_effect, sample_size
from workbench.widgets.drawing import BLUE, GREEN, ORANGE, Panel, download, table_of

__all__ = ["Plan", "Wish", "html", "inflation", "plan"]

MOST_LOOKS = 60
LONG_DAYS = 60  # beyond that cookies are lost and seasons turn: a rule of thumb, no test


@dataclass(frozen=True, kw_only=True, slots=True)
class Wish:
    """What one wants to find, with which traffic.

    Parameters
    ----------
    mean, deviation : float
        Of one user's metric, from the log.
    lift : float
        To be found: 0.02 is two per cent more.
    power, alpha : float
    users_a_day : float
        New users who enter, both arms together, the same every day.
    treatment_share : float
    saved : float
        Share of the variance that CUPED takes away: the squared correlation with what was before.
    looks : int
        Evenly spaced until the end.
    adjustment : {"fixed", "group_sequential", "always_valid"}
        "fixed" has one look, whatever `looks` says.
    """

    mean: float
    deviation: float
    lift: float = 0.02
    power: float = 0.8
    alpha: float = 0.05
    users_a_day: float = 1_000.0
    treatment_share: float = 0.5
    saved: float = 0.0
    looks: int = 1
    adjustment: str = "fixed"

    def __post_init__(self):
        for name in ("mean", "deviation", "lift", "users_a_day"):
            if not math.isfinite(getattr(self, name)):
                raise ValueError(f"{name} must be a finite number, got {getattr(self, name)}")
        for name in ("mean", "deviation", "users_a_day"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be above zero, got {getattr(self, name)}")
        if not 0 <= self.saved < 1:
            raise ValueError(f"saved must be a share in [0, 1), got {self.saved}")
        if self.lift == 0:
            raise ValueError("lift must not be zero: no number of users finds nothing")
        if not 1 <= self.looks <= MOST_LOOKS:
            raise ValueError(f"looks must be between 1 and {MOST_LOOKS}, got {self.looks}")
        if self.adjustment not in ADJUSTMENTS:
            raise ValueError(f"adjustment must be one of {ADJUSTMENTS}, got {self.adjustment!r}")

    @property
    def design(self) -> Design:
        """For one look; raises ValueError for shares out of range."""
        return Design(alpha=self.alpha, power=self.power, treatment_share=self.treatment_share)


@dataclass(frozen=True, slots=True)
class Plan:
    """Users and days that the wish needs. `table`: `day users lift plain_lift` (findable lifts).

    `users_of_one_look` would do with one look, `users_without_cuped` without CUPED; `inflation` is
    users over `users_of_one_look`.
    """

    wish: Wish
    users: int
    days: int
    inflation: float
    users_of_one_look: int
    users_without_cuped: int
    table: pl.DataFrame

    def __repr__(self) -> str:
        return "\n".join(self.words)

    @property
    def words(self) -> list[str]:
        """The plan in sentences."""
        wish = self.wish
        lines = [
            f"{self.days:,} days: {self.users:,} users find a lift of {wish.lift:+.1%} "
            f"with a chance of {wish.power:.0%}"
        ]
        if self.inflation > 1:
            how = wish.adjustment.replace("_", " ")
            lines.append(
                f"{wish.looks} looks ({how}) cost {self.inflation - 1:.1%} more users at most"
            )
        if wish.saved > 0:
            spared = self.users_without_cuped - self.users
            fewer = math.ceil(self.users_without_cuped / wish.users_a_day) - self.days
            lines.append(f"CUPED spares {spared:,} users, {fewer:,} days")
        if self.days < 7:
            lines.append("run a whole week at least: weekends are other people")
        if self.days > LONG_DAYS:
            lines.append(f"over {LONG_DAYS} days: look for a larger effect or a calmer metric")
        return lines


def plan(wish: Wish) -> Plan:
    """Users, days, and what each day could find.

    Parameters
    ----------
    wish : Wish

    Raises
    ------
    ValueError
        If power, alpha or a share is out of its range.

    Examples
    --------
    >>> plan(Wish(mean=10, deviation=20, lift=0.05, users_a_day=2_000))
    26 days: 50,236 users find a lift of +5.0% with a chance of 80%
    >>> plan(Wish(mean=10, deviation=20, lift=0.05, users_a_day=2_000, saved=0.4))
    16 days: 30,142 users find a lift of +5.0% with a chance of 80%
    CUPED spares 20,094 users, 10 days
    """
    design, variance = wish.design, wish.deviation**2
    effect = wish.mean * wish.lift
    factor = inflation(wish.adjustment, wish.looks, wish.alpha, wish.power)
    left = variance * (1 - wish.saved)
    one = float(sample_size(effect, left, design=design))
    users = math.ceil(round(one * factor, 6))
    without = math.ceil(round(float(sample_size(effect, variance, design=design)) * factor, 6))
    days = max(math.ceil(users / wish.users_a_day), 1)
    shown = np.unique(np.linspace(1, max(28, round(days * 1.5)), 60).round())
    entered = shown * wish.users_a_day
    found = minimum_detectable_effect(entered, left, design=design) * math.sqrt(factor) / wish.mean
    plain = minimum_detectable_effect(entered, variance, design=design) / wish.mean
    table = pl.DataFrame(
        {"day": shown.astype(int), "users": entered, "lift": found, "plain_lift": plain}
    )
    return Plan(wish, users, days, factor, int(one), without, table)


@lru_cache(maxsize=1_024)
def inflation(adjustment: str, looks: int, alpha: float = 0.05, power: float = 0.8) -> float:
    """Users that such looks need at most, over those of one look, with the same power.

    Notes
    -----
    Jennison & Turnbull (2000), section 2.3, their R; for "always_valid" the same with the bounds of
    the confidence sequence, tuned at the end.

    Examples
    --------
    >>> round(inflation("group_sequential", 5), 3)
    1.025
    """
    from scipy.stats import norm

    if adjustment == "fixed":
        return 1.0
    share = np.arange(1, looks + 1) / looks
    if adjustment == "group_sequential":
        bounds = group_sequential(share, alpha)
    else:
        bounds = np.asarray(confidence_sequence(share, 1.0, tuned_at=1.0, alpha=alpha))
    drifts = np.linspace(0, 9, 1_801)
    needed = float(np.interp(power, crossing_probability(bounds, share, drifts), drifts))
    return max(float((needed / (norm.isf(alpha / 2) + norm.ppf(power))) ** 2), 1.0)


def html(planned: Plan, *, as_table: bool = False) -> str:
    """Sentences, the curve of findable lifts, or its table.

    >>> "days as csv" in html(plan(Wish(mean=10, deviation=20)))
    True
    """
    first, *rest = planned.words
    told = f'<div data-plan style="font-size:18px;margin:6px 0"><b>{first}</b></div>'
    told += "".join(f"<div>{line}</div>" for line in rest)
    table, wish = planned.table, planned.wish
    if as_table:
        body = table_of(table, "smallest lift that can be found, by the day one ends")
    else:
        day = table["day"].to_numpy()
        top = max(float(table["plain_lift"][min(3, len(table) - 1)]), abs(wish.lift) * 1.5)
        panel = Panel(
            "smallest lift that can be found, by the day one ends", (0, float(day[-1])), (0, top),
            "days", width=740, height=280, style="percent",
        )  # fmt: skip
        panel.line(day, table["plain_lift"], ORANGE, dash="5 3")
        panel.line(day, table["lift"], BLUE)
        panel.rule(y=abs(wish.lift), word="wanted")
        panel.points(planned.days, abs(wish.lift), GREEN, words=[first])
        body = panel.svg()
        body += (
            f"<div><span style='color:{BLUE}'>━</span> this plan &nbsp; "
            "<span style='color:#8a5f00'>╍</span> one look, without CUPED</div>"
        )
    link = download(table, "plan.csv", "days as csv")
    box = "font:14px sans-serif;color:#222;background:white;padding:8px;max-width:790px"
    return f'<div style="{box}">{told}{body}<div>{link}</div></div>'
