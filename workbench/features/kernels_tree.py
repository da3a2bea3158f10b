"""Kernels over a segment tree of an entity's events: smallest, greatest, standard deviation.

Leaves lie by time and are switched on when an event begins. What a request sees is then a
suffix of the leaves, log2(n) nodes, whatever the window and however late events come.
"""

from __future__ import annotations

import numpy as np
from numba import njit

__all__ = ["extremes", "spreads"]


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
def spreads(first, last, bounds, asked_bounds, order, begun, low, value, valid, out):
    """Standard deviation, n - 1, of what is seen; NaN for fewer than two."""
    for e in range(first, last):
        start, stop = bounds[e], bounds[e + 1]
        size = _leaves(stop - start)
        tree = np.zeros((2 * size, 3))  # n, mean, sum of squared deviations
        b = start
        for r in range(asked_bounds[e], asked_bounds[e + 1]):
            while b < begun[r]:
                p = order[b]
                if len(valid) == 0 or valid[p]:
                    node = p - start + size
                    tree[node, 0], tree[node, 1] = 1.0, value[p]
                    node >>= 1
                    while node:
                        _merge(tree[2 * node], tree[2 * node + 1], tree[node])
                        node >>= 1
                b += 1
            seen = np.zeros(3)
            if low[r] < stop:
                node = low[r] - start + size
                seen[:] = tree[node]
                while node > 1:
                    if node & 1 == 0:
                        _merge(seen, tree[node + 1], seen)
                    node >>= 1
            out[r] = np.sqrt(seen[2] / (seen[0] - 1)) if seen[0] > 1 else np.nan


@njit(cache=True, nogil=True)
def _leaves(n):
    size = 1
    while size < n:
        size *= 2
    return size


@njit(cache=True, nogil=True)
def _merge(left, right, into):
    """Chan, Golub and LeVeque 1983, equation 1.5."""
    n = left[0] + right[0]
    if right[0] == 0:
        into[0], into[1], into[2] = left[0], left[1], left[2]
    elif left[0] == 0:
        into[0], into[1], into[2] = right[0], right[1], right[2]
    else:
        apart = right[1] - left[1]
        squares = left[2] + right[2] + apart * apart * (left[0] * right[0] / n)
        into[0], into[1], into[2] = n, left[1] + apart * (right[0] / n), squares
