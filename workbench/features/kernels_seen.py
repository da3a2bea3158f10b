"""Kernels that find what each request sees, as two places in its entity's events.

An event is seen by requests inside one interval of time, (begin, end]. Within an entity events lie
by time; `order` lists their places by begin. What a request at t sees is

    all of order[: begun]  with a place >= low,    begun: how many have begin < t
                                                   low: the first place with end >= t

With a session, low is the place where the running session starts. Sessions only grow together
as late events become known, so a union-find over places knows the start of each.
"""

from __future__ import annotations

import numpy as np
from numba import njit

__all__ = ["begins", "ends", "places", "session_places"]


@njit(cache=True, nogil=True)
def begins(first, last, time, known, lag, step, begin):
    """From after when each event counts; a step rounds it up only if there is a lag."""
    for i in range(first, last):
        natural = time[i] + lag
        if lag > 0 and step > 1:
            natural = (time[i] // step + 1) * step - 1 + lag
        begin[i] = max(natural, known[i])


@njit(cache=True, nogil=True)
def ends(time, reach, step):
    """Until when, inclusive, an event of that time counts; reach is lag + window."""
    return (time // step + 1) * step - 1 + reach if step > 1 else time + reach


@njit(cache=True, nogil=True)
def places(first, last, bounds, asked_bounds, time, begin, order, t, reach, step, begun, low):
    """Two pointers over events and requests; reach -1 is no window."""
    for e in range(first, last):
        b = old = bounds[e]
        stop = bounds[e + 1]
        for r in range(asked_bounds[e], asked_bounds[e + 1]):
            while b < stop and begin[order[b]] < t[r]:
                b += 1
            if reach >= 0:
                while old < stop and ends(time[old], reach, step) < t[r]:
                    old += 1
            begun[r], low[r] = b, old


@njit(cache=True, nogil=True)
def session_places(first, last, bounds, asked_bounds, time, order, t, gap, begun, low):
    """Raise `low` to where the running session starts; `begun` and `low` as `places` left them."""
    for e in range(first, last):
        start, stop = bounds[e], bounds[e + 1]
        n = stop - start
        before, after, root = _neighbours(order, start, n)
        b, youngest = start, -1
        for r in range(asked_bounds[e], asked_bounds[e + 1]):
            while b < begun[r]:
                p = order[b] - start
                root[p] = p
                youngest = max(youngest, p)
                left, right = before[p], after[p]
                if left >= 0 and time[start + p] - time[start + left] <= gap:
                    root[p] = _find(root, left)
                if right < n and time[start + right] - time[start + p] <= gap:
                    root[right] = root[p]
                b += 1
            if youngest < 0 or t[r] - time[start + youngest] > gap:
                low[r] = stop
            else:
                low[r] = max(low[r], start + _find(root, youngest))


@njit(cache=True, nogil=True)
def _neighbours(order, start, n):
    """For each place: the next ones on either side that begin sooner; and room for the roots."""
    before, after = np.arange(-1, n - 1), np.arange(1, n + 1)
    for k in range(n - 1, -1, -1):  # take them away in reverse: what is left then began sooner
        p = order[start + k] - start
        left, right = before[p], after[p]
        if left >= 0:
            after[left] = right
        if right < n:
            before[right] = left
    return before, after, np.empty(n, np.int64)


@njit(cache=True, nogil=True)
def _find(root, p):
    top = p
    while root[top] != top:
        top = root[top]
    while root[p] != top:
        root[p], p = top, root[p]
    return top
