from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from workbench.events import EventLog
from workbench.outcomes import outcomes

START = datetime(2026, 1, 1, tzinfo=UTC)
HORIZON = timedelta(days=45)


def day(number):
    return START + timedelta(days=number)


def log_with(tmp_path, until=365, complete=False, **kinds):
    """A log whose clock stands at day `until`."""
    log = EventLog(tmp_path / "log", clock=lambda: day(until))
    log.append(complete_until=day(until) if complete else None, known_at="time", **kinds)
    return log


def chargebacks(*rows, **columns):
    """(request, day it happened, day it was known), and more columns."""
    requests, happened, known = zip(*rows, strict=True)
    return pl.DataFrame(
        {
            "event": range(len(rows)),
            "request": requests,
            "time": [day(each) for each in happened],
            "known_at": [day(each) for each in known],
            **columns,
        }
    )


def paid(*requests, on=0, **columns):
    return pl.DataFrame({"request": requests, "time": day(on), "action": "approve", **columns})


def status(log, decisions, at, **settings):
    settings = {"horizon": HORIZON, **settings}
    return outcomes(log, decisions, at=day(at), **settings)["status"].to_list()


def test_a_decision_is_pending_until_its_label_is_known(tmp_path):
    log = log_with(tmp_path, chargeback=chargebacks((7, 5, 20)))
    decisions = paid(7, 8)
    assert status(log, decisions, at=10) == ["pending", "pending"]
    assert status(log, decisions, at=20) == ["pending", "pending"]  # known before `at`, not at it
    assert status(log, decisions, at=20.01) == ["positive", "pending"]
    assert status(log, decisions, at=44.99) == ["positive", "pending"]
    assert status(log, decisions, at=45) == ["positive", "matured_negative"]
    assert status(log, decisions, at=300) == ["positive", "matured_negative"]


def test_labels_follow_the_status(tmp_path):
    log = log_with(tmp_path, chargeback=chargebacks((7, 5, 20)))
    decisions = pl.concat(
        [paid(7, 8), paid(9, on=30), paid(10).with_columns(action=pl.lit("block"))]
    )
    labelled = outcomes(log, decisions, horizon=HORIZON, at=day(50))
    assert labelled["status"].to_list() == ["positive", "matured_negative", "pending", "censored"]
    assert labelled["label"].to_list() == [1.0, 0.0, None, None]
    assert labelled.schema["label"] == pl.Float64
    assert labelled.drop("label", "status").equals(decisions)


def test_what_comes_after_the_horizon_does_not_count_however_late_we_ask(tmp_path):
    log = log_with(tmp_path, chargeback=chargebacks((7, 5, 60), (8, 5, 45), (9, 5, 44.9)))
    decisions = paid(7, 8, 9)
    for at in (45, 61, 300):
        assert status(log, decisions, at) == ["matured_negative", "matured_negative", "positive"]


def test_it_counts_when_it_was_known_and_not_when_it_happened(tmp_path):
    log = log_with(tmp_path, chargeback=chargebacks((7, 1, 40)))
    assert status(log, paid(7), at=30) == ["pending"]


def test_the_first_of_several_events_decides(tmp_path):
    log = log_with(tmp_path, chargeback=chargebacks((7, 5, 60), (7, 5, 20), (7, 5, 30)))
    assert status(log, paid(7), at=25) == ["positive"]
    assert outcomes(log, paid(7), horizon=HORIZON, at=day(99)).height == 1


def test_blocked_and_shadow_decisions_are_never_known(tmp_path):
    log = log_with(tmp_path, chargeback=chargebacks((7, 5, 20)))
    decisions = pl.DataFrame(
        {
            "request": [7, 7, 7, 7],
            "time": START,
            "action": ["block", "approve", "approve", None],
            "live": [True, False, True, None],
        }
    )
    assert status(log, decisions, at=99) == ["censored", "censored", "positive", "positive"]


def test_the_items_of_a_slate_are_told_apart(tmp_path):
    clicks = chargebacks((7, 0.1, 0.1), (8, 0.1, 0.1), item=[2, 2])
    log = log_with(tmp_path, click=clicks)
    slate = pl.DataFrame({"request": [7, 7, 8, 9], "item": [1, 2, 1, 2], "time": START})
    found = status(log, slate, at=2, of="click", horizon=timedelta(days=1))
    assert found == ["matured_negative", "positive", "matured_negative", "matured_negative"]


def test_where_one_side_names_no_item_the_request_decides(tmp_path):
    log = log_with(tmp_path, chargeback=chargebacks((7, 1, 1), (8, 1, 1), item=[None, 5]))
    decisions = pl.DataFrame({"request": [7, 8, 8], "item": [3, None, 3], "time": START})
    assert status(log, decisions, at=99) == ["positive", "positive", "matured_negative"]


def test_a_log_is_only_known_until_its_watermark_or_clock(tmp_path):
    log = log_with(tmp_path, until=30, complete=True, chargeback=chargebacks((7, 5, 20)))
    assert status(log, paid(7, 8), at=50) == ["positive", "pending"]
    young = log_with(tmp_path / "other", until=30, chargeback=chargebacks((7, 5, 20)))
    assert status(young, paid(7, 8), at=50) == ["positive", "pending"]


def test_a_view_of_the_past_knows_no_more_than_that_past(tmp_path):
    log = log_with(tmp_path, chargeback=chargebacks((7, 5, 20)))
    assert status(log.as_of(day(10)), paid(7, 8), at=99) == ["pending", "pending"]
    assert status(log.as_of(day(45)), paid(7, 8), at=99) == ["positive", "matured_negative"]


