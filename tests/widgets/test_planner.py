"""The planner: its days are those of the formula, its sliders move them the right way."""

from dataclasses import replace
from time import perf_counter

import numpy as np
import pytest

from workbench.experiments.boundaries import confidence_sequence
from workbench.experiments.crossing import inflation_factor
from workbench.widgets.planner import Wish, html, inflation, plan
from workbench.widgets.planner_panel import panel

WISH = Wish(mean=10, deviation=20, lift=0.05, users_a_day=2_000)


def test_by_hand():
    # 2 * 2 * (1.95996 + 0.84162)^2 * 400 / 0.5^2 = 50,233 users in both arms; Student's t adds 3
    assert plan(WISH).users == 50_236
    assert plan(WISH).days == 26
    half = plan(replace(WISH, lift=0.025))
    assert half.users == pytest.approx(4 * 50_233, abs=4)
    loss = plan(replace(WISH, lift=-0.05))
    assert loss.users == 50_236


def test_the_curve_meets_the_wish_at_the_planned_users():
    for wish in (WISH, replace(WISH, saved=0.5, looks=5, adjustment="group_sequential")):
        made = plan(wish)
        at = np.interp(made.users, made.table["users"], made.table["lift"])
        assert at == pytest.approx(0.05, rel=0.002)


def test_what_more_power_traffic_looks_and_cuped_do():
    base = plan(WISH)
    assert plan(replace(WISH, power=0.9)).users > base.users
    assert plan(replace(WISH, users_a_day=4_000)).days == 13
    assert plan(replace(WISH, saved=0.5)).users == pytest.approx(base.users / 2, abs=2)
    assert plan(replace(WISH, treatment_share=0.1)).users > base.users
    grouped = plan(replace(WISH, looks=10, adjustment="group_sequential"))
    always = plan(replace(WISH, looks=10, adjustment="always_valid"))
    assert base.users < grouped.users < always.users
    assert plan(replace(WISH, looks=10)).users == base.users  # read once: nothing is adjusted


@pytest.mark.parametrize("looks", [1, 2, 5, 10])
def test_the_inflation_is_that_of_the_experiments(looks):
    mine, theirs = inflation("group_sequential", looks), inflation_factor(looks)
    assert mine == pytest.approx(theirs, abs=2e-4)


def test_always_valid_inflation_has_the_power_by_simulation():
    looks, rng = 10, np.random.default_rng(1)
    share = np.arange(1, looks + 1) / looks
    bounds = confidence_sequence(share, 1.0, tuned_at=1.0)
    drift = 2.801585 * np.sqrt(inflation("always_valid", looks))
    walk = rng.normal(drift / looks, np.sqrt(1 / looks), (40_000, looks)).cumsum(axis=1)
    found = (np.abs(walk / np.sqrt(share)) > bounds).any(axis=1).mean()
    assert found == pytest.approx(0.8, abs=0.008)  # four standard errors


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"lift": 0.0}, "lift must not be zero"),
        ({"mean": 0.0}, "mean must be above zero"),
        ({"deviation": float("nan")}, "deviation must be a finite number"),
        ({"users_a_day": -5}, "users_a_day must be above zero"),
        ({"power": 1.0}, "power must be in"),
        ({"saved": 1.0}, "saved must be a share in"),
        ({"looks": 0}, "looks must be between 1 and 60, got 0"),
        ({"adjustment": "peek"}, "adjustment must be one of"),
    ],
)
def test_bad_wishes_are_named(change, words):
    with pytest.raises(ValueError, match=words):
        plan(replace(WISH, **change))


def test_the_panel_moves_with_its_sliders_and_shows_a_table_with_the_same_numbers():
    box = panel(mean=10, deviation=20, users_a_day=2_000, saved=0.3)
    (lift, _power), (_traffic, _cuped), (looks, read, table) = (
        row.children for row in box.children[:3]
    )
    shown, before = box.children[3], box.plan.users
    lift.value = 4.0
    assert box.plan.users == pytest.approx(before / 4, rel=0.01)
    assert f"{box.plan.days:,} days" in shown.value
    read.value, looks.value = "group_sequential", 5
    assert "5 looks (group sequential) cost 2.5% more users" in shown.value
    assert "<svg" in shown.value
    table.value = True
    assert "<svg" not in shown.value
    assert shown.value.count("<tr>") == len(box.plan.table) + 1
    assert "base64" in html(box.plan)


@pytest.mark.clock
def test_a_move_takes_a_fraction_of_a_second():
    took = []
    for looks in range(1, 29):
        start = perf_counter()
        html(plan(replace(WISH, looks=looks, adjustment="group_sequential", power=0.85)))
        took.append(perf_counter() - start)
    print(f"a move: p95 {np.quantile(took, 0.95) * 1e3:.0f} ms, median {np.median(took) * 1e3:.0f}")
    assert np.median(took) < 0.15
