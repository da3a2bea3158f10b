"""Two policies with the same luck differ only where they decide differently, and in what follows.

What people share can carry a difference from one to another, at midnight and not before: the
bestsellers of everybody's sales, and empty shelves. With ample stock only bestsellers are left; the
claims about other people hold until the first midnight on which the worlds list others.
"""

from datetime import timedelta

import numpy as np
import polars as pl
import pytest

from workbench.marketplace import Marketplace, MarketplaceSpec
from workbench.policy import Rank

SPEC = MarketplaceSpec(
    users=300, items=60, days=5, visits_per_day=1.5, stock_days=1_000.0, fraud_share=0.05
)
FIRST_DAY = timedelta(days=1)


def cheap(rows):
    return -rows["price"]


CHEAP = Rank(cheap, 5, "random")  # by the same name, so that equal decisions are equal rows


class Sometimes:
    """One policy for the rows chosen by `chooses`, another for the rest."""

    def __init__(self, usual, other, chooses):
        self.usual, self.other, self.chooses = usual, other, chooses

    def act(self, requests):
        chosen, parts = self.chooses(requests), []
        for policy, rows in ((self.usual, ~chosen), (self.other, chosen)):
            if rows.any():
                parts.append(policy.act({name: each[rows] for name, each in requests.items()}))
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def played(policies, home):
    """Everything that happens, due or not, and the bestsellers of each day."""
    world, bestsellers = Marketplace(SPEC), []
    answers = policies.usual | {"home": home}
    for day in range(1, SPEC.days + 1):
        while (requests := world.next_requests(until=day)) is not None:
            world.react({name: answers[name].act(rows) for name, rows in requests.items()})
        bestsellers.append(world.store.bestseller)
        assert (world.store.stock > 0).all()
    return world._ledger.due(2**62), np.array(bestsellers)


@pytest.fixture(scope="module")
def usual(policies):
    return played(policies, policies.home)


def same_until(one, other) -> timedelta:
    """The first midnight on which the bestsellers differ."""
    differs = (one[1] != other[1]).any(axis=1)
    return timedelta(days=int(differs.argmax()) if differs.any() else SPEC.days)


def of(events, stop, users):
    """Rows about some users before a moment, by kind."""
    before = pl.col("time") < SPEC.start + stop
    kept = {kind: rows.filter(before) for kind, rows in events.items() if "user" in rows.columns}
    return {kind: rows.filter(pl.col("user").is_in(users)) for kind, rows in kept.items()}


def assert_same(one, other):
    assert one.keys() == other.keys()
    for kind in one:
        columns = sorted(one[kind].columns)
        assert one[kind].select(columns).equals(other[kind].select(columns)), kind


def test_one_persons_other_page_changes_that_person_and_nobody_else(policies, usual):
    counts = of(usual[0], timedelta(days=SPEC.days), range(300))["request"]["user"].value_counts()
    user = counts.sort("count", "user")["user"][-1]
    home = Sometimes(policies.home, CHEAP, lambda rows: rows["user"] == user)
    other = played(policies, home)
    stop = same_until(usual, other)
    assert stop >= timedelta(days=3)
    others = [each for each in range(300) if each != user]
    assert_same(of(usual[0], stop, others), of(other[0], stop, others))
    mine = [of(each[0], stop, [user])["impression"] for each in (usual, other)]
    assert not mine[0].equals(mine[1])


def test_a_change_on_a_day_leaves_all_that_was_before_it(policies, usual):
    moment = np.datetime64(SPEC.start.replace(tzinfo=None) + timedelta(days=2), "us")
    home = Sometimes(policies.home, CHEAP, lambda rows: rows["time"] >= moment)
    other = played(policies, home)
    everybody = range(300)
    day, later = timedelta(days=2), timedelta(days=3)
    assert same_until(usual, other) > day
    assert_same(of(usual[0], day, everybody), of(other[0], day, everybody))
    changed = [of(each[0], later, everybody)["impression"] for each in (usual, other)]
    assert not changed[0].equals(changed[1])


def test_a_change_for_a_segment_leaves_the_others_until_the_bestsellers_differ(policies, usual):
    segment = Marketplace(SPEC).people.segment
    home = Sometimes(policies.home, CHEAP, lambda rows: segment[rows["user"]] == 1)
    other = played(policies, home)
    stop = same_until(usual, other)
    assert stop >= FIRST_DAY
    others = np.flatnonzero(segment != 1).tolist()
    assert_same(of(usual[0], stop, others), of(other[0], stop, others))
    theirs = np.flatnonzero(segment == 1).tolist()
    changed = [of(each[0], stop, theirs)["impression"] for each in (usual, other)]
    assert not changed[0].equals(changed[1])


def test_everybodys_day_is_the_same_up_to_their_first_other_page(policies, usual):
    other = played(policies, CHEAP)
    everybody, slates = range(300), []
    for each in (usual, other):
        shown = of(each[0], FIRST_DAY, everybody)["impression"]
        slates.append(shown.select("user", "request", "position", "item", "time"))
    key = ["user", "request", "position", "item"]
    differs = pl.concat([slates[0].join(slates[1], on=key, how="anti"),
                         slates[1].join(slates[0], on=key, how="anti")])  # fmt: skip
    first = differs.group_by("user").agg(first=pl.min("time"))
    assert first.height > 50
    for kind in ("request", "impression", "click", "payment", "rating", "chargeback"):
        before = []
        for each in (usual, other):
            rows = of(each[0], FIRST_DAY, everybody)[kind].join(first, on="user", how="left")
            known = pl.col("first").is_null() | (pl.col("time") < pl.col("first"))
            if kind == "request":  # the page itself is asked for before it differs
                known |= pl.col("time") == pl.col("first") - timedelta(microseconds=200_000)
            before.append(rows.filter(known).drop("first"))
        assert before[0].height > 0 or kind in ("rating", "chargeback")
        assert before[0].equals(before[1]), kind
