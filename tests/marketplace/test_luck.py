import numpy as np
import pytest

from workbench.marketplace.luck import Ids, Luck


def test_ids_are_a_bijection_that_fits_a_float():
    ids = Ids(0, "request")
    rng = np.random.default_rng(0)
    user, visit, step = (rng.integers(0, 2**bits, 200_000) for bits in (24, 17, 12))
    numbers = ids.of(user, visit, step)
    assert numbers.min() >= 0
    assert numbers.max() < 2**53
    for part, back in zip((user, visit, step), ids.parts(numbers), strict=True):
        np.testing.assert_array_equal(part, back)
    corners = [np.array([0, 2**bits - 1]) for bits in (24, 17, 12)]
    for part, back in zip(corners, ids.parts(ids.of(*corners)), strict=True):
        np.testing.assert_array_equal(part, back)


def test_another_seed_or_purpose_gives_other_ids():
    numbers = {int(Ids(seed, name).of(7, 64, 0)[0]) for seed in (0, 1) for name in ("a", "b")}
    assert len(numbers) == 4


def test_luck_is_about_what_it_names_and_not_about_the_order():
    luck, users = Luck(0), np.arange(1_000)
    once = luck.normal("taste", users)
    np.testing.assert_array_equal(once[::-1], luck.normal("taste", users[::-1]))
    np.testing.assert_array_equal(once[500:503], luck.normal("taste", users[500:503]))
    assert abs(np.corrcoef(once, luck.normal("price", users))[0, 1]) < 0.1
    assert abs(np.corrcoef(once, Luck(1).normal("taste", users))[0, 1]) < 0.1


def test_keyed_numbers_have_the_distribution_they_claim():
    from scipy import stats

    luck, about = Luck(0), np.arange(20_000)
    assert stats.kstest(luck.uniform("a", about), "uniform").pvalue > 0.001
    assert stats.kstest(luck.normal("b", about), "norm").pvalue > 0.001
    assert stats.kstest(luck.exponential("c", about), "expon").pvalue > 0.001


@pytest.mark.parametrize("mean", [0.0, 0.3, 4.0])
def test_poisson_counts_have_their_mean_and_variance(mean):
    counts = Luck(0).poisson(np.array(mean), "visits", np.arange(50_000), most=31)
    assert counts.mean() == pytest.approx(mean, abs=0.04)
    assert counts.var() == pytest.approx(mean, abs=0.12)
    assert Luck(0).poisson(np.array(50.0), "visits", np.arange(9), most=3).tolist() == [3] * 9
