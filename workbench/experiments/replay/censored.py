"""Outcomes that nobody will know: what can still be said when the logger blocked.

A blocked payment has no outcome. Three ways, by what the logger did:

    it let some through by chance ──► its blocks earn 0, and so they do have a reward: replay with
                                      the chance of each action (`replay_outcomes`)
    it never did, target is stricter ──► known exactly: what the target lets through was let through
    it never did, target is laxer ──► only bounds: the worst and the best that the blocks could be
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import polars as pl

from workbench.experiments.replay.mean import cluster_mean, normal_interval
from workbench.tables import one_frame

__all__ = ["ValueBounds", "value_bounds"]


@dataclass(frozen=True)
class ValueBounds:
    """Between which numbers the target's value lies, whatever the blocked would have been.

    Parameters
    ----------
    table : pl.DataFrame
        `bound estimate low high`: the worst and the best case with the interval of each.
    unknown_share : float
        Of the decisions: let through by the target, blocked by the logger.
    known_share : float
        Of what the target lets through, how much the logger let through too.
    metric, confidence
        As asked.
    """

    table: pl.DataFrame
    unknown_share: float
    known_share: float
    metric: str
    confidence: float

    @property
    def worst(self) -> float:
        """The value if every unknown outcome is as bad as it can be."""
        return self.table["estimate"][0]

    @property
    def best(self) -> float:
        """The value if every unknown outcome is as good as it can be."""
        return self.table["estimate"][1]

    @property
    def exact(self) -> bool:
        """Whether nothing is unknown: the target lets through nothing that was blocked."""
        return self.unknown_share == 0

    def __repr__(self) -> str:
        if self.exact:
            _, value, low, high = self.table.row(0)
            return (
                f"{self.metric} per decision: {value:.3g} [{low:.3g}, {high:.3g}]\n"
                "the target lets through nothing that was blocked: all its outcomes are known"
            )
        low, high = self.table["low"][0], self.table["high"][1]
        return (
            f"{self.metric} per decision: between {self.worst:.3g} and {self.best:.3g}\n"
            f"with {self.confidence:.0%} intervals of both ends: [{low:.3g}, {high:.3g}]\n"
            f"{self.unknown_share:.1%} of the decisions are let through by the target but were "
            "blocked:\ntheir outcomes are censored, more of this log makes the gap no smaller;\n"
            "let some through by chance to learn them"
        )


def value_bounds(
    log: Any, *, metric: str = "reward", cluster: str = "request", confidence: float = 0.95
) -> ValueBounds:
    """The worst and the best mean reward of a target that lets through or blocks.

    Parameters
    ----------
    log : Polars, pandas or Arrow table
        One row per decision: `request`, `action` and `target_action` ("block" or another word),
        the metric where the logger did not block, `worst_reward` and `best_reward`: what letting
        it through could earn at the least and the most (minus the amount; the margin on it).
    metric : str
        Null is allowed where `action` is block, and looked at where both let through.
    cluster : str
        What is independent.

    Returns
    -------
    ValueBounds
        A decision that the target blocks earns 0.

    Raises
    ------
    ValueError
        If a column or a needed reward is missing, or a worst is above its best.

    Notes
    -----
    Manski (1990), "Nonparametric bounds on treatment effects", American Economic Review 80,
    319-323: without assumptions on what was not seen, no estimate says more.

    Examples
    --------
    >>> log = pl.DataFrame({"request": [1, 2, 3, 4], "action": ["approve"] * 3 + ["block"],
    ...     "target_action": ["approve", "block", "approve", "approve"],
    ...     "reward": [2.0, -50.0, 3.0, None], "worst_reward": -20.0, "best_reward": 1.0})
    >>> bounds = value_bounds(log)
    >>> bounds.worst, bounds.best, bounds.unknown_share
    (-3.75, 1.5, 0.25)
    """
    needed = ["request", "action", "target_action", metric, "worst_reward", "best_reward", cluster]
    frame = one_frame(log, "log")
    missing = [name for name in needed if name not in frame.columns]
    if missing:
        raise ValueError(f"log has no column {missing[0]!r}; it has {frame.columns}")
    if not len(frame):
        raise ValueError("log must not be empty")
    if "live" in frame.columns and not frame["live"].fill_null(True).all():
        raise ValueError("shadow decisions (live = false) met no world: keep the live ones")
    for name in ("action", "target_action", "worst_reward", "best_reward", cluster):
        if frame[name].null_count():
            raise ValueError(f"{name} is missing in {frame[name].null_count():,} decisions")
    if (frame["worst_reward"] > frame["best_reward"]).any():
        raise ValueError("worst_reward must not be above best_reward")
    through = pl.col("target_action") != "block"
    seen = pl.col("action") != "block"
    frame = frame.with_columns(__through=through, __unknown=through & ~seen)
    hole = frame.filter("__through", ~pl.col("__unknown"), pl.col(metric).is_null())
    if len(hole):
        raise ValueError(
            f"{metric} is missing in {len(hole):,} decisions that were let through: pending ones "
            "have no outcome yet; take decisions older than the horizon"
        )
    codes, rows = frame[cluster].rank("dense").to_numpy() - 1, []
    for bound in ("worst", "best"):
        value = (
            pl.when("__unknown").then(f"{bound}_reward").when("__through").then(metric).otherwise(0)
        )
        values = frame.select(value.cast(pl.Float64)).to_series().to_numpy()
        mean = cluster_mean(values, codes)
        rows.append((bound, mean.estimate, *normal_interval(mean, confidence=confidence)))
    schema = {"bound": pl.String} | dict.fromkeys(("estimate", "low", "high"), pl.Float64)
    unknown, passed = frame["__unknown"].mean(), frame["__through"].mean()
    return ValueBounds(
        pl.DataFrame(rows, schema=schema, orient="row"),
        float(unknown),
        1.0 - float(unknown / passed) if passed else 1.0,
        metric,
        confidence,
    )
