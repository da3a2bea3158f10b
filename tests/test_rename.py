"""Your names in, the vocabulary out; the type, the index and the order stay."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from pandas.testing import assert_index_equal

from workbench.rename import rename

HALF_PAST_TEN = datetime(2026, 7, 1, 10, 30)
IN_UTC = datetime(2026, 7, 1, 8, 30, tzinfo=UTC)
THEIRS = {"cust": [7, 8], "ts": [HALF_PAST_TEN] * 2, "eur": [1.5, 2.5], "colour": ["red", "blue"]}
NAMES = {"user": "cust", "time": "ts", "amount": "eur", "tz": "Europe/Zurich"}
MAKERS = {"pandas": pd.DataFrame, "polars": pl.DataFrame, "arrow": pa.table}


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_the_same_kind_of_table_comes_back(make):
    table = make(THEIRS)
    named = rename(table, **NAMES, source="till", known_at="time")
    assert type(named) is type(table)
    rows = pl.DataFrame(named) if make is not pl.DataFrame else named
    assert set(rows.columns) == {"user", "time", "amount", "colour", "known_at", "event"}
    assert rows["time"].to_list() == rows["known_at"].to_list() == [IN_UTC, IN_UTC]
    assert rows["event"].to_list() == ["till:0", "till:1"]
    assert rows["user"].to_list() == [7, 8]
    assert list(make(THEIRS).columns) == list(table.columns)  # ours, not theirs, was changed


@pytest.mark.parametrize(
    "index",
    [
        pd.Index([5, 5]),
        pd.Index(["b", "a"], name="label"),
        pd.MultiIndex.from_tuples([("x", 1), ("x", 1)], names=["place", None]),
        pd.date_range("2026-01-01", periods=2, tz="Asia/Tokyo"),
        pd.CategoricalIndex(["q", "p"]),
    ],
    ids=["duplicate", "text", "multi", "times", "categorical"],
)
def test_any_pandas_index_and_the_order_are_kept(index):
    table = pd.DataFrame(THEIRS, index=index)
    before = table.copy()
    named = rename(table, **NAMES)
    assert_index_equal(named.index, index)
    assert named["user"].tolist() == [7, 8]
    assert str(named["time"].dtype) == "datetime64[us, UTC]"
    pd.testing.assert_frame_equal(table, before)


def test_an_index_level_will_do_as_a_column():
    table = pd.DataFrame(THEIRS).set_index(["cust", "ts"])
    named = rename(table, **NAMES)
    assert named["user"].tolist() == [7, 8]
    assert named["time"].tolist() == [IN_UTC, IN_UTC]
    assert named.index.names == ["cust", "ts"]


@pytest.mark.parametrize(
    "times",
    [
        pd.Series([HALF_PAST_TEN] * 2).astype("datetime64[ns]"),
        pd.Series([HALF_PAST_TEN] * 2).astype("datetime64[ms]"),
        pd.Series([HALF_PAST_TEN] * 2).dt.tz_localize("Europe/Zurich"),
        pd.Series([HALF_PAST_TEN] * 2).dt.tz_localize("Europe/Zurich").dt.tz_convert("Asia/Tokyo"),
        pd.Series([HALF_PAST_TEN.isoformat(" ")] * 2),
        pd.Series([HALF_PAST_TEN.isoformat()] * 2, dtype=object),
        pd.Series([HALF_PAST_TEN.isoformat() + "+02:00"] * 2),
        pd.Series([HALF_PAST_TEN] * 2, dtype="timestamp[ns][pyarrow]"),
        pd.Series([IN_UTC, IN_UTC], dtype=object),
    ],
    ids=["ns", "ms", "zone", "other zone", "text", "object", "text with zone", "arrow", "python"],
)
def test_times_of_any_make_become_utc_microseconds(times):
    named = rename(pd.DataFrame({"ts": times}), time="ts", tz="Europe/Zurich")
    assert str(named["time"].dtype) == "datetime64[us, UTC]"
    assert named["time"].tolist() == [IN_UTC, IN_UTC]


def test_days_are_midnight_there():
    named = rename(pl.DataFrame({"day": [date(2026, 7, 1)]}), time="day", tz="Europe/Zurich")
    assert named["time"].item() == datetime(2026, 6, 30, 22, tzinfo=UTC)


@pytest.mark.parametrize(
    ("ids", "expected", "dtype"),
    [
        (pd.Series([7.0, None]), [7, None], "Int64"),
        (pd.Series([7, None], dtype="Int64"), [7, None], "Int64"),
        (pd.Series([7, 8], dtype="uint16"), [7, 8], "int64"),
        (pd.Series(["a", "b"], dtype="category"), ["a", "b"], "str"),
        (pd.Series([7, None], dtype=object), [7, None], "Int64"),
        (pd.Series(["a", None], dtype="string"), ["a", None], "str"),
        (pd.Series([Decimal(7), Decimal(8)]), [7, 8], "int64"),
    ],
    ids=["float", "nullable", "narrow", "categorical", "object", "string", "decimal"],
)
def test_ids_become_whole_numbers_or_text(ids, expected, dtype):
    named = rename(pd.DataFrame({"cust": ids}), user="cust")
    assert [None if pd.isna(value) else value for value in named["user"]] == expected
    assert str(named["user"].dtype) == dtype


def test_one_column_can_have_two_meanings():
    table = pd.DataFrame({"order": [4, 5]})
    named = rename(table, event="order", request="order")
    assert named.to_dict("list") == {"event": [4, 5], "request": [4, 5]}
    ours = rename(pl.from_pandas(table), event="order", request="order")
    assert ours.to_dict(as_series=False) == {"event": [4, 5], "request": [4, 5]}


def test_names_can_be_swapped():
    table = pl.DataFrame({"user": [1], "item": [2]})
    named = rename(table, user="item", item="user")
    assert (named["user"].item(), named["item"].item()) == (2, 1)


def test_what_has_our_names_already_is_only_put_in_order():
    table = pl.DataFrame({"event": [1], "user": pl.Series([7], dtype=pl.Int8), "time": [IN_UTC]})
    named = rename(table)
    assert named.schema == {"event": pl.Int64, "user": pl.Int64, "time": pl.Datetime("us", "UTC")}


def test_a_table_without_rows_is_fine():
    empty = pd.DataFrame(THEIRS).head(0)
    named = rename(empty, **NAMES)
    assert (len(named), "event" in named) == (0, True)
    assert len(rename(pl.DataFrame(THEIRS).clear(), **NAMES)) == 0


ERRORS = {
    "no such column": ({"user": "customer"}, r"user='customer': the table has no such column, but"),
    "name taken": ({"colour": "x"}, "unexpected keyword"),
    "naive": ({"time": "ts"}, r"time has no time zone.*tz=.*2026-07-01 10:30"),
    "no zone": ({"time": "ts", "tz": "Zürich"}, r"tz='Zürich' is no time zone"),
    "no time": ({"time": "eur", "tz": "UTC"}, r"time is Float64, not a date with time.*1\.5"),
    "no ISO": ({"time": "colour", "tz": "UTC"}, r"time holds 2 texts .*'red', 'blue'"),
    "fractions": ({"user": "eur"}, r"user is Float64, and not all are whole .*1\.5"),
    "no id": ({"user": "ts"}, r"user is Datetime.*an id is a whole number or text"),
    "known at nothing": ({"known_at": "time"}, r'known_at="time" needs a time'),
}


@pytest.mark.parametrize(("names", "words"), ERRORS.values(), ids=ERRORS)
@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_an_error_names_what_came_and_the_rule(make, names, words):
    with pytest.raises((ValueError, TypeError), match=f"(?s){words}"):
        rename(make(THEIRS), **names)


def test_a_taken_name_is_an_error():
    with pytest.raises(ValueError, match="the table has a column user already"):
        rename(pd.DataFrame({"user": [1], "cust": [2]}), user="cust")


def test_ids_of_mixed_types_are_an_error_that_shows_them():
    with pytest.raises(ValueError, match=r"user mixes types: 7 \(Int64\), 'u8' \(String\)"):
        rename(pd.DataFrame({"cust": [7, "u8", 9]}), user="cust")


def test_hours_that_come_twice_or_never_are_an_error_that_shows_them():
    autumn = pl.DataFrame({"ts": [datetime(2026, 10, 25, 2, 30), HALF_PAST_TEN]})
    with pytest.raises(ValueError, match=r"1 times that come twice or never.*2026-10-25 02:30"):
        rename(autumn, time="ts", tz="Europe/Zurich")
