"""The read-out over time: moments against pandas, adjustments by hand, decisions, bad input."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from workbench.experiments.boundaries import confidence_sequence, group_sequential
from workbench.experiments.looks import ADJUSTMENTS, looks
from workbench.experiments.running import running_moments

START = datetime(2026, 3, 1, tzinfo=UTC)


def rows(users=300, days=6, seed=0):
    """Users come on some day, and buy on it and on later days."""
    rng = np.random.default_rng(seed)
    n = users * 4
    user = rng.integers(0, users, n)
    seconds = rng.integers(0, days * 86_400, n)
    arm = np.where(np.arange(users) % 2, "new", "old")[user]
    spent = rng.gamma(0.5, 40, n) * (rng.random(n) < 0.5)
    time = [START + timedelta(seconds=int(each)) for each in seconds]
    return pl.DataFrame({"user": user, "variant": arm, "time": time, "spent": spent})


def moments(days=10, effect=0.0, users=200, seed=0):
    rng = np.random.default_rng(seed)
    made = []
    for arm in ("old", "new"):
        values = rng.normal(10 + effect * (arm == "new"), 3, users * days)
        for day in range(1, days + 1):
            so_far = values[: users * day]
            made.append((day, arm, len(so_far), so_far.mean(), so_far.var(ddof=1)))
    schema = ["look", "variant", "users", "mean", "variance"]
    return pl.DataFrame(made, schema, orient="row")


class TestRunningMoments:
    def test_each_look_is_what_pandas_says_of_the_rows_until_then(self):
        table = rows()
        found = running_moments(table, "spent")
        for look in found["look"].unique():
            past = table.to_pandas()
            past = past[past["time"] < look].groupby(["variant", "user"])["spent"].sum()
            expected = past.groupby("variant").agg(["size", "mean", "var"]).loc[["new", "old"]]
            mine = found.filter(pl.col("look") == look).sort("variant")
            np.testing.assert_allclose(
                mine.select("users", "mean", "variance").to_numpy(), expected, rtol=1e-9
            )

    def test_order_and_laziness_of_the_rows_do_not_matter(self):
        table = rows()
        shuffled = table.sample(fraction=1, shuffle=True, seed=1)
        one, two = (running_moments(each, "spent") for each in (table, shuffled.lazy()))
        keys = ["look", "variant"]
        assert (
            one.sort(keys)
            .select(pl.exclude("mean", "variance"))
            .equals(two.sort(keys).select(pl.exclude("mean", "variance")))
        )
        for name in ("mean", "variance"):
            np.testing.assert_allclose(one.sort(keys)[name], two.sort(keys)[name], rtol=1e-12)

    def test_days_without_rows_repeat_what_was_known(self):
        table = rows().filter(~pl.col("time").dt.day().is_in([3, 4]))
        found = running_moments(table, "spent").filter(pl.col("variant") == "old")
        assert len(found) == 6
        assert found.row(1)[2:] == found.row(2)[2:] == found.row(3)[2:]

    def test_a_missing_column_is_named_lazily_too(self):
        for table in (rows(), rows().lazy(), rows().to_pandas()):
            with pytest.raises(ValueError, match="table has no column 'paid'; it has"):
                running_moments(table, "paid")

    def test_one_user_has_a_mean_and_no_variance(self):
        found = running_moments(rows().filter(pl.col("user") == 7), "spent")
        assert found["users"][-1] == 1
        assert found["variance"].null_count() == len(found)

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            (pl.lit("a").alias("spent"), "'spent' must be numbers, got String"),
            (pl.lit(float("inf")).alias("spent"), "NaN or infinite"),
            (pl.lit(None, pl.Int64).alias("user"), "'user' is null in 1,200 rows"),
            (pl.col("time").dt.replace_time_zone(None), "time must have a time zone"),
            (pl.lit(7).alias("user"), "user 7 has two values of 'variant'"),
        ],
    )
    def test_bad_rows_are_named(self, change, words):
        with pytest.raises(ValueError, match=words):
            running_moments(rows().with_columns(change), "spent")


class TestAdjustments:
    def test_each_row_says_which_adjustment_was_used(self):
        for adjustment in ADJUSTMENTS:
            read = looks(moments(), control="old", planned_users=4_000, adjustment=adjustment)
            assert read.table["adjustment"].unique().to_list() == [adjustment]
            assert adjustment in repr(read)
            assert adjustment in read.verdict
            assert all(len(line) <= 90 for line in repr(read).splitlines())

    def test_group_sequential_intervals_are_the_boundary_times_the_error(self):
        frame = moments()
        read = looks(frame, control="old", planned_users=4_000, adjustment="group_sequential")
        bounds = group_sequential(np.arange(1, 11) / 10)
        wide = frame.pivot("variant", index="look", values=["users", "variance"])
        error = np.sqrt(wide["variance_old"] / wide["users_old"]
                        + wide["variance_new"] / wide["users_new"])  # fmt: skip
        half = (read.table["adjusted_high"] - read.table["adjusted_low"]) / 2
        np.testing.assert_allclose(half, bounds * error, rtol=1e-9)

    def test_always_valid_intervals_are_the_confidence_sequence(self):
        frame = moments()
        read = looks(frame, control="old", planned_users=4_000, adjustment="always_valid")
        wide = frame.pivot("variant", index="look", values=["users", "variance"])
        users = wide["users_old"] + wide["users_new"]
        variance = (wide["variance_old"] / wide["users_old"]
                    + wide["variance_new"] / wide["users_new"])  # fmt: skip
        expected = confidence_sequence(users, variance, tuned_at=4_000)
        half = (read.table["adjusted_high"] - read.table["adjusted_low"]) / 2
        np.testing.assert_allclose(half, expected, rtol=1e-9)
        p_value = read.table["adjusted_p_value"].to_numpy()
        assert (np.diff(p_value) <= 0).all()
        out = (read.table["adjusted_low"] > 0) | (read.table["adjusted_high"] < 0)
        assert (out.cum_max() == (read.table["adjusted_p_value"] < 0.05)).all()

    def test_more_users_than_planned_do_not_spend_alpha_twice(self):
        few = looks(moments(), control="old", planned_users=4_000, adjustment="group_sequential")
        late = looks(moments(), control="old", planned_users=2_000, adjustment="group_sequential")
        assert late.table["information"].to_list()[4:] == [1.0] * 6
        error = late.table["adjusted_high"] - late.table["adjusted_low"]
        assert error.is_sorted(descending=True)
        assert few.table["adjusted_low"][-1] != late.table["adjusted_low"][-1]


class TestDecisions:
    def test_fixed_waits_for_the_plan_however_clear_it_looks(self):
        read = looks(moments(effect=3), control="old", planned_users=4_000, adjustment="fixed")
        assert read.table["decision"].to_list() == ["wait"] * 9 + ["stop: better"]

    def test_the_others_may_stop_early_and_stay_stopped(self):
        for adjustment in ADJUSTMENTS[1:]:
            read = looks(
                moments(effect=-2), control="old", planned_users=4_000, adjustment=adjustment
            )
            decisions = read.table["decision"].to_list()
            first = decisions.index("stop: worse")
            assert 0 <= first < 9
            assert set(decisions[first:]) == {"stop: worse"}
            assert read.stopped["look"] == first + 1

    def test_without_an_effect_a_plan_ends_and_the_endless_goes_on(self):
        ends = {}
        for adjustment in ADJUSTMENTS:
            read = looks(moments(seed=1), control="old", planned_users=4_000, adjustment=adjustment)
            ends[adjustment] = read.table["decision"][-1]
        none = "end: no difference shown"
        assert ends == {"fixed": none, "group_sequential": none, "always_valid": "go on"}
        assert "nothing may be claimed yet" in read.verdict

    def test_equal_arms_without_variance_are_no_difference(self):
        frame = pl.DataFrame(
            [(1, "a", 50, 1.0, 0.0), (1, "b", 50, 1.0, 0.0)],
            ["look", "variant", "users", "mean", "variance"], orient="row",
        )  # fmt: skip
        for adjustment in ADJUSTMENTS:
            read = looks(frame, control="a", planned_users=100, adjustment=adjustment)
            assert read.table.select("difference", "adjusted_low", "adjusted_high").row(0) == (
                0.0,
                0.0,
                0.0,
            )
            assert read.table["adjusted_p_value"][0] == 1.0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"adjustment": "bayes"}, "adjustment must be one of"),
        ({"planned_users": 0}, "planned_users must be a number above zero, got 0"),
        ({"control": "older"}, r"control 'older' is none of the arms \['old', 'new'\]"),
        ({"arm": "newer"}, r"arm must be one of \['new'\], got 'newer'"),
    ],
)
def test_bad_settings_are_named(change, words):
    settings = {"control": "old", "planned_users": 10, "adjustment": "fixed"} | change
    with pytest.raises(ValueError, match=words):
        looks(moments(), **settings)


def test_moments_that_cannot_be_cumulative_are_named():
    frame, settings = moments(), {"control": "old", "planned_users": 10, "adjustment": "fixed"}
    shrinking = frame.with_columns(look=-pl.col("look"))
    with pytest.raises(ValueError, match="must not become fewer"):
        looks(shrinking, **settings)
    with pytest.raises(ValueError, match="a look twice"):
        looks(pl.concat([frame, frame]), **settings)
    with pytest.raises(ValueError, match="no look has two users"):
        looks(frame.with_columns(users=pl.lit(1)), **settings)
    with pytest.raises(ValueError, match="finite numbers"):
        looks(frame.with_columns(mean=pl.lit(float("nan"))), **settings)
