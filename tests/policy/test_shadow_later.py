"""Shadows that answer later cost the caller nothing and never make it wait."""

import threading
import time

from tests.policy.shadowed import Does, assert_same_columns, raises, requests
from workbench.policy import Later, Rank, Shadow, decision_table

LIVE = Rank("score", 3, "live@1")


def sleeps(rows):
    time.sleep(0.2)
    return Rank("score", 1, "slow@1").act(rows)


def test_a_slow_shadow_costs_the_caller_nothing_when_it_answers_later():
    got = []
    alone, asked = LIVE.act(requests()), requests()
    with Later(lambda *both: got.append(both)) as later:
        policy = Shadow(LIVE, {"slow": Does(sleeps, "slow@1")}, later=later)
        policy.act(asked)  # the thread starts
        took = []
        for _ in range(5):
            start = time.perf_counter()
            answers = policy.act(asked)
            took.append(time.perf_counter() - start)
        asked["score"][:] = -1.0  # the caller goes on; the shadows saw what was
    assert min(took) < 0.05
    assert_same_columns(answers, alone)
    assert (later.counts["done"], later.counts["dropped"], len(got)) == (6, 0, 6)
    decisions, of = got[-1]
    assert not decisions["live"].any()
    assert_same_columns(
        {"item": decisions["item"]}, {"item": Rank("score", 1).act(requests())["item"]}
    )
    assert decision_table(decisions, of)["user"].null_count() == 0


def test_what_does_not_fit_the_queue_is_dropped_and_counted():
    gate, got = threading.Event(), []

    def waits(rows):
        gate.wait(5)
        return Rank("score", 2, "next@1").act(rows)

    with Later(lambda *both: got.append(both), size=2) as later:
        policy = Shadow(LIVE, {"stuck": Does(waits)}, later=later)
        for _ in range(10):
            policy.act(requests(2))
        gate.set()
    assert later.counts["done"] + later.counts["dropped"] == 10
    assert len(got) == later.counts["done"] <= 3
    assert policy.act(requests(2))["live"].all()  # closed: dropped
    assert later.counts["done"] + later.counts["dropped"] == 11


def test_a_sink_that_raises_and_a_bad_shadow_are_counted_apart():
    def full(decisions, of):
        raise OSError("disk full")

    with Later(full) as later:
        policy = Shadow(LIVE, {"a": Does(raises), "b": Rank("score", 1, "b@1")}, later=later)
        answers = policy.act(requests(3))
    assert answers["live"].all()
    assert later.counts == {"failed": 1}
    assert policy.failures == {("a", "KeyError"): 1}


def test_a_column_that_only_a_shadow_would_ask_for_may_fail():
    class Lazy(dict):
        def __getitem__(self, name):
            if name == "words":
                raise ConnectionError("no feature store")
            return super().__getitem__(name)

    with Later(lambda *both: None) as later:
        policy = Shadow(LIVE, {"b": Rank("score", 1, "b@1")}, later=later)
        assert_same_columns(policy.act(Lazy(requests())), LIVE.act(requests()))
    assert policy.failures == {("all", "ConnectionError"): 1}
