"""What the A/B explorer shows, as numbers; `ab_explorer.explore` makes it, `ab_chart` draws it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from workbench.experiments.sample_ratio import SampleRatio

__all__ = ["View"]


@dataclass(frozen=True, slots=True)
class View:
    """All that the explorer shows. `table` has a row per day, `segments` one per value.

    Parameters
    ----------
    table : polars.DataFrame
        `day users control_mean arm_mean lift low high valid_low valid_high p_value valid_p_value
        difference looked`: the interval and p as if this were the only look, and always valid.
    segments : polars.DataFrame
        `value users lift low high p_value p_holm`, today, as if this were the only look; "all" is
        first.
    verdict : str
        See `ab_verdict.verdict_of`.
    looks : tuple of int
        Days (from 1) at which one looked.
    false_alarm : float
        Chance that naive p falls below alpha at one of these looks although nothing differs.
    bounds : tuple of float
        How many standard errors the chosen adjustment asks for at each look.
    claims : int
        At how many of the looks the naive p was below alpha.
    saved : float
        Share of the variance that CUPED took away.
    true_lifts : tuple of float
        True lift at the end of each day until today, if it is known.
    """

    metric: str
    arm: str
    today: int
    adjustment: str
    table: pl.DataFrame
    segments: pl.DataFrame
    sample_ratio: SampleRatio
    verdict: str
    looks: tuple[int, ...]
    bounds: tuple[float, ...]
    false_alarm: float
    claims: int
    saved: float
    planned_users: int
    confidence: float
    true_lifts: tuple[float, ...] = ()

    @property
    def light(self) -> str:
        """Of the sample ratio: green, or red when it failed."""
        return "green" if self.sample_ratio.ok else "red"

    @property
    def today_row(self) -> dict:
        """The row of today."""
        return self.table.row(-1, named=True)

    def __repr__(self) -> str:
        row = self.today_row
        return (
            f"{self.verdict}\n{self.sample_ratio!r}\n{self.metric}, {self.arm}, day {self.today}: "
            f"lift {_percent(row['lift'])} [{_percent(row['low'])}, {_percent(row['high'])}], "
            f"always valid [{_percent(row['valid_low'])}, {_percent(row['valid_high'])}]"
            + (f"\ntrue lift {_percent(self.true_lifts[-1])}" if self.true_lifts else "")
        )

    @property
    def covered(self) -> dict[str, float]:
        """Share of the days on which each interval held the true lift; empty if none is known."""
        if not self.true_lifts:
            return {}
        lifts, found = np.array(self.true_lifts), {}
        for name, prefix in (("one look", ""), ("every look", "valid_")):
            low, high = (self.table[f"{prefix}{end}"].to_numpy() for end in ("low", "high"))
            known = np.isfinite(low) & np.isfinite(high) & np.isfinite(lifts)
            inside = (low <= lifts) & (lifts <= high)
            found[name] = float(inside[known].mean()) if known.any() else float("nan")
        return found


def _percent(share: float | None) -> str:
    return "-" if share is None or not np.isfinite(share) else f"{share:+.1%}"
