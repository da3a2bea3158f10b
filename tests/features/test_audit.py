"""Every planted leak is named, and an honest frame is never accused."""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench import features
from workbench.events import EventLog
from workbench.features.audit import audit

sys.path.insert(0, str(Path(__file__).parent))
from brute import brute_force
from leaky_shop import ALL, LEAKS, MEAN, RISK, SPENT, WEEK, by_hand, kind_of, rightly, shop
from payment_histories import EVERY, histories, read, requests

KEYS = ["user", "item", "time", "fraud"]


@pytest.fixture(scope="module")
def log():
    return shop()


@pytest.fixture(scope="module")
def asked(log):
    return log["payment"].select(KEYS)


@pytest.mark.parametrize(("feature", "sees", "words"), LEAKS.values(), ids=LEAKS)
def test_a_planted_leak_is_named(feature, sees, words, log, asked):
    leaky = asked.with_columns(
        pl.Series(feature.name, by_hand(feature, asked, log[feature.of], sees))
    )
    found = audit(leaky, [feature], log)
    leaks = found.leaks[feature.name]
    first = next(iter(leaks))
    assert words in first, leaks
    assert leaks[first] >= 0.9 * sum(leaks.values()), leaks
    row = found.table.row(0, named=True)
    kind = kind_of(words)
    assert row[kind] > 0.02
    assert found.clean is (kind != "future")
    assert found.confirmed == found.asked > 0
    assert max(map(len, repr(found).splitlines())) <= 90


def honest(feature, asked, log):
    return pl.Series(feature.name, by_hand(feature, asked, log[feature.of], rightly(feature)))


@pytest.fixture(scope="module")
def honest_frame(log, asked):
    return asked.with_columns(honest(feature, asked, log) for feature in ALL)


def test_an_honest_frame_is_not_accused(honest_frame, log):
    found = audit(honest_frame, ALL, log, label="fraud")
    assert found.clean
    assert found.table["exact"].to_list() == [1.0] * len(ALL)
    assert not len(found.evidence)
    assert found.cost.lost.estimate == 0
    assert "no value is from the future" in repr(found)


def planted(frame, name):
    """Ways to spoil a right column that need no loop over events."""
    means = frame["mean"]
    rng = np.random.default_rng(1)
    noise = pl.Series(rng.normal(0, 0.05, len(frame)))
    return {
        "its own label": frame["fraud"].cast(float),
        "its own label, with noise": frame["fraud"] + noise,
        "its own label, added": means + 1_000 * frame["fraud"],
        "target encoding": frame.select(pl.col("fraud").mean().over("user")).to_series(),
        "nulls filled with the mean": means.fill_null(means.mean()),
        "one value for everybody": means * 0 + name,
        "two rows on": frame.select(pl.col("mean").shift(-2).over("user")).to_series(),
        "one row back": frame.select(pl.col("mean").shift(1).over("user")).to_series(),
    }


NAMED = {
    "its own label": ("future", "label-derived: the row's own label"),
    "its own label, with noise": ("future", "label-derived: it follows the row's own label"),
    "its own label, added": ("future", "label-derived: it follows the row's own label"),
    "target encoding": ("future", "label-derived: its mean per user"),
    "nulls filled with the mean": ("future", "null filled with the mean of the whole table"),
    "one value for everybody": ("future", "global: one value for everybody"),
    "two rows on": ("future", "the value 2 events later"),
    "one row back": ("stale", "the value 1 event earlier"),
}


@pytest.mark.parametrize("plant", NAMED)
def test_a_leak_that_no_moment_gives_is_named(plant, honest_frame, log):
    everybody = log["payment"]["amount"].mean()
    frame = honest_frame.with_columns(mean=planted(honest_frame, everybody)[plant])
    found = audit(frame, [MEAN], log, label="fraud")
    kind, words = NAMED[plant]
    leaks = found.leaks["mean"]
    assert next(iter(leaks)) == words, leaks
    assert found.table.row(0, named=True)[kind] > 0
    assert found.clean is (kind != "future")


WRONG_DEFAULTS = {
    "null given as -1": ("mean", lambda column: column.fill_null(-1.0)),
    "null in place of 0": ("week", lambda column: column.set(column == 0, None)),
    "null given as 0": ("since", lambda column: column.fill_null(0.0)),
}


