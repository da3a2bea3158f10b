"""A layout answers as its log does, to the last bit, and never when it is old."""

from __future__ import annotations

from datetime import timedelta

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.features import histories
from workbench import features
from workbench.events import EventLog
from workbench.features import training_frame

PERS = st.sampled_from(["user", "device", ("user", "device")])


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    events=histories.EVENTS,
    requests=histories.REQUESTS,
    per=PERS,
    ids=st.sampled_from(["none", "numbers", "texts"]),
    words=st.sampled_from(histories.WORDS),
)
def test_a_layout_gives_the_same_bits_as_its_tables(
    tmp_path_factory, events, requests, per, ids, words
):
    log = {"payment": histories.table(histories.with_ids(events, ids), ids)}
    asked = pl.DataFrame(requests, schema=histories.REQUEST)
    wanted = histories.every_aggregate(words)
    laid = features.lay_out(log, "payment", per, tmp_path_factory.mktemp("layout"))
    want = training_frame(asked, wanted, log)
    assert training_frame(asked, wanted, laid).equals(want)
    assert training_frame(asked, wanted, laid, buckets=3).equals(want)


def test_a_long_time_unknown_is_seen_right_too(tmp_path):
    rows = 2_000  # all of them known only in the end, but for the first
    time = [histories.START + timedelta(seconds=n) for n in range(rows)]
    late = histories.START + timedelta(days=1)
    events = pl.DataFrame({"user": 1, "amount": range(rows), "time": time}).with_columns(
        known_at=pl.when(pl.int_range(pl.len()) > 0).then(late).otherwise(pl.col("time"))
    )
    asked = pl.DataFrame({"user": [1, 1], "time": [late, late + timedelta(seconds=1)]})
    newest = features.latest("amount", of="payment", per="user", name="newest")
    laid = features.lay_out({"payment": events}, "payment", "user", tmp_path)
    for log in ({"payment": events}, {"payment": events.reverse()}, laid):
        assert training_frame(asked, newest, log)["newest"].to_list() == [0, rows - 1]


def test_an_old_layout_is_refused_and_made_anew(tmp_path):
    event = histories.with_ids(
        [{"user": 1, "device": "a", "amount": 1.0, "time": histories.START, "late": timedelta(0)}],
        "numbers",
    )
    first = histories.table(event, "numbers")
    second = first.with_columns(event=pl.lit(9), amount=2.0, time=pl.col("time") + histories.HOUR)
    second = second.with_columns(known_at="time")
    asked = pl.DataFrame({"user": [1], "time": [histories.START + 9 * histories.HOUR]})
    newest = features.latest("amount", of="payment", per="user", name="newest")
    log = EventLog(tmp_path / "lake")
    log.append(payment=first)
    laid = features.lay_out(log, ["payment"], "user", tmp_path / "layout")
    written = (tmp_path / "layout" / "payment.arrow").stat().st_mtime_ns
    assert training_frame(asked, newest, laid)["newest"].to_list() == [1.0]
    features.lay_out(log, ["payment"], "user", tmp_path / "layout")
    assert (tmp_path / "layout" / "payment.arrow").stat().st_mtime_ns == written
    then = features.lay_out(log.at(log.version), ["payment"], "user", tmp_path / "pinned")
    log.append(payment=second)
    with pytest.raises(ValueError, match=r"is of version 1, the log is at 2: call lay_out"):
        training_frame(asked, newest, laid)
    again = features.lay_out(log, ["payment"], "user", tmp_path / "layout")
    assert training_frame(asked, newest, again)["newest"].to_list() == [2.0]
    assert training_frame(asked, newest, then)["newest"].to_list() == [1.0]
    with pytest.raises(ValueError, match=r"no events of kind 'click'; it has \['payment'\]"):
        training_frame(asked, features.count("click", per="user"), again)
    with pytest.raises(ValueError, match="have no column 'shop'"):
        features.lay_out(log, "payment", "shop", tmp_path / "other")
