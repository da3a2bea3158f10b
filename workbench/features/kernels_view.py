"""Kernels that read features from records: what each view sees of its track at each moment.

See `kernels_state` for the records. A view is a row [form, track, width, window, step, lag, gap,
gap track, most, held, ordered]; a read is a row
[view, what, word of the value, word of its null, bit in that, whether a vector].
"""

from __future__ import annotations

import numpy as np
from numba import njit

from workbench.features.kernels_state import FOREVER, add_carefully, merge_squares
from workbench.features.kernels_words import check_sum
from workbench.features.tracks import (
    CARRY,
    COUNT_OF,
    DISTINCT,
    EVER,
    GREATEST,
    LAST,
    LATEST,
    LEAST,
    LIST_OF,
    MAX_OF,
    MEAN_OF,
    MIN_OF,
    NUMBER_OF,
    SINCE,
    SQUARES,
    STD_OF,
    SUM,
    SUM_OF,
    TILES,
    VALUE_OF,
)

__all__ = ["NULL", "READ", "TRUNCATED", "read_lists", "read_values"]

NULL, READ, TRUNCATED = 0, 1, 2
_US_A_DAY = 86_400_000_000


@njit(cache=True, nogil=True)
def read_values(words, at, times, widths, views, reads, out, state):
    """Values of all reads for each record, as words; how many are not READ, or damaged: -1 - r.

    `out` and `state` have shapes (reads, records); `state` is NULL, READ or TRUNCATED.
    """
    floats, results = words.view(np.float64), out.view(np.float64)
    places = np.empty(len(widths), np.int64)
    seen = np.empty((len(views), 5))
    found = np.empty((len(views), 2), np.int64)  # number or place, and whether complete
    odd = 0
    for r in range(len(times)):
        if not _places(words, at[r], at[r + 1], widths, places):
            return -1 - r
        t = times[r]
        for v in range(len(views)):
            view = views[v]
            if view[0] == TILES:
                _see_tiles(words, floats, places, view, t, seen[v], found[v])
            elif view[0] == LATEST:
                _see_latest(words, places, view, t, found[v])
            elif view[0] == DISTINCT:
                _see_distinct(words, places, view, t, found[v])
        for f in range(len(reads)):
            v, what = reads[f, 0], reads[f, 1]
            if what == LIST_OF:
                continue
            number = found[v, 0]
            state[f, r], out[f, r] = READ, 0
            if not found[v, 1]:
                state[f, r] = TRUNCATED
            elif what in (COUNT_OF, NUMBER_OF):
                out[f, r] = number
            elif what == SUM_OF:
                results[f, r] = seen[v, 0]
            elif what in (VALUE_OF, SINCE):
                if number < 0:
                    state[f, r] = NULL
                elif what == SINCE:
                    results[f, r] = (t - words[number]) / _US_A_DAY
                elif words[number + reads[f, 3]] >> reads[f, 4] & 1:
                    state[f, r] = NULL
                elif reads[f, 5]:  # a vector: where it begins
                    out[f, r] = number + reads[f, 2]
                else:
                    out[f, r] = words[number + reads[f, 2]]
            elif number < 1 + (what == STD_OF):
                state[f, r] = NULL
            elif what == MEAN_OF:
                results[f, r] = seen[v, 0] / number
            elif what == STD_OF:
                results[f, r] = np.sqrt(seen[v, 2] / (number - 1))
            elif what == MIN_OF:
                results[f, r] = seen[v, 3]
            elif what == MAX_OF:
                results[f, r] = seen[v, 4]
            odd += state[f, r] != READ
    return odd


@njit(cache=True, nogil=True)
def read_lists(words, at, times, widths, view, value_words, fill, out, out_at, state):
    """Elements of one list for each record; with `fill` false only how many, by `out_at`."""
    places = np.empty(len(widths), np.int64)
    p = 0
    for r in range(len(times)):
        if not _places(words, at[r], at[r + 1], widths, places):
            return r
        number, items = _items(words, places, view[1])
        low, complete = _low(words, places, view, times[r])
        width = view[2]
        stop = _visible(words, items, number, width, view, times[r])
        began = p
        if view[0] == LAST:
            first = stop
            while first > 0 and stop - first < view[8]:
                if words[items + (first - 1) * width] < low:
                    break
                first -= 1
            for i in range(first, stop):
                p = _copy(words, items + (i + 1) * width - value_words, value_words, fill, out, p)
        else:
            p = _youngest_values(words, items, stop, width, low, view[8], fill, out, p)
        enough = (p - began) // value_words >= view[8]
        state[r] = READ if complete or enough else TRUNCATED
        out_at[r + 1] = p
    return -1


@njit(cache=True, nogil=True)
def _places(words, first, stop, widths, places):
    """Where each track of a record begins, -1 where there is no record; False if damaged."""
    places[:] = -1
    if first == stop:
        return True
    if words[stop - 1] != check_sum(words, first, stop - 1):
        return False
    for k in range(len(widths)):
        places[k] = first
        first += 2 + words[first] * widths[k]
    return True


