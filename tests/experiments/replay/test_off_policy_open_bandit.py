"""On real data: each policy of the Open Bandit set estimated from the other's log."""

import os
from pathlib import Path

import polars as pl
import pytest

from workbench.data import open_bandit
from workbench.experiments.replay import Limits, ReplayPlan
from workbench.studies.open_bandit_replay import open_bandit_replay, shown_shares

FOLDER = Path(os.environ.get("WORKBENCH_PUBLIC_DATA", "none")) / "ab_open-bandit-small"
pytestmark = pytest.mark.skipif(
    not FOLDER.is_dir(), reason="WORKBENCH_PUBLIC_DATA has no Open Bandit data"
)


@pytest.fixture(scope="module")
def events():
    return open_bandit.events(FOLDER)


@pytest.fixture(scope="module")
def both(events):
    return open_bandit_replay(events["decision"], events["click"])


@pytest.mark.parametrize(
    ("campaign", "target"), [("men", "bts"), ("men", "random"), ("women", "bts")]
)
def test_the_interval_covers_the_policys_own_click_rate(both, campaign, target):
    row = both.table.row(
        by_predicate=(pl.col("campaign") == campaign) & (pl.col("target") == target), named=True
    )
    assert row["covers"]
    assert row["overlaps"]


def test_own_click_rates_are_the_published_counts(both):
    own = {(row["campaign"], row["target"]): row["own"] for row in both.table.iter_rows(named=True)}
    assert own == {
        ("men", "bts"): 0.0069,
        ("men", "random"): 0.0046,
        ("women", "bts"): 0.0046,
        ("women", "random"): 0.0046,
    }


def test_one_direction_is_refused_because_one_impression_has_two_thirds_of_the_weight(both):
    replay = both.replays["women", "random"]
    assert not replay.ok
    assert replay.weights.effective_decisions < 3
    assert replay.weights.largest > 20_000
    assert "women, random: too few" in repr(both)
    assert "refused" in repr(both)
    assert max(map(len, repr(both).splitlines())) <= 90


def test_without_limits_that_direction_covers_too_by_being_wide(events):
    plan = ReplayPlan(metric="click", limits=Limits(0, 0))
    table = open_bandit_replay(events["decision"], events["click"], plan=plan).table
    assert table["covers"].to_list() == [True] * 4
    row = table.row(3, named=True)
    assert (row["campaign"], row["target"]) == ("women", "random")
    assert row["high"] > 3 * row["own"]


def test_the_mean_weights_say_that_the_chances_hold(both):
    """bts's published chances, and its shares of what was shown, against 1."""
    for replay in both.replays.values():
        assert replay.weights.p_value > 0.05


def test_shares_of_what_was_shown_add_up_in_each_place(events):
    bts = events["decision"].filter(pl.col("variant") == "bts", pl.col("surface") == "men")
    total = shown_shares(bts).group_by("position").agg(pl.col("target_propensity").sum())
    assert total["target_propensity"].to_list() == pytest.approx([1.0] * 3)


def test_another_variant_is_refused(events):
    decisions = events["decision"].head(50).with_columns(variant=pl.lit("other"))
    with pytest.raises(ValueError, match="variant must be bts and random, got"):
        open_bandit_replay(decisions, events["click"])
