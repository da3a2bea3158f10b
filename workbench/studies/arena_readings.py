"""What an experiment shows at each look: people arrive day by day, each counts once.

    users ──► cohorts of equal size, one a look ──► dealt again and again ──► sufficient statistics
                                                     (`experiments`, exact)    per experiment & look

Everyone who has arrived by a look is read with all that they did in the world's period. So looks
are sums over more and more people, as in the theory of sequential tests (independent increments),
and a look's share of the users is its share of the information.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from workbench.assign import uniform
from workbench.experiments.cuped import adjust
from workbench.experiments.metric import Mean, columns_of
from workbench.experiments.statistics import Sample
from workbench.studies.arena_cells import Cell

__all__ = ["Readings", "cohorts", "read"]

_PLAIN, _CUPED = Mean("value"), Mean("value", ["covariate"])
_COLUMNS = ("mean", "covariate_mean", "variance", "covariate_variance", "covariance")


@dataclass(frozen=True)
class Readings:
    """Arrays (experiments, looks): users per arm, estimate and its variance; users planned."""

    control_users: np.ndarray
    users: np.ndarray
    estimate: np.ndarray
    variance: np.ndarray
    planned_users: int


def cohorts(users: np.ndarray, count: int, *, salt: str = "arrival") -> np.ndarray:
    """The look at which each user is first there: keyed luck, cohorts of equal size, shape (n,).

    >>> np.bincount(cohorts(np.arange(10), 4)).tolist()
    [3, 2, 3, 2]

    Raises ValueError unless there is at least one user in each cohort.
    """
    if not 1 <= count <= len(users):
        raise ValueError(f"count must be in [1, {len(users)}], a user in each, got {count}")
    place = np.empty(len(users), np.int64)
    place[np.argsort(uniform(salt, users), kind="stable")] = np.arange(len(users))
    return place * count // len(users)


def read(
    cell: Cell, arm: str, experiments: range, *, looks: int, share: float, salt: str
) -> dict[bool, Readings]:
    """Deal some experiments of one arm against the control, and read each at every look.

    Parameters
    ----------
    cell : Cell
    arm : str
        The treatment.
    experiments : range
        Numbers of the experiments; each depends on its own number alone.
    looks : int
        How many, evenly spaced over the arriving users.
    share : float
        Of the treatment.
    salt : str
        Names the series.

    Returns
    -------
    dict of bool to Readings
        False: the difference of means with Neyman's variance, as Welch's test has it. True: the
        same with CUPED, by `experiments.adjust`, at every look anew.
    """
    arrived = cohorts(cell.outcomes.users, looks)
    sums = [_dealt(cell, arm, experiments, arrived == look, share, salt) for look in range(looks)]
    first, second = (_pooled([each[number] for each in sums]) for number in (0, 1))
    planned = len(arrived)
    return {
        cuped: _readings(first, second, _CUPED if cuped else _PLAIN, planned)
        for cuped in (False, True)
    }


def _dealt(cell, arm, experiments, now, share, salt) -> list[dict[str, np.ndarray]]:
    """Users and moments of both arms among those who arrive now, arrays (experiments,)."""
    shares = {cell.control: 1 - share, arm: share}

    def moments(rows) -> pl.DataFrame:
        return cell.outcomes.among(rows).experiments(
            cell.metric, shares=shares, count=experiments, salt=salt,
            covariate=cell.covariate[rows],
        )  # fmt: skip

    frame = moments(now)
    control, treatment = (frame.filter(pl.col("variant") == name) for name in shares)
    if cell.lost is not None:  # dealt alike, never logged in the treatment
        treatment = moments(now & ~cell.lost).filter(pl.col("variant") == arm)
    return [
        {name: each[name].to_numpy() for name in ("users", *_COLUMNS)}
        for each in (control, treatment)
    ]


def _pooled(cohorts: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Moments of all who have arrived, from those of each cohort, arrays (experiments, looks)."""
    each = {name: np.stack([part[name] for part in cohorts], axis=1) for name in cohorts[0]}
    users = each["users"].astype(float)
    seen = users > 0
    inner = np.maximum(users - 1, 0)
    mean, other = (np.where(seen, each[name], 0) for name in ("mean", "covariate_mean"))
    total = np.cumsum(users, axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):  # nobody yet
        pooled, pooled_other = (np.cumsum(users * one, axis=1) / total for one in (mean, other))
        pairs = {
            "variance": (mean, mean, pooled, pooled),
            "covariate_variance": (other, other, pooled_other, pooled_other),
            "covariance": (mean, other, pooled, pooled_other),
        }
        made = {"users": total, "mean": pooled, "covariate_mean": pooled_other}
        for name, (one, two, middle, middle_two) in pairs.items():
            within = np.where(inner > 0, each[name], 0) * inner
            summed = np.cumsum(within + users * one * two, axis=1)
            spread = summed - total * middle * middle_two
            made[name] = np.where(total > 1, spread / (total - 1), np.nan)
    return made


def _readings(control: dict, treatment: dict, metric: Mean, planned: int) -> Readings:
    """The difference of two arms at each look, less what the metric's covariates say."""
    both = adjust(_sample(control), _sample(treatment), metric)
    before, after = both.control, both.treatment
    with np.errstate(divide="ignore", invalid="ignore"):  # nobody yet
        variance = before.variance / before.users + after.variance / after.users
    return Readings(before.users, after.users, after.mean - before.mean, variance, planned)


def _sample(moments: dict[str, np.ndarray]) -> Sample:
    """As the experiments have it: the value and its covariate, elements (experiments, looks)."""
    rows = [["variance", "covariance"], ["covariance", "covariate_variance"]]
    covariance = np.stack([np.stack([moments[name] for name in row], -1) for row in rows], -2)
    means = np.stack([moments["mean"], moments["covariate_mean"]], axis=-1)
    return Sample(
        tuple(each.key for each in columns_of(_CUPED)), moments["users"], means, covariance
    )
