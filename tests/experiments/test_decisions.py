"""Posteriors, non-inferiority, proportions, corrections: published examples, exact formulas."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from workbench.experiments.bayes import posterior_of_means, posterior_of_proportions
from workbench.experiments.corrections import adjust_p_values, benjamini_hochberg, holm
from workbench.experiments.difference import Moments, difference_in_means
from workbench.experiments.non_inferiority import non_inferiority
from workbench.experiments.proportion import difference_in_proportions

# Newcombe (1998), Statistics in Medicine 17, Table II, method 10: a/m - b/n; the tests of several
# packages quote the same rows
NEWCOMBE = [
    ((56, 70), (48, 80), 0.0524, 0.3339),
    ((9, 10), (3, 10), 0.1705, 0.8090),
    ((5, 56), (0, 29), -0.0381, 0.1926),
    ((0, 10), (0, 20), -0.1611, 0.2775),
    ((0, 10), (0, 10), -0.2775, 0.2775),
    ((10, 10), (0, 20), 0.6791, 1.0000),
    ((10, 10), (0, 10), 0.6075, 1.0000),
]
# Benjamini & Hochberg (1995), section 3.2: fifteen hypotheses of a heart trial; statsmodels' tests
# have the same p-values
HEART = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459]
HEART += [0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0000]


def share(conversions: int, users: int) -> Moments:
    return Moments(users, conversions / users, 0.0)


@pytest.mark.parametrize(("new", "old", "low", "high"), NEWCOMBE)
def test_intervals_of_shares_are_those_published(new, old, low, high):
    found = difference_in_proportions(share(*old), share(*new))
    assert (round(found.low, 4), round(found.high, 4)) == (low, high)


def test_shares_in_arrays_are_each_share_alone():
    old = Moments(np.array([80, 20, 1]), np.array([0.6, 0.0, 0.0]), 0.0)
    new = Moments(np.array([70, 10, 9]), np.array([0.8, 0.0, 0.5]), 0.0)
    found = difference_in_proportions(old, new)
    assert found.high[:2] == pytest.approx([0.3339, 0.2775], abs=5e-5)
    assert found.p_value[1] == 1.0
    assert np.isnan(found.lift[1])
    assert np.isnan([found.p_value[2], found.low[2], found.difference[2]]).all()
    assert difference_in_proportions(share(0, 20), share(0, 10)).lift is None


def test_means_in_arrays_are_each_mean_alone():
    rng = np.random.default_rng(1)
    fields = rng.integers(2, 50, (2, 4, 3)), rng.normal(2, 1, (2, 4, 3)), rng.random((2, 4, 3))
    both = [Moments(*(field[arm] for field in fields)) for arm in (0, 1)]
    found = difference_in_means(*both)
    for at in np.ndindex(4, 3):
        alone = (Moments(*(field[arm][at] for field in fields)) for arm in (0, 1))
        alone = difference_in_means(*alone)
        for name in ("low", "high", "p_value", "lift", "lift_low"):
            want = getattr(alone, name)
            want = np.nan if want is None else want
            assert getattr(found, name)[at] == pytest.approx(want, rel=1e-12, nan_ok=True)
    few = difference_in_means(Moments(np.array([1, 5]), 1.0, 1.0), Moments(9, 1.0, 1.0))
    assert np.isnan(few.p_value).tolist() == [True, False]


def test_corrections_are_those_published_and_those_of_scipy():
    # the paper: Bonferroni's kind claims three at 0.05, theirs four
    assert (holm(HEART) <= 0.05).sum() == 3
    found = benjamini_hochberg(HEART)
    assert (found <= 0.05).sum() == 4
    np.testing.assert_allclose(found, stats.false_discovery_control(HEART), rtol=1e-12)
    order = np.random.default_rng(0).permutation(15)
    np.testing.assert_allclose(benjamini_hochberg(np.array(HEART)[order]), found[order])


def test_holm_by_hand_and_as_tea_tasting_has_it():
    # 4 x 0.01, 3 x 0.02, 2 x 0.03 (no less than before), 1 x 0.9
    assert holm([0.03, 0.01, 0.9, 0.02]) == pytest.approx([0.06, 0.04, 0.9, 0.06])
    import tea_tasting as tt
    from tea_tasting.multiplicity import adjust_fwer

    rng = np.random.default_rng(2)
    names = [f"m{number}" for number in range(6)]
    data = {"variant": np.repeat([0, 1], 200), **{n: rng.normal(3, 1, 400) for n in names}}
    data["m0"] += 0.5 * data["variant"]
    import polars as pl

    results = tt.Experiment({n: tt.Mean(n) for n in names}).analyze(pl.DataFrame(data))
    want = adjust_fwer(results, arbitrary_dependence=True, method="bonferroni")
    p_values = [results[n].pvalue for n in names]
    rows = {row["metric"]: row["pvalue_adj"] for row in want.to_dicts()}
    np.testing.assert_allclose(holm(p_values), [rows[n] for n in names], rtol=1e-9)


def test_a_missing_p_value_is_no_comparison():
    assert holm([0.02, np.nan, 0.5])[:1] == pytest.approx([0.04])
    assert np.isnan(benjamini_hochberg([0.02, np.nan])[1])
    assert len(adjust_p_values([], "holm")) == 0
    with pytest.raises(ValueError, match="correction must be one of"):
        adjust_p_values([0.1], "bonferroni")
    with pytest.raises(ValueError, match="in \\[0, 1\\]"):
        holm([1.2])


@pytest.mark.parametrize("better", [True, False])
def test_non_inferiority_is_the_shifted_test_of_scipy(better):
    rng = np.random.default_rng(3)
    old, new = rng.gamma(2, 3, 300), rng.gamma(2, 3, 200)
    both = (Moments(len(x), x.mean(), x.var(ddof=1)) for x in (old, new))
    shift, side = (0.4, "greater") if better else (-0.4, "less")
    want = stats.ttest_ind(new + shift, old, equal_var=False, alternative=side)
    found = non_inferiority(*both, margin=0.4, higher_is_better=better)
    assert found.p_value == pytest.approx(want.pvalue, rel=1e-9)
    interval = want.confidence_interval(0.95)
    bound = interval.low if better else interval.high
    assert found.bound == pytest.approx(bound - shift, rel=1e-9)
    assert found.ok == (want.pvalue < 0.05)
    assert "borne" in repr(found)


def test_a_margin_as_share_knows_that_the_control_is_estimated():
    rng = np.random.default_rng(4)
    old, new = rng.gamma(2, 3, 300), rng.gamma(2, 3, 200)
    both = [Moments(len(x), x.mean(), x.var(ddof=1)) for x in (old, new)]
    want = stats.ttest_ind(new, 0.9 * old, equal_var=False, alternative="greater").pvalue
    assert non_inferiority(*both, margin_share=0.1).p_value == pytest.approx(want, rel=1e-9)
    want = stats.ttest_ind(new, 1.1 * old, equal_var=False, alternative="less").pvalue
    found = non_inferiority(*both, margin_share=0.1, higher_is_better=False)
    assert found.p_value == pytest.approx(want, rel=1e-9)


def test_non_inferiority_without_variance_and_with_bad_margins():
    same, worse = Moments(9, 5.0, 0.0), Moments(9, 4.0, 0.0)
    assert non_inferiority(same, same, margin=0.1).ok
    assert not non_inferiority(same, worse, margin=0.1).ok
    stack = non_inferiority(Moments(9, np.array([5.0, 5.0]), 1.0), Moments(9, 4.9, 1.0), margin=2)
    assert stack.ok.tolist() == [True, True]
    for margins in ({}, {"margin": 0.1, "margin_share": 0.1}, {"margin": -1}):
        with pytest.raises(ValueError, match="give margin or margin_share"):
            non_inferiority(same, same, **margins)
    with pytest.raises(ValueError, match="control mean above 0"):
        non_inferiority(Moments(9, -1.0, 1.0), same, margin_share=0.1)


def miller(a, b, c, d):
    """P(new > old) of Beta(c, d) over Beta(a, b), whole c: Miller (2014), equation 6."""
    from scipy.special import betaln

    i = np.arange(c)
    return np.exp(betaln(a + i, b + d) - np.log(d + i) - betaln(1 + i, d) - betaln(a, b)).sum()


@pytest.mark.parametrize("counts", [(100, 1000, 120, 1000), (0, 50, 3, 40), (7, 9, 2, 9)])
def test_the_better_share_is_that_of_the_exact_sum(counts):
    old, n_old, new, n_new = counts
    found = posterior_of_proportions(share(old, n_old), share(new, n_new))
    exact = miller(old + 1, n_old - old + 1, new + 1, n_new - new + 1)
    assert found.better == pytest.approx(exact, abs=1e-9)


def test_losses_and_intervals_of_shares_are_those_of_draws():
    rng = np.random.default_rng(5)
    old, new = rng.beta(31, 171, 2_000_000), rng.beta(41, 161, 2_000_000)
    found = posterior_of_proportions(share(30, 200), share(40, 200))
    gain = new - old
    for name, want in [
        ("loss_if_shipped", np.maximum(-gain, 0)),
        ("loss_if_kept", np.maximum(gain, 0)),
        ("mean", gain),
    ]:
        error = want.std() / len(want) ** 0.5
        assert abs(getattr(found, name) - want.mean()) < 4 * error
    assert np.quantile(gain, [0.025, 0.975]) == pytest.approx([found.low, found.high], abs=2e-4)
    assert gain.std() == pytest.approx(found.sd, rel=5e-3)


def test_no_belief_gives_the_classical_interval_and_a_firm_one_its_own():
    old, new = Moments(5_000, 5.0, 9.0), Moments(4_000, 5.1, 9.0)
    flat, firm = posterior_of_means(old, new), posterior_of_means(old, new, prior_sd=1e-6)
    classical = difference_in_means(old, new)
    assert (flat.low, flat.high) == pytest.approx((classical.low, classical.high), rel=2e-3)
    assert flat.better == pytest.approx(1 - classical.p_value / 2, abs=1e-4)
    assert firm.mean == pytest.approx(0.0, abs=1e-6)
    # the two losses differ by the mean, whatever is believed
    assert flat.loss_if_kept - flat.loss_if_shipped == pytest.approx(flat.mean, rel=1e-12)


def test_the_loss_of_a_normal_is_its_integral():
    from scipy.integrate import quad

    found = posterior_of_means(Moments(80, 5.0, 9.0), Moments(90, 5.4, 16.0), prior_sd=0.7)
    density = stats.norm(found.mean, found.sd).pdf
    want = quad(lambda d: -d * density(d), -20, 0)[0]
    assert found.loss_if_shipped == pytest.approx(want, rel=1e-8)


def test_the_posterior_is_calibrated_over_worlds_drawn_from_the_prior():
    rng = np.random.default_rng(6)
    effect = rng.normal(0.0, 0.3, 20_000)
    error = (9 / 400 + 9 / 400) ** 0.5
    seen = Moments(400, 5.0 + effect + rng.normal(0, error, 20_000), 9.0)
    found = posterior_of_means(Moments(400, 5.0, 9.0), seen, prior_sd=0.3)
    covered = ((found.low <= effect) & (effect <= found.high)).mean()
    assert covered == pytest.approx(0.95, abs=4 * (0.95 * 0.05 / 20_000) ** 0.5)
    assert found.better.mean() == pytest.approx((effect > 0).mean(), abs=0.02)
    assert found.loss_if_kept.mean() == pytest.approx(np.maximum(effect, 0).mean(), abs=0.01)


def test_certain_arms_and_bad_priors():
    same = Moments(9, 5.0, 0.0)
    found = posterior_of_means(same, same)
    assert (found.better, found.loss_if_shipped, found.sd) == (0.5, 0.0, 0.0)
    worse = posterior_of_means(same, Moments(9, 4.0, 0.0))
    assert (worse.better, worse.loss_if_shipped, worse.loss_if_kept) == (0.0, 1.0, 0.0)
    with pytest.raises(ValueError, match="positive spread"):
        posterior_of_means(same, same, prior_sd=0.0)
    with pytest.raises(ValueError, match="at least 1"):
        posterior_of_proportions(share(1, 9), share(1, 9), prior=(0.5, 0.5))
    with pytest.raises(ValueError, match="one share"):
        posterior_of_proportions(Moments(9, 1.5, 0.0), share(1, 9))
    with pytest.raises(ValueError, match="share in"):
        difference_in_proportions(Moments(9, 1.5, 0.0), share(1, 9))
    with pytest.raises(ValueError, match="negative variance"):
        difference_in_means(Moments(9, 1.5, -1.0), same)
    with pytest.raises(ValueError, match="finite"):
        difference_in_means(Moments(9, float("inf"), 1.0), same)
