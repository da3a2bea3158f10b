"""A kernel over a segment tree of an entity's events: the smallest, the greatest.

Leaves lie by time and are switched on when an event begins. What a request sees is then a
suffix of the leaves, log2(n) nodes, whatever the window and however late events come.
"""

from __future__ import annotations

import numpy as np
from numba import njit

__all__ = ["extremes"]


@njit(cache=True, nogil=True)
def extremes(first, last, bounds, asked_bounds, order, begun, low, value, valid, sign, out):
    """Greatest of sign * value among what is seen, times sign; -inf times sign if nothing."""
    for e in range(first, last):
        start, stop = bounds[e], bounds[e + 1]
        size = _leaves(stop - start)
        tree = np.full(2 * size, -np.inf)
        b = start
        for r in range(asked_bounds[e], asked_bounds[e + 1]):
            while b < begun[r]:
                p = order[b]
                if len(valid) == 0 or valid[p]:
                    node, now = p - start + size, sign * value[p]
                    while node and tree[node] < now:
                        tree[node] = now
                        node >>= 1
                b += 1
            best = -np.inf
            if low[r] < stop:
                node = low[r] - start + size
                best = tree[node]
                while node > 1:
                    if node & 1 == 0:
                        best = max(best, tree[node + 1])
                    node >>= 1
            out[r] = sign * best


@njit(cache=True, nogil=True)
def _leaves(n):
    size = 1
    while size < n:
        size *= 2
    return size
