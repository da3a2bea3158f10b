"""Who watches a log: the checks, and the two that need no data, always-fire and never-fire.

A detector takes many looks at once (so that one may start a program for all of them) and returns
the alarms of each, in order; None where it did not look.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl
import polars.selectors as cs

from workbench.data import checks
from workbench.data.rules.kinds import PARENTS
from workbench.studies.door import InMemoryLog

__all__ = [
    "Alarm",
    "Detector",
    "Look",
    "OfPairs",
    "Sparing",
    "always_fire",
    "checks_of_a_kind",
    "checks_of_the_log",
    "never_fire",
]


@dataclass(frozen=True, slots=True)
class Alarm:
    """One thing that rings: for which kind, what for, about which column (None: the table)."""

    kind: str
    check: str
    severity: str = "error"
    column: str | None = None


@dataclass(frozen=True, slots=True)
class Look:
    """A log at a moment: all rows known before `at`, by kind.

    `kind` is the one to look at; None is all of them. `world` numbers the shop, `day` the days
    since a fault may have begun.
    """

    world: int
    day: int
    kind: str | None
    at: datetime
    events: Mapping[str, pl.DataFrame]

    @property
    def kinds(self) -> list[str]:
        """The kinds to look at."""
        return [*self.events] if self.kind is None else [self.kind]


Alarms = list[Alarm] | None  # None: it did not look
Detector = Callable[[Sequence[Look]], list[Alarms]]


def checks_of_a_kind(looks: Sequence[Look]) -> list[Alarms]:
    """`checks.report` of each kind by itself: the last day against the four weeks before.

    On every seventh day the last week, for what comes too rarely to be judged by the day. That
    there is too little to judge by is no alarm.
    """
    return [
        [
            alarm
            for kind in look.kinds
            for alarm in _alarms(
                checks.report(look.events[kind], kind, at=look.at, days=_days(look)), kind
            )
        ]
        for look in looks
    ]


def checks_of_the_log(looks: Sequence[Look]) -> list[Alarms]:
    """`checks.report_log`: each kind by itself, and what the kinds say about each other.

    When it looks is as above. Where one kind is to be looked at, the others are read as far as they
    refer to it or it to them.
    """
    found = []
    for look in looks:
        near = {
            kind: frame if look.kind in (None, kind) else frame.select(_REFERENCE)
            for kind, frame in look.events.items()
            if look.kind is None
            or kind == look.kind
            or kind in PARENTS.get(look.kind, ())
            or look.kind in PARENTS.get(kind, ())
        }
        log = InMemoryLog(near, look.at)
        found.append(_alarms(checks.report_log(log, days=_days(look)), "log"))
    return found


_REFERENCE = cs.by_name("time", "known_at", "request", "item", require_all=False)


def _days(look: Look) -> int:
    """Length of the live window."""
    return 7 if look.day % 7 == 0 else 1


def _alarms(report: checks.Report, kind: str) -> list[Alarm]:
    return [
        Alarm(found.kind or kind, found.check, found.severity, found.column)
        for found in report.findings
        if found.check != "reference"
    ]


@dataclass(frozen=True)
class OfPairs:
    """A detector from something that compares two tables, such as another library.

    Parameters
    ----------
    fired : callable
        From (reference, live) pairs to the columns that rang for each; None is the whole table.
    name : str
        What its alarms are called.
    reference_days : int
        How much of the past is the reference; the live table is the last day.
    """

    fired: Callable[[list[tuple[pl.DataFrame, pl.DataFrame]]], Sequence[Sequence[str | None]]]
    name: str = "pairs"
    reference_days: int = 28

    def __call__(self, looks: Sequence[Look]) -> list[Alarms]:
        """The alarms of each look."""
        pairs, places = [], []
        for number, look in enumerate(looks):
            for kind in look.kinds:
                known, since = pl.col("known_at"), look.at - timedelta(days=1)
                first = since - timedelta(days=self.reference_days)
                frame = look.events[kind].filter(known >= first)
                pairs.append((frame.filter(known < since), frame.filter(known >= since)))
                places.append((number, kind))
        found: list[list[Alarm]] = [[] for _ in looks]
        for (number, kind), columns in zip(places, self.fired(pairs), strict=True):
            found[number] += [Alarm(kind, self.name, "error", column) for column in columns]
        return found


@dataclass(frozen=True)
class Sparing:
    """A detector that looks only in the first worlds, on the first days: one that takes its time.

    >>> looks = [Look(0, day, "click", datetime(2026, 3, 1), {}) for day in (1, 2)]
    >>> Sparing(always_fire, worlds=1)(looks)[1] is None
    True
    """

    detector: Detector
    worlds: int
    days: int = 1

    def __call__(self, looks: Sequence[Look]) -> list[Alarms]:
        """The alarms of each look; None where it does not look."""
        taken = [look.world < self.worlds and look.day <= self.days for look in looks]
        some = [look for look, takes in zip(looks, taken, strict=True) if takes]
        answers = iter(self.detector(some) if some else ())
        return [next(answers) if takes else None for takes in taken]


def always_fire(looks: Sequence[Look]) -> list[list[Alarm]]:
    """An error about everything, every day: it misses nothing and says nothing."""
    return [[Alarm(kind, "always") for kind in look.kinds] for look in looks]


def never_fire(looks: Sequence[Look]) -> list[list[Alarm]]:
    """Nothing, ever: no false alarm."""
    return [[] for _ in looks]
