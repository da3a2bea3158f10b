"""Do the checks find what is broken? Mutation testing: break on purpose, and count what rings.

    clean events ──┬────────────────────────────► door ─► log ─► detector ─► its usual alarms
                   └─► pipe with one fault ─► door ─► log ─► detector ─► more than those?

Every day one batch arrives. The fault begins at a midnight, the detector looks at the log as it is
known after 1, 2, 3 … days, and an alarm counts as *new* if the clean twin's log does not ring it on
that day. What the log's contracts refuse, or drop as sent twice, is counted apart: the *door*.
Where nothing of a fault is left behind the door there is nothing for a detector to find.

The idea is that of mutation testing of programs: DeMillo, Lipton & Sayward (1978), "Hints on test
data selection", IEEE Computer 11(4). Worlds come as an argument, as functions that make events, and
each is a piece of work of its own: any number of workers gives the same numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

import polars as pl

from workbench.data.fault import LEVELS, Fault
from workbench.data.faults import FAULTS, Pipe
from workbench.studies.detectors import Alarms, Detector, Look
from workbench.studies.door import door
from workbench.studies.mutation_board import CLEAN, INJECTED, Scoreboard

__all__ = ["MutationPlan", "mutation", "one_world"]

Frames = dict[str, pl.DataFrame]
World = Callable[[], Mapping[str, pl.DataFrame]]
DAY = timedelta(days=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class MutationPlan:
    """What is broken, when, and when a detector looks.

    Parameters
    ----------
    faults : sequence of Fault or of names in `FAULTS`
        Each is placed at every level.
    levels : sequence of str
        Of small, medium and large.
    kinds : sequence of str
        What the log holds, so where false alarms are counted. Other kinds are left out.
    start_day : int
        The world's day on whose midnight a fault begins; at least `reference_days`.
    look_days : sequence of int
        After how many days the detector looks; rising.
    reference_days : int
        How many days of the past it may compare with.

    Raises
    ------
    ValueError
        If a fault is unknown or breaks a kind that is not in the log, or days do not fit.
    """

    faults: Sequence[Fault | str] = tuple(name for name in FAULTS if name != "flipped labels")
    levels: Sequence[str] = LEVELS
    kinds: Sequence[str] = ("request", "impression", "click", "purchase", "payment", "chargeback")
    start_day: int = 56
    look_days: Sequence[int] = (1, 2, 3, 5, 7)
    reference_days: int = 28

    def __post_init__(self):
        unknown = [each for each in self.faults if isinstance(each, str) and each not in FAULTS]
        if unknown:
            raise ValueError(f"no fault is called {unknown[0]!r}; there are {[*FAULTS]}")
        for fault in self.chosen:
            if fault.kind not in self.kinds:
                raise ValueError(f"{fault.name} breaks {fault.kind}, which is none of {self.kinds}")
        if [*self.look_days] != sorted(set(self.look_days)) or not self.look_days:
            raise ValueError(f"look_days must rise, got {self.look_days}")
        if self.look_days[0] < 1 or not 1 <= self.reference_days <= self.start_day:
            raise ValueError(
                f"look_days begin at 1 and start_day comes after reference_days, got "
                f"{self.look_days}, {self.start_day} and {self.reference_days}"
            )

    @property
    def chosen(self) -> list[Fault]:
        """The faults themselves."""
        return [FAULTS[each] if isinstance(each, str) else each for each in self.faults]


def mutation(
    worlds: Sequence[World],
    detectors: Mapping[str, Detector],
    plan: MutationPlan | None = None,
    *,
    map: Callable = map,
) -> Scoreboard:
    """Break every world by every fault at every level, and ask every detector.

    Parameters
    ----------
    worlds : sequence of callables
        Each returns clean events by kind, from `start_day` + the last of `look_days` days.
    detectors : mapping of name to Detector
        See `workbench.studies.detectors`.
    plan : MutationPlan, optional
    map : callable
        A map over worlds: the built-in, or that of an executor with workers of its own.

    Raises
    ------
    ValueError
        If a world's events lack a kind of the plan, or end before the last look.
    """
    plan = plan or MutationPlan()
    work = partial(one_world, detectors=detectors, plan=plan)
    pieces = [*map(work, range(len(worlds)), worlds)]
    frames = [
        pl.concat([piece[place] for piece in pieces]) if pieces else pl.DataFrame(schema=schema)
        for place, schema in enumerate((INJECTED, CLEAN))
    ]
    return Scoreboard(*frames)


def one_world(
    number: int, world: World, *, detectors: Mapping[str, Detector], plan: MutationPlan
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The rows of one world: what was injected and found, and what rang on clean days."""
    clean = _Clean(world(), plan)
    every_day = range(1, clean.last + 1)
    twin = clean.looks(number, clean.live, days=every_day)
    usual, clean_rows = {}, []
    for name, detector in detectors.items():
        by_day = dict(zip(every_day, detector(twin), strict=True))
        usual[name] = [by_day[day] for day in plan.look_days]
        for day, alarms in by_day.items():
            if alarms is None:
                continue
            for kind in plan.kinds:
                rung = [alarm.severity for alarm in alarms if alarm.kind == kind]
                errors = rung.count("error")
                clean_rows.append((number, name, kind, day, errors, len(rung) - errors))

    cases = []
    for fault in plan.chosen:
        for level in plan.levels:
            placed = fault.at(level, start=clean.start)
            cases.append((placed, *clean.broken_by(placed)))
    looks = [
        clean.looks(number, {**clean.live, fault.kind: live}, fault.kind, days=plan.look_days)
        for fault, live, *_ in cases
    ]
    injected = []
    for name, detector in detectors.items():
        answers = iter(detector([look for some in looks for look in some]))
        for (fault, live, touched, refused, door_day), some in zip(cases, looks, strict=True):
            rung = [next(answers) for _ in some]
            if all(alarms is None for alarms in rung):
                continue
            where = places(fault) | ({None} if refused else set())  # rows that are refused are gone
            days = _first_days(fault.kind, where, plan.look_days, rung, usual[name])
            left = not all(
                one.equals(other) for one, other in zip(live, clean.live[fault.kind], strict=True)
            )
            row = number, name, fault.name, fault.kind, fault.level, fault.magnitude
            injected.append((*row, touched, refused, left, door_day, *days))
    return (
        pl.DataFrame(injected, schema=INJECTED, orient="row"),
        pl.DataFrame(clean_rows, schema=CLEAN, orient="row"),
    )


