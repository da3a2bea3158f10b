"""Once around with fraud, on a small marketplace and on its record."""

from dataclasses import replace
from datetime import UTC, datetime

import polars as pl
import pytest

from workbench import metrics, tracking
from workbench.data import public
from workbench.data.replay import Replay
from workbench.lab import Lab
from workbench.studies.fraud_loop import FraudLoop, fraud_loop
from workbench.studies.fraud_plan import CARDS, FraudPlan
from workbench.training import Model

ROWS = [
    "AUC the usual way, random split",
    "AUC as of, split by time",
    "average precision as of",
    "cost per 1,000 payments, cutoff",
    "AUC the usual way, next week",
    "AUC live, scores as logged",
    "AUC lost to a log 24 h old",
    "value per user, new minus rule",
    "days alarmed, user_payments_1h",
    "first alarm, user_payments_1h",
    "days alarmed, 2 columns",
    "first alarm, 2 columns",
    "days alarmed, AUC",
    "first alarm, AUC",
    "AUC of the old model, last week",
    "AUC of the retrained model",
    "AUC gained by retraining",
]


def test_each_step_leaves_its_rows_and_the_world_tells_the_truth_of_all(loop):
    assert [score.what for score in loop.scorecard] == ROWS
    assert all(score.truth is not None for score in loop.scorecard)
    assert "truth known" in loop.scorecard.title


def test_estimates_lie_within_their_intervals(loop):
    for score in loop.scorecard:
        if score.low is not None:
            assert score.low <= score.measured <= score.high, score
        else:
            assert score.what.startswith("first alarm")


def test_the_usual_way_claims_what_production_does_not_keep(loop):
    usual = loop.scorecard["AUC the usual way, random split"]
    assert usual.low > usual.truth + 0.1
    assert loop.scorecard["AUC the usual way, next week"].truth == usual.truth


def test_the_record_of_that_shop_goes_the_same_way_without_a_truth(replayed):
    names = [score.what for score in replayed.scorecard]
    assert names == ROWS
    assert all(score.truth is None for score in replayed.scorecard)
    assert "no truth" in replayed.scorecard.title


def test_the_same_seed_gives_the_same_scorecard(loop, play):
    assert play().scorecard == loop.scorecard


def test_the_champion_is_the_model_that_was_judged_with_its_own_cutoff(loop):
    runs = tracking.runs("fraud", uri=loop.lab.tracking)
    assert runs["status"].to_list() == ["finished", "finished"]
    first = runs.sort("started").row(0, named=True)
    assert float(first["param.cutoff"]) == loop.cutoff
    assert first["auc"] == loop.scorecard["AUC as of, split by time"].measured
    gained = loop.scorecard["AUC gained by retraining"].low > 0
    champion = runs.filter(pl.col("alias") == "champion")
    assert champion["run"].to_list() == [runs.sort("started")["run"][1 if gained else 0]]
    model = tracking.load("fraud", uri=loop.lab.tracking, read=Model.load)
    assert model.features[0] == "amount"


def test_in_the_half_of_the_rule_the_model_only_watches(loop):
    decided = loop.lab.log.scan("decision").filter(pl.col("policy") == "xgb@1").collect()
    live = dict(decided.group_by("variant").agg(pl.col("live").all()).rows())
    assert live == {"old": False, "new": True}
    shadows = decided.filter(pl.col("variant") == "old")
    assert not shadows["live"].any()


def test_a_lab_that_was_used_and_a_plan_that_cannot_be_are_refused(loop):
    with pytest.raises(ValueError, match="has events already"):
        fraud_loop(loop.world, loop.lab, loop.plan)
    with pytest.raises(ValueError, match=r"read_day must be day 56 or later.*got 50"):
        FraudPlan(read_day=50)
    with pytest.raises(ValueError, match="usual_days must be a stretch"):
        FraudPlan(usual_days=(5, 5))
    with pytest.raises(ValueError, match="model_day must be day 35 or later"):
        FraudPlan(model_day=30)


def test_where_too_few_frauds_are_known_nothing_is_measured(loop):
    rows = pl.DataFrame({"label": [1.0, 0.0, 0.0, None], "user": 1, "amount": 2.0})
    score = loop.evidence.mark("AUC", metrics.auc, rows, rows["amount"])
    assert (score.measured, score.low, score.truth) == (None, None, None)


@pytest.mark.usefixtures("real_data")
def test_on_real_cards_the_handbooks_protocol_beats_the_amount(tmp_path):
    until = datetime(2018, 5, 31, tzinfo=UTC)
    record = public.events("cards")
    some = {
        kind: frame.filter(pl.col("user") % 5 == 0, pl.col("time") < until)
        for kind, frame in record.items()
    }
    plan = replace(
        CARDS, usual_days=(10, 20), next_days=(20, 27), train_days=(10, 17), judge_days=(25, 32),
        model_day=40, ab_days=(40, 47), read_day=55, watch_days=(17, 47), retrain_day=55,
        retrain_train_days=(40, 47), last_days=(55, 58), commit_minutes=1440,
    )  # fmt: skip
    with Lab("cards", home=tmp_path) as lab:
        loop = FraudLoop(Replay(some, wave_minutes=1440), lab, plan)
        loop.collect()
        loop.the_usual_way()
        loop.train()
    assert loop.scorecard["AUC the usual way, random split"].measured > 0.85
    for name in ("AUC as of, split by time", "average precision as of", "card precision@100 as of"):
        assert loop.scorecard[name].low > loop.scorecard[name].baseline
