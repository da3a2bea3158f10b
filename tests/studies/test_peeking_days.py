"""A/A tests on one's own log: each is a test read day by day, false as often as it may be."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from scipy.stats import binom

from workbench.assign import assign
from workbench.experiments.crossing import crossing_probability
from workbench.experiments.looks import looks
from workbench.experiments.running import running_moments
from workbench.studies.peeking_days import watched_twins

START = datetime(2026, 3, 1, tzinfo=UTC)


def payments(users=400, days=6, seed=0):
    """People who come back: several rows each, most of them small."""
    rng = np.random.default_rng(seed)
    n = users * 4
    return pl.DataFrame(
        {
            "user": rng.integers(0, users, n),
            "time": [START + timedelta(minutes=int(m)) for m in rng.integers(0, days * 1440, n)],
            "spent": rng.gamma(0.5, 20.0, n),
        }
    )


def newcomers(users, days, seed):
    """Everybody once, as many each day."""
    rng = np.random.default_rng(seed)
    when = [START + timedelta(days=number % days) for number in range(users)]
    return pl.DataFrame({"user": range(users), "time": when, "spent": rng.normal(5, 1, users)})


def test_a_test_is_what_one_reads_when_it_is_read_day_by_day():
    rows = payments()
    seen = watched_twins(rows, "spent", count=3, share=0.3, salt="x")
    shares = {"A": 0.7, "B": 0.3}
    for number in (0, 2):
        dealt = rows.with_columns(variant=assign(rows["user"], shares, salt=f"x/{number}"))
        daily = running_moments(dealt, "spent")
        table = looks(daily, control="A", planned_users=400, adjustment="fixed").table
        mine = seen.filter(experiment=number)
        assert mine["users_control"].to_list() == table["control_users"].to_list()
        assert mine["users_arm"].to_list() == table["arm_users"].to_list()
        for name in ("difference", "p_value"):
            np.testing.assert_allclose(mine[name], table[name], rtol=1e-9, atol=1e-12)


def test_other_tests_change_no_bit_and_the_order_of_rows_no_digit():
    rows = payments()
    seen = watched_twins(rows, "spent", count=70)
    assert seen.filter(pl.col("experiment") < 3).equals(watched_twins(rows, "spent", count=3))
    mixed = watched_twins(rows.sample(fraction=1.0, shuffle=True, seed=1), "spent", count=70)
    assert mixed.select(pl.selectors.integer()).equals(seen.select(pl.selectors.integer()))
    for name in ("difference", "variance", "p_value"):
        np.testing.assert_allclose(mixed[name], seen[name], rtol=1e-9, atol=1e-12)


def test_with_new_people_every_day_it_is_fooled_as_often_as_theory_says():
    days, count = 7, 600
    p = watched_twins(newcomers(3_500, days, 3), "spent", count=count)["p_value"].to_numpy()
    p = p.reshape(count, days)
    share = np.arange(1, days + 1) / days
    expected = float(crossing_probability(np.full(days, 1.96), share))
    for fooled, rate in ((p[:, -1] < 0.05, 0.05), ((p < 0.05).any(axis=1), expected)):
        low, high = binom.ppf([0.001, 0.999], count, rate)
        assert low <= fooled.sum() <= high


def test_two_people_of_whom_none_is_in_an_arm_have_no_p():
    rows = pl.DataFrame({"user": [1, 2], "time": [START] * 2, "spent": [1.0, 2.0]})
    assert watched_twins(rows, "spent", count=4)["p_value"].null_count() == 4


def test_people_who_all_do_the_same_show_nothing():
    rows = newcomers(200, 2, 0).with_columns(spent=3.0)
    assert watched_twins(rows, "spent", count=5)["p_value"].to_list() == [1.0] * 10


@pytest.mark.parametrize(
    ("change", "more", "words"),
    [
        (lambda rows: rows, {"count": 0}, "count >= 1"),
        (lambda rows: rows, {"count": "3"}, "count >= 1.*got '3'"),
        (lambda rows: rows, {"every": timedelta(0)}, "every must be a timedelta above zero"),
        (lambda rows: rows, {"every": 7}, "every must be a timedelta above zero, got 7"),
        (lambda rows: rows, {"share": 1.0}, r"share in \(0, 1\)"),
        (lambda rows: rows.drop("spent"), {}, "spent"),
        (lambda rows: rows.clear(), {}, "no rows"),
        (lambda rows: rows.with_columns(spent=None), {}, "'spent' is null in 1,600 rows"),
        (lambda rows: rows.with_columns(spent=float("inf")), {}, "must be finite numbers"),
        (lambda rows: rows.with_columns(pl.col("time").dt.replace_time_zone(None)), {}, "zone"),
    ],
)
def test_bad_tables_are_named(change, more, words):
    with pytest.raises(ValueError, match=words):
        watched_twins(change(payments()), "spent", **{"count": 1} | more)


def test_pandas_gives_the_same():
    rows = payments(users=50)
    both = [watched_twins(each, "spent", count=2) for each in (rows, rows.to_pandas())]
    assert both[0].equals(both[1])
