"""Exact sums: whatever came and went, the answer is that of `math.fsum`."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.features.exact import add_exactly, exact_layout, rounded


def total(values, taken_out=()) -> float:
    bits = np.array([*values, *taken_out], float).view(np.int64)
    lowest, words = exact_layout(bits, len(bits))
    state = np.zeros(words, np.uint64)
    for number, each in enumerate(bits):
        add_exactly(state, each, lowest, number >= len(values))
    return rounded(state, lowest)


FLOATS = st.one_of(st.floats(-1e300, 1e300), st.floats(-1e15, 1e15), st.sampled_from([0.1, -1.0]))


@settings(max_examples=300, deadline=None)
@given(kept=st.lists(FLOATS, max_size=20), gone=st.lists(FLOATS, max_size=20))
def test_what_came_and_went_leaves_no_trace(kept, gone):
    assert total(kept + gone, gone) == math.fsum(kept)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.integers(-9, 9), min_size=1, max_size=9), st.integers(-1074, 900))
def test_halves_round_to_even_at_any_scale(numbers, scale):
    values = [math.ldexp(n, scale) for n in numbers] + [math.ldexp(1.0, scale + 53)]
    assert total(values) == math.fsum(values)
    assert total([-value for value in values]) == -math.fsum(values)


def test_a_million_cents_add_up_exactly():
    cents = np.random.default_rng(0).integers(1, 10**7, 100_000) / 100
    assert total(cents) == math.fsum(cents)


def test_powers_of_two_carry_through_every_word():
    for power in range(60, 200):
        values = [2.0**power, -1.0]
        assert total(values) == math.fsum(values)
        assert total([-v for v in values]) == -math.fsum(values)
    assert total([]) == 0.0
