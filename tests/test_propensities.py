"""Is the stated propensity the frequency with which it happens?"""

from collections import Counter

import numpy as np
import pytest

from workbench.policy import Explore, Fallback, Rank, Shadow, Split

SALTS, COPIES = 15, 3_000  # a new request or a new salt: either way other luck
FEW = {
    "request": np.repeat([1, 2], 4),
    "user": np.repeat([1, 2], 4),
    "item": np.array([11, 12, 13, 14] * 2),
    "score": np.array([0.2, 0.9, 0.9, -0.4, 0.1, 0.2, 0.3, np.nan]),
    "popularity": np.array([4.0, 3.0, 2.0, 1.0, 2.0, 1.0, 3.0, 4.0]),
    "patchy": np.array([np.nan] * 4 + [0.5, 0.4, 0.3, 0.2]),
}


def trees(salt):
    """Policies and trees of policies whose every choice hangs on `salt`."""
    rank, popular = Rank("score", 3, "model@1"), Rank("popularity", 3, "popular@1")
    patchy = Rank("patchy", 2, "patchy@1")
    soft = Explore("score", 3, temperature=0.5, salt=f"soft {salt}", name="soft@1")
    greedy = Explore("score", 3, epsilon=0.4, salt=f"eps {salt}", name="eps@1")
    half = {"a": 0.5, "b": 0.5}
    split = Split({"old": popular, "new": soft}, {"old": 0.6, "new": 0.4}, salt=f"1 {salt}")
    twice = Split({"a": split, "b": greedy}, half, salt=f"2 {salt}")
    patchy_arm = Split({"a": Rank("patchy", 3, "patchy@1"), "b": soft}, half, salt=f"3 {salt}")
    return {
        "softmax": soft,
        "epsilon": greedy,
        "split": split,
        "split in a split": twice,
        "split in a fallback": Fallback([twice, rank]),
        "a split that leaves requests": Fallback([patchy_arm, greedy]),
        "a split on the second rung": Fallback([patchy, Shadow(split, {"r": rank}), rank]),
        "rank": rank,
    }


RANDOM = list(trees(""))


@pytest.fixture(scope="module")
def frequencies():
    """Per policy: share of salts with (request, position, item), over all and given who signed."""
    many = {name: np.tile(values, COPIES) for name, values in FEW.items()}
    copy = np.repeat(np.arange(COPIES), len(FEW["item"]))
    many |= {"request": many["request"] + 10 * copy, "user": many["user"] + 10 * copy}
    counted = {}
    for name in RANDOM:
        every, signed, stated = Counter(), Counter(), {}
        for salt in range(SALTS):
            answers = live(trees(salt)[name].act(many))
            answers["request"] = answers["request"] % 10
            for request, policy, position, item, chance in zip(
                *(
                    answers[each].tolist()
                    for each in ("request", "policy", "position", "item", "propensity")
                ),
                strict=True,
            ):
                every[request, position, item] += 1
                signed[request, policy, position, item] += 1
                stated[request, policy, position, item] = chance
        counted[name] = every, signed, stated
    return counted


@pytest.mark.parametrize("name", RANDOM)
def test_the_stated_propensity_is_the_frequency_over_salts(name, frequencies):
    _, signed, stated = frequencies[name]
    answered = Counter()
    for (request, policy, position, _), count in signed.items():
        answered[request, policy] += count if position == 1 else 0
    for (request, policy, position, item), chance in stated.items():
        n = answered[request, policy]
        error = 4.5 * np.sqrt(chance * (1 - chance) / n) + 1e-9
        assert abs(signed[request, policy, position, item] / n - chance) < error


@pytest.mark.parametrize("name", RANDOM)
def test_the_propensity_of_the_tree_is_the_frequency_over_salts(name, frequencies):
    every, _, _ = frequencies[name]
    asked = all_of_it()
    chances = trees("")[name].propensity(FEW, asked)
    for request, position, item, chance in zip(
        *(asked[each].tolist() for each in ("request", "position", "item")), chances, strict=True
    ):
        error = 4.5 * np.sqrt(chance * (1 - chance) / (SALTS * COPIES)) + 1e-9
        assert abs(every[request, position, item] / (SALTS * COPIES) - chance) < error


@pytest.mark.parametrize("name", RANDOM)
def test_propensities_at_a_position_sum_to_one_over_the_items(name):
    asked = all_of_it()
    chances = trees("")[name].propensity(FEW, asked)
    shown = {1: (1, 2, 3, 4), 2: (1, 2, 3)}  # request 2 has three candidates with a score
    answers = trees("")[name].act(FEW)
    for request, places in shown.items():
        depth = answers["position"][(answers["request"] == request) & answers["live"]].max()
        for place in places:
            total = chances[(asked["request"] == request) & (asked["position"] == place)].sum()
            assert total == pytest.approx(1.0 if place <= depth else 0.0, abs=1e-8)


def live(decisions):
    """Only what reached the world."""
    return {name: values[decisions["live"]] for name, values in decisions.items()}


def all_of_it():
    """Every (request, position, item) of FEW as decisions."""
    request, item = np.repeat([1, 2], 4), FEW["item"]
    return {
        "request": np.tile(request, 4),
        "item": np.tile(item, 4),
        "position": np.repeat([1, 2, 3, 4], 8),
        "action": np.full(32, "show"),
    }
