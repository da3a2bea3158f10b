"""What every policy promises, whatever it decides: one battery, run over every policy and tree."""

from collections import Counter, defaultdict
from copy import deepcopy
from dataclasses import dataclass

import numpy as np
import polars as pl
import pytest

from workbench.policy import (
    DECISION_COLUMNS,
    NO_ITEM,
    Explore,
    Fallback,
    Holdout,
    Rank,
    Shadow,
    Split,
    Threshold,
    decide,
    decided,
)

KINDS = dict(zip(DECISION_COLUMNS, "iUiUifffUfb".replace("fffUfb", "ffUfb"), strict=True))


@dataclass(frozen=True)
class Broken:
    """Raises on everything."""

    name: str = "broken"

    def act(self, requests):
        raise RuntimeError("out of memory")


@dataclass(frozen=True)
class ApproveAll:
    """A policy of one's own: an `act`, and nothing else."""

    name: str = "approve all"

    def act(self, requests):
        n = len(requests["request"])
        none = np.full(n, NO_ITEM)
        return decided(
            requests["request"], self.name, action="approve", item=none, score=np.zeros(n)
        )


def slate_policies():
    rank, popular = Rank("score", 3, "model@1"), Rank("popularity", 3, "popular@1")
    soft = Explore("score", 3, temperature=0.5, salt="soft", name="soft@1")
    greedy = Explore("score", 3, epsilon=0.4, salt="eps", name="eps@1")
    split = Split({"old": popular, "new": soft}, {"old": 0.6, "new": 0.4}, salt="test 1")
    twice = Split({"a": split, "b": greedy}, {"a": 0.5, "b": 0.5}, salt="test 2")
    return {
        "rank": rank,
        "rank by a function": Rank(lambda rows: rows["score"] + rows["popularity"], 2, "sum@1"),
        "rank more than there is": Rank("score", 50, "model@1"),
        "softmax": soft,
        "epsilon": greedy,
        "split": split,
        "split in a split": twice,
        "holdout": Holdout(popular, twice, 0.3, salt="held"),
        "holdout in a fallback": Fallback([Holdout(rank, split, 0.3, salt="held"), popular]),
        "fallback": Fallback([Rank("patchy", 3, "patchy@1"), popular]),
        "fallback with a broken rung": Fallback([Broken(), Rank("patchy", 2, "patchy@1"), greedy]),
        "split in a fallback": Fallback([twice, Rank("patchy", 3, "patchy@1"), rank]),
        "shadow": Shadow(rank, {"next": soft, "broken": Broken()}, sample=0.5),
        "everything": Shadow(
            Fallback(
                [
                    Split(
                        {"a": Rank("patchy", 3, "p@1"), "b": soft}, {"a": 0.5, "b": 0.5}, salt="x"
                    ),
                    greedy,
                ]
            ),
            {"all": Split({"c": rank, "d": popular}, {"c": 0.5, "d": 0.5}, salt="y")},
        ),
    }


def checkout_policies():
    old, new = Threshold("score", 0.5, "rule@1"), Threshold("patchy", 0.3, "model@1")
    split = Split({"old": old, "new": new}, {"old": 0.5, "new": 0.5}, salt="test 1")
    return {
        "threshold": new,
        "threshold split": split,
        "threshold fallback": Fallback([new, split, old]),
        "threshold shadow": Shadow(old, {"next": new}, sample=0.5, salt="s"),
        "own policy": Fallback([Broken(), ApproveAll()]),
    }


POLICIES = {**slate_policies(), **checkout_policies()}


def requests_for(name, *, text=False, requests=40):
    """Rows of 40 requests: slates of 1 to 9 candidates with ties and holes; checkouts of one."""
    rng = np.random.default_rng(7)
    sizes = rng.integers(1, 10, requests) if name in slate_policies() else np.ones(requests, int)
    request = np.repeat(np.arange(requests) * 3 + 100, sizes)
    n = len(request)
    item = np.concatenate([rng.permutation(12)[:size] for size in sizes])
    item[np.cumsum(sizes)[[2, 5]] - 1] = NO_ITEM  # a candidate without id
    patchy = np.where(rng.random(n) < 0.4, rng.choice([np.nan, np.inf, -np.inf], n), rng.random(n))
    columns = {
        "request": request,
        "user": request // 2,
        "item": item,
        "score": rng.integers(0, 4, n) / 3,
        "popularity": rng.integers(0, 2, n) / 1.0,
        "patchy": patchy,
    }
    if text:
        words = {name: columns[name].astype(str) for name in ("request", "user", "item")}
        words["item"][item == NO_ITEM] = ""
        columns |= words
    return columns


def rows_of(decisions):
    """Decisions as sortable tuples; NaN as a word, so that equal rows are equal."""
    columns = [decisions[name].tolist() for name in DECISION_COLUMNS]
    rows = [
        tuple("none" if each != each else each for each in row)
        for row in zip(*columns, strict=True)
    ]
    return sorted(rows, key=str)


