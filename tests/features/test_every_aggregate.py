"""Every aggregate with every word equals brute force, on any history; and knows no future."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.features import histories
from workbench.features import training_frame

IDS = st.sampled_from(["none", "numbers", "texts"])


@pytest.mark.parametrize("words", histories.WORDS, ids=str)
@settings(max_examples=25, deadline=None)
@given(events=histories.EVENTS, requests=histories.REQUESTS, ids=IDS)
def test_every_aggregate_equals_brute_force(words, events, requests, ids):
    events = histories.with_ids(events, ids)
    asked = pl.DataFrame(requests, schema=histories.REQUEST)
    wanted = histories.every_aggregate(words)
    frame = training_frame(asked, wanted, {"payment": histories.table(events, ids)})
    assert frame.select(asked.columns).equals(asked)
    for feature in wanted:
        for request, got in zip(requests, frame[feature.name], strict=True):
            want = histories.expected(feature, request, events)
            histories.assert_same(feature, got, want)


@pytest.mark.parametrize("words", histories.WORDS, ids=str)
@settings(max_examples=10, deadline=None)
@given(events=histories.EVENTS, requests=histories.REQUESTS, cut=histories.WHENS)
def test_the_full_log_gives_what_was_known_at_the_time(words, events, requests, cut):
    full = histories.table(histories.with_ids(events, "numbers"), "numbers")
    asked = pl.DataFrame(requests, schema=histories.REQUEST).filter(pl.col("time") <= cut)
    then = full.filter(pl.col("known_at") < cut)
    wanted = histories.every_aggregate(words)
    now = training_frame(asked, wanted, {"payment": full})
    assert now.equals(training_frame(asked, wanted, {"payment": then}))  # to the last bit
