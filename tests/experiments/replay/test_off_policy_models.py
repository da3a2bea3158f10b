"""Reward models fitted across folds, and bounds for outcomes that nobody knows."""

import numpy as np
import polars as pl
import pytest

from workbench.experiments.replay import ReplayPlan, replay_outcomes
from workbench.experiments.replay.censored import value_bounds
from workbench.experiments.replay.estimators import doubly_robust
from workbench.experiments.replay.reward_model import cross_fitted, mean_reward

CLICK = np.array([0.05, 0.1, 0.2, 0.4])
LOGGER, TARGET = np.array([0.55, 0.25, 0.15, 0.05]), np.array([0.1, 0.2, 0.3, 0.4])


def log_and_alternatives(rows=4_000, seed=0):
    rng = np.random.default_rng(seed)
    item = rng.choice(4, rows, p=LOGGER)
    log = pl.DataFrame(
        {
            "request": np.arange(rows),
            "item": item,
            "reward": (rng.random(rows) < CLICK[item]) * 1.0,
            "propensity": LOGGER[item],
            "target_propensity": TARGET[item],
        }
    )
    options = pl.DataFrame({"item": np.arange(4), "target_propensity": TARGET})
    return log, log.select("request").join(options, how="cross")


def test_doubly_robust_is_the_headline_covers_the_truth_and_is_the_more_exact():
    log, options = log_and_alternatives()
    result = replay_outcomes(cross_fitted(log, options, mean_reward("item")))
    assert result.estimate["estimator"] == "dr"
    assert result.estimate["low"] < TARGET @ CLICK < result.estimate["high"]
    assert result["dr"]["error"] < result["ips"]["error"]
    assert {"dr", "switch", "dros"} <= set(result.clips.columns)
    assert max(map(len, repr(result).splitlines())) <= 90


def test_doubly_robust_survives_a_wrong_model_and_direct_does_not():
    log, options = log_and_alternatives()

    def wrong(rows):
        return lambda asked: np.full(len(asked), 0.9) - 0.2 * asked["item"].to_numpy()

    result = replay_outcomes(cross_fitted(log, options, wrong))
    assert result["dr"]["low"] < TARGET @ CLICK < result["dr"]["high"]
    assert abs(result["direct"]["estimate"] - TARGET @ CLICK) > 0.1


def test_doubly_robust_survives_wrong_propensities_if_the_model_is_right():
    log, options = log_and_alternatives(20_000)
    even = log.with_columns(propensity=0.25)  # untrue

    def right(rows):
        return lambda asked: CLICK[asked["item"].to_numpy()]

    result = replay_outcomes(cross_fitted(even, options, right))
    assert not result.ok  # the report finds the chances out
    logged = cross_fitted(even, options, right)
    weights = (logged["target_propensity"] / logged["propensity"]).to_numpy()
    value = doubly_robust(
        weights, logged["reward"], logged["predicted_reward"], logged["target_predicted_reward"]
    )
    assert value.mean() == pytest.approx(TARGET @ CLICK, abs=0.01)


def test_no_row_is_predicted_by_a_model_that_saw_it():
    log, options = log_and_alternatives(200)
    seen = []

    def fit(rows):
        seen.append(set(rows["request"].to_list()))

        def predict(asked):
            assert not seen[-1] & set(asked["request"].to_list())
            return np.zeros(len(asked))

        return predict

    result = cross_fitted(log, options, fit, folds=4)
    assert len(seen) == 4
    assert result["request"].to_list() == log["request"].to_list()


def test_a_users_rows_are_in_one_fold():
    log, options = log_and_alternatives(200)
    log = log.with_columns(user=pl.col("request") % 17)

    def fit(rows):
        users = set(rows["user"].to_list())

        def predict(asked):
            if "user" in asked.columns:
                assert not users & set(asked["user"].to_list())
            return np.zeros(len(asked))

        return predict

    cross_fitted(log, options, fit, cluster="user")


def test_the_model_by_hand():
    log = pl.DataFrame({"item": ["a", "a", "b"], "position": [1, 1, 1], "click": [1.0, 0.0, 1.0]})
    predict = mean_reward("item", "position", metric="click", strength=3.0)(log)
    asked = pl.DataFrame({"item": ["b", "a", "a"], "position": [1, 1, 2]})
    assert predict(asked) == pytest.approx([(1 + 2) / 4, (1 + 2) / 5, 2 / 3])


CHANGES = {
    "6 decisions of the log": lambda log, options: (log, options.filter(pl.col("request") > 5)),
    "must add up to 1, got 0.9": lambda log, options: (log, options.filter(pl.col("item") > 0)),
    "log has no column 'request'": lambda log, options: (log.drop("request"), options),
    "alternatives has no": lambda log, options: (log, options.drop("target_propensity")),
    "fold . is empty": lambda log, options: (log.head(2), options),
}


