"""Faults on one's own tables, and what cannot be: an error with the rule."""

import pickle
from dataclasses import replace
from datetime import UTC, datetime

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from workbench.data.faults import FAULTS, Fault, inject

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"kind": "klick"}, r"events have no kind 'klick'; got \['payment'"),
        ({"column": "amuont"}, "payment has no column 'amuont': it has event, time"),
        ({"column": "place"}, "breaks a column that is a number; payment.place is String"),
        ({"where": {"country": "CH"}}, "payment has no column 'country'"),
        ({"magnitude": -0.1}, r"a share of rows must be in \[0, 1\], got -0.1"),
        ({"magnitude": 1.5}, r"a share of rows must be in \[0, 1\], got 1.5"),
        ({"start": NOON, "end": NOON}, "end must come after start"),
        ({"start": datetime(2026, 3, 1)}, "start must be a datetime with a time zone"),
        ({"kind": "No kind"}, "a kind is one lower-case word"),
        ({"how": "magic"}, "how must be one of"),
        ({"column": None}, "needs a column, got None"),
    ],
)
def test_what_cannot_be_is_named(change, words, events):
    with pytest.raises(ValueError, match=words):
        replace(FAULTS["amount in cents"], **change).apply(events)


def test_other_units_have_their_own_bounds(events):
    with pytest.raises(ValueError, match="magnitude must be at least 0 hours, got -1"):
        replace(FAULTS["clock behind"], magnitude=-1)
    with pytest.raises(ValueError, match="magnitude must be above 0 times, got 0"):
        replace(FAULTS["other currency"], magnitude=0)
    with pytest.raises(ValueError, match="breaks whole rows: no column, got 'amount'"):
        replace(FAULTS["dropped events"], column="amount")
    with pytest.raises(ValueError, match="level must be one of"):
        FAULTS["nulls"].at("huge")
    with pytest.raises(ValueError, match="user is Int64 and place is String: they cannot change"):
        replace(FAULTS["swapped columns"], value="place").apply(events)
    with pytest.raises(ValueError, match=r"unknown puts 'unknown'; payment.amount is"):
        FAULTS["unknown"].on("payment", "amount").apply(events)
    naive = events["payment"].with_columns(pl.col("known_at").dt.replace_time_zone(None))
    with pytest.raises(ValueError, match="known_at has no time zone"):
        FAULTS["nulls"].at("large", start=NOON).apply({"payment": naive})
    with pytest.raises(ValueError, match="payment has no column 'event'"):
        FAULTS["nulls"].apply({"payment": events["payment"].drop("event")})


def test_a_pandas_table_comes_back_as_one_with_its_index_and_types():
    orders = pd.DataFrame(
        {"country": ["DE", "CH", "DE", "CH"], "eur": [5.0, 9.0, None, 7.0], "n": [1, 2, 3, 4]},
        index=["a", "b", "c", "d"],
    ).astype({"n": "int8"})
    kept = orders.copy()
    fault = FAULTS["amount in cents"].on("orders", "eur", where={"country": "CH"}).at("large")
    out, touched = inject(orders, fault)
    pd.testing.assert_frame_equal(orders, kept)
    pd.testing.assert_frame_equal(out, orders.assign(eur=[5.0, 900.0, None, 700.0]))
    assert touched["event"].tolist() == [1, 3]
    gone, _ = inject(orders, replace(FAULTS["dropped events"].on("orders"), magnitude=1.0))
    pd.testing.assert_frame_equal(gone, orders.iloc[:0])
    renamed, _ = inject(orders, FAULTS["renamed field"].on("orders", "n").at("large"))
    assert list(renamed.columns) == ["country", "eur", "n_v2"]
    assert list(renamed.index) == ["a", "b", "c", "d"]


def test_polars_and_arrow_tables_come_back_as_such():
    table = pl.DataFrame({"country": ["DE", "CH"], "eur": [5.0, 9.0]})
    fault = FAULTS["respelled"].on("orders", "country").at("large")
    out, touched = inject(table, fault)
    assert out["country"].to_list() == ["de", "ch"]
    assert touched["event"].to_list() == [0, 1]
    out, _ = inject(table.to_arrow(), fault)
    assert isinstance(out, pa.Table)
    assert out["country"].to_pylist() == ["de", "ch"]


def test_a_fault_travels_to_a_worker():
    fault = FAULTS["nulls"].on("payment", where={"place": "CH"}).at("large", start=NOON)
    assert pickle.loads(pickle.dumps(fault)) == fault
    assert isinstance(fault, Fault)
    assert hash(fault) == hash(pickle.loads(pickle.dumps(fault)))
