"""Power by simulation: one's own users drawn again, an effect planted, the test run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from workbench.experiments.difference import Moments, difference_in_means
from workbench.experiments.planning import Design
from workbench.metrics.interval import Interval, share_interval

__all__ = ["SimulatedPower", "power_by_simulation"]


@dataclass(frozen=True, slots=True)
class SimulatedPower:
    """How many of the simulated experiments found the effect, and on which side."""

    users: int
    experiments: int
    better: int  # the interval is above zero
    worse: int  # below zero

    @property
    def power(self) -> Interval:
        """Share that found any effect, with Wilson's interval."""
        return share_interval(self.better + self.worse, self.experiments)

    def __repr__(self) -> str:
        sides = f"{self.better:,} better, {self.worse:,} worse"
        return f"{self.users:,} users: power {self.power}; of {self.experiments:,}: {sides}"


def power_by_simulation(
    values: ArrayLike,
    effect: Callable[[np.ndarray], np.ndarray] | float,
    users: int,
    *,
    seed: int = 0,
    experiments: int = 1_000,
    design: Design | None = None,
) -> SimulatedPower:
    """Draw users with replacement, deal them, add an effect to the treated, test by Welch.

    Where heavy tails or many zeros make one doubt the formula of `power`. Experiment i draws from
    the stream (seed, i): its numbers do not depend on how many others there are.

    Parameters
    ----------
    values : array-like, shape (n,)
        The metric of one's own users, one number each.
    effect : callable or float
        What treatment does to values, as `lambda spent: spent * 1.02`; a number is added.
    users : int
        Of both arms.
    seed : int
    experiments : int
    design : Design, optional
        Its alpha and treatment share. Of one look, without a margin or covariates.

    Raises
    ------
    ValueError
        If values are not finite, an arm would have fewer than two users, or the design asks for
        what is not simulated here.

    Examples
    --------
    >>> values = np.random.default_rng(0).normal(10.0, 1.0, 5_000)
    >>> power_by_simulation(values, 0.1, 3_140, experiments=400)     # by formula 0.8
    3,140 users: power 0.807 [0.766, 0.843]; of 400: 323 better, 0 worse
    """
    design = design or Design()
    values = np.asarray(values, float)
    if values.ndim != 1 or not len(values) or not np.isfinite(values).all():
        raise ValueError("values must be finite numbers, one per user")
    if design.looks > 1 or design.margin is not None or design.reduction:
        raise ValueError("only designs of one look, without margin and reduction, are simulated")
    if experiments < 1:
        raise ValueError(f"experiments must be at least 1, got {experiments}")
    treated = round(users * design.treatment_share)
    if min(treated, users - treated) < 2:
        raise ValueError(f"each arm needs two users, got {users - treated} and {treated}")
    change = effect if callable(effect) else lambda drawn: drawn + effect
    if not np.isfinite(np.asarray(change(values), float)).all():
        raise ValueError("the effect made values that are not finite numbers")
    arms = np.empty((2, 2, experiments))  # arm, mean or variance
    for number in range(experiments):
        rng = np.random.default_rng([seed, number])
        drawn = values[rng.integers(0, len(values), users)]
        for arm, part in enumerate((drawn[treated:], np.asarray(change(drawn[:treated]), float))):
            arms[arm, :, number] = part.mean(), part.var(ddof=1)
    found = difference_in_means(
        Moments(users - treated, *arms[0]), Moments(treated, *arms[1]), confidence=1 - design.alpha
    )
    better, worse = (int(np.sum(side)) for side in (found.low > 0, found.high < 0))
    return SimulatedPower(int(users), experiments, better, worse)
