"""What a store refuses, what it puts aside, and what it says when it is broken or gone."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from workbench import features

START = datetime(2024, 5, 1, tzinfo=UTC)
DAY = timedelta(days=1)
PER = {"of": "payment", "per": "user"}
COUNT = features.count(**PER, name="n")
SPENT = features.sum("amount", **PER, name="spent")


def payments(n: int = 3, **columns) -> pl.DataFrame:
    made = {"event": range(n), "user": 1, "amount": 1.0, "time": START, "known_at": START} | columns
    return pl.DataFrame(made)


def clock(values) -> pl.Series:
    return pl.Series(values, dtype=pl.Datetime("us", "UTC"))


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"amount": [1.0, float("inf"), 1.0]}, "amount is infinite"),
        ({"amount": [1.0, -float("inf"), 1.0]}, "amount is infinite"),
        ({"time": clock([START, None, START])}, "no time"),
        ({"known_at": clock([START, None, START])}, "no known_at"),
        ({"user": [1, None, 1]}, "no key"),
        ({"known_at": clock([START, START - DAY, START])}, "known before it happened"),
    ],
)
def test_a_row_that_cannot_be_used_goes_aside_and_the_others_count(new_store, columns, reason):
    with new_store(SPENT) as store:
        done = store.apply({"payment": payments(**columns)})
        assert (done.events, dict(done.aside)) == (2, {reason: 1})
        aside = store.aside()
        assert (aside["reason"].to_list(), aside["event"].to_list()) == ([reason], ["1"])
        assert store.read({"user": 1}, at=START + DAY) == {"spent": 2.0}
        assert store.status()["aside"] == 1
        assert f"1 aside: {reason}" in repr(done)


def test_a_share_outside_its_range_and_a_vector_of_another_length_go_aside(new_store):
    risk = features.share("label", **PER, name="risk")
    place = features.latest("vector", **PER, name="vector")
    rows = payments(label=[0.0, 7.0, 1.0], vector=[[1.0, 2.0], [3.0, 4.0], [5.0]])
    with new_store([risk, place]) as store:
        done = store.apply({"payment": rows})
        assert dict(done.aside) == {"label is outside [0, 1]": 1, "vector has not 2 numbers": 1}
        assert store.read({"user": 1}, at=START + DAY) == {"risk": 0.0, "vector": [1.0, 2.0]}


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"user": ["a", "b", "c"]}, "user of payment is Int64 in this store, got String"),
        ({"user": [1.0, 2.0, 3.0]}, "user of payment is Float64: keys are whole numbers"),
        ({"amount": ["1", "2", "3"]}, "amount of payment is Float64 in this store, got String"),
        ({"time": [START.replace(tzinfo=None)] * 3}, "must be a time with a zone"),
    ],
)
def test_a_table_of_other_types_is_refused_whole(new_store, columns, message):
    with new_store(SPENT) as store:
        store.apply({"payment": payments()})
        with pytest.raises(ValueError, match=message):
            store.apply({"payment": payments(**columns)}, position=("x", "1"))
        assert store.position("x") is None
        assert store.read({"user": 1}, at=START + DAY) == {"spent": 3.0}
        assert store.apply({"payment": payments()}).duplicates == 3


def test_whole_numbers_and_floats_meet_and_what_is_only_null_waits_for_its_type(new_store):
    latest = features.latest("amount", **PER, name="amount")
    with new_store([SPENT, latest]) as store:
        for number, amount in enumerate([None, 5, 2.5, None, 7]):
            when = START + number * timedelta(hours=1)
            row = payments(1, event=[number], amount=[amount], time=when, known_at=when)
            done = store.apply({"payment": row})
        # the store was told 5 first, so 2.5 has no place among whole numbers
        assert store.aside()["reason"].to_list() == ["amount is Int64 here"]
        assert done.events == 1
        assert store.read({"user": 1}, at=START + DAY) == {"spent": 12.0, "amount": 7}


def test_a_log_without_a_column_or_kind_is_refused(new_store):
    with new_store(SPENT) as store:
        with pytest.raises(ValueError, match="no events of kind 'payment'; it has"):
            store.materialise({"click": payments()}, until=START + DAY)
        with pytest.raises(ValueError, match="'payment' have no column 'amount'"):
            store.materialise({"payment": payments().drop("amount")}, until=START + DAY)
        with pytest.raises(ValueError, match="until must be a time with a zone"):
            store.materialise({"payment": payments()}, until=datetime(2024, 5, 2))
        assert store.read({"user": 1}, at=START + DAY) == {"spent": 0.0}


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"user": "1"}, "user is String in the request and Int64 in the store"),
        ({"item": 1}, "no key 'user'"),
        ({"user": 1.0}, "must be a whole number or a text, got 1.0"),
        ({"user": True}, "must be a whole number or a text, got True"),
    ],
)
def test_a_request_with_a_wrong_key_is_refused(new_store, keys, message):
    with new_store(COUNT) as store:
        store.apply({"payment": payments()})
        with pytest.raises(ValueError, match=message):
            store.read(keys, at=START + DAY)


def test_many_requests_with_wrong_keys_are_refused(new_store):
    with new_store(COUNT) as store:
        store.apply({"payment": payments()})
        for columns, message in (
            ({"user": ["1", "2"]}, "user is String in the request and Int64"),
            ({"item": [1]}, "no column 'user'"),
            ({"user": [1, 2], "item": [1]}, "different lengths"),
            ({"user": [1.0]}, "keys are whole numbers"),
            ({"user": [1], "n": [2]}, "already have a column 'n'"),
        ):
            with pytest.raises(ValueError, match=message):
                store.read_many(columns, at=START + DAY)


def test_candidates_share_the_user_and_have_features_of_their_own(new_store):
    sold = features.count("payment", per="item", name="sold")
    pair = features.count("payment", per=("user", "item"), name="both")
    ratio = features.ratio(SPENT, COUNT, name="usual")
    over = features.formula("price / usual", usual=ratio, name="over")
    some = [COUNT, sold, pair, ratio, over, features.calendar("hour", tz="Europe/Zurich")]
    with new_store(some) as store:
        store.apply({"payment": payments(item=[7, 7, 8], amount=[1.0, 2.0, 6.0])})
        frame = store.read_many(
            {"user": 1, "item": np.array([7, 8, 9]), "price": [3.0, 6.0, 9.0]}, at=START + DAY
        )
        assert frame["user"].to_list() == [1, 1, 1]
        assert frame["n"].to_list() == [3, 3, 3]
        assert frame["sold"].to_list() == frame["both"].to_list() == [2, 1, 0]
        assert frame["over"].to_list() == [1.0, 2.0, 3.0]
        one = store.read({"user": 1, "item": 8, "price": 6.0}, at=START + DAY)
        assert one == frame.select(each.name for each in some).row(1, named=True)
        with pytest.raises(ValueError, match="no 'price' for over"):
            store.read({"user": 1, "item": 8}, at=START + DAY)


def test_lookup_does_what_the_log_lookup_does(new_store):
    rows = payments(user=[1, 2, 2], amount=[1.0, 2.0, 6.0])
    some = (COUNT, SPENT, features.latest("amount", **PER, name="latest"))
    asked = {"user": np.array([2, 1, 5]), "time": np.array(["2024-05-03"] * 3, "datetime64[us]")}
    from_log = features.LogLookup(some, {"payment": rows})(asked)
    with new_store(some) as store:
        store.apply({"payment": rows})
        found = store.lookup(asked)
    assert found.keys() == from_log.keys()
    for name in found:
        np.testing.assert_array_equal(found[name], from_log[name])


def test_only_one_process_writes_but_any_reads(tmp_path):
    program = (
        "import sys; from workbench import features\n"
        "from tests.features.test_online_refusals import COUNT, DAY, START, payments\n"
        "store = features.OnlineStore(sys.argv[1], COUNT)\n"
        "print(store.read({'user': 1}, at=START + DAY))\n"
        "store.apply({'payment': payments()})\n"
    )
    with features.OnlineStore(tmp_path, COUNT) as store:
        store.apply({"payment": payments()})
        done = subprocess.run(
            [sys.executable, "-c", program, tmp_path], capture_output=True, text=True
        )
    assert done.stdout == "{'n': 3}\n"
    assert f"has a writer already, process {os.getpid()}: only one may write" in done.stderr


def test_two_objects_of_one_process_may_take_turns(tmp_path):
    first, second = (features.OnlineStore(tmp_path, COUNT) for _ in range(2))
    assert first.apply({"payment": payments(2)}).events == 2
    assert second.apply({"payment": payments(3)}).events == 1
    assert first.apply({"payment": payments(4)}).events == 1
    first.close()
    assert second.read({"user": 1}, at=START + DAY) == {"n": 4}
    second.close()
    second.close()
    with pytest.raises(ValueError, match="is closed"):
        second.read({"user": 1}, at=START + DAY)


@pytest.mark.parametrize("spoil", ["cut", "zeros", "text"])
def test_a_damaged_file_is_named_with_the_way_out(tmp_path, spoil):
    with features.OnlineStore(tmp_path, COUNT) as store:
        store.apply({"payment": payments(5_000, user=pl.Series(range(5_000)))})
    file = tmp_path / "data.mdb"
    content = file.read_bytes()
    if spoil == "cut":
        file.write_bytes(content[: len(content) // 2])
    else:
        file.write_bytes(b"\0" * len(content) if spoil == "zeros" else b"hello" * 10_000)
    with pytest.raises(
        ValueError, match=r"data\.mdb cannot be read.*materialise from the log again"
    ):
        features.OnlineStore(tmp_path, COUNT).read({"user": 1}, at=START + DAY)


def test_a_flipped_bit_in_a_record_is_noticed(tmp_path):
    with features.OnlineStore(tmp_path, SPENT) as store:
        store.apply({"payment": payments(1, amount=1234.5)})
    file = tmp_path / "data.mdb"
    content, number = file.read_bytes(), np.float64(1234.5).tobytes()
    assert number in content
    file.write_bytes(content.replace(number, np.float64(1234.75).tobytes()))
    with features.OnlineStore(tmp_path, SPENT) as store:
        with pytest.raises(ValueError, match="a record of user is damaged"):
            store.read({"user": 1}, at=START + DAY)
        with pytest.raises(ValueError, match="is damaged"):
            store.apply({"payment": payments(2)})


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"late_days": 0}, "late_days must be positive"),
        ({"on_error": "ignore"}, 'must be "raise" or "missing"'),
        ({"features": [COUNT, features.sum("amount", **PER, name="n")]}, "two features are called"),
        ({"features": "n"}, "features are definitions"),
        ({"address": "http://somewhere"}, "a folder or redis"),
    ],
)
def test_a_store_that_makes_no_sense_is_refused(tmp_path, words, message):
    words = {"address": tmp_path, "features": COUNT} | words
    with pytest.raises(ValueError, match=message):
        features.OnlineStore(**words)
