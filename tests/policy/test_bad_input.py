from dataclasses import dataclass

import numpy as np
import pytest

from workbench.policy import (
    Explore,
    Fallback,
    Rank,
    Shadow,
    Split,
    Threshold,
)

HALF = {"old": 0.5, "new": 0.5}


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


@pytest.mark.parametrize(
    ("policy", "requests", "message"),
    [
        (Rank("price", 1), slate(0.1), "no column 'price'; they have request, user, item, score"),
        (Rank(lambda rows: np.ones(3), 1), slate(0.1), r"shape \(1,\), got \(3,\)"),
        (Rank("score", 2), {**slate(0.1, 0.2), "item": np.array([4, 4])}, "item more than once"),
        (
            Rank("score", 2),
            {**slate(0.1), "item": np.array([0.5])},
            "item must hold integers or text",
        ),
        (
            Explore("score", 1, salt="x", epsilon=0.1),
            {**slate(0, 0), "item": np.array([4, 4])},
            "more than",
        ),
        (
            Split({"old": Rank("score", 1), "new": Rank("score", 1)}, HALF, salt="x"),
            {**slate(0.1, 0.2), "user": np.array([1, 2])},
            "request 7 has several values of 'user'",
        ),
    ],
)
def test_bad_requests_are_named(policy, requests, message):
    with pytest.raises(ValueError, match=message):
        policy.act({name: np.asarray(values) for name, values in requests.items()})


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Rank("score", 0), "k must be at least 1, got 0"),
        (lambda: Threshold("score", np.nan), "cutoff must be a number"),
        (lambda: Threshold("score", 0.5, unscored="ask"), "unscored must be"),
        (lambda: Explore("score", 1, salt="x"), "exactly one of epsilon and temperature"),
        (lambda: Explore("score", 1, salt="x", epsilon=2), "epsilon must be in"),
        (lambda: Explore("score", 1, salt="x", temperature=0), "temperature must be positive"),
        (lambda: Split({"a": Raises()}, {"b": 1.0}, salt="x"), "must agree"),
        (lambda: Split({"a": Raises()}, {"a": 0.5}, salt="x"), "sum to 1"),
        (lambda: Shadow(Raises("m"), {"s": Raises("m")}), "different names, got {'m'} twice"),
        (lambda: Shadow(Raises(), {}, sample=2), "sample must be in"),
        (lambda: Fallback([]), "at least one policy"),
    ],
)
def test_bad_settings_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()
