"""Kernels whose answer is a list: the last k, the values seen; and the latest event of all.

What has begun is kept as a chain from the youngest to the oldest. A new event mostly becomes the
head; a late one walks down the chain to its place. An answer costs what it is long.
"""

from __future__ import annotations

import numpy as np
from numba import njit

__all__ = ["last_events", "latest_events", "values_seen"]


@njit(cache=True, nogil=True)
def latest_events(first, last, bounds, asked_bounds, order, begun, low, place):
    """Place of the youngest event that each request sees, -1 for none."""
    for e in range(first, last):
        b, youngest = bounds[e], -1
        for r in range(asked_bounds[e], asked_bounds[e + 1]):
            while b < begun[r]:
                youngest = max(youngest, order[b])
                b += 1
            place[r] = youngest if youngest >= low[r] else -1


@njit(cache=True, nogil=True)
def last_events(
    first, last, bounds, asked_bounds, order, begun, low, valid, most, lengths, offsets, place
):
    """Places of the last `most` valid events, oldest first; without offsets only lengths."""
    for e in range(first, last):
        start = b = bounds[e]
        older = np.empty(bounds[e + 1] - start, np.int64)
        head = -1
        for r in range(asked_bounds[e], asked_bounds[e + 1]):
            while b < begun[r]:
                p = order[b]
                if len(valid) == 0 or valid[p]:
                    if p > head:
                        older[p - start] = head
                        head = p
                    else:
                        above = head
                        while older[above - start] > p:
                            above = older[above - start]
                        older[p - start] = older[above - start]
                        older[above - start] = p
                b += 1
            n, p = 0, head
            while p >= low[r] and p >= 0 and n < most:
                if len(offsets):
                    place[offsets[r] + lengths[r] - 1 - n] = p
                n += 1
                p = older[p - start]
            lengths[r] = n


@njit(cache=True, nogil=True)
def values_seen(
    first, last, bounds, asked_bounds, order, begun, low, value, different, most, lengths,
    offsets, seen,
):  # fmt: skip
    """The `most` values seen last, as sorted codes; without offsets only lengths."""
    youngest = np.full(different, -1, np.int64)
    older = np.empty(different, np.int64)
    newer = np.empty(different, np.int64)
    for e in range(first, last):
        b, head = bounds[e], -1
        for r in range(asked_bounds[e], asked_bounds[e + 1]):
            while b < begun[r]:
                p = order[b]
                v = value[p]
                if v >= 0 and p > youngest[v]:
                    if youngest[v] >= 0:
                        head = _take_out(head, v, older, newer)
                    youngest[v] = p
                    head = _put_in(head, v, youngest, older, newer)
                b += 1
            n, v = 0, head
            while v >= 0 and youngest[v] >= low[r] and n < most:
                if len(offsets):
                    seen[offsets[r] + n] = v
                n += 1
                v = older[v]
            if len(offsets):
                seen[offsets[r] : offsets[r] + n].sort()
            lengths[r] = n
        for p in range(bounds[e], bounds[e + 1]):
            if value[p] >= 0:
                youngest[value[p]] = -1


@njit(cache=True, nogil=True)
def _take_out(head, v, older, newer):
    if newer[v] >= 0:
        older[newer[v]] = older[v]
    if older[v] >= 0:
        newer[older[v]] = newer[v]
    return older[v] if head == v else head


@njit(cache=True, nogil=True)
def _put_in(head, v, youngest, older, newer):
    above, below = -1, head
    while below >= 0 and youngest[below] > youngest[v]:
        above, below = below, older[below]
    older[v], newer[v] = below, above
    if below >= 0:
        newer[below] = v
    if above >= 0:
        older[above] = v
        return head
    return v
