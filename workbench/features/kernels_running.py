"""Kernels that keep a total up to date from request to request: counts, exact sums, distinct.

Two things change what is seen: events begin (added if not below `low`), and `low` moves (those it
passes are taken out; where a late event joined two sessions it moves back and they return).
"""

from __future__ import annotations

import numpy as np
from numba import njit

from workbench.features.exact import add_exactly, rounded

__all__ = ["running_counts", "running_distinct", "running_sums"]


@njit(cache=True, nogil=True)
def running_counts(first, last, bounds, asked_bounds, begin, order, t, begun, low, valid, number):
    """How many events with `valid` (empty: all) each request sees."""
    for e in range(first, last):
        b = now = bounds[e]
        n = 0
        for r in range(asked_bounds[e], asked_bounds[e + 1]):
            while b < begun[r]:
                p = order[b]
                n += p >= now and (len(valid) == 0 or valid[p])
                b += 1
            while now < low[r]:
                n -= begin[now] < t[r] and (len(valid) == 0 or valid[now])
                now += 1
            while now > low[r]:
                now -= 1
                n += begin[now] < t[r] and (len(valid) == 0 or valid[now])
            number[r] = n


@njit(cache=True, nogil=True)
def running_sums(
    first, last, bounds, asked_bounds, begin, order, t, begun, low, bits, valid, lowest, words,
    total, number,
):  # fmt: skip
    """Exact sums of floats, given as their bits, rounded once; and how many are valid."""
    for e in range(first, last):
        state = np.zeros(words, np.uint64)
        b = now = bounds[e]
        n = 0
        for r in range(asked_bounds[e], asked_bounds[e + 1]):
            while b < begun[r]:
                p = order[b]
                if p >= now and (len(valid) == 0 or valid[p]):
                    add_exactly(state, bits[p], lowest, False)
                    n += 1
                b += 1
            while now < low[r]:
                if begin[now] < t[r] and (len(valid) == 0 or valid[now]):
                    add_exactly(state, bits[now], lowest, True)
                    n -= 1
                now += 1
            while now > low[r]:
                now -= 1
                if begin[now] < t[r] and (len(valid) == 0 or valid[now]):
                    add_exactly(state, bits[now], lowest, False)
                    n += 1
            total[r] = rounded(state, lowest) if n else 0.0
            number[r] = n


@njit(cache=True, nogil=True)
def running_distinct(
    first, last, bounds, asked_bounds, begin, order, t, begun, low, value, different, number
):
    """How many different values (codes below `different`; -1 is null) each request sees.

    A value is seen if the youngest of its events that have begun is not below `low`.
    """
    youngest = np.full(different, -1, np.int64)
    for e in range(first, last):
        b = now = bounds[e]
        n = 0
        for r in range(asked_bounds[e], asked_bounds[e + 1]):
            while b < begun[r]:
                p = order[b]
                v = value[p]
                if v >= 0 and p > youngest[v]:
                    n += p >= now and youngest[v] < now
                    youngest[v] = p
                b += 1
            while now < low[r]:
                n -= value[now] >= 0 and youngest[value[now]] == now
                now += 1
            while now > low[r]:
                now -= 1
                n += value[now] >= 0 and youngest[value[now]] == now
            number[r] = n
        for p in range(bounds[e], bounds[e + 1]):
            if value[p] >= 0:
                youngest[value[p]] = -1
