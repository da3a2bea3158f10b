import numpy as np
import pytest

from workbench.metrics import Interval, auc, interval, share_interval


def test_the_interval_covers_the_truth_as_often_as_it_says():
    hits = 0
    for seed in range(300):
        rng = np.random.default_rng(seed)
        hits += 0.5 in interval(np.mean, rng.random(60), rng=rng, n=200)
    assert 0.90 < hits / 300 < 0.98


def test_it_agrees_with_the_normal_interval_of_a_mean():
    rng = np.random.default_rng(0)
    sample = rng.normal(size=2_000)
    found = interval(np.mean, sample, rng=rng, n=2_000)
    half = 1.96 * sample.std() / np.sqrt(2_000)
    assert found.low == pytest.approx(sample.mean() - half, abs=half / 10)
    assert found.high == pytest.approx(sample.mean() + half, abs=half / 10)


def test_arrays_are_drawn_together():
    labels = np.tile([0, 1], 100)
    found = interval(auc, labels, labels * 1.0, rng=np.random.default_rng(0))
    assert (found.estimate, found.low, found.high) == (1, 1, 1)


def test_whole_groups_are_drawn():
    # 40 users with 25 equal rows each: rows say 1000, there are 40
    rng = np.random.default_rng(0)
    users = np.repeat(np.arange(40), 25)
    values = np.repeat(rng.normal(size=40), 25)
    by_row = interval(np.mean, values, rng=rng)
    by_user = interval(np.mean, values, groups=users, rng=rng)
    ratio = (by_user.high - by_user.low) / (by_row.high - by_row.low)
    assert ratio == pytest.approx(5, rel=0.2)


def test_the_same_seed_gives_the_same_interval():
    sample = np.arange(50.0)
    one, other = (interval(np.median, sample, rng=np.random.default_rng(3)) for _ in range(2))
    assert one == other


def test_resamples_without_a_class_are_left_out():
    labels = np.array([1] + [0] * 9)
    found = interval(auc, labels, np.arange(10.0), rng=np.random.default_rng(0))
    assert 0 <= found.low <= found.high <= 1


@pytest.mark.parametrize(
    ("arrays", "settings", "message"),
    [
        ((), {}, "non-empty"),
        (([1, 2], [1]), {}, "equally long"),
        (([],), {}, "non-empty"),
        (([1, 2],), {"n": 5}, "n must be at least 20"),
        (([1, 2],), {"level": 95}, "level must be in"),
        (([1, 2],), {"groups": [1]}, "groups must have shape"),
    ],
)
def test_bad_input_is_named(arrays, settings, message):
    with pytest.raises(ValueError, match=message):
        interval(lambda *columns: 0.0, *arrays, rng=np.random.default_rng(0), **settings)


def test_a_metric_that_is_mostly_nan_is_an_error():
    with pytest.raises(ValueError, match="NaN on 500 of 500"):
        interval(lambda column: float("nan"), [1.0, 2.0], rng=np.random.default_rng(0))


def test_wilson_by_hand():
    # Brown, Cai, DasGupta (2001): 0 of n has high z^2 / (n + z^2)
    z = 1.959964
    none, every = share_interval(0, 50), share_interval(50, 50)
    assert (none.low, none.high) == (0, pytest.approx(z**2 / (50 + z**2), rel=1e-6))
    assert (every.low, every.high) == (pytest.approx(50 / (50 + z**2), rel=1e-6), 1)


def test_wilson_agrees_with_scipy():
    from scipy.stats import binomtest

    for successes, trials in [(1, 10), (30, 100), (7, 7), (999, 1_000)]:
        expected = binomtest(successes, trials).proportion_ci(0.9, method="wilson")
        found = share_interval(successes, trials, level=0.9)
        assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


@pytest.mark.parametrize(("successes", "trials"), [(-1, 5), (6, 5), (0, 0)])
def test_shares_need_trials(successes, trials):
    with pytest.raises(ValueError, match="need 0 <= successes <= trials"):
        share_interval(successes, trials)


def test_the_repr_is_the_report():
    assert repr(Interval(0.81234, 0.79, 0.8312)) == "0.812 [0.79, 0.831]"
