"""Every planted cause of a difference between online and offline is named, and nothing else is."""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings

from workbench import features
from workbench.events import EventLog
from workbench.features.parity import parity
from workbench.features.reads import log_reads
from workbench.journal import Journal

sys.path.insert(0, str(Path(__file__).parent))
from brute import brute_force
from payment_histories import EVERY, histories, read, requests

START = datetime(2024, 5, 1, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
US = timedelta(microseconds=1)
OF = {"of": "payment", "per": "user"}
COUNT = features.count(**OF, days=2, name="count")
MEAN = features.mean("amount", **OF, days=5, name="mean")
LATEST = features.latest("amount", **OF, days=1, name="latest")
LAST = features.last("amount", 3, **OF, name="last")
SINCE = features.time_since(**OF, name="since")
ALL = [COUNT, MEAN, LATEST, LAST, SINCE]


@pytest.fixture(scope="module")
def log() -> dict[str, pl.DataFrame]:
    """Payments of thirty users, some known an hour late, some at one and the same second."""
    rng = np.random.default_rng(3)
    n = 1_200
    minutes = np.sort(rng.integers(0, 20 * 24 * 6, n)) * 10
    late = rng.choice([0, 0, 0, 45, 300], n)
    time = [START + int(m) * MINUTE for m in minutes]
    known = [t + int(by) * MINUTE for t, by in zip(time, late, strict=True)]
    ids = rng.permutation(n)
    columns = {"event": ids, "user": rng.integers(0, 30, n), "amount": rng.lognormal(3, 1, n)}
    payments = pl.DataFrame(columns | {"time": time, "known_at": known})
    twin = payments.filter(pl.col("event") % 5 == 0)
    twin = twin.with_columns(event=pl.col("event") + n, amount=pl.col("amount") * 2)
    return {"payment": pl.concat([payments, twin])}


@pytest.fixture(scope="module")
def asked() -> pl.DataFrame:
    rng = np.random.default_rng(4)
    at = [START + (int(m) + 0.5) * MINUTE for m in np.sort(rng.integers(2_000, 20 * 1_440, 400))]
    return pl.DataFrame({"request": range(400), "user": rng.integers(0, 31, 400), "time": at})


def online(feature, asked, log, *, sees=None, moment=None, order=None) -> pl.Series:
    """What a store reads that is right but for one thing, by brute force."""
    by_user: dict = {}
    for event in log["payment"].to_dicts():
        by_user.setdefault(event["user"], []).append(event)
    values = []
    for row in asked.to_dicts():
        events = by_user.get(row["user"], [])
        events = [e for e in events if sees is None or sees(row, e)]
        if order is not None:
            events = order(row, events)
        at = row if moment is None else row | {"time": moment(row["time"])}
        values.append(brute_force(feature, at, events, value=lambda e: e[feature.column]))
    return pl.Series(feature.name, values, strict=False)


def written_last(row, events):
    """A store that keeps whatever was written last."""
    known = [e for e in events if e["known_at"] < row["time"]]
    return sorted(known, key=lambda e: (e["known_at"], e["time"], e["event"]))[-1:]


def other_ties(row, events):
    return [e | {"event": -e["event"]} for e in events]


PLANTS = {
    "late event: without the last one known": {
        "feature": COUNT,
        "order": lambda r, events: sorted(
            (e for e in events if e["known_at"] < r["time"]), key=lambda e: e["known_at"]
        )[:-1],
    },
    "time-to-live: the value had expired": {"feature": LATEST, "of": replace(LATEST, window=None)},
    "time-to-live: it expired early": {"feature": LATEST, "of": replace(LATEST, window=DAY / 2)},
    "out-of-order write: the event known last": {"feature": LATEST, "order": written_last},
    "tie: another event of that instant": {"feature": LATEST, "order": other_ties},
    "clock: 30 min ahead": {"feature": MEAN, "moment": lambda t: t + 30 * MINUTE},
    "clock: 5 min behind": {"feature": SINCE, "moment": lambda t: t - 5 * MINUTE},
    "clock: 2 h behind": {"feature": COUNT, "moment": lambda t: t - 2 * HOUR},
}


@pytest.mark.parametrize("words", PLANTS)
def test_a_planted_cause_is_named(words, log, asked):
    plant = dict(PLANTS[words])
    feature, of = plant.pop("feature"), plant.pop("of", None)
    reads = asked.with_columns(online(of or feature, asked, log, **plant).alias(feature.name))
    found = parity(reads, [feature], log)
    cause, detail = words.split(": ")
    mismatches = found.mismatches
    assert 5 < len(mismatches) <= len(asked)
    hits = mismatches.filter(pl.col("cause") == cause, pl.col("detail") == detail)
    assert len(hits) >= 0.9 * len(mismatches), found
    assert found.table[cause][0] >= len(hits)
    assert max(map(len, repr(found).splitlines())) <= 90


def test_the_request_instant_counts_as_a_tie(log):
    """The store had counted events of the read's own instant."""
    asked = log["payment"].select("user", "time").head(300).with_row_index("request")
    longer = replace(COUNT, window=COUNT.window + US)
    values = online(longer, asked, log, moment=lambda t: t + US)
    found = parity(asked.with_columns(values), [COUNT], log)
    assert found.mismatches["cause"].unique().to_list() == ["tie"]
    assert "very instant" in repr(found)


def test_what_the_store_had_makes_a_late_event_certain(log, asked):
    """As of twenty minutes before the read: everything that differs, differs by what came since."""
    asked = asked.with_columns(as_of=pl.col("time") - timedelta(minutes=200))
    for feature in ALL:
        values = online(feature, asked, log, sees=lambda r, e: e["known_at"] < r["as_of"])
        found = parity(asked.with_columns(values), [feature], log)
        assert len(found.mismatches) > 5
        assert set(found.mismatches["cause"]) == {"late event"}, found
        assert set(found.mismatches["detail"]) == {"not in the store yet"}


def test_arrival_of_the_events_makes_a_late_event_certain(log, asked):
    arrived = {"payment": log["payment"].with_columns(arrived=pl.col("known_at") + 90 * MINUTE)}
    values = online(MEAN, asked, log, sees=lambda r, e: e["known_at"] + 90 * MINUTE < r["time"])
    found = parity(asked.with_columns(values), [MEAN], arrived)
    assert set(found.mismatches["detail"]) == {"arrived after the read"}


def test_a_read_of_another_version_says_so(log, asked):
    old = replace(COUNT, window=7 * DAY)
    text = pl.lit(f'{{"count": "{old.version}"}}')
    now = pl.lit(f'{{"count": "{COUNT.version}"}}')
    first = pl.col("request") < 200
    values = pl.when(first).then(online(old, asked, log)).otherwise(online(COUNT, asked, log))
    reads = asked.with_columns(count=values, versions=pl.when(first).then(text).otherwise(now))
    for older in ([old], []):
        found = parity(reads, [COUNT], log, older=older)
        assert set(found.mismatches["cause"]) == {"definition version"}
        assert set(found.mismatches["detail"]) == {f"{old.version}, not {COUNT.version}"}
    without = parity(reads.drop("versions"), [COUNT], log, older=[old])
    assert set(without.mismatches["cause"]) == {"definition version"}


@pytest.mark.parametrize(
    ("feature", "spoil", "words"),
    [
        (LATEST, lambda c: c.fill_null(0.0), "null given as 0"),
        (COUNT, lambda c: c.set(c == 0, None), "null in place of 0"),
    ],
)
def test_a_null_default_is_named(feature, spoil, words, log, asked):
    reads = asked.with_columns(spoil(online(feature, asked, log)).alias(feature.name))
    found = parity(reads, [feature], log)
    assert set(found.mismatches["cause"]) == {"null default"}
    assert set(found.mismatches["detail"]) == {words}


def test_what_has_no_cause_stays_unexplained(log, asked):
    rng = np.random.default_rng(6)
    values = online(MEAN, asked, log) + pl.Series(rng.normal(size=400))
    found = parity(asked.with_columns(mean=values), [MEAN], log)
    assert set(found.mismatches["cause"]) == {"unexplained"}


def test_several_causes_in_one_column_are_told_apart(log, asked):
    third = asked["request"] // 134
    values = pl.DataFrame(
        {
            "ttl": online(replace(LATEST, window=None), asked, log),
            "write": online(LATEST, asked, log, order=written_last),
            "right": online(LATEST, asked, log),
        }
    )
    mixed = pl.Series([values.row(i)[int(which)] for i, which in enumerate(third)])
    found = parity(asked.with_columns(latest=mixed), [LATEST], log)
    assert set(found.mismatches["cause"]) == {"time-to-live", "out-of-order write"}
    assert found.mismatches.filter(pl.col("row") >= 268).is_empty()


@settings(max_examples=30, deadline=None)
@given(histories(), requests)
def test_right_reads_have_no_mismatch(events, asked):
    rows = events.with_columns(pl.col("amount").fill_nan(None)).to_dicts()
    reads = asked
    for feature in EVERY:
        holds = read(feature.where) if feature.where else lambda _event: True
        values = [
            brute_force(feature, each, rows, value=read(feature.column), holds=holds)
            for each in asked.to_dicts()
        ]
        reads = reads.with_columns(pl.Series(feature.name, values, strict=False))
    found = parity(reads, EVERY, {"payment": events})
    assert found.mismatches.is_empty(), found


def test_reads_go_through_the_log_and_come_back(log, asked, tmp_path):
    lake = EventLog(tmp_path / "lake")
    lake.append(**log)
    values = features.training_frame(asked, ALL, log).select(each.name for each in ALL)
    values = values.drop("last")
    kept = [each for each in ALL if each is not LAST]
    for _ in range(2):  # kept twice is kept once
        log_reads(lake, asked, values, kept, as_of=START + 19 * DAY)
    found = parity(lake, kept, lake)
    assert found.table["reads"].to_list() == [400] * 4
    assert found.table["equal"].to_list() == [1.0] * 4


def test_a_journal_takes_single_reads(log, asked, tmp_path):
    lake = EventLog(tmp_path / "lake")
    with Journal(tmp_path / "journal") as journal:
        for request in asked.head(5).to_dicts():
            log_reads(journal, request, {"count": 1_000}, [COUNT])
        journal.drain(lake)
    found = parity(lake, [COUNT], log)
    assert found.table["reads"][0] == 5
    assert set(found.mismatches["cause"]) == {"unexplained"}


def test_a_read_that_did_not_ask_for_a_feature_is_none_of_its_reads(log, asked, tmp_path):
    lake = EventLog(tmp_path)
    values = features.training_frame(asked, ALL, log)
    log_reads(lake, asked.head(200), values.head(200).select("count"), [COUNT])
    log_reads(lake, asked.tail(200), values.tail(200).select("since"), [SINCE])
    found = parity(lake, [COUNT, SINCE], log)
    assert found.table["reads"].to_list() == [200, 200]
    assert found.mismatches.is_empty()
    with pytest.raises(ValueError, match="no column 'mean'"):
        parity(lake, [MEAN], log)


BAD = {
    "there are no reads": lambda reads: reads.clear(),
    "no column 'count'": lambda reads: reads.drop("count"),
    "no column 'user'": lambda reads: reads.drop("user"),
    "versions of reads must be JSON": lambda reads: reads.with_columns(versions=pl.lit("v2")),
    "as_of of reads must be a time with a zone": lambda reads: reads.with_columns(
        as_of=pl.lit("now")
    ),
}


@pytest.mark.parametrize("words", BAD)
def test_bad_reads_are_refused(words, log, asked):
    reads = asked.with_columns(count=pl.lit(-5))
    with pytest.raises(ValueError, match=words):
        parity(BAD[words](reads), [COUNT], log)


def test_bad_values_are_refused(asked, tmp_path):
    lake = EventLog(tmp_path)
    few = asked.head(2)
    with pytest.raises(ValueError, match="no column 'request'"):
        log_reads(lake, few.drop("request"), {"count": [1, 2]}, [COUNT])
    with pytest.raises(ValueError, match="2 requests, but values of 3"):
        log_reads(lake, few, {"count": [1, 2, 3]}, [COUNT])
    with pytest.raises(ValueError, match="values have no column 'count'"):
        log_reads(lake, few, {"mean": [1, 2]}, [COUNT])
