"""The standard deviation from exact sums: n * sum of squares - square of the sum, in integers.

In floats that difference cancels; here both are long integers (see `exact`), so it is exact, and
the answer is rounded once before the division and once after. It does not depend on which
other events there are, on the order in which they came, or on threads.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from workbench.features.exact import add_exactly, nearest

__all__ = ["running_spreads"]

_MANTISSA = np.uint64((1 << 52) - 1)
_HIDDEN = np.uint64(1 << 52)
_HALF, _32, _64 = np.uint64(0xFFFFFFFF), np.uint64(32), np.uint64(64)


@njit(cache=True, nogil=True)
def running_spreads(
    first, last, bounds, asked_bounds, begin, order, t, begun, low, bits, valid, lowest, words, out
):
    """Standard deviation, n - 1, of what each request sees; NaN for fewer than two."""
    total, squares = np.zeros(words, np.uint64), np.zeros(2 * words, np.uint64)
    spare = np.empty(2 * words + 1, np.uint64)
    for e in range(first, last):
        total[:], squares[:] = 0, 0
        b = now = bounds[e]
        n = 0
        for r in range(asked_bounds[e], asked_bounds[e + 1]):
            while b < begun[r]:
                p = order[b]
                if p >= now and (len(valid) == 0 or valid[p]):
                    n += _take(total, squares, bits[p], lowest, False)
                b += 1
            while now < low[r]:
                if begin[now] < t[r] and (len(valid) == 0 or valid[now]):
                    n -= _take(total, squares, bits[now], lowest, True)
                now += 1
            while now > low[r]:
                now -= 1
                if begin[now] < t[r] and (len(valid) == 0 or valid[now]):
                    n += _take(total, squares, bits[now], lowest, False)
            out[r] = _deviation(n, total, squares, spare, lowest) if n > 1 else np.nan


@njit(cache=True, nogil=True)
def _take(total, squares, bits, lowest, away):
    """One value in, or out."""
    add_exactly(total, bits, lowest, away)
    exponent = (bits >> 52) & 0x7FF
    mantissa = np.uint64(bits) & _MANTISSA
    if exponent > 0:
        mantissa |= _HIDDEN
    position = 2 * (max(exponent, 1) - lowest)
    if mantissa == 0:
        return 1
    word, shift = position >> 6, np.uint64(position & 63)
    high, low = _product(mantissa, mantissa)
    parts = (low << shift, high << shift, np.uint64(0))
    if shift:
        back = _64 - shift
        parts = (low << shift, (high << shift) | (low >> back), high >> back)
    for i in range(3):
        if away:
            _subtract_word(squares, word + i, parts[i])
        else:
            _add_word(squares, word + i, parts[i])
    return 1


@njit(cache=True, nogil=True)
def _deviation(n, total, squares, spare, lowest):
    """sqrt((n * squares - total**2) / (n * (n - 1)))."""
    spare[:] = 0
    negative = total[-1] >> np.uint64(63) == 1
    if negative:
        _negate(total)
    for i in range(len(total)):
        for j in range(len(total)):
            _add_product(spare, i + j, total[i], total[j])
    if negative:
        _negate(total)
    _negate(spare)
    for i in range(len(squares)):
        _add_product(spare, i, squares[i], np.uint64(n))
    mantissa, exponent = nearest(spare)
    exponent += 2 * (lowest - 1075)
    if exponent & 1:
        mantissa, exponent = mantissa * 2, exponent - 1
    return math.ldexp(math.sqrt(mantissa / (float(n) * float(n - 1))), exponent // 2)


@njit(cache=True, nogil=True)
def _product(a, b):
    """(high, low) words of a product."""
    a1, a0, b1, b0 = a >> _32, a & _HALF, b >> _32, b & _HALF
    middle = a1 * b0 + (a0 * b0 >> _32)
    other = a0 * b1 + (middle & _HALF)
    return a1 * b1 + (middle >> _32) + (other >> _32), a * b


@njit(cache=True, nogil=True)
def _add_product(state, place, a, b):
    if a == 0 or b == 0:
        return
    high, low = _product(a, b)
    _add_word(state, place, low)
    _add_word(state, place + 1, high)


@njit(cache=True, nogil=True)
def _add_word(state, place, word):
    while word and place < len(state):
        state[place] += word
        word = np.uint64(state[place] < word)
        place += 1


@njit(cache=True, nogil=True)
def _subtract_word(state, place, word):
    while word and place < len(state):
        before = state[place]
        state[place] -= word
        word = np.uint64(before < word)
        place += 1


@njit(cache=True, nogil=True)
def _negate(state):
    carry = np.uint64(1)
    for i in range(len(state)):
        state[i] = ~state[i] + carry
        carry = np.uint64(carry == 1 and state[i] == 0)
