"""Each check by hand: what it finds, what it lets pass, and what chance alone would do."""

from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest

from workbench.data.rules import (
    completeness,
    duplicates,
    freshness,
    label_delay,
    new_categories,
    ranges,
    schema,
    units,
    volume,
)

NOON = datetime(2026, 3, 1, 12)


def severities(findings):
    return [finding.severity for finding in findings]


@pytest.mark.parametrize(
    ("missing", "expected"), [(0, []), (1, []), (3, ["warning"]), (6, ["warning"]), (12, ["error"])]
)
def test_missing_values_warn_from_one_point_and_fail_from_five(missing, expected):
    before = pl.DataFrame({"amount": [1.0] * 1_000})
    live = pl.DataFrame({"amount": [1.0] * (100 - missing) + [None] * missing})
    assert severities(completeness(live, before)) == expected


def test_nan_is_missing_and_a_column_that_is_gone_is_an_error():
    before = pl.DataFrame({"amount": [1.0] * 100, "place": ["Bern"] * 100})
    (nan,) = completeness(before.with_columns(amount=pl.lit(float("nan"))), before)
    assert (nan.severity, nan.rows) == ("error", 100)
    (gone,) = schema(before.drop("place"), before)
    assert (gone.severity, gone.evidence) == ("error", "place: the column is gone")


def test_a_share_of_nulls_that_was_always_there_is_no_news():
    rng = np.random.default_rng(0)
    frames = [pl.DataFrame({"x": np.where(rng.random(500) < 0.3, None, 1.0)}) for _ in range(200)]
    before = pl.concat(frames)
    assert sum(len(completeness(frame, before)) for frame in frames) == 0


@pytest.mark.parametrize(
    ("rows", "expected"),
    [(1_000, []), (710, []), (690, ["warning"]), (490, ["error"]), (0, ["error"]),
     (1_500, []), (1_700, ["warning"]), (2_500, ["error"])],
)  # fmt: skip
def test_a_day_is_compared_with_the_range_of_its_weekday(rows, expected):
    weekday, others = {7: 1_000, 14: 1_100, 21: 1_200}, {1: 5, 2: 5, 8: 90_000}
    assert severities(volume({0: rows}, weekday | others)) == expected


def test_a_weekday_when_the_shop_is_closed_may_be_empty():
    assert volume({0: 0}, {7: 0, 14: 0}) == []
    assert volume({0: 3}, {7: 0, 14: 1}) == [], "a handful is chance"
    assert severities(volume({0: 60}, {7: 0, 14: 0})) == ["error"]
    assert volume({0: 60}, {1: 500}) == [], "no such weekday, no verdict"


def test_small_counts_move_by_chance():
    rng = np.random.default_rng(0)
    counts = rng.poisson(20, size=(2_000, 5))
    found = [
        volume({0: row[0]}, dict(zip((7, 14, 21, 28), row[1:], strict=True))) for row in counts
    ]
    assert sum(map(bool, found)) <= 4


def test_silence_is_judged_by_the_same_hours_of_other_days():
    day = np.r_[np.zeros(480, int), np.full(720, 2), np.zeros(240, int)]  # open from 8 to 20
    weeks = np.tile(day, 15)
    assert freshness(weeks) == []
    assert freshness(weeks[:-1440]) == [], "closed since eight"
    late = weeks[: -1440 + 600].copy()  # at ten, after two hours of trade
    assert freshness(late) == []
    late[-30:] = 0
    assert severities(freshness(late)) == ["error"]
    outage = weeks.copy()
    outage[-840:-600] = 0  # and then it went on
    (found,) = freshness(outage)
    assert found.severity == "error"
    assert "until 10 h before the end of day 0" in found.evidence


def test_rows_that_come_seldom_are_judged_by_the_longest_gap():
    every_four_hours = np.tile(np.r_[1, np.zeros(239, int)], 6 * 10)
    assert freshness(every_four_hours) == []
    still = np.r_[every_four_hours, np.zeros(230, int)]
    assert freshness(still) == []
    assert severities(freshness(np.r_[still, np.zeros(60, int)])) == ["error"]
    assert freshness(still[: 1440 + 230]) == [], "six rows are too few to judge by"


