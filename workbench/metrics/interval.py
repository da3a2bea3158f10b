"""How sure is a number? Intervals for any metric, and for a share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

__all__ = ["Interval", "interval", "share_interval"]


@dataclass(frozen=True)
class Interval:
    """An estimate and the range that covers the truth with probability `level`.

    >>> Interval(0.8123, 0.7904, 0.8311)
    0.812 [0.79, 0.831]
    """

    estimate: float
    low: float
    high: float
    level: float = 0.95

    def __repr__(self) -> str:
        return f"{self.estimate:.3g} [{self.low:.3g}, {self.high:.3g}]"

    def __contains__(self, value: float) -> bool:
        return bool(self.low <= value <= self.high)


def interval(
    metric: Callable[..., float],
    *arrays: ArrayLike,
    rng: np.random.Generator,
    groups: ArrayLike | None = None,
    n: int = 500,
    level: float = 0.95,
) -> Interval:
    """Percentile bootstrap interval of `metric(*arrays)`.

    Parameters
    ----------
    metric : callable
        Takes the arrays, returns one float. Resamples where it is NaN (one class) are left out.
    *arrays : array-like, shape (rows,)
        Resampled together, row by row.
    rng : numpy.random.Generator
    groups : array-like, shape (rows,), optional
        What is independent when rows are not: users, queries. Whole groups are drawn.
    n : int, default 500
        Resamples.
    level : float, default 0.95

    Raises
    ------
    ValueError
        If the arrays differ in length or are empty, a setting is out of range, or the metric is NaN
        on more than half of the resamples.

    Notes
    -----
    B. Efron (1979), "Bootstrap methods: another look at the jackknife", Ann. Stat. 7, 1-26. It says
    nothing about what no row shows: too short below about 30 independent rows, or with few
    positives.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> amounts = rng.lognormal(3.0, 1.0, 1_000)                  # true mean exp(3.5) = 33.1
    >>> interval(np.mean, amounts, rng=rng)
    31.3 [28.7, 34.3]
    """
    columns = [np.asarray(each) for each in arrays]
    if not columns or len({len(each) for each in columns}) > 1 or not len(columns[0]):
        lengths = [len(each) for each in columns]
        raise ValueError(f"arrays must be non-empty and equally long, got lengths {lengths}")
    _check_level(level)
    if n < 20:
        raise ValueError(f"n must be at least 20 resamples, got {n}")
    draw = _rows(len(columns[0]), rng) if groups is None else _whole_groups(groups, columns, rng)
    values = np.array([metric(*(each[rows] for each in columns)) for rows in draw(n)])
    known = values[~np.isnan(values)]
    if len(known) < n / 2:
        raise ValueError(f"the metric is NaN on {n - len(known)} of {n} resamples")
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(metric(*columns)), float(low), float(high), level)


def share_interval(successes: int, trials: int, *, level: float = 0.95) -> Interval:
    """Wilson interval for a share: holds with few trials, and for 0 or all successes.

    Raises
    ------
    ValueError
        Unless 0 <= successes <= trials, trials > 0 and the level lies in (0, 1).

    References
    ----------
    E. Wilson (1927), "Probable inference, the law of succession, and statistical inference",
    J. Am. Stat. Assoc. 22, 209-212.

    Examples
    --------
    >>> share_interval(0, 50)
    0 [0, 0.0713]
    """
    from statistics import NormalDist

    if not 0 <= successes <= trials or trials < 1:
        raise ValueError(f"need 0 <= successes <= trials > 0, got {successes} of {trials}")
    _check_level(level)
    z = NormalDist().inv_cdf((1 + level) / 2)
    share = successes / trials
    middle = (share + z * z / (2 * trials)) / (1 + z * z / trials)
    spread = share * (1 - share) / trials + z * z / (4 * trials * trials)
    half = z / (1 + z * z / trials) * spread**0.5
    low, high = max(0.0, middle - half), min(1.0, middle + half)
    # at the ends the formula is exact but for rounding
    return Interval(share, low if successes else 0.0, high if successes < trials else 1.0, level)


def _rows(n, rng):
    return lambda times: (rng.integers(0, n, n) for _ in range(times))


def _whole_groups(groups, columns, rng):
    """Draw as many groups as there are, with replacement, and give their rows."""
    groups = np.asarray(groups)
    if groups.shape != (len(columns[0]),):
        raise ValueError(f"groups must have shape ({len(columns[0])},), got {groups.shape}")
    _, code, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    rows, starts = np.argsort(code, kind="stable"), np.cumsum(sizes) - sizes

    def once():
        drawn = rng.integers(0, len(sizes), len(sizes))
        size = sizes[drawn]
        within = np.arange(size.sum()) - np.repeat(np.cumsum(size) - size, size)
        return rows[np.repeat(starts[drawn], size) + within]

    return lambda times: (once() for _ in range(times))


def _check_level(level):
    if not 0 < level < 1:
        raise ValueError(f"level must be in (0, 1), got {level}")
