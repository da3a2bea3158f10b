"""Mutation testing of the checks: the counting is right, and so is the door."""

from collections import defaultdict
from dataclasses import replace
from datetime import timedelta

import polars as pl
import pytest

from workbench.data.faults import FAULTS, Pipe
from workbench.events import EventLog
from workbench.studies.detectors import (
    Alarm,
    OfPairs,
    Sparing,
    always_fire,
    checks_of_a_kind,
    checks_of_the_log,
    never_fire,
)
from workbench.studies.door import broken_log
from workbench.studies.mutation import MutationPlan, mutation, one_world, places
from workbench.studies.mutation_board import CLEAN, INJECTED, Scoreboard

KINDS = ("impression", "click", "payment", "chargeback")
PLAN = MutationPlan(
    faults=("retried", "known before", "amount in cents", "respelled", "wrong chargebacks",
            "late arrival", "number as text"),
    levels=("medium", "large"), kinds=KINDS, start_day=16, look_days=(1, 3), reference_days=14,
)  # fmt: skip


@pytest.fixture(scope="module")
def world(broken_worlds):
    return lambda: broken_worlds[0][0]


class Peeking:
    """It knows the clean events, and rings where the log has anything else in the last day."""

    def __init__(self, events):
        self.events = events

    def __call__(self, looks):
        return [
            [alarm for kind in look.kinds for alarm in self.alarms(kind, look)] for look in looks
        ]

    def alarms(self, kind, look):
        def arrived(frame):
            known = pl.col("known_at").is_between(look.at - timedelta(days=3), look.at, "left")
            return frame.filter(known).sort("event")

        clean, log = arrived(self.events[kind]), arrived(look.events[kind])
        columns = [name for name in clean.columns if name in log.columns]
        if clean.height == log.height and log.select(columns).equals(clean.select(columns)):
            return []
        return [Alarm(kind, "peek")]


@pytest.fixture(scope="module")
def board(world):
    detectors = {
        "checks": checks_of_a_kind, "log": checks_of_the_log, "always": always_fire,
        "never": never_fire, "peeking": Peeking(world()),
    }  # fmt: skip
    return mutation([world], detectors, PLAN)


def test_always_fire_finds_all_and_is_wrong_every_day(board):
    assert board.recall("always", "any_day").estimate == 1
    assert board.false_alarms("always").estimate == 1
    assert board.recall("always").estimate == 0  # it says nothing that it did not say before


def test_never_fire_finds_nothing_and_is_never_wrong(board):
    for by in ("any_day", "new_day", "named_day", "error_day"):
        assert board.recall("never", by).estimate == 0
    assert board.false_alarms("never", warnings=True).estimate == 0


def test_who_peeks_at_what_was_broken_finds_all_of_it_and_is_never_wrong(board):
    assert board.recall("peeking").estimate == 1
    assert board.false_alarms("peeking", warnings=True).estimate == 0


def test_the_checks_lie_between_the_two(board):
    assert 0.3 < board.recall("checks").estimate < 1
    assert board.false_alarms("checks").estimate < 0.5
    found = board.found.filter(pl.col("detector") == "checks", pl.col("level") == "large")
    assert found.filter(pl.col("fault") == "amount in cents")["error"].item() == 1


def test_what_the_door_takes_care_of_leaves_nothing_to_find(board):
    rows = board.injected.filter(pl.col("detector") == "checks")
    retried = rows.filter(pl.col("fault") == "retried")
    assert (retried["refused"] == retried["touched"]).all()
    assert not retried["left"].any()
    assert retried["door_day"].to_list() == [1, 1]
    early = rows.filter(pl.col("fault") == "known before")
    assert (early["refused"] == early["touched"]).all()
    assert early["left"].all()  # those rows are missing now
    cents = rows.filter(pl.col("fault") == "amount in cents")
    assert cents["refused"].to_list() == [0, 0]
    text = rows.filter(pl.col("fault") == "number as text", pl.col("level") == "medium")
    assert (text["refused"] > text["touched"]).all()  # the whole batch


def test_each_world_is_a_piece_of_its_own(world, broken_worlds):
    worlds = [world, lambda: broken_worlds[1][0]]
    plan = replace(PLAN, faults=("respelled", "late arrival"), levels=("large",))
    together = mutation(worlds, {"checks": checks_of_a_kind}, plan)

    def last_first(work, *inputs):
        return reversed([work(*each) for each in reversed([*zip(*inputs, strict=True)])])

    backwards = mutation(worlds, {"checks": checks_of_a_kind}, plan, map=last_first)
    assert together.injected.equals(backwards.injected)
    assert together.clean.equals(backwards.clean)
    alone = one_world(1, worlds[1], detectors={"checks": checks_of_a_kind}, plan=plan)
    assert together.injected.filter(pl.col("world") == 1).equals(alone[0])
    assert repr(together) == repr(backwards)


