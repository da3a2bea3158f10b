import numpy as np
import pytest

from workbench.metrics import population_stability_index


def test_two_bins_match_the_formula_by_hand():
    # reference splits 2|2, live splits 1|3; +0.5 per bin gives p=(.5,.5), q=(.3,.7)
    value = population_stability_index([1, 2, 3, 4], [1, 3, 4, 4], bins=2)
    assert value == pytest.approx(0.2 * np.log(0.5 / 0.3) - 0.2 * np.log(0.5 / 0.7))


def test_the_planted_shift_is_found_within_two_days():
    rng = np.random.default_rng(0)
    days = [rng.lognormal(3.0 + 0.6 * (day >= 20), 1.0, 2_000) for day in range(40)]
    reference = np.concatenate(days[:7])
    alarms = [d for d in range(7, 40) if population_stability_index(reference, days[d]) > 0.1]
    assert 20 <= alarms[0] <= 22


def test_identical_samples_are_at_distance_zero():
    sample = np.random.default_rng(0).normal(size=500)
    assert population_stability_index(sample, sample) == 0


def test_noise_alone_has_the_stated_size():
    rng = np.random.default_rng(0)
    values = [population_stability_index(*rng.normal(size=(2, 2_000))) for _ in range(200)]
    assert np.mean(values) == pytest.approx(2 * 9 / 2_000, rel=0.15)


def test_a_column_of_mostly_zeros_is_compared_on_the_bins_it_has():
    rng = np.random.default_rng(0)
    sparse = rng.exponential(size=2_000) * (rng.random(2_000) < 0.1)
    assert population_stability_index(sparse, sparse) == 0
    assert population_stability_index(sparse, np.ones(2_000)) > 1
    assert population_stability_index(np.zeros(900), np.zeros(500)) < 0.001


def test_infinite_values_fall_into_the_outer_bins():
    assert population_stability_index([1, 2, 3, 4], [-np.inf, np.inf], bins=2) < 0.01


@pytest.mark.parametrize(
    ("reference", "live", "bins", "message"),
    [
        ([], [1], 10, "reference must be non-empty"),
        ([1], [], 10, "live must be non-empty"),
        ([1], [np.nan], 10, "live must be non-empty and free of NaN"),
        ([1], [1], 1, "bins must be at least 2, got 1"),
    ],
)
def test_bad_input_is_named(reference, live, bins, message):
    with pytest.raises(ValueError, match=message):
        population_stability_index(reference, live, bins=bins)