def row_order_does_not_matter(policy, requests):
    shuffle = np.random.default_rng(0).permutation(len(requests["request"]))
    shuffled = {name: values[shuffle] for name, values in requests.items()}
    assert rows_of(policy.act(shuffled)) == rows_of(policy.act(requests))


def batch_size_does_not_matter(policy, requests):
    together = rows_of(policy.act(requests))
    apart = []
    for request in np.unique(requests["request"]):
        alone = {name: values[requests["request"] == request] for name, values in requests.items()}
        apart += rows_of(policy.act(alone))
    assert sorted(apart, key=str) == together


def each_request_has_exactly_one_live_slate(policy, requests):
    decisions = policy.act(requests)
    slates, signed = defaultdict(list), defaultdict(set)
    for request, position, name, live in zip(
        *(decisions[each].tolist() for each in ("request", "position", "policy", "live")),
        strict=True,
    ):
        if live:
            slates[request].append(position)
            signed[request].add(name)
    assert set(slates) == set(requests["request"].tolist())
    assert all(sorted(slate) == list(range(1, len(slate) + 1)) for slate in slates.values())
    assert all(len(names) == 1 for names in signed.values())


def keys_are_unique(policy, requests):
    decisions = policy.act(requests)
    keys = [decisions[name].tolist() for name in ("request", "policy", "position")]
    assert max(Counter(zip(*keys, strict=True)).values()) == 1


def items_are_candidates_of_the_request(policy, requests):
    offered = set(zip(requests["request"].tolist(), requests["item"].tolist(), strict=True))
    decisions = policy.act(requests)
    shown = np.array([item not in ("", NO_ITEM) for item in decisions["item"].tolist()])
    pairs = zip(
        decisions["request"][shown].tolist(), decisions["item"][shown].tolist(), strict=True
    )
    assert set(pairs) <= offered


def columns_and_kinds_are_the_vocabulary(policy, requests):
    decisions = policy.act(requests)
    assert tuple(decisions) == DECISION_COLUMNS
    expected = {**KINDS, "request": requests["request"].dtype.kind}
    if "own" not in decisions["policy"][0] and "approve all" not in decisions["policy"]:
        expected["item"] = requests["item"].dtype.kind
    assert {name: values.dtype.kind for name, values in decisions.items()} == expected
    assert len({len(values) for values in decisions.values()}) == 1


def propensities_lie_in_0_1(policy, requests):
    decisions = policy.act(requests)
    assert ((decisions["propensity"] > 0) & (decisions["propensity"] <= 1)).all()
    share = decisions["variant_share"]
    assert ((share > 0) & (share <= 1) | np.isnan(share)).all()
    assert (np.isnan(share) == (decisions["variant"] == "")).all()


def no_input_is_changed(policy, requests):
    before = {name: values.copy() for name, values in requests.items()}
    for values in requests.values():
        values.flags.writeable = False
    policy.act(requests)
    for name, values in requests.items():
        np.testing.assert_array_equal(values, before[name])


def the_same_salt_gives_the_same_answer(policy, requests):
    again = deepcopy(policy)  # as on another machine: nothing is remembered
    assert rows_of(policy.act(requests)) == rows_of(again.act(requests))


def no_requests_give_no_decisions(policy, requests):
    nothing = {name: values[:0] for name, values in requests.items()}
    decisions = policy.act(nothing)
    assert tuple(decisions) == DECISION_COLUMNS
    assert len(decisions["request"]) == 0


def a_frame_gets_the_same_decisions(policy, requests):
    decisions = policy.act(requests)
    frame = decide(
        policy, pl.DataFrame({name: values.tolist() for name, values in requests.items()})
    )
    for name in ("request", "policy", "position", "action", "live"):
        assert frame[name].to_list() == decisions[name].tolist()


PROMISES = [
    row_order_does_not_matter,
    batch_size_does_not_matter,
    each_request_has_exactly_one_live_slate,
    keys_are_unique,
    items_are_candidates_of_the_request,
    columns_and_kinds_are_the_vocabulary,
    propensities_lie_in_0_1,
    no_input_is_changed,
    the_same_salt_gives_the_same_answer,
    no_requests_give_no_decisions,
    a_frame_gets_the_same_decisions,
]


@pytest.mark.parametrize("text", [False, True], ids=["Int64 ids", "String ids"])
@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.__name__)
@pytest.mark.parametrize("name", POLICIES)
def test_policy_keeps(promise, name, text):
    promise(POLICIES[name], requests_for(name, text=text))


@pytest.mark.parametrize("name", POLICIES)
def test_own_decisions_have_the_propensity_they_state(name):
    policy, requests = POLICIES[name], requests_for(name)
    if name == "own policy":
        pytest.skip("offers no propensity")
    decisions = policy.act(requests)
    mine = {each: values[decisions["live"]] for each, values in decisions.items()}
    chances = policy.propensity(requests, mine)
    assert (chances > 0).all()
    if not (mine["variant"] != "").any():
        np.testing.assert_allclose(chances, mine["propensity"], rtol=1e-9)
