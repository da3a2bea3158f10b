"""Schema, distribution, clocks and slices by hand: what they find, and what they let pass."""

from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest

from workbench.data.rules import (
    clock_skew,
    distribution,
    hours,
    label_delay,
    ranges,
    schema,
    slices,
)

NOON = datetime(2026, 3, 2, 12)


def days_of(columns, days=14, per_day=200):
    """Rows of so many days; each column is a function of (rng, day, rows)."""
    parts = []
    for day in range(days):
        rng = np.random.default_rng([1, day])
        values = {name: make(rng, day, per_day) for name, make in columns.items()}
        parts.append(pl.DataFrame({"known_at": [NOON + timedelta(days=day)] * per_day, **values}))
    return pl.concat(parts)


def severities(findings):
    return [finding.severity for finding in findings]


@pytest.mark.parametrize(
    ("now", "word"),
    [
        ({"cost": pl.col("amount")}, "cost looks like it"),
        ({"city": pl.col("place")}, "the column is gone"),
        ({}, "the column is gone"),
    ],
)
def test_a_column_that_is_gone_is_an_error_and_its_new_name_is_guessed_by_what_is_in_it(now, word):
    rng = np.random.default_rng(0)
    before = pl.DataFrame({"amount": rng.lognormal(3, 1, 500), "place": ["Bern", "Zug"] * 250})
    live = before.with_columns(**now).drop("amount")
    found = schema(live, before)
    assert found[0].severity == "error"
    assert word in found[0].evidence
    assert ("looks like" in found[0].evidence) == ("cost" in now)


def test_two_columns_that_changed_names_are_told_apart():
    before = pl.DataFrame({"user": range(1_000, 2_000), "item": range(1_000)})
    live = before[:400].rename({"user": "buyer", "item": "article"})
    assert [each.evidence.split("; ")[1] for each in schema(live, before)] == [
        "buyer looks like it, alike by 1.00",
        "article looks like it, alike by 1.00",
    ]


def test_new_columns_warn_and_other_types_are_errors():
    before = pl.DataFrame({"amount": [1.5, 2.5] * 50, "code": ["7", "8"] * 50})
    assert severities(schema(before.with_columns(extra=1), before)) == ["warning"]
    assert schema(before.cast({"amount": pl.Float32}), before) == []
    assert schema(before.cast({"amount": pl.Int64}), before) == [], "numbers are numbers"
    (found,) = schema(before.cast({"amount": pl.String}), before)
    assert found.evidence == "amount: Float64 before, String now"
    (found,) = schema(before.with_columns(code=pl.lit("n7")), before)
    assert found.evidence == "code: read as numbers before, as text now"


def test_a_column_that_is_mostly_empty_may_be_empty_today():
    before = pl.DataFrame({"coupon": ["X", *[None] * 9] * 100})
    assert (
        schema(pl.DataFrame({"coupon": [None] * 100}, schema={"coupon": pl.String}), before) == []
    )


def test_a_change_of_shape_is_judged_by_its_size_and_not_by_its_significance():
    rng = np.random.default_rng(0)
    before, live = (pl.DataFrame({"x": rng.normal(0, 1, 100_000)}) for _ in range(2))
    assert distribution(live + 0.1, before) == [], "ten thousand times significant, and nothing"
    assert severities(distribution(live + 0.4, before)) == ["warning"]
    assert severities(distribution(live * 2, before)) == ["error"]
    assert distribution(live[:25] * 2, before) == [], "25 rows say nothing"


def test_days_that_always_differed_are_no_news():
    swing = days_of({"x": lambda rng, day, n: rng.normal(day % 2, 1, n)})
    one_of_them = pl.DataFrame({"x": np.random.default_rng(0).normal(1, 1, 200)})
    assert distribution(one_of_them, swing) == []
    far = pl.DataFrame({"x": np.random.default_rng(0).normal(4, 1, 200)})
    assert severities(distribution(far, swing)) == ["error"]


def test_a_value_that_half_of_the_rows_have_is_a_bin_of_its_own():
    rng = np.random.default_rng(0)
    before = pl.DataFrame(
        {"tip": np.where(rng.random(4_000) < 0.6, 0.0, rng.lognormal(1, 1, 4_000))}
    )
    live = pl.DataFrame(
        {"tip": np.where(rng.random(1_000) < 0.95, 0.0, rng.lognormal(1, 1, 1_000))}
    )
    assert severities(distribution(live, before)) == ["error"]
    assert distribution(before[:1_000], before) == []


def test_words_and_truth_values_shift_too():
    before = pl.DataFrame({"place": ["Bern", "Zug"] * 500, "new": [True, False] * 500})
    live = before.with_columns(new=pl.int_range(1_000) % 10 == 0)
    (found,) = distribution(live, before)
    assert found.evidence == "new: 'true' 50 % before, 10 % now, PSI 0.86"


