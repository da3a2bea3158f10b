"""Kernels that bring records up to date: old records and sorted events give new records.

A record is int64 words (floats by their bits): for each track the number of its items, the time
from which on it is complete, then the items, oldest first; in the end a check sum.

    TILES      [start, n, sum, carry, squares, least, greatest]   those that the track holds
    others     [time, known_at, tie, values ...], or [time, value] where ties do not matter

Nothing is dropped that a read at `now` (the youngest `known_at` plus 1 us) or later could see.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from workbench.features.kernels_words import check_sum
from workbench.features.tracks import (
    CARRY,
    DISTINCT,
    EVER,
    GREATEST,
    LATEST,
    LEAST,
    SQUARES,
    SUM,
    TILES,
)

__all__ = ["FOREVER", "add_carefully", "merge_squares", "update"]

FOREVER = np.iinfo(np.int64).min
_MIX = np.uint64(0x9E3779B97F4A7C15)


@njit(cache=True, nogil=True)
def update(old, old_at, events_at, order, time, known, tie, masks, values, tracks, now, cap,
           out, out_at):  # fmt: skip
    """Write the new records to `out`; the first damaged record's number, or -1.

    Events of entity e and kind k are `order[events_at[k, e]:events_at[k, e + 1]]`, by age.
    """
    old_floats, floats = old.view(np.float64), out.view(np.float64)
    numbers, tile, p = values.view(np.float64), np.empty(6), 0
    out_at[0] = 0
    for e in range(len(old_at) - 1):
        q, stop, began = old_at[e], old_at[e + 1], p
        if q < stop and old[stop - 1] != check_sum(old, q, stop - 1):
            return e
        for track in tracks:
            form, kind, width = track[0], track[1], track[2]
            have, complete = 0, FOREVER
            if q < stop:
                have, complete = old[q], old[q + 1]
                q += 2
            run = order[events_at[kind, e] : events_at[kind, e + 1]]
            if form == TILES:
                number, complete = _tiles(
                    old, old_floats, q, have, run, time, masks, numbers, track, now, cap,
                    complete, out, floats, p + 2, tile,
                )  # fmt: skip
            else:
                number, complete = _entries(
                    old, q, have, run, time, known, tie, masks, values, track, now, cap,
                    complete, out, p + 2,
                )  # fmt: skip
            q += have * width
            out[p], out[p + 1] = number, complete
            p += 2 + number * width
        out[p] = check_sum(out, began, p)
        p += 1
        out_at[e + 1] = p
    return -1


@njit(cache=True, nogil=True)
def add_carefully(total, carry, value):
    """A sum and what it lost by rounding (Neumaier 1974)."""
    new = total + value
    if abs(total) >= abs(value):
        return new, carry + ((total - new) + value)
    return new, carry + ((value - new) + total)


@njit(cache=True, nogil=True)
def merge_squares(n, mean, squares, more, more_mean, more_squares):
    """Sum of squared distances from the mean of two samples together (Chan et al. 1983, 1.5)."""
    apart = more_mean - mean
    return squares + more_squares + apart * apart * (n * more / (n + more))


@njit(cache=True, nogil=True)
def _tiles(old, old_floats, q, have, run, time, masks, numbers, track, now, cap, complete,
           out, floats, p, tile):  # fmt: skip
    width, step, lag, window, held = track[2], track[3], track[4], track[5], track[7]
    mask_at, value_at = track[8], track[9]
    settled = now - lag
    i, j, number, place = 0, 0, 0, p - width
    while True:
        while j < len(run) and not masks[mask_at + run[j]]:
            j += 1
        if i == have and j == len(run):
            break
        start = 0
        if j < len(run):
            start = time[run[j]] - time[run[j]] % step
        from_old = i < have and (j == len(run) or old[q + i * width] <= start)
        if from_old:
            at = q + i * width
            start = old[at]
            _read_tile(old, old_floats, at, held, tile)
            i += 1
        else:
            value = 0.0
            if held:
                value = numbers[value_at + run[j]]
            tile[0] = 1
            tile[1], tile[2], tile[3], tile[4], tile[5] = value, 0.0, 0.0, value, value
            j += 1
        if window == EVER:
            if start < settled:
                start = FOREVER
        elif start < settled - window:
            continue
        if number == 0 or out[place] != start:
            place += width
            number += 1
            out[place] = start
            _write_tile(out, floats, place, held, tile)
        else:
            _add_tile(out, floats, place, held, tile)
    if number > cap:
        gone = number - cap
        complete = max(complete, out[p + (gone - 1) * width] + step)
        for k in range(cap * width):
            out[p + k] = out[p + gone * width + k]
        number = cap
    return number, complete


@njit(cache=True, nogil=True)
def _read_tile(words, floats, at, held, tile):
    """(n, sum, carry, squares, least, greatest); zero where a track does not hold it."""
    tile[:] = 0.0
    tile[0] = words[at + 1]
    at += 2
    for bit in range(5):
        if held & (1 << bit):
            tile[bit + 1] = floats[at]
            at += 1


@njit(cache=True, nogil=True)
def _write_tile(words, floats, at, held, tile):
    words[at + 1] = np.int64(tile[0])
    at += 2
    for bit in range(5):
        if held & (1 << bit):
            floats[at] = tile[bit + 1]
            at += 1


@njit(cache=True, nogil=True)
def _add_tile(words, floats, at, held, tile):
    n = words[at + 1]
    words[at + 1] = n + np.int64(tile[0])
    at += 2
    if held & SUM:
        total, carry = floats[at], 0.0
        if held & CARRY:
            carry = floats[at + 1]
        if held & SQUARES and n > 0 and tile[0] > 0:
            squares = at + 1 + (held & CARRY > 0)
            floats[squares] = merge_squares(
                n, (total + carry) / n, floats[squares],
                tile[0], (tile[1] + tile[2]) / tile[0], tile[3],
            )  # fmt: skip
        if held & CARRY:
            floats[at], floats[at + 1] = add_carefully(total, carry + tile[2], tile[1])
            at += 1
        else:
            floats[at] = total + tile[1]
        at += 1
        if held & SQUARES:
            at += 1
    if held & LEAST:
        floats[at] = min(floats[at], tile[4])
        at += 1
    if held & GREATEST:
        floats[at] = max(floats[at], tile[5])


@njit(cache=True, nogil=True)
def _entries(old, q, have, run, time, known, tie, masks, values, track, now, cap, complete,
             out, p):  # fmt: skip
    form, width, step, lag, window = track[0], track[2], track[3], track[4], track[5]
    most, ordered, mask_at = track[6], track[7], track[8]
    visible_until = now - lag
    if lag and step > 1:
        visible_until -= visible_until % step
    least = FOREVER if window == EVER else now - lag - window
    i, j, number = 0, 0, 0
    if form == LATEST and lag == 0:  # one will be left: only the youngest event can be it
        j = len(run)
        while j > 0 and not masks[mask_at + run[j - 1]]:
            j -= 1
        run = run[:j]
        j = max(j - 1, 0)
    while True:
        while j < len(run) and not masks[mask_at + run[j]]:
            j += 1
        if i == have and j == len(run):
            break
        at = p + number * width
        older = i < have
        if older and j < len(run):
            older = _not_younger(old, q + i * width, run[j], ordered, time, known, tie)
        if older:
            for k in range(width):
                out[at + k] = old[q + i * width + k]
            i += 1
        else:
            _write_entry(out, at, run[j], ordered, width, time, known, tie, values, track)
            j += 1
        if out[at] >= least:
            number += 1
    visible = number
    while visible > 0 and lag and out[p + (visible - 1) * width] >= visible_until:
        visible -= 1
    kept = visible
    if form == DISTINCT:
        kept = _one_of_each(out, p, visible, width, width - 1)
    first = visible - kept  # the visible ones that are left stand just before the waiting ones
    if most >= 0 and kept > most:
        first = visible - most
    if number - first > cap:
        first = number - cap
        complete = max(complete, out[p + (first - 1) * width] + 1)
    for k in range((number - first) * width):
        out[p + k] = out[p + first * width + k]
    return number - first, complete


@njit(cache=True, nogil=True)
def _not_younger(old, at, row, ordered, time, known, tie):
    if old[at] != time[row] or not ordered:
        return old[at] <= time[row]
    if old[at + 1] != known[row]:
        return old[at + 1] < known[row]
    return old[at + 2] <= tie[row]


@njit(cache=True, nogil=True)
def _write_entry(out, at, row, ordered, width, time, known, tie, values, track):
    value_at = track[9] + row * track[10]
    out[at] = time[row]
    at += 1
    if ordered:
        out[at], out[at + 1] = known[row], tie[row]
        at += 2
        width -= 2
    for w in range(width - 1):
        out[at + w] = values[value_at + w]


@njit(cache=True, nogil=True)
def _one_of_each(out, p, number, width, word):
    """Keep of each value the youngest entry, moved up to the end; how many are left."""
    bits = 4
    while (1 << bits) < 2 * number:
        bits += 1
    table = np.full(1 << bits, -1, np.int64)
    to = number
    for i in range(number - 1, -1, -1):
        value = out[p + i * width + word]
        slot = np.int64((np.uint64(value) * _MIX) >> np.uint64(64 - bits))
        while table[slot] >= 0 and out[p + table[slot] * width + word] != value:
            slot = (slot + 1) & (len(table) - 1)
        if table[slot] >= 0:
            continue
        to -= 1
        table[slot] = to
        if to != i:
            for k in range(width):
                out[p + to * width + k] = out[p + i * width + k]
    return number - to
