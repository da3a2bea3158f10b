"""Power by simulation: one's own users dealt again and again, with an effect put in.

    users ─► drawn with replacement into both arms ─► effect added ─► read out ─► seen?

Formulas trust the means to be normal. A heavy tail, a ratio of two sums or a capped metric may need
more users for that than there are; here the very read-out is run on the very users.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from workbench.assign import fingerprint
from workbench.experiments.cuped import adjust, moments_of
from workbench.experiments.difference import difference_in_means
from workbench.experiments.metric import Metric, Proportion, Ratio, as_metrics, columns_of
from workbench.experiments.non_inferiority import non_inferiority
from workbench.experiments.planning import Design
from workbench.experiments.planning import power as power_by_formula
from workbench.experiments.statistics import Sample
from workbench.experiments.users import per_user
from workbench.metrics.interval import share_interval
from workbench.tables import one_frame

__all__ = ["SimulatedPower", "Simulation", "power_by_simulation"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Simulation:
    """How often to deal, and what the effect does to a user.

    `how` is "scale" (every user's numbers grow by one factor: who spends much gains much) or "add"
    (every user gains the same; in a ratio, every unit of the denominator). For a proportion both
    turn users from 0 to 1 (or back) at random.

    >>> Simulation(experiments=500, how="add").seed
    0
    """

    seed: int = 0
    experiments: int = 1_000
    how: str = "scale"

    def __post_init__(self):
        if self.experiments < 1:
            raise ValueError(f"experiments must be at least 1, got {self.experiments}")
        if self.how not in ("scale", "add"):
            raise ValueError(f'how must be "scale" or "add", got {self.how!r}')


@dataclass(frozen=True)
class SimulatedPower:
    """Share of the simulated experiments that saw the effect, beside what the formula says.

    `table` has a row for each experiment: `difference`, `low`, `high`, `p_value`, `seen`.
    """

    table: pl.DataFrame
    power: float
    low: float
    high: float
    formula: float
    covered: float
    metric: str
    effect: float
    users: int

    def __repr__(self) -> str:
        return (
            f"{self.metric}: an effect of {self.effect:+.3g} with {self.users:,} users\n"
            f"seen in {self.power:.1%} of {self.table.height:,} simulated experiments "
            f"({self.low:.1%} to {self.high:.1%}); the formula says {self.formula:.1%}\n"
            f"95% intervals held the effect in {self.covered:.1%}"
        )


def power_by_simulation(
    table,
    metric: str | Metric,
    *,
    effect: float,
    users: int,
    design: Design | None = None,
    simulation: Simulation | None = None,
) -> SimulatedPower:
    """Chance to see an effect, by dealing one's own users to experiments that have it.

    Parameters
    ----------
    table : polars, pandas or Arrow table, or polars.LazyFrame
        Rows with `user` and the metric's columns, of as many days as the experiment will run.
    metric : str or Metric
        One; with covariates it is read out by CUPED.
    effect : float
        True difference, in the metric's unit; 0 tells how often one is seen that is not there.
    users : int
        In the whole experiment, both arms.
    design : Design, optional
        How it will be tested. Its `inflation` only counts in the formula: for looks, see `looks`.
    simulation : Simulation, optional
        How often, and what the effect does.

    Returns
    -------
    SimulatedPower
        Its repr is the report; the interval is Wilson's.

    Raises
    ------
    ValueError
        If the table is not as `statistics` wants it, an arm has fewer than two users, or a
        proportion would leave [0, 1].

    Notes
    -----
    A bootstrap of the experiment: Efron & Tibshirani (1993), "An introduction to the bootstrap",
    section 25.5. Each experiment has its own stream, keyed by the seed and its number: more of
    them leave the first as they were. Caps of `winsorise` are those of all users of the table.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> users = pl.DataFrame({"user": np.arange(500), "spent": rng.exponential(10.0, 500)})
    >>> power_by_simulation(users, "spent", effect=2.0, users=800).power
    0.708
    """
    design, simulation = design or Design(), simulation or Simulation()
    [metric] = as_metrics(metric)
    if not np.isfinite(effect):
        raise ValueError(f"effect must be finite, got {effect}")
    treated = round(users * design.treatment_share)
    if min(treated, users - treated) < 2:
        raise ValueError(f"users must be at least two in each arm, got {users}")
    own, whole = _users(table, metric)
    moments = moments_of(whole, metric)
    change = _effect(metric, effect, moments.mean, simulation.how)
    arms = []
    for name, size in (("control", users - treated), ("treatment", treated)):
        key = fingerprint(f"power by simulation, {name}", np.arange(simulation.experiments))
        drawn = []
        for number in key:
            rng = np.random.default_rng([simulation.seed, number])
            rows = own[rng.integers(0, len(own), size)]
            drawn.append(_moments(change(rows, rng) if name == "treatment" else rows))
        means, covariance = (np.stack(each) for each in zip(*drawn, strict=True))
        sizes = np.full(simulation.experiments, float(size))
        arms.append(Sample(whole.columns, sizes, means, covariance))
    made = adjust(*arms, metric)
    difference = difference_in_means(made.control, made.treatment, confidence=0.95)
    if design.margin is None:
        p_value = np.asarray(difference.p_value)
    else:
        test = non_inferiority(made.control, made.treatment, margin=design.margin)
        p_value = np.asarray(test.p_value)
    seen = p_value < design.alpha
    band = share_interval(int(seen.sum()), len(seen))
    after = adjust(whole, whole, metric).control
    formula = power_by_formula(effect, users, after.variance, design=design)
    covered = (difference.low <= effect) & (effect <= difference.high)
    rows = {"difference": difference.difference, "low": difference.low, "high": difference.high}
    rows = pl.DataFrame({**rows, "p_value": p_value, "seen": seen})
    return SimulatedPower(
        rows, float(seen.mean()), band.low, band.high, formula, float(covered.mean()),
        metric.name, float(effect), users,
    )  # fmt: skip


def _users(table, metric: Metric) -> tuple[np.ndarray, Sample]:
    """The users' numbers (users, columns), sorted so that no row order matters, and moments."""
    columns = columns_of(metric)
    names = list(dict.fromkeys(["user", *(each.name for each in columns)]))
    frame = one_frame(table, "table", names).with_columns(variant=pl.lit("all"))
    keys = [each.key for each in columns]
    own = per_user(frame, list(columns)).frame.select(pl.col(keys).cast(pl.Float64)).sort(keys)
    values = own.collect().to_numpy()
    if len(values) < 2:
        raise ValueError(f"table must have at least two users, got {len(values)}")
    if not np.isfinite(values).all():
        raise ValueError(f"{metric.name} must be finite, got NaN or infinite values in the table")
    return values, Sample(tuple(keys), len(values), *_moments(values))


def _moments(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Means and covariances of the columns."""
    means = values.mean(axis=0)
    centred = values - means
    return means, centred.T @ centred / (len(values) - 1)


def _effect(metric: Metric, effect: float, mean: float, how: str):
    """What the treatment does to users' numbers: the metric's own column is the first."""
    if isinstance(metric, Proportion):
        after = mean + effect
        if not 0 <= after <= 1:
            raise ValueError(f"a share of {mean:.3g} {effect:+.3g} is not in [0, 1]")
        gain = effect / (1 - mean) if effect > 0 else 0.0
        loss = -effect / mean if effect < 0 else 0.0

        def turn(rows, rng):
            chance = rng.random(len(rows))
            turned = np.where(rows[:, 0] == 1, chance >= loss, chance < gain)
            return np.column_stack([turned.astype(float), rows[:, 1:]])

        return turn
    if how == "scale" and mean == 0:
        raise ValueError(f'{metric.name} has mean 0, which nothing scales: how must be "add"')
    gained = 1 if isinstance(metric, Ratio) else None  # its denominator's column

    def gain_each(rows, rng):
        if how == "scale":
            first = rows[:, 0] * (1 + effect / mean)
        else:
            first = rows[:, 0] + effect * (1.0 if gained is None else rows[:, gained])
        return np.column_stack([first, rows[:, 1:]])

    return gain_each
