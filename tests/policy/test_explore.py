import numpy as np
import pytest

from workbench.policy import (
    Explore,
    Rank,
    Threshold,
)


def slate(*scores, request=7, first_item=1):
    """One request whose items 1, 2, … have these scores."""
    n = len(scores)
    return {
        "request": np.full(n, request),
        "user": np.full(n, 1),
        "item": np.arange(first_item, first_item + n),
        "score": np.array(scores, float),
    }


def test_epsilon_by_hand():
    greedy = Explore("score", 2, salt="x", epsilon=0.3)
    asked = {
        "request": np.full(4, 7),
        "item": np.array([2, 2, 1, 9]),
        "position": np.array([1, 2, 3, 1]),
        "action": np.full(4, "show"),
    }
    chances = greedy.propensity(slate(0.1, 0.9, 0.5), asked)
    assert chances.tolist() == pytest.approx([0.7 + 0.1, 0.1, 0, 0])  # no place 3, no item 9


def test_no_exploration_is_the_ranking():
    requests = slate(*np.random.default_rng(0).random(30))
    expected = Rank("score", 5).act(requests)["item"].tolist()
    assert Explore("score", 5, salt="x", epsilon=0).act(requests)["item"].tolist() == expected
    cold = Explore("score", 5, salt="x", temperature=1e-4).act(requests)
    assert cold["item"].tolist() == expected
    assert cold["propensity"] == pytest.approx(1)


@pytest.mark.parametrize("how", [{"epsilon": 0.3}, {"temperature": 0.7}])
def test_chances_of_all_slates_sum_to_one(how):
    from itertools import permutations

    policy, requests = Explore("score", 2, salt="x", **how), slate(0.1, 0.9, 0.5, np.nan)
    total = 0
    for items in permutations([1, 2, 3], 2):
        asked = {
            "request": np.full(2, 7),
            "item": np.array(items),
            "position": np.array([1, 2]),
            "action": np.full(2, "show"),
        }
        logs = policy.log_prob(requests, asked)
        assert logs[0] == logs[1]
        total += np.exp(logs[0])
    assert total == pytest.approx(1)


def test_slates_that_cannot_be_have_no_chance():
    policy, requests = Explore("score", 2, salt="x", temperature=0.5), slate(0.1, 0.9, 0.5)
    for items, positions in [([2, 2], [1, 2]), ([2, 9], [1, 2]), ([2], [1]), ([2, 1], [1, 3])]:
        n = len(items)
        asked = {
            "request": np.full(n, 7),
            "item": np.array(items),
            "position": np.array(positions),
            "action": np.full(n, "show"),
        }
        assert (policy.log_prob(requests, asked) == -np.inf).all()


def test_own_slates_have_the_log_chance_of_their_order():
    # Plackett-Luce by hand: e^2 / (e^2 + e^1 + e^0), then the rest
    policy, requests = Explore("score", 3, salt="x", temperature=1.0), slate(0.0, 1.0, 2.0)
    answers = policy.act(requests)
    weights = np.exp(requests["score"])[answers["item"] - 1]
    expected = np.prod(weights / np.cumsum(weights[::-1])[::-1])
    assert np.exp(policy.log_prob(requests, answers)[0]) == pytest.approx(expected)


def test_decisions_for_unknown_requests_are_an_error():
    asked = {"request": np.array([99]), "item": np.array([1]), "position": np.array([1])}
    asked["action"] = np.array(["show"])
    for policy in (Explore("score", 1, salt="x", epsilon=0.1), Threshold("score", 0.5)):
        with pytest.raises(ValueError, match=r"request 99, which is not among the requests"):
            policy.propensity(slate(0.1), asked)
