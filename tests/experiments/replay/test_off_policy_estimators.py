"""The estimators and their intervals: by hand, at the limits, and over many simulated logs."""

import numpy as np
import pytest
from scipy.stats import binom

from workbench.experiments.replay.estimators import doubly_robust, ips, self_normalised, switch
from workbench.experiments.replay.mean import (
    ClusterMean,
    bernstein_interval,
    cluster_mean,
    normal_interval,
    positive_interval,
)
from workbench.experiments.replay.weights import (
    clipped_weights,
    effective_sample_size,
    importance_weights,
    shrunk_weights,
)

# four decisions: weights 2, 0, 1, 3
PROPENSITY, TARGET = [0.25, 0.5, 0.5, 0.1], [0.5, 0.0, 0.5, 0.3]
REWARDS = np.array([1.0, 5.0, 3.0, 0.0])


def test_weights_by_hand():
    weights = importance_weights(PROPENSITY, TARGET)
    assert weights == pytest.approx([2.0, 0.0, 1.0, 3.0])
    assert effective_sample_size(weights) == pytest.approx(36 / 14)
    assert clipped_weights(weights, 1.5) == pytest.approx([1.5, 0.0, 1.0, 1.5])
    assert shrunk_weights(weights, 4.0) == pytest.approx([8 / 8, 0.0, 4 / 5, 12 / 13])


def test_shrinkage_has_both_weights_as_limits():
    weights = np.array([0.0, 0.5, 40.0])
    assert shrunk_weights(weights, np.inf) == pytest.approx(weights)
    assert shrunk_weights(weights, 0.0) == pytest.approx(np.zeros(3))
    assert shrunk_weights(weights, 1e12) == pytest.approx(weights, rel=1e-8)


def test_ips_and_its_normalised_form_by_hand():
    weights = importance_weights(PROPENSITY, TARGET)
    assert ips(weights, REWARDS).mean() == pytest.approx((2 * 1 + 3) / 4)
    values = self_normalised(weights, REWARDS)
    assert values.mean() == pytest.approx(5 / 6)
    # residuals w (r - 5/6) / mean w, by hand
    residuals = np.array([2 / 6, 0.0, 13 / 6, -15 / 6]) / 1.5
    assert values - 5 / 6 == pytest.approx(residuals)


def test_normalising_within_strata_by_hand():
    strata = [0, 0, 1, 1]
    # stratum 0: 2 / 2 = 1, stratum 1: 3 / 4; half the rows each
    values = self_normalised([2.0, 0.0, 1.0, 3.0], REWARDS, strata)
    assert values.mean() == pytest.approx((1.0 + 0.75) / 2)


def test_doubly_robust_and_switch_by_hand():
    weights, q, target_q = [2.0, 0.0, 1.0, 3.0], [0.5, 4.0, 3.0, 1.0], [1.0, 1.0, 2.0, 2.0]
    assert doubly_robust(weights, REWARDS, q, target_q) == pytest.approx([2.0, 1.0, 2.0, -1.0])
    assert switch(weights, REWARDS, q, target_q, above=2.5) == pytest.approx([2.0, 1.0, 2.0, 2.0])


def test_without_a_model_doubly_robust_is_ips_and_with_a_perfect_one_the_weights_drop_out():
    weights, nothing = np.array([2.0, 0.0, 1.0, 3.0]), np.zeros(4)
    assert doubly_robust(weights, REWARDS, nothing, nothing) == pytest.approx(ips(weights, REWARDS))
    assert doubly_robust(weights, REWARDS, REWARDS, [1, 2, 3, 4]) == pytest.approx([1, 2, 3, 4])


def test_a_policy_replayed_on_its_own_log_is_the_mean_of_the_log():
    weights = importance_weights(PROPENSITY, PROPENSITY)
    assert ips(weights, REWARDS).mean() == pytest.approx(REWARDS.mean())
    assert self_normalised(weights, REWARDS) == pytest.approx(REWARDS)