@pytest.mark.parametrize("words", WRONG_DEFAULTS)
def test_a_wrong_default_is_no_leak(words, honest_frame, log):
    name, spoil = WRONG_DEFAULTS[words]
    found = audit(honest_frame.with_columns(spoil(honest_frame[name]).alias(name)), ALL, log)
    assert found.clean
    assert [*found.leaks[name]] == [words]
    assert (found.table["exact"] < 1).sum() == 1


def test_a_default_does_not_hide_the_leak(log, asked):
    feature, sees, words = LEAKS["labels known at once"]
    values = pl.Series("risk", by_hand(feature, asked, log["chargeback"], sees))
    frame = asked.with_columns(values.set(values == 0, None))
    found = audit(frame, [RISK], log)
    assert any(words in leak for leak in found.leaks["risk"]), found.leaks
    assert "null in place of 0" in found.leaks["risk"]


def test_of_two_leaks_in_one_column_both_are_named(honest_frame, log, asked):
    (_, day, _), (_, most, _) = LEAKS["join on the day, week"], LEAKS["at most, week"]
    one, two = (by_hand(WEEK, asked, log["payment"], sees) for sees in (day, most))
    first = np.arange(len(asked)) < 450
    frame = asked.with_columns(week=pl.Series(np.where(first, one, two)))
    leaks = audit(frame, [WEEK], log).leaks["week"]
    assert {"joined on the day", "<= instead of <"} <= set(leaks), leaks


def test_a_leak_in_a_tenth_of_the_rows_is_named(honest_frame, log, asked):
    feature, sees, _ = LEAKS["join on the day, whole days"]
    leaky = by_hand(feature, asked, log["payment"], sees)
    some = np.arange(len(asked)) % 10 == 0
    frame = honest_frame.with_columns(
        spent=pl.Series(np.where(some, leaky, honest_frame["spent"].to_numpy()))
    )
    found = audit(frame, [SPENT], log)
    assert [*found.leaks["spent"]] == ["joined on the day"]
    assert "in 10" in found.table["verdict"][0] or "in 9" in found.table["verdict"][0]
    assert 0.05 < found.table["future"][0] <= 0.1


def test_the_leak_of_a_part_is_named_in_a_ratio(log, asked):
    ratio = features.ratio(SPENT, WEEK, name="each")
    spent, week = (
        pl.Series(
            by_hand(each, asked, log["payment"], lambda r, e, f=each: rightly(f)(r, e)),
            dtype=pl.Float64,
        )
        for each in (SPENT, WEEK)
    )
    right = asked.with_columns(each=(spent / week.set(week == 0, None)))
    assert audit(right, ratio, log).table["exact"].to_list() == [1.0]
    moved = features.training_frame(
        asked.with_columns(time=pl.col("time") + timedelta(hours=3)), ratio, log
    )
    found = audit(moved.with_columns(time=asked["time"]), ratio, log)
    assert [*found.leaks["each"]] == ["time zone: +3 h"]


HARMLESS = {
    "float32": lambda frame: frame.with_columns(pl.col(pl.Float64).cast(pl.Float32)),
    "two decimals": lambda frame: frame.with_columns(pl.col(pl.Float64).round(2)),
    "shuffled": lambda frame: frame.sample(fraction=1.0, shuffle=True, seed=3),
    "twice": lambda frame: pl.concat([frame, frame]),
    "pandas": lambda frame: frame.to_pandas(),
    "arrow": lambda frame: frame.to_arrow(),
    "counts as floats": lambda frame: frame.with_columns(pl.col(pl.Int64).cast(pl.Float64)).cast(
        {"user": pl.Int64, "item": pl.Int64}
    ),
    "NaN for null": lambda frame: frame.with_columns(pl.col(pl.Float64).fill_null(float("nan"))),
    "another zone": lambda frame: frame.with_columns(
        pl.col("time").dt.convert_time_zone("Asia/Tokyo").dt.cast_time_unit("ns")
    ),
}


