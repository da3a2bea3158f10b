"""A blocked thief gives up, goes on, or tries the same purchase again with less."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from workbench.marketplace import Marketplace, MarketplaceSpec
from workbench.marketplace.fraudsters import ATTEMPT, Fraudsters
from workbench.marketplace.luck import Ids
from workbench.marketplace.techniques import CARD_TESTING, STOLEN_CARDS, TechniqueRun

SPEC = MarketplaceSpec(
    users=1_500, items=200, days=8, fraud_share=0.2,
    techniques=(TechniqueRun("stolen cards", share=0.6), TechniqueRun("card testing", share=0.4)),
)  # fmt: skip
SHORT = replace(SPEC, users=400, days=3)


def tried(events):
    rows = events["request"].filter(pl.col("surface") == "checkout")
    _, visit, step = Ids(SPEC.seed, "request").parts(rows["request"].to_numpy())
    rows = rows.with_columns(
        visit=visit, step=step % ATTEMPT, attempt=step // ATTEMPT,
        technique=pl.Series(Marketplace(SPEC).truth.technique(rows)),
    )  # fmt: skip
    return rows.filter(pl.col("technique") != "honest")  # whose steps count pages


@pytest.fixture(scope="module")
def pairs(play, policies):
    """Second tries beside the first ones, where everything is blocked."""
    rows = tried(play(SPEC, policies.block))
    first, second = (rows.filter(pl.col("attempt") == attempt) for attempt in (0, 1))
    return second.join(first, on=["user", "visit", "step"], suffix="_before")


def test_only_a_blocked_thief_tries_again(play, pairs):
    assert tried(play(SHORT))["attempt"].max() == 0
    assert pairs.height > 100


def test_after_minutes(pairs):
    thieves = Fraudsters(SPEC, Marketplace(SPEC).behaviour)
    wait = (pairs["time"] - pairs["time_before"]).dt.total_microseconds()
    who = (pairs[name].to_numpy() for name in ("user", "visit", "step"))
    np.testing.assert_array_equal(thieves.retry_us(*who), wait)
    minutes = thieves.retry_us(np.arange(5_000), np.full(5_000, 40), np.full(5_000, 0)) / 60e6
    assert minutes.min() >= 1 / 60
    assert minutes.mean() == pytest.approx(4 + 1 / 60, rel=0.06)


def test_for_the_same_item_from_the_same_place_and_half_the_amount(pairs):
    assert (pairs["item"] == pairs["item_before"]).all()
    assert (pairs["place"] == pairs["place_before"]).all()
    same_day = pairs.filter(pl.col("time").dt.date() == pl.col("time_before").dt.date())
    assert same_day.height > 0.9 * pairs.height  # at midnight prices may change
    off = (same_day["amount"] - same_day["amount_before"] / 2).abs()
    assert off.max() < 0.011  # whole cents


@pytest.mark.parametrize("how", [STOLEN_CARDS, CARD_TESTING], ids=lambda how: how.name)
def test_from_another_device_as_often_as_the_technique_says(pairs, how):
    mine = pairs.filter(technique=how.name)
    assert mine.height > 20
    changed = (mine["device"] != mine["device_before"]).mean()
    assert changed == pytest.approx(how.changes_device_share, abs=2 / mine.height**0.5)
    assert (changed > 0) == (how.changes_device_share > 0)


def test_half_of_the_blocked_thieves_who_go_on_and_at_most_three_times():
    thieves = Fraudsters(SPEC, Marketplace(SPEC).behaviour)
    user, visit = np.arange(4_000), np.full(4_000, 40)
    for attempt, share in [(0, 0.5), (1, 0.5), (2, 0.5), (3, 0.0)]:
        again = thieves.tries_again(user, visit, np.full(4_000, attempt * ATTEMPT))
        assert again.mean() == pytest.approx(share, abs=4 * 0.5 / 4_000**0.5 * (share > 0))


def test_the_same_tries_whatever_the_waves(play, policies):
    rows = [
        play(replace(SHORT, wave_minutes=each), policies.block)["request"] for each in (60, 1440)
    ]
    assert rows[0].equals(rows[1])
    assert tried({"request": rows[0]})["attempt"].max() > 0
