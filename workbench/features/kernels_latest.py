"""The latest event before each request, without sorting the events.

The requests lie by entity and time. Each event goes to the first request that can see it, found by
bisection, and stays there if it is the youngest that came; then the youngest is carried from
request to request. Threads take ranges of entities and pass over the events of others.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from workbench.features.kernels_seen import ends

__all__ = ["latest_in_runs", "latest_rows"]

_FAR = 256


@njit(cache=True, nogil=True)
def latest_rows(
    first, last, asked_bounds, t, code, time, known, tie, lag, reach, step, row
):  # fmt: skip
    """Rows of the events, -1 for none; 1 if two events tie in both clocks (then `tie` decides)."""
    newest = np.empty(asked_bounds[last] - asked_bounds[first], np.int64)
    skip = asked_bounds[first]
    row[skip : asked_bounds[last]] = -1
    ties = 0
    for i in range(len(code)):
        e = code[i]
        if e < first or e >= last:
            continue
        moment = time[i]
        begin = moment + lag
        if lag > 0 and step > 1:
            begin = (moment // step + 1) * step - 1 + lag
        begin = max(begin, known[i])
        low, high = asked_bounds[e], asked_bounds[e + 1]
        stop = high
        while low < high:
            middle = (low + high) >> 1
            if t[middle] > begin:
                high = middle
            else:
                low = middle + 1
        if low == stop:
            continue
        if row[low] < 0 or moment > newest[low - skip]:
            row[low], newest[low - skip] = i, moment
        elif moment == newest[low - skip]:
            ties |= known[i] == known[row[low]]
            if _younger(i, row[low], known, tie):
                row[low] = i
    for e in range(first, last):
        best, when = -1, 0
        for r in range(asked_bounds[e], asked_bounds[e + 1]):
            now, moment = row[r], newest[r - skip]
            if now >= 0 and best >= 0 and moment == when:
                ties |= known[now] == known[best]
            if now >= 0 and (
                best < 0 or moment > when or (moment == when and _younger(now, best, known, tie))
            ):
                best, when = now, moment
            alive = best >= 0 and (reach < 0 or ends(when, reach, step) >= t[r])
            row[r] = best if alive else -1
    return ties


@njit(cache=True, nogil=True)
def latest_in_runs(start, end, code, t, run_first, run_stop, time, known, lag, reach, step, row):
    """Rows for the requests start .. end, where events lie by (entity, time, known, tie).

    From the youngest that had happened it walks over those not known yet; 1 if that is too far.
    """
    for r in range(start, end):
        row[r] = -1
        e = code[r]
        if e < 0:
            continue
        low, high = run_first[e], run_stop[e]
        while low < high:
            middle = (low + high) >> 1
            begin = time[middle] + lag
            if lag > 0 and step > 1:
                begin = (time[middle] // step + 1) * step - 1 + lag
            if begin < t[r]:
                low = middle + 1
            else:
                high = middle
        p = low - 1
        while p >= run_first[e] and known[p] >= t[r]:
            p -= 1
            if low - p > _FAR:
                return True
        if p >= run_first[e] and (reach < 0 or ends(time[p], reach, step) >= t[r]):
            row[r] = p
    return False


@njit(cache=True, nogil=True)
def _younger(a, b, known, tie):
    if known[a] != known[b]:
        return known[a] > known[b]
    if len(tie) and tie[a] != tie[b]:
        return tie[a] > tie[b]
    return a > b
