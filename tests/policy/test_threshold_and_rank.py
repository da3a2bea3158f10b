import numpy as np
import pytest

from workbench.policy import (
    NO_ITEM,
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


def test_a_score_at_the_cutoff_blocks():
    answers = Threshold("score", 0.5).act(
        {"request": np.array([1, 2, 3]), "score": np.array([0.49, 0.5, 0.51])}
    )
    assert answers["action"].tolist() == ["approve", "block", "block"]
    assert answers["propensity"].tolist() == [1, 1, 1]
    assert answers["item"].tolist() == [NO_ITEM] * 3


def test_a_payment_that_nobody_can_judge_is_blocked_unless_told_otherwise():
    requests = {"request": np.array([1]), "score": np.array([np.nan])}
    assert Threshold("score", 0.5).act(requests)["action"].tolist() == ["block"]
    lenient = Threshold("score", 0.5, unscored="approve")
    assert lenient.act(requests)["action"].tolist() == ["approve"]


def test_what_others_did_has_propensity_one_where_the_threshold_agrees():
    requests = {"request": np.array([1, 2]), "score": np.array([0.1, 0.9])}
    others = {
        "request": np.array([2, 1, 2]),
        "action": np.array(["block", "block", "approve"]),
        "position": np.ones(3, int),
    }
    assert Threshold("score", 0.5).propensity(requests, others).tolist() == [1, 0, 0]


def test_several_rows_for_one_checkout_are_an_error():
    with pytest.raises(ValueError, match="one row per request, got several for 7"):
        Threshold("score", 0.5).act(slate(0.1, 0.2))


def test_rank_by_hand():
    answers = Rank("score", 3).act(slate(0.2, 0.9, 0.5, 0.7))
    assert answers["item"].tolist() == [2, 4, 3]
    assert answers["position"].tolist() == [1, 2, 3]
    assert answers["score"].tolist() == [0.9, 0.7, 0.5]


def test_ties_across_the_boundary_go_to_the_smaller_item():
    scores = np.zeros(600)
    scores[[100, 500]] = 1
    assert Rank("score", 4).act(slate(*scores))["item"].tolist() == [101, 501, 1, 2]


def test_candidates_without_a_finite_score_are_left_out():
    answers = Rank("score", 4).act(slate(0.2, np.nan, -np.inf, np.inf))
    assert answers["item"].tolist() == [1]
    empty = Rank("score", 4).act(slate(np.nan, -np.inf))
    assert empty["item"].tolist() == [NO_ITEM]
    assert np.isnan(empty["score"]).all()
    assert empty["position"].tolist() == [1]


def test_a_score_may_be_a_function_of_the_columns():
    policy = Rank(lambda rows: -rows["score"], 1)
    assert policy.act(slate(0.2, 0.9))["item"].tolist() == [1]
