"""A record played back: history comes out when it was known, and what-if has no answer."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from workbench.data.replay import Replay
from workbench.events import EventLog
from workbench.outcomes import outcomes
from workbench.policy import Rank, Shadow, Split, Threshold, decide

MIDNIGHT = datetime(2026, 3, 1, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def payments(times, users, amounts):
    ids = list(range(100, 100 + len(times)))
    return pl.DataFrame(
        {
            "event": ids,
            "request": ids,
            "time": times,
            "known_at": times,
            "user": users,
            "amount": amounts,
        }
    )


def cards():
    """Three payments of two users on the first day, one on the second; the large ones are fraud."""
    times = [MIDNIGHT + HOUR, MIDNIGHT + 2 * HOUR, MIDNIGHT + 3 * HOUR, MIDNIGHT + DAY + HOUR]
    payment = payments(times, [1, 2, 1, 2], [10.0, 900.0, 30.0, 800.0])
    late = payment.filter(pl.col("amount") > 500).with_columns(pl.col("known_at") + 2 * DAY)
    return {"payment": payment, "chargeback": late}


def bandit():
    """Two logged slates of one page: request 1 got items 5, 6; request 2 got item 6 on place 2."""
    time = [MIDNIGHT + HOUR, MIDNIGHT + HOUR, MIDNIGHT + 2 * HOUR]
    shown = pl.DataFrame(
        {
            "event": [1, 2, 3], "time": time, "known_at": time, "request": [1, 1, 2],
            "position": [1, 2, 2], "item": [5, 6, 6], "action": "show", "policy": "old@1",
            "propensity": 0.5, "live": True,
        }
    )  # fmt: skip
    asked = shown.unique("request", maintain_order=True).select(
        "event", "time", "known_at", "request"
    )
    return {
        "request": asked.with_columns(surface=pl.lit("shop")),
        "decision": shown,
        "click": shown.filter(pl.col("event") == 2).drop("action", "policy", "propensity", "live"),
        "listing": pl.DataFrame(
            {"event": [1, 2, 3], "time": MIDNIGHT, "known_at": MIDNIGHT, "item": [5, 6, 7],
             "price": [1.0, 3.0, 2.0]}
        ),
    }  # fmt: skip


def played(world, policy):
    """Every wave with this policy; what came out after each."""
    waves = []
    while (requests := world.next_requests()) is not None:
        world.react({name: policy.act(rows) for name, rows in requests.items()})
        waves.append(requests)
    return waves


def test_a_wave_has_each_user_once_and_users_ask_in_their_order():
    world = Replay(cards())
    waves = played(world, Threshold("amount", 500.0))
    assert [wave["checkout"]["request"].tolist() for wave in waves] == [[100, 101], [102], [103]]
    assert world.next_requests() is None


def test_a_narrow_window_is_closer_to_the_order_of_time():
    waves = played(Replay(cards(), wave_minutes=60), Threshold("amount", 500.0))
    assert [wave["checkout"]["request"].tolist() for wave in waves] == [[100], [101], [102], [103]]


def test_events_come_out_when_they_were_known_and_only_once():
    world, told = Replay(cards()), []
    for day in range(1, 5):
        while (requests := world.next_requests(until=day)) is not None:
            world.react({"checkout": Threshold("amount", 1e9).act(requests["checkout"])})
        assert world.now == MIDNIGHT + day * DAY
        told.append({kind: frame.height for kind, frame in world.events().items()})
    three, one = (dict.fromkeys(("decision", "payment", "request"), n) for n in (3, 1))
    assert told == [three, one, {"chargeback": 1}, {"chargeback": 1}]


def test_the_log_of_a_replay_never_holds_the_future(tmp_path):
    world = Replay(cards())
    log = EventLog(tmp_path / "log", clock=world.clock)
    world.run({"checkout": Threshold("amount", 1e9)}, until=2, log=log)
    assert log.complete_until == MIDNIGHT + 2 * DAY
    assert "chargeback" not in log.kinds
    world.run({"checkout": Threshold("amount", 1e9)}, log=log)
    assert log.scan("chargeback").collect().height == 2
    assert log.complete_until == world.end == MIDNIGHT + 4 * DAY


def test_history_does_not_listen_and_a_blocked_payment_is_censored(tmp_path):
    world = Replay(cards())
    log = EventLog(tmp_path / "log", clock=world.clock)
    world.run({"checkout": Threshold("amount", 850.0, name="rule@1")}, log=log)
    assert log.scan("payment").collect().height == 4, "it happened"
    decisions = log.scan("decision").sort("request").collect()
    assert decisions["action"].to_list() == ["approve", "block", "approve", "approve"]
    assert decisions["answered"].to_list() == [True, False, True, True]
    assert decisions["live"].to_list() == [True, False, True, True]
    labelled = outcomes(log, decisions, horizon=3 * DAY, at=world.end)
    assert labelled["status"].to_list() == [
        "matured_negative", "censored", "matured_negative", "positive",
    ]  # fmt: skip
    assert world.coverage().rows() == [("checkout", 4, 3)]


def test_requests_are_logged_as_they_were_asked(tmp_path):
    world = Replay(cards())
    log = EventLog(tmp_path / "log", clock=world.clock)
    world.run({"checkout": Threshold("amount", 1e9)}, log=log)
    asked = log.scan("request").sort("request").collect()
    assert asked["surface"].to_list() == ["checkout"] * 4
    assert asked["amount"].to_list() == [10.0, 900.0, 30.0, 800.0]


def test_only_the_logged_item_in_its_place_has_an_outcome(tmp_path):
    world = Replay(bandit())
    log = EventLog(tmp_path / "log", clock=world.clock)
    world.run({"shop": Rank("price", 2, "dear@1")}, log=log)  # shows 6, then 7
    ours = (
        log.scan("decision")
        .filter(pl.col("policy") == "dear@1")
        .sort("request", "position")
        .collect()
    )
    assert ours["item"].to_list() == [6, 7, 6, 7]
    assert not ours["answered"].any(), "6 was shown on place 2, not on 1"

    world = Replay(bandit())
    log = EventLog(tmp_path / "other", clock=world.clock)
    world.run(
        {"shop": Rank(lambda rows: -abs(rows["item"] - 5.4), 2, "near@1")}, log=log
    )  # 5, then 6
    ours = (
        log.scan("decision")
        .filter(pl.col("policy") == "near@1")
        .sort("request", "position")
        .collect()
    )
    assert ours["item"].to_list() == [5, 6, 5, 6]
    assert ours["answered"].to_list() == [True, True, False, True]
    labels = outcomes(log, ours, of="click", horizon=DAY, at=world.end)["status"].to_list()
    assert labels[2] == "censored"
    assert world.coverage().rows() == [("shop", 4, 3)]


def test_an_item_is_no_candidate_before_it_is_listed():
    events = bandit()
    late = pl.when(pl.col("item") == 7).then(MIDNIGHT + 1.5 * HOUR)
    events["listing"] = events["listing"].with_columns(known_at=late.otherwise(MIDNIGHT))
    (wave,) = played(Replay(events), Rank("price", 1))
    assert wave["shop"]["request"].tolist() == [1, 1, 2, 2, 2]
    events["listing"] = events["listing"].with_columns(known_at=MIDNIGHT + 2 * HOUR)
    with pytest.raises(ValueError, match="no item was listed on shop before request 1"):
        Replay(events).next_requests()


def test_the_logged_policy_comes_out_beside_the_new_one(tmp_path):
    world = Replay(bandit())
    log = EventLog(tmp_path / "log", clock=world.clock)
    world.run({"shop": Rank("price", 1)}, log=log)
    logged = log.scan("decision").filter(pl.col("policy") == "old@1").collect()
    assert logged.height == 3
    assert logged["propensity"].to_list() == [0.5] * 3


def test_shadows_stay_shadows_and_are_not_counted():
    world = Replay(cards())
    policy = Shadow(
        Threshold("amount", 1e9, "live@1"), {"new": Threshold("amount", 20.0, "new@1")}, salt="s"
    )
    played(world, policy)
    decided = world.events()["decision"]
    assert decided.filter(pl.col("policy") == "new@1")["live"].to_list() == [False] * 4
    assert world.coverage().rows() == [("checkout", 4, 4)]


def test_a_visit_asks_for_candidates_and_nobody_knows_what_was_shown():
    lines = payments([MIDNIGHT + HOUR] * 2 + [MIDNIGHT + 2 * HOUR], [1, 1, 2], [1.0, 2.0, 3.0])
    purchase = lines.with_columns(request=pl.Series([7, 7, 8]), item=pl.Series(["a", "b", "a"]))

    def candidates(visits):
        n = len(visits["request"])
        return {"request": visits["request"].repeat(2), "item": np.tile(["a", "c"], n),
                "score": np.tile([1.0, 2.0], n)}  # fmt: skip

    world = Replay({"purchase": purchase}, candidates=candidates)
    (wave,) = played(world, Rank("score", 1, "best@1"))
    assert wave["home"]["request"].tolist() == [7, 7, 8, 8]
    assert wave["home"]["user"].tolist() == [1, 1, 2, 2], "copied from the visit"
    decided = world.events()["decision"]
    assert decided["item"].to_list() == ["c", "c"]
    assert "answered" not in decided.columns
    assert world.coverage().rows() == [("home", 2, None)]

    def nothing(visits):
        return {"request": visits["request"][:1], "item": np.array(["a"])}

    with pytest.raises(ValueError, match="candidates gave none for request 8"):
        Replay({"purchase": purchase}, candidates=nothing).next_requests()


def test_decisions_have_the_ids_that_decide_gives():
    payment = cards()["payment"]
    world = Replay({"payment": payment})
    played(world, Threshold("amount", 500.0, "rule@1"))
    table = decide(Threshold("amount", 500.0, "rule@1"), payment)
    assert set(world.events()["decision"]["event"]) == set(table["event"])


def test_ids_may_be_words(tmp_path):
    events = {
        kind: frame.cast({"event": str, "request": str, "user": str})
        for kind, frame in cards().items()
    }
    world = Replay(events)
    log = EventLog(tmp_path / "log", clock=world.clock)
    world.run({"checkout": Threshold("amount", 850.0, "rule@1")}, log=log)
    decisions = log.scan("decision").sort("event").collect()
    assert decisions["event"][0] == "100/rule@1/1"
    assert decisions["user"].to_list() == ["1", "2", "1", "2"]


def test_the_window_does_not_change_what_a_policy_decides():
    policy = Split(
        {"old": Threshold("amount", 20.0, "old@1"), "new": Threshold("amount", 850.0, "new@1")},
        {"old": 0.5, "new": 0.5}, salt="test",
    )  # fmt: skip
    frames = []
    for wave_minutes in (60, 240, 1440):
        world = Replay(cards(), wave_minutes=wave_minutes)
        played(world, policy)
        frames.append(world.events()["decision"].sort("event"))
    assert frames[0].equals(frames[1])
    assert frames[0].equals(frames[2])


def test_misuse_is_named():
    world = Replay(cards())
    with pytest.raises(ValueError, match="no wave is open"):
        world.react({})
    rows = world.next_requests()["checkout"]
    with pytest.raises(ValueError, match="a wave is still open"):
        world.next_requests()
    with pytest.raises(ValueError, match="must be for the open surfaces"):
        world.react({"home": {}})
    with pytest.raises(ValueError, match="request 101 has no live decision"):
        world.react({"checkout": {"request": rows["request"][:1], "action": np.array(["approve"])}})
    with pytest.raises(ValueError, match="request 9 is not open"):
        world.react({"checkout": {"request": np.array([9]), "action": np.array(["approve"])}})
    with pytest.raises(ValueError, match="must answer every surface, missing: \\['checkout'\\]"):
        Replay(cards()).run({})
    with pytest.raises(ValueError, match="divide a day of 1440, got 7"):
        Replay(cards(), wave_minutes=7)
    with pytest.raises(ValueError, match=r"a replay needs events that answer a request.*got click"):
        Replay({"click": bandit()["click"]})
    with pytest.raises(ValueError, match="request 100 was asked twice"):
        Replay({"payment": pl.concat([cards()["payment"]] * 2)})
    with pytest.raises(ValueError, match="payment events must all have a request"):
        Replay({"payment": cards()["payment"].drop("request")})
    with pytest.raises(ValueError, match="until must carry a time zone"):
        Replay(cards()).next_requests(until=datetime(2026, 3, 2))
