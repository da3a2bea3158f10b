"""Ratios, formulas, the calendar: by hand, at their limits, refused where they make no sense."""

from __future__ import annotations

import inspect
import math
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from workbench import features

NOW = datetime(2024, 3, 31, 0, 30, tzinfo=UTC)
USUAL = features.mean("amount", of="payment", per="user", days=30)
PAID = pl.DataFrame(
    {
        "user": [1, 1, 2],
        "amount": [10.0, 30.0, 0.0],
        "lat": [47.0, 47.0, 0.0],
        "lon": [8.0, 8.0, 179.0],
        "time": [NOW - timedelta(days=1)] * 3,
    }
).with_columns(known_at="time")


def computed(feature, requests: pl.DataFrame) -> list:
    return features.training_frame(requests, [feature], {"payment": PAID})[feature.name].to_list()


def asked(**columns) -> pl.DataFrame:
    return pl.DataFrame(columns).with_columns(time=NOW)


def test_an_amount_over_the_usual_one_is_null_where_nothing_is_usual_or_the_usual_is_zero():
    over = features.formula("amount / usual", usual=USUAL, name="amount_over_usual")
    assert computed(over, asked(user=[1, 2, 3], amount=[50.0, 5.0, 5.0])) == [2.5, None, None]


def test_a_formula_may_use_a_ratio_and_columns_of_the_request_only():
    number = features.count("payment", per="user", days=30)
    doubled = features.formula(
        "2 * r", r=features.ratio(USUAL, number, name="mean_over_number"), name="doubled"
    )
    assert computed(doubled, asked(user=[1])) == [20.0]
    night = features.formula("amount > 100", name="big")
    assert computed(night, asked(amount=[101.0, 99.0])) == [True, False]


def test_the_distance_is_zero_at_home_and_half_a_circumference_at_the_antipode():
    usual = tuple(features.mean(c, of="payment", per="user", days=30) for c in ("lat", "lon"))
    far = features.distance_km("lat", "lon", usual, name="km")
    at = asked(user=[1, 1, 2, 9], lat=[47.0, -47.0, 0.0, 1.0], lon=[8.0, -172.0, -179.0, 1.0])
    home, antipode, date_line, stranger = computed(far, at)
    assert home == pytest.approx(0, abs=1e-6)
    assert antipode == pytest.approx(math.pi * 6371, rel=1e-6)
    assert date_line == pytest.approx(2 * math.pi * 6371 / 180, rel=1e-6)  # 2 degrees, not 358
    assert stranger is None


def test_the_hour_is_the_one_on_the_wall_also_when_clocks_change():
    hour = features.calendar("hour", tz="Europe/Zurich")
    moments = [NOW + timedelta(hours=h) for h in range(3)]
    frame = pl.DataFrame({"time": moments})
    assert features.training_frame(frame, hour, {})["hour"].to_list() == [1, 3, 4]
    monday = pl.DataFrame({"time": [datetime(2024, 3, 31, 23, tzinfo=UTC)]})
    weekday = features.calendar("weekday", tz="Europe/Zurich")
    assert features.training_frame(monday, weekday, {})["weekday"].to_list() == [1]


@pytest.mark.parametrize("part", ["hour", "weekday"])
def test_one_moment_and_many_have_the_same_hour_all_year(part):
    there = features.calendar(part, tz="Europe/Zurich")
    moments = [NOW + timedelta(minutes=437 * n) for n in range(1_500)]
    assert there.combine({}, pl.DataFrame({"time": moments})).to_list() == [*map(there.at, moments)]


def test_a_changed_part_is_a_changed_version():
    other = features.mean("amount", of="payment", per="user", days=31)
    first, second = (features.formula("amount / u", u=u, name="x") for u in (USUAL, other))
    assert first.version != second.version
    assert first == features.formula("amount / u", u=USUAL, name="y")
    assert (
        features.calendar("hour", tz="UTC").version
        != features.calendar("weekday", tz="UTC").version
    )


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: features.formula("amount", usual=USUAL, name="x"), "usual does not occur"),
        (lambda: features.formula("amount +", name="x"), "neither a column nor"),
        (lambda: features.formula("amount", name=""), "name="),
        (lambda: features.calendar("minute", tz="UTC"), "hour.*weekday.*'minute'"),
        (lambda: features.calendar("hour", tz="Mars/Base"), "no time zone"),
        (lambda: features.count("payment", per="user", minutes=0), "longer than zero"),
        (lambda: features.count("payment", per="user", days=1, step_minutes=0), "longer than zero"),
        (lambda: features.count("payment", per="user", step_minutes=5), "old end of a window"),
        (lambda: features.count("payment", per="user", minutes=5, step_minutes=9), "at most as"),
        (lambda: features.count("payment", per="user", session_minutes=-1), "longer than zero"),
        (lambda: features.count("payment", per="user", session_minutes=9, lag_days=1), "no lag"),
        (lambda: features.last("item", 0, of="click", per="user"), "at least 1, got 0"),
        (lambda: features.values("item", of="click", per="user", missing=0), "is a list"),
    ],
)
def test_what_makes_no_sense_is_refused_when_it_is_made(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"of": "payment"}, "needs the word per="),
        ({"per": "user"}, "needs the word of="),
        ({"of": "payment", "per": "user", "day": 3}, "no word 'day', only"),
    ],
)
def test_a_sentence_with_a_wrong_word_says_which(words, message):
    with pytest.raises(TypeError, match=message):
        features.sum("amount", **words)


def test_help_shows_every_word():
    shown = inspect.signature(features.mean).parameters
    assert {"column", "of", "per", "days", "session_minutes", "missing"} <= set(shown)


def test_versions_of_definitions_made_before_the_new_words_have_not_changed():
    assert features.count("payment", per="user", days=30).version == "b2c1da41"


def test_a_session_is_at_most_a_day_long_unless_told_otherwise():
    assert features.count("click", per="user", session_minutes=30).window == timedelta(days=1)
    longer = features.count("click", per="user", session_minutes=30, hours=2)
    assert longer.window == timedelta(hours=2)
