"""Copies of a world, each played on with everybody under other policies, and counted.

The copies start from the same present: moods, stocks, plans, checkouts on the way. What happens in
them is counted from the raw columns of the ledger, due or not: the truth need not wait for a
complaint. No text is written and nothing is logged. What the counts mean is in `potential`.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping

import numpy as np

from workbench.marketplace.fraudsters import technique_of
from workbench.marketplace.luck import FIRST_THIEF_SLOT, SLOTS, Ids
from workbench.marketplace.people import DAY_US
from workbench.marketplace.potential import METRICS, PotentialOutcomes
from workbench.policy import Policy

__all__ = ["potential_outcomes"]


def potential_outcomes(
    world, arms: Mapping[str, Mapping[str, Policy]], *, until=None, by_day: bool = False
) -> PotentialOutcomes:
    """Play a world on from its present state, once with everybody in each arm.

    Parameters
    ----------
    world : Marketplace
        It stays as it is; each arm plays a copy, which writes to no log.
    arms : mapping of arm name to (mapping of surface to Policy)
        A policy with a memory of its own needs to be a fresh one in each arm; one that reads the
        world's log finds nothing new in it.
    until : float or datetime, optional
        Days from the start, or a moment; the end of the last day if not given.
    by_day : bool
        Keep the days apart: for curves and peeking.

    Raises
    ------
    ValueError
        If there is no arm, a surface has no policy, a wave is open, or `until` is not ahead.

    Examples
    --------
    >>> from workbench.marketplace import Marketplace, MarketplaceSpec
    >>> from workbench.policy import Rank, Threshold
    >>> rest = {"search": Rank("price", 5), "checkout": Threshold("amount", 1e6)}
    >>> dear, cheap = Rank("price", 5), Rank(lambda rows: -rows["price"], 5)
    >>> arms = {"dear": {"home": dear, **rest}, "cheap": {"home": cheap, **rest}}
    >>> world = Marketplace(MarketplaceSpec(users=200, days=4))
    >>> world.truth.potential_outcomes(arms).effect("clicks")
    clicks: cheap - dear = 0.74 per user (+80.87%), 200 users
    """
    if not arms:
        raise ValueError("there must be at least one arm, got none")
    if world._open:
        raise ValueError("a wave is open: call react(decisions) before asking what would be")
    for name, policies in arms.items():
        missing = set(world._surfaces) - set(policies)
        if missing:
            raise ValueError(f"arm {name!r} must answer every surface, missing: {sorted(missing)}")
    if not world._stops(until, 1440):
        raise ValueError(f"until must be after the present, {world.now}, got {until}")
    part, of = world._part
    users = np.arange(part, world.spec.users, of)
    tallies = {name: _played(world, policies, until, by_day) for name, policies in arms.items()}
    first_day = int((world.now - world.spec.start).total_seconds() // 86_400)
    return PotentialOutcomes(users, first_day, tallies, by_day)


def _played(world, policies, until, by_day: bool) -> np.ndarray:
    """A copy of the world under these policies, as (metrics, users, days or 1)."""
    same = (world.people, world.catalogue, world.behaviour)  # never change: not copied
    memo = {id(each): each for each in same} | {id(world.log): None}
    other = copy.deepcopy(world, memo)
    for _ in other._ledger.everything():  # what happened before is no outcome
        pass
    tally = _Tally(world, other._stops(until, 1440)[-1], by_day)
    for stop in other._stops(until, 1440):
        while (requests := other.next_requests(until=stop)) is not None:
            other.react({name: policies[name].act(rows) for name, rows in requests.items()})
        for kind, words, columns in other._ledger.everything():
            tally.add(kind, words, columns)
    return tally.values


class _Tally:
    """Counts of one copy, from the raw columns of its ledger."""

    def __init__(self, world, stop, by_day: bool):
        start = round(world.spec.start.timestamp()) * 1_000_000
        self._ids, self._part = Ids(world.spec.seed, "request"), world._part
        self._first = start + (round(world.now.timestamp() * 1e6) - start) // DAY_US * DAY_US
        last = (round(stop.timestamp() * 1e6) - 1 - self._first) // DAY_US
        self._days = last + 1 if by_day else 1
        users = len(range(self._part[0], world.spec.users, self._part[1]))
        self.values = np.zeros((len(METRICS), users, self._days))

    def add(self, kind: str, words: dict[str, str], columns: dict) -> None:
        """Count some events of one kind."""
        surface = words.get("surface")
        if kind == "request":
            visit, step = self._ids.parts(columns["request"])[1:]
            own = visit % SLOTS < FIRST_THIEF_SLOT
            self._count("visits", columns, own & (step == 0))
            if surface != "checkout":
                self._count("pages", columns, own)
        elif kind == "click":
            self._count("clicks", columns, self._visit(columns) % SLOTS < FIRST_THIEF_SLOT)
        elif kind == "payment":
            honest = technique_of(self._visit(columns)) < 0
            self._count("purchases", columns, honest)
            self._count("revenue", columns, honest, columns["amount"])
            self._count("fraud_amount", columns, ~honest, columns["amount"])
        elif kind == "chargeback":
            self._count("chargebacks", columns, slice(None), columns["amount"])
        elif kind == "decision" and surface == "checkout":
            blocked = np.asarray(columns["action"]) == "block"
            blocked &= np.asarray(columns.get("live", True))
            honest = technique_of(self._visit(columns)) < 0
            self._count("blocked_honest", columns, blocked & honest)
            self._count("blocked_frauds", columns, blocked & ~honest)

    def _visit(self, columns: dict) -> np.ndarray:
        return self._ids.parts(columns["request"])[1]

    def _count(self, metric: str, columns: dict, rows, amount: np.ndarray | None = None) -> None:
        user = (columns["user"][rows] - self._part[0]) // self._part[1]
        day = (columns["time"][rows] - self._first) // DAY_US
        day = np.clip(day, 0, self._days - 1) if self._days > 1 else np.zeros_like(day)
        np.add.at(
            self.values[METRICS.index(metric)], (user, day), 1.0 if amount is None else amount[rows]
        )
