"""Contracts by hand: which casts are silent, which rows are bad, and how a contract grows."""

from datetime import UTC, datetime
from decimal import Decimal

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from workbench.contracts import CONTRACTS, VOCABULARY, Column, Contract, check, grow

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SENSOR = Contract(
    "sensor",
    (
        Column(name="celsius", dtype="float", required=True, low=-90, high=60),
        Column(name="count", dtype="int"),
        Column(name="unit", dtype="word", allowed=("C", "F")),
        Column(name="indoor", dtype="bool"),
        Column(name="read_at", dtype="time"),
    ),
)


def readings(**columns) -> pl.DataFrame:
    rows = {"celsius": [20.0, 21.0], **columns}
    return pl.DataFrame({"event": [1, 2], **rows}).with_columns(time=NOON, known_at=NOON)


def reasons(**columns) -> list[str]:
    return check(readings(**columns), SENSOR, NOON)[1]["reason"].to_list()


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        ("celsius", pl.Series([20, 21], dtype=pl.Int8), pl.Float64),
        ("celsius", pl.Series([20.5, 21.5], dtype=pl.Float32), pl.Float64),
        ("celsius", pl.Series([Decimal("20.10"), Decimal("-3.05")]), pl.Float64),
        ("celsius", pl.Series([True, False]), pl.Float64),
        ("count", pl.Series([1, 2], dtype=pl.UInt16), pl.Int64),
        ("count", pl.Series([1, 2], dtype=pl.UInt64), pl.Int64),
        ("count", pl.Series([1.0, None]), pl.Int64),
        ("unit", pl.Series(["C", "F"], dtype=pl.Categorical), pl.String),
        ("unit", pl.Series(["C", None], dtype=pl.Enum(["C", "F"])), pl.String),
        ("read_at", pl.Series([NOON, NOON]).dt.cast_time_unit("ms"), pl.Datetime("us", "UTC")),
        (
            "read_at",
            pl.Series([NOON, None]).dt.convert_time_zone("Asia/Tokyo").dt.cast_time_unit("ns"),
            pl.Datetime("us", "UTC"),
        ),
    ],
)
def test_casts_that_lose_nothing_are_silent(name, values, expected):
    good, bad = check(readings(**{name: values}), SENSOR, NOON)
    assert bad.is_empty()
    assert good.schema[name] == expected
    assert good[name].cast(values.dtype).to_list() == values.to_list()


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"celsius": [20.0, None]}, ["sensor.celsius: null"]),
        ({"celsius": [20.0, float("nan")]}, ["sensor.celsius: NaN or infinite"]),
        ({"celsius": [-90.0, -90.1]}, ["sensor.celsius: below -90"]),
        ({"celsius": [60.0, 60.1]}, ["sensor.celsius: above 60"]),
        ({"celsius": ["20", "21"]}, ["sensor.celsius: String, not Float64"] * 2),
        ({"count": [1.0, 1.5]}, ["sensor.count: not exact as Int64"]),
        ({"count": [1.0, float("nan")]}, ["sensor.count: not exact as Int64"]),
        ({"count": [True, False]}, ["sensor.count: Boolean, not Int64"] * 2),
        (
            {"count": pl.Series([1, 2**63], dtype=pl.UInt64)},
            ["sensor.count: too large for Int64"],
        ),
        ({"unit": ["C", "K"]}, ["sensor.unit: not one of C, F"]),
        ({"unit": [1, None]}, ["sensor.unit: Int64, not String"]),
        ({"indoor": [1, 0]}, ["sensor.indoor: Int64, not Boolean"] * 2),
        ({"read_at": ["2026-01-01", None]}, ["sensor.read_at: String, not Datetime"]),
        ({"noise": [0.5, float("inf")]}, ["sensor.noise: NaN or infinite"]),
    ],
)
def test_rows_that_break_a_rule_are_bad_for_a_reason(columns, expected):
    found = reasons(**columns)
    assert [reason[: len(each)] for reason, each in zip(found, expected, strict=True)] == expected


def test_whole_numbers_that_a_float_cannot_hold_are_bad():
    large = Contract("large", (Column(name="amount", dtype="float"),))
    rows = readings(amount=[2**53, 2**53 + 1])
    good, bad = check(rows, large, NOON)
    assert good["amount"].to_list() == [2.0**53]
    assert bad["reason"].to_list() == ["large.amount: not exact as Float64"]


def test_decimals_that_a_float_cannot_hold_are_bad():
    price = Contract("price", (Column(name="amount", dtype="float"),))
    long = pl.Series([Decimal("0.1"), Decimal("12345678901234567.89")], dtype=pl.Decimal(30, 2))
    good, bad = check(readings(amount=long), price, NOON)
    assert (good["amount"].to_list(), bad.height) == ([0.1], 1)


def test_bad_rows_come_back_as_they_came():
    rows = readings(celsius=[20, 200]).cast({"celsius": pl.Int16})
    good, bad = check(rows, SENSOR, NOON)
    assert_frame_equal(bad.drop("reason"), rows.tail(1))
    assert_frame_equal(good, rows.head(1).cast({"celsius": pl.Float64}), check_column_order=False)


def test_the_first_broken_rule_in_column_order_is_the_reason():
    assert reasons(celsius=[None, 20.0], unit=["K", "K"]) == [
        "sensor.celsius: null",
        "sensor.unit: not one of C, F",
    ]


def test_a_column_of_nulls_without_a_type_says_nothing():
    good, bad = check(readings(count=[None, None]), SENSOR, NOON)
    assert ("count" in good.columns, bad.height) == (False, 0)
    assert reasons(celsius=[None, None]) == ["sensor.celsius: missing"] * 2


def test_no_row_is_fine():
    good, bad = check(readings().clear(), SENSOR, NOON)
    assert (good.height, bad.height) == (0, 0)


def test_a_contract_grows_by_what_it_does_not_name():
    rows = readings(note=["a", "b"], born=[NOON.date()] * 2, tags=[[1], [2]], score=[1, 2])
    grown = grow(SENSOR, rows)
    assert [column.name for column in grown.columns[5:]] == ["note", "born", "tags", "score"]
    assert [column.dtype for column in grown.columns[5:]] == ["word", "other", "other", "float"]
    assert grow(grown, rows) is grown


def test_contracts_survive_json():
    for contract in [*CONTRACTS.values(), SENSOR]:
        assert Contract.from_json(contract.to_json()) == contract


def test_shipped_contracts_speak_the_vocabulary():
    assert len(CONTRACTS) == 13
    for contract in CONTRACTS.values():
        for column in contract.columns:
            assert column.dtype == VOCABULARY[column.name]


def test_a_contract_cannot_name_a_column_twice_nor_the_logs_own():
    twice = Column(name="x", dtype="int")
    with pytest.raises(ValueError, match=r"names a column twice: \['x', 'x'\]"):
        Contract("sensor", (twice, twice))
    with pytest.raises(ValueError, match="column day belongs to the log itself"):
        Column(name="day", dtype="word")