def test_signs_that_were_always_there_are_no_news():
    before = days_of({"amount": lambda rng, day, n: np.where(rng.random(n) < 0.1, -5.0, 5.0)})
    assert ranges(before[:200], before) == []
    more = before[:200].with_columns(
        amount=pl.when(pl.int_range(200) < 100).then(-5.0).otherwise(5.0)
    )
    (found,) = ranges(more, before)
    assert (found.severity, found.rows) == ("error", 100)


def arrivals(delay_minutes, n=600, spread=0.0):
    rng = np.random.default_rng(0)
    delays = delay_minutes + spread * rng.exponential(1, n)
    known = [NOON + timedelta(minutes=7.0 * row) for row in range(n)]
    times = [each - timedelta(minutes=late) for each, late in zip(known, delays, strict=True)]
    return pl.DataFrame({"time": times, "known_at": known})


def test_a_clock_that_is_off_by_an_hour_is_no_delay():
    before = arrivals(0.01, spread=0.2)
    for hour in (60, -60):
        live = arrivals(0.01 + hour, spread=0.2)
        assert severities(clock_skew(live, before)) == ["error"]
        assert label_delay(live, before) == []
    assert clock_skew(arrivals(0.3, spread=0.2), before) == [], "less than half a minute"
    days = arrivals(3 * 1440.0)
    assert clock_skew(days, before) == []
    assert severities(label_delay(days, before)) == ["error"], "three days are a delay"


def test_a_few_events_from_the_future_warn_and_many_fail():
    before = arrivals(5.0, spread=1.0)
    for share, expected in ((0.0, []), (0.005, ["warning"]), (0.05, ["error"])):
        ahead = pl.int_range(600) < 600 * share
        live = before.with_columns(
            time=pl.when(ahead).then(pl.col("known_at") + pl.duration(hours=2)).otherwise("time")
        )
        found = clock_skew(live, before)
        assert severities(found) == expected
        assert all(live.filter(each.where).height == each.rows for each in found)


def test_a_tail_of_late_labels_moves_the_mean():
    before = arrivals(60.0, spread=5.0)
    tail = pl.int_range(600) % 4 == 0
    live = before.with_columns(
        time=pl.when(tail).then(pl.col("time") - pl.duration(days=5)).otherwise("time")
    )
    (found,) = label_delay(live, before)
    assert found.evidence == "known after 65.3 min before, 31.1 h now (mean)"


def test_hours_that_move_together_are_found_and_other_days_are_not():
    rng = np.random.default_rng(0)

    def shop(days, start=0):
        when = [
            NOON.replace(hour=0) + timedelta(days=start + day, hours=float(hour))
            for day in range(days)
            for hour in rng.triangular(6, 12, 22, 700)
        ]
        return pl.DataFrame({"time": when})

    before, live = shop(7), shop(1, start=7)
    assert hours(live, before) == []
    (found,) = hours(live.with_columns(pl.col("time") - pl.duration(hours=5)), before)
    assert found.evidence.startswith("hours moved by -5: ")
    assert hours(live.filter(pl.col("time").dt.hour() < 13), before) == [], "closed at one"


@pytest.fixture(scope="module")
def places():
    """Three weeks of payments in four places, 10 % of them in Uri, with a device that may lack."""
    names = ["Bern", "Basel", "Zug", "Uri"]
    return days_of(
        {
            "place": lambda rng, day, n: rng.choice(names, n, p=[0.4, 0.3, 0.2, 0.1]),
            "amount": lambda rng, day, n: rng.lognormal(3, 1, n),
            "device": lambda rng, day, n: np.where(rng.random(n) < 0.02, np.nan, 1.0),
        },
        days=22,
        per_day=1_500,
    )


def test_a_fault_in_one_place_is_found_and_the_place_is_named(places):
    before, live = places[:-1_500], places[-1_500:]
    uri = pl.col("place") == "Uri"
    assert slices(live, before) == []
    cents = live.with_columns(amount=pl.col("amount") * pl.when(uri).then(100).otherwise(1))
    (found,) = slices(cents, before)
    assert (found.check, found.severity, found.column) == ("units", "error", "amount")
    assert found.evidence.startswith("amount where place is 'Uri': median ")
    assert live.filter(found.where)["place"].unique().to_list() == ["Uri"]
    lost = live.with_columns(device=pl.when(~uri).then("device"))
    (found,) = slices(lost, before)
    assert (found.check, found.severity, found.column) == ("completeness", "error", "device")
    (found,) = slices(live.filter(~uri), before)
    assert (found.check, found.severity, found.rows) == ("volume", "error", 0)


def test_a_slice_that_is_closed_on_sundays_may_be_empty_on_one(places):
    uri, sunday = pl.col("place") == "Uri", pl.col("known_at").dt.weekday() == 7
    before = places.filter(~(uri & sunday))
    live = places[-1_500:].filter(~uri)
    assert slices(live, before[: -live.height]) == []
