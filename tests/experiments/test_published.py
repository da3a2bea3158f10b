"""Estimators against worked examples that were published, and ratios against their truth."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from workbench.experiments.analyse import analyse
from workbench.experiments.metric import Mean, Ratio

HALVES = {"old": 0.5, "new": 0.5}


def test_welch_on_the_sleep_of_student():
    """Student (1908), Biometrika 6, p. 20; p and interval as R's `t.test(extra ~ group, sleep)`
    prints them, t = -1.8608 with 17.776 degrees of freedom.
    """
    first = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
    second = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]
    table = pl.DataFrame(
        {"user": range(20), "variant": ["new"] * 10 + ["old"] * 10, "hours": first + second}
    )
    effect = analyse(table, "hours", expected=HALVES)["hours"].effect
    assert effect.p_value == pytest.approx(0.07939, abs=5e-6)
    assert (effect.low, effect.high) == pytest.approx((-3.3654832, 0.2054832), abs=5e-8)
    assert effect.difference == pytest.approx(0.75 - 2.33)


# the user guide of tea-tasting, on the users it makes with seed 42
GUIDE = [
    ("sessions", 2.00, 1.98, -0.0066, -0.037, 0.025, 0.674),
    ("orders / sessions", 0.266, 0.289, 0.088, -0.0089, 0.19, 0.0762),
    ("orders", 0.530, 0.573, 0.080, -0.020, 0.19, 0.118),
    ("revenue", 5.24, 5.73, 0.093, -0.024, 0.22, 0.123),
]
GUIDE_CUPED = [
    ("orders, CUPED", 0.523, 0.581, 0.11, 0.029, 0.20, 0.00733),
    ("revenue, CUPED", 5.12, 5.85, 0.14, 0.038, 0.26, 0.00674),
]


def two_digits(value: float) -> float:
    return float(f"{value:.2g}")


@pytest.mark.parametrize("cuped", [False, True])
def test_the_user_guide_of_tea_tasting(cuped):
    import tea_tasting as tt

    users = pl.from_arrow(tt.make_users_data(rng=42, covariates=cuped))
    users = users.with_columns(variant=pl.col("variant").replace_strict({0: "old", 1: "new"}))
    metrics = ["sessions", Ratio("orders", "sessions"), "orders", "revenue"]
    if cuped:
        metrics = [Mean(name, [f"{name}_covariate"]) for name in ("orders", "revenue")]
    found = analyse(users, metrics, expected=HALVES)
    for name, old, new, lift, low, high, p_value in GUIDE_CUPED if cuped else GUIDE:
        each = found[name]
        assert each.control.mean == pytest.approx(old, rel=2e-3)
        assert each.treatment.mean == pytest.approx(new, rel=2e-3)
        lifts = (each.effect.lift, each.effect.lift_low, each.effect.lift_high)
        assert [two_digits(value) for value in lifts] == [lift, low, high]
        assert float(f"{each.effect.p_value:.3g}") == p_value


def test_clicks_per_view_cover_the_truth_where_counting_views_as_users_does_not():
    """200 A/A experiments; taste differs between users, so views of one user are alike."""
    covered, naive = 0, 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        views = rng.poisson(20.0, 800) + 1
        clicks = rng.binomial(views, rng.beta(1.0, 4.0, 800))
        arm = np.where(rng.random(800) < 0.5, "new", "old")
        table = pl.DataFrame({"user": range(800), "variant": arm, "views": views, "clicks": clicks})
        effect = analyse(table, Ratio("clicks", "views"), expected=HALVES).comparisons[0].effect
        covered += effect.low <= 0 <= effect.high
        new = arm == "new"
        share = clicks.sum() / views.sum()
        error = np.sqrt(share * (1 - share) * (1 / views[new].sum() + 1 / views[~new].sum()))
        naive += abs(effect.difference) < 1.96 * error
    assert abs(covered / 200 - 0.95) < 4 * (0.95 * 0.05 / 200) ** 0.5
    assert naive / 200 < 0.8
