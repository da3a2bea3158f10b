"""The read-out of a shadow, on one's own table and on the marketplace, whose truth is known."""

import numpy as np
import polars as pl
import pytest

from workbench.assign import uniform
from workbench.experiments.shadow import shadow
from workbench.marketplace import Marketplace, MarketplaceSpec
from workbench.policy import Explore, Rank, Shadow, Threshold
from workbench.rename import rename

SPEC = MarketplaceSpec(users=1_000, items=200, days=4, fraud_share=0.05)


def at_random(rows):
    return uniform("tests", rows["request"], rows["item"])


def same_category(rows):
    """A model that has collapsed: category 3 before all others, whoever asks."""
    return np.where(rows["category"] == 3, 1.0, 0.0) + 0.01 * at_random(rows)


def taste(salt, noise):
    def score(rows):
        known = uniform("taste", rows["user"], rows["category"])
        return known + noise * uniform(salt, rows["request"], rows["item"])

    return score


def explored(salt):
    return Explore(taste("same", 0.1), 5, temperature=0.2, salt=salt, name=f"taste@{salt}")


def amount(rows):
    return np.minimum(rows["amount"] / 500, 1)


def blind(rows):
    return np.full(len(rows["amount"]), 0.02)


RULE, SEARCH = Threshold(amount, 0.4, "rule@1"), Rank(at_random, 5, "random")
HOME = {
    "twin": explored("twin"),
    "honest": Rank(taste("other", 0.3), 5, "honest@1"),
    "collapsed": Rank(same_category, 5, "collapsed@1"),
}
CHECKOUT = {"stricter": Threshold(amount, 0.3, "rule@2"), "blind": Threshold(blind, 0.4, "blind@1")}


@pytest.fixture(scope="module")
def shop():
    """Four days of a small shop; on each surface a champion, its twin and two challengers."""
    world = Marketplace(SPEC)
    home, checkout = Shadow(explored("live"), HOME), Shadow(RULE, CHECKOUT)
    policies = {"home": home, "search": SEARCH, "checkout": checkout}
    world.play(policies)
    events, categories = world.events(), world.catalogue.category
    items = pl.DataFrame({"item": np.arange(len(categories)), "category": categories})
    return world, events["decision"], items


def test_a_shadow_that_always_shows_the_same_category_is_caught(shop):
    _, decisions, items = shop
    asked = {"live": "taste@live", "twin": "taste@twin", "sample": 1.0, "items": items}
    collapsed = shadow(decisions, shadow="collapsed@1", **asked)
    assert "one category" in collapsed.oddities.alarms
    assert "collapsed scores" not in collapsed.oddities.alarms  # its scores look lively
    honest = shadow(decisions, shadow="honest@1", **asked)
    assert honest.oddities.ok, honest.oddities


def test_honest_policies_of_the_shop_are_not_accused_in_any_of_sixty_windows(shop):
    _, decisions, items = shop
    accused = 0
    for window in range(20):
        mine = decisions.filter(pl.col("user") % 20 == window)
        for name in ("honest@1", "taste@twin"):
            found = shadow(mine, live="taste@live", shadow=name, sample=1.0, items=items)
            accused += not found.oddities.ok
        found = shadow(mine, live="rule@1", shadow="rule@2", sample=1.0, by="device")
        accused += not found.oddities.ok
    assert accused == 0


def test_no_user_saw_the_collapsed_model(shop):
    decisions, alone = shop[1], Marketplace(SPEC)
    alone.play({"home": explored("live"), "search": SEARCH, "checkout": RULE})
    kept = alone.events()["decision"].sort("event")
    assert kept.equals(decisions.filter("live").sort("event").select(kept.columns))


def test_the_excess_over_the_twin_tells_a_challenger_from_noise(shop):
    _, decisions, _ = shop
    asked = {"live": "taste@live", "twin": "taste@twin"}
    collapsed = shadow(decisions, shadow="collapsed@1", **asked).disagreement["first item"]
    assert 0.1 < collapsed["floor"] < collapsed["disagreement"]
    assert collapsed["excess_low"] > 0
    same = decisions.filter(pl.col("policy") == "taste@twin").with_columns(policy=pl.lit("clone"))
    clone = shadow(pl.concat([decisions, same]), shadow="clone", **asked)
    assert clone.disagreement["order"]["excess"] == 0
    assert clone.disagreement["order"]["p_adjusted"] == 1


def test_a_fraud_model_that_approves_everything_is_caught(shop):
    world, decisions, _ = shop
    mine = decisions.filter(pl.col("policy").is_in(["rule@1", "blind@1", "rule@2"]))
    labels = world.truth.label(mine.select("request").unique())
    blind = shadow(mine, live="rule@1", shadow="blind@1", labels=labels, sample=1)
    assert {"one category", "collapsed scores"} <= set(blind.oddities.alarms)
    stricter = shadow(mine, live="rule@1", shadow="rule@2", labels=labels, sample=1)
    assert stricter.oddities.ok
    assert stricter.calibration.table["policy"].to_list() == ["live", "shadow"]
    assert stricter.disagreement["action"]["disagreement"] > 0


def test_ones_own_table_of_scores_takes_one_line():
    rng = np.random.default_rng(0)
    fraud = rng.random(3_000) < 0.1
    scores = pl.DataFrame(
        {"id": range(3_000), "fraud": fraud, "old": rng.beta(1 + 2 * fraud, 6),
         "new": rng.beta(1 + 3 * fraud, 6)}
    ).to_pandas()  # fmt: skip
    report = shadow(rename(scores, request="id", label="fraud"), live="old", shadow="new")
    assert report.oddities.ok
    assert report.disagreement is None
    assert "give a cutoff" in repr(report)
    auc = dict(report.calibration.table.select("policy", "auc").rows())
    assert auc["shadow"] > auc["live"]
    named = rename(scores, request="id", label="fraud")
    acted = shadow(named, live="old", shadow="new", cutoff=0.4)
    assert acted.table["measure"].to_list() == ["action"]
    assert max(map(len, repr(acted).splitlines())) <= 90


def test_scores_without_labels_and_labels_without_scores_are_no_error():
    table = pl.DataFrame({"request": [1, 2], "a": [0.1, 0.2], "b": [None, None], "label": [0, 1]})
    table = table.with_columns(pl.col("b").cast(pl.Float64))
    report = shadow(table, live="a", shadow="b", cutoff=0.15)
    assert report.score_shift is None
    assert report.calibration is None
    assert report.disagreement["action"]["disagreement"] == 1