def test_a_constant_added_to_the_reward_moves_snips_by_as_much_and_ips_not():
    """The equivariance that Swaminathan & Joachims (2015, section 4) want of an estimator."""
    weights = importance_weights(PROPENSITY, TARGET)
    moved = self_normalised(weights, REWARDS + 7).mean() - self_normalised(weights, REWARDS).mean()
    assert moved == pytest.approx(7)
    assert ips(weights, REWARDS + 7).mean() - ips(weights, REWARDS).mean() == pytest.approx(10.5)


@pytest.mark.parametrize(
    ("propensity", "target", "words"),
    [
        ([0.5, 0.0], [1.0, 1.0], "propensity must be above 0, got 0 in row 1"),
        ([0.5, 1.2], [1.0, 1.0], r"propensity must be a number in \[0, 1\], got 1.2 in row 1"),
        ([0.5, np.nan], [1.0, 1.0], "got nan in row 1"),
        ([0.5, -0.1], [1.0, 1.0], "got -0.1 in row 1"),
        ([0.5, np.inf], [1.0, 1.0], "got inf in row 1"),
        ([0.5, 0.5], [1.0, 1.1], r"target_propensity must be a number in \[0, 1\]"),
        ([0.5, 0.5], [np.nan, 1.0], "target_propensity"),
        ([0.5, 0.5], [1.0], "equally long, got 2 and 1"),
    ],
)
def test_chances_that_are_none_are_refused(propensity, target, words):
    with pytest.raises(ValueError, match=words):
        importance_weights(propensity, target)


def test_cluster_mean_is_the_usual_standard_error_without_clusters():
    values = np.random.default_rng(1).normal(size=50)
    mean = cluster_mean(values)
    assert mean.estimate == pytest.approx(values.mean())
    assert mean.error == pytest.approx(values.std(ddof=1) / 50**0.5)


def test_cluster_mean_of_a_ratio_by_hand():
    # two requests of user 0 (three rows), one of user 1: values 6 and 1 over 2 and 1 requests
    mean = cluster_mean([1.0, 2.0, 3.0, 1.0], [0, 0, 0, 1], [1, 0, 1, 1])
    assert mean.estimate == pytest.approx(7 / 3)
    residuals = np.array([6 - 2 * 7 / 3, 1 - 7 / 3])
    assert mean.error == pytest.approx(np.sqrt(2 * (residuals**2).sum()) / 3)


def test_copied_rows_do_not_make_an_interval_shorter_when_they_are_one_cluster():
    values = np.random.default_rng(2).normal(size=200)
    once = cluster_mean(values)
    copied = cluster_mean(np.repeat(values, 9), np.repeat(np.arange(200), 9))
    assert copied.error == pytest.approx(once.error)


def test_one_cluster_has_an_estimate_without_an_error():
    mean = cluster_mean([1.0, 2.0], [0, 0])
    assert mean.estimate == 1.5
    assert np.isnan(mean.error)
    assert np.isnan(normal_interval(mean)).all()


def test_normal_interval_by_hand():
    low, high = normal_interval(ClusterMean(0.0, 1.0, 11), confidence=0.95)
    assert (low, high) == pytest.approx((-2.228139, 2.228139))  # Student's table, 10 degrees


def test_bernstein_interval_is_maurer_and_pontils_formula_and_refuses_what_is_out_of_range():
    values = np.repeat([0.0, 1.0], [900, 100])
    log = np.log(80)
    half = np.sqrt(2 * values.var(ddof=1) * log / 1000) + 7 * log / (3 * 999)
    assert bernstein_interval(values, 0, 1) == pytest.approx((0.1 - half, 0.1 + half))
    with pytest.raises(ValueError, match="must lie in"):
        bernstein_interval([0.0, 3.0], 0, 1)
    with pytest.raises(ValueError, match="at least two"):
        bernstein_interval([0.0], 0, 1)


LOGS, ROWS = 1_000, 1_500
CLICK = np.array([0.05, 0.1, 0.2, 0.4])  # true click rates of four items
LOGGER, TARGET_POLICY = np.array([0.55, 0.25, 0.15, 0.05]), np.array([0.1, 0.2, 0.3, 0.4])
MODEL = np.array([0.2, 0.2, 0.2, 0.2])  # a poor one