@pytest.mark.parametrize("name", ["retried", "number as text", "known before", "late arrival"])
def test_the_door_in_memory_takes_what_a_real_log_takes(name, world, tmp_path):
    events = {kind: world()[kind] for kind in ("payment",)}
    first = events["payment"]["known_at"].min().replace(hour=0, minute=0, second=0, microsecond=0)
    start, last = first + timedelta(days=2), first + timedelta(days=4)
    fault = FAULTS[name].at("medium", start=start)
    kept, refused = broken_log(events, Pipe([fault]), start, last)
    clock, pipe = {"now": start}, Pipe([fault])
    log = EventLog(tmp_path, clock=lambda: clock["now"])
    day, reports = first, []
    while day < last:
        clock["now"] = day + timedelta(days=1)
        known = pl.col("known_at").is_between(day, clock["now"], "left")
        batch = pipe({"payment": events["payment"].filter(known)}, clock["now"])
        reports.append(log.append(**batch, complete_until=clock["now"]))
        day = clock["now"]
    theirs = log.scan("payment").collect().sort("event")
    columns = [name for name in kept["payment"].columns if name in theirs.columns]
    ours = kept["payment"].sort("event")
    assert ours.select(columns).equals(theirs.select(columns))
    assert refused == sum(each.duplicates for each in reports) + log.quarantine().height


def rows_of(schema, *rows):
    return pl.DataFrame(rows, schema=schema, orient="row")


def hand_made():
    """Two worlds, one fault at one level; found in one of them on day 3."""
    case = ("cents", "payment", "large", 1.0, 9, 0)
    injected = rows_of(
        INJECTED,
        (0, "we", *case, True, None, 1, 3, 3, None),
        (1, "we", *case, True, None, None, None, None, None),
        (2, "we", *case, False, 1, None, None, None, None),
    )
    days = [(world, day) for world in range(3) for day in (1, 2)]
    clean = rows_of(CLEAN, *[(w, "we", "payment", day, int(w == day == 1), 1) for w, day in days])
    return Scoreboard(injected, clean)


def test_the_shares_are_those_worked_out_by_hand():
    board = hand_made()
    found = board.found.row(0, named=True)
    assert (found["worlds"], found["found"], found["named"], found["error"]) == (2, 0.5, 0.5, 0)
    assert found["days"] == 3
    # Wilson for 1 of 2: z = 1.96, (0.5 + z²/4 ± z sqrt(0.125 + z²/16)) / (1 + z²/2)
    assert (found["low"], found["high"]) == pytest.approx((0.0945, 0.9055), abs=1e-4)
    assert board.recall("we").estimate == 0.5
    assert board.recall("we", "any_day").estimate == 0.5
    assert board.false_alarms("we").estimate == pytest.approx(1 / 6)
    assert board.false_alarms("we", warnings=True).estimate == 1
    with pytest.raises(ValueError, match="no detector is called 'they'"):
        board.recall("they")


def test_the_report_shows_each_fault_once():
    lines = repr(hand_made()).splitlines()
    assert lines[0] == "1 faults x 1 levels x 3 worlds"
    assert [line.split() for line in lines if line.startswith("cents")] == [
        ["cents", "0.50", "0.5", "0", "3"]
    ]


def test_a_finding_may_name_what_the_fault_has_touched():
    named = defaultdict(set, {name: places(fault) for name, fault in FAULTS.items()})
    assert named["amount in cents"] == {"amount"}
    assert named["renamed field"] == {"device", "device_v2"}
    assert named["doubled"] == {None, "event"}
    assert named["late arrival"] == {None, "time", "known_at"}
    assert named["dropped devices"] == {None, "device"}


def test_what_cannot_be_is_named(world):
    with pytest.raises(ValueError, match="no fault is called 'gremlins'"):
        MutationPlan(faults=("gremlins",))
    with pytest.raises(ValueError, match="breaks review, which is none of"):
        MutationPlan(faults=("flipped labels",))
    with pytest.raises(ValueError, match="look_days must rise"):
        MutationPlan(look_days=(2, 1))
    with pytest.raises(ValueError, match="start_day comes after reference_days"):
        MutationPlan(start_day=20)
    with pytest.raises(ValueError, match="the world ends before its day 63"):
        mutation([world], {"never": never_fire}, replace(PLAN, start_day=60))
    with pytest.raises(ValueError, match="the world has no events of kind 'request'"):
        mutation([lambda: {"click": world()["click"]}], {}, MutationPlan())


def test_another_library_is_asked_about_pairs_of_tables(world):
    asked = []

    def fired(pairs):
        asked.extend(pairs)
        medians = [(one["amount"].median(), other["amount"].median()) for one, other in pairs]
        return [["amount"] if now > 10 * before else [] for before, now in medians]

    plan = replace(PLAN, faults=("amount in cents", "respelled"), kinds=("payment",))
    board = mutation([world], {"peer": OfPairs(fired, reference_days=7)}, plan)
    found = board.found.filter(pl.col("level") == "large")
    assert dict(found.select("fault", "named").iter_rows()) == {
        "amount in cents": 1.0,
        "respelled": 0.0,
    }
    assert board.false_alarms("peer").estimate == 0
    reference, live = asked[0]
    assert reference["known_at"].max() < live["known_at"].min()
    assert (live["known_at"].max() - reference["known_at"].min()).total_seconds() < 8 * 86_400
    assert board.quiet.row(0) == (
        "peer",
        "payment",
        3,
        0.0,
        0.0,
        pytest.approx(0.5615, abs=1e-4),
        0.0,
    )


def test_who_did_not_look_is_not_counted(world, broken_worlds):
    worlds = [world, lambda: broken_worlds[1][0]]
    plan = replace(PLAN, faults=("respelled",), levels=("large",))
    board = mutation(worlds, {"spared": Sparing(always_fire, worlds=1)}, plan)
    assert board.injected["world"].to_list() == [0]
    assert board.clean.select("world", "day").unique().rows() == [(0, 1)]
    assert board.recall("spared", "any_day", within_days=1).estimate == 1
