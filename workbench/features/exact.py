"""Sums that lose nothing, so that the difference of two prefix sums is as good as a sum.

A window sum is one prefix sum minus another. In floating point that cancels: after a payment of
1e15 the next window of small ones may read anything. Here every value is split into two integers,

    value = high * 2**p  +  low * 2**q          p, q set by the largest value and how many there are

and integers add exactly, in any order and on any number of threads. Only the way back to one
float rounds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["ExactValues"]

_BITS = 62  # a sum of n integers below 2**(62 - bits of n) stays inside int64


@dataclass(frozen=True)
class ExactValues:
    """Finite floats as pairs of integers that add without rounding; made by `ExactValues.of`.

    Notes
    -----
    |error of a sum| < 1 unit in the last place of the sum + m * 2**(e - 124) * 4 n**2, with m
    addends out of n values, all below 2**e. For a million values the second term is m * 2**-82 of
    the largest, and zero for all values above 2**-29 of the largest: those are split exactly.

    Examples
    --------
    >>> values = ExactValues.of(np.array([1e15, 0.1, 0.2, -1e15]))
    >>> high, low = values.prefix()
    >>> values.to_float(high[3] - high[1], low[3] - low[1]).round(6).tolist()     # 0.1 + 0.2
    0.3
    """

    high: np.ndarray
    low: np.ndarray
    high_exponent: int
    low_exponent: int

    @classmethod
    def of(cls, values: np.ndarray) -> ExactValues:
        """Split `values`, shape (n,), all finite."""
        largest = float(np.abs(values).max(initial=0.0))
        count_bits = len(values).bit_length()
        high_exponent = int(np.frexp(largest)[1]) + count_bits - _BITS
        low_exponent = high_exponent + count_bits - _BITS
        high = np.rint(np.ldexp(values, -high_exponent))
        rest = values - np.ldexp(high, high_exponent)  # exact: Sterbenz 1974
        low = np.rint(np.ldexp(rest, -low_exponent))
        return cls(high.astype(np.int64), low.astype(np.int64), high_exponent, low_exponent)

    def prefix(self, order: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Prefix sums of both parts, in `order`; shape (n + 1,) each, the first is zero."""
        parts = (self.high, self.low) if order is None else (self.high[order], self.low[order])
        return tuple(np.concatenate([[0], np.cumsum(part)]) for part in parts)

    def to_float(self, high: np.ndarray, low: np.ndarray) -> np.ndarray:
        """Back to floats, small parts first, so that only the last addition rounds visibly."""
        places = self.high_exponent - self.low_exponent
        carry = (low + (1 << (places - 1))) >> places
        high, low = high + carry, low - (carry << places)
        nearest = high.astype(float)
        rest = np.ldexp((high - nearest.astype(np.int64)).astype(float), self.high_exponent)
        rest += np.ldexp(low.astype(float), self.low_exponent)
        return np.ldexp(nearest, self.high_exponent) + rest
