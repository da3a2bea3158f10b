"""Shares of rows by slice with their clusters, quick enough to be asked for again and again.

What does not change with the question, how many rows each user has in each slice, is counted once;
a question then looks only at the rows where the two models part. The numbers are those of
`experiments.clustered.cluster_means`.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from workbench.experiments.clustered import Means

__all__ = ["Groups", "groups_of"]


@dataclass(frozen=True, slots=True)
class Groups:
    """Rows put under groups, and users within them.

    Parameters
    ----------
    code : ndarray of int, shape (n,)
        Group of each row, from 0.
    users : ndarray of int, shape (n,), or None
        Cluster of each row; None where each row stands alone.
    rows, clusters, squares : ndarray, shape (g,)
        Rows, clusters, and the sum of squared cluster sizes.
    pairs, sizes : ndarray of int
        Every user in every group once, ascending, and the rows of each.
    """

    code: np.ndarray
    users: np.ndarray | None
    rows: np.ndarray
    clusters: np.ndarray
    squares: np.ndarray
    pairs: np.ndarray
    sizes: np.ndarray

    def means(self, values: np.ndarray) -> Means:
        """Mean of flags, or of -1, 0 and 1, in each group, and its variance over clusters.

        >>> groups = groups_of(np.array([0, 0, 0, 0]), 1, np.array([0, 0, 1, 1]))
        >>> groups.means(np.array([True, True, False, False])).variance
        array([0.25])
        """
        g, at = len(self.rows), np.flatnonzero(values)
        code, signs = self.code[at], 1.0 if values.dtype == bool else values[at].astype(float)
        total = np.bincount(code, np.broadcast_to(signs, len(at)), minlength=g)
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = total / self.rows
            if self.users is None:
                own, cross = np.bincount(code, minlength=g), total
            else:
                key = 2 * (self.users[at] * g + code) + (signs < 0)
                pair, sums = _summed(*_counted(key))
                size = self.sizes[np.searchsorted(self.pairs, pair)]
                own = np.bincount(pair % g, sums.astype(float) ** 2, minlength=g)
                cross = np.bincount(pair % g, sums * size, minlength=g)
            squares = own - 2 * mean * cross + mean**2 * self.squares
            factor = self.clusters / (self.clusters - 1) / self.rows.astype(float) ** 2
            variance = np.where(self.clusters > 1, np.maximum(squares, 0) * factor, np.nan)
        return Means(self.rows, self.clusters, mean, variance)

    def excess(self, first: np.ndarray, second: np.ndarray, at: int) -> tuple[float, float, float]:
        """Difference of two shares of the rows of a group, with its 95 % interval.

        That of `experiments.clustered.paired_interval` (Agresti & Min 2005).

        >>> groups = groups_of(np.zeros(100, int), 1)
        >>> wrong, twin = np.arange(100) < 12, np.arange(100) >= 98
        >>> [round(each, 3) for each in groups.excess(wrong, twin, 0)]
        [0.1, 0.026, 0.17]
        """
        means = self.means(first.astype(np.int8) - second.astype(np.int8))
        rows, mean, variance = self.rows[at], means.mean[at], means.variance[at]
        apart = np.count_nonzero((first != second) & (self.code == at)) / rows
        pairs = self.clusters[at]
        if variance > 0:
            pairs = min(rows * (apart - mean**2) / max(rows - 1, 1) / variance, rows)
        total = pairs + 2
        middle = mean * pairs / total
        error = np.sqrt((apart * pairs + 1 - (mean * pairs) ** 2 / total) / total**2)
        half = NormalDist().inv_cdf(0.975) * error
        return float(mean), float(middle - half), float(middle + half)


def groups_of(code: np.ndarray, number: int, users: np.ndarray | None = None) -> Groups:
    """Count once what every question needs.

    Parameters
    ----------
    code : ndarray of int, shape (n,)
        Group of each row, from 0 to number - 1.
    number : int
    users : ndarray of int, shape (n,), optional
        Cluster of each row, from 0.

    Examples
    --------
    >>> groups_of(np.array([0, 1, 1]), 2, np.array([5, 5, 5])).sizes.tolist()
    [1, 2]
    """
    rows = np.bincount(code, minlength=number)
    if users is None:
        none = np.zeros(0, np.int64)
        return Groups(code, None, rows, rows, rows.astype(float), none, none)
    pairs, sizes = _counted(users * number + code)
    clusters = np.bincount(pairs % number, minlength=number)
    squares = np.bincount(pairs % number, sizes.astype(float) ** 2, minlength=number)
    return Groups(code, users, rows, clusters, squares, pairs, sizes)


def _counted(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Different values, ascending, and how often each comes."""
    values = np.sort(values)
    first = np.flatnonzero(np.append(True, values[1:] != values[:-1])[: len(values)])
    return values[first], np.diff(np.append(first, len(values)))


def _summed(key: np.ndarray, count: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pairs, ascending, and their sums; the last bit of a key is its sign."""
    pair, signed = key >> 1, np.where(key & 1, -count, count)
    first = np.flatnonzero(np.append(True, pair[1:] != pair[:-1])[: len(pair)])
    return pair[first], np.add.reduceat(signed, first) if len(first) else signed
