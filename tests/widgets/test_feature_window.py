"""The events of one feature at one moment: the window, what was known, and what it reads."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from workbench import features
from workbench.features import training_frame
from workbench.widgets.feature_window import COLORS, OTHERS, chart, window_of

START = datetime(2026, 1, 5, tzinfo=UTC)
AT = START + timedelta(days=10, hours=9)


def paid(*days, known_after=0.0):
    time = [START + timedelta(days=day) for day in days]
    known = [moment + timedelta(days=known_after) for moment in time]
    return pl.DataFrame(
        {"user": 7, "amount": [10.0 * n for n in range(1, len(days) + 1)], "time": time,
         "known_at": known}
    )  # fmt: skip


LOG = {"payment": paid(0.1, 5, 9.2, 9.6, 10.2, 10.5, 12)}


def view(feature, log=LOG):
    return window_of({"user": 7, "time": AT}, feature, log)


@pytest.mark.parametrize(
    "feature",
    [
        features.count("payment", per="user"),
        features.sum("amount", of="payment", per="user", days=1),
        features.mean("amount", of="payment", per="user", days=5, lag_days=1),
        features.time_since(of="payment", per="user", days=2),
        features.share("amount > 25", of="payment", per="user", days=7),
    ],
    ids=lambda feature: feature.name,
)
def test_the_value_is_that_of_the_training_frame(feature):
    asked = pl.DataFrame({"user": [7], "time": [AT]})
    assert training_frame(asked, feature, LOG)[feature.name][0] == view(feature).value


def test_the_seen_events_lie_in_the_window_and_the_others_say_why_not():
    seen = view(features.sum("amount", of="payment", per="user", days=1))
    assert (seen.begin, seen.end) == (AT - timedelta(days=1), AT)
    inside = seen.events.filter(status="seen")
    assert inside["time"].is_between(seen.begin, seen.end, closed="left").all()
    assert seen.value == inside["value"].sum() == 90.0
    assert seen.words == "2 seen, 3 too old, 2 it happens later"


def test_a_step_rounds_the_old_end_and_a_lag_moves_both():
    day = features.count("payment", per="user", days=1, step_minutes=1440)
    assert view(day).begin == START + timedelta(days=9)
    assert view(day).end == AT
    lagged = features.count("payment", per="user", days=1, lag_days=1, step_minutes=1440)
    assert (view(lagged).begin, view(lagged).end) == (
        START + timedelta(days=8),
        START + timedelta(days=9),
    )
    assert view(features.count("payment", per="user")).begin is None


def test_a_session_begins_with_its_first_event():
    session = features.count("payment", per="user", session_minutes=15 * 60)
    assert view(session).begin == START + timedelta(days=9.6)
    silent = features.count("payment", per="user", session_minutes=1)
    assert view(silent).begin == AT


def test_what_is_known_later_is_drawn_from_its_time_to_the_moment_it_was_known():
    late = {"payment": paid(9.9, known_after=3)}
    seen = view(features.count("payment", per="user", days=5), late)
    assert seen.words == "0 seen, 1 not yet known"
    spec = chart(seen, START, START + timedelta(days=20)).chart.to_dict()
    rows = [row for rows in spec["datasets"].values() for row in rows if "status" in row]
    assert rows[0]["time"] == "2026-01-14T21:36:00+00:00"
    assert rows[0]["known_at"] == "2026-01-17T21:36:00+00:00"


def test_every_reason_has_a_color_and_the_window_is_cut_to_the_axis():
    short = features.mean("amount", of="payment", per="user", session_minutes=600, days=1)
    spec = chart(view(short), AT - timedelta(days=3), AT, unit="amount").chart.to_dict()
    dots = next(each for each in spec["layer"] if each["mark"]["type"] == "point")
    scale = dots["encoding"]["color"]["scale"]
    assert dict(zip(scale["domain"], scale["range"], strict=True)) == {
        "seen": COLORS["seen"], "too old": COLORS["too old"], "before the silence": OTHERS,
    }  # fmt: skip
    ever = view(features.count("payment", per="user"))
    spec = chart(ever, AT - timedelta(days=3), AT).chart.to_dict()
    band = [row for rows in spec["datasets"].values() for row in rows if "begin" in row]
    assert band == [{"begin": "2026-01-12T09:00:00+00:00", "end": "2026-01-15T09:00:00+00:00"}]


def test_a_window_that_is_not_on_the_axis_is_not_drawn_and_nothing_is_no_error():
    old = view(features.count("payment", per="user", days=1, lag_days=5))
    spec = chart(old, AT - timedelta(days=3), AT).chart.to_dict()
    assert "rect" not in [each["mark"]["type"] for each in spec["layer"]]
    nobody = window_of({"user": 8, "time": AT}, features.count("payment", per="user"), LOG)
    assert nobody.value == 0
    assert nobody.words == "0 seen"
    assert chart(nobody, START, AT).chart.to_dict()


def test_bad_input_is_named():
    spend = features.mean("amount", of="payment", per="user", days=1)
    both = features.ratio(spend, spend, name="trend")
    with pytest.raises(ValueError, match="trend is made of several features"):
        view(both)
    with pytest.raises(ValueError, match="first must be before last"):
        chart(view(spend), AT, AT)