def test_decisions_of_the_log_are_labelled_lazily(tmp_path):
    decisions = paid(7, 8, event=[101, 102], policy=["rule@1", "rule@1"])
    log = log_with(tmp_path, chargeback=chargebacks((7, 5, 20)), decision=decisions)
    labelled = outcomes(log, log.scan("decision"), horizon=HORIZON, at=day(99))
    assert isinstance(labelled, pl.LazyFrame)
    assert labelled.sort("request").collect()["label"].to_list() == [1.0, 0.0]


def test_nothing_of_the_kind_leaves_everybody_negative_in_the_end(tmp_path):
    log = log_with(tmp_path, decision=paid(7, event=[1], policy=["rule@1"]))
    assert status(log, paid(7), at=99) == ["matured_negative"]


def test_text_ids_and_other_tables_keep_their_kind_order_and_index(tmp_path):
    table = chargebacks(("b", 5, 20)).with_columns(event=pl.lit("chargeback 1"))
    log = log_with(tmp_path, chargeback=table)
    decisions = paid("c", "b", "a")
    frame = decisions.to_pandas().set_index(pd.Index([30, 10, 20], name="row"))
    labelled = outcomes(log, frame, horizon=HORIZON, at=day(99))
    assert labelled.index.tolist() == [30, 10, 20]
    assert labelled["request"].tolist() == ["c", "b", "a"]
    assert labelled["label"].tolist() == [0.0, 1.0, 0.0]
    arrow = outcomes(log, decisions.to_arrow(), horizon=HORIZON, at=day(99))
    assert arrow["label"].to_pylist() == [0.0, 1.0, 0.0]


def test_narrower_ids_are_the_same_ids(tmp_path):
    log = log_with(tmp_path, chargeback=chargebacks((7, 5, 20), (70_000, 5, 20)))
    narrow = paid(7, 8).with_columns(pl.col("request").cast(pl.Int16))
    assert status(log, narrow, at=99) == ["positive", "matured_negative"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"horizon": timedelta(0)}, "horizon must be a positive timedelta"),
        ({"horizon": 45}, "horizon must be a positive timedelta, got 45"),
        ({"at": datetime(2026, 1, 1)}, "at must be a datetime with a time zone"),
        ({"decisions": pl.DataFrame({"request": [1]})}, "no column 'time'"),
        ({"decisions": pl.DataFrame({"time": [START]})}, "no column 'request'"),
        ({"decisions": paid("a")}, "request is String in decisions and Int64 in chargeback"),
        (
            {"decisions": paid(1).with_columns(pl.col("time").dt.replace_time_zone(None))},
            "time zone",
        ),
        ({"of": "refund"}, "refund"),
    ],
)
def test_bad_input_is_named(tmp_path, change, message):
    log = log_with(tmp_path, chargeback=chargebacks((7, 5, 20)))
    arguments = {"decisions": paid(7), "horizon": HORIZON, "at": day(99), **change}
    with pytest.raises(ValueError, match=message):
        outcomes(log, **arguments)


def by_definition(decision, events, horizon, at):
    """The status of one decision, from the four sentences of the docstring."""
    if decision["action"] == "block" or not decision["live"]:
        return "censored"
    for event in events:
        same = event["request"] == decision["request"] and (
            None in (event["item"], decision["item"]) or event["item"] == decision["item"]
        )
        known = event["known_at"]
        if same and known < at and known < decision["time"] + horizon:
            return "positive"
    return "matured_negative" if decision["time"] + horizon <= at else "pending"


class EventsOnly:
    """The least of a log that outcomes needs, so that a thousand logs cost no files."""

    complete_until = known_before = None

    def __init__(self, events):
        self.events = events

    def clock(self):
        return day(10_000)

    def scan(self, kind):
        return self.events.lazy()


ids = st.integers(1, 4)
items = st.none() | st.integers(1, 2)
SCHEMA = {"request": pl.Int64, "item": pl.Int64}
CLOCK = pl.Datetime("us", "UTC")


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.tuples(ids, items, st.integers(0, 9), st.booleans(), st.booleans()), max_size=8),
    st.lists(st.tuples(ids, items, st.integers(0, 20)), max_size=8),
    st.integers(1, 8),
    st.integers(0, 25),
)
def test_it_agrees_with_the_definition(decided, happened, horizon, at):
    decisions = [
        {"request": r, "item": i, "time": day(t), "action": "block" if b else "show", "live": live}
        for r, i, t, b, live in decided
    ]
    events = [{"request": r, "item": i, "known_at": day(t)} for r, i, t in happened]
    frame = pl.DataFrame(
        decisions, schema=SCHEMA | {"time": CLOCK, "action": pl.String, "live": pl.Boolean}
    )
    log = EventsOnly(pl.DataFrame(events, schema=SCHEMA | {"known_at": CLOCK}))
    horizon, at = timedelta(days=horizon), day(at)
    found = outcomes(log, frame, of="click", horizon=horizon, at=at)["status"].to_list()
    assert found == [by_definition(each, events, horizon, at) for each in decisions]


def test_a_label_once_final_never_changes(tmp_path):
    rng = np.random.default_rng(0)
    rows = [
        (int(r), t := float(rng.uniform(0, 60)), t + float(rng.exponential(20))) for r in range(60)
    ]
    log = log_with(tmp_path, chargeback=chargebacks(*rows))
    decisions = pl.DataFrame(
        {"request": range(100), "time": [day(float(each)) for each in rng.uniform(0, 50, 100)]}
    )
    final = None
    for at in range(0, 120, 7):
        now = outcomes(log, decisions, horizon=HORIZON, at=day(at))
        if final is not None:
            known = final["label"].is_not_null()
            assert_frame_equal(now.filter(known), final.filter(known))
        final = now
    assert final["label"].null_count() == 0
