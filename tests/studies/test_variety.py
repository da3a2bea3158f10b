"""A ranker that knows tastes: what it gains on paper, and what one kind on a page costs."""

from functools import partial

import numpy as np
import polars as pl
import pytest

from workbench.events import EventLog
from workbench.marketplace import Marketplace, MarketplaceSpec
from workbench.studies.click_rankers import ClickCounts, fit_clicks, page_score, shown_and_clicked
from workbench.studies.variety import ARMS, Variety, VarietyPlan, variety

PLAN = VarietyPlan(count_days=6, learn_days=3, judge_days=3, play_days=6)
SPEC = MarketplaceSpec(
    users=500, items=200, days=18, shock_day=18, visits_per_day=1.5, categories=4, candidates=40
)


@pytest.fixture(scope="module")
def found():
    return variety([partial(Marketplace, SPEC)], PLAN)


def test_each_world_has_a_row_for_each_arm_and_old_gains_nothing_over_itself(found):
    assert found.table.select("world", "arm").rows() == [(0, arm) for arm in ARMS]
    old = found.gains.row(0, named=True)
    assert [old[name] for name in ("ndcg", "visits", "clicks", "revenue")] == [0, 0, 0, 0]
    assert found.table["ndcg"].is_null().to_list() == [False, False, True]


def test_at_most_two_of_a_category_make_pages_varied_and_people_come_more_often(found):
    alike = dict(found.table.select("arm", "alike").rows())
    assert 0.1 <= alike["varied"] <= 0.2  # 2 + 1 + 1 + 1 or 2 + 2 + 1 of five, of ten pairs
    assert alike["new"] > 0.25
    assert alike["old"] > 0.25
    visits = dict(found.table.select("arm", "visits").rows())
    assert visits["varied"] > 0.02


def test_the_same_world_gives_the_same_table(found):
    assert variety([partial(Marketplace, SPEC)], PLAN).table.equals(found.table)


def test_an_interval_over_worlds_is_that_of_student(found):
    two = [found.table.with_columns(world=pl.lit(n), visits=pl.lit(v)) for n, v in ((0, 1), (1, 3))]
    mean = Variety(pl.concat(two)).mean("visits", "new")
    assert (mean.estimate, round(mean.high, 3)) == (2.0, round(2 + 12.706205, 3))  # t(1), error 1
    with pytest.raises(ValueError, match="needs two of them, got 1"):
        found.mean("visits", "new")


def test_bad_arguments_are_named():
    with pytest.raises(ValueError, match="worlds must be one or more"):
        variety([])
    with pytest.raises(ValueError, match="needs the plan's 63 days, got 18"):
        variety([partial(Marketplace, SPEC)])
    with pytest.raises(ValueError, match="play_days must be above zero, got 0"):
        VarietyPlan(play_days=0)
    with pytest.raises(ValueError, match=r"which must be one of .*, got 'newest'"):
        fit_clicks(pl.DataFrame(), "newest")


class TestRankers:
    shown = pl.DataFrame(
        {
            "request": [1, 1, 1, 2],
            "user": [7, 7, 7, 8],
            "item": [1, 2, 3, 1],
            "category": ["tea", "tea", "tea", "tea"],
            "clicked": [1.0, 0.0, 1.0, 0.0],
        }
    )

    def test_rates_are_drawn_towards_the_mean_by_hand(self):
        counts = ClickCounts.of(self.shown)  # the mean is one half
        rows = counts.add(self.shown)
        assert rows["item_rate"][0] == pytest.approx((1 + 10) / 22)
        assert rows["taste"][0] == pytest.approx((2 + 1.5) / 6)

    def test_what_was_never_shown_has_the_mean_rate(self):
        rows = ClickCounts.of(self.shown).add(
            pl.DataFrame({"user": [9], "item": [99], "category": ["cup"]})
        )
        assert rows.select("item_rate", "taste").row(0) == (0.5, 0.5)

    def test_the_third_of_a_category_comes_after_all_others(self):
        class Fixed:
            def score(self, rows):
                return rows["item"].to_numpy() / 10

        counts = ClickCounts.of(self.shown)
        asked = {"request": np.array([1, 1, 1]), "user": np.array([7] * 3), "item": np.arange(1, 4)}
        assert page_score(Fixed(), counts, varied=True)(asked).round(1).tolist() == [-0.9, 0.2, 0.3]

    def test_a_click_counts_once_however_often_it_was_made(self, tmp_path):
        world, log = Marketplace(SPEC), EventLog(tmp_path / "log")
        from workbench.policy import Rank, Threshold

        page = Rank("price", 5)
        world.run(
            {"home": page, "search": page, "checkout": Threshold("amount", 1e9)}, until=2, log=log
        )
        shown = shown_and_clicked(log)
        assert shown["clicked"].is_in([0.0, 1.0]).all()
        assert shown["clicked"].sum() > 50
        assert shown.select("request", "item").is_unique().all()
