"""Ratios and CUPED: by hand, against regression, and against tea-tasting to 1e-9."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from workbench.experiments.analyse import analyse
from workbench.experiments.cuped import adjust, moments_of
from workbench.experiments.difference import difference_in_means
from workbench.experiments.metric import Mean, Proportion, Ratio
from workbench.experiments.statistics import Sample, statistics

SHARES = {"old": 0.6, "new": 0.4}


def people(users: int, seed: int, lift: float = 0.3) -> pl.DataFrame:
    """Users with a history that tells of their future; the new arm spends and clicks more."""
    rng = np.random.default_rng(seed)
    new = rng.random(users) < 0.4
    before = rng.gamma(2.0, 3.0, users)
    visits = rng.poisson(3.0, users)
    views_before, views = rng.poisson(8.0, users) + 1, rng.poisson(8.0, users) + 1
    taste = rng.beta(2, 6, users)
    return pl.DataFrame(
        {
            "user": np.arange(users),
            "variant": np.where(new, "new", "old"),
            "before": before,
            "visits": visits,
            "revenue": 0.8 * before + 0.5 * visits + rng.exponential(3.0, users) + lift * new,
            "bought": (rng.random(users) < 0.3 + 0.05 * new).astype(int),
            "views_before": views_before,
            "clicks_before": rng.binomial(views_before, taste),
            "views": views,
            "clicks": rng.binomial(views, taste * (1 + 0.1 * new)),
        }
    )


@pytest.fixture(scope="module")
def table() -> pl.DataFrame:
    return people(5_000, 1)


def assert_peer(ours, peer):
    effect = ours.effect
    pairs = [
        (ours.control.mean, peer.control),
        (ours.treatment.mean, peer.treatment),
        (effect.difference, peer.effect_size),
        (effect.low, peer.effect_size_ci_lower),
        (effect.high, peer.effect_size_ci_upper),
        (effect.lift, peer.rel_effect_size),
        (effect.lift_low, peer.rel_effect_size_ci_lower),
        (effect.lift_high, peer.rel_effect_size_ci_upper),
        (effect.p_value, peer.pvalue),
    ]
    for mine, theirs in pairs:
        assert mine == pytest.approx(theirs, rel=1e-9, abs=1e-12)


def test_cuped_and_ratios_agree_with_tea_tasting(table):
    import tea_tasting as tt

    want = tt.Experiment(
        cuped=tt.Mean("revenue", "before"),
        ratio=tt.RatioOfMeans("clicks", "views"),
        both=tt.RatioOfMeans("clicks", "views", "clicks_before", "views_before"),
        part=tt.RatioOfMeans("clicks", "views", "clicks_before"),
    ).analyze(table, control="old")
    metrics = [
        Mean("revenue", ["before"]),
        Ratio("clicks", "views"),
        Ratio("clicks", "views", [("clicks_before", "views_before")]),
    ]
    got = analyse(table, metrics, expected=SHARES)
    for metric, name in zip(metrics, ("cuped", "ratio", "both"), strict=True):
        assert_peer(got[metric.name], want[name])
    part = Ratio("clicks", "views", ["clicks_before"])
    assert_peer(analyse(table, part, expected=SHARES)[part.name], want["part"])


def test_the_pooled_z_test_is_that_of_tea_tasting_and_of_chi_square(table):
    import tea_tasting as tt
    from scipy.stats import chi2_contingency

    peer = tt.Proportion("bought", method="norm", correction=False)
    want = tt.Experiment(bought=peer).analyze(table, control="old")["bought"]
    got = analyse(table, Proportion("bought"), expected=SHARES)["bought"]
    counts = table.group_by("variant", "bought").len()["len"].to_numpy()
    rows = table.sort("variant").select("variant", "bought")
    counts = np.histogram2d(rows["variant"] == "new", rows["bought"], bins=2)[0]
    assert got.effect.p_value == pytest.approx(want.pvalue, rel=1e-9)
    chi = chi2_contingency(counts, correction=False).pvalue
    assert got.effect.p_value == pytest.approx(chi, rel=1e-9)
    assert got.effect.lift == pytest.approx(want.rel_effect_size, rel=1e-9)


def test_katz_lift_is_that_of_tea_tasting_with_each_arms_own_variance(table):
    import tea_tasting as tt

    peer = tt.Proportion("bought", method="norm", correction=False, equal_var=False)
    want = tt.Experiment(bought=peer).analyze(table, control="old")["bought"]
    got = analyse(table, Proportion("bought"), expected=SHARES)["bought"].effect
    theirs = (want.rel_effect_size_ci_lower, want.rel_effect_size_ci_upper)
    assert (got.lift_low, got.lift_high) == pytest.approx(theirs, rel=1e-9)


def test_several_covariates_are_the_regression_on_them(table):
    found = statistics(table, Mean("revenue", ["before", "visits"]))
    metric = Mean("revenue", ["before", "visits"])
    both = adjust(found.sample(variant="old"), found.sample(variant="new"), metric)
    late = table.select("before", "visits").to_numpy().astype(float)
    design = np.column_stack([np.ones(len(late)), late])
    want = np.linalg.lstsq(design, table["revenue"].to_numpy(), rcond=None)[0]
    np.testing.assert_allclose(both.coefficients, want[1:], rtol=1e-9)
    left = table["revenue"].to_numpy() - (late - late.mean(axis=0)) @ want[1:]
    new = (table["variant"] == "new").to_numpy()
    assert both.treatment.mean == pytest.approx(left[new].mean(), rel=1e-9)
    assert both.treatment.variance == pytest.approx(left[new].var(ddof=1), rel=1e-9)
    assert both.control.variance == pytest.approx(left[~new].var(ddof=1), rel=1e-9)


def test_by_hand_theta_is_two_and_nothing_is_left():
    # y = 2 x + arm: theta pooled = 2 needs x balanced; then the variance left is 0, the effect 1
    x = np.array([1.0, 2.0, 3.0, 1.0, 2.0, 3.0])
    table = pl.DataFrame({"user": range(6), "variant": ["a"] * 3 + ["b"] * 3, "x": x})
    table = table.with_columns(y=2 * pl.col("x") + (pl.col("variant") == "b"))
    found = statistics(table, Mean("y", ["x"]))
    both = adjust(found.sample(variant="a"), found.sample(variant="b"), Mean("y", ["x"]))
    assert both.coefficients == pytest.approx([2.0])
    assert (both.control.mean, both.treatment.mean) == pytest.approx((4.0, 5.0))
    assert (both.control.variance, both.reduction) == pytest.approx((0.0, 1.0))


def test_a_covariate_without_variance_or_twice_changes_nothing(table):
    constant = table.with_columns(one=pl.lit(1.0), again=pl.col("before") * 3)
    plain = analyse(constant, Mean("revenue"), expected=SHARES).comparisons[0]
    same = analyse(constant, Mean("revenue", ["one"]), expected=SHARES).comparisons[0]
    assert same.effect.p_value == pytest.approx(plain.effect.p_value, rel=1e-9)
    assert same.variance_reduction == pytest.approx(0.0, abs=1e-12)
    once = analyse(constant, Mean("revenue", ["before"]), expected=SHARES).comparisons[0]
    twice = analyse(constant, Mean("revenue", ["before", "again"]), expected=SHARES).comparisons[0]
    assert twice.effect.p_value == pytest.approx(once.effect.p_value, rel=1e-6)
    assert 0.3 < once.variance_reduction < 0.95


def test_arrays_of_experiments_are_each_experiment_alone():
    names, metric = ("sum|revenue", "first|before"), Mean("revenue", ["before"])
    arms = [people(400, seed) for seed in range(5)]
    found = [statistics(each, metric) for each in arms]
    stacked = [
        Sample(
            names,
            *(
                np.stack([getattr(each.sample(variant=arm).of(names), field) for each in found])
                for field in ("users", "means", "covariance")
            ),
        )
        for arm in ("old", "new")
    ]
    both = adjust(*stacked, metric)
    effect = difference_in_means(both.control, both.treatment)
    for at, each in enumerate(arms):
        alone = analyse(each, metric, expected=SHARES).comparisons[0]
        assert effect.p_value[at] == pytest.approx(alone.effect.p_value, rel=1e-12)
        assert effect.lift_high[at] == pytest.approx(alone.effect.lift_high, rel=1e-12)
        assert both.reduction[at] == pytest.approx(alone.variance_reduction, rel=1e-12)


def test_the_variance_of_a_ratio_is_that_of_its_linearised_users(table):
    # Deng et al. 2018, equation 4: mean of (x - r y) / mean y
    sample = statistics(table, Ratio("clicks", "views")).sample(variant="old")
    rows = table.filter(pl.col("variant") == "old")
    clicks, views = rows["clicks"].to_numpy(), rows["views"].to_numpy()
    ratio = clicks.sum() / views.sum()
    line = (clicks - ratio * views) / views.mean()
    found = moments_of(sample, Ratio("clicks", "views"))
    assert (found.mean, found.variance) == pytest.approx((ratio, line.var(ddof=1)), rel=1e-9)


def test_a_ratio_of_nothing_is_an_error():
    table = pl.DataFrame({"user": range(4), "variant": ["a", "a", "b", "b"], "x": 1, "y": 0})
    with pytest.raises(ValueError, match="the sum of 'y' is 0: no ratio"):
        analyse(table, Ratio("x", "y"), expected={"a": 0.5, "b": 0.5})


def test_truth_intervals_cover_and_are_narrower_with_cuped():
    """400 experiments of 600 users: five per cent miss, up to four binomial errors."""
    metrics = [Mean("revenue"), Mean("revenue", ["before", "visits"])]
    covered, width = np.zeros(2), np.zeros(2)
    for seed in range(400):
        found = analyse(people(600, 100 + seed), metrics, expected=SHARES).comparisons
        covered += [each.effect.low <= 0.3 <= each.effect.high for each in found]
        width += [each.effect.high - each.effect.low for each in found]
    assert (abs(covered / 400 - 0.95) < 4 * (0.95 * 0.05 / 400) ** 0.5).all()
    assert width[1] < 0.75 * width[0]
