"""The A/B explorer: its sums equal the rows', its words follow the evidence, its dial is honest."""

from datetime import UTC, datetime, timedelta
from time import perf_counter

import numpy as np
import polars as pl
import pytest

from workbench.experiments.boundaries import group_sequential
from workbench.experiments.crossing import crossing_probability
from workbench.experiments.looks import looks
from workbench.experiments.running import running_moments
from workbench.experiments.sample_ratio import sample_ratio
from workbench.widgets import ab_chart, ab_panel
from workbench.widgets.ab_days import ALL, days_of
from workbench.widgets.ab_explorer import explore, look_days
from workbench.widgets.ab_verdict import conditional_power, false_alarm_rate, verdict_of

START = datetime(2026, 3, 1, tzinfo=UTC)
EVEN = {"old": 0.5, "new": 0.5}


def rows(users=6_000, lift=0.0, days=14, seed=0, per_user=1, spread=1.0):
    rng = np.random.default_rng(seed)
    n = users * per_user
    user = np.repeat(np.arange(users), per_user)
    new = np.repeat(rng.random(users) < 0.5, per_user)
    before = np.repeat(rng.gamma(4.0, 2.5, users), per_user)
    minutes = rng.integers(0, days * 1440, n)
    return pl.DataFrame(
        {
            "user": user,
            "variant": np.where(new, "new", "old"),
            "time": [START + timedelta(minutes=int(each)) for each in minutes],
            "country": np.repeat(
                rng.choice(["ch", "fr", "it"], users, p=[0.6, 0.3, 0.1]), per_user
            ),
            "spent": (before + rng.normal(0, spread, n)) * np.where(new, 1 + lift, 1.0),
            "before": before,
        }
    )


def read(table, **more):
    more = {"covariates": {"spent": "before"}, "segments": ["country"], **more}
    return days_of(table, "spent", expected=EVEN, **more)


@pytest.mark.parametrize("per_user", [1, 3])
def test_every_day_equals_the_rows_until_then(per_user):
    table = rows(900, per_user=per_user)
    days = read(table)
    wanted = running_moments(table, "spent")
    found = days.moments("spent", "new")
    for arm, moments in (("old", found.control), ("new", found.treatment)):
        mine = wanted.filter(variant=arm)
        np.testing.assert_array_equal(moments.users[0], mine["users"])
        np.testing.assert_allclose(moments.mean[0], mine["mean"], rtol=1e-12)
        np.testing.assert_allclose(moments.variance[0], mine["variance"], rtol=1e-9)


def test_segments_and_cuped_equal_numpy_on_the_users_themselves():
    table = rows(900, per_user=2)
    days = read(table)
    today = START + timedelta(days=7)
    users = table.filter(pl.col("time") < today).group_by("user").agg(
        pl.col("variant", "country", "before").first(), pl.sum("spent")
    )  # fmt: skip
    french = users.filter(country="fr")
    at = days.segments["country"].index("fr")
    plain = days.moments("spent", "new", segment="country")
    new = french.filter(variant="new")["spent"]
    assert plain.treatment.mean[at, 6] == pytest.approx(new.mean(), rel=1e-12)
    assert plain.treatment.variance[at, 6] == pytest.approx(new.var(), rel=1e-9)
    cuped = days.moments("spent", "new", segment="country", cuped=True)
    y, x = french["spent"].to_numpy(), french["before"].to_numpy()
    theta = np.cov(y, x)[0, 1] / x.var(ddof=1)
    less = y - theta * (x - x.mean())
    is_new = (french["variant"] == "new").to_numpy()
    assert cuped.treatment.mean[at, 6] == pytest.approx(less[is_new].mean(), rel=1e-9)
    assert cuped.treatment.variance[at, 6] == pytest.approx(less[is_new].var(ddof=1), rel=1e-9)


def test_intervals_and_p_values_are_those_of_the_experiments():
    table = rows(4_000, lift=0.04)
    view = explore(read(table), "spent", "new", planned_users=4_000)
    theirs = looks(
        running_moments(table, "spent"), control="old", planned_users=4_000,
        adjustment="always_valid",
    ).table  # fmt: skip
    assert len(view.table) == 14
    np.testing.assert_allclose(view.table["difference"], theirs["difference"], rtol=1e-9)
    np.testing.assert_allclose(view.table["p_value"], theirs["p_value"], rtol=1e-6)
    np.testing.assert_allclose(view.table["valid_p_value"], theirs["adjusted_p_value"], rtol=1e-6)


def test_the_always_valid_interval_is_wider_and_narrows_with_cuped():
    days = read(rows(6_000, lift=0.03))
    plain = explore(days, "spent", "new", planned_users=6_000)
    cuped = explore(days, "spent", "new", planned_users=6_000, cuped=True)
    for view in (plain, cuped):
        assert (view.table["valid_low"] <= view.table["low"]).all()
        assert (view.table["valid_high"] >= view.table["high"]).all()
    width = [view.today_row["valid_high"] - view.today_row["valid_low"] for view in (plain, cuped)]
    assert width[1] < width[0] / 3
    assert cuped.saved == pytest.approx(1 - 1 / (1 + 25), abs=0.02)  # var 25 of 26 is known before
    assert plain.saved == 0


