"""The first lines that somebody types: their table, their names, a log, and the rows come back.

Tables of every make and with every oddity that real ones have; each goes through
`rename` and `append` as the README shows, twice, and must be in the log once.
"""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import workbench as wb

ROWS = 6
TIMES = pd.date_range("2026-01-31 22:00", periods=ROWS, freq="7h", tz="Europe/Zurich")


def plain() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "cust": [101, 102, 101, 103, 104, 101],
            "ts": TIMES,
            "eur": [9.5, 20.0, 9.5, 3.0, 0.0, 1e6],
            "shop": ["a", "b", "a", "a", None, "c"],
        }
    )


def odd_index(index) -> pd.DataFrame:
    return plain().set_axis(index, axis=0)


MULTI = pd.MultiIndex.from_product([["x", "y"], [1, 2, 3]], names=["half", None])
PANDAS = {
    "plain": plain(),
    "duplicate index": odd_index([0, 0, 0, 1, 1, 1]),
    "multi index": odd_index(MULTI),
    "time index": plain().set_index("ts"),
    "reversed": plain()[::-1],
    "a filtered view": pd.concat([plain(), plain()]).iloc[:ROWS],
    "categorical": plain().astype({"shop": "category"}),
    "nullable": plain().convert_dtypes(),
    "arrow types": plain().convert_dtypes(dtype_backend="pyarrow"),
    "float ids": plain().astype({"cust": float}),
    "narrow ids": plain().astype({"cust": "uint8", "eur": "float32"}),
    "object columns": plain().astype(object),
    "decimals": plain().assign(eur=[Decimal("9.50"), *[Decimal(n) for n in (20, 9, 3, 0, 10**6)]]),
    "whole amounts": plain().assign(eur=[9, 20, 9, 3, 0, 10**6]),
    "nanoseconds": plain().astype({"ts": "datetime64[ns, Europe/Zurich]"}),
    "milliseconds": plain().astype({"ts": "datetime64[ms, Asia/Tokyo]"}),
    "naive": plain().assign(ts=TIMES.tz_localize(None)),
    "text times": plain().assign(ts=TIMES.tz_localize(None).astype(str)),
    "text ids": plain().assign(cust=[f"c{n}" for n in range(ROWS)]),
    "lists": plain().assign(tags=[["a"], [], ["b", "c"], None, ["d"], ["e"]]),
    "days and bools": plain().assign(born=TIMES.date, member=[True, False] * 3),
    "columns with numbers for names": plain().assign(**{"0": 1, "1": 2}),
}
OTHERS = {
    "polars": pl.from_pandas(plain()),
    "lazy": pl.from_pandas(plain()).lazy(),
    "arrow": pa.Table.from_pandas(plain()),
    "arrow with a dictionary": pa.Table.from_pandas(plain().astype({"shop": "category"})),
    "polars enum": pl.from_pandas(plain()).with_columns(pl.col("shop").cast(pl.Enum(list("abc")))),
    "polars small": pl.from_pandas(plain()).cast({"cust": pl.Int16, "eur": pl.Float32}),
    "polars arrays": pl.from_pandas(plain()).with_columns(
        spot=pl.Series(np.ones((ROWS, 2)).tolist(), dtype=pl.Array(pl.Float32, 2))
    ),
}


def names_of(table) -> set[str]:
    if isinstance(table, pl.LazyFrame):
        return set(table.collect_schema().names())
    return set(table.column_names if isinstance(table, pa.Table) else table.columns)


@pytest.mark.parametrize("table", [*PANDAS.values(), *OTHERS.values()], ids=[*PANDAS, *OTHERS])
def test_a_table_goes_into_the_log_once_and_comes_back(table, tmp_path):
    for _ in range(2):
        pay = wb.rename(table, user="cust", time="ts", amount="eur", tz="Europe/Zurich")
        log = wb.EventLog(tmp_path / "my_lake")
        done = log.append(payment=pay, known_at="time")
        assert done.quarantined == {}
    assert done.duplicates == ROWS
    rows = log.scan("payment").sort("time").collect()
    assert rows["time"].to_list() == [time.to_pydatetime() for time in TIMES]
    assert rows["amount"].sort().to_list()[-1] == 1e6
    assert rows["event"].sort().to_list() == [f"rows:{row}" for row in range(ROWS)]
    theirs = names_of(table)
    assert theirs - {"cust", "ts", "eur"} <= set(rows.columns)
    assert len(log.kinds) == 1


