"""Errors of clusters: by hand, against regression written out, and against the delta method."""

import numpy as np
import pytest
from scipy.stats import binom

from workbench.experiments.cluster_robust import cluster_difference


def _sandwich(values, treated, cluster):
    """CR0 by matrices: (X'X)^-1 (sum of X'u u'X) (X'X)^-1 (Cameron & Miller 2015, eq. 11)."""
    x = np.column_stack([np.ones(len(values)), treated]).astype(float)
    bread = np.linalg.inv(x.T @ x)
    residual = values - x @ (bread @ x.T @ values)
    scores = [x[cluster == g].T @ residual[cluster == g] for g in np.unique(cluster)]
    return float((bread @ sum(np.outer(s, s) for s in scores) @ bread)[1, 1])


def _data(crossed, seed=0):
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 8, 60)
    cluster = np.repeat(np.arange(60), sizes)
    treated = rng.random(len(cluster)) < 0.5 if crossed else np.repeat(np.arange(60) % 2, sizes)
    values = rng.normal(0, 1, 60)[cluster] + rng.normal(0, 1, len(cluster)) + 0.3 * treated
    return values, treated, cluster


def test_four_clusters_by_hand():
    """Control mean 2, cluster sums of residuals -2 and 2 over 4 rows; treated mean 6, -1 and 1
    over 2 rows: 2 (2/4)^2 + 2 (1/2)^2 = 1."""
    values, cluster = [1.0, 1.0, 2.0, 4.0, 5.0, 7.0], [1, 1, 2, 2, 3, 4]
    found = cluster_difference(values, [0, 0, 0, 0, 1, 1], cluster, correction="CR0")
    assert (found.difference, found.error) == (4.0, 1.0)
    more = cluster_difference(values, [0, 0, 0, 0, 1, 1], cluster)
    assert more.error**2 == pytest.approx(4 / 3 * 5 / 4)


@pytest.mark.parametrize("crossed", [False, True])
def test_it_is_the_sandwich_of_the_regression(crossed):
    values, treated, cluster = _data(crossed)
    found = cluster_difference(values, treated, cluster, correction="CR0")
    assert found.error**2 == pytest.approx(_sandwich(values, treated, cluster), rel=1e-12)


def test_whole_clusters_in_one_arm_have_the_error_of_a_ratio():
    """Rows per cluster are random: mean of rows = sum of values / sum of sizes, delta method
    (Deng, Knoblich & Lu 2018, equation 3), with n - 1 in place of n in each arm."""
    values, treated, cluster = _data(crossed=False)
    delta = 0.0
    for arm in (0, 1):
        mine = treated == arm
        groups = np.unique(cluster[mine])
        sums = np.array([values[cluster == g].sum() for g in groups])
        sizes = np.array([(cluster == g).sum() for g in groups])
        left = sums - sums.sum() / sizes.sum() * sizes
        delta += left.var(ddof=0) / sizes.mean() ** 2 / len(groups)
    found = cluster_difference(values, treated, cluster, correction="CR0")
    assert found.error**2 == pytest.approx(delta, rel=1e-12)


def test_clusters_of_one_row_are_independent_rows():
    values, treated, _ = _data(crossed=True)
    found = cluster_difference(values, treated, np.arange(len(values)), correction="CR0")
    assert found.design_effect == pytest.approx(1.0)


def test_no_effect_is_found_in_five_per_cent_and_by_rows_far_more_often():
    """1,000 experiments on users with ten sessions each, dealt by user."""
    rng, found, naive = np.random.default_rng(11), 0, 0
    cluster = np.repeat(np.arange(200), 10)
    for _ in range(1_000):
        treated = rng.permutation(200)[cluster] < 100
        values = rng.normal(0, 1, 200)[cluster] + rng.normal(0, 1, 2_000)
        result = cluster_difference(values, treated, cluster)
        found += result.p_value < 0.05
        naive += abs(result.difference) > 1.96 * result.ordinary_error
    assert binom.ppf(0.001, 1_000, 0.05) <= found <= binom.ppf(0.999, 1_000, 0.05)
    assert naive > 300


def test_arms_without_variance_are_compared_exactly():
    same = cluster_difference([1.0] * 4, [0, 0, 1, 1], [1, 2, 3, 4])
    other = cluster_difference([1.0, 1.0, 2.0, 2.0], [0, 0, 1, 1], [1, 2, 3, 4])
    assert (same.p_value, other.p_value, other.low) == (1.0, 0.0, 1.0)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"values": [1.0, np.nan, 2.0, 3.0]}, "finite"),
        ({"values": [1.0]}, "one number per row"),
        ({"treated": [0, 0, 1, 2]}, "true or false"),
        ({"treated": [0, 0, 0, 0]}, "treated needs at least two clusters, got 0"),
        ({"cluster": [1, 1, 2, 3]}, "control needs at least two clusters, got 1"),
        ({"cluster": [1.0, np.nan, 2.0, 3.0]}, "cluster is missing"),
        ({"cluster": np.array(["a", None, "b", "c"], dtype=object)}, "cluster is missing"),
        ({"correction": "CR2"}, "correction"),
        ({"confidence": 95}, "confidence"),
    ],
)
def test_bad_input_is_named(change, words):
    good = {"values": [1.0, 2.0, 3.0, 4.0], "treated": [0, 0, 1, 1], "cluster": [1, 2, 3, 4]}
    with pytest.raises(ValueError, match=words):
        cluster_difference(**good | change)
