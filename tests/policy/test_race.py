from itertools import permutations

import numpy as np
import pytest

from workbench.policy.race import log_softmax, order_log_probability, position_probability


def by_enumeration(weights, k):
    """P(i at position p) by summing over all orders."""
    n = len(weights)
    result = np.zeros((n, k))
    for order in permutations(range(n), k):
        chance = 1.0
        for place, i in enumerate(order):
            gone = order[:place]
            chance *= weights[i] / sum(w for j, w in enumerate(weights) if j not in gone)
        for place, i in enumerate(order):
            result[i, place] += chance
    return result


@pytest.mark.parametrize(
    "scores",
    [
        [0.0, 0.0, 0.0, 0.0, 0.0],
        [1.0, 0.5, 0.2, -0.3, -2.0, 0.1],
        [0.0, -8.0, -9.0, -10.0],
        [0.0, 0.0, -20.0, -20.5, -40.0],
        [3.0, -5.0],
    ],
)
def test_positions_agree_with_the_sum_over_all_orders(scores):
    log_weights = log_softmax(np.array([scores]))
    k = min(4, len(scores))
    chances = position_probability(log_weights, np.ones((1, len(scores)), bool), k)[0]
    np.testing.assert_allclose(chances, by_enumeration(np.exp(log_weights[0]), k), rtol=2e-8)


@pytest.mark.parametrize("k", [2, 3, 10, 40])
def test_equal_candidates_have_equal_chances_at_every_position(k):
    chances = position_probability(log_softmax(np.zeros((1, 50))), np.ones((1, 50), bool), k)
    np.testing.assert_allclose(chances, 1 / 50, rtol=2e-8)


@pytest.mark.parametrize("spread", [0.01, 1.0, 30.0, 300.0])
def test_positions_sum_to_one_over_many_candidates(spread):
    scores = np.random.default_rng(0).normal(size=(3, 200)) * spread
    chances = position_probability(log_softmax(scores), np.ones(scores.shape, bool), 5)
    np.testing.assert_allclose(chances.sum(axis=1), 1.0, atol=1e-8)
    assert (chances >= 0).all()
    assert (chances <= 1 + 1e-12).all()


def test_only_the_chosen_are_computed_and_get_the_same_numbers():
    scores = log_softmax(np.random.default_rng(0).normal(size=(4, 12)))
    every = position_probability(scores, np.ones(scores.shape, bool), 3)
    some = np.random.default_rng(1).random(scores.shape) < 0.3
    part = position_probability(scores, some, 3)
    np.testing.assert_allclose(part, np.where(some[:, :, None], every, 0), rtol=1e-12)


def test_candidates_without_weight_never_arrive_and_change_nothing():
    scores = np.array([[0.3, -np.inf, 0.1, -np.inf, -1.0]])
    seen = np.isfinite(scores)
    chances = position_probability(log_softmax(scores), np.ones((1, 5), bool), 3)
    alone = position_probability(log_softmax(scores[seen][None]), np.ones((1, 3), bool), 3)
    np.testing.assert_allclose(chances[0][seen[0]], alone[0], rtol=1e-9)
    assert (chances[0][~seen[0]] == 0).all()


def test_more_positions_than_candidates_stay_empty():
    chances = position_probability(log_softmax(np.zeros((1, 2))), np.ones((1, 2), bool), 3)
    np.testing.assert_allclose(chances[0], [[0.5, 0.5, 0], [0.5, 0.5, 0]], atol=1e-9)


def test_orders_of_a_slate_sum_to_one():
    log_weights = log_softmax(np.array([[0.4, -1.0, 2.0, 0.0]]))
    slates = np.array(list(permutations(range(4), 2)))
    total = np.exp(order_log_probability(np.repeat(log_weights, len(slates), 0), slates)).sum()
    assert total == pytest.approx(1.0)


def test_the_first_position_is_the_softmax():
    scores = np.array([[1.0, 2.0, 3.0]])
    expected = np.exp(scores) / np.exp(scores).sum()
    chances = position_probability(log_softmax(scores), np.ones((1, 3), bool), 1)
    np.testing.assert_allclose(chances[:, :, 0], expected)
