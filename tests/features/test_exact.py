"""Prefix sums of exact values: differences are as good as sums."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.features.exact import ExactValues


@settings(max_examples=200, deadline=None)
@given(st.lists(st.floats(-1e15, 1e15, allow_subnormal=False), min_size=1, max_size=50), st.data())
def test_any_run_sums_to_the_correctly_rounded_value(values, data):
    first = data.draw(st.integers(0, len(values)))
    last = data.draw(st.integers(first, len(values)))
    exact = ExactValues.of(np.array(values))
    high, low = exact.prefix()
    got = exact.to_float(high[[last]] - high[[first]], low[[last]] - low[[first]])[0]
    want = math.fsum(values[first:last])
    n, largest = len(values), max(map(abs, values))
    assert abs(got - want) <= math.ulp(want) + n**3 * 2.0**-120 * largest


def test_a_million_cents_add_up_exactly():
    rng = np.random.default_rng(0)
    values = rng.integers(1, 10**7, 1_000_000) / 100
    exact = ExactValues.of(values)
    high, low = exact.prefix(rng.permutation(len(values)))
    assert exact.to_float(high[[-1]], low[[-1]])[0] == math.fsum(values)


def test_extreme_scales_neither_overflow_nor_vanish():
    for scale in (1e-290, 1.0, 1e290):
        values = np.array([1.0, 2.0, -3.0, 4.5]) * scale
        exact = ExactValues.of(values)
        high, low = exact.prefix()
        assert exact.to_float(high[[4]], low[[4]])[0] == math.fsum(values)
    assert ExactValues.of(np.zeros(0)).prefix()[0].tolist() == [0]
