"""How good is an order? NDCG and recall at k, averaged over queries.

One row per (query, item). Three conventions change the numbers and are said in each call or here:
the gain is used as given (2**grade - 1 is for the caller to compute), a query without anything
relevant is left out of the mean, and equal scores share the positions they cover, so that the order
of the rows is worth nothing.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

__all__ = ["ndcg", "recall_at"]


def ndcg(queries: ArrayLike, gains: ArrayLike, scores: ArrayLike, *, k: int | None = None) -> float:
    """Discounted gain of the first k, as a share of the best order's; mean over queries.

    Parameters
    ----------
    queries : array-like, shape (n,)
        Which request each row belongs to; any ids, any row order.
    gains : array-like, shape (n,)
        How much each item is worth, >= 0.
    scores : array-like, shape (n,)
        Highest first; only the order matters.
    k : int, optional
        Positions that count; all by default.

    Returns
    -------
    float
        In [0, 1]. NaN when no query has a gain.

    Raises
    ------
    ValueError
        If shapes differ, a value is missing, a gain is negative or `k < 1`.

    Notes
    -----
    Discount 1/log2(1 + position), position from 1 [1]_. Tied items get the mean discount of the
    positions that they cover: the expected value under random order [2]_.

    References
    ----------
    .. [1] K. Järvelin, J. Kekäläinen (2002), "Cumulated gain-based evaluation of IR techniques",
       ACM TOIS 20, 422-446.
    .. [2] F. McSherry, M. Najork (2008), "Computing information retrieval performance measures
       efficiently in the presence of tied scores", ECIR, section 2.6.

    Examples
    --------
    >>> round(ndcg([1, 1, 1], [0, 1, 3], [0.9, 0.5, 0.1]), 3)        # 2.131 of 3.631
    0.587
    """
    query, gains, scores = _checked(queries, gains, scores, k)
    reached = _sum_discounted(query, gains, scores, k)
    best = _sum_discounted(query, gains, gains, k)
    relevant = best > 0
    return float((reached[relevant] / best[relevant]).mean()) if relevant.any() else float("nan")


def recall_at(
    queries: ArrayLike, relevant: ArrayLike, scores: ArrayLike, *, k: int, of: str = "relevant"
) -> float:
    """Share of the relevant items that are among the first k; mean over queries.

    Parameters
    ----------
    queries, scores : array-like, shape (n,)
        As for `ndcg`. Items of equal score at the boundary count by their chance to be inside.
    relevant : array-like, shape (n,)
        0 or 1. A relevant item that was never retrieved belongs here too, with score -inf.
    k : int
    of : {"relevant", "reachable"}
        Divide by all relevant items, or by min(k, relevant): the best that k places can hold.

    Returns
    -------
    float
        In [0, 1]. NaN when no query has anything relevant.

    Raises
    ------
    ValueError
        As `ndcg`, or when `relevant` is not 0 or 1, or `of` is another word.

    Examples
    --------
    >>> recall_at([1, 1, 1, 1], [1, 1, 1, 0], [0.9, 0.1, 0.2, 0.8], k=2)          # one of three
    0.3333333333333333
    >>> recall_at([1, 1, 1, 1], [1, 1, 1, 0], [0.9, 0.1, 0.2, 0.8], k=2, of="reachable")
    0.5
    """
    query, relevant, scores = _checked(queries, relevant, scores, k)
    if not np.isin(relevant, (0, 1)).all():
        raise ValueError("relevant must be 0 or 1")
    if of not in ("relevant", "reachable"):
        raise ValueError(f"of must be 'relevant' or 'reachable', got {of!r}")
    found = _sum_by_position(query, relevant, scores, lambda position: position <= k)
    total = np.bincount(query, relevant)
    total = np.minimum(total, k) if of == "reachable" else total
    return float((found[total > 0] / total[total > 0]).mean()) if total.any() else float("nan")


def _sum_discounted(query, gains, scores, k):
    def discount(position):
        worth = 1 / np.log2(1 + position)
        return worth if k is None else np.where(position <= k, worth, 0.0)

    return _sum_by_position(query, gains, scores, discount)


def _sum_by_position(query, values, scores, worth) -> np.ndarray:
    """Sum of value x worth(position) per query, ties at their mean worth; shape (queries,)."""
    order = np.lexsort((-scores, query))
    query, values, scores = query[order], values[order], scores[order]
    n = len(query)
    new_query = np.concatenate([[True], query[1:] != query[:-1]])
    new_score = new_query | np.concatenate([[True], scores[1:] != scores[:-1]])
    starts = np.maximum.accumulate(np.where(new_query, np.arange(n), 0))
    value = worth(np.arange(n) - starts + 1).astype(float)
    tie = np.cumsum(new_score) - 1
    value = (np.bincount(tie, value) / np.bincount(tie))[tie]
    return np.bincount(query, values * value)


def _checked(queries, gains, scores, k) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    queries, gains, scores = (
        np.asarray(queries),
        np.asarray(gains, float),
        np.asarray(scores, float),
    )
    if not (queries.shape == gains.shape == scores.shape == (scores.size,)) or not scores.size:
        shapes = f"{queries.shape}, {gains.shape} and {scores.shape}"
        raise ValueError(f"all columns must be non-empty and of the same shape (n,), got {shapes}")
    if np.isnan(scores).any() or not np.isfinite(gains).all() or (gains < 0).any():
        raise ValueError("scores must not be NaN and gains must be finite and >= 0")
    if k is not None and k < 1:
        raise ValueError(f"k must be at least 1, got {k}")
    return np.unique(queries, return_inverse=True)[1], gains, scores
