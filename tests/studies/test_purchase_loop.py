"""What is bought next, on a small record that was made and on a real shop's."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from workbench import metrics, tracking
from workbench.data import public
from workbench.lab import Lab
from workbench.studies.purchase_evidence import hits
from workbench.studies.purchase_loop import PurchaseLoop, purchase_loop
from workbench.studies.purchase_plan import PurchasePlan
from workbench.training import TrainSpec

START = datetime(2024, 5, 1, tzinfo=UTC)
FAST = TrainSpec(rounds=20, depth=4, bins=64, threads=1)
PLAN = PurchasePlan(
    model_day=36, train_weeks=2, judge_weeks=1, live_weeks=1, later_day=57, later_weeks=2, k=4,
    spec=FAST,
)  # fmt: skip


@pytest.fixture(scope="module")
def record():
    """71 days; each of 40 users buys three items of a taste of ten; every fifth line is a guest's.

    Everybody also buys one of two items that sell best.
    """
    rng = np.random.default_rng(0)
    lines = []
    for request in range(71 * 20):
        user = int(rng.integers(0, 40))
        time = START + timedelta(minutes=request * 72)
        favourites = user % 10 * 10 + rng.choice(10, 3, replace=False)
        best = rng.choice([100, 101], 1)
        guest = request % 5 == 0
        user = -request if guest else user
        lines += [(request, user, f"i{item}", time, guest) for item in (*favourites, *best)]
    schema = ["request", "user", "item", "time", "guest"]
    sold = pl.DataFrame(lines, schema=schema, orient="row").with_row_index("event")
    sold = sold.with_columns(pl.col("event").cast(pl.Int64), known_at="time")
    return {"purchase": sold}


@pytest.fixture(scope="module")
def loop(record, tmp_path_factory):
    loop = PurchaseLoop(record, Lab("shop", home=tmp_path_factory.mktemp("labs")), PLAN)
    for step in loop.steps:
        step()
    return loop


def test_each_step_leaves_its_rows_in_order_and_within_their_intervals(loop):
    assert [score.what for score in loop.scorecard] == [
        "recall@4, judged before", "NDCG@4, judged before", "recall of all candidates",
        "recall@4, live", "recall@4, buy again", "recall@4, most popular",
        "recall@4 gained over buy again",
        "NDCG@4, live", "NDCG@4, buy again", "NDCG@4, most popular",
        "NDCG@4 gained over buy again",
        "recall@4, later month, frozen", "recall@4, later month, weekly",
        "recall gained by weekly training",
        "days alarmed, score", "first alarm, score",
        "days alarmed, user_bought_90d", "first alarm, user_bought_90d",
        "days alarmed, days_since_user_bought", "first alarm, days_since_user_bought",
    ]  # fmt: skip
    for score in loop.scorecard:
        assert score.truth is None
        if score.low is not None:
            assert score.low <= score.measured <= score.high, score


def test_where_people_have_tastes_the_champion_beats_what_sells(loop):
    live = loop.scorecard["recall@4, live"]
    assert live.low > live.baseline
    assert live.baseline == loop.scorecard["recall@4, most popular"].measured
    assert loop.scorecard["recall of all candidates"].measured > 0.95


def test_the_simple_policies_only_watched_and_every_visit_was_answered(loop):
    decided = loop.lab.log.scan("decision").collect()
    live = decided.filter("live")
    assert set(live["policy"]) == {"xgb@1", "xgb@2", "xgb@3"}
    first = START + timedelta(days=PLAN.model_day)
    visits = loop.lab.log.scan("purchase", start=first).select("request").unique().collect()
    assert set(live["request"]) == set(visits["request"])
    assert live.group_by("request").len()["len"].unique().to_list() == [PLAN.k]


def test_guests_are_answered_but_not_marked(loop):
    day = START + timedelta(days=PLAN.model_day)
    visits = loop.evidence.visits(day, day + timedelta(days=7))
    assert visits["user"].min() >= 0
    assert 0 < len(visits) < 7 * 20


def test_three_models_were_kept_and_the_last_is_the_champion(loop):
    runs = tracking.runs("next-purchase", uri=loop.lab.tracking)
    assert len(runs) == 3
    assert (
        runs.filter(pl.col("alias") == "champion")["run"].to_list() == runs["run"].head(1).to_list()
    )


def test_the_same_record_gives_the_same_scorecard(record, loop, tmp_path):
    with Lab("again", home=tmp_path) as lab:
        assert purchase_loop(record, lab, PLAN) == loop.scorecard


def test_hits_are_the_metrics_request_by_request():
    rng = np.random.default_rng(0)
    rows = [(r, i, float(rng.random() < 0.3)) for r in range(30) for i in range(8)]
    rows += [(r, 8 + r, 1.0) for r in range(0, 30, 3)]  # bought, and no candidate
    table = pl.DataFrame(rows, schema=["request", "item", "label"], orient="row")
    score = pl.when(pl.col("item") < 8).then(-pl.col("item").cast(float)).otherwise(-np.inf)
    table = table.with_columns(score=score, position=pl.col("item") + 1)
    bought = table.filter(pl.col("label") == 1).select("request", "item")
    found = hits(table.filter(pl.col("item") < 8), bought, k=3)
    arrays = (table[name].to_numpy() for name in ("request", "label", "score"))
    request, label, score = arrays
    assert found["recall"].mean() == pytest.approx(metrics.recall_at(request, label, score, k=3))
    assert found["ndcg"].mean() == pytest.approx(metrics.ndcg(request, label, score, k=3))
    alone = hits(table.clear(), bought, k=3)
    assert alone["recall"].sum() == alone["ndcg"].sum() == 0


def test_what_cannot_be_is_named(record, loop, tmp_path):
    with pytest.raises(ValueError, match="has events already"):
        purchase_loop(record, loop.lab, PLAN)
    with pytest.raises(ValueError, match="the record has no purchases; it has payment"):
        purchase_loop({"payment": pl.DataFrame()}, Lab("none", home=tmp_path), PLAN)
    with pytest.raises(ValueError, match="model_day must come after the 56 days"):
        PurchasePlan(model_day=56)
    with pytest.raises(ValueError, match="later_day must be 321 or later"):
        PurchasePlan(later_day=320)
    with pytest.raises(ValueError, match="k must be at least 1, got 0"):
        PurchasePlan(k=0)


@pytest.mark.usefixtures("real_data")
def test_on_a_real_shop_the_ranker_finds_twice_what_popularity_finds(tmp_path):
    record = public.events("online-retail")
    plan = replace(PurchasePlan(), train_weeks=1, judge_weeks=1, spec=FAST)
    with Lab("retail", home=tmp_path) as lab:
        loop = PurchaseLoop(record, lab, plan)
        loop.collect()
        loop.train()
    for name in ("recall@10, judged before", "NDCG@10, judged before"):
        assert loop.scorecard[name].low > 1.5 * loop.scorecard[name].baseline