@pytest.mark.parametrize("words", CHANGES)
def test_alternatives_that_cannot_be_are_refused(words):
    log, options = CHANGES[words](*log_and_alternatives(100))
    with pytest.raises(ValueError, match=words):
        cross_fitted(log, options, mean_reward("item"))


def test_settings_are_checked():
    log, options = log_and_alternatives(50)
    with pytest.raises(ValueError, match="folds must be at least 2"):
        cross_fitted(log, options, mean_reward("item"), folds=1)
    with pytest.raises(ValueError, match="by must name"):
        mean_reward()
    with pytest.raises(ValueError, match="strength"):
        mean_reward("item", strength=-1.0)
    with pytest.raises(ValueError, match="finite numbers"):
        cross_fitted(log, options, lambda rows: lambda asked: np.full(len(asked), np.nan))


def payments(rows=5_000, seed=1):
    """Amount, a score, and what letting it through would earn: known to nobody if blocked."""
    rng = np.random.default_rng(seed)
    amount, score = rng.lognormal(3, 1, rows), rng.random(rows)
    fraud = rng.random(rows) < score**4
    return pl.DataFrame(
        {
            "request": np.arange(rows),
            "score": score,
            "earned": np.where(fraud, -amount, 0.1 * amount),
            "worst_reward": -amount,
            "best_reward": 0.1 * amount,
        }
    )


def blocked_above(frame, logger, target):
    word = {True: "block", False: "approve"}
    return frame.with_columns(
        action=(pl.col("score") >= logger).replace_strict(word, return_dtype=pl.String),
        target_action=(pl.col("score") >= target).replace_strict(word, return_dtype=pl.String),
    ).with_columns(reward=pl.when(pl.col("action") != "block").then("earned"))


def value(frame, cutoff):
    return float((frame["earned"] * (frame["score"] < cutoff)).mean())


def test_bounds_hold_the_truth_of_a_laxer_target_and_say_what_is_unknown():
    frame = blocked_above(payments(), 0.7, 0.8)
    bounds = value_bounds(frame)
    assert bounds.worst < value(payments(), 0.8) < bounds.best
    assert bounds.unknown_share == pytest.approx(0.1, abs=0.02)
    assert not bounds.exact
    assert "censored" in repr(bounds)


def test_a_stricter_target_is_known_exactly():
    bounds = value_bounds(blocked_above(payments(), 0.7, 0.6))
    assert bounds.exact
    assert bounds.worst == bounds.best == pytest.approx(value(payments(), 0.6))
    assert "all its outcomes are known" in repr(bounds)


def test_more_log_does_not_close_the_gap():
    gaps = []
    for rows in (2_000, 40_000):
        bounds = value_bounds(blocked_above(payments(rows), 0.7, 0.8))
        gaps.append(bounds.best - bounds.worst)
    assert gaps[1] == pytest.approx(gaps[0], rel=0.2)


def test_blocks_let_through_by_chance_make_an_estimate_of_it():
    """One in ten of the blocked is let through: a block earns 0, and so nothing is censored."""
    frame = payments(40_000)
    rng = np.random.default_rng(2)
    lets = rng.random(len(frame)) < 0.1
    score = frame["score"].to_numpy()
    through = (score < 0.7) | lets
    chance = np.where(score < 0.7, 1.0, np.where(through, 0.1, 0.9))
    target = score < 0.8
    log = frame.with_columns(
        reward=pl.Series(np.where(through, frame["earned"].to_numpy(), 0.0)),
        propensity=pl.Series(chance),
        target_propensity=pl.Series((through == target) * 1.0),
    )
    result = replay_outcomes(log)
    assert result.estimate["low"] < value(frame, 0.8) < result.estimate["high"]
    never = log.filter(pl.Series((score < 0.7) | ~lets)).with_columns(propensity=1.0)
    assert "no support: the logger was deterministic" in repr(replay_outcomes(never))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"reward": pl.lit(None, pl.Float64)}, "pending ones have no outcome yet"),
        ({"worst_reward": pl.lit(1e9)}, "must not be above best_reward"),
        ({"target_action": pl.lit(None, pl.String)}, "target_action is missing in 50"),
        ({"live": pl.lit(False)}, "shadow decisions"),
    ],
)
def test_what_bounds_cannot_use_is_refused(change, words):
    frame = blocked_above(payments(50), 0.7, 0.8).with_columns(**change)
    with pytest.raises(ValueError, match=words):
        value_bounds(frame)


def test_bounds_need_columns_and_rows():
    frame = blocked_above(payments(50), 0.7, 0.8)
    with pytest.raises(ValueError, match="log has no column 'best_reward'"):
        value_bounds(frame.drop("best_reward"))
    with pytest.raises(ValueError, match="must not be empty"):
        value_bounds(frame.clear())


def test_plans_can_name_the_users_own_metric():
    log, _ = log_and_alternatives()
    result = replay_outcomes(log.rename({"reward": "bought"}), plan=ReplayPlan(metric="bought"))
    assert repr(result).startswith("replay of bought per decision")
