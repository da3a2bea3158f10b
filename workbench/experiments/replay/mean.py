"""The mean of numbers that are independent from cluster to cluster, with its interval.

rows of one user hang together ──► summed by user ──► spread between users ──► interval
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

__all__ = [
    "ClusterMean",
    "bernstein_interval",
    "cluster_mean",
    "normal_interval",
    "positive_interval",
]


@dataclass(frozen=True, slots=True)
class ClusterMean:
    """An estimate, its standard error, and how many clusters tell so."""

    estimate: float
    error: float
    clusters: int


def cluster_mean(
    values: ArrayLike, clusters: ArrayLike | None = None, counts: ArrayLike | None = None
) -> ClusterMean:
    """Sum of values over sum of counts, and its standard error from the spread between clusters.

    Parameters
    ----------
    values : array-like, shape (n,)
    clusters : array-like of int, shape (n,), optional
        Numbers from 0 without gaps; without, every row is its own.
    counts : array-like, shape (n,), optional
        What each row counts in the denominator: 1, or 1 in the first row of a request and 0 in the
        others for a value per request.

    Returns
    -------
    ClusterMean
        The error is NaN with one cluster.

    Notes
    -----
    Delta method for a ratio of sums, Deng, Knoblich & Lu (2018), KDD, section 3.1.

    Examples
    --------
    >>> result = cluster_mean([1.0, 2.0, 3.0, 6.0], clusters=[0, 0, 1, 1])
    >>> round(result.estimate, 2), round(result.error, 2)
    (3.0, 1.5)
    """
    values = np.asarray(values, float)
    if not len(values):
        raise ValueError("values must not be empty")
    sums, sizes = values, np.ones(len(values)) if counts is None else np.asarray(counts, float)
    if clusters is not None:
        clusters = np.asarray(clusters)
        sums = np.bincount(clusters, values)
        sizes = np.bincount(clusters, sizes)
    total, n = float(sizes.sum()), len(sums)
    estimate = float(sums.sum()) / total
    if n < 2:
        return ClusterMean(estimate, float("nan"), n)
    left = sums - estimate * sizes
    error = float(np.sqrt(n / (n - 1) * (left @ left))) / total
    return ClusterMean(estimate, error, n)


def normal_interval(mean: ClusterMean, *, confidence: float = 0.95) -> tuple[float, float]:
    """Estimate -/+ Student's quantile times the error; NaN with one cluster.

    Approximate, and too short while few clusters carry the estimate.

    >>> tuple(round(end, 2) for end in normal_interval(ClusterMean(3.0, 1.0, 100)))
    (1.02, 4.98)
    """
    from scipy.stats import t as student

    _check(confidence)
    half = mean.error * float(student.ppf((1 + confidence) / 2, max(mean.clusters - 1, 1)))
    return mean.estimate - half, mean.estimate + half


def positive_interval(mean: ClusterMean, *, confidence: float = 0.95) -> tuple[float, float]:
    """Estimate times and over exp(Student's quantile times the relative error).

    For a mean of what is never negative, such as clicks: with few of them the estimate is skewed,
    and the normal interval misses twice as often above as below (delta method on the logarithm, as
    for a lift: Deng et al. 2018, KDD, section 2.1). NaN unless the estimate is above 0.

    >>> tuple(round(end, 2) for end in positive_interval(ClusterMean(3.0, 1.0, 100)))
    (1.55, 5.81)
    """
    low, high = normal_interval(mean, confidence=confidence)
    if not mean.estimate > 0:
        return float("nan"), float("nan")
    with np.errstate(over="ignore"):
        factor = float(np.exp((high - low) / 2 / mean.estimate))
    return mean.estimate / factor, mean.estimate * factor


def bernstein_interval(
    values: ArrayLike, lowest: float, highest: float, *, confidence: float = 0.95
) -> tuple[float, float]:
    """An interval for the mean that holds for any number of bounded, independent values.

    Parameters
    ----------
    values : array-like, shape (n,)
        At least two, one per cluster.
    lowest, highest : float
        What a value can be at most and at least: known beforehand, not seen. For clipped weights
        and rewards in [0, 1]: 0 and the clip.

    Notes
    -----
    Empirical Bernstein bound, both sides at once: Maurer & Pontil (2009), COLT, theorem 4, with
    log(4 / (1 - confidence)). Often three times as long as the normal interval: its price for
    being sure.

    Examples
    --------
    >>> few_clicks = np.repeat([0.0, 1.0], [990, 10])
    >>> tuple(round(end, 4) for end in bernstein_interval(few_clicks, 0.0, 1.0))
    (0.0, 0.0296)
    """
    _check(confidence)
    values = np.asarray(values, float)
    n = len(values)
    if n < 2:
        raise ValueError(f"values must be at least two, got {n}")
    if values.min() < lowest or values.max() > highest:
        raise ValueError(
            f"values must lie in [{lowest}, {highest}], got {values.min()} to {values.max()}"
        )
    log = np.log(4 / (1 - confidence))
    mean, variance = values.mean(), values.var(ddof=1)
    half = np.sqrt(2 * variance * log / n) + 7 * (highest - lowest) * log / (3 * (n - 1))
    return float(max(mean - half, lowest)), float(min(mean + half, highest))


def _check(confidence: float) -> None:
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must be in (0, 1), got {confidence}")