class _Clean:
    """One world's clean days, behind the door, and the same days with a fault in the pipe."""

    def __init__(self, events: Mapping[str, pl.DataFrame], plan: MutationPlan):
        missing = [kind for kind in plan.kinds if kind not in events]
        if missing:
            raise ValueError(f"the world has no events of kind {missing[0]!r}, only {[*events]}")
        known = [events[kind]["known_at"] for kind in plan.kinds]
        first = min(each.min() for each in known)
        self.start = first.replace(hour=0, minute=0, second=0, microsecond=0)
        self.start += timedelta(days=plan.start_day)
        self.plan, self.last = plan, plan.look_days[-1]
        if max(each.max() for each in known) < self.start + (self.last - 1) * DAY:
            raise ValueError(f"the world ends before its day {plan.start_day + self.last}")
        since, clock = self.start - plan.reference_days * DAY, pl.col("known_at")
        self.past = {kind: events[kind].filter(clock < self.start) for kind in plan.kinds}
        self.reference = {kind: frame.filter(clock >= since) for kind, frame in self.past.items()}
        self.raw = {
            kind: [
                events[kind].filter(clock >= self.start + day * DAY, clock < self._until(day))
                for day in range(self.last)
            ]
            for kind in plan.kinds
        }
        self.live = {
            kind: [door(batch, kind, self._until(day))[0] for day, batch in enumerate(batches)]
            for kind, batches in self.raw.items()
        }

    def looks(
        self, number: int, live: Mapping[str, list], kind: str | None = None, *, days
    ) -> list[Look]:
        """What a detector sees after each of the days."""
        made = []
        for day in days:
            events = {
                name: pl.concat([self.reference[name], *batches[:day]], how="diagonal_relaxed")
                for name, batches in live.items()
            }
            made.append(Look(number, day, kind, self.start + day * DAY, events))
        return made

    def broken_by(self, fault: Fault) -> tuple[list[pl.DataFrame], int, int, int | None]:
        """The days of its kind behind the door; rows touched; rows refused; the first such day."""
        pipe, needs = Pipe([fault]), fault.mechanism.needs
        if needs is not None:
            pipe({needs: self.past[needs]}, self.start)
        live, refused, door_day = [], 0, None
        for day, batch in enumerate(self.raw[fault.kind]):
            others = {} if needs is None else {needs: self.raw[needs][day]}
            arrived = pipe({**others, fault.kind: batch}, self._until(day))
            frame, bad = door(arrived.get(fault.kind, batch.clear()), fault.kind, self._until(day))
            live.append(frame)
            refused += bad
            if bad and door_day is None:
                door_day = day + 1
        return live, pipe.touched.height, refused, door_day

    def _until(self, day: int) -> datetime:
        return self.start + (day + 1) * DAY


def _first_days(
    kind: str,
    where: set[str | None],
    days: Sequence[int],
    rung: list[Alarms],
    usual: list[Alarms],
) -> list[int | None]:
    """The first day with any alarm, a new one, a new one that names the place, a new error."""
    first: list[int | None] = [None] * 4
    for day, alarms, known in zip(days, rung, usual, strict=True):
        if alarms is None:
            continue
        ours = [alarm for alarm in alarms if alarm not in known]
        keys = {(alarm.kind, alarm.check, alarm.column) for alarm in known}
        new = [each for each in ours if (each.kind, each.check, each.column) not in keys]
        named = [each for each in new if each.kind == kind and each.column in where]
        errors = [each for each in ours if each.severity == "error"]
        for place, found in enumerate((alarms, new, named, errors)):
            if found and first[place] is None:
                first[place] = day
    return first


def places(fault: Fault) -> set[str | None]:
    """The columns that a finding about this fault may name; None is the table as a whole.

    >>> sorted(places(FAULTS["swapped columns"])), places(FAULTS["dropped events"]) == {None}
    (['device', 'user'], True)
    """
    takes, acts = fault.mechanism.takes, fault.mechanism.acts
    if takes == "time":
        return {None, "time", "known_at"}
    if acts == "add":
        return {None, "event"}
    if acts == "drop":
        return {None} if fault.column is None else {None, fault.column}
    if fault.how == "renamed":
        return {fault.column, fault.value or f"{fault.column}_v2"}
    return {fault.column, fault.value} if fault.how == "swapped" else {fault.column}
