"""The promises of `training_frame`: rows, order, types, edges, and errors that say what to do."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from workbench import features
from workbench.features import training_frame

START = datetime(2024, 3, 30, tzinfo=UTC)  # the last Sunday of March is near
HOUR = timedelta(hours=1)
AGGREGATES = [
    features.count("payment", per="user", hours=3),
    features.count("payment", per="user"),
    features.count("payment", per=("user", "device"), hours=5),
    features.count("payment", per="user", hours=4, lag_days=1 / 12),
    features.sum("amount", of="payment", per="user", hours=4),
    features.sum("amount", of="payment", per="user", hours=4, where="amount > 0"),
    features.mean("amount", of="payment", per="user", hours=6),
    features.mean("amount", of="payment", per="device"),
    features.share("amount > 0", of="payment", per="user", hours=5),
    features.distinct("device", of="payment", per="user", hours=4),
    features.distinct("device", of="payment", per="user", lag_days=1 / 24),
    features.time_since(of="payment", per="user"),
    features.time_since(of="payment", per="user", hours=3, lag_days=1 / 24, where="amount < 5"),
]


def test_the_order_of_events_does_not_matter():
    rng = np.random.default_rng(0)
    events = some_events(rng, 2_000)
    asked = events.select("user", "device", "time")
    once = training_frame(asked, AGGREGATES, {"payment": events})
    shuffled = events.sample(fraction=1.0, shuffle=True, seed=1)
    assert once.equals(training_frame(asked, AGGREGATES, {"payment": shuffled}))


def test_an_event_at_the_time_of_the_request_is_not_seen_and_one_at_the_window_edge_is():
    edge = pl.DataFrame({"user": [1, 1], "time": [START, START - HOUR]}).with_columns(
        known_at=pl.col("time")
    )
    asked = pl.DataFrame({"user": [1], "time": [START]})
    frame = training_frame(asked, [features.count("login", per="user", hours=1)], {"login": edge})
    assert frame["count_login_per_user_1h"].to_list() == [1]


def test_a_huge_payment_does_not_spoil_the_sums_after_it():
    events = pl.DataFrame(
        {"user": 1, "amount": [1e17, 0.1, 0.2], "time": [START, START + 2 * HOUR, START + 3 * HOUR]}
    )
    events = events.with_columns(known_at=pl.col("time"))
    asked = pl.DataFrame({"user": [1], "time": [START + 4 * HOUR]})
    amount = features.sum("amount", of="payment", per="user", hours=3, name="spent")
    assert training_frame(asked, [amount], {"payment": events})["spent"].to_list() == [0.1 + 0.2]


def test_a_label_known_only_after_its_window_never_counts_and_never_goes_negative():
    late = pl.DataFrame({"seller": ["s"], "time": [START], "known_at": [START + 30 * HOUR]})
    asked = pl.DataFrame({"seller": "s", "time": [START + h * HOUR for h in (1, 20, 29, 31, 99)]})
    risk = features.count("chargeback", per="seller", hours=20, name="risk")
    assert training_frame(asked, [risk], {"chargeback": late})["risk"].to_list() == [0] * 5


def test_a_ratio_is_null_where_there_is_nothing_below():
    events = some_events(np.random.default_rng(2), 50)
    day, week = (features.count("payment", per="user", days=d) for d in (1, 7))
    trend = features.ratio(day, week, name="trend")
    asked = pl.DataFrame({"user": [1, 99], "time": [START + 40 * HOUR] * 2})
    frame = training_frame(asked, [trend, day, week], {"payment": events})
    assert frame["trend"][0] == frame[day.name][0] / frame[week.name][0]
    assert frame["trend"][1] is None


def test_pandas_comes_back_as_pandas_with_its_index_and_repeated_rows():
    events = some_events(np.random.default_rng(3), 100)
    asked = events.select("user", "time")[[5, 5, 1, 0]]
    spend = features.mean("amount", of="payment", per="user", days=2, name="spend")
    want = training_frame(asked, [spend], {"payment": events})["spend"].to_list()
    frame = asked.to_pandas()
    frame.index = ["a", "a", "c", "b"]
    got = training_frame(frame, [spend], {"payment": events})
    assert got.index.tolist() == ["a", "a", "c", "b"]
    assert [None if math.isnan(v) else v for v in got["spend"]] == want
    assert "spend" not in frame.columns
    arrow = training_frame(asked.to_arrow(), [spend], {"payment": events})
    assert isinstance(arrow, pa.Table)
    assert arrow["spend"].to_pylist() == want


def test_no_events_and_no_requests_give_zeros_and_empty_columns():
    events = some_events(np.random.default_rng(4), 10)
    asked = pl.DataFrame({"user": [7], "device": ["a"], "time": [START]})
    for rows, past in ((asked, events.clear()), (asked.clear(), events), (asked, events)):
        frame = training_frame(rows, AGGREGATES, {"payment": past})
        assert len(frame) == len(rows)
        assert frame[AGGREGATES[0].name].to_list() == [0] * len(rows)
        assert frame[AGGREGATES[6].name].to_list() == [None] * len(rows)


def test_narrow_ids_meet_wide_ones_but_numbers_never_meet_words():
    events = some_events(np.random.default_rng(5), 30)
    asked = events.select("user", "time")
    count = [features.count("payment", per="user")]
    wide = training_frame(asked, count, {"payment": events})
    narrow = training_frame(asked.cast({"user": pl.Int32}), count, {"payment": events})
    assert wide[count[0].name].equals(narrow[count[0].name])
    with pytest.raises(ValueError, match="user is String in the requests and Int64 in payment"):
        training_frame(asked.cast({"user": pl.String}), count, {"payment": events})


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda a, e: (a.drop("user"), e), "requests has no column 'user'"),
        (lambda a, e: (a, e.drop("known_at")), "'payment' have no column 'known_at'"),
        (lambda a, e: (a, e.drop("amount")), "have no column 'amount'"),
        (lambda a, e: (a.with_columns(pl.col("time").dt.replace_time_zone(None)), e), "tz="),
        (lambda a, e: (a.with_columns(mean_1d=1), e), "already have a column 'mean_1d'"),
        (lambda a, e: (a, e.with_columns(amount=pl.lit(float("inf")))), "has infinite values"),
        (lambda a, e: (a, e.with_columns(amount=pl.lit("9"))), "needs numbers or a condition"),
        (lambda a, e: ({"user": [1]}, e), "must be a Polars, pandas or Arrow table"),
    ],
)
def test_bad_input_is_named(spoil, message):
    events = some_events(np.random.default_rng(6), 10)
    asked, events = spoil(events.select("user", "time"), events)
    mean = features.mean("amount", of="payment", per="user", days=1, name="mean_1d")
    with pytest.raises(ValueError, match=message):
        training_frame(asked, [mean], {"payment": events})


def test_an_unknown_kind_says_which_there_are():
    asked = pl.DataFrame({"user": [1], "time": [START]})
    with pytest.raises(ValueError, match=r"no events of kind 'refund'; it has \['payment'\]"):
        training_frame(asked, [features.count("refund", per="user")], {"payment": pl.DataFrame()})


def some_events(rng: np.random.Generator, n: int) -> pl.DataFrame:
    minutes = rng.integers(0, 48 * 60, n)
    time = [START + timedelta(minutes=int(m)) for m in minutes]
    late = [timedelta(minutes=int(m)) for m in rng.integers(0, 2, n) * rng.integers(0, 900, n)]
    return pl.DataFrame(
        {
            "user": rng.integers(1, 6, n),
            "device": rng.choice(["a", "b", "c"], n),
            "amount": rng.normal(5, 9, n),
            "time": time,
            "known_at": [t + d for t, d in zip(time, late, strict=True)],
        }
    )


def test_an_event_without_a_clock_is_never_seen():
    events = some_events(np.random.default_rng(7), 40)
    known = pl.when(pl.int_range(pl.len()) % 2 == 0).then(pl.col("known_at"))
    asked = events.select("user", "device", "time")
    half = {"payment": events.with_columns(known_at=known)}
    want = training_frame(asked, AGGREGATES, {"payment": events[::2]})
    assert training_frame(asked, AGGREGATES, half).equals(want)


def test_a_formula_and_the_calendar_are_the_same_for_a_policy():
    events = some_events(np.random.default_rng(8), 60)
    usual = features.mean("amount", of="payment", per="user", days=1)
    over = features.formula("amount / usual", usual=usual, name="over")
    wanted = (over, features.calendar("hour", tz="Europe/Zurich"))
    asked = events.select("user", "time", "amount")
    frame = training_frame(asked, wanted, {"payment": events})
    by_hand = training_frame(asked, usual, {"payment": events})[usual.name]
    assert frame["over"].equals(asked["amount"] / by_hand, check_names=False)
    assert frame["over"].null_count() < len(asked)
    columns = {name: asked[name].to_numpy() for name in asked.columns}
    found = features.LogLookup(wanted, {"payment": events})(columns)
    assert pl.Series(found["over"]).fill_nan(None).equals(frame["over"], check_names=False)
    assert found["hour"].tolist() == frame["hour"].to_list()
