"""The rows of an experiment dealt from potential outcomes, and the truth beside them."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from workbench.assign import assign
from workbench.marketplace.potential import METRICS, PotentialOutcomes
from workbench.studies.ab_demos import DEMOS, ab_demo, of_a_shop
from workbench.studies.day_by_day import day_by_day, true_lifts
from workbench.widgets.ab_days import days_of
from workbench.widgets.ab_explorer import explore

START, SHARES = datetime(2026, 1, 1, tzinfo=UTC), {"old": 0.5, "new": 0.5}


def outcomes(users=3_000, days=6, lift=0.3, seed=0):
    rng = np.random.default_rng(seed)
    visits = rng.poisson(0.5, (users, days)).astype(float)
    values = {}
    for arm, factor in (("old", 1.0), ("new", 1 + lift)):
        rows = np.zeros((len(METRICS), users, days))
        rows[METRICS.index("visits")] = visits
        rows[METRICS.index("clicks")] = visits * factor
        values[arm] = rows
    return PotentialOutcomes(np.arange(users), 3, values, by_day=True)


def test_the_rows_are_those_of_the_deal():
    played = outcomes()
    rows = day_by_day(played, "clicks", SHARES, start=START, salt="x")
    dealt = played.deal(SHARES, salt="x").filter(pl.col("visits") > 0)
    summed = rows.group_by("user", "variant").agg(pl.sum("clicks")).sort("user")
    wanted = dealt.select("user", "variant", "clicks").sort("user")
    assert summed.select("user", "variant").equals(wanted.select("user", "variant"))
    np.testing.assert_allclose(summed["clicks"], wanted["clicks"], rtol=1e-12)
    hashed = assign(summed["user"].to_numpy(), SHARES, salt="x")
    assert summed["variant"].to_list() == hashed.tolist()
    assert rows["time"].min() == START + timedelta(days=3)
    assert rows["time"].max() == START + timedelta(days=8)
    assert rows.sort("time", "user", maintain_order=True).equals(rows)


def test_the_truth_is_a_constant_lift_where_it_is_constant():
    np.testing.assert_allclose(
        true_lifts(outcomes(), "clicks", arm="new", baseline="old"), 0.3, rtol=1e-12
    )


def test_the_truth_counts_who_came_under_each_arm_by_hand():
    values = {arm: np.zeros((len(METRICS), 2, 2)) for arm in SHARES}
    visits, clicks = METRICS.index("visits"), METRICS.index("clicks")
    values["old"][visits] = [[1, 0], [0, 0]]  # the second one never comes
    values["old"][clicks] = [[2, 0], [0, 0]]
    values["new"][visits] = [[1, 0], [0, 1]]  # comes on the second day
    values["new"][clicks] = [[2, 0], [0, 4]]
    two = PotentialOutcomes(np.arange(2), 0, values, by_day=True)
    found = true_lifts(two, "clicks", arm="new", baseline="old")
    assert found.tolist() == [0.0, 0.5]  # 2 / 1 against 2 / 1, then 6 / 2 against 2 / 1
    assert np.isnan(true_lifts(two, "revenue", arm="new", baseline="old")).all()


def test_intervals_of_one_look_hold_the_truth_in_nineteen_of_twenty_deals():
    played, held, many = outcomes(800, lift=0.1), 0, 200
    lifts = true_lifts(played, "clicks", arm="new", baseline="old")
    for number in range(many):
        rows = day_by_day(played, "clicks", SHARES, start=START, salt=f"deal {number}")
        days = days_of(rows, "clicks", expected=SHARES)
        view = explore(days, "clicks", "new", planned_users=800, true_lifts=lifts)
        today = view.today_row
        held += today["low"] <= view.true_lifts[-1] <= today["high"]
    assert 181 <= held <= 198  # binomial of 200 at .95, all but one in a thousand on each side


def test_what_is_wrong_is_named():
    kept = outcomes()
    whole = PotentialOutcomes(kept.users, 0, kept.values, by_day=False)
    alone = PotentialOutcomes(kept.users, 0, {"old": kept.values["old"]}, by_day=True)
    with pytest.raises(ValueError, match="by_day=True"):
        true_lifts(whole, "clicks", arm="new", baseline="old")
    with pytest.raises(ValueError, match="must have two arms"):
        of_a_shop(alone, kept, "clicks", start=START)
    with pytest.raises(ValueError, match=r"metric must be of .* got 'sales'"):
        day_by_day(outcomes(), "sales", SHARES, start=START)
    with pytest.raises(ValueError, match=r"arm must be one of \['old', 'new'\], got 'third'"):
        true_lifts(outcomes(), "clicks", arm="third", baseline="old")
    with pytest.raises(ValueError, match="name must be one of"):
        ab_demo("nothing")


def test_a_shop_becomes_an_experiment_with_its_past():
    shown = of_a_shop(outcomes(lift=0.1), outcomes(seed=1), "clicks", start=START)
    assert shown.table.columns == ["user", "variant", "time", "clicks", "clicks_before"]
    assert shown.table["clicks_before"].null_count() == 0
    np.testing.assert_allclose(shown.true_lifts, 0.1)
    assert (shown.metric, shown.planned_users) == ("clicks", 3_000)


@pytest.mark.parametrize("name", DEMOS)
def test_a_demo_is_read_by_the_explorer_and_marked(name):
    shown = ab_demo(name)
    before = f"{shown.metric}_before"
    days = days_of(shown.table, shown.metric, expected=SHARES, covariates={shown.metric: before})
    view = explore(
        days,
        shown.metric,
        "new",
        planned_users=shown.planned_users,
        true_lifts=shown.true_lifts,
        cuped=True,
    )
    assert view.light == ("red" if shown.true_lifts is None else "green")
    assert view.saved > 0.2
    assert len(view.true_lifts) == (0 if shown.true_lifts is None else days.days)
    assert shown.planned_users * 0.7 < days.users[:, -1].sum() <= shown.planned_users
    if view.true_lifts:
        assert f"true lift {view.true_lifts[-1]:+.1%}" in repr(view)
        assert view.covered["every look"] >= view.covered["one look"] > 0.7
