"""Kernels for records as mere words: a check sum, columns as rows."""

from __future__ import annotations

import numpy as np
from numba import njit

__all__ = ["check_sum", "side_by_side"]

_MIX = np.uint64(0x9E3779B97F4A7C15)


@njit(cache=True, nogil=True)
def side_by_side(columns, number, rows):
    """Columns, one after the other, into rows, one after the other; a few rows at a time."""
    n = len(columns) // number
    for first in range(0, n, 64):
        for c in range(number):
            for i in range(first, min(first + 64, n)):
                rows[i * number + c] = columns[c * n + i]


@njit(cache=True, nogil=True)
def check_sum(words, first, stop):
    """One word that differs if any of the words does."""
    mixed = np.uint64(stop - first)
    for i in range(first, stop):
        mixed = (mixed ^ np.uint64(words[i])) * _MIX
        mixed ^= mixed >> np.uint64(29)
    return np.int64(mixed)
