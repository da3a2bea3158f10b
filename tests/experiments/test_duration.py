"""Days from one's own log: by hand, against the tables' own numbers, and where the log ends."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from workbench.experiments.duration import duration, duration_days
from workbench.experiments.metric import Mean, Proportion, Ratio
from workbench.experiments.planning import Design, minimum_detectable_effect, sample_size

MIDNIGHT = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def log():
    """Two weeks of 4,000 users, who have a taste that was known before."""
    rng = np.random.default_rng(3)
    user, hours = rng.integers(0, 4_000, 20_000), np.sort(rng.integers(0, 14 * 24, 20_000))
    taste = rng.lognormal(0, 0.5, 4_000)
    return pl.DataFrame(
        {
            "user": user,
            "time": [MIDNIGHT + timedelta(hours=int(each)) for each in hours],
            "spent": taste[user] * rng.exponential(5.0, 20_000),
            "views": rng.integers(1, 5, 20_000),
            "bought": rng.random(20_000) < 0.05,
            "before": taste[user],
        }
    )


def test_days_by_hand_within_and_beyond_the_log():
    arrived = [600, 1_000, 1_200]  # 400 a day on average
    assert duration_days([0, 600, 601, 1_200, 1_201, 1_600, 1_601], arrived).tolist() == [
        1, 1, 2, 3, 4, 4, 5,
    ]  # fmt: skip
    # only the last seven days tell the rate: 700 on the first day, ten on each after
    assert duration_days(800, 700 + 10 * np.arange(9)) == 9 + 2
    assert np.isinf(duration_days(11, [10] * 9))


def test_the_curve_is_of_the_users_of_the_first_days(log):
    made = duration(log, "spent", lift=0.02)
    for days in (1, 5, 14):
        part = log.filter(pl.col("time") < MIDNIGHT + timedelta(days=days))
        per_user = part.group_by("user").agg(pl.col("spent").sum())["spent"]
        row = made.table.row(days - 1, named=True)
        assert row["users"] == len(per_user)
        assert row["mean"] == pytest.approx(per_user.mean())
        assert row["variance"] == pytest.approx(per_user.var())
        least = minimum_detectable_effect(len(per_user), per_user.var())
        assert row["minimum_detectable_effect"] == pytest.approx(least)
        assert row["lift"] == pytest.approx(least / per_user.mean())


def test_a_capped_mean_and_one_pass_are_of_the_same_days(log):
    uncapped = duration(log, Mean("spent", winsorise=1.0), lift=0.02).table  # day by day
    assert_frame_equal(uncapped, duration(log, "spent", lift=0.02).table)
    capped = duration(log, Mean("spent", winsorise=0.95), lift=0.02).table
    assert (capped["variance"][:14] < uncapped["variance"][:14]).all()


def test_the_first_day_that_sees_the_effect_is_the_answer(log):
    made = duration(log, "spent", lift=0.10)
    lifts = made.table["lift"].to_list()
    assert made.days == next(day for day, lift in enumerate(lifts, 1) if lift <= 0.10)
    assert 1 < made.days < 14
    assert duration(log, "spent", lift=-0.10).days == made.days
    assert f"{made.days} days" in repr(made)
    assert "(+10.00%)" in repr(made)


def test_beyond_the_log_new_users_come_as_in_its_last_week(log):
    made = duration(log, "spent", lift=0.02)
    users = made.table.filter("in_log")["users"]
    variance, mean = made.table["variance"][13], made.table["mean"][13]
    needed = sample_size(0.02 * mean, variance)
    rate = (users[13] - users[6]) / 7
    assert made.days == 14 + np.ceil((needed - users[13]) / rate)
    beyond = made.table.filter(~pl.col("in_log"))
    assert beyond.height == min(made.days - 14, 365)
    if made.days - 14 <= 365:
        assert beyond["lift"][-1] <= 0.02 < beyond["lift"][-2]


def test_cuped_saves_the_share_of_variance_that_it_explains(log):
    plain, less = (
        duration(log, "spent", lift=0.03),
        duration(log, Mean("spent", ["before"]), lift=0.03),
    )
    users = log.group_by("user").agg(pl.col("spent").sum(), pl.col("before").first())
    explained = np.corrcoef(users["spent"], users["before"])[0, 1] ** 2
    saved = less.table.filter("in_log")["reduction"][-1]
    assert saved == pytest.approx(explained, abs=1e-3)
    assert 0.1 < saved < 0.6
    ratio = less.table["variance"][13] / plain.table["variance"][13]
    assert ratio == pytest.approx(1 - explained, abs=1e-3)
    assert less.days < plain.days
    assert f"CUPED saves {saved:.0%} of users" in repr(less)


def test_every_kind_of_metric_and_table_and_share_of_traffic(log):
    ratio = duration(log, Ratio("spent", "views"), lift=0.05)
    assert ratio.table["mean"][13] == pytest.approx(log["spent"].sum() / log["views"].sum())
    bought = duration(log, Proportion("bought"), lift=0.1)
    share = bought.table["mean"][13]
    assert bought.table["variance"][13] == pytest.approx(share * (1 - share), rel=1e-3)
    whole = duration(log, "spent", lift=0.1)
    for table in (log.lazy(), log.to_pandas(), log.to_arrow()):
        assert_frame_equal(duration(table, "spent", lift=0.1).table, whole.table)
    half = duration(log, "spent", lift=0.1, traffic_share=0.5)
    assert half.table["users"][13] == whole.table["users"][13] / 2
    assert half.days > whole.days


def test_a_margin_is_planned_for_without_an_effect(log):
    mean = duration(log, "spent", lift=0.1).table["mean"][13]
    made = duration(log, "spent", effect=0.0, design=Design(margin=0.05 * mean))
    assert made.days is not None
    assert "a loss of" in repr(made)
    assert max(map(len, repr(made).split("\n"))) <= 90


def test_traffic_that_dries_up_has_no_answer():
    users = pl.DataFrame(
        {
            "user": list(range(10)) * 10,
            "time": [MIDNIGHT + timedelta(days=n // 10) for n in range(100)],
            "spent": np.random.default_rng(0).normal(5, 1, 100),
        }
    )
    made = duration(users, "spent", lift=0.001)
    assert made.days is None
    assert "never: no new users come" in repr(made)


@pytest.mark.parametrize(
    ("change", "asked", "words"),
    [
        ({}, {}, "give effect or lift, a finite number, got None and None"),
        ({}, {"effect": 1.0, "lift": 0.1}, "give effect or lift"),
        ({}, {"lift": np.nan}, "give effect or lift"),
        ({}, {"lift": 0.0}, "effect must be different from 0"),
        ({}, {"lift": 0.1, "traffic_share": 0.0}, r"traffic_share must be in \(0, 1\], got 0"),
        ({"time": pl.lit(None).cast(pl.Datetime("us", "UTC"))}, {"lift": 0.1}, "time is null in 2"),
        ({"time": pl.col("time").dt.replace_time_zone(None)}, {"lift": 0.1}, "and a zone, got D"),
        (
            {"time": pl.col("time").dt.date()},
            {"lift": 0.1},
            "time must be dates with hours and a zone, got Date",
        ),
        ({"spent": pl.lit(0.0)}, {"lift": 0.1}, "lift is a share of the mean, and that is 0"),
        ({"spent": pl.lit(None).cast(float)}, {"lift": 0.1}, "'spent' is null in 20,000 rows"),
        ({"user": pl.lit(None).cast(int)}, {"lift": 0.1}, "'user' is null"),
    ],
)
def test_bad_input_is_refused_by_name(log, change, asked, words):
    with pytest.raises(ValueError, match=words):
        duration(log.with_columns(**change), "spent", **asked)


def test_missing_columns_and_odd_arrivals_are_refused(log):
    for table in (log.drop("time"), log.lazy().drop("time")):
        with pytest.raises(ValueError, match="has no column 'time'"):
            duration(table, "spent", lift=0.1)
    with pytest.raises(ValueError, match="table has no rows"):
        duration(log.clear(), "spent", lift=0.1)
    with pytest.raises(ValueError, match="metric must be one metric, got 2"):
        duration(log, ["spent", "views"], lift=0.1)
    for arrived in ([], [5, 4], [np.nan], [[1, 2]], [-1]):
        with pytest.raises(ValueError, match="arrived"):
            duration_days(10, arrived)
    with pytest.raises(ValueError, match="users must be 0 or more"):
        duration_days(-1, [5])