@pytest.mark.parametrize("adjustment", ["fixed", "group_sequential", "always_valid"])
def test_the_verdict_stops_for_a_large_effect_and_not_for_none(adjustment):
    more = {"planned_users": 6_000, "adjustment": adjustment}
    better = explore(read(rows(lift=0.2)), "spent", "new", **more)
    assert better.verdict.startswith("stop: new is better")
    worse = explore(read(rows(lift=-0.2)), "spent", "new", **more)
    assert worse.verdict.startswith("stop: new is worse")
    none = explore(read(rows(lift=0.0)), "spent", "new", **more)
    assert none.verdict.startswith("too late to help")
    early = explore(read(rows(lift=0.0)), "spent", "new", today=3, **more)
    assert early.verdict.startswith("keep going: 2")


def test_a_failed_sample_ratio_silences_the_rest():
    table = rows(lift=0.2)
    lost = table.filter((pl.col("variant") == "old") | (pl.col("user") % 8 > 0))
    view = explore(read(lost), "spent", "new", planned_users=6_000)
    assert view.light == "red"
    assert view.verdict.startswith("SRM failed: do not read")
    assert explore(read(table), "spent", "new", planned_users=6_000).light == "green"


def test_the_dial_of_looks_shows_the_published_inflation():
    # Armitage, McPherson & Rowe (1969), table 2: 2, 5, 10, 20 looks at a nominal 5 %
    for number, published in ((1, 0.05), (2, 0.083), (5, 0.142), (10, 0.193), (20, 0.248)):
        share = tuple(look / number for look in range(1, number + 1))
        assert false_alarm_rate(share) == pytest.approx(published, abs=0.0006)
    days = read(rows(8_000))
    rates = [
        explore(days, "spent", "new", planned_users=8_000, looks=looks).false_alarm
        for looks in (1, 2, 7, 14)
    ]
    assert rates == sorted(rates)
    assert rates[0] == pytest.approx(0.05)


def test_boundaries_of_experiments_are_crossed_in_alpha_and_drift_follows_the_published_factor():
    share = np.arange(1, 6) / 5
    assert crossing_probability(group_sequential(share), share) == pytest.approx(0.05, abs=1e-5)
    # Jennison & Turnbull (2000), tables 2.1 to 2.4: five looks, alpha 5 %, power 90 %
    fixed = 1.959964 + 1.281552
    for bounds, factor in ((2.413 * np.ones(5), 1.207), (2.040 / np.sqrt(share), 1.026)):
        power = crossing_probability(bounds, share, fixed * np.sqrt(factor))
        assert power == pytest.approx(0.9, abs=0.001)


def test_the_verdict_by_hand():
    dealt = sample_ratio({"old": 500, "new": 500}, EVEN)
    told = {"arm": "new", "sample_ratio": dealt}
    fixed = {"adjustment": "fixed", **told}
    wait = verdict_of([3.0], [np.inf], [0.4], [4], **fixed)
    assert wait == "keep going: 40% of the planned users are in"
    late = verdict_of([3.0, 1.0, 2.5], [np.inf, 1.96, 1.96], [0.5, 1.0, 1.2], [5, 10, 12], **fixed)
    assert late.startswith("too late")  # the plan was read on day 10; day 12 does not count
    assert verdict_of([], [], [], [], **fixed).startswith("keep going: there are too few")
    assert float(conditional_power(0.0, 0.5)) == pytest.approx(2 * 0.002787, rel=0.01)


def test_looks_are_spread_and_end_today():
    assert look_days(14, 14) == tuple(range(1, 15))
    assert look_days(14, 1) == (14,)
    with pytest.raises(ValueError, match="between 1 and today, 3, got 4"):
        look_days(3, 4)


def test_identical_arms_no_spread_and_a_lone_user_have_an_answer():
    table = rows(2_000).with_columns(spent=pl.lit(3.0))
    view = explore(read(table), "spent", "new", planned_users=4_000)
    assert view.today_row["p_value"] == 1
    assert view.today_row["lift"] == 0
    assert (
        view.verdict == "keep going: 50% of the planned users are in" or "too late" in view.verdict
    )
    zero = explore(read(rows(2_000).with_columns(spent=pl.lit(0.0))), "spent", "new",
                   planned_users=9_000)  # fmt: skip
    assert np.isnan(zero.today_row["lift"])
    assert zero.verdict.startswith("keep going")
    lone = days_of(rows(1), "spent", expected=EVEN)
    assert explore(lone, "spent", "new", planned_users=10).verdict.startswith("keep going")


def test_arms_that_differ_without_any_spread_are_certain():
    table = rows(2_000).with_columns(spent=(pl.col("variant") == "new") + 1.0)
    view = explore(read(table), "spent", "new", planned_users=4_000)
    assert view.verdict.startswith("stop: new is better")
    assert view.today_row["p_value"] == view.today_row["valid_p_value"] == 0


