"""A real shadow run of two fraud models, as the shadow explorer shows it."""

import polars as pl
import pytest

from workbench.events import EventLog
from workbench.marketplace import Marketplace, MarketplaceSpec
from workbench.studies.fraud_shadow import fraud_shadow
from workbench.widgets.shadow_explorer import Choice, explore
from workbench.widgets.shadow_ground import ground_of


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    spec = MarketplaceSpec(
        users=1_500, items=100, days=15, shock_day=15, fraud_share=0.08,
        chargeback_delay_days=0.75, never_complained_share=0.05, wave_minutes=1440,
    )  # fmt: skip
    world = Marketplace(spec)
    log = EventLog(tmp_path_factory.mktemp("log"))
    return fraud_shadow(world, log, is_fraud=world.truth.is_fraud)


def test_every_request_has_the_three_answers_and_what_was_true(both):
    for who in ("live", "shadow", "twin"):
        assert both[f"{who}_score"].null_count() == 0
        assert set(both[f"{who}_action"].unique()) == {"approve", "block"}
    assert both["truth"].null_count() == 0
    assert both["request"].n_unique() == len(both) > 500


def test_what_the_champion_blocked_has_no_label_but_a_truth(both):
    blocked = both.filter(live_action="block")
    assert len(blocked)
    assert blocked["label"].null_count() == len(blocked)
    assert both.filter(live_action="approve")["label"].null_count() < len(both) / 20


def test_labels_are_the_truth_less_what_nobody_complained_about(both):
    known = both.filter(pl.col("label").is_not_null())
    accused = known.filter(pl.col("label") == 1)
    assert len(accused) > 5
    assert accused["truth"].cast(pl.Boolean).mean() > 0.9  # the rest are honest buyers' disputes


def test_the_explorer_marks_it_by_either(both):
    ground = ground_of(both)
    by_label = explore(ground, Choice(outcomes="label"))
    by_truth = explore(ground, Choice(outcomes="truth"))
    assert by_label.right["unknown"] >= both["label"].null_count()
    assert by_truth.right["unknown"] == 0
