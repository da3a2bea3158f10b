"""What fresh features are worth: much where bursts are planted, nothing where nothing is quick."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

from workbench import features, fraud, metrics
from workbench.features import training_frame
from workbench.studies import freshness as study
from workbench.studies.fraud_marks import cost_per_thousand
from workbench.studies.freshness import AsReported, FreshnessPlan, freshness, one_world
from workbench.studies.freshness_marks import Marks, worth
from workbench.studies.freshness_table import ALL, ROWS, Freshness
from workbench.training import TrainSpec

START = datetime(2026, 1, 5, tzinfo=UTC)
BURST = features.count("payment", per="user", minutes=30, name="payments_30m")
SLOW = features.mean("amount", of="payment", per="user", days=10, name="mean_10d")
PLAN = FreshnessPlan(
    train_days=(2, 10), model_day=12, mark_days=(12, 18), horizon_days=2.0, draws=60,
    spec=TrainSpec(rounds=20, bins=64, threads=1),
)  # fmt: skip


def bursts(seed=0):
    """Honest payments at any time; thieves pay six times, three minutes apart, from the second on
    a fraud."""
    rng = np.random.default_rng(seed)
    honest, thieves = 6_000, 150
    seconds = rng.uniform(0, 18 * 86_400, honest), rng.uniform(0, 18 * 86_400, thieves)
    time = [seconds[0], (seconds[1][:, None] + 180 * np.arange(6)).ravel()]
    user = [rng.integers(0, 200, honest), rng.integers(0, 200, thieves).repeat(6)]
    stolen = [np.zeros(honest, bool), np.tile(np.arange(6) > 0, thieves)]
    time, user, stolen = (np.concatenate(each) for each in (time, user, stolen))
    rows = pl.DataFrame({"user": user, "amount": rng.lognormal(3, 0.5, len(user)).round(2)})
    moment = pl.Series([START + timedelta(seconds=int(each)) for each in time])
    rows = rows.with_columns(time=moment, known_at=moment, request=np.arange(len(user)))
    reported = rows.filter(pl.Series(stolen)).with_columns(pl.col("known_at") + timedelta(days=1))
    frauds = AsReported(reported)
    return {"payment": rows, "chargeback": reported}, frauds


@pytest.fixture(scope="module")
def found():
    return freshness([bursts], [BURST, SLOW], PLAN)


@pytest.mark.parametrize("trained", ["as served", "on fresh"])
def test_an_hour_ruins_the_feature_that_sees_a_burst(trained, found):
    hour, minute = (found.worth("payments_30m", s, trained=trained) for s in (3_600, 60))
    assert hour["auc_low"] > 0.2
    assert hour["cost_low"] > 0
    assert minute["auc_worth"] < 0.02  # the bursts are three minutes apart


@pytest.mark.parametrize("seconds", [60, 3_600, 86_400])
def test_a_slow_feature_may_be_old(seconds, found):
    slow = found.worth("mean_10d", seconds)
    assert abs(slow["auc_worth"]) < 0.01
    assert slow["auc_low"] <= 0 <= slow["auc_high"]


def test_streaming_only_the_burst_wins_what_all_of_them_lose(found):
    only = found.worth("payments_30m", 86_400, others="old")
    whole = found.worth(ALL, 86_400)
    assert only["auc_worth"] == pytest.approx(whole["auc_worth"], abs=0.02)
    assert found.worth("mean_10d", 86_400, others="old")["auc_low"] <= 0


def test_without_any_history_less_is_known_than_with_an_old_one_or_as_little(found):
    assert found.worth(ALL, None)["auc_worth"] >= found.worth(ALL, 86_400)["auc_worth"] - 0.02


def test_an_old_value_is_the_feature_as_the_log_was_then():
    events, _ = bursts()
    late = events["payment"].with_columns(pl.col("known_at") + timedelta(minutes=20))
    log, rows = {"payment": late}, late.sample(60, seed=1)
    view = study._Views(rows, [BURST, SLOW], log).at({"payments_30m": 3_600.0})
    for moment, row in zip(
        rows["time"] - timedelta(hours=1), view.iter_rows(named=True), strict=True
    ):
        then = {"payment": late.filter(pl.col("known_at") < moment)}
        asked = pl.DataFrame({"user": [row["user"]], "time": [moment]})
        assert training_frame(asked, BURST, then)["payments_30m"][0] == row["payments_30m"]
    fresh = training_frame(rows, SLOW, log)
    assert view["mean_10d"].equals(fresh["mean_10d"])
    assert view["time"].equals(rows["time"])  # what the request itself tells is never old


def test_auc_and_cost_are_those_of_the_library_and_draws_count_users():
    rng = np.random.default_rng(3)
    stolen, users = rng.random(400) < 0.2, rng.integers(0, 40, 400)
    amounts, scores = rng.lognormal(3, 1, 400), rng.integers(0, 9, 400) / 9 + 0.2 * stolen
    plan = SimpleNamespace(draws=30, seed=0, costs=fraud.Costs(wrong_block=7.0))
    marks = Marks(stolen, amounts, users, plan)
    mark = marks.of(scores, cutoff=0.6)
    for draw in (0, 1, 30):
        times = marks._times[draw].astype(int)[users]
        picked = np.repeat(np.arange(400), times)
        assert mark.auc[draw] == pytest.approx(metrics.auc(stolen[picked], scores[picked]))
        cost = cost_per_thousand(
            stolen[picked], scores[picked], amounts[picked], cutoff=0.6, costs=plan.costs
        )
        assert mark.cost[draw] == pytest.approx(cost)
    assert worth(mark, mark)[2:4] == (0.0, 0.0)


def test_worlds_are_pieces_of_their_own_and_several_are_pooled(found):
    worlds = [bursts, lambda: bursts(1), lambda: bursts(2)]
    plan = replace(PLAN, stale_seconds=(3_600,))
    several = freshness(worlds, [BURST], plan)
    alone = one_world(2, worlds[2], features=[BURST], plan=plan)
    assert alone.equals(several.rows.filter(world=2))
    row = several.worth("payments_30m", 3_600)
    each = several.rows.filter(feature="payments_30m", seconds=3_600.0, trained="as served")
    each = each.filter(others="fresh")["auc_fresh"] - each.filter(others="fresh")["auc_old"]
    half = 4.303 * each.std() / 3**0.5  # Student's t, two degrees of freedom
    assert row["auc_worth"] == pytest.approx(each.mean())
    assert row["auc_low"] == pytest.approx(each.mean() - half, abs=1e-4)
    assert "3 worlds" in repr(several)
    assert "over worlds" in repr(several)


def test_all_together_is_the_same_whether_each_is_asked_for_itself_or_not(found):
    quick = freshness([bursts], [BURST, SLOW], replace(PLAN, one_by_one=False))
    assert quick.table.equals(found.table.filter(feature=ALL))
    assert "only fresh" not in repr(quick)


def test_the_table_is_ninety_columns_wide_and_sorted_by_what_is_lost(found):
    text = repr(found)
    assert max(map(len, text.splitlines())) <= 90
    assert text.index("payments_30m") < text.index("mean_10d") < text.index(ALL)
    assert "without" in text
    assert "only fresh" in text
    assert "only fresh" not in found.text("on fresh")


def test_bad_input_is_named(found):
    hour = features.calendar("hour", tz="UTC")
    with pytest.raises(ValueError, match="hour reads no events"):
        freshness([bursts], [BURST, hour], PLAN)
    with pytest.raises(ValueError, match="got none"):
        freshness([bursts], [], PLAN)
    with pytest.raises(ValueError, match="must follow each other"):
        FreshnessPlan(model_day=60)
    with pytest.raises(ValueError, match="stale_seconds must be above zero"):
        FreshnessPlan(stale_seconds=(0, 60))
    with pytest.raises(ValueError, match=r"user_share must be in \(0, 1\]"):
        FreshnessPlan(user_share=0)
    with pytest.raises(ValueError, match="world 0: fewer than five labels"):
        freshness([bursts], [BURST], replace(PLAN, train_days=(0, 0.01)))
    with pytest.raises(ValueError, match=r"nothing about 'payments_30m' 2 h old"):
        found.worth("payments_30m", 7_200)


def test_a_marketplace_tells_its_truth(broken_worlds):
    plan = FreshnessPlan(
        stale_seconds=(86_400,), train_days=(2, 12), model_day=16, mark_days=(16, 20),
        horizon_days=4.0, draws=40, spec=TrainSpec(rounds=20, bins=64, threads=1),
    )  # fmt: skip
    wanted = fraud.history(["user", "device"])[:6]
    found = freshness([lambda: broken_worlds[0]], wanted, plan)
    assert found.rows.schema == pl.Schema(ROWS)
    assert found.worth(ALL, None)["auc_worth"] > 0
    again = freshness([lambda: broken_worlds[0]], wanted, plan)
    assert isinstance(again, Freshness)
    assert again.rows.equals(found.rows)


def test_real_cards_have_labels_instead_of_a_truth(real_data):
    from workbench.data import public

    def cards():
        events = public.events("cards")
        first = pl.col("time") < datetime(2018, 5, 10, tzinfo=UTC)
        events = {kind: frame.filter(first) for kind, frame in events.items()}
        return events, AsReported(events["chargeback"])

    plan = replace(
        PLAN, train_days=(10, 24), model_day=32, mark_days=(32, 38), horizon_days=8.0,
        user_share=0.1, stale_seconds=(86_400,),
    )  # fmt: skip
    found = freshness([cards], [fraud.card_history()[-1]], plan)
    assert found.worth(ALL, None)["auc_worth"] > 0.05  # the risk of a terminal is worth much
