"""The online store equals the brute force, however the events came: cut, twice, out of order."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.features.told import ASKED, EVENTS, FEATURES, HOUR, assert_reads, plain, table
from workbench import features

CAREFUL = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@CAREFUL
@given(history=EVENTS, asked=ASKED, cuts=st.randoms(use_true_random=False))
def test_events_in_any_cuts_and_twice_equal_the_brute_force(new_store, history, asked, cuts):
    events = plain(history)
    arrivals = sorted(events, key=lambda event: event["known_at"])
    with new_store(FEATURES) as store:
        for t in sorted(asked):
            while arrivals and arrivals[0]["known_at"] < t:
                known = [event for event in arrivals if event["known_at"] < t]
                batch, arrivals = known[: cuts.randint(1, 6)], arrivals[:]
                arrivals = arrivals[len(batch) :]
                again = cuts.sample(batch, cuts.randint(0, len(batch)))
                done = store.apply({"payment": table(batch + again)})
                usable = [e for e in batch if e["user"] is not None or e["device"] is not None]
                twice = [e for e in again if e["user"] is not None or e["device"] is not None]
                assert (done.events, done.duplicates) == (len(usable), len(twice))
            assert_reads(store, t, events)


@CAREFUL
@given(history=EVENTS, asked=ASKED, order=st.randoms(use_true_random=False))
def test_within_the_bound_any_order_is_exact(new_store, history, asked, order):
    events = plain(history)
    last = max(asked)
    known = [event for event in events if event["known_at"] < last]
    order.shuffle(known)
    with new_store(FEATURES, late_days=1.0) as store:
        while known:
            cut = order.randint(1, 8)
            assert store.apply({"payment": table(known[:cut])}).aside.keys() <= {"no key"}
            known = known[cut:]
        assert_reads(store, last, events)


@CAREFUL
@given(history=EVENTS, asked=ASKED)
def test_materialised_step_by_step_equals_at_once_equals_the_brute_force(new_store, history, asked):
    events = plain(history)
    log = {"payment": table(events)}
    with new_store(FEATURES) as store:
        for t in sorted(asked):
            store.materialise(log, until=t)
            again = store.materialise(log, until=t)
            assert again.events == 0
            assert_reads(store, t, events)
    with new_store(FEATURES) as store:
        store.materialise(log, until=max(asked))
        assert_reads(store, max(asked), events)


def test_later_than_the_bound_is_kept_aside_and_counted(new_store):
    day = timedelta(days=1)
    from tests.features.told import START

    event = {"user": 1, "device": "a", "amount": 1.0}
    at = lambda t, n: {**event, "event": n, "time": t, "known_at": t}  # noqa: E731
    count = features.count("payment", per="user", name="n")
    with new_store(count, late_days=0.5) as store:
        store.apply({"payment": table([at(START + day, 1)])})
        done = store.apply({"payment": table([at(START, 2), at(START + day - HOUR, 3)])})
        assert (done.events, dict(done.aside)) == (1, {"later than the bound": 1})
        aside = store.aside()
        assert aside["event"].to_list() == ["2"]
        assert aside["reason"].to_list() == ["later than the bound"]
        assert '"amount":1.0' in aside["content"][0]
        assert store.read({"user": 1}, at=START + 2 * day) == {"n": 2}
        with pytest.raises(ValueError, match="use training_frame"):
            store.read({"user": 1}, at=START)
