"""Twelve challengers, every gate: the marks by hand, the zoo by its rules, one small shop."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

import numpy as np
import polars as pl
import pytest

from workbench.marketplace import Marketplace, MarketplaceSpec
from workbench.policy import Explore
from workbench.studies.promotion_funnel import (
    FunnelPlan,
    promotion_funnel,
    shadow_days,
    through_the_gates,
)
from workbench.studies.promotion_marks import Funnel
from workbench.studies.promotion_paper import log_gain
from workbench.studies.promotion_zoo import AGAIN, CHAMPION, ZOO, HomeCounts, played, zoo
from workbench.studies.replay_marks import HomeLog

PLAN = FunnelPlan(
    learn_days=7, fresh_days=3, stale_days=1, shadow_days=2, play_days=3, ab_days=(1, 3), deals=3
)
SPEC = MarketplaceSpec(
    users=800, items=150, days=12, shock_day=12, visits_per_day=1.5, categories=10, candidates=30
)
START = datetime(2024, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def week():
    return shadow_days(Marketplace(SPEC), PLAN)


@pytest.fixture(scope="module")
def found(week):
    rows = through_the_gates(week).select(pl.lit(0).alias("world"), pl.all())
    return Funnel(rows, PLAN.ab_days, PLAN.margin)


ROW = {
    "odd": False, "alarms": "", "excess": 0.1, "excess_low": 0.05, "ndcg": 0.1, "ndcg_low": 0.0,
    "ndcg_high": 0.2, "replay": 0.1, "replay_low": 0.05, "replay_high": 0.15, "refused": False,
    "replay_true": 0.12, "true": 0.1, "true_7": 0.1, "ab_7": 0.1, "ab_7_low": 0.0,
    "ab_7_high": 0.2, "wins_7": 0.5, "covers_7": 1.0, "covers_7_truth": 0.5,
}  # fmt: skip


class TestFunnel:
    def test_each_challenger_has_a_row_and_the_broken_ones_are_seen(self, found):
        assert found.table.select("world", "challenger").rows() == [(0, name) for name in ZOO]
        odd = dict(found.table.select("challenger", "alarms").rows())
        assert "collapsed scores" in odd["collapsed"]
        assert "one category" in odd["one kind"]
        assert "starved" in odd["starved"]
        healthy = {"twin", "rescaled", "recounted", "taste", "noisy"}
        assert {name for name in healthy if odd[name]} == set()

    def test_what_decides_the_same_is_the_same_everywhere(self, found):
        row = found.table.row(ZOO.index("rescaled"), named=True)
        same = ("true", "true_1", "true_3", "ndcg", "replay", "replay_true", "disagreement")
        assert [row[name] for name in same] == pytest.approx([0] * len(same), abs=1e-12)

    def test_a_join_that_slipped_by_one_is_far_from_the_champion_and_worse(self, found):
        row = found.table.row(ZOO.index("mixed up"), named=True)
        assert row["true"] < -0.05
        assert row["replay_true"] < -0.05
        assert row["excess_low"] > 0

    def test_the_same_world_gives_the_same_shadow(self, week):
        again = shadow_days(Marketplace(SPEC), PLAN)
        assert again.home.log.equals(week.home.log)
        assert again.decisions.equals(week.decisions)
        named = week.decisions["policy"].unique().sort().to_list()
        assert named == sorted(f"{name}@1" for name in (CHAMPION, AGAIN, *ZOO))

    def test_bad_arguments_are_named(self):
        with pytest.raises(ValueError, match="worlds must be one or more"):
            promotion_funnel([])
        with pytest.raises(ValueError, match="needs the plan's 51 days, got 12"):
            promotion_funnel([partial(Marketplace, SPEC)])
        for wrong, words in (
            ({"play_days": 0}, "play_days must be above zero, got 0"),
            ({"ab_days": (7, 40)}, r"ab_days must be in \[1, 28\], got \(7, 40\)"),
            ({"ab_share": 1.0}, r"ab_share must be in \(0, 1\), got 1.0"),
            ({"fresh_days": 21}, "must be below the 21 learn_days, got 21 and 3"),
        ):
            with pytest.raises(ValueError, match=words):
                FunnelPlan(**wrong)


class TestMarks:
    def funnel(self, *changes):
        rows = [
            {"world": n, "challenger": str(n)} | ROW | change for n, change in enumerate(changes)
        ]
        return Funnel(pl.DataFrame(rows, infer_schema_length=None), (7,), 0.01)

    def gate(self, funnel, name):
        return funnel.gates.row(by_predicate=pl.col("gate") == name, named=True)

    def test_better_same_and_worse_are_told_by_the_margin(self):
        funnel = self.funnel({"true": 0.011}, {"true": 0.01}, {"true": -0.01}, {"true": -0.011})
        assert funnel.truths.to_list() == ["better", "same", "same", "worse"]

    def test_false_promotions_and_rejections_by_hand(self):
        better, same, worse = {}, {"true": 0.0, "wins_7": 0.25}, {"true": -0.2, "wins_7": 0.0}
        gate = self.gate(self.funnel(better, same, worse), "A/B 7 days")
        assert (gate["better"], gate["same"], gate["worse"]) == (0.5, 0.25, 0.0)
        assert gate["false_promotion"] == 0.125
        assert gate["false_rejection"] == 0.5

    def test_gates_in_a_row_pass_what_each_of_them_passes(self):
        odd, alike = {"odd": True}, {"excess_low": -0.1}
        harmed = {"replay_low": -0.3, "replay_high": -0.1}
        passes = self.funnel({}, odd, alike, harmed).passes
        assert passes["shadow"].to_list() == [1, 0, 0, 0]
        assert passes["shadow, A/B 7"].to_list() == [0.5, 0, 0, 0]
        assert passes["all, NDCG too"].to_list() == [0, 0, 0, 0]  # its low end is not above 0

    def test_a_refused_replay_proves_nothing_and_harms_nobody(self):
        refused = dict.fromkeys(("replay", "replay_low", "replay_high")) | {"refused": True}
        passes = self.funnel({}, refused).passes
        assert passes["replay better"].to_list() == [1, 0]
        assert passes["replay not worse"].to_list() == [1, 1]

    def test_coverage_of_its_own_question_and_of_the_true_lift(self):
        off = {"replay_true": 0.2, "true": 0.05}
        replay = self.funnel({}, off, {"replay_true": 0.05, "true": 0.2}).estimates.row(
            1, named=True
        )
        assert replay["cover_own"] == pytest.approx(2 / 3)
        assert replay["cover"] == pytest.approx(2 / 3)
        assert replay["answers"] == 3

    def test_its_repr_fits_the_page_without_any_better_one(self):
        text = repr(self.funnel({"true": 0.0}, {"true": -0.5}))
        assert "0 better, 1 same, 1 worse" in text
        assert max(map(len, text.splitlines())) <= 90


ASKED = {
    "request": np.repeat(np.arange(40), 30),
    "user": np.repeat(np.arange(40) % 13, 30),
    "item": np.tile(np.arange(30), 40),
    "category": np.tile(np.arange(30) % 3, 40),
}


class TestZoo:
    shown = pl.DataFrame(
        {
            "request": np.repeat(np.arange(60), 5),
            "user": np.repeat(np.arange(60) % 12, 5),
            "item": np.arange(300) * 7 % 30,
            "time": [START + timedelta(hours=4 * n) for n in range(60) for _ in range(5)],
            "category": [f"kind {n * 7 % 30 % 3}" for n in range(300)],
            "clicked": (np.arange(300) % 4 == 0).astype(float),
        }
    )
    counts = HomeCounts(
        shown, 13, 30, START + timedelta(days=6), START + timedelta(days=3),
        START + timedelta(days=1),
    )  # fmt: skip

    def test_played_shows_the_slates_of_the_explorer(self):
        for name, policy in zoo(self.counts, temperature=0.25).items():
            explored, shown = policy.act(ASKED), played(policy).act(ASKED)
            for column in ("request", "position", "item"):
                assert np.array_equal(explored[column], shown[column]), name

    def test_varied_has_two_of_a_kind_before_any_third(self):
        cold = zoo(self.counts, temperature=1e-3)
        shown = cold["varied"].act(ASKED)["item"].reshape(-1, 5)
        assert all(np.bincount(slate % 3, minlength=3).max() == 2 for slate in shown)
        plain = cold[CHAMPION].act(ASKED)["item"].reshape(-1, 5)
        assert {*shown[0].tolist()} != {*plain[0].tolist()}

    def test_one_kind_fills_the_page_and_newcomers_of_starved_get_none(self):
        policies = zoo(self.counts, temperature=0.25)
        assert (policies["one kind"].act(ASKED)["item"] % 3 == 0).all()
        starved = policies["starved"].act(ASKED)
        empty = starved["request"][starved["item"] < 0]
        assert {*(empty % 13).tolist()} == {12}  # the one who never saw a page

    def test_a_rate_that_nobody_knows_is_that_of_all(self):
        few = self.shown.filter(pl.col("item") != 3)
        assert self.counts.rates(few)[3] == pytest.approx(np.log(few["clicked"].mean()))

    def test_a_resample_has_whole_users_and_about_as_many(self):
        sizes = [self.counts.resampled(f"{n}")["user"].value_counts() for n in range(50)]
        assert all((each["count"] % 25 == 0).all() for each in sizes)
        assert np.mean([each["count"].sum() for each in sizes]) == pytest.approx(300, rel=0.1)


class TestLogGain:
    asked = pl.DataFrame({"request": [1, 1, 2, 2], "user": [7, 7, 8, 8], "item": [5, 6, 5, 6]})

    def test_a_page_without_a_click_is_left_out(self):
        log = self.asked.with_columns(reward=pl.Series([0.0, 1.0, 0.0, 0.0]), position=1)
        gain = log_gain(HomeLog(self.asked, log), lambda r: -r["item"], lambda r: r["item"])
        assert gain.estimate == pytest.approx(np.log2(3) - 1)  # from 1/log2(3) to 1
        nothing = log.with_columns(reward=0.0)
        with pytest.raises(ValueError, match="no page of the log has a click"):
            log_gain(HomeLog(self.asked, nothing), lambda r: r["item"], lambda r: r["item"])

    def test_it_agrees_with_the_ndcg_of_all(self):
        from workbench import metrics

        rng = np.random.default_rng(0)
        asked = pl.DataFrame({"request": np.repeat(np.arange(300), 5)})
        asked = asked.with_columns(user=pl.col("request") % 50, item=pl.Series([*range(5)] * 300))
        log = asked.with_columns(reward=pl.Series((rng.random(1_500) < 0.3) * 1.0), position=1)
        old, new = rng.random((2, 1_500))
        gain = log_gain(HomeLog(asked, log), lambda r: old, lambda r: new)
        ndcgs = [metrics.ndcg(log["request"], log["reward"], each) for each in (old, new)]
        assert gain.estimate == pytest.approx(ndcgs[1] / ndcgs[0] - 1)
        assert gain.low < gain.estimate < gain.high


def test_explorers_of_the_zoo_differ_by_their_scores_alone():
    policies = zoo(TestZoo.counts, temperature=0.25)
    assert {*policies} == {CHAMPION, AGAIN, *ZOO}
    bare = {replace(each, score="score", name="x") for each in policies.values()}
    assert bare == {Explore("score", 5, salt="home page", temperature=0.25, name="x")}
