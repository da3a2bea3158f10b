"""The pipe between a world and its log: switched on and off, and its ledger complete."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from workbench.data.faults import FAULTS, Pipe
from workbench.data.replay import Replay
from workbench.events import EventLog
from workbench.policy import Threshold

START = datetime(2026, 3, 1, tzinfo=UTC)
DAYS, A_DAY = 10, 40


def day_of(day):
    """The payments and clicks of one day."""
    number = np.arange(day * A_DAY, (day + 1) * A_DAY)
    times = [START + timedelta(minutes=36 * int(n)) for n in number]
    pay = pl.DataFrame(
        {"event": number, "time": times, "known_at": times, "request": number, "user": number % 9,
         "device": number % 11, "place": "CH", "amount": 10.0 + number % 7}
    )  # fmt: skip
    return {"payment": pay, "click": pay.select("event", "time", "known_at", item=number % 3)}


def through(pipe, days=range(DAYS)):
    """What comes out, kind by kind."""
    parts = [pipe(day_of(day), START + timedelta(days=day + 1)) for day in days]
    kinds = {kind for part in parts for kind in part}
    return {
        kind: pl.concat([part[kind] for part in parts if kind in part], how="diagonal_relaxed")
        for kind in kinds
    }


def test_an_empty_pipe_changes_nothing():
    batch = day_of(0)
    out = Pipe()(batch)
    assert all(out[kind].equals(batch[kind]) for kind in batch)
    assert Pipe().touched.is_empty()


def test_the_ledger_names_each_row_of_each_fault_and_no_other():
    start = START + timedelta(days=4)
    cents = FAULTS["amount in cents"].at("medium", start=start)
    lost = FAULTS["dropped events"].at("large", start=start, end=start + timedelta(days=2))
    pipe = Pipe([cents, lost])
    out, clean = through(pipe), through(Pipe())
    gone = set(clean["click"]["event"]) - set(out["click"]["event"])
    both = clean["payment"].join(out["payment"], on="event")
    changed = set(both.filter(pl.col("amount") != pl.col("amount_right"))["event"])
    ledger = pipe.touched
    assert set(ledger.filter(pl.col("kind") == "click")["event"]) == gone
    assert set(ledger.filter(pl.col("fault") == "amount in cents")["event"]) == changed
    assert len(gone) > 20
    assert ledger.height == len(gone) + len(changed)
    assert ledger["time"].min() >= start


def test_a_fault_is_switched_on_and_off_while_it_runs():
    pipe = Pipe()
    pipe.on(FAULTS["amount in cents"].at("large"))
    through(pipe, [0])
    pipe.off("amount in cents")
    assert pipe.faults == ()
    through(pipe, [1])
    pipe.on("amount in cents")
    through(pipe, [2])
    days = (pipe.touched["time"] - START).dt.total_days()
    assert set(days) == {0, 2}
    assert "on  amount in cents" in repr(pipe)
    with pytest.raises(ValueError, match="the pipe has no fault 'nulls'"):
        pipe.off("nulls")


def test_reset_is_as_new():
    pipe = Pipe([FAULTS["late arrival"].at("large")])
    first = through(pipe)
    pipe.off("late arrival")
    pipe.on(FAULTS["nulls"])
    through(pipe)
    pipe.reset()
    assert pipe.touched.is_empty()
    assert pipe.held_rows == 0
    assert [each.name for each in pipe.faults] == ["late arrival"]
    assert through(pipe)["payment"].equals(first["payment"])


def test_late_rows_are_held_until_they_are_due():
    late = FAULTS["late arrival"].at("large", end=START + timedelta(days=1))  # 48 hours
    pipe = Pipe([late])
    assert "payment" not in pipe(day_of(0), START + timedelta(days=1))
    assert pipe.held_rows == A_DAY
    assert pipe(day_of(1), START + timedelta(days=2))["payment"].height == A_DAY
    assert pipe(day_of(2), START + timedelta(days=3))["payment"].height == 2 * A_DAY
    assert pipe.held_rows == 0
    assert pipe.touched.height == A_DAY


def test_without_a_clock_nothing_comes_before_its_time():
    pipe = Pipe([FAULTS["late arrival"].at("medium")])
    for day in range(3):
        batch = day_of(day)
        out = pipe(batch)
        assert out["payment"]["known_at"].max() <= batch["click"]["known_at"].max()


def test_two_faults_on_one_column_do_not_stumble():
    names = ["renamed field", "number as text", "amount in cents"]
    pipe = Pipe([FAULTS["nulls"].on("payment", "device"), *(FAULTS[n].at("large") for n in names)])
    out = through(pipe)
    assert "device" not in out["payment"].columns
    assert out["payment"]["amount"][0] == "10,0"
    assert set(pipe.touched["fault"]) == {"nulls", "renamed field", "number as text"}


def test_a_complaint_is_attributed_to_a_payment_of_an_earlier_batch():
    pipe = Pipe([FAULTS["wrong chargebacks"].at("large")])
    through(pipe, [0, 1])
    bad = day_of(0)["payment"][[5, 20]].select("event", "time", "request", "amount")
    bad = bad.with_columns(known_at=START + timedelta(days=2, hours=1))
    out = pipe({**day_of(2), "chargeback": bad}, START + timedelta(days=3))
    assert out["chargeback"]["request"].to_list() == [4, 19]


def test_a_kind_that_never_comes_and_a_column_that_is_not_there_are_named():
    with pytest.raises(ValueError, match="no event of kind 'klick' has come"):
        through(Pipe([FAULTS["dropped events"].on("klick")]), [0])
    with pytest.raises(ValueError, match="payment has no column 'euro'"):
        through(Pipe([FAULTS["nulls"].on("payment", "euro")]), [0])
    assert through(Pipe([FAULTS["lost chargebacks"]]), [0])["payment"].height == A_DAY
    with pytest.raises(ValueError, match="two faults are called 'nulls'"):
        Pipe([FAULTS["nulls"], FAULTS["nulls"].on("click")])
    pair = Pipe([FAULTS["nulls"], replace(FAULTS["nulls"].on("click", "item"), name="more nulls")])
    assert through(pair, [0])["click"]["item"].null_count() > 0


def test_ids_of_two_types_are_text_in_the_ledger():
    batch = day_of(0)
    batch["click"] = batch["click"].with_columns(pl.col("event").cast(pl.String))
    pipe = Pipe([FAULTS["dropped events"].at("large"), FAULTS["nulls"].at("large")])
    pipe(batch)
    assert pipe.touched.schema["event"] == pl.String


@pytest.fixture
def record():
    frames = [day_of(day)["payment"] for day in range(DAYS)]
    return {"payment": pl.concat(frames)}


def test_a_replay_runs_through_the_pipe_and_the_door_sees_it(record, tmp_path):
    start = START + timedelta(days=5)
    faults = [
        FAULTS["number as text"].at("medium", start=start, end=start + timedelta(days=2)),
        FAULTS["retried"].at("medium"),
        FAULTS["late arrival"].at("small", end=start),
    ]
    world, pipe = Replay(record), Pipe(faults)
    log = EventLog(tmp_path / "log", clock=world.clock)
    world.run({"checkout": Threshold("amount", 500.0)}, log=log, pipe=pipe)
    text = pipe.touched.filter(pl.col("fault") == "number as text")
    refused = log.quarantine()
    assert refused["reason"].unique().to_list() == ["payment.amount: String, not Float64"]
    # one text makes the column of its batch text, and the door refuses it all
    at_the_door = {int(json.loads(row)["values"]["event"]) for row in refused["content"]}
    since = pl.col("time") >= start - timedelta(hours=3)  # with those that come late
    since = set(record["payment"].filter(since)["event"])
    assert set(text["event"]) < at_the_door <= since
    kept = log.scan("payment").collect()
    assert set(kept["event"]) == set(record["payment"]["event"]) - at_the_door
    assert kept["event"].is_unique().all()  # no copy came in
    delay = (kept["known_at"] - kept["time"]).dt.total_hours()
    assert set(delay) == {0, 3}
    assert "claimed_known_at" not in kept.columns  # nothing came after its day was closed
