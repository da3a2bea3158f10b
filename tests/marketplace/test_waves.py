"""Waves, reactions, and a log that never sees the future."""

from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest

from workbench.events import EventLog
from workbench.lab import Clock
from workbench.marketplace import Marketplace, MarketplaceSpec
from workbench.policy import Shadow, Split, Threshold

SMALL = MarketplaceSpec(
    users=300, days=12, items=200, fraud_share=0.05, chargeback_delay_days=2.0, shock_day=8
)


def answer(policies, requests):
    return {surface: policies[surface].act(rows) for surface, rows in requests.items()}


def test_a_user_has_one_open_request_and_asks_in_order_of_time(policies):
    world, last = Marketplace(SMALL), {}
    width = np.timedelta64(SMALL.wave_minutes, "m")
    while (requests := world.next_requests()) is not None:
        rows = [(rows["user"], rows["request"], rows["time"]) for rows in requests.values()]
        user, request, time = (np.concatenate(column) for column in zip(*rows, strict=True))
        pairs = {(u, r) for u, r in zip(user.tolist(), request.tolist(), strict=True)}
        assert len(pairs) == len({u for u, _ in pairs})
        assert time.max() - time.min() < width
        for who, when in zip(user.tolist(), time, strict=True):
            assert last.get(who, when) <= when
            last[who] = when
        world.react(answer(policies.usual, requests))


def test_a_checkout_follows_a_click_on_its_page_or_comes_from_outside(play, policies):
    events = play(SMALL)
    checkout = events["request"].filter(pl.col("surface") == "checkout")
    from_a_page = checkout.filter(pl.col("session") != pl.col("request"))
    clicks = events["click"].group_by("session", "item", "user").agg(clicked_at=pl.min("time"))
    found = from_a_page.join(clicks, on=["session", "item", "user"], how="left")
    assert found.height == from_a_page.height > 100
    assert (found["clicked_at"] < found["time"]).all()
    pages = events["click"].select("request", "item", "user", page_session="session")
    bought = events["purchase"].filter(pl.col("request") != pl.col("event"))
    marked = bought.join(pages, on=["request", "item", "user"], how="left")  # a slate can be marked
    assert marked.height == bought.height > 100
    assert (marked["session"] == marked["page_session"]).all()


class Watched:
    """A real log that remembers what each append said."""

    def __init__(self, log):
        self.log, self.clock, self.reports = log, log.clock, []

    def append(self, **arguments):
        self.reports.append(self.log.append(**arguments))


def test_the_log_takes_every_event_and_sees_no_future(tmp_path, policies, play):
    world = Marketplace(SMALL)
    log = EventLog(tmp_path / "log", clock=world.clock)
    watched = Watched(log)
    world.run(policies.usual, until=6, log=watched)
    assert world.now == log.complete_until == SMALL.start + timedelta(days=6)
    early = log.as_of(SMALL.start + timedelta(days=5))
    before = early.scan("chargeback").collect()
    world.run(policies.usual, log=watched, commit_minutes=240)  # goes on from there

    expected = play(SMALL)
    assert sum(report.duplicates + report.late for report in watched.reports) == 0
    assert all(not report.quarantined for report in watched.reports)
    assert log.quarantine().is_empty()
    for kind, frame in expected.items():
        logged = log.scan(kind).collect().sort("time", "event")
        assert logged.select(sorted(frame.columns)).equals(frame.select(sorted(frame.columns)))
        assert (logged["known_at"] >= logged["time"]).all()
        assert logged["known_at"].max() < world.now
    late = log.scan("chargeback").collect()
    assert before.height < late.height
    assert (late["known_at"] - late["time"]).min() > timedelta(hours=1)
    assert early.scan("chargeback").collect().height == before.height


def test_a_clock_that_can_be_set_follows_the_world(tmp_path, policies):
    clock = Clock()
    world = Marketplace(MarketplaceSpec(users=30, days=2), EventLog(tmp_path / "log", clock=clock))
    world.run(policies.usual, until=1)
    assert clock.now == world.now == world.spec.start + timedelta(days=1)
    assert world.log.complete_until == world.now


def test_outcomes_are_told_when_they_are_due_and_once(policies):
    world, told = Marketplace(SMALL), []
    while (requests := world.next_requests()) is not None:
        world.react(answer(policies.usual, requests))
        for kind, frame in world.events().items():
            assert (frame["known_at"] < world.now).all()
            told += [(kind, event) for event in frame["event"]]
    told += [(kind, event) for kind, frame in world.events().items() for event in frame["event"]]
    assert len(told) == len(set(told))


def test_a_blocked_payment_has_no_outcome_and_the_rest_of_the_world_goes_on(play, policies):
    events = play(SMALL, policies.block)
    assert not {"payment", "purchase", "chargeback"} & events.keys()
    assert {"request", "click", "decision"} <= events.keys()


def test_people_who_are_wrongly_blocked_come_back_less_often(play, policies):
    spec = MarketplaceSpec(users=1_000, days=10, fraud_share=0.0)
    homes = [
        play(spec, each)["request"].filter(pl.col("surface") == "home")["request"]
        for each in (policies.approve, policies.block)
    ]
    assert len(set(homes[1]) & set(homes[0])) > 0.9 * len(homes[1])
    assert 0.25 < len(homes[1]) / len(homes[0]) < 0.6


