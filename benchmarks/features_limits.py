"""The raw limits of joins and windows: two pointers in numba, from arrays to arrays.

No definitions, no second clock, no nulls, no ties by rule, no order but the one they fall in.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numba import njit

__all__ = ["merged", "merged_sorted", "windowed"]

THREADS = 2


def merged(events, requests, ttl_us: int, users: int) -> np.ndarray:
    """Values of the latest event before each request, at most so old; shape (k, requests).

    `events` is (user, time, values of shape (k, n)), `requests` (user, time). Counting sort by
    user, sort by time within, merge.
    """
    user, time, values = events
    asked, when = requests
    order, ends = _by_user(user, users)
    places, request_ends = _by_user(asked, users)
    out = np.full((len(values), len(asked)), np.nan)

    def some(first: int, last: int) -> None:
        _merge(first, last, order, ends, time, values, places, request_ends, when, ttl_us, out)

    _halves(some, users)
    return out


def merged_sorted(events, requests, ttl_us: int, users: int) -> np.ndarray:
    """The same, when the events lie by (user, time) and `events` has their ends by user."""
    ends, time, values = events
    asked, when = requests
    places, request_ends = _by_user(asked, users)
    out = np.full((len(values), len(asked)), np.nan)

    def some(first: int, last: int) -> None:
        _merge_lying(first, last, ends, time, values, places, request_ends, when, ttl_us, out)

    _halves(some, users)
    return out


def windowed(user, time, amount, windows_us, users: int) -> np.ndarray:
    """Count, sum and mean in each window at the events themselves; shape (3 windows, n).

    They come in the order of time.
    """
    order, ends = _by_user(user, users)
    out = np.empty((3 * len(windows_us), len(user)))

    def some(first: int, last: int) -> None:
        _roll(first, last, order, ends, time, amount, windows_us, out)

    _halves(some, users)
    return out


def _halves(work, users: int) -> None:
    cuts = np.linspace(0, users, THREADS + 1).astype(int)
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(work, cuts[:-1], cuts[1:]))


@njit(cache=True, nogil=True)
def _by_user(user, users):
    """Rows in order of users, and where each user ends."""
    ends = np.zeros(users + 1, np.int64)
    for each in user:
        ends[each + 1] += 1
    ends = np.cumsum(ends)
    next_place, order = ends[:-1].copy(), np.empty(len(user), np.int64)
    for row in range(len(user)):
        order[next_place[user[row]]] = row
        next_place[user[row]] += 1
    return order, ends


@njit(cache=True, nogil=True)
def _merge(first, last, order, ends, time, values, places, request_ends, when, ttl_us, out):
    for user in range(first, last):
        rows = order[ends[user] : ends[user + 1]]
        rows = rows[np.argsort(time[rows])]
        asked = places[request_ends[user] : request_ends[user + 1]]
        asked = asked[np.argsort(when[asked])]
        place = 0
        for request in asked:
            while place < len(rows) and time[rows[place]] < when[request]:
                place += 1
            if place and time[rows[place - 1]] >= when[request] - ttl_us:
                for column in range(len(values)):
                    out[column, request] = values[column, rows[place - 1]]


@njit(cache=True, nogil=True)
def _merge_lying(first, last, ends, time, values, places, request_ends, when, ttl_us, out):
    for user in range(first, last):
        asked = places[request_ends[user] : request_ends[user + 1]]
        asked = asked[np.argsort(when[asked])]
        place = ends[user]
        for request in asked:
            while place < ends[user + 1] and time[place] < when[request]:
                place += 1
            if place > ends[user] and time[place - 1] >= when[request] - ttl_us:
                for column in range(len(values)):
                    out[column, request] = values[column, place - 1]


@njit(cache=True, nogil=True)
def _roll(first, last, order, ends, time, amount, windows_us, out):
    for user in range(first, last):
        rows = order[ends[user] : ends[user + 1]]
        for number in range(len(windows_us)):
            old, new, total = 0, 0, 0.0
            for row in rows:
                while time[rows[new]] < time[row]:
                    total += amount[rows[new]]
                    new += 1
                while old < new and time[rows[old]] < time[row] - windows_us[number]:
                    total -= amount[rows[old]]
                    old += 1
                out[3 * number, row] = new - old
                out[3 * number + 1, row] = total
                out[3 * number + 2, row] = total / (new - old) if new > old else np.nan
