"""Means with intervals when rows come in clusters: all requests of a user hang together.

A hundred requests of one user are not a hundred witnesses. The variance of a mean is taken over
whole clusters, for any number of groups of rows at once; shares get Wilson's interval with the
number of independent rows that would be as sure.

    rows ─► sums per (group, cluster) ─► mean, variance of the mean ─► interval
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["Means", "cluster_means", "mean_interval", "paired_interval", "share_interval"]


@dataclass(frozen=True, slots=True)
class Means:
    """Of each group: rows, clusters, mean of its rows, variance of that mean; each shape (g,)."""

    rows: np.ndarray
    clusters: np.ndarray
    mean: np.ndarray
    variance: np.ndarray


def cluster_means(
    values: np.ndarray, clusters: np.ndarray | None = None, groups: np.ndarray | None = None
) -> Means:
    """Mean of each group and its variance, robust to what rows of a cluster share.

    Parameters
    ----------
    values : ndarray, shape (n,)
        NaN rows are left out.
    clusters, groups : ndarray of int, shape (n,), optional
        Codes from 0. Without clusters each row stands alone; without groups there is one.

    Returns
    -------
    Means
        Variance NaN where a group has fewer than two clusters.

    References
    ----------
    Linearised ratio of sums: W. Cochran (1977), "Sampling Techniques", equation 9A.2 and section
    6.3, with G/(G - 1).

    Examples
    --------
    >>> found = cluster_means(np.array([1.0, 1.0, 0.0, 0.0]), np.array([0, 0, 1, 1]))
    >>> found.mean, found.variance                               # two witnesses, not four
    (array([0.5]), array([0.25]))
    """
    values = np.asarray(values, float)
    known = ~np.isnan(values)
    g = 1 if groups is None else int(groups.max(initial=-1)) + 1
    group = np.zeros(len(values), np.int64) if groups is None else np.asarray(groups, np.int64)
    rows = np.bincount(group[known], minlength=g).astype(float)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.bincount(group[known], values[known], minlength=g) / rows
    residual = np.where(known, values - mean[group], 0.0)
    if clusters is None:
        count = rows
        squares = np.bincount(group, residual**2, minlength=g)
    else:
        width = int(np.max(clusters, initial=-1)) + 1
        code = group * width + clusters
        if g * width <= 4 * len(values) + 1_000:
            sums = np.bincount(code, residual, minlength=g * width)
            there = np.bincount(code[known], minlength=g * width) > 0
            owner = np.repeat(np.arange(g), width)
        else:
            cells, cell = np.unique(code, return_inverse=True)
            sums = np.bincount(cell, residual)
            there = np.bincount(cell[known], minlength=len(cells)) > 0
            owner = cells // max(width, 1)
        count = np.bincount(owner[there], minlength=g).astype(float)
        squares = np.bincount(owner[there], sums[there] ** 2, minlength=g)
    with np.errstate(invalid="ignore", divide="ignore"):
        variance = np.where(count > 1, squares * count / (count - 1) / rows**2, np.nan)
    return Means(rows.astype(np.int64), count.astype(np.int64), mean, variance)


def share_interval(means: Means, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
    """Wilson's interval with the effective number of rows, (g,) and (g,).

    Effective rows are the rows over the design effect, at most all of them; where the share is 0
    or 1 each cluster counts once.

    References
    ----------
    E. Wilson (1927), J. Am. Stat. Assoc. 22; E. Korn, B. Graubard (1998), "Confidence intervals for
    proportions with small expected number of positive counts estimated from survey data", Survey
    Methodology 24, for the effective size.

    Examples
    --------
    >>> share_interval(cluster_means(np.zeros(50)))[1].round(4)
    array([0.0713])
    """
    share, z = means.mean, _z(level)
    n = _effective(means)
    with np.errstate(invalid="ignore", divide="ignore"):
        middle = (share + z * z / (2 * n)) / (1 + z * z / n)
        spread = share * (1 - share) / n + z * z / (4 * n * n)
        half = z / (1 + z * z / n) * np.sqrt(spread)
    low = np.where(share == 0, 0.0, np.maximum(middle - half, 0.0))
    high = np.where(share == 1, 1.0, np.minimum(middle + half, 1.0))
    return low, high


def mean_interval(means: Means, level: float = 0.95) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Student's interval with clusters - 1 degrees of freedom, and p for a mean of 0.

    Without variance the interval is the mean, and p is 0 or 1.
    """
    from scipy.stats import t as student

    freedom = np.maximum(means.clusters - 1, 1)
    error = np.sqrt(means.variance)
    half = student.ppf((1 + level) / 2, freedom) * error
    with np.errstate(invalid="ignore", divide="ignore"):
        p = 2 * student.sf(np.abs(means.mean) / error, freedom)
    p = np.where(error == 0, (means.mean == 0).astype(float), p)
    return means.mean - half, means.mean + half, p


def paired_interval(
    first: np.ndarray,
    second: np.ndarray,
    clusters: np.ndarray | None = None,
    groups: np.ndarray | None = None,
    *,
    level: float = 0.95,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Difference of two shares of the same rows, its interval and p; each (g,).

    Parameters
    ----------
    first, second : ndarray of 0 and 1, shape (n,)
        NaN rows are left out.

    References
    ----------
    A. Agresti, Y. Min (2005), "Simple improved confidence intervals for comparing matched
    proportions", Stat. Med. 24: Wald's with half a pair added to each of the four cells; pairs
    counted by their effective number where rows are clustered.

    Examples
    --------
    >>> wrong, twin = np.array([1.0] * 12 + [0.0] * 88), np.array([0.0] * 98 + [1.0] * 2)
    >>> [each.round(3).tolist() for each in paired_interval(wrong, twin)[:3]]
    [[0.1], [0.026], [0.17]]
    """
    from scipy.stats import norm

    difference = np.asarray(first, float) - np.asarray(second, float)
    means = cluster_means(difference, clusters, groups)
    apart = cluster_means(np.abs(difference), None, groups).mean
    with np.errstate(invalid="ignore", divide="ignore"):
        alone = (apart - means.mean**2) / np.maximum(means.rows - 1, 1)
        pairs = means.rows * np.where(means.variance > 0, alone / means.variance, 1.0)
    pairs = np.clip(np.where(np.isnan(pairs), means.clusters, pairs), 0, means.rows)
    if clusters is not None:
        pairs = np.where(means.variance > 0, pairs, means.clusters)
    total = pairs + 2
    middle = means.mean * pairs / total
    error = np.sqrt((apart * pairs + 1 - (means.mean * pairs) ** 2 / total) / total**2)
    p = 2 * norm.sf(np.abs(middle) / error)
    z = _z(level)
    return means.mean, middle - z * error, middle + z * error, p


def _effective(means: Means) -> np.ndarray:
    """Rows over the design effect: the variance over that of as many rows that stand alone."""
    with np.errstate(invalid="ignore", divide="ignore"):
        alone = means.mean * (1 - means.mean) / (means.rows - 1)
        n = np.where(
            (alone > 0) & (means.variance > 0), means.rows * alone / means.variance, means.clusters
        )
    return np.minimum(np.where(np.isnan(n), means.clusters, n), means.rows).astype(float)


def _z(level: float) -> float:
    from statistics import NormalDist

    if not 0 < level < 1:
        raise ValueError(f"confidence must be in (0, 1), got {level}")
    return NormalDist().inv_cdf((1 + level) / 2)