@njit(cache=True, nogil=True)
def _items(words, places, track):
    place = places[track]
    if place < 0:
        return 0, 0
    return words[place], place + 2


@njit(cache=True, nogil=True)
def _low(words, places, view, t):
    """Since when a view sees, and whether the track still has all from then on."""
    low = FOREVER
    if view[3] != EVER:
        low = t - view[5] - view[3]
        low -= low % view[4]
    complete = places[view[1]] < 0 or words[places[view[1]] + 1] <= low
    if view[6] < 0:
        return low, complete
    number, items = _items(words, places, view[7])
    since = t  # the gaps are in a track of exact tiles: [time, n]
    for i in range(number - 1, -1, -1):
        time = words[items + 2 * i]
        if time < low or since - time > view[6]:
            break
        since = time
    if places[view[7]] >= 0:
        whole_gap = words[items - 1] <= max(low, since - view[6])
        complete = whole_gap and words[places[view[1]] + 1] <= since
    return since, complete


@njit(cache=True, nogil=True)
def _visible(words, items, number, width, view, t):
    """How many items have waited long enough."""
    if view[5] == 0:
        return number
    until = t - view[5]
    until -= until % view[4]
    low, high = 0, number
    while low < high:
        middle = (low + high) // 2
        if words[items + middle * width] < until:
            low = middle + 1
        else:
            high = middle
    return low


@njit(cache=True, nogil=True)
def _see_tiles(words, floats, places, view, t, seen, found):
    number, items = _items(words, places, view[1])
    low, complete = _low(words, places, view, t)
    width, held = view[2], view[9]
    n, total, carry, squares, least, greatest = 0, 0.0, 0.0, 0.0, np.inf, -np.inf
    for i in range(_visible(words, items, number, width, view, t) - 1, -1, -1):
        at = items + i * width
        if words[at] < low:
            break
        more = words[at + 1]
        at += 2
        if held & SUM:
            part, part_carry = floats[at], 0.0
            at += 1
            if held & CARRY:
                part_carry = floats[at]
                at += 1
            if held & SQUARES:
                if more > 0:
                    mean = (total + carry) / n if n else 0.0
                    squares = (
                        merge_squares(
                            n, mean, squares, more, (part + part_carry) / more, floats[at]
                        )
                        if n
                        else floats[at]
                    )
                at += 1
            total, carry = add_carefully(total, carry + part_carry, part)
        if held & LEAST:
            least = min(least, floats[at])
            at += 1
        if held & GREATEST:
            greatest = max(greatest, floats[at])
        n += more
    found[0], found[1] = n, complete
    seen[0], seen[2], seen[3], seen[4] = total + carry, squares, least, greatest


@njit(cache=True, nogil=True)
def _see_latest(words, places, view, t, found):
    number, items = _items(words, places, view[1])
    low, complete = _low(words, places, view, t)
    place = _visible(words, items, number, view[2], view, t) - 1
    found[0], found[1] = -1, complete
    if place >= 0:
        found[1] = True  # older ones do not matter
        if words[items + place * view[2]] >= low:
            found[0] = items + place * view[2]


@njit(cache=True, nogil=True)
def _see_distinct(words, places, view, t, found):
    number, items = _items(words, places, view[1])
    low, complete = _low(words, places, view, t)
    stop = _visible(words, items, number, view[2], view, t)
    if view[8] < 0 and view[5] > 0:  # a number is wanted; values that waited may come twice
        found[0] = _youngest_values(words, items, stop, view[2], low, number, False, places, 0)
    elif view[8] < 0:
        found[0] = stop
        while found[0] > 0 and words[items + (stop - found[0]) * view[2]] < low:
            found[0] -= 1
    found[1] = complete


@njit(cache=True, nogil=True)
def _youngest_values(words, items, stop, width, low, most, fill, out, p):
    """The different values of the youngest items before `stop`: their number is added to p."""
    bits = 4
    while (1 << bits) < 2 * stop:
        bits += 1
    table = np.full(1 << bits, -1, np.int64)
    mixing = np.uint64(0x9E3779B97F4A7C15)
    count, i = 0, stop - 1
    while i >= 0 and count < most and words[items + i * width] >= low:
        value = words[items + (i + 1) * width - 1]
        slot = np.int64((np.uint64(value) * mixing) >> np.uint64(64 - bits))
        while table[slot] >= 0 and words[items + (table[slot] + 1) * width - 1] != value:
            slot = (slot + 1) & (len(table) - 1)
        if table[slot] < 0:
            table[slot] = i
            count += 1
            if fill:
                out[p] = value
            p += 1
        i -= 1
    return p


@njit(cache=True, nogil=True)
def _copy(words, at, value_words, fill, out, p):
    if fill:
        for w in range(value_words):
            out[p + w] = words[at + w]
    return p + value_words
