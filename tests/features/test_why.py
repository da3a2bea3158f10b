"""`why` is the definition word for word, and gives a reason for every event that is not seen."""

from __future__ import annotations

import math
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings

from workbench import features
from workbench.features.why import why

sys.path.insert(0, str(Path(__file__).parent))
from brute import brute_force
from payment_histories import CLOCK, EVERY, histories, read, requests

DAY = timedelta(days=1)
START = datetime(2024, 5, 1, tzinfo=UTC)


def same(one, other) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-3)  # of amounts up to 1e9
    return one == other


@settings(max_examples=60, deadline=None)
@given(histories(), requests)
def test_every_aggregate_equals_the_reference(events, asked):
    rows = events.with_columns(pl.col("amount").fill_nan(None)).to_dicts()
    for feature in EVERY:
        holds = read(feature.where) if feature.where else lambda _event: True
        for request in asked.to_dicts():
            found = why(request, feature, {"payment": events})
            wanted = brute_force(
                feature, request, rows, value=read(feature.column), holds=lambda e, h=holds: h(e)
            )
            assert same(found.value, wanted), (feature.name, request)
            own = [e for e in rows if all(e[k] == request[k] for k in feature.per)]
            if all(request[key] is not None for key in feature.per):
                assert len(found.seen) + len(found.unseen) == len(own)
            assert not repr(found).count("\n" * 2)


def payments(**columns) -> dict[str, pl.DataFrame]:
    frame = pl.DataFrame(columns)
    if "known_at" not in columns:
        frame = frame.with_columns(known_at="time")
    return {"payment": frame.cast({"time": CLOCK, "known_at": CLOCK})}


REASONS = {
    "it happens later": features.count("payment", per="user"),
    "at the same instant": features.count("payment", per="user"),
    "not yet known": features.count("payment", per="user"),
    "in the lag": features.count("payment", per="user", lag_days=2),
    "too old": features.count("payment", per="user", days=3),
    "fails where=amount > 5": features.count("payment", per="user", where="amount > 5"),
    "before the silence": features.count("payment", per="user", session_minutes=60 * 30, days=30),
}


@pytest.mark.parametrize(("reason", "feature"), REASONS.items(), ids=REASONS)
def test_each_reason_is_given(reason, feature):
    t = START + 20 * DAY
    log = payments(
        user=[1] * 6,
        amount=[9.0, 1.0, 9.0, 9.0, 9.0, 9.0],
        time=[t + DAY, t - DAY, t - 1.5 * DAY, t - 10 * DAY, t, t - DAY / 2],
        known_at=[t + DAY, t - DAY, t - 1.5 * DAY, t - 10 * DAY, t, t],
    )
    found = why({"user": 1, "time": t}, feature, log)
    assert reason in found.unseen["reason"].to_list()
    assert reason in repr(found)
    assert max(map(len, repr(found).splitlines())) <= 90


def test_the_weights_make_the_value():
    log = payments(
        user=[1] * 4, amount=[4.0, None, 8.0, 3.0], time=[START + n * DAY for n in range(4)]
    )
    asked = {"user": 1, "time": START + 9 * DAY}
    found = why(asked, features.mean("amount", of="payment", per="user"), log)
    assert found.seen["weight"].round(3).to_list() == [0.333, 0.333, 0.0, 0.333]
    assert (found.seen["weight"] * found.seen["value"].fill_null(0)).sum() == found.value
    found = why(asked, features.max("amount", of="payment", per="user"), log)
    assert found.seen.filter(pl.col("weight") == 1)["value"].to_list() == [8.0]


def test_a_step_shows_the_tile_of_each_event():
    log = payments(user=[1], time=[START + timedelta(minutes=95)])
    stepped = features.count("payment", per="user", hours=3, step_minutes=60)
    (tile,) = why({"user": 1, "time": START + DAY / 6}, stepped, log).seen["tile"]
    assert tile == START + timedelta(minutes=60)


def test_of_a_formula_every_part_is_shown():
    log = payments(user=[1, 1], amount=[4.0, 8.0], time=[START, START + 5 * DAY])
    mean = features.mean("amount", of="payment", per="user", name="usual")
    number = features.count("payment", per="user", name="often")
    over = features.formula("amount / usual + often", usual=mean, often=number, name="over")
    found = why({"user": 1, "amount": 12.0, "time": START + 9 * DAY}, over, log)
    assert found.value == 12 / 6 + 2
    assert sorted(found.parts) == ["often", "usual"]
    assert sorted(found.seen["part"]) == ["often", "often", "usual", "usual"]
    trend = features.ratio(number, mean, name="trend")
    assert why({"user": 1, "time": START + 9 * DAY}, trend, log).value == 2 / 6
    hour = features.calendar("hour", tz="Europe/Zurich")
    assert why({"time": START}, hour, log).value == 2


def test_a_row_may_be_of_pandas():
    log = payments(user=[1], amount=[4.0], time=[START])
    asked = pd.DataFrame({"user": [1, 1], "time": pd.to_datetime(["2024-05-01", "2024-05-02"])})
    asked["time"] = asked["time"].dt.tz_localize("UTC")
    latest = features.latest("amount", of="payment", per="user")
    assert [why(row, latest, log).value for _, row in asked.iterrows()] == [None, 4.0]
    assert why(asked.tail(1), latest, log).value == 4.0


def test_bad_rows_are_refused():
    log = payments(user=[1], amount=[float("inf")], time=[START])
    number = features.count("payment", per="user")
    with pytest.raises(ValueError, match="no column 'user'"):
        why({"time": START}, number, log)
    with pytest.raises(ValueError, match="user is String in the request and Int64 in payment"):
        why({"user": "1", "time": START}, number, log)
    with pytest.raises(ValueError, match="one row, got 2"):
        why(pl.DataFrame({"user": [1, 2], "time": [START, START]}), number, log)
    with pytest.raises(ValueError, match="infinite"):
        why({"user": 1, "time": START}, features.sum("amount", of="payment", per="user"), log)
    with pytest.raises(ValueError, match="no column 'price'"):
        why({"user": 1, "time": START}, features.sum("price", of="payment", per="user"), log)
