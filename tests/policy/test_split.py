import numpy as np

from workbench.policy import (
    Rank,
    Split,
)

HALF = {"old": 0.5, "new": 0.5}


def test_a_user_keeps_the_arm_in_all_requests():
    n = 2_000
    split = Split({"old": Rank("score", 1), "new": Rank("score", 1)}, HALF, salt="x")
    requests = {
        "request": np.arange(n),
        "user": np.arange(n) % 100,
        "item": np.zeros(n, int),
        "score": np.zeros(n),
    }
    answers = split.act(requests)
    arms = {(user, arm) for user, arm in zip(requests["user"], answers["variant"], strict=True)}
    assert len(arms) == 100
    assert {arm for _, arm in arms} == {"old", "new"}


def test_weights_by_variant_share_survive_a_ramp():
    # 200 days at 5 %, then at 50 %; outcome depends on the day and not on the arm
    rng, outcomes, weights, arms = np.random.default_rng(0), [], [], []
    for share, level in ((0.05, 1.0), (0.5, 3.0)):
        split = Split(
            {"old": Rank("score", 1), "new": Rank("score", 1)},
            {"old": 1 - share, "new": share},
            salt="ramp",
        )
        n = 20_000
        requests = {
            "request": np.arange(n),
            "user": np.arange(n),
            "item": np.zeros(n, int),
            "score": np.zeros(n),
        }
        answers = split.act(requests)
        outcomes.append(level + rng.normal(size=n))
        weights.append(1 / answers["variant_share"])
        arms.append(answers["variant"])
    outcome, weight, arm = map(np.concatenate, (outcomes, weights, arms))
    new = arm == "new"
    naive = outcome[new].mean() - outcome[~new].mean()
    weighted = np.average(outcome[new], weights=weight[new]) - np.average(
        outcome[~new], weights=weight[~new]
    )
    assert naive > 0.3
    assert abs(weighted) < 0.1


def test_splits_in_splits_join_names_and_multiply_shares():
    inner = Split({"x": Rank("score", 1), "y": Rank("score", 1)}, {"x": 0.25, "y": 0.75}, salt="in")
    outer = Split({"a": inner, "b": Rank("score", 1)}, {"a": 0.4, "b": 0.6}, salt="out")
    n = 300
    answers = outer.act(
        {"request": np.arange(n), "user": np.arange(n), "item": np.arange(n), "score": np.zeros(n)}
    )
    pairs = zip(
        answers["variant"].tolist(), answers["variant_share"].round(3).tolist(), strict=True
    )
    assert set(pairs) == {("a/x", 0.1), ("a/y", 0.3), ("b", 0.6)}
