"""Kernels that remember ids: a table of 128-bit numbers and when each became known."""

from __future__ import annotations

import numpy as np
from numba import njit

__all__ = ["admit", "rebuilt"]

_FIRST = np.uint64(0x9E3779B97F4A7C15)
_SECOND = np.uint64(0xBF58476D1CE4E5B9)


@njit(cache=True, nogil=True)
def admit(high, low, known, wanted, highs, lows, knowns, used):
    """Put the wanted ids that are not there into the table, which has room; which they were."""
    new = np.zeros(len(high), np.bool_)
    for i in range(len(high)):
        if wanted[i]:
            slot = _slot(high[i], low[i], highs, lows, used)
            if not used[slot]:
                used[slot], new[i] = True, True
                highs[slot], lows[slot], knowns[slot] = high[i], low[i], known[i]
    return new


@njit(cache=True, nogil=True)
def rebuilt(highs, lows, knowns, used, bound, size):
    """The table in another size, without what was known before `bound`; and how many it has."""
    new_highs, new_lows = np.zeros(size, np.int64), np.zeros(size, np.int64)
    new_knowns, new_used = np.zeros(size, np.int64), np.zeros(size, np.bool_)
    count = 0
    for i in range(len(highs)):
        if used[i] and knowns[i] >= bound:
            slot = _slot(highs[i], lows[i], new_highs, new_lows, new_used)
            new_highs[slot], new_lows[slot], new_knowns[slot] = highs[i], lows[i], knowns[i]
            new_used[slot] = True
            count += 1
    return (new_highs, new_lows, new_knowns, new_used), count


@njit(cache=True, nogil=True)
def _slot(high, low, highs, lows, used):
    mixed = (np.uint64(low) ^ np.uint64(high) * _FIRST) * _FIRST
    mixed = (mixed ^ (mixed >> np.uint64(32))) * _SECOND
    slot = np.int64((mixed ^ (mixed >> np.uint64(29))) & np.uint64(len(used) - 1))
    while used[slot] and (highs[slot] != high or lows[slot] != low):
        slot = (slot + 1) & (len(used) - 1)
    return slot
