"""The real sets played back as worlds."""

from datetime import timedelta

import numpy as np
import polars as pl
import pytest

from workbench.data import public
from workbench.data.replay import Replay
from workbench.events import EventLog
from workbench.policy import Rank, Threshold

pytestmark = pytest.mark.usefixtures("real_data")


def played(world, policy):
    while (requests := world.next_requests()) is not None:
        world.react({name: policy.act(rows) for name, rows in requests.items()})


def test_twelve_days_of_real_cards_goes_through_the_log_unharmed(tmp_path):
    world = Replay("cards")
    log = EventLog(tmp_path / "log", clock=world.clock)
    world.run({"checkout": Threshold("amount", 220.0)}, until=12, log=log, commit_minutes=4 * 1440)
    events = public.events("cards")
    until = world.start + timedelta(days=12)
    for kind in ("payment", "chargeback"):
        known = events[kind].filter(pl.col("known_at") < until)
        assert log.scan(kind).collect().height == known.height > 0
    decisions = log.scan("decision").collect()
    assert (
        decisions.height
        == log.scan("request").collect().height
        == log.scan("payment").collect().height
    )
    assert decisions.filter(~pl.col("answered"))["score"].min() >= 220.0
    assert log.quarantine().is_empty()


def test_a_random_policy_matches_the_random_log_as_often_as_chance():
    world = Replay("open-bandit")
    score = {"salt": np.random.default_rng(0)}
    policy = Rank(lambda rows: score["salt"].random(len(rows["item"])), 3, "chance@1")
    played(world, policy)
    decided = world.events()["decision"].filter(pl.col("policy") == "chance@1")
    by_page = decided.group_by("surface").agg(pl.col("answered").sum()).sort("surface")
    for (page, hits), items in zip(by_page.iter_rows(), (34, 46), strict=True):
        assert hits == pytest.approx(20_000 / items, abs=4 * (20_000 / items) ** 0.5), page


def test_the_shop_is_a_world_of_visits():
    world = Replay("online-retail")
    assert world.surfaces == ["home"]
    requests = world.next_requests()["home"]
    assert len(set(requests["user"].tolist())) == len(requests["user"])
    assert "item" not in requests, "nobody recorded what was offered"
    visits = public.events("online-retail")["purchase"]["request"].n_unique()
    assert sum(len(rows["request"]) for rows in world._asked.values()) == visits
