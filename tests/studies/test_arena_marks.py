"""Marks by hand: what was claimed against what is true, and what that cost."""

import numpy as np
import polars as pl
import pytest

from workbench.studies.arena_marks import band, marks, regret


def rows(**columns):
    usual = {"low": -1.0, "high": 5.0, "blocked": False, "look": 3, "regret": 10.0}
    count = len(columns["truth"])
    filled = {name: [value] * count for name, value in usual.items()} | columns
    return pl.DataFrame(filled)


def test_marks_by_hand():
    found = marks(
        rows(
            truth=[2.0, 2.0, 2.0, 2.0, 0.0, 0.0],
            claim=[1, 1, -1, 0, 0, 1],
            estimate=[4.0, 3.0, -5.0, 1.0, 0.5, 3.0],
            low=[1.0, 2.5, -9.0, -1.0, -1.0, 1.0],
            high=[7.0, 3.5, -1.0, 3.0, 2.0, 5.0],
            blocked=[False] * 5 + [True],
            look=[0, 1, 2, 3, 9, 9],
            regret=[1.0, 2.0, 3.0, 4.0, 99.0, 99.0],
        )
    )
    assert found["type_i"].estimate == 1 / 2
    assert found["coverage"].estimate == 3 / 6
    assert found["power"].estimate == 2 / 4
    assert found["type_s"].estimate == 1 / 3
    assert found["type_m"].estimate == pytest.approx((4 + 3 + 5) / 3 / 2)
    assert found["bias"].estimate == pytest.approx((2 + 1 - 7 - 1 + 0.5 + 3) / 6)
    assert found["blocked"].estimate == 1 / 6
    assert found["days"].estimate == 2.5  # of the four with an effect
    assert found["regret"].estimate == 2.5
    assert all(each.low <= each.estimate <= each.high for each in found.values())


def test_where_there_is_nothing_to_mark_there_is_no_mark():
    twins = marks(rows(truth=[0.0, 0.0], claim=[0, 0], estimate=[1.0, -1.0]))
    assert twins["power"] is twins["type_s"] is twins["type_m"] is None
    assert twins["type_i"].estimate == 0.0
    assert twins["days"].estimate == 4.0
    quiet = marks(rows(truth=[1.0, 1.0], claim=[0, 0], estimate=[1.0, -1.0]))
    assert quiet["type_i"] is quiet["type_s"] is None
    assert quiet["power"].estimate == 0.0


def test_who_ships_the_worse_arm_loses_it_for_everybody_who_comes():
    shipped = np.array([True, False])
    found = regret(-2.0, shipped, 100, share=0.5, horizon=1_000)
    assert found.tolist() == [2 * 50 + 2 * 900, 2 * 50]
    assert regret(0.0, shipped, 100, share=0.5, horizon=1_000).tolist() == [0, 0]
    assert regret(2.0, np.array([True]), 0, share=0.5, horizon=1_000).tolist() == [0]


def test_shipping_costs_and_a_small_gain_is_not_worth_it():
    shipped = np.array([True, False])
    found = regret(0.01, shipped, 0, share=0.5, horizon=1_000, money=3.0, ship_cost=50.0)
    assert found.tolist() == [20.0, 0.0]  # 30 in, 50 out
    with pytest.raises(ValueError, match="horizon must be at least"):
        regret(1.0, shipped, 2_000, share=0.5, horizon=1_000)


def test_regret_is_never_below_zero():
    rng = np.random.default_rng(1)
    truth, shipped = rng.normal(size=500), rng.random(500) < 0.5
    tested = rng.integers(0, 1_000, 500)
    lost = regret(truth, shipped, tested, share=0.3, horizon=1_000, ship_cost=0.0)
    assert lost.min() >= -1e-9


def test_a_band_holds_what_chance_does_and_widens_with_their_number():
    draws = np.random.default_rng(2).binomial(2_000, 0.05, 20_000) / 2_000
    for bands, missed in ((1, 0.05), (16, 0.05 / 16)):
        low, high = band(2_000, 0.05, bands=bands)
        assert ((draws < low) | (draws > high)).mean() <= missed * 1.2
    assert band(2_000, 0.05, bands=16)[1] > band(2_000, 0.05)[1]
    for share, trials, bands in ((0.0, 10, 1), (0.5, 0, 1), (0.5, 10, 0)):
        with pytest.raises(ValueError, match="need 0 < share"):
            band(trials, share, bands=bands)
