"""Slates: each assumption gives the truth where it holds, and misses it where it does not."""

import numpy as np
import polars as pl
import pytest

from workbench.experiments.replay import Limits, ReplayPlan, replay_outcomes
from workbench.experiments.replay.slates import INTERACTIONS, prefix_chances, slate_chances
from workbench.policy import Explore, Rank, decide

K, ITEMS = 3, 4
# what is asked of the estimators here is their mean over all logs, so none is refused
PLAN = ReplayPlan(per="request", limits=Limits(0, 0, alpha=0.0))


def candidates(requests, seed=0):
    rng = np.random.default_rng(seed)
    n = requests * ITEMS
    return pl.DataFrame(
        {
            "request": np.repeat(np.arange(requests), ITEMS),
            "item": np.tile(np.arange(ITEMS), requests),
            "old": rng.normal(size=n),
            "new": rng.normal(size=n),
        }
    )


def policies(number=0):
    logger = Explore("old", K, temperature=3.0, salt=f"logger {number}", name="old@1")
    target = Explore("new", K, temperature=0.8, salt=f"target {number}", name="new@1")
    return logger, target


ATTRACTION = np.array([0.05, 0.15, 0.3, 0.6])


def click_chance(decisions, kind):
    """P(click) of each row: of its item alone, after those above, or of the first or last."""
    item = decisions["item"].to_numpy().reshape(-1, K)
    own = ATTRACTION[item]
    if kind == "alone":
        return (own / np.arange(1, K + 1)).ravel()
    if kind == "cascade":  # looked at only if nothing above was clicked
        passed = np.cumprod(np.column_stack([np.ones(len(own)), 1 - own[:, :-1]]), axis=1)
        return (own * passed).ravel()
    liked = decisions["score_of_new"].to_numpy().reshape(-1, K)
    well = liked[:, 0] > 0 if kind == "first" else liked[:, -1] < 0
    return np.repeat(np.where(well, 0.5, 0.05), K)


def slates(policy, asked):
    """Its decisions, with what `new` thinks of each item."""
    scores = asked.select("request", "item", score_of_new="new")
    return decide(policy, asked).join(
        scores, on=["request", "item"], how="left", maintain_order="left"
    )


def many(kind, interaction, logs=40, requests=1_000):
    """(estimates by IPS and SNIPS, truth), over many logs of the same candidates."""
    asked = candidates(requests)
    rng, rows = np.random.default_rng(9), []
    truth = np.mean(
        [
            click_chance(slates(policies(1_000 + n)[1], asked), kind).sum() / requests
            for n in range(60)
        ]
    )
    for number in range(logs):
        logger, target = policies(number)
        log = slates(logger, asked)
        clicks = rng.random(len(log)) < click_chance(log, kind)
        log = log.with_columns(reward=pl.Series(clicks).cast(pl.Float64))
        log = slate_chances(log, logger, target, asked, interaction=interaction)
        result = replay_outcomes(log, plan=PLAN)
        rows.append((result["ips"]["estimate"], result["snips"]["estimate"]))
    return np.array(rows), truth


@pytest.mark.parametrize(
    ("kind", "interaction"),
    [("alone", "none"), ("alone", "cascade"), ("cascade", "cascade"), ("first", "cascade"),
     ("last", "whole")],
)  # fmt: skip
def test_the_estimate_is_the_truth_where_the_assumption_holds(kind, interaction):
    estimates, truth = many(kind, interaction)
    error = estimates.std(axis=0, ddof=1) / len(estimates) ** 0.5
    # 0.003: the truth itself is the mean over 60,000 slates
    assert (np.abs(estimates.mean(axis=0) - truth) < 3.5 * error + 0.003).all()


@pytest.mark.parametrize(("kind", "interaction"), [("first", "none"), ("last", "cascade")])
def test_an_assumption_that_does_not_hold_misses_the_truth(kind, interaction):
    estimates, truth = many(kind, interaction)
    snips = estimates[:, 1]
    error = snips.std(ddof=1) / len(snips) ** 0.5
    assert abs(snips.mean() - truth) > 5 * error + 0.003


def test_fewer_assumptions_make_it_noisier():
    spread = [many("alone", each, logs=20)[0][:, 0].std() for each in INTERACTIONS]
    assert spread[0] < spread[1] < spread[2]


def test_prefix_chances_by_hand():
    """Plackett-Luce with weights 1, 2, 5: (2/8) x (5/6) x 1."""
    asked = pl.DataFrame({"request": [7] * 3, "item": [1, 2, 3], "s": np.log([1.0, 2.0, 5.0])})
    shown = pl.DataFrame(
        {"request": [7] * 3, "item": [2, 3, 1], "position": [1, 2, 3], "action": ["show"] * 3}
    )
    policy = Explore("s", 3, temperature=1.0, salt="x")
    expected = [2 / 8, 2 / 8 * 5 / 6, 2 / 8 * 5 / 6]
    assert prefix_chances(policy, asked, shown) == pytest.approx(expected)
    assert prefix_chances(policy, asked, shown[::-1]) == pytest.approx(expected[::-1])


def test_the_last_prefix_is_the_whole_slate_and_the_first_is_the_item():
    asked, (logger, target) = candidates(50), policies()
    log = decide(logger, asked)
    chances = {
        name: slate_chances(log, logger, target, asked, interaction=name) for name in INTERACTIONS
    }
    for column in ("propensity", "target_propensity"):
        none, cascade, whole = (chances[name][column].to_numpy() for name in INTERACTIONS)
        first, last = (log["position"] == 1).to_numpy(), (log["position"] == K).to_numpy()
        assert cascade[first] == pytest.approx(none[first])
        assert cascade[last] == pytest.approx(whole[last])
    assert chances["none"]["propensity"].to_numpy() == pytest.approx(log["propensity"].to_numpy())


def test_value_per_request_sums_the_slate():
    asked, (logger, _) = candidates(400), policies()
    log = decide(logger, asked).with_columns(reward=pl.col("position").cast(pl.Float64))
    log = slate_chances(log, logger, logger, asked, interaction="whole")
    assert replay_outcomes(log, plan=PLAN).estimate["estimate"] == pytest.approx(1 + 2 + 3)


def test_bad_input_is_named():
    asked, (logger, target) = candidates(5), policies()
    log = decide(logger, asked)
    with pytest.raises(ValueError, match="interaction must be one of"):
        slate_chances(log, logger, target, asked, interaction="some")
    with pytest.raises(ValueError, match="Rank has no log_prob"):
        slate_chances(log, logger, Rank("new", K), asked, interaction="whole")
    with pytest.raises(ValueError, match="object has no propensity"):
        slate_chances(log, object(), target, asked, interaction="none")
    with pytest.raises(ValueError, match="depth k can change"):
        slate_chances(log, object(), target, asked, interaction="cascade")
