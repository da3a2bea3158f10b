"""A shop that breaks on a day: its twin, what rings, what models lose, and what the app tells."""

from dataclasses import replace
from datetime import timedelta

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from workbench.data.faults import FAULTS
from workbench.marketplace import Marketplace, MarketplaceSpec
from workbench.studies.broken_days import CHOICES, open_shop
from workbench.studies.broken_days_models import DaysPlan

SPEC = MarketplaceSpec(
    seed=7, users=500, items=200, days=49, shock_day=49, fraud_share=0.06,
    chargeback_delay_days=1.5, wave_minutes=1440,
)  # fmt: skip
SINCE, LAST = 30, 48


@pytest.fixture(scope="module")
def shop():
    """The shop of the app."""
    return open_shop(Marketplace(SPEC))


@pytest.fixture(scope="module")
def renamed(shop):
    return shop.broken_by("renamed field", "large", SINCE)


def lost(run) -> float:
    return run.lost(LAST)


def test_without_a_fault_every_day_is_its_twin(shop):
    twin = shop.twin
    assert twin.days == list(range(28, 49))
    assert lost(twin) == 0
    assert not twin.alarms["new"].any()
    assert (twin.marks["auc"] == twin.marks["auc_clean"]).all()


def test_a_fault_of_no_size_changes_nothing(shop):
    nothing = replace(FAULTS["amount in cents"], name="harmless", levels=(0.0, 0.0, 0.0))
    run = shop.broken(nothing.at("large", start=shop.midnight + timedelta(days=SINCE)))
    assert_frame_equal(run.marks, shop.twin.marks, check_row_order=False)
    assert not run.alarms["new"].any()
    assert lost(run) == 0


def test_a_column_that_no_model_reads_costs_nothing(shop):
    unread = FAULTS["nulls"].on("payment", "seller").at("large")
    run = shop.broken(replace(unread, start=shop.midnight + timedelta(days=SINCE)))
    assert run.first_alarm(LAST) == SINCE
    assert lost(run) == 0


def test_before_it_breaks_all_is_as_it_was(shop, renamed):
    early, clean = pl.col("day") < SINCE, shop.twin
    order = ["day", "task"]
    assert_frame_equal(
        renamed.marks.filter(early).sort(order), clean.marks.filter(early).sort(order)
    )
    assert renamed.new_alarms(SINCE - 1).is_empty()
    assert renamed.first_alarm(SINCE - 1) is None
    assert renamed.lost(SINCE - 1) == 0


def test_a_renamed_field_rings_for_two_weeks_and_costs(renamed):
    assert renamed.first_alarm(LAST) == SINCE
    assert all("schema" in renamed.new_alarms(day)["check"] for day in range(SINCE, SINCE + 14))
    assert renamed.new_alarms(LAST).is_empty()  # half of the reference lacks it by then
    assert "device: the column is gone" in renamed.new_alarms(SINCE)["evidence"][0]
    marks = renamed.marks.filter(pl.col("task") == "fraud", pl.col("day") >= SINCE)
    assert (marks["auc_clean"] - marks["auc"]).mean() > 0.02
    assert lost(renamed) > 1_000


def test_only_the_model_that_reads_it_is_hurt(shop, renamed):
    def same(run, task):
        marks = run.marks.filter(pl.col("task") == task)
        return (marks["auc"] == marks["auc_clean"]).all()

    wrong = shop.broken_by("wrong join", "large", SINCE)
    assert (same(renamed, "clicks"), same(renamed, "fraud")) == (True, False)
    assert (same(wrong, "clicks"), same(wrong, "fraud")) == (False, True)


def test_what_the_app_tells_to_notice_is_so(shop):
    doubled = shop.broken_by("amount doubled", "medium", SINCE)
    assert doubled.first_alarm(LAST) == SINCE
    assert doubled.new_alarms(LAST).is_empty()  # it got used to it
    tenth = shop.broken_by("dropped events", "medium", SINCE)
    assert tenth.first_alarm(SINCE) is None
    assert abs(lost(tenth)) < 100
    wrong = shop.broken_by("wrong chargebacks", "large", SINCE)
    assert wrong.first_alarm(LAST) is None
    assert lost(wrong) > 1_000 > lost(doubled)
    labels = shop.broken_by("lost chargebacks", "large", SINCE)
    assert labels.lost(SINCE + 4) == 0
    assert lost(labels) > 1_000


def test_what_the_contract_refuses_rings_at_the_door_and_no_thief_is_stopped(shop):
    text = shop.broken_by("number as text", "large", SINCE)
    door = text.new_alarms(SINCE).filter(pl.col("check") == "door")
    assert door["severity"].to_list() == ["error"]
    payments = shop.busy.filter(pl.col("day") == SINCE)["checkouts"].item()
    assert abs(door["rows"].item() - payments) < payments * 0.1  # those known on that day
    marks = text.marks.filter(pl.col("task") == "fraud", pl.col("day") == SINCE + 1)
    assert marks["auc"].item() == 0.5
    again = shop.broken_by("retried", "large", SINCE)
    assert again.new_alarms(SINCE)["severity"].to_list() == ["warning"]
    assert lost(again) == 0


def test_the_days_are_counted_by_hand(shop):
    noon = shop.clean["payment"].filter((pl.col("time") - shop.midnight).dt.total_days() == SINCE)
    day = shop.busy.row(by_predicate=pl.col("day") == SINCE, named=True)
    assert day["checkouts"] == noon.height
    assert 0 < day["frauds"] < day["checkouts"]
    visitors = set(noon["user"])
    assert len(visitors) < day["people"] <= SPEC.users


def test_every_choice_breaks_a_kind_of_the_shop(shop):
    assert {fault.kind for fault in CHOICES.values()} == {"click", "payment", "chargeback"}
    assert len(CHOICES) == len(FAULTS)  # without the flipped labels, with the doubled amount


def test_what_cannot_be_is_named(shop):
    with pytest.raises(ValueError, match="no fault is called 'gremlins'"):
        shop.broken_by("gremlins", "large", SINCE)
    with pytest.raises(ValueError, match="level must be one of"):
        shop.broken_by("renamed field", "huge", SINCE)
    with pytest.raises(ValueError, match="since must be one of the days"):
        shop.broken_by("renamed field", "large", 3)
    with pytest.raises(ValueError, match="first_day must be at least learn_days"):
        DaysPlan(first_day=10)
    with pytest.raises(ValueError, match="margin_share must be in"):
        DaysPlan(margin_share=2)
    with pytest.raises(ValueError, match="must be at least 1, got 0 and 12"):
        DaysPlan(retrain_days=0)
    short = MarketplaceSpec(seed=1, users=50, items=30, days=5, shock_day=5, fraud_share=0.06)
    with pytest.raises(ValueError, match="the world ends before day 28"):
        open_shop(Marketplace(short))