def test_crossed_users_are_left_out_and_counted():
    table = rows(400)
    other = table.head(10).with_columns(variant=pl.lit("old"), time=pl.lit(START))
    also = table.head(10).with_columns(variant=pl.lit("new"), time=pl.lit(START))
    days = read(pl.concat([table, other, also]))
    assert days.crossed_users == 10
    assert days.users[:, -1].sum() == 390


def test_other_tables_and_many_segment_values():
    table = rows(3_000).with_columns(country=(pl.col("user") % 40).cast(pl.String))
    days = read(table)
    assert len(days.segments["country"]) == 13
    assert "other" in days.segments["country"]
    total = days.grams["country"].sum(axis=0)
    np.testing.assert_allclose(total, days.grams[ALL][0], atol=1e-6)
    pandas = explore(read(table.to_pandas()), "spent", "new", planned_users=3_000)
    arrow = explore(read(table.to_arrow()), "spent", "new", planned_users=3_000)
    assert pandas.table.equals(arrow.table)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: t.head(0), "no rows"),
        (lambda t: t.drop("time"), "no column 'time'"),
        (lambda t: t.with_columns(pl.col("time").dt.replace_time_zone(None)), "time zone"),
        (lambda t: t.with_columns(spent=pl.lit(float("nan"))), "NaN or infinite"),
        (lambda t: t.with_columns(spent=pl.lit(float("inf"))), "NaN or infinite"),
        (lambda t: t.with_columns(user=pl.lit(None)), "'user' is null in 50 rows"),
        (lambda t: t.with_columns(variant=pl.lit("blue")), "arm 'blue' was not planned"),
        (lambda t: t.with_columns(spent=pl.lit("much")), "must be numbers"),
    ],
)
def test_bad_tables_are_named(change, words):
    with pytest.raises(ValueError, match=words):
        read(change(rows(50)))


def test_bad_arguments_are_named():
    days = read(rows(500))
    more = {"planned_users": 500}
    with pytest.raises(ValueError, match="metric must be one of"):
        explore(days, "clicks", "new", **more)
    with pytest.raises(ValueError, match="arm must be one of"):
        explore(days, "spent", "old", **more)
    with pytest.raises(ValueError, match="today must be a day between 1 and 14, got 15"):
        explore(days, "spent", "new", today=15, **more)
    with pytest.raises(ValueError, match="planned_users must be above zero"):
        explore(days, "spent", "new", planned_users=0)
    with pytest.raises(ValueError, match="adjustment must be one of"):
        explore(days, "spent", "new", adjustment="peek", **more)
    with pytest.raises(ValueError, match="no covariate for CUPED"):
        explore(read(rows(500), covariates={}), "spent", "new", cuped=True, **more)
    with pytest.raises(ValueError, match="cannot be known before"):
        read(rows(50), covariates={"spent": "spent"})
    with pytest.raises(ValueError, match="shares"):
        days_of(rows(50), "spent", expected={"old": 0.5, "new": 0.6})


def test_the_truth_stands_beside_the_intervals_and_marks_them():
    days = read(rows(3_000, lift=0.05))
    more = {"planned_users": 3_000}
    view = explore(days, "spent", "new", true_lifts=[0.05] * 14, today=9, **more)
    low, high = (view.table[name].to_numpy() for name in ("low", "high"))
    known = np.isfinite(low)
    held = ((low <= 0.05) & (high >= 0.05))[known].mean()
    assert view.covered["one look"] == pytest.approx(held)
    assert view.true_lifts == (0.05,) * 9
    assert "true lift +5.0%" in repr(view)
    assert "The truth: +5.0%." in ab_chart.html(view)
    assert explore(days, "spent", "new", true_lifts=[9.0] * 14, **more).covered["every look"] == 0
    unknown = explore(days, "spent", "new", **more)
    assert unknown.covered == {}
    assert "truth" not in ab_chart.html(unknown)
    with pytest.raises(ValueError, match="a lift for each of 14 days, got 3"):
        explore(days, "spent", "new", true_lifts=[0.1] * 3, **more)
    box = ab_panel.panel(days, planned_users=3_000, true_lifts=[0.05] * 14)
    assert box.view.true_lifts[-1] == 0.05
    two = days_of(rows(500), ["spent", "before"], expected=EVEN)
    with pytest.raises(ValueError, match="one metric and two arms"):
        ab_panel.panel(two, planned_users=500, true_lifts=[0.05] * 14)


@pytest.mark.clock
def test_a_move_takes_a_fraction_of_a_second():
    days, took = read(rows(20_000, days=28)), []
    for today in range(1, 29):
        for adjustment in ("always_valid", "group_sequential"):
            start = perf_counter()
            explore(days, "spent", "new", planned_users=20_000, today=today,
                    adjustment=adjustment, segment="country", cuped=True)  # fmt: skip
            took.append(perf_counter() - start)
    print(f"a move: p95 {np.quantile(took, 0.95) * 1e3:.0f} ms, cold {max(took) * 1e3:.0f} ms")
    assert np.quantile(took, 0.5) < 0.15
