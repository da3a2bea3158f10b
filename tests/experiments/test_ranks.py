"""Overlap and correlation of slates: published values, by hand, limits."""

import numpy as np
import pytest
from scipy import stats

from workbench.experiments.ranks import kendall_tau, rank_biased_overlap, slate_tau, top_overlap
from workbench.policy import NO_ITEM

ALPHABET = "abcdefghijklmnopqrstuvwxyz"

# Extrapolated overlap with the alphabet, computed by the authors' own program and published with
# the Rust package rbo (test_data/uneven_abc.json and permute_abc.json, "comparison to William
# Webber"), to six digits.
UNEVEN = [
    ("drfuoxnpszeva", 0.1, 0.000246),
    ("akdwcjomxrubqitenhspyl", 0.1, 0.948509),
    ("afcmleivjhs", 0.1, 0.951493),
    ("av", 0.2, 0.900000),
    ("buorneypckvdfxlashzij", 0.2, 0.092626),
    ("ma", 0.4, 0.200001),
    ("bcxhkur", 0.4, 0.212763),
    ("afdqwtvehcpubinloygrs", 0.4, 0.782330),
    ("karfvodcjmwgzlypebunq", 0.9, 0.468431),
    ("zhatsimjpnkvcfxwqgoeryubd", 0.9, 0.364444),
    ("f", 0.9, 0.053090),
    ("sozxjfdenvqkbgryapc", 0.9, 0.307626),
    ("zclx", 0.9, 0.233312),
    ("nxqyk", 0.9, 0.049050),
]
EVEN = [
    ("jtnxyzovchmfldbksguqewari", 0.9, 0.256365),
    ("jtnxyzovchmfldbksguqewari", 0.99, 0.868989),
    ("agmtrsyhfidnjobwzkxvucqel", 0.5, 0.696746),
    ("achudyxfktsrzwbgqjenolivm", 0.8, 0.640118),
    ("tkshbafoezmyvuwgljqixdncr", 0.9, 0.369618),
]


@pytest.mark.parametrize(("other", "p", "published"), UNEVEN)
def test_overlap_of_uneven_slates_as_published(other, p, published):
    both = [list(ALPHABET)], [list(other)]
    assert rank_biased_overlap(*both, p=p)[0] == pytest.approx(published, abs=1e-6)
    assert rank_biased_overlap(*both[::-1], p=p)[0] == pytest.approx(published, abs=1e-6)


@pytest.mark.parametrize(("other", "p", "published"), EVEN)
def test_overlap_of_even_slates_as_published(other, p, published):
    first = [sorted(other)]
    assert rank_biased_overlap(first, [list(other)], p=p)[0] == pytest.approx(published, abs=1e-6)


def test_many_slates_at_once_are_each_as_if_alone():
    words = [list(other.ljust(26)) for other, _, _ in UNEVEN]
    second = np.array([["" if letter == " " else letter for letter in word] for word in words])
    first = np.tile(np.array(list(ALPHABET)), (len(second), 1))
    together = rank_biased_overlap(first, second, p=0.9)
    alone = [rank_biased_overlap([list(ALPHABET)], [list(o)], p=0.9)[0] for o, _, _ in UNEVEN]
    np.testing.assert_allclose(together, alone, rtol=1e-12)


def test_overlap_limits():
    empty, some = np.array([[NO_ITEM, NO_ITEM]]), np.array([[3, 4]])
    assert rank_biased_overlap(some, some)[0] == pytest.approx(1)
    assert rank_biased_overlap(some, some + 2)[0] == 0
    assert rank_biased_overlap(empty, empty)[0] == 1
    assert rank_biased_overlap(empty, some)[0] == rank_biased_overlap(some, empty)[0] == 0
    assert rank_biased_overlap([[3, NO_ITEM]], [[3, 4]])[0] == pytest.approx(1)  # so far the same
    for shape in ((0, 3), (0, 0)):
        assert rank_biased_overlap(np.empty(shape, int), np.empty(shape, int)).shape == (0,)


def test_kendall_agrees_with_scipy_with_ties_and_holes():
    rng = np.random.default_rng(0)
    first, second = rng.integers(0, 5, (2, 200, 8)).astype(float)
    first[rng.random(first.shape) < 0.2] = np.nan
    got = kendall_tau(first, second)
    for row in range(200):
        known = ~np.isnan(first[row])
        want = stats.kendalltau(first[row, known], second[row, known]).statistic
        assert got[row] == pytest.approx(want, rel=1e-12, nan_ok=True)


def test_the_order_of_what_both_show():
    assert slate_tau([[1, 2, 3]], [[3, 2, 1]])[0] == -1
    assert slate_tau([[1, 2, 3]], [[7, 1, 8]]) == pytest.approx(np.nan, nan_ok=True)
    assert slate_tau([["a", "b", ""]], [["b", "a", "c"]])[0] == -1


def test_top_overlap_by_hand():
    first, second = (
        [[1, 2, 3, 4], [1, -1, -1, -1], [-1] * 4],
        [[4, 3, 9, 8], [1, 2, 3, 4], [-1] * 4],
    )
    assert top_overlap(first, second, k=2).tolist() == [0.0, 0.5, 1.0]
    assert top_overlap(first, second, k=4).tolist() == [0.5, 0.25, 1.0]
    assert top_overlap(first, second, k=100).tolist() == [0.5, 0.25, 1.0]


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda: rank_biased_overlap([[1]], [[1]], p=1), r"p must be in \(0, 1\), got 1"),
        (lambda: rank_biased_overlap([[1, 1]], [[1, 2]]), "item twice"),
        (lambda: rank_biased_overlap([[1, -1, 2]], [[1, 2, 3]]), "close the gap"),
        (lambda: rank_biased_overlap([[1], [2]], [[1]]), r"got \(2, 1\), \(1, 1\)"),
        (lambda: rank_biased_overlap([[1.5]], [[1]]), "integers or text"),
        (lambda: rank_biased_overlap([["a"]], [[1]]), "integers or text"),
        (lambda: top_overlap([[1]], [[1]], k=0), "k must be at least 1, got 0"),
        (lambda: kendall_tau([[1, 2]], [[1, 2, 3]]), "one shape"),
    ],
)
def test_bad_slates_have_a_clear_error(ask, words):
    with pytest.raises(ValueError, match=words):
        ask()


@pytest.mark.clock
def test_two_hundred_thousand_slates_take_under_two_seconds(fastest):
    rng = np.random.default_rng(0)
    first = np.argsort(rng.random((200_000, 10)), axis=1)
    second = np.roll(first, 1, axis=1)
    assert fastest(lambda: rank_biased_overlap(first, second)) < 2.0  # usually a quarter of that
