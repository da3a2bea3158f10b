"""Boundaries: published tables, chance by simulation, limits, bad input."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from workbench.experiments.boundaries import (
    confidence_sequence,
    group_sequential,
    msprt,
    repeated_p_value,
    spending,
)
from workbench.experiments.recursion import boundaries_of

FIFTHS = np.arange(1, 6) / 5
LOOKS = np.arange(1, 29) / 28


def walks(experiments=20_000, looks=28, effect=0.0, seed=0):
    """z at each look of experiments with equal information between looks."""
    rng = np.random.default_rng(seed)
    n = np.arange(1, looks + 1)
    total = rng.normal(effect / np.sqrt(looks), 1, (experiments, looks)).cumsum(axis=1)
    return total / np.sqrt(n)


class TestPublishedTables:
    # Lan & DeMets (1983) by Reboussin et al. (2000), "Programs for computing group sequential
    # boundaries using the Lan-DeMets method", Control. Clin. Trials 21: five even looks, 5 %. Not
    # seen in print here: `test_crossing` has them by SciPy's multivariate normal
    def test_obrien_fleming_spending_at_five_even_looks(self):
        expected = [4.8769, 3.3569, 2.6803, 2.2898, 2.0310]
        assert group_sequential(FIFTHS) == pytest.approx(expected, abs=2e-4)

    def test_pocock_spending_at_five_even_looks(self):
        expected = [2.4380, 2.4268, 2.4101, 2.3966, 2.3859]
        assert group_sequential(FIFTHS, kind="pocock") == pytest.approx(expected, abs=2e-4)

    def test_unadjusted_looks_inflate_as_published(self):
        # Armitage, McPherson, Rowe (1969), table 2, as quoted: two-sided 5 %, 2 5 10 20 looks
        z = walks(200_000, 20)
        share = [(abs(z[:, :looks]) > 1.96).any(axis=1).mean() for looks in (2, 5, 10, 20)]
        assert share == pytest.approx([0.083, 0.142, 0.193, 0.248], abs=0.004)


class TestChance:
    @pytest.mark.parametrize("kind", ["obrien_fleming", "pocock"])
    def test_five_per_cent_of_the_experiments_cross_whatever_the_looks(self, kind):
        z = walks(100_000)
        assert (abs(z) > group_sequential(LOOKS, kind=kind)).any(axis=1).mean() == pytest.approx(
            0.05, abs=0.0035
        )
        some = [2, 3, 17, 27]  # uneven looks
        crossed = abs(z[:, some]) > group_sequential(LOOKS[some], kind=kind)
        assert crossed.any(axis=1).mean() == pytest.approx(0.05, abs=0.0035)

    def test_always_valid_intervals_leave_zero_out_in_at_most_five_per_cent(self):
        z = walks(20_000, 200)
        users = np.arange(1, 201) * 100
        variance = 1 / users
        estimate = z * np.sqrt(variance)
        half, p_value = msprt(estimate, variance, tau=0.03)
        mixture = (abs(estimate) > half).any(axis=1)
        assert mixture.mean() < 0.05
        assert ((p_value < 0.05).any(axis=1) == mixture).all()
        sequence = confidence_sequence(users, variance, tuned_at=10_000)
        assert 0.005 < (abs(estimate) > sequence).any(axis=1).mean() < 0.05

    def test_spending_little_early_keeps_the_power_of_a_fixed_test(self):
        z = walks(20_000, effect=2.8)  # power 0.80 with one look
        found = (abs(z) > group_sequential(LOOKS)).any(axis=1).mean()
        assert 0.76 < found < 0.80
        assert (abs(z) > group_sequential(LOOKS, kind="pocock")).any(axis=1).mean() < found


class TestByHand:
    def test_one_look_is_the_fixed_test(self):
        assert group_sequential([1.0])[0] == pytest.approx(1.959964, abs=1e-6)
        assert repeated_p_value([1.959964], [1.0])[0] == pytest.approx(0.05, rel=0.01)

    def test_all_of_alpha_is_spent_at_the_end(self):
        for kind in ("obrien_fleming", "pocock"):
            assert spending([1.0], 0.1, kind)[0] == pytest.approx(0.1)

    def test_msprt_by_hand(self):
        # v = tau^2 = 1: half = sqrt(2 (2 ln 20 + ln 2)), ratio = sqrt(1/2) exp(x^2 / 4)
        half, p_value = msprt(2.0, 1.0, tau=1.0)
        assert half == pytest.approx(np.sqrt(2 * (2 * np.log(20) + np.log(2))))
        assert p_value == pytest.approx(np.sqrt(2) * np.exp(-1))

    def test_confidence_sequence_is_narrowest_near_where_it_is_tuned(self):
        # against a fixed interval, which shrinks with sqrt(n)
        users = np.array([100, 1_000, 10_000, 100_000, 1_000_000])
        wider = confidence_sequence(users, 1 / users, tuned_at=10_000) * np.sqrt(users)
        assert wider.argmin() == 2

    def test_a_repeated_p_value_is_alpha_on_the_boundary(self):
        z = group_sequential(FIFTHS, alpha=0.05)
        assert repeated_p_value(z, FIFTHS) == pytest.approx(np.full(5, 0.05), rel=0.02)
        many = repeated_p_value(np.tile(z, (3, 1)), FIFTHS)
        assert (many == repeated_p_value(z, FIFTHS)).all()

    @pytest.mark.parametrize("kind", ["obrien_fleming", "pocock"])
    def test_boundaries_of_many_alphas_are_each_as_if_alone(self, kind):
        share = (0.03, 0.04, 0.3, 0.302, 0.9, 1.0)
        alphas = (1e-7, 1e-3, 0.05, 0.4, 0.999)
        together = boundaries_of(share, alphas, kind)
        alone = [group_sequential(share, alpha, kind) for alpha in alphas]
        assert together == pytest.approx(np.array(alone), rel=1e-9)

    def test_the_bound_of_the_second_look_by_plane_integration(self):
        # P(|Z1| < b1, |Z2| >= b2) with corr sqrt(t1 / t2): SciPy's adaptive integration
        share = [0.36, 0.81]
        first, second = group_sequential(share)
        left, right = norm.cdf([-first, first])

        def stays(z):
            low, high = (np.array([-second, second]) - 2 / 3 * z) / np.sqrt(1 - 4 / 9)
            return norm.pdf(z) * (norm.cdf(high) - norm.cdf(low))

        both, _ = quad(stays, -first, first, epsabs=1e-12)
        spent = np.diff(spending(share))[0]
        assert right - left - both == pytest.approx(spent, abs=1e-10)


class TestLimits:
    def test_without_variance_an_effect_is_certain_or_none(self):
        half, p_value = msprt([0.0, 0.1], [0.0, 0.0], tau=1.0)
        assert half.tolist() == [0.0, 0.0]
        assert p_value.tolist() == [1.0, 0.0]

    def test_huge_effects_have_no_p_value_below_zero_and_tiny_ones_none_above_one(self):
        _, p_value = msprt([1e6, 1e-9], [1.0, 1.0], tau=1.0)
        assert p_value.tolist() == [0.0, 1.0]

    def test_z_of_nothing_is_a_p_value_of_nothing(self):
        assert np.isnan(repeated_p_value([np.nan], [1.0])[0])
        assert repeated_p_value([0.0], [1.0])[0] == 1.0


class TestBadInput:
    @pytest.mark.parametrize(
        ("call", "words"),
        [
            (lambda: group_sequential([0.5, 0.5]), "information must rise"),
            (lambda: group_sequential([]), "information must rise"),
            (lambda: group_sequential([0.5, 1.5]), r"shares in \(0, 1\], got \[0.5, 1.5\]"),
            (lambda: group_sequential([1.0], kind="haybittle"), "kind must be one of"),
            (lambda: group_sequential([1.0], alpha=1.0), r"alpha must be in \(0, 1\), got 1.0"),
            (lambda: msprt(1.0, 1.0, tau=0.0), "tau must be above zero, got 0.0"),
            (lambda: msprt(1.0, 1.0, tau=np.inf), "above zero, got inf, and finite"),
            (lambda: confidence_sequence(-9, 1.0, tuned_at=9), "users must not be negative"),
            (lambda: msprt(1.0, -1.0, tau=1.0), "variance must not be negative, got -1.0"),
            (lambda: confidence_sequence(9, 1.0, tuned_at=0), "tuned_at must be above zero users"),
            (lambda: repeated_p_value([1.0, 2.0], [1.0]), "one column per look, 1"),
        ],
    )
    def test_is_named(self, call, words):
        with pytest.raises(ValueError, match=words):
            call()