def test_a_blocked_thief_may_give_up(play, policies):
    spec = MarketplaceSpec(users=500, days=10, fraud_share=0.2, shock_day=0)
    world = Marketplace(spec)
    tries = []
    for each in (policies.approve, policies.block):
        requests = play(spec, each)["request"].filter(pl.col("surface") == "checkout")
        tries.append(world.truth.is_fraud(requests).sum())
    assert tries[1] < 0.6 * tries[0]


def test_only_live_decisions_reach_the_world_and_all_are_logged(play, policies):
    def score(rows):
        return np.zeros(len(rows["request"]))

    approve, block = Threshold(score, 0.5, "approve"), Threshold(score, -0.5, "block")
    shadowed = Shadow(approve, {"strict": block}, salt="shadow")
    alone = play(SMALL, policies.usual | {"checkout": approve})
    watched = play(SMALL, policies.usual | {"checkout": shadowed})
    assert alone["payment"].equals(watched["payment"])
    checkouts = watched["decision"].filter(pl.col("surface") == "checkout")
    assert checkouts.height == 2 * checkouts["live"].sum() == 2 * alone["payment"].height
    assert checkouts["event"].is_unique().all()


def test_a_split_is_logged_with_its_arms(play, policies):
    split = Split({"a": policies.home, "b": policies.home}, {"a": 0.5, "b": 0.5}, salt="test")
    decisions = play(SMALL, policies.usual | {"home": split})["decision"]
    arms = (
        decisions.filter(pl.col("surface") == "home")
        .group_by("user")
        .agg(pl.col("variant").n_unique())
    )
    assert set(arms["variant"]) == {1}
    assert set(decisions["variant"].drop_nulls()) == {"a", "b"}


class TestBadAnswers:
    def decided(self, policies, change=None, surface="checkout"):
        world = Marketplace(SMALL)
        while True:
            requests = world.next_requests()
            decisions = answer(policies.usual, requests)
            if {"home", "checkout"} <= requests.keys():
                break
            world.react(decisions)
        decisions[surface] = {name: values.copy() for name, values in decisions[surface].items()}
        if change:
            change(decisions[surface])
        return world, decisions

    def test_asking_twice(self, policies):
        world, _ = self.decided(policies)
        with pytest.raises(ValueError, match="a wave is still open"):
            world.next_requests()

    def test_reacting_to_nothing(self):
        with pytest.raises(ValueError, match="no wave is open"):
            Marketplace(SMALL).react({})

    def test_a_surface_left_out(self, policies):
        world, decisions = self.decided(policies)
        with pytest.raises(ValueError, match="decisions must be for the open surfaces"):
            world.react({"home": decisions["home"]})
        with pytest.raises(ValueError, match="policies must answer every surface"):
            world.run({"home": policies.home})

    @pytest.mark.parametrize(
        ("surface", "name", "value", "words"),
        [
            ("checkout", "action", "maybe", "action must be approve or block, got maybe"),
            ("checkout", "request", 1, "request 1 is not open"),
            ("checkout", "live", False, "has no live decision"),
            ("home", "live", False, "has no live decision"),
            ("home", "item", 199, "the same item twice|item 199 is no candidate"),
            ("home", "item", 10_000, "item 10000 is no candidate of request"),
            ("home", "position", 1, "the same position twice"),
            ("home", "position", 0, "position 1 is the top, got 0"),
        ],
    )
    def test_a_wrong_value(self, policies, surface, name, value, words):
        def change(rows):
            rows[name] = np.full(len(rows[name]), value)

        world, decisions = self.decided(policies, change, surface)
        with pytest.raises(ValueError, match=words):
            world.react(decisions)

    def test_two_live_decisions_for_one_checkout(self, policies):
        world, decisions = self.decided(policies)
        rows = decisions["checkout"]
        decisions["checkout"] = {name: np.concatenate([v, v]) for name, v in rows.items()}
        with pytest.raises(ValueError, match="more than one live decision"):
            world.react(decisions)

    def test_a_missing_column(self, policies):
        world, decisions = self.decided(policies, lambda rows: rows.pop("position"), "home")
        with pytest.raises(ValueError, match="home decisions have no column position"):
            world.react(decisions)

    @pytest.mark.parametrize("until", [-1, float("nan"), datetime(2024, 1, 2)])
    def test_an_end_that_is_no_time(self, until):
        with pytest.raises(ValueError, match="until must"):
            Marketplace(SMALL).next_requests(until=until)

    @pytest.mark.parametrize("surface", ["home", "checkout"])
    def test_a_refused_answer_changes_nothing_and_can_be_given_again(self, policies, play, surface):
        world, decisions = self.decided(policies)
        none = {name: values[:0] for name, values in decisions[surface].items()}
        with pytest.raises(ValueError, match="has no live decision"):
            world.react(decisions | {surface: none})
        world.react(decisions)
        events = play(world)
        for kind, frame in play(SMALL).items():
            assert events[kind].equals(frame)
