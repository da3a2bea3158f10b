"""`replay_outcomes`: a log in, a report or a refusal out."""

import numpy as np
import polars as pl
import pytest

from workbench.experiments.replay import Limits, ReplayPlan, replay_outcomes
from workbench.policy import Explore, Rank, Split, decide

CLICK = np.array([0.05, 0.1, 0.2, 0.4])
LOGGER, TARGET = np.array([0.55, 0.25, 0.15, 0.05]), np.array([0.1, 0.2, 0.3, 0.4])


def log_of(rows=4_000, seed=0, logger=LOGGER, target=TARGET):
    rng = np.random.default_rng(seed)
    item = rng.choice(4, rows, p=logger)
    return pl.DataFrame(
        {
            "request": np.arange(rows),
            "item": item,
            "reward": (rng.random(rows) < CLICK[item]) * 1.0,
            "propensity": logger[item],
            "target_propensity": target[item],
        }
    )


def test_the_report_has_estimate_interval_weights_and_clips():
    result = replay_outcomes(log_of())
    text = repr(result)
    assert max(map(len, text.splitlines())) <= 90
    for word in (
        "mean",
        "snips",
        "95% interval",
        "verdict: the target earns more",
        "clip",
        "worth",
    ):
        assert word in text
    assert result.ok
    assert result.estimate["low"] < TARGET @ CLICK < result.estimate["high"]
    assert result["logged"]["estimate"] == pytest.approx(log_of()["reward"].mean())


@pytest.mark.parametrize(
    "convert",
    [lambda log: log.to_pandas(), lambda log: log.to_arrow(), lambda log: log.lazy()],
    ids=["pandas", "arrow", "lake"],
)
def test_any_table_gives_the_same(convert):
    first, second = replay_outcomes(log_of()), replay_outcomes(convert(log_of()))
    assert first.table.equals(second.table)


def test_the_order_of_the_rows_does_not_matter():
    log = log_of()
    shuffled = replay_outcomes(log.sample(fraction=1, shuffle=True, seed=4)).table
    assert shuffled.drop("estimator").to_numpy() == pytest.approx(
        replay_outcomes(log).table.drop("estimator").to_numpy(), rel=1e-9, nan_ok=True
    )


def test_clips_trade_the_weights_for_bias_and_none_comes_first():
    clips = replay_outcomes(log_of()).clips
    assert clips["clip"][0] == np.inf
    assert clips["kept_share"].is_sorted(descending=True)
    assert clips["effective_decisions"].is_sorted()
    assert clips["ips"][0] > clips["ips"][-1]


def test_users_who_come_back_widen_the_interval_only_if_they_are_the_cluster():
    log = pl.concat([log_of(500)] * 8).with_columns(
        user=pl.col("request"), request=pl.int_range(4_000)
    )
    limits = Limits(10, 1, alpha=0.0)  # rows taken as independent look like wrong propensities
    by_request = replay_outcomes(log, plan=ReplayPlan(limits=limits)).estimate
    by_user = replay_outcomes(log, plan=ReplayPlan(cluster="user", limits=limits)).estimate
    assert by_user["estimate"] == pytest.approx(by_request["estimate"])
    assert by_user["error"] == pytest.approx(by_request["error"] * 8**0.5, rel=0.01)


def test_a_deterministic_logger_is_refused():
    log = log_of().with_columns(propensity=1.0, target_propensity=(pl.col("item") == 0) * 1.0)
    result = replay_outcomes(log)
    assert not result.ok
    assert "no support: the logger was deterministic" in repr(result)
    assert not len(result.table)
    assert not len(result.clips)
    with pytest.raises(ValueError, match="replay is refused: no support"):
        _ = result.estimate


def test_a_deterministic_logger_can_be_replayed_on_itself():
    log = log_of().with_columns(propensity=1.0, target_propensity=1.0)
    assert replay_outcomes(log).estimate["estimate"] == pytest.approx(log["reward"].mean())


def test_what_the_logger_never_tried_is_refused_with_its_share():
    logger = np.array([0.5, 0.3, 0.2, 0.0])  # the target shows item 3 in 40 % of its decisions
    result = replay_outcomes(log_of(logger=logger))
    assert "no support for about 4" in repr(result)
    assert result.weights.unsupported_share == pytest.approx(0.4, abs=0.05)


def test_propensities_that_are_too_small_are_found_out():
    result = replay_outcomes(log_of().with_columns(pl.col("propensity") * 0.8))
    assert "propensities are wrong" in repr(result)


def test_a_target_that_decides_nothing_of_the_log_is_refused():
    result = replay_outcomes(log_of().with_columns(target_propensity=0.0))
    assert result.refusals == ("no support: the target decides nothing that was logged",)
    assert result.weights.unsupported_share == 1


def test_too_few_decisions_and_too_few_rewards_are_refused():
    assert "too few: 60 decisions are worth" in repr(replay_outcomes(log_of(60)))
    none = replay_outcomes(log_of().with_columns(reward=0.0))
    assert none.refusals == ("too few: 0 rewards are worth 0, at least 10 needed",)
    one = replay_outcomes(log_of(1))
    assert not one.ok


