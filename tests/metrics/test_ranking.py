from math import log2

import numpy as np
import pytest

from workbench.metrics import ndcg, recall_at


def test_ndcg_by_hand():
    # shown: gains 0, 1, 3; best: 3, 1, 0
    reached = 1 / log2(3) + 3 / log2(4)
    best = 3 + 1 / log2(3)
    assert ndcg([1, 1, 1], [0, 1, 3], [0.9, 0.5, 0.1]) == pytest.approx(reached / best)
    assert ndcg([1, 1, 1], [0, 1, 3], [0.9, 0.5, 0.1], k=2) == pytest.approx(1 / log2(3) / best)


def test_ndcg_is_the_mean_over_queries_that_have_a_gain():
    queries, gains = ["a", "a", "b", "b", "c"], [1, 0, 0, 1, 0]
    scores = [0.9, 0.1, 0.9, 0.1, 0.5]
    assert ndcg(queries, gains, scores) == pytest.approx((1 + 1 / log2(3)) / 2)


def test_ndcg_limits():
    assert ndcg([1, 1], [3, 1], [0.9, 0.1]) == 1
    assert ndcg([1], [2], [0.5]) == 1
    assert np.isnan(ndcg([1, 1], [0, 0], [0.9, 0.1]))


def test_ties_are_worth_their_mean_whatever_the_row_order():
    tied = ndcg([1, 1], [1, 0], [0.5, 0.5])
    assert tied == ndcg([1, 1], [0, 1], [0.5, 0.5])
    assert tied == pytest.approx((1 + 1 / log2(3)) / 2)
    across = ndcg([1, 1, 1], [1, 0, 0], [0.5, 0.5, 0.5], k=1)  # first with chance 1/3
    assert across == pytest.approx(1 / 3)


@pytest.mark.parametrize("k", [None, 1, 5, 50])
@pytest.mark.parametrize("tied", [False, True])
def test_ndcg_agrees_with_scikit_learn(k, tied):
    from sklearn.metrics import ndcg_score

    rng = np.random.default_rng(0)
    gains = rng.integers(0, 4, (30, 20)).astype(float)
    gains[:, 0] = 1  # scikit-learn counts a query without gain as 0, we leave it out
    scores = rng.random((30, 20))
    scores = np.round(scores, 1) if tied else scores
    queries = np.repeat(np.arange(30), 20)
    expected = ndcg_score(gains, scores, k=k)
    assert ndcg(queries, gains.ravel(), scores.ravel(), k=k) == pytest.approx(expected)


def test_row_order_does_not_matter():
    rng = np.random.default_rng(0)
    queries, gains, scores = rng.integers(0, 9, 80), rng.integers(0, 2, 80), rng.random(80).round(1)
    shuffle = rng.permutation(80)
    shuffled = queries[shuffle], gains[shuffle], scores[shuffle]
    assert ndcg(*shuffled, k=3) == pytest.approx(ndcg(queries, gains, scores, k=3))
    assert recall_at(*shuffled, k=3) == pytest.approx(recall_at(queries, gains, scores, k=3))


def test_recall_by_hand():
    one, other = ([1, 1, 1, 1], [1, 1, 1, 0], [0.9, 0.1, 0.2, 0.8]), ([2, 2], [0, 1], [0.9, 0.1])
    queries, relevant, scores = (a + b for a, b in zip(one, other, strict=True))
    assert recall_at(queries, relevant, scores, k=2) == pytest.approx((1 / 3 + 1) / 2)
    reachable = recall_at(queries, relevant, scores, k=2, of="reachable")
    assert reachable == pytest.approx((1 / 2 + 1) / 2)


def test_recall_limits():
    assert recall_at([1, 1], [1, 1], [0.1, 0.2], k=2) == 1
    assert recall_at([1, 1], [1, 0], [0.5, 0.5], k=1) == 0.5  # a tie at the boundary
    assert np.isnan(recall_at([1], [0], [0.5], k=1))
    assert recall_at([1, 1], [1, 1], [0.1, -np.inf], k=1) == 0.5  # one was never retrieved


@pytest.mark.parametrize(
    ("arguments", "settings", "message"),
    [
        (([1], [1], [np.nan]), {"k": 1}, "NaN"),
        (([1], [-1], [0.5]), {"k": 1}, ">= 0"),
        (([1], [1], [0.5]), {"k": 0}, "k must be at least 1"),
        (([1, 2], [1], [0.5]), {"k": 1}, "same shape"),
        (([], [], []), {"k": 1}, "non-empty"),
    ],
)
@pytest.mark.parametrize("metric", [ndcg, recall_at], ids=lambda m: m.__name__)
def test_bad_input_is_named(metric, arguments, settings, message):
    with pytest.raises(ValueError, match=message):
        metric(*arguments, **settings)


def test_recall_takes_yes_or_no_and_says_of_what():
    with pytest.raises(ValueError, match="0 or 1"):
        recall_at([1], [2], [0.5], k=1)
    with pytest.raises(ValueError, match="'relevant' or 'reachable'"):
        recall_at([1], [1], [0.5], k=1, of="all")
