"""Faults by hand on small frames: exactly these rows, and the rest bit by bit."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from workbench.assign import uniform
from workbench.data.faults import FAULTS, LEVELS

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
N = 400


def rows_that_differ(clean, broken):
    """Event ids of rows that are in one of the two and not in the other, each as often as that.

    Values are compared as text: where some numbers became text, all of the batch are.
    """
    names = [*dict.fromkeys(clean.columns + broken.columns)]

    def said(frame):
        return pl.Series(
            [repr([str(row.get(name)) for name in names]) for row in frame.iter_rows(named=True)],
            dtype=pl.String,
        )

    def counted(frame):
        table = pl.DataFrame({"event": frame["event"], "said": said(frame)})
        return table.group_by("event", "said").len()

    both = counted(clean).join(counted(broken), on=["event", "said"], how="full", coalesce=True)
    return set(both.filter(pl.col("len").ne_missing(pl.col("len_right")))["event"])


def as_texts(frame, columns):
    return frame.select(pl.col(columns).cast(pl.String))


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("name", FAULTS)
def test_what_was_touched_is_what_differs_and_nothing_else_does(name, level, events):
    start, end = NOON + timedelta(days=2), NOON + timedelta(days=5, hours=3)
    fault = FAULTS[name].at(level, start=start, end=end)
    broken, touched = fault.apply(events)
    clean = events[fault.kind]
    assert set(touched["event"]) == rows_that_differ(clean, broken[fault.kind])
    assert touched.columns == ["fault", "kind", "event", "time"]
    arrived = clean.filter(pl.col("known_at") >= start, pl.col("known_at") < end)
    if name != "doubled":
        assert set(touched["event"]) <= set(arrived["event"])
    assert touched["time"].is_in(arrived["time"].implode()).all()
    for kind in set(events) - {fault.kind}:
        assert broken[kind] is events[kind]
    untouched = clean.filter(~pl.col("event").is_in(touched["event"].implode()))
    left = broken[fault.kind].filter(~pl.col("event").is_in(touched["event"].implode()))
    assert_frame_equal(as_texts(left, clean.columns), as_texts(untouched, clean.columns))
    if level == "large":
        assert touched.height > 0


@pytest.mark.parametrize("name", FAULTS)
def test_a_level_up_is_more_of_the_same(name, events):
    fault = FAULTS[name]
    sizes = []
    for level in LEVELS:
        _, touched = fault.at(level, start=NOON).apply(events)
        sizes.append(touched.height)
        if fault.mechanism.unit == "share" and level != "small":
            assert before <= set(touched["event"])  # noqa: F821
        before = set(touched["event"])  # noqa: F841
    assert sizes == sorted(sizes)
    assert list(fault.levels) == sorted(set(fault.levels))


@pytest.mark.parametrize("name", FAULTS)
def test_batches_do_not_matter(name, events):
    fault = FAULTS[name].at("medium", start=NOON + timedelta(days=1))
    whole, touched = fault.apply(events)
    pieces, ids = [], []
    for first in range(0, N, 90):
        cut = {kind: frame[first : first + 90] for kind, frame in events.items()}
        cut = {kind: frame for kind, frame in cut.items() if frame.height}
        if fault.kind in cut:
            broken, some = fault.apply(cut, known=events)
            pieces.append(broken[fault.kind])
            ids += some["event"].to_list()
    together = pl.concat(pieces, how="diagonal_relaxed")
    order = ["event", "time", "known_at"]
    columns = whole[fault.kind].columns
    assert_frame_equal(
        as_texts(together.sort(order), columns), as_texts(whole[fault.kind].sort(order), columns)
    )
    assert sorted(ids) == sorted(touched["event"])


@pytest.mark.parametrize("name", FAULTS)
def test_nothing_of_it_is_as_if_there_were_no_fault(name, events):
    fault = FAULTS[name]
    off = replace(fault, magnitude=1.0 if fault.mechanism.unit == "times" else 0.0, start=NOON)
    broken, touched = off.apply(events)
    assert touched.is_empty()
    assert all(broken[kind] is events[kind] for kind in events)
    later = fault.at("large", start=NOON + timedelta(days=99))
    assert later.apply(events)[0]["payment"] is events["payment"]


def broken(name, events, level="large", **changes):
    fault = replace(FAULTS[name].at(level, start=NOON), **changes)
    return fault.apply(events)[0][fault.kind]


def test_each_mechanism_does_what_it_says(events):
    pay, click = events["payment"], events["click"]
    assert (broken("amount in cents", events)["amount"] == pay["amount"] * 100).all()
    assert (broken("amount in thousands", events)["amount"] == pay["amount"] * 0.001).all()
    assert (broken("other currency", events)["amount"] == pay["amount"] * 3).all()
    assert (broken("position off by one", events)["position"] == click["position"] + 1).all()
    assert set(broken("rounded", events, "medium")["amount"] % 10) == {0.0}
    assert broken("number as text", events)["amount"][0] == "5,25"
    assert set(broken("respelled", events)["place"]) == {"de", "ch", "fr"}
    assert set(broken("stuck value", events)["amount"]) == {19.99}
    assert broken("truncated ids", events)["request"].to_list() == [*range(N)]
    swapped = broken("swapped columns", events)
    assert (swapped["user"] == pay["device"]).all()
    assert (swapped["device"] == pay["user"]).all()
    joined = broken("wrong join", events)["item"]
    assert joined[:4].to_list() == [1, 0, 3, 2]
    assert set(joined) == set(click["item"])
    labels = broken("flipped labels", events, magnitude=1.0)["label"]
    assert (labels == 1 - events["review"]["label"]).all()
    renamed = broken("renamed field", events)
    assert "device" not in renamed.columns
    assert (renamed["device_v2"] == pay["device"]).all()
    text = broken("truncated ids", events, kind="payment", column="place", value=1)["place"]
    assert text[:3].to_list() == ["D", "C", "F"]


def test_half_a_renamed_field_is_null_under_the_old_name(events):
    half = broken("renamed field", events, "medium")
    assert half.columns == [*events["payment"].columns, "device_v2"]
    assert (half["device"].is_null() == half["device_v2"].is_not_null()).all()


def test_noise_has_the_sigma_it_names(events):
    many = pl.concat([events["payment"]] * 25).with_columns(event=pl.int_range(25 * N))
    noisy = FAULTS["noisy"].at("medium").apply({"payment": many})[0]["payment"]
    factor = np.log(noisy["amount"] / many["amount"]).to_numpy()
    assert factor.std() == pytest.approx(0.5, rel=0.03)
    assert abs(factor.mean()) < 0.02


def test_the_clocks_move_as_they_say(events):
    pay = events["payment"]
    assert set(broken("clock behind", events, "medium")["time"] - pay["time"]) == {
        timedelta(hours=-6)
    }
    assert set(broken("late arrival", events)["known_at"] - pay["known_at"]) == {
        timedelta(hours=48)
    }
    early = broken("known before", events, magnitude=1.0)
    assert set(early["known_at"] - early["time"]) == {timedelta(hours=-6)}
    shift = broken("local time", events)["time"] - pay["time"]
    # New York's clocks go forward on 8 March 2026, at 7 UTC
    summer = pay["time"] >= datetime(2026, 3, 8, 7, tzinfo=UTC)
    assert set(shift.filter(~summer)) == {timedelta(hours=-5)}
    assert set(shift.filter(summer)) == {timedelta(hours=-4)}


def test_an_outage_is_a_hole_of_so_many_hours(events):
    left = broken("outage", events, "medium", start=NOON + timedelta(hours=10))["time"]
    gap = left.diff().max()
    assert gap == timedelta(hours=8, minutes=30)
    with pytest.raises(ValueError, match="outage needs a start"):
        FAULTS["outage"].apply(events)


def test_whole_devices_fall_silent(events):
    left = broken("dropped devices", events)
    gone = set(events["payment"]["device"]) - set(left["device"])
    silent = uniform(FAULTS["dropped devices"].salt, np.arange(100, 141)) < 0.5
    assert gone == set(np.arange(100, 141)[silent].tolist())
    assert not set(left["device"]) & gone


def test_a_second_copy_has_the_same_id_or_a_new_one(events):
    again = broken("retried", events, magnitude=1.0)
    assert again.height == 2 * N
    assert again["event"].n_unique() == N
    twice = broken("doubled", events, magnitude=1.0)
    assert twice["event"].n_unique() == 2 * N
    assert_frame_equal(twice[N:].drop("event"), events["payment"].drop("event"))
    words = events["payment"].with_columns(pl.col("event").cast(pl.String))
    copies = FAULTS["doubled"].at("large").apply({"payment": words})[0]["payment"][N:]
    assert copies["event"].str.ends_with("-2").all()


def test_a_complaint_goes_to_the_payment_before(events):
    wrong = broken("wrong chargebacks", events)
    right = events["chargeback"]
    assert wrong["request"][0] == right["request"][0]  # there is none before the first
    assert (wrong["request"][1:] == right["request"][1:] - 1).all()
    assert (wrong["amount"][1:] == events["payment"]["amount"].gather_every(7, 6)).all()
    assert (wrong["time"] == right["time"]).all()
    with pytest.raises(ValueError, match="wrong chargebacks looks up payment"):
        FAULTS["wrong chargebacks"].apply({"chargeback": right})


def test_only_the_slice_and_the_share_are_hit(events):
    fault = FAULTS["nulls"].on("payment", "amount", where={"place": "CH", "seller": 2})
    pay = events["payment"]
    slice_ = pay.filter(pl.col("place") == "CH", pl.col("seller") == 2)
    _, touched = replace(fault, magnitude=1.0).apply(events)
    assert set(touched["event"]) == set(slice_["event"])
    _, touched = replace(fault, magnitude=0.4).apply(events)
    chosen = uniform(fault.salt, slice_["event"].to_numpy()) < 0.4
    assert touched["event"].to_list() == slice_["event"].filter(pl.Series(chosen)).to_list()


def test_nulls_in_a_slice_are_not_of_the_slice(events):
    odd = events["payment"].with_columns(place=pl.lit(None, pl.String), device=None)
    fault = FAULTS["amount in cents"].on("payment", where={"place": "CH"}).at("large")
    assert fault.apply({"payment": odd})[1].is_empty()
    nobody = odd.with_columns(pl.col("device").cast(pl.Int64))
    assert FAULTS["dropped devices"].apply({"payment": nobody})[1].is_empty()


def test_the_catalogue_is_large_and_says_what_it_does():
    assert len(FAULTS) >= 14
    for name, fault in FAULTS.items():
        assert fault.name == name
        assert fault.summary
        assert [fault.at(level).level for level in LEVELS] == [*LEVELS]
