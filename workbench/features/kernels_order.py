"""Kernels that bring events and requests into order: by entity, then by time, ties by rule.

All take and give int64 arrays. Runs of an entity are `bounds[e]:bounds[e + 1]`; a kernel that takes
`first` and `last` works on the entities between them, so that threads can share the work.
"""

from __future__ import annotations

import numpy as np
from numba import njit

__all__ = [
    "begin_order",
    "find_direct",
    "find_in_table",
    "group",
    "make_direct",
    "make_table",
    "scatter",
    "sort_runs",
]

_SMALL = 32
_MIX = np.uint64(0x9E3779B97F4A7C15)


@njit(cache=True, nogil=True)
def make_table(keys):
    """Number the different keys, in order of appearance: (keys by slot, codes by slot, code)."""
    bits = 10
    slot_key, slot_code = np.zeros(1 << bits, np.int64), np.full(1 << bits, -1, np.int64)
    code = np.empty(len(keys), np.int64)
    count = 0
    for i in range(len(keys)):
        slot = _slot(keys[i], bits, slot_key, slot_code)
        if slot_code[slot] < 0:
            if 2 * count >= len(slot_key):
                bits += 2
                slot_key, slot_code = _grown(bits, slot_key, slot_code)
                slot = _slot(keys[i], bits, slot_key, slot_code)
            slot_key[slot], slot_code[slot] = keys[i], count
            count += 1
        code[i] = slot_code[slot]
    return slot_key, slot_code, bits, code, count


@njit(cache=True, nogil=True)
def find_in_table(first, last, keys, slot_key, slot_code, bits, code):
    """The codes of `keys[first:last]`, -1 for those that are not in the table."""
    for i in range(first, last):
        code[i] = slot_code[_slot(keys[i], bits, slot_key, slot_code)]


@njit(cache=True, nogil=True)
def make_direct(keys, least, width):
    """`make_table` for keys in [least, least + width): (codes by key, code, how many)."""
    by_key = np.full(width, -1, np.int32)
    code = np.empty(len(keys), np.int64)
    count = 0
    for i in range(len(keys)):
        place = keys[i] - least
        if by_key[place] < 0:
            by_key[place] = count
            count += 1
        code[i] = by_key[place]
    return by_key, code, count


@njit(cache=True, nogil=True)
def find_direct(first, last, keys, by_key, least, code):
    """The codes of `keys[first:last]`, -1 for those that nobody asked for."""
    for i in range(first, last):
        place = np.uint64(keys[i]) - np.uint64(least)  # below the least: wraps to a large number
        code[i] = by_key[place] if place < np.uint64(len(by_key)) else -1


@njit(cache=True, nogil=True)
def scatter(first, last, rows, values, out):
    """out[rows] = values, for a range of places."""
    for i in range(first, last):
        out[rows[i]] = values[i]


@njit(cache=True, nogil=True)
def _slot(key, bits, slot_key, slot_code):
    """Where the key is, or the free slot where it would be."""
    slot = np.int64((np.uint64(key) * _MIX) >> np.uint64(64 - bits))
    while slot_code[slot] >= 0 and slot_key[slot] != key:
        slot = (slot + 1) & (len(slot_key) - 1)
    return slot


@njit(cache=True, nogil=True)
def _grown(bits, slot_key, slot_code):
    new_key, new_code = np.zeros(1 << bits, np.int64), np.full(1 << bits, -1, np.int64)
    for i in range(len(slot_key)):
        if slot_code[i] >= 0:
            slot = _slot(slot_key[i], bits, new_key, new_code)
            new_key[slot], new_code[slot] = slot_key[i], slot_code[i]
    return new_key, new_code


@njit(cache=True, nogil=True)
def group(code, entities):
    """Rows by entity, each entity's in their order; rows of code -1 are left out."""
    bounds = np.zeros(entities + 1, np.int64)
    for i in range(len(code)):
        if code[i] >= 0:
            bounds[code[i] + 1] += 1
    for e in range(entities):
        bounds[e + 1] += bounds[e]
    free = bounds[:-1].copy()
    rows = np.empty(bounds[-1], np.int64)
    for i in range(len(code)):
        e = code[i]
        if e >= 0:
            rows[free[e]] = i
            free[e] += 1
    return bounds, rows


@njit(cache=True, nogil=True)
def sort_runs(first, last, bounds, rows, time, known, tie, sorted_time, sorted_known):
    """Sort each run of `rows` by (time, known, tie, row); 1 if time and known tie anywhere.

    `tie` may be empty: then rows decide.
    """
    ties = 0
    for e in range(first, last):
        start, stop = bounds[e], bounds[e + 1]
        in_order = True
        for i in range(start + 1, stop):
            if _before(rows[i], rows[i - 1], time, known, tie):
                in_order = False
                break
        if not in_order:
            _sort_run(rows[start:stop], time, known, tie)
        for i in range(start, stop):
            sorted_time[i], sorted_known[i] = time[rows[i]], known[rows[i]]
            if i > start and sorted_time[i] == sorted_time[i - 1]:
                ties |= sorted_known[i] == sorted_known[i - 1]
    return ties


@njit(cache=True, nogil=True)
def begin_order(first, last, bounds, begin, order):
    """Places of each run by begin, ties by place, into `order`; True if they differ from time's."""
    late = False
    for e in range(first, last):
        start, stop = bounds[e], bounds[e + 1]
        for i in range(start, stop):
            order[i] = i
        for i in range(start + 1, stop):
            if begin[i] < begin[i - 1]:
                late = True
                _sort_run(order[start:stop], begin, begin, order[:0])
                break
    return late


@njit(cache=True, nogil=True)
def _before(a, b, time, known, tie):
    if time[a] != time[b]:
        return time[a] < time[b]
    if known[a] != known[b]:
        return known[a] < known[b]
    if len(tie) and tie[a] != tie[b]:
        return tie[a] < tie[b]
    return a < b


@njit(cache=True, nogil=True)
def _sort_run(run, time, known, tie):
    """Merge sort: insertion in short pieces, then merges of neighbours that overlap."""
    n = len(run)
    for start in range(0, n, _SMALL):
        for i in range(start + 1, min(start + _SMALL, n)):
            row, j = run[i], i
            while j > start and _before(row, run[j - 1], time, known, tie):
                run[j] = run[j - 1]
                j -= 1
            run[j] = row
    width = _SMALL
    spare = np.empty(n if n > _SMALL else 0, np.int64)
    while width < n:
        for start in range(0, n - width, 2 * width):
            middle, stop = start + width, min(start + 2 * width, n)
            if not _before(run[middle], run[middle - 1], time, known, tie):
                continue
            spare[start:middle] = run[start:middle]
            i, j, k = start, middle, start
            while i < middle:
                if j < stop and _before(run[j], spare[i], time, known, tie):
                    run[k] = run[j]
                    j += 1
                else:
                    run[k] = spare[i]
                    i += 1
                k += 1
        width *= 2