def test_limits_are_the_users_own():
    limits = Limits(effective_decisions=5, effective_rewards=0)
    assert replay_outcomes(log_of(60), plan=ReplayPlan(limits=limits)).ok


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"live": pl.col("request") > 9}, "10 decisions have live = false"),
        ({"reward": pl.when(pl.col("request") > 2).then("reward")}, "missing in 3 of 4,000"),
        ({"reward": pl.when(pl.col("request") > 2).then("reward").otherwise(np.nan)}, "finite"),
        ({"reward": pl.lit(np.inf)}, "must be finite, got inf in row 0"),
        ({"reward": pl.lit("yes")}, "reward must be a number per decision, got String"),
        ({"propensity": pl.lit(None, pl.Float64)}, r"propensity must be a number in \[0, 1\]"),
        ({"propensity": pl.lit(0.0)}, "propensity must be above 0"),
        ({"target_propensity": pl.lit(1.5)}, "target_propensity must be a number"),
        ({"request": pl.lit(None, pl.Int64)}, "request is missing in 4,000 decisions"),
        ({"predicted_reward": pl.lit(0.1)}, "a reward model needs"),
        ({"predicted_reward": pl.lit(None), "target_predicted_reward": pl.lit(0.1)}, "finite"),
    ],
)
def test_a_log_that_cannot_be_read_says_why(change, words):
    with pytest.raises(ValueError, match=words):
        replay_outcomes(log_of().with_columns(**change))


def test_missing_rewards_say_what_became_of_them():
    log = log_of(9).with_columns(
        reward=pl.when(pl.col("request") < 6).then("reward"),
        status=pl.when(pl.col("request") < 8).then(pl.lit("pending")).otherwise(pl.lit("censored")),
    )
    with pytest.raises(ValueError, match=r"\(2 pending, 1 censored\)"):
        replay_outcomes(log)


@pytest.mark.parametrize("name", ["request", "propensity", "target_propensity", "reward"])
def test_a_missing_column_is_named(name):
    for log in (log_of().drop(name), log_of().drop(name).lazy()):
        with pytest.raises(ValueError, match=f"log has no column '{name}'"):
            replay_outcomes(log)


def test_an_empty_log_and_no_table_are_refused():
    with pytest.raises(ValueError, match="must not be empty"):
        replay_outcomes(log_of().clear())
    with pytest.raises(ValueError, match="not a table"):
        replay_outcomes([1, 2])


@pytest.mark.parametrize(
    ("settings", "words"),
    [({"confidence": 1.0}, "confidence"), ({"clip": 0.0}, "clip"), ({"clips": (-1.0,)}, "clip")],
)
def test_a_plan_is_checked(settings, words):
    with pytest.raises(ValueError, match=words):
        ReplayPlan(**settings)


def test_per_is_checked():
    with pytest.raises(ValueError, match="per must be 'decision' or 'request', got 'user'"):
        replay_outcomes(log_of(), plan=ReplayPlan(per="user"))


def shop(requests=3_000, candidates=5):
    rng = np.random.default_rng(3)
    return pl.DataFrame(
        {
            "request": np.repeat(np.arange(requests), candidates),
            "item": np.tile(np.arange(candidates), requests),
            "old": rng.normal(size=requests * candidates),
            "new": rng.normal(size=requests * candidates),
        }
    )


def clicked(decisions, candidates, seed=5):
    """Clicks are likelier on what `new` likes."""
    shown = decisions.join(candidates, on=["request", "item"], how="left", maintain_order="left")
    chance = 0.3 / (1 + np.exp(-2 * shown["new"].to_numpy()))
    luck = np.random.default_rng(seed).random(len(shown))
    return decisions.with_columns(reward=pl.Series(luck < chance).cast(pl.Float64))


def test_policies_say_their_own_chances():
    candidates = shop()
    logger = Explore("old", 1, salt="old", epsilon=0.5, name="old@1")
    target = Rank("new", 1, "new@1")
    log = clicked(decide(logger, candidates), candidates)
    result = replay_outcomes(log, target, requests=candidates)
    truth = 0.3 / (1 + np.exp(-2 * candidates.group_by("request").agg(pl.max("new"))["new"]))
    assert result.estimate["low"] < truth.mean() < result.estimate["high"]
    again = replay_outcomes(log.drop("propensity"), target, requests=candidates, logger=logger)
    assert again.table.equals(result.table)


def test_a_split_as_the_logger_gives_the_chances_of_both_arms():
    """Within an arm of Rank every propensity is 1; over the split each arm has its share."""
    candidates = shop().with_columns(user=pl.col("request"))
    split = Split(
        {"old": Rank("old", 1, "old@1"), "new": Rank("new", 1, "new@1")},
        {"old": 0.7, "new": 0.3},
        salt="an experiment",
    )
    log = clicked(decide(split, candidates), candidates)
    target = Rank("new", 1, "new@1")
    assert "the logger was deterministic" in repr(replay_outcomes(log, target, requests=candidates))
    result = replay_outcomes(log, target, requests=candidates, logger=split)
    truth = 0.3 / (1 + np.exp(-2 * candidates.group_by("request").agg(pl.max("new"))["new"]))
    assert result.estimate["low"] < truth.mean() < result.estimate["high"]


def test_a_policy_needs_its_requests_and_its_propensity():
    with pytest.raises(ValueError, match="requests must be given"):
        replay_outcomes(log_of(), Rank("new", 1))
    with pytest.raises(ValueError, match=r"object has no propensity"):
        replay_outcomes(log_of(), object(), requests=shop())


def test_text_ids_work():
    log = log_of().with_columns(
        pl.col("request").cast(pl.String), user=pl.lit("u") + pl.col("item").cast(pl.String)
    )
    plan = ReplayPlan(cluster="user")
    assert replay_outcomes(log, plan=plan).weights.clusters == 4
    assert isinstance(replay_outcomes(log.to_pandas(), plan=plan).table, pl.DataFrame)
