"""What cannot enter the log: an error or a reason that names what came, where, and the rule."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from workbench.contracts import Column, Contract
from workbench.events import EventLog

DAY = timedelta(days=1)
NOW = datetime(2026, 3, 10, tzinfo=UTC)
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def log(tmp_path):
    log = EventLog(tmp_path / "log", clock=lambda: NOW)
    log.append(payment=GOOD)
    return log


GOOD = pl.DataFrame({"event": [1, 2, 3], "time": NOON, "known_at": NOON, "user": 7, "amount": 1.5})
NEW = GOOD.with_columns(pl.col("event") + 10)

WHOLE_TABLES = {
    "unknown kind": (
        {"paymnt": NEW},
        r"no kind is called 'paymnt' .*did you mean payment\?.*log\.register",
    ),
    "no table": ({"payment": [1, 2]}, "payment is list, not a table"),
    "nothing but a name": ({"payment": "payments.csv"}, "payment is str, not a table"),
    "no clock": ({"payment": NEW.drop("time")}, "payment has no column time, when it happened"),
    "no second clock": ({"payment": NEW.drop("known_at")}, 'no column known_at.*known_at="time"'),
    "no id": ({"payment": NEW.drop("event")}, r"payment has no column event.*workbench\.rename"),
    "naive time": (
        {"payment": NEW.with_columns(pl.col("time").dt.replace_time_zone(None))},
        r"payment\.time has no time zone.*tz=.*2026-03-01 12:00:00",
    ),
    "naive other time": (
        {"payment": NEW.with_columns(due=pl.lit(datetime(2026, 3, 1)))},
        r"payment\.due has no time zone",
    ),
    "time as text": (
        {"payment": NEW.with_columns(time=pl.lit("2026-03-01"))},
        r"payment\.time is String, not a date with time.*2026-03-01.*workbench\.rename",
    ),
    "time as number": (
        {"payment": NEW.with_columns(time=pl.lit(1_772_000_000))},
        r"payment\.time is Int32, not a date with time.*1772000000",
    ),
    "text ids in a log of numbers": (
        {"payment": NEW.with_columns(user=pl.lit("u7"))},
        r"payment\.user is String, and user is Int64 in this log.*'u7'",
    ),
    "text ids of events": (
        {"payment": NEW.with_columns(event=pl.lit("e1"))},
        r"payment\.event is String, and event is Int64 in this log",
    ),
    "fractional ids": (
        {"payment": NEW.with_columns(user=pl.lit(7.5))},
        r"payment\.user is Float64, and an id is a whole number or text",
    ),
    "a name of the log's own": (
        {"payment": NEW.with_columns(day=pl.lit("Monday"))},
        r"payment\.day: the log uses this name itself",
    ),
    "a kind of the log's own": ({"quarantine": NEW}, "quarantine is a kind of the log's own"),
    "a duration": (
        {"payment": NEW.with_columns(wait=timedelta(seconds=3))},
        r"payment\.wait is Duration.*which the log cannot keep.*as seconds",
    ),
    "a struct": (
        {"payment": NEW.with_columns(card=pl.struct(brand=pl.lit("x")))},
        r"payment\.card is Struct.*one column per field",
    ),
    "one name, two types": (
        {
            "payment": NEW.with_columns(size=pl.lit(3)),
            "click": NEW.select("event", "time", "known_at", item="user", size=pl.lit("XL")),
        },
        r"click\.size is String, and size is Int64 in this log",
    ),
}


@pytest.mark.parametrize(("tables", "words"), WHOLE_TABLES.values(), ids=WHOLE_TABLES)
def test_a_table_that_cannot_be_read_is_refused_whole(log, tables, words):
    version = log.version
    with pytest.raises(ValueError, match=f"(?s){words}"):
        log.append(**tables)
    assert (log.version, log.scan("payment").collect().height) == (version, 3)
    assert log.quarantine().is_empty()


def test_one_bad_table_keeps_the_good_one_beside_it_out(log):
    with pytest.raises(ValueError, match="no kind is called 'klick'"):
        log.append(payment=NEW, klick=NEW)
    assert log.scan("payment").collect().height == 3


ROWS = {
    "null in a required column": ({"user": None}, "payment.user: null"),
    "no id": ({"event": None}, "payment.event: null"),
    "no time": ({"time": None}, "payment.time: null"),
    "NaN": ({"amount": float("nan")}, "payment.amount: NaN or infinite"),
    "infinite": ({"amount": float("-inf")}, "payment.amount: NaN or infinite"),
    "known before it happened": (
        {"known_at": NOON - timedelta(1)},
        "payment.known_at: before time",
    ),
    "known in the future": ({"known_at": NOW + DAY}, "payment.known_at: after the clock"),
    "happened in the future": (
        {"time": NOW + DAY, "known_at": NOW + DAY},
        "payment.known_at: after the clock",
    ),
    "text for a number": ({"amount": "twelve"}, "payment.amount: String, not Float64"),
    "a share above one": ({"propensity": 1.5}, "payment.propensity: above 1"),
}


@pytest.mark.parametrize(("change", "reason"), ROWS.values(), ids=ROWS)
def test_a_bad_row_goes_to_quarantine_and_the_others_get_in(log, change, reason):
    if "propensity" in change:
        contract = log.contract("payment")
        share = Column(name="propensity", dtype="float", low=0, high=1)
        log.register(Contract("payment", (*contract.columns, share)))
    name, value = next(iter(change.items()))
    dtype = pl.String if value == "twelve" else NEW.schema.get(name, pl.Float64)
    bad = NEW.head(1).with_columns(**{key: pl.lit(each) for key, each in change.items()})
    bad = bad.cast({name: dtype})
    done = log.append(payment=bad)
    assert done.quarantined == {reason: 1}
    assert log.append(payment=NEW.tail(2)).added == {"payment": 2}
    assert log.quarantine().height == 1


def test_a_missing_required_column_quarantines_all_rows(log):
    done = log.append(payment=NEW.drop("amount"))
    assert done.quarantined == {"payment.amount: missing": 3}


def test_nanoseconds_that_would_be_lost_are_not_cut_off_silently(log):
    finer = NEW["time"].dt.cast_time_unit("ns").to_physical() + pl.Series([0, 5, 1000])
    finer = finer.cast(pl.Datetime("ns", "UTC"))
    later = NEW["known_at"] + DAY
    done = log.append(payment=NEW.with_columns(time=finer, known_at=later))
    assert done.quarantined == {"payment.time: finer than a microsecond": 1}


def test_views_cannot_be_written(log):
    for view in (log.as_of(NOON), log.at(0)):
        for write in (lambda v=view: v.append(payment=NEW), view.compact):
            with pytest.raises(ValueError, match="use the log itself"):
                write()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda log: log.as_of(datetime(2026, 3, 1)), "t must be a datetime with a time zone"),
        (lambda log: log.as_of("2026-03-01"), "t must be a datetime with a time zone"),
        (lambda log: log.scan("payment", start=datetime(2026, 1, 1)), "start must be"),
        (lambda log: log.at(99), r"version must be in \[0, 1\]"),
        (lambda log: log.at(-1), r"version must be in \[0, 1\]"),
        (lambda log: log.scan("nothing"), "no kind is called 'nothing'"),
        (lambda log: log.append(batch=("workbench", 3)), "a name other than workbench"),
        (lambda log: log.append(batch=("mine", 0)), "number >= 1"),
        (lambda log: log.append(complete_until=NOW + DAY), "not lie after the clock"),
        (lambda log: log.append(complete_until=datetime(2026, 1, 1)), "complete_until must be"),
        (lambda log: log.append(payment=NEW.drop("known_at"), known_at="ts"), "known_at='ts'"),
        (lambda log: log.register(Contract("contract")), "choose another kind"),
        (lambda log: Contract("Bad Kind"), "one lower-case word"),
        (lambda log: Column(name="user", dtype="float"), "column user is id everywhere"),
        (lambda log: Column(name="x", dtype="double"), "dtype must be one of"),
    ],
)
def test_a_wrong_argument_is_an_error_that_names_the_rule(log, call, words):
    with pytest.raises(ValueError, match=words):
        call(log)