def test_missing_ids_and_amounts_are_told_and_kept_for_repair(tmp_path):
    table = plain().assign(
        cust=[101, None, 101, 103, 104, 101], eur=[9.5, 20, np.nan, 3, 0, np.inf]
    )
    pay = wb.rename(table, user="cust", time="ts", amount="eur", source="till")
    log = wb.EventLog(tmp_path)
    done = log.append(payment=pay, known_at="time")
    assert done.added == {"payment": 3}
    assert done.quarantined == {
        "payment.user: null": 1,
        "payment.amount: null": 1,
        "payment.amount: NaN or infinite": 1,
    }
    log.replay(
        lambda rows: rows.filter(pl.col("amount").is_infinite()).with_columns(amount=0.0), "payment"
    )
    assert log.quarantine().height == 2
    assert log.scan("payment").collect().height == 4


def test_an_object_column_of_mixed_types_loses_only_the_rows_that_do_not_fit(tmp_path):
    table = plain().assign(eur=[9.5, "n/a", 9, Decimal("3.00"), None, True])
    pay = wb.rename(table, user="cust", time="ts", amount="eur")
    done = wb.EventLog(tmp_path).append(payment=pay, known_at="time")
    assert done.added == {"payment": 4}
    assert sum(done.quarantined.values()) == 2
    assert any("String, not Float64" in reason for reason in done.quarantined)


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (plain().assign(cust=[1, "two", 3, 4, 5, 6]), "user mixes types"),
        (plain().assign(cust=[1.5] * ROWS), "user is Float64"),
        (plain().assign(ts=TIMES.tz_localize(None)), r"time has no time zone.*tz="),
        (plain().assign(ts=range(ROWS)), "not a date with time"),
        (plain().drop(columns="cust"), "user='cust': the table has no such column"),
    ],
)
def test_what_cannot_be_read_is_an_error_with_the_argument_to_add(table, words):
    with pytest.raises(ValueError, match=words):
        wb.rename(table, user="cust", time="ts", amount="eur")


def test_ids_of_another_type_than_the_logs_are_an_error(tmp_path):
    log = wb.EventLog(tmp_path)
    names = {"user": "cust", "time": "ts", "amount": "eur"}
    log.append(payment=wb.rename(plain(), **names, source="a"), known_at="time")
    other = plain().assign(cust="c1")
    with pytest.raises(ValueError, match=r"payment\.user is String, and user is Int64"):
        log.append(payment=wb.rename(other, **names, source="b"), known_at="time")


def test_an_empty_table_changes_nothing(tmp_path):
    log = wb.EventLog(tmp_path)
    nothing = pd.DataFrame(columns=["cust", "ts", "eur"]).astype({"ts": "datetime64[us, UTC]"})
    for empty in (plain().head(0), pl.from_pandas(plain()).clear(), nothing):
        pay = wb.rename(empty, user="cust", time="ts", amount="eur")
        assert log.append(payment=pay, known_at="time").added == {}
    assert log.version == -1


def test_two_tables_of_one_kind_go_in_under_two_sources(tmp_path):
    log = wb.EventLog(tmp_path)
    names = {"user": "cust", "time": "ts", "amount": "eur"}
    for source in ("till", "web"):
        log.append(payment=wb.rename(plain(), **names, source=source), known_at="time")
    assert log.scan("payment").collect().height == 2 * ROWS


def test_a_complaint_that_comes_weeks_later_is_not_seen_before(tmp_path):
    log = wb.EventLog(tmp_path)
    theirs = pl.DataFrame(
        {
            "order": [1, 2],
            "paid": [datetime(2026, 1, 1, tzinfo=UTC)] * 2,
            "reported": [datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC)],
        }
    )
    log.append(chargeback=wb.rename(theirs, request="order", time="paid", known_at="reported"))
    seen = [
        log.as_of(datetime(2026, 1, 15, tzinfo=UTC) + timedelta(days=30 * months))
        .scan("chargeback")
        .collect()
        .height
        for months in range(3)
    ]
    assert seen == [0, 1, 2]


def test_an_object_column_of_arrays_becomes_a_column_of_lists(tmp_path):
    table = plain().assign(vector=[np.arange(3)] * (ROWS - 1) + [None])
    pay = wb.rename(table, user="cust", time="ts", amount="eur")
    log = wb.EventLog(tmp_path)
    log.append(payment=pay, known_at="time")
    assert log.scan("payment").collect()["vector"].drop_nulls().to_list() == [[0, 1, 2]] * 5
