"""Claims of a daily peek: by hand, where the truth is known, and on the ASOS experiments."""

import numpy as np
import polars as pl
import pytest
from scipy.stats import binom

from workbench.data import asos
from workbench.experiments.crossing import crossing_probability
from workbench.studies.peeking_claims import peeking_claims, with_p_values


def _readings(arm_mean, users=(100, 400), **more):
    one = {
        "experiment": "a",
        "arm": 1,
        "metric": 1,
        "day": np.arange(len(arm_mean)) + 1,
        "users_control": users,
        "users_arm": users,
        "mean_control": 1.0,
        "mean_arm": arm_mean,
        "variance_control": 1.0,
        "variance_arm": 1.0,
    }
    return pl.DataFrame(one | more)


def test_three_ends_by_hand():
    """Errors sqrt(2/100) = 0.141 and sqrt(2/400) = 0.0707."""
    frames = [
        _readings([1.4, 1.05]),  # claimed, then nothing
        _readings([1.4, 1.4], experiment="b"),  # claimed and kept
        _readings([1.4, 0.6], experiment="c"),  # claimed better, ends worse
    ]
    table = peeking_claims(pl.concat(frames).sample(fraction=1.0, shuffle=True, seed=2)).table
    assert table["taken_back"].to_list() == [True, False, True]
    assert table["fixed"].to_list() == [False, True, True]
    assert table["daily_peek"].all()


def test_p_values_are_those_by_which_a_daily_peek_claims():
    frames = [_readings([1.4, 1.05]), _readings([1.1, 1.1], experiment="b")]
    rows = pl.concat(frames)
    seen = with_p_values(rows)
    assert seen.drop("difference", "p_value").equals(rows)
    np.testing.assert_allclose(seen["difference"], [0.4, 0.05, 0.1, 0.1])
    below = seen.group_by("experiment").agg(any=(pl.col("p_value") < 0.05).any())
    claims = peeking_claims(rows).table
    assert below.sort("experiment")["any"].to_list() == claims["daily_peek"].to_list()
    with pytest.raises(ValueError, match="need a column 'mean_arm'"):
        with_p_values(rows.drop("mean_arm"))


def test_without_an_effect_it_counts_what_theory_says():
    rng, days, n = np.random.default_rng(3), 14, 500
    mean = rng.normal(0, np.sqrt(1 / 100), (n, days)).cumsum(axis=1) / np.arange(1, days + 1)
    base = rng.normal(0, np.sqrt(1 / 100), (n, days)).cumsum(axis=1) / np.arange(1, days + 1)
    users = 100 * np.arange(1, days + 1)
    frames = [_readings(mean[i], users, experiment=str(i), mean_control=base[i]) for i in range(n)]
    table = peeking_claims(pl.concat(frames)).table
    share = np.arange(1, days + 1) / days
    expected = crossing_probability(np.full(days, 1.96), share)
    for name, rate in (("fixed", 0.05), ("daily_peek", expected), ("group_sequential", 0.05)):
        low, high = binom.ppf([0.001, 0.999], n, rate)
        assert low <= table[name].sum() <= high, name
    assert table["always_valid"].sum() <= binom.ppf(0.999, n, 0.05)


@pytest.mark.usefixtures("real_data")
def test_on_real_experiments_a_daily_peek_claims_more_than_the_end_shows():
    """Metric 1 of ASOS: 99 comparisons, of which the end shows 26, and a daily peek claims 44."""
    found = peeking_claims(asos.readings().filter(pl.col("metric") == 1)).table
    assert len(found) == 99
    assert (found["fixed"].sum(), found["daily_peek"].sum()) == (26, 44)
    assert found["taken_back"].sum() == 18


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (_readings([1.4, 1.0]).drop("mean_arm"), "need a column 'mean_arm'"),
        (_readings([1.4, 1.0]).clear(), "no rows"),
        (_readings([1.4, 1.0], users=(400, 100)), "become fewer in experiment 'a'"),
    ],
)
def test_bad_readings_are_named(frame, words):
    with pytest.raises(ValueError, match=words):
        peeking_claims(frame)


def test_alpha_is_a_share():
    with pytest.raises(ValueError, match="alpha"):
        peeking_claims(_readings([1.4, 1.0]), alpha=5)