@pytest.fixture(scope="module")
def many_logs():
    """Estimates and whether their interval covers the truth, over many logs, per estimator."""
    rng = np.random.default_rng(20)
    found = {name: [] for name in ("ips", "snips", "dr", "bernstein")}
    for _ in range(LOGS):
        item = rng.choice(4, ROWS, p=LOGGER)
        reward = (rng.random(ROWS) < CLICK[item]) * 1.0
        weights = importance_weights(LOGGER[item], TARGET_POLICY[item])
        every = {
            "ips": ips(weights, reward),
            "snips": self_normalised(weights, reward),
            "dr": doubly_robust(weights, reward, MODEL[item], np.full(ROWS, TARGET_POLICY @ MODEL)),
        }
        for name, values in every.items():
            mean = cluster_mean(values)
            found[name].append((mean.estimate, *normal_interval(mean)))
        bound = bernstein_interval(every["ips"], 0.0, 8.0)  # the largest weight is 0.4 / 0.05
        found["bernstein"].append((every["ips"].mean(), *bound))
    return {name: np.array(rows) for name, rows in found.items()}


VALUE = float(TARGET_POLICY @ CLICK)


@pytest.mark.parametrize("name", ["ips", "snips", "dr"])
def test_the_mean_over_many_logs_is_the_truth(many_logs, name):
    estimates = many_logs[name][:, 0]
    error = estimates.std(ddof=1) / LOGS**0.5
    assert abs(estimates.mean() - VALUE) < 4 * error


@pytest.mark.parametrize("name", ["ips", "snips", "dr"])
def test_the_intervals_cover_as_often_as_they_say(many_logs, name):
    _, low, high = many_logs[name].T
    covered = int(((low <= VALUE) & (high >= VALUE)).sum())
    # a band of 99.9 % for each of three
    assert binom.ppf(0.0005, LOGS, 0.95) <= covered <= binom.ppf(0.9995, LOGS, 0.95)


def test_the_bernstein_interval_covers_at_least_as_often(many_logs):
    _, low, high = many_logs["bernstein"].T
    assert ((low <= VALUE) & (high >= VALUE)).mean() >= 0.95


def test_normalising_and_a_model_make_it_less_noisy(many_logs):
    spread = {name: rows[:, 0].std() for name, rows in many_logs.items()}
    assert spread["snips"] < spread["ips"]
    assert spread["dr"] < spread["ips"]


def test_the_reward_as_it_is_would_be_far_off():
    """What the replay is for: the log's own mean is the logger's value, not the target's."""
    assert abs(LOGGER @ CLICK - VALUE) > 0.1


def test_positive_interval_by_hand_and_where_there_is_none():
    low, high = positive_interval(ClusterMean(2.0, 1.0, 11))
    factor = np.exp(2.228139 / 2)
    assert (low, high) == pytest.approx((2 / factor, 2 * factor), rel=1e-6)
    assert np.isnan(positive_interval(ClusterMean(0.0, 1.0, 11))).all()


def test_with_few_clicks_the_positive_interval_covers_and_misses_evenly():
    """10,000 pages, 34 items shown at random, about 46 clicks, as in Open Bandit's small set."""
    rng, logs = np.random.default_rng(11), 800
    missed = {"normal": np.zeros(2, int), "positive": np.zeros(2, int)}
    for _ in range(logs):
        rate, target = rng.gamma(2.0, 0.0023, 34), rng.dirichlet(np.ones(34))
        item = rng.integers(0, 34, 10_000)
        clicks = (rng.random(10_000) < rate[item]) * 1.0
        mean = cluster_mean(self_normalised(target[item] * 34, clicks))
        for name, method in (("normal", normal_interval), ("positive", positive_interval)):
            low, high = method(mean)
            missed[name] += [target @ rate < low, target @ rate > high]
    outside = missed["positive"].sum()
    assert binom.ppf(0.0005, logs, 0.05) <= outside <= binom.ppf(0.9995, logs, 0.05)
    assert missed["normal"][1] > 2 * missed["normal"][0]  # too low, far more often than too high
    assert abs(np.subtract(*missed["positive"])) < abs(np.subtract(*missed["normal"]))
