import logging
from dataclasses import dataclass

import numpy as np
import pytest

from workbench.policy import (
    NO_ITEM,
    Fallback,
    Rank,
    Shadow,
    Split,
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


@dataclass(frozen=True)
class Raises:
    name: str = "raises"

    def act(self, requests):
        raise KeyError("feature 'age' is gone")


def test_a_shadow_that_raises_leaves_the_live_answer_and_is_counted(caplog):
    policy = Shadow(Rank("score", 1, "live@1"), {"next": Raises()})
    with caplog.at_level(logging.WARNING):
        answers = policy.act(slate(0.1, 0.2))
    assert answers["item"].tolist() == [2]
    assert answers["live"].tolist() == [True]
    assert policy.failures == {("next", "KeyError"): 1}
    assert "feature 'age' is gone" in caplog.text


def test_a_shadow_sees_the_share_it_was_given():
    policy = Shadow(Rank("score", 1, "a"), {"b": Rank("score", 1, "b")}, sample=0.2, salt="x")
    n = 5_000
    answers = policy.act({"request": np.arange(n), "item": np.arange(n), "score": np.zeros(n)})
    assert answers["live"].sum() == n
    assert (~answers["live"]).mean() == pytest.approx(0.2 / 1.2, abs=0.01)


def test_a_ladder_passes_on_what_a_rung_cannot_answer_and_counts_it(caplog):
    ladder = Fallback([Raises(), Rank("score", 2, "model"), Rank("popularity", 2, "popular")])
    two = [slate(0.5, np.nan), slate(np.nan, np.nan, request=8)]
    requests = {name: np.concatenate([each[name] for each in two]) for name in two[0]}
    requests["popularity"] = np.array([1.0, 2.0, 3.0, 4.0])
    with caplog.at_level(logging.WARNING):
        answers = ladder.act(requests)
    assert answers["request"].tolist() == [7, 8, 8]
    assert answers["policy"].tolist() == ["model", "popular", "popular"]
    assert ladder.failures == {("raises", "KeyError"): 1, ("model", "unanswered"): 1}
    assert len(caplog.records) == 2


def test_when_the_last_rung_raises_the_error_is_raised():
    with pytest.raises(KeyError, match="age"):
        Fallback([Raises(), Raises("also")]).act(slate(0.1))


def test_when_the_last_rung_has_nothing_its_empty_slate_stands():
    answers = Fallback([Rank("score", 1, "a"), Rank("score", 1, "b")]).act(slate(np.nan))
    assert (answers["policy"].tolist(), answers["item"].tolist()) == (["b"], [NO_ITEM])


def test_who_was_assigned_stays_assigned_whoever_serves():
    split = Split({"new": Rank("score", 1, "new@1")}, {"new": 1.0}, salt="x")
    answers = Fallback([split, Rank("item", 1, "rule@1")]).act(slate(np.nan, np.nan))
    assert answers["policy"].tolist() == ["rule@1"]
    assert answers["variant"].tolist() == ["new"]
    assert answers["variant_share"].tolist() == [1.0]
