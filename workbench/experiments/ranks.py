"""How alike are two slates? One number per request, all requests at once.

Slates are arrays of items, shape (requests, places), best first; a short slate ends in missing
items (`NO_ITEM`, -1 or ""). 1 is the same slate and 0 nothing in common, for all but the Kendall
correlations, which go from 1 to -1.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from workbench.policy import NO_ITEM

__all__ = ["kendall_tau", "rank_biased_overlap", "slate_tau", "top_overlap"]


def rank_biased_overlap(first: ArrayLike, second: ArrayLike, *, p: float = 0.9) -> np.ndarray:
    """Overlap of two slates seen by someone who goes on to the next place with probability p.

    Parameters
    ----------
    first, second : array-like, shape (n, k) and (n, m)
        Items, best first.
    p : float, default 0.9
        Patience, in (0, 1): the first 1/(1 - p) places have most of the weight.

    Returns
    -------
    ndarray, shape (n,)
        The extrapolated overlap, in [0, 1]: what was seen is taken to go on below. Two empty
        slates are alike (1), an empty one is like no other (0).

    Raises
    ------
    ValueError
        If shapes differ in n, a slate has an item twice or a gap, or p is not in (0, 1).

    References
    ----------
    W. Webber, A. Moffat, J. Zobel (2010), "A similarity measure for indefinite rankings", ACM TOIS
    28(4), equation 32 (uneven lengths; equation 23 for even ones).

    Examples
    --------
    >>> rank_biased_overlap([[1, 2, 3]], [[1, 3, 2]]).round(3)                # 1 - (1-p)/2
    array([0.955])
    """
    if not 0 < p < 1:
        raise ValueError(f"p must be in (0, 1), got {p}")
    first, second = _slates(first, second)
    lengths = np.stack([(each >= 0).sum(axis=1) for each in (first, second)])
    short, long = lengths.min(axis=0), lengths.max(axis=0)
    n, depths = len(first), max(first.shape[1], second.shape[1])
    overlap, at_short = np.zeros(n), np.zeros(n)
    total = np.zeros(n)
    for depth in range(1, depths + 1):
        overlap += _new_in_common(first, second, depth)
        at_short = np.where(depth == short, overlap, at_short)
        beyond = np.where(
            depth > short, at_short * (depth - short) / np.maximum(short * depth, 1), 0.0
        )
        total += np.where(depth <= long, (overlap / depth + beyond) * p**depth, 0.0)
    deep, few = np.maximum(long, 1), np.maximum(short, 1)
    rest = ((overlap - at_short) / deep + at_short / few) * p**long
    result = (1 - p) / p * total + rest
    return np.where(long == 0, 1.0, np.where(short == 0, 0.0, np.minimum(result, 1.0)))


def top_overlap(first: ArrayLike, second: ArrayLike, *, k: int) -> np.ndarray:
    """Share of the first k items that two slates have in common, in any order, shape (n,).

    Divided by k, or by the longer slate if both are shorter. Two empty slates are alike.

    >>> top_overlap([[1, 2, 3]], [[3, 1, 7]], k=2)
    array([0.5])
    """
    if k < 1:
        raise ValueError(f"k must be at least 1, got {k}")
    first, second = (each[:, :k] for each in _slates(first, second))
    common = sum(
        _new_in_common(first, second, depth)
        for depth in range(1, max(first.shape[1], second.shape[1]) + 1)
    )
    longer = np.maximum((first >= 0).sum(axis=1), (second >= 0).sum(axis=1))
    return np.where(longer == 0, 1.0, common / np.maximum(longer, 1))


def slate_tau(first: ArrayLike, second: ArrayLike) -> np.ndarray:
    """Kendall's correlation of the order of the items that both slates show, shape (n,).

    NaN where fewer than two are in common: say it beside an overlap, not instead of one.

    >>> slate_tau([[1, 2, 3, 4]], [[2, 1, 3, 9]]).round(3)         # of three pairs one is turned
    array([0.333])
    """
    first, second = _slates(first, second)
    place = np.full(first.shape, np.nan)
    for column in range(second.shape[1]):
        same = (first == second[:, column, None]) & (first >= 0)
        place[same] = column
    return kendall_tau(np.broadcast_to(np.arange(first.shape[1], dtype=float), first.shape), place)


def kendall_tau(first: ArrayLike, second: ArrayLike) -> np.ndarray:
    """Kendall's tau-b along the last axis, of all rows at once; shape (n,).

    Parameters
    ----------
    first, second : array-like, shape (n, m)
        Scores of the same m things. A thing with NaN in either is left out.

    Returns
    -------
    ndarray, shape (n,)
        In [-1, 1]; NaN where one of them does not vary. O(n m**2): for few things and many rows;
        for one long row take `scipy.stats.kendalltau`.

    References
    ----------
    M. Kendall (1945), "The treatment of ties in ranking problems", Biometrika 33, 239-251.

    Examples
    --------
    >>> kendall_tau([[1, 2, 3, 4]], [[1, 3, 2, 4]]).round(3)
    array([0.667])
    """
    first, second = (np.atleast_2d(np.asarray(each, float)) for each in (first, second))
    if first.shape != second.shape or first.ndim != 2:
        raise ValueError(f"scores must have one shape (n, m), got {first.shape}, {second.shape}")
    known = ~(np.isnan(first) | np.isnan(second))
    same = np.zeros(len(first))
    pairs, others = np.zeros(len(first)), np.zeros(len(first))
    for i in range(first.shape[1]):
        for j in range(i):
            both = known[:, i] & known[:, j]
            a = np.where(both, np.sign(first[:, i] - first[:, j]), 0.0)
            b = np.where(both, np.sign(second[:, i] - second[:, j]), 0.0)
            same += a * b
            pairs += a != 0
            others += b != 0
    with np.errstate(invalid="ignore"):
        return same / np.sqrt(pairs * others)


def _new_in_common(first: np.ndarray, second: np.ndarray, depth: int) -> np.ndarray:
    """How many items come to be in both slates at this depth, shape (n,)."""
    i, new = depth - 1, np.zeros(len(first))
    if i < first.shape[1]:
        item = first[:, i]
        for j in range(min(depth, second.shape[1])):
            new += (item == second[:, j]) & (item >= 0)
    if i < second.shape[1]:
        item = second[:, i]
        for j in range(min(i, first.shape[1])):
            new += (item == first[:, j]) & (item >= 0)
    return new


def _slates(first: ArrayLike, second: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Items as codes from 0, missing ones as -1, checked."""
    first, second = (np.atleast_2d(np.asarray(each)) for each in (first, second))
    if first.ndim != 2 or second.ndim != 2 or len(first) != len(second):
        raise ValueError(f"slates must be (n, k) and (n, m), got {first.shape}, {second.shape}")
    kinds = {each.dtype.kind for each in (first, second) if each.size}
    if not (kinds <= set("iu") or kinds == {"U"}):
        raise ValueError(f"items must be integers or text, got {first.dtype} and {second.dtype}")
    if kinds == {"U"}:
        both = np.concatenate([first.ravel(), second.ravel()])
        code = np.unique(both, return_inverse=True)[1].reshape(-1)
        code[both == ""] = -1
        first, second = (
            code[: first.size].reshape(first.shape),
            code[first.size :].reshape(second.shape),
        )
    else:
        first, second = (np.where(each == NO_ITEM, -1, each) for each in (first, second))
    for name, each in (("first", first), ("second", second)):
        if (np.diff((each >= 0).astype(np.int8), axis=1) > 0).any():
            raise ValueError(f"{name} has a missing item before another: close the gap")
        ordered = np.sort(each, axis=1)
        if ((ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] >= 0)).any():
            raise ValueError(f"{name} has a slate that shows an item twice")
    return first, second
