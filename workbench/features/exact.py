"""Sums of floats that are exact until the last step: one rounding, in any order.

A window sum is kept by adding what begins and taking out what leaves. In floating point that
cancels: after a payment of 1e15 the next window of small ones may read anything. Here a sum is one
long integer, in words of 64 bits, two's complement, in units of the smallest bit that any value
has: adding and taking out are exact, and only the way back to one float rounds, to the nearest.
So the answer is that of `math.fsum`, whatever came and went before (Kulisch 1971, "An axiomatic
approach to rounded computations"; Neal 2015, "Fast exact summation using small and large
superaccumulators").

For numba; imported by the kernels alone.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

__all__ = ["add_exactly", "exact_layout", "nearest", "rounded"]

_MANTISSA = np.uint64((1 << 52) - 1)
_HIDDEN = np.uint64(1 << 52)
_ONE, _64 = np.uint64(1), np.uint64(64)


def exact_layout(bits: np.ndarray, values: int) -> tuple[int, int]:
    """(lowest exponent, words) in which so many of these floats, given as bits, add exactly.

    >>> exact_layout(np.array([1.0, 1e15]).view(np.int64), 2)
    (1023, 2)
    """
    lowest, highest = _exponents(bits)
    span = max(highest - lowest, 0) + 53 + int(values).bit_length() + 1
    return int(lowest), max(2, -(-span // 64))


@njit(cache=True, nogil=True)
def _exponents(bits):
    lowest, highest = 2047, 1
    for each in bits:
        exponent = (each >> 52) & 0x7FF
        if each << 1 != 0:
            lowest = min(lowest, max(exponent, 1))
            highest = max(highest, exponent)
    return min(lowest, highest), highest


@njit(cache=True, nogil=True)
def add_exactly(state, bits, lowest, away):
    """Add the float with these bits to the long integer, or take it away."""
    exponent = (bits >> 52) & 0x7FF
    mantissa = np.uint64(bits) & _MANTISSA
    if exponent > 0:
        mantissa |= _HIDDEN
    if mantissa == 0:
        return
    position = max(exponent, 1) - lowest
    word, shift = position >> 6, np.uint64(position & 63)
    low = mantissa << shift
    high = mantissa >> (_64 - shift) if shift else np.uint64(0)
    if (bits < 0) == away:
        state[word] += low
        carry = state[word] < low
        word += 1
        while word < len(state) and (high or carry):
            before = state[word]
            state[word] += high + np.uint64(carry)
            carry = state[word] < before or (carry and state[word] == before)
            high = np.uint64(0)
            word += 1
    else:
        borrow = state[word] < low
        state[word] -= low
        word += 1
        while word < len(state) and (high or borrow):
            before = state[word]
            state[word] -= high + np.uint64(borrow)
            borrow = state[word] > before or (borrow and state[word] == before)
            high = np.uint64(0)
            word += 1


@njit(cache=True, nogil=True)
def rounded(state, lowest):
    """The float nearest to the long integer, ties to even."""
    mantissa, exponent = nearest(state)
    return math.ldexp(mantissa, exponent + lowest - 1075)


@njit(cache=True, nogil=True)
def nearest(state):
    """The long integer to 53 bits, ties to even, as (mantissa, exponent of two)."""
    first = 0
    while first < len(state) and state[first] == 0:
        first += 1
    if first == len(state):
        return 0.0, 0
    negative = state[-1] >> np.uint64(63) == 1
    top = len(state) - 1
    while _magnitude(state, top, first, negative) == 0:
        top -= 1
    high = _magnitude(state, top, first, negative)
    low = _magnitude(state, top - 1, first, negative) if top else np.uint64(0)
    left = _leading_zeros(high)
    lead = (high << left) | (low >> (_64 - left)) if left else high
    rest = low << left != 0 or first < top - 1
    mantissa, tail = lead >> np.uint64(11), lead & np.uint64(0x7FF)
    if tail > 0x400 or (tail == 0x400 and (rest or mantissa & _ONE)):
        mantissa += _ONE
    value = float(mantissa)
    return -value if negative else value, 64 * top - np.int64(left) + 11


@njit(cache=True, nogil=True)
def _magnitude(state, i, first, negative):
    """Word i of the absolute value; `first` is the lowest word that is not zero."""
    if not negative:
        return state[i]
    if i < first:
        return np.uint64(0)
    return ~state[i] + np.uint64(i == first)


@njit(cache=True, nogil=True)
def _leading_zeros(word):
    zeros = np.uint64(0)
    for step in (32, 16, 8, 4, 2, 1):
        if word >> np.uint64(64 - step) == 0:
            word <<= np.uint64(step)
            zeros += np.uint64(step)
    return zeros
