"""On the marketplace, where the truth is known: of the home page, and of the payments blocked."""

from datetime import timedelta

import numpy as np
import polars as pl
import pytest
from scipy.stats import binom

from workbench.assign import uniform
from workbench.events import EventLog
from workbench.experiments.replay import ReplayPlan, replay_outcomes
from workbench.experiments.replay.censored import value_bounds
from workbench.marketplace import Marketplace, MarketplaceSpec
from workbench.outcomes import outcomes
from workbench.policy import Explore, Rank, Split, Threshold
from workbench.studies.both_worlds import value_per_payment
from workbench.studies.replay_marks import PLAN, home_log, replay_marks

K = 5


def cheap(rows):
    return -np.log(rows["price"])


def dear(rows):
    return np.log(rows["price"])


def at_random(rows):
    return uniform("tests", rows["request"], rows["item"])


def nothing(rows):
    return np.zeros(len(rows["request"]))


LOGGER = Explore(cheap, K, temperature=2.0, salt="champion", name="cheap@1")
TARGET = Explore(dear, K, temperature=1.0, salt="challenger", name="dear@1")
APPROVE = Threshold(nothing, 0.5, "approve@1")
POLICIES = {"home": LOGGER, "search": Rank(at_random, 8, "random@1"), "checkout": APPROVE}


def world(seed, days=2):
    return Marketplace(
        MarketplaceSpec(users=350, items=150, days=days, visits_per_day=1.5, seed=seed)
    )


SEEDS = 8


@pytest.fixture(scope="module")
def marks():
    return replay_marks((world(seed) for seed in range(SEEDS)), POLICIES, TARGET, places=K)


def test_the_intervals_cover_the_true_value_of_the_challenger(marks):
    assert marks.answered == SEEDS
    assert marks.covered >= binom.ppf(0.001, SEEDS, 0.95)
    assert marks.table["ips_covered"].sum() >= binom.ppf(0.001, SEEDS, 0.95)


def test_the_mean_estimate_is_the_truth_and_the_log_as_it_is_is_not(marks):
    off = (marks.table["ips"] - marks.table["true"]).to_numpy()
    error = off.std(ddof=1) / SEEDS**0.5
    assert abs(off.mean()) < 4 * error
    naive = (marks.table["logged"] - marks.table["true"]).to_numpy()
    assert abs(naive.mean()) > 5 * naive.std(ddof=1) / SEEDS**0.5
    assert "intervals cover the truth in" in repr(marks)


def test_a_champion_that_does_not_explore_is_refused():
    policies = POLICIES | {"home": Rank(cheap, K, "cheap@2")}
    home = home_log(world(1), policies)
    result = replay_outcomes(home.log, TARGET, requests=home.requests, plan=PLAN)
    assert "no support: the logger was deterministic" in repr(result)
    marks = replay_marks([world(1)], policies, TARGET, places=K)
    assert marks.answered == 0
    assert "1 refused" in repr(marks)


def test_a_world_without_truth_or_visitors_is_refused():
    class Silent:
        truth = None

        def next_requests(self, until=None):
            return None

    with pytest.raises(ValueError, match="nobody came to the home page"):
        home_log(Silent(), POLICIES)


# payments: the champion blocks what costs a lot, and one user in five is let through

RULE, LAXER = Threshold("amount", 60.0, "rule@1"), Threshold("amount", 150.0, "laxer@1")
SPLIT = Split({"rule": RULE, "all": APPROVE}, {"rule": 0.8, "all": 0.2}, salt="let some through")
MARGIN, HORIZON = 0.1, timedelta(days=45)


@pytest.fixture(scope="module")
def by_split(tmp_path_factory):
    """Decisions on the first ten days' checkouts with label and status, and their truth."""
    spec = MarketplaceSpec(users=100, items=100, days=55, fraud_share=0.1, visits_per_day=0.9)
    shop, log = Marketplace(spec), EventLog(tmp_path_factory.mktemp("split") / "log")
    shop.run(POLICIES | {"checkout": SPLIT}, log=log, commit_minutes=14_400)
    asked = pl.col("surface") == "checkout"
    early = pl.col("time") < spec.start + timedelta(days=10)
    decided = log.scan("decision").filter(asked, early).collect()
    requests = log.scan("request").filter(asked, early).collect()
    decided = outcomes(log, decided, horizon=HORIZON, at=shop.now)
    rows = decided.join(
        requests.select("request", "amount"), on="request", how="left", maintain_order="left"
    )
    costs = shop.truth.is_fraud(rows) & ~shop.truth.never_complained(rows)
    costs |= shop.truth.friendly_fraud(rows)
    earned = np.where(costs, -rows["amount"], MARGIN * rows["amount"])
    return rows.with_columns(true=pl.Series(earned)), requests


@pytest.fixture(scope="module")
def by_rule(by_split):
    """Those of the arm in which nothing was let through: a log of the rule alone."""
    rows, requests = by_split
    rows = rows.filter(pl.col("variant") == "rule")
    return rows, requests.filter(pl.col("request").is_in(rows["request"].to_list()))


def valued(rows):
    """Each decision's value from its label: a block earns nothing, and that is known."""
    rows = value_per_payment(rows, margin=MARGIN)
    return rows.with_columns(reward="value")


def true_value(rows):
    return float((rows["true"] * (rows["amount"] < LAXER.cutoff)).mean())


def test_the_labels_say_what_letting_through_earned(by_rule):
    rows = valued(by_rule[0]).filter(pl.col("action") == "approve")
    assert (rows["status"] == "positive").sum() > 3
    assert (rows["reward"] == rows["true"]).mean() > 0.98  # complaints after the horizon


def test_blocked_payments_are_censored_and_not_to_be_averaged_over(by_rule):
    rows = by_rule[0].with_columns(target_propensity=1.0)
    blocked = int((rows["action"] == "block").sum())
    with pytest.raises(ValueError, match=rf"label is missing in {blocked:,} .*{blocked} censored"):
        replay_outcomes(rows, plan=ReplayPlan(metric="label"))


def test_a_rule_that_never_lets_through_gives_bounds_that_hold_the_truth(by_rule):
    rows, requests = by_rule
    laxer = LAXER.act({name: requests[name].to_numpy() for name in ("request", "amount")})
    action = pl.DataFrame({"request": laxer["request"], "target_action": laxer["action"]})
    log = valued(rows).join(action, on="request", how="left", maintain_order="left")
    log = log.with_columns(
        worst_reward=-pl.col("amount"), best_reward=MARGIN * pl.col("amount"),
        reward=pl.when(pl.col("action") != "block").then("reward"),
    )  # fmt: skip
    bounds = value_bounds(log, cluster="user")
    assert 0.1 < bounds.unknown_share < 0.9
    assert bounds.worst <= true_value(rows) <= bounds.best
    refused = replay_outcomes(valued(rows), LAXER, requests=requests)
    assert "no support: the logger was deterministic" in repr(refused)


def test_a_rule_that_lets_some_through_gives_an_estimate_that_covers_the_truth(by_split):
    rows, requests = by_split
    plan = ReplayPlan(cluster="user")
    result = replay_outcomes(valued(rows), LAXER, requests=requests, logger=SPLIT, plan=plan)
    assert result.ok
    assert result.estimate["low"] <= true_value(rows) <= result.estimate["high"]
