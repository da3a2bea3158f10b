"""Users, effects and days, against published tables and simulated experiments."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from scipy.stats import binom, nct
from scipy.stats import t as student

from workbench.experiments.boundaries import group_sequential
from workbench.experiments.crossing import crossing_probability, drift_for, inflation_factor
from workbench.experiments.metric import Mean, Ratio
from workbench.experiments.planning import Design, minimum_detectable_effect, power, sample_size
from workbench.experiments.power_simulation import power_by_simulation
from workbench.experiments.traffic import baseline, duration_days, entries, plan_by_day

EVEN5 = np.arange(1, 6) / 5


class TestCrossing:
    @pytest.mark.parametrize(
        ("looks", "published"), [(2, 0.083), (5, 0.142), (10, 0.193), (20, 0.248), (100, 0.374)]
    )
    def test_unadjusted_looks_inflate_as_published(self, looks, published):
        """Armitage, McPherson & Rowe (1969), table 2, at nominal 5 %."""
        share = np.arange(1, looks + 1) / looks
        found = crossing_probability(np.full(looks, 1.959964), share)
        assert found == pytest.approx(published, abs=0.0006)

    @pytest.mark.parametrize("kind", ["obrien_fleming", "pocock"])
    def test_another_integration_finds_alpha_at_the_boundaries(self, kind):
        share = np.array([0.1, 0.15, 0.5, 0.55, 1.0])
        bounds = group_sequential(share, 0.05, kind)
        assert crossing_probability(bounds, share) == pytest.approx(0.05, abs=1e-6)

    def test_maximal_sample_sizes_as_published(self):
        """Jennison & Turnbull (2000), tables 2.2 and 2.4: 5 looks, alpha 0.05, power 0.8."""
        one = drift_for([1.959964], [1.0], 0.8)
        pocock = (drift_for([2.413] * 5, EVEN5, 0.8) / one) ** 2
        obrien = (drift_for(2.040 / np.sqrt(EVEN5), EVEN5, 0.8) / one) ** 2
        assert (pocock, obrien) == pytest.approx((1.229, 1.028), abs=0.0015)

    def test_power_is_that_of_simulated_experiments(self):
        rng, experiments = np.random.default_rng(5), 20_000
        bounds, drift = group_sequential(EVEN5), 2.8
        steps = rng.normal(drift / 5, np.sqrt(1 / 5), (experiments, 5))
        z = steps.cumsum(axis=1) / np.sqrt(EVEN5)
        crossed = (np.abs(z) >= bounds).any(axis=1).sum()
        expected = crossing_probability(bounds, EVEN5, drift)
        assert binom.ppf(0.001, experiments, expected) <= crossed
        assert crossed <= binom.ppf(0.999, experiments, expected)

    def test_drift_of_any_sign_and_shape(self):
        found = crossing_probability([2.5, 2.0], [0.5, 1], np.array([[0.0, 3.0], [-3.0, 40.0]]))
        assert found.shape == (2, 2)
        assert found[0, 1] == pytest.approx(found[1, 0])
        assert found[1, 1] == pytest.approx(1.0)

    def test_one_look_costs_nothing(self):
        assert inflation_factor(1) == pytest.approx(1.0, abs=1e-9)


class TestSampleSize:
    def test_published_examples(self):
        """Kohavi, Longbotham, Sommerfield & Henne (2009), DMKD 18, section 3.2: 5 % of visitors
        buy, revenue 3.75 with standard deviation 30, a change of 5 %; "409,000" and "122,000" in
        each variant... by the rule of 16, where 80 % power needs 15.70."""
        revenue = sample_size(0.05 * 3.75, 30.0**2) / 2
        buyers = sample_size(0.05 * 0.05, 0.05 * 0.95) / 2
        exact = 2 * (1.959964 + 0.841621) ** 2
        assert revenue * 16 / exact == pytest.approx(409_600, rel=1e-4)
        assert buyers * 16 / exact == pytest.approx(121_600, rel=1e-4)

    def test_size_is_that_of_student_but_for_a_user(self):
        n = sample_size(0.5, 1.0) / 2  # 63 in each arm; Student's t needs 64 (Cohen 1988)
        df, noncentral = 2 * 64 - 2, 0.5 * np.sqrt(64 / 2)
        exact = nct.sf(student.ppf(0.975, df), df, noncentral)
        assert n == pytest.approx(63, abs=0.5)
        assert exact == pytest.approx(0.801, abs=0.001)

    @pytest.mark.parametrize(
        "design",
        [
            Design(),
            Design(treatment_share=0.1, alpha=0.01, power=0.9),
            Design(looks=7),
            Design(reduction=0.4),
            Design(margin=0.2),
        ],
    )
    def test_size_effect_and_power_agree(self, design):
        n = sample_size(0.1, 2.0, design)
        assert power(0.1, n, 2.0, design) == pytest.approx(design.power, abs=2e-4)
        assert minimum_detectable_effect(n, 2.0, design) == pytest.approx(0.1, abs=1e-3)

    def test_unequal_shares_cuped_and_margin_by_hand(self):
        plain = sample_size(0.01, 1.0)
        tenth = sample_size(0.01, 1.0, Design(treatment_share=0.1))
        assert tenth / plain == pytest.approx(0.25 / 0.09, rel=1e-4)
        assert sample_size(0.01, 1.0, Design(reduction=0.36)) / plain == pytest.approx(0.64, 1e-4)
        assert sample_size(0.0, 1.0, Design(margin=0.01)) == plain
        assert power(-0.01, 10_000, 1.0, Design(margin=0.01)) == pytest.approx(0.025)

    @pytest.mark.parametrize(
        ("call", "words"),
        [
            (lambda: sample_size(0.0, 1.0), "zero"),
            (lambda: sample_size(np.nan, 1.0), "effect must be finite"),
            (lambda: sample_size(-0.3, 1.0, Design(margin=0.2)), "above minus the margin"),
            (lambda: power(0.1, 0, 1.0), "users must be above zero"),
            (lambda: power(0.1, 10, 0.0), "variance must be above zero"),
            (lambda: Design(treatment_share=1.0), "treatment_share"),
            (lambda: Design(power=0.01), "power must be"),
            (lambda: Design(reduction=1.0), "reduction"),
            (lambda: Design(margin=-1.0), "margin"),
            (lambda: Design(looks=2.5), "looks must be"),
            (lambda: Design(looks=3, margin=1.0), "margin with looks"),
            (lambda: crossing_probability([2.0], [0.5, 1.0]), "one critical value per look"),
            (lambda: crossing_probability([2.0, 2.0], [0.5, 0.5]), "must rise"),
            (lambda: inflation_factor(0), "looks must be"),
        ],
    )
    def test_bad_input_is_named(self, call, words):
        with pytest.raises(ValueError, match=words):
            call()


class TestSimulation:
    def test_agrees_with_the_formula_where_that_is_right(self):
        values = np.random.default_rng(1).normal(5.0, 2.0, 4_000)
        found = power_by_simulation(values, 0.2, 2_000, experiments=1_000, seed=4)
        expected = float(power(0.2, 2_000, values.var()))
        low, high = binom.ppf([0.001, 0.999], 1_000, expected)
        assert low <= found.better + found.worse <= high

    def test_no_effect_is_found_in_alpha(self):
        values = np.random.default_rng(2).exponential(1.0, 3_000)
        found = power_by_simulation(values, 0.0, 2_000, experiments=1_000)
        assert binom.ppf(0.001, 1_000, 0.05) <= found.better + found.worse
        assert found.better + found.worse <= binom.ppf(0.999, 1_000, 0.05)

    def test_an_experiment_does_not_depend_on_the_others(self):
        values = np.random.default_rng(3).exponential(1.0, 500)
        found = [
            power_by_simulation(values, lambda v: v * 1.2, 400, experiments=n) for n in (50, 51)
        ]
        assert 0 <= found[1].better - found[0].better <= 1

    def test_bad_input_is_named(self):
        with pytest.raises(ValueError, match="finite"):
            power_by_simulation([1.0, np.nan], 0.1, 100)
        with pytest.raises(ValueError, match="two users"):
            power_by_simulation([1.0, 2.0], 0.1, 2)
        with pytest.raises(ValueError, match="one look"):
            power_by_simulation([1.0, 2.0], 0.1, 20, design=Design(looks=2))
        with pytest.raises(ValueError, match="effect made"):
            power_by_simulation([1.0, 2.0], np.inf, 20)


def _log(users=2_000, days=10):
    rng = np.random.default_rng(7)
    taste = rng.gamma(2.0, 1.0, users)
    views = rng.poisson(taste[:, None] * 2, (users, days))
    clicks = rng.binomial(views, 0.2)
    at = datetime(2026, 3, 1, 12, tzinfo=UTC)
    return pl.DataFrame(
        {
            "user": np.repeat(np.arange(users), days),
            "time": [at + timedelta(days=d) for d in range(days)] * users,
            "views": views.ravel().astype(float),
            "clicks": clicks.ravel().astype(float),
            "before": np.repeat(taste, days),
        }
    ).filter(pl.col("views") > 0)


class TestTraffic:
    def test_baseline_is_what_numpy_says_of_sums_per_user(self):
        log = _log()
        sums = log.group_by("user").agg(pl.sum("views", "clicks"), pl.first("before"))
        found = baseline(log.to_pandas(), Mean("views", covariates=["before"]))
        correlation = np.corrcoef(sums["views"], sums["before"])[0, 1]
        assert found.variance == pytest.approx(sums["views"].var(), rel=1e-9)
        assert found.mean == pytest.approx(sums["views"].mean(), rel=1e-9)
        assert found.reduction == pytest.approx(correlation**2, rel=1e-6)

    def test_a_ratio_has_the_variance_of_its_linearised_users(self):
        log = _log()
        sums = log.group_by("user").agg(pl.sum("views", "clicks"))
        ratio = sums["clicks"].sum() / sums["views"].sum()
        linear = (sums["clicks"] - ratio * sums["views"]) / sums["views"].mean()
        found = baseline(log.lazy(), Ratio("clicks", "views"))
        assert (found.mean, found.variance) == pytest.approx((ratio, linear.var()), rel=1e-9)

    def test_entries_count_each_user_once(self):
        log = _log()
        new = entries(log)
        assert new["users"].sum() == log["user"].n_unique()
        assert len(new) == 10
        assert new.equals(entries(log.lazy()))
        assert new.equals(entries(log.sample(fraction=1.0, shuffle=True, seed=1)))

    def test_days_by_hand(self):
        new = [100, 50, 50]
        assert duration_days([100, 101, 200, 201, 300], new, tail_days=2).tolist() == [
            1,
            2,
            3,
            4,
            5,
        ]
        assert duration_days(100, new, traffic_share=0.5, tail_days=2) == 3
        assert duration_days(10, [5, 0], tail_days=1) == np.inf

    def test_longer_is_not_only_more_users(self):
        """Sums per user grow: the effect in units grows with them while the lift shrinks."""
        plan = plan_by_day(_log(), "views")
        assert plan["users"].is_sorted()
        assert plan["minimum_detectable_lift"].is_sorted(descending=True)
        effect = minimum_detectable_effect(plan["users"][-1], plan["variance"][-1])
        assert plan["minimum_detectable_effect"][-1] == pytest.approx(float(effect))

    @pytest.mark.parametrize(
        ("call", "words"),
        [
            (lambda: duration_days(10, []), "at least one day"),
            (lambda: duration_days(10, [-1.0]), "counts"),
            (lambda: duration_days(np.nan, [1]), "users must be above zero"),
            (lambda: duration_days(10, [1], traffic_share=0), "traffic_share"),
            (lambda: entries(pl.DataFrame({"user": [], "time": []})), "at least one row"),
            (lambda: baseline(pl.DataFrame({"user": [1], "spent": [2.0]}), "spent"), "two users"),
        ],
    )
    def test_bad_input_is_named(self, call, words):
        with pytest.raises(ValueError, match=words):
            call()
