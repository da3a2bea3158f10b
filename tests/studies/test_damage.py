"""What a broken log costs: nothing where nothing is broken, and more where the labels are."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from workbench.data.faults import FAULTS
from workbench.studies.damage import DamagePlan, damage, one_world
from workbench.studies.damage_ledger import ROWS, DamageLedger, mean_interval
from workbench.studies.damage_tasks import ClickTask, FraudTask, _soft_auc
from workbench.training import TrainSpec

FRAUD = FraudTask(horizon_days=4.0, spec=TrainSpec(rounds=20, bins=64, threads=1))
TASKS = [FRAUD, ClickTask(pages=200)]
HARMLESS = replace(FAULTS["amount in cents"], name="harmless", levels=(0.0, 0.0, 0.0))
PLAN = DamagePlan(
    faults=(HARMLESS, "retried", "wrong chargebacks", "number as text", "wrong join", "outage"),
    train_days=(2, 12), model_day=16, mark_days=(16, 20),
)  # fmt: skip


@pytest.fixture(scope="module")
def ledger(broken_worlds):
    return damage([lambda each=each: each for each in broken_worlds], TASKS, PLAN)


def rows(ledger, fault, when="training"):
    return ledger.rows.filter(pl.col("fault") == fault, pl.col("when") == when)


@pytest.mark.parametrize("name", ["harmless", "retried"])
@pytest.mark.parametrize("when", ["training", "serving"])
def test_where_nothing_comes_in_broken_nothing_is_lost(name, when, ledger):
    same = rows(ledger, name, when)
    assert same.height == 2
    assert (same["auc"] == same["auc_clean"]).all()
    assert (same["cost"] == same["cost_clean"]).all()
    assert (same["refused"] > 0).all() == (name == "retried")


def test_the_clean_models_are_better_than_chance(ledger):
    usual = ledger.rows.group_by("task").agg(pl.col("auc_clean").min())
    assert all(value > 0.55 for value in usual["auc_clean"])


def test_complaints_about_the_wrong_payments_cost_much_and_only_in_training(ledger):
    wrong = rows(ledger, "wrong chargebacks")
    assert (wrong["auc_clean"] - wrong["auc"] > 0.1).all()
    later = rows(ledger, "wrong chargebacks", "serving")  # no feature reads them
    assert (later["auc"] == later["auc_clean"]).all()


def test_without_any_payment_no_model_is_trained(ledger):
    text = rows(ledger, "number as text")
    assert text["auc"].null_count() == text.height == 2
    assert ledger.table.filter(pl.col("fault") == "number as text")["untrained"].max() == 1
    assert "no model: too few labelled rows" in repr(ledger)


def test_clicks_for_the_neighbour_lose_clicks(ledger):
    wrong = rows(ledger, "wrong join")
    assert (wrong["cost"] > wrong["cost_clean"]).all()
    assert rows(ledger, "wrong join", "serving").is_empty()


def test_each_world_is_a_piece_of_its_own(ledger, broken_worlds):
    plan = replace(PLAN, faults=("wrong join",))
    alone = one_world(1, lambda: broken_worlds[1], tasks=TASKS, plan=plan)
    assert alone.equals(rows(ledger, "wrong join").filter(pl.col("world") == 1))


def test_the_interval_is_students_by_hand():
    # differences 1, 2, 3: mean 2, s = 1, t(2, .975) = 4.303, half = 4.303 / sqrt(3)
    case = ("fraud", "dollars", "cents", "training", 0, 0.9, 10.0)
    made = [(world, *case, 0.8, 11.0 + world) for world in range(3)]
    table = DamageLedger(pl.DataFrame(made, schema=ROWS, orient="row")).table.row(0, named=True)
    assert table["cost_more"] == pytest.approx(2.0)
    assert table["cost_low"] == pytest.approx(2 - 4.303 / 3**0.5, abs=1e-3)
    assert table["auc_lost"] == pytest.approx(0.1)
    assert table["hurts"]
    assert np.isnan(mean_interval(pl.Series([1.0])).low)
    assert np.isnan(mean_interval(pl.Series([], dtype=pl.Float64)).estimate)


def test_the_ledger_stands_beside_what_the_checks_find(ledger):
    found = pl.DataFrame(
        {"detector": "checks", "fault": ["wrong join", "wrong join"], "level": ["small", "large"],
         "found": [0.1, 0.9], "named": 0.5, "days": [7.0, 2.0]}
    )  # fmt: skip
    table = ledger.beside(found, "checks")
    assert table.filter(pl.col("fault") == "wrong join")["found"].to_list() == [0.9]
    line = next(x for x in ledger.text(table).splitlines() if x.startswith("wrong join"))
    assert line.split()[-2:] == ["0.90", "2"]


def test_a_click_is_ranked_by_its_chance():
    assert _soft_auc(np.array([1.0, 0.0]), np.array([2.0, 1.0])) == 1.0
    assert _soft_auc(np.array([0.3, 0.3]), np.array([2.0, 1.0])) == pytest.approx(0.5)
    # clicks with 0.8 at score 2 and 0.2 at score 1, skips the other way round:
    # 0.8 * 0.8 won, 0.8 * 0.2 twice tied
    assert _soft_auc(np.array([0.8, 0.2]), np.array([2.0, 1.0])) == pytest.approx(0.64 + 0.16)


def test_what_cannot_be_is_named(broken_worlds):
    with pytest.raises(ValueError, match="must follow each other"):
        DamagePlan(mark_days=(30, 40))
    with pytest.raises(ValueError, match="no fault is called 'gremlins'"):
        DamagePlan(faults=("gremlins",))
    events, truth = broken_worlds[0]
    few = {kind: frame.head(3) for kind, frame in events.items()}
    with pytest.raises(ValueError, match="world 0: fraud cannot be trained on the clean log"):
        damage([lambda: (few, truth)], TASKS, PLAN)