def test_an_event_that_came_twice_is_an_error_and_equal_rows_are_counted():
    day = pl.DataFrame({"event": range(100), "user": range(100), "amount": [9.5] * 100})
    assert duplicates(day, day) == []
    again = pl.concat([day, day.head(7)])
    by_id, by_content = duplicates(again, day)
    assert (by_id.severity, by_id.rows) == ("error", 7)
    assert by_content.rows == 7
    resent = pl.concat([day, day.with_columns(event=pl.col("event") + 1_000)])
    (found,) = duplicates(resent, day)
    assert found.severity == "error"
    assert found.evidence == "equal rows under other event ids: 0 % before, 50 % now"


def test_cents_for_dollars_and_thousands_for_ones_are_found_in_either_direction():
    rng = np.random.default_rng(0)
    before = pl.DataFrame({"amount": rng.lognormal(3, 1, 5_000), "user": rng.integers(0, 9, 5_000)})
    live = before.head(500)
    assert units(live, before) == []
    for factor in (100, 0.01, 2.5):
        (found,) = units(live.with_columns(pl.col("amount") * factor), before)
        assert found.severity == "error"
    (found,) = units(live.with_columns(pl.col("amount") * 1.6), before)
    assert found.severity == "warning"
    assert units(live.with_columns(pl.col("user") * 100), before) == [], "an id has no size"


def test_days_that_differ_among_themselves_raise_no_alarm():
    rng = np.random.default_rng(0)
    times = [NOON + timedelta(days=day) for day in range(20) for _ in range(50)]
    size = np.repeat(rng.choice([10.0, 40.0], 20), 50) * rng.lognormal(0, 0.1, 1_000)
    before = pl.DataFrame({"known_at": times, "amount": size})
    live = pl.DataFrame({"amount": 40.0 * rng.lognormal(0, 0.1, 50)})
    assert units(live, before) == []
    assert severities(units(live * 4, before)) == ["error"]


def test_values_beyond_the_range_warn():
    before = pl.DataFrame({"amount": np.linspace(1, 100, 1_000)})
    live = pl.DataFrame({"amount": [50.0] * 90 + [500.0] * 10})
    (found,) = ranges(live, before)
    assert (found.severity, found.rows) == ("warning", 10)
    assert found.evidence == "amount: 10 % beyond 1 to 100"
    assert live.filter(found.where).height == 10


def test_new_words_are_named_and_rare_ones_are_expected():
    before = pl.DataFrame({"place": ["Bern"] * 500 + ["Basel"] * 500})
    live = pl.DataFrame({"place": ["Bern"] * 95 + ["BERN"] * 5})
    (found,) = new_categories(live, before)
    assert (found.severity, found.rows) == ("warning", 5)
    (found,) = new_categories(pl.DataFrame({"place": ["BERN"] * 100}), before)
    assert found.severity == "error"
    tail = pl.DataFrame({"place": ["Bern"] * 900 + [f"village {n}" for n in range(100)]})
    live = pl.DataFrame({"place": ["Bern"] * 90 + [f"hamlet {n}" for n in range(10)]})
    assert new_categories(live, tail) == [], "one in ten was new before, too"
    ids = pl.DataFrame(
        {"item": [f"i{n}" for n in range(100)], "text": [f"t{n}" for n in range(100)]}
    )
    assert new_categories(ids.with_columns(pl.all() + "!"), ids) == []


def test_labels_that_come_later_or_sooner_are_found():
    def after(days, n=50):
        return pl.DataFrame({"time": [NOON] * n, "known_at": [NOON + timedelta(days=days)] * n})

    assert label_delay(after(8), after(7)) == []
    assert severities(label_delay(after(12), after(7))) == ["warning"]
    assert severities(label_delay(after(21), after(7))) == ["error"]
    assert severities(label_delay(after(1), after(7))) == ["error"]
    assert label_delay(after(0), after(0)) == []
    assert severities(label_delay(after(0), after(7))) == ["error"]
    assert label_delay(after(21, n=5), after(7)) == [], "five are too few"


def test_an_empty_reference_column_or_frame_breaks_nothing():
    empty = pl.DataFrame({"event": [], "amount": [], "place": []}, schema_overrides={"place": str})
    live = pl.DataFrame({"event": [1, 2], "amount": [1.0, 2.0], "place": ["a", "b"]})
    for check in (duplicates, units, label_delay):
        assert check(live, empty) == []
        assert check(empty, live) == []