@pytest.mark.parametrize("change", HARMLESS)
def test_what_changes_no_value_is_no_leak(change, honest_frame, log):
    found = audit(HARMLESS[change](honest_frame), ALL, log)
    assert found.clean, found
    assert found.table["exact"].to_list() == [1.0] * len(ALL), found


def test_noise_is_unexplained_and_no_leak(honest_frame, log):
    rng = np.random.default_rng(5)
    frame = honest_frame.with_columns(mean=pl.col("mean") + pl.Series(rng.normal(size=900)))
    found = audit(frame, [MEAN], log, label="fraud")
    assert found.clean
    assert [*found.leaks["mean"]] == ["unexplained"]


ROUNDED = [lambda c: c, lambda c: c.cast(pl.Float32), lambda c: c.round(2)]


@settings(max_examples=40, deadline=None)
@given(histories(), requests, st.sampled_from(ROUNDED), st.randoms(use_true_random=False))
def test_no_random_honest_history_is_accused(events, asked, change, random):
    """The values are those of the reference, which knows nothing of the engine."""
    rows = events.with_columns(pl.col("amount").fill_nan(None)).to_dicts()
    frame = asked
    for feature in EVERY:
        holds = read(feature.where) if feature.where else lambda _event: True
        values = [
            brute_force(feature, each, rows, value=read(feature.column), holds=holds)
            for each in asked.to_dicts()
        ]
        column = pl.Series(feature.name, values, strict=False)
        frame = frame.with_columns(change(column) if column.dtype == pl.Float64 else column)
    order = random.sample(range(len(frame)), len(frame))
    found = features.audit(frame[order], EVERY, {"payment": events})
    assert found.clean, found
    assert found.table["exact"].to_list() == [1.0] * len(EVERY), found.evidence
    assert found.confirmed == found.asked


def test_an_hour_of_the_wrong_zone_is_named(log, asked):
    hour = features.calendar("hour", tz="Europe/Zurich")
    in_utc = asked.with_columns(hour=pl.col("time").dt.hour())
    found = audit(in_utc, hour, log)
    (leak,) = found.leaks["hour"]
    assert leak.startswith("time zone: ")
    right = asked.with_columns(hour=pl.col("time").dt.convert_time_zone("Europe/Zurich").dt.hour())
    assert audit(right, hour, log).table["exact"].to_list() == [1.0]


def test_the_leak_in_a_formula_is_named(log, asked):
    over = features.formula("amount / usual", usual=MEAN, name="over")
    rows = asked.with_columns(log["payment"]["amount"])
    leaky = by_hand(MEAN, asked, log["payment"], LEAKS["at most"][1])
    frame = rows.with_columns(over=pl.col("amount") / pl.Series(leaky))
    assert [*audit(frame, over, log).leaks["over"]] == ["<= instead of <"]


def test_a_kind_without_events_gives_its_defaults(asked, tmp_path):
    log = EventLog(tmp_path)
    none = features.count("payment", per="user", name="none")
    assert audit(asked.with_columns(none=0), none, log).clean
    found = audit(asked.with_columns(none=3), none, log)
    assert [*found.leaks["none"]] == ["unexplained"]


def test_the_day_is_that_of_the_shop(log, asked):
    """Joined on the day of Tokyo, where the shop is; no day of UTC explains it."""
    tokyo = ZoneInfo("Asia/Tokyo")
    day = lambda moment: moment.astimezone(tokyo).date()  # noqa: E731
    leaky = by_hand(MEAN, asked, log["payment"], lambda r, e: day(e["time"]) <= day(r["time"]))
    frame = asked.with_columns(mean=pl.Series(leaky))
    assert [*audit(frame, MEAN, log, tz="Asia/Tokyo").leaks["mean"]] == ["joined on the day"]
    assert "joined on the day" not in audit(frame, MEAN, log).leaks["mean"]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_other_honest_shops_are_not_accused_either(seed):
    log = shop(seed, n=300)
    asked = log["payment"].select(KEYS)
    frame = asked.with_columns(honest(feature, asked, log) for feature in ALL)
    found = audit(frame.with_columns(pl.col(pl.Float64).round(3)), ALL, log, label="fraud")
    assert found.table["exact"].to_list() == [1.0] * len(ALL)
