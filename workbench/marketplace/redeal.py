"""A thousand experiments from two worlds: people are dealt into arms again, nothing is played.

    outcomes (users, arms)  ──►  hashed assignment, one per experiment  ──►  users, mean, variance
                                 each user shows the arm that was dealt      per experiment and arm

Choices, with their sources:

- The world is a table of potential outcomes and chance is in the assignment alone (Neyman 1923, "On
  the application of probability theory to agricultural experiments", Statistical Science 5, 1990;
  Rubin 1974, "Estimating causal effects of treatments", Journal of Educational Psychology 66).
  That one person's arm does nothing to another is assumed (SUTVA); `potential` says where that
  fails in this world.
- Experiment i deals by `assign(users, shares, salt=f"{salt}/{i}")`: the arms of a `Split` with that
  salt, whoever asks, in whatever slices.
- Sums are those of a 0/1 matrix times the outcomes, in one pass. The outcomes are first centred and
  rounded to multiples of 2**-52 of their sum, so every partial sum is exact: the order of adding,
  hence threads, workers and blocks, cannot change a bit (pre-rounding: Demmel & Nguyen 2013, "Fast
  reproducible floating-point summation", ARITH 21).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl

from workbench.assign import check_shares, uniform

__all__ = ["dealt", "moments"]

_TOGETHER = 16  # experiments in one matrix product


def dealt(users: np.ndarray, shares: Mapping[str, float], *, salt: str) -> np.ndarray:
    """The arm of each user as an index into `shares`: `assign`, without the names, shape (n,).

    >>> from workbench.assign import assign
    >>> users, shares = np.arange(5), {"old": 0.8, "new": 0.2}
    >>> np.array([*shares])[dealt(users, shares, salt="x")].tolist()
    ['old', 'old', 'old', 'old', 'new']
    >>> assign(users, shares, salt="x").tolist()
    ['old', 'old', 'old', 'old', 'new']

    Raises ValueError if shares do not sum to 1.
    """
    check_shares(shares)
    best, arm = np.full(len(users), np.inf), np.zeros(len(users), np.int8)
    equal = len({*shares.values()} - {0}) == 1  # then the logarithm changes no order
    for number, (name, share) in enumerate(shares.items()):
        if share > 0:
            time = uniform(salt, users, name)
            if not equal:
                time = np.log1p(-time) * (-1 / share)
            wins = time < best
            arm[wins] = number
            best = np.minimum(best, time)
    return arm


def moments(
    users: np.ndarray, outcomes: Mapping[str, np.ndarray], shares: Mapping[str, float], *,
    experiments: range, salt: str,
) -> pl.DataFrame:  # fmt: skip
    """Users, means and (co)variances per experiment, arm and look.

    Parameters
    ----------
    users : ndarray of int, shape (n,)
        Who is dealt.
    outcomes : mapping of arm to ndarray, shape (n, looks) or (n, looks, 2)
        What each user shows in that arm at each look; in the second place a covariate, if any.
    shares : mapping of arm to share
        Each arm needs outcomes.
    experiments : range
        Numbers of the experiments; each is dealt by its number alone.
    salt : str
        Names the series of experiments.

    Returns
    -------
    pl.DataFrame, shape (experiments * arms * looks, ...)
        `experiment variant look users mean variance`, with a covariate also `covariate_mean
        covariate_variance covariance`. Variances are of the sample (n - 1), NaN below two users.

    Raises
    ------
    ValueError
        If shares do not sum to 1, or an arm has no outcomes.

    Examples
    --------
    >>> outcomes = {"old": np.array([[1.0], [2.0], [3.0], [4.0]])}
    >>> frame = moments(np.arange(4), outcomes, {"old": 1.0}, experiments=range(1), salt="x")
    >>> frame.with_columns(frame["variance"].round(3)).row(0)
    (0, 'old', 0, 4, 2.5, 1.667)
    """
    missing = [name for name in shares if name not in outcomes]
    if missing:
        raise ValueError(f"shares must be of the arms {[*outcomes]}, got also {missing}")
    columns = {name: _columns(outcomes[name]) for name in shares}
    sums = {name: [] for name in shares}  # per block (experiments, 1 + columns)
    for first in range(0, len(experiments), _TOGETHER):
        block = experiments[first : first + _TOGETHER]
        arm = np.stack([dealt(users, shares, salt=f"{salt}/{number}") for number in block])
        for number, name in enumerate(shares):
            mine = (arm == number).astype(float)
            sums[name].append((mine.sum(axis=1), mine @ columns[name][1]))
    parts = [
        _moments(name, experiments, outcomes[name], columns[name][0], sums[name])
        for name in shares
        if len(experiments)
    ]
    if not parts:
        return pl.DataFrame()
    order = ["experiment", "variant", "look"]
    rank = pl.col("variant").cast(pl.Enum([*shares]))
    frame = pl.concat(parts).sort("experiment", rank, "look")
    return frame.select(*order, pl.exclude(order))


def _columns(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Centres (looks, 1 or 2), and all that is summed, made exact, (n, looks * columns)."""
    values = values if values.ndim == 3 else values[:, :, None]
    centre = values.mean(axis=0)
    metric = values[:, :, 0] - centre[:, 0]
    parts = [metric, metric**2]
    if values.shape[2] == 2:
        covariate = values[:, :, 1] - centre[:, 1]
        parts += [covariate, covariate**2, metric * covariate]
    summed = np.concatenate(parts, axis=1)
    total = np.abs(summed).sum(axis=0)
    step = np.exp2(np.ceil(np.log2(np.where(total > 0, total, 1.0))) - 52)
    return centre, np.round(summed / step) * step


def _moments(name, experiments, values, centre, sums) -> pl.DataFrame:
    looks = values.shape[1]
    users = np.concatenate([each for each, _ in sums])[:, None]
    totals = np.concatenate([each for _, each in sums])
    first, second, *more = np.split(totals, totals.shape[1] // looks, axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):  # nobody, or one user, in an arm
        spread = np.where(users > 1, 1 / (users - 1), np.nan)
        columns = {
            "mean": centre[:, 0] + first / users,
            "variance": np.maximum(second - first**2 / users, 0) * spread,
        }
        if more:
            columns["covariate_mean"] = centre[:, 1] + more[0] / users
            columns["covariate_variance"] = np.maximum(more[1] - more[0] ** 2 / users, 0) * spread
            columns["covariance"] = (more[2] - first * more[0] / users) * spread
    return pl.DataFrame(
        {
            "experiment": np.repeat(np.arange(len(experiments)), looks) * experiments.step
            + experiments.start,
            "variant": np.full(users.size * looks, name),
            "look": np.tile(np.arange(looks), users.size),
            "users": np.repeat(users.ravel().astype(np.int64), looks),
            **{key: value.ravel() for key, value in columns.items()},
        }
    )
