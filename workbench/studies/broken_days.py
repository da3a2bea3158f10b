"""Break a shop on a day, and go through the days: what rings, what the models do, what it costs.

    world ─► played once ─► clean log ─────────────────────► checks, models, cost: the twin
                                │
                                └─► one fault from a day on ─► checks, models, cost
                                                                  less the twin's: what it cost

The fault strikes what arrives from a midnight on; people and their luck stay as they are. Models
decide day by day from the log as it has arrived, and are marked by the truth; their decisions are
counted, not acted on, so that a broken day and its twin hold the same people. Like the damage
ledger (`workbench.studies.damage`), for one shop and one fault at a time, and fast enough to press.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from types import MappingProxyType

import numpy as np
import polars as pl

from workbench.assign import uniform
from workbench.data import checks
from workbench.data.fault import Fault
from workbench.data.faults import FAULTS, Pipe
from workbench.data.rules.kinds import PARENTS
from workbench.policy import Rank, Threshold
from workbench.studies.broken_days_models import DailyModels, DaysPlan
from workbench.studies.door import DAY, InMemoryLog, door

__all__ = ["CHOICES", "BrokenDays", "Shop", "open_shop"]

KINDS = ("impression", "click", "payment", "chargeback")
_TEXT = dict.fromkeys(["kind", "check", "severity", "column", "evidence"], pl.String)
ALARMS = {"day": pl.Int64, **_TEXT, "rows": pl.Int64, "new": pl.Boolean}

CHOICES: Mapping[str, Fault] = MappingProxyType(
    {
        "amount doubled": replace(
            FAULTS["other currency"], name="amount doubled", summary="all amounts times a factor",
            magnitude=2.0, levels=(1.2, 2.0, 5.0),
        )
    }
    | {name: fault for name, fault in FAULTS.items() if fault.kind in KINDS}
)  # fmt: skip


@dataclass(frozen=True)
class BrokenDays:
    """What happened on each day with a fault, beside the twin without.

    Attributes
    ----------
    fault : Fault or None
        None for the twin itself.
    since : int or None
        The world's day on whose midnight the fault begins.
    alarms : pl.DataFrame
        day, kind, check, severity, column, evidence, rows, new: `new` is what the twin does not
        ring on that day. The check "door" is what the log's contracts refused.
    marks : pl.DataFrame
        day, task, auc, auc_clean, cost, cost_clean: by the truth; costs in the currency of prices.
    """

    fault: Fault | None
    since: int | None
    alarms: pl.DataFrame
    marks: pl.DataFrame

    @property
    def days(self) -> list[int]:
        """The days that one can look at."""
        return self.marks["day"].unique().sort().to_list()

    def lost(self, today: int) -> float:
        """What the fault has cost until the end of `today`; negative if it happened to help."""
        past = self.marks.filter(pl.col("day") <= today)
        return float((past["cost"] - past["cost_clean"]).sum())

    def new_alarms(self, today: int) -> pl.DataFrame:
        """What rings on `today` and not in the twin, errors first."""
        rings = self.alarms.filter(pl.col("day") == today, "new")
        return rings.sort(pl.col("severity") != "error", maintain_order=True)

    def first_alarm(self, today: int) -> int | None:
        """The first day, until `today`, on which something new rang."""
        return self.alarms.filter(pl.col("day") <= today, "new")["day"].min()


class Shop:
    """A world that has been played once, ready to be broken again and again; see `open_shop`.

    Attributes
    ----------
    clean : dict of kind to DataFrame
        Everything that has become known.
    midnight : datetime
        When day 0 began.
    twin : BrokenDays
        Every day as it was without a fault.
    busy : pl.DataFrame
        day, people, home, search, clicks, checkouts, frauds: what went on; frauds by the truth.
    """

    def __init__(self, clean: dict[str, pl.DataFrame], models: DailyModels):
        self.clean, self._models, self.midnight = clean, models, models.midnight
        looked = [row for day in models.days for row in self._rings(clean, day)]
        rings = pl.DataFrame(looked, schema=ALARMS, orient="row")
        self._usual = {_key(row) for row in looked}
        marks = models.marks(clean)
        same = {"auc_clean": pl.col("auc"), "cost_clean": pl.col("cost")}
        self.twin = BrokenDays(None, None, rings, marks.with_columns(**same))
        self.busy = models.busy(clean)

    @property
    def days(self) -> range:
        """The days that one can look at."""
        return self._models.days

    def broken_by(self, name: str, level: str, since: int) -> BrokenDays:
        """The same days with a fault from the midnight of day `since` on.

        Parameters
        ----------
        name : str
            One of `CHOICES`.
        level : {"small", "medium", "large"}
        since : int
            One of `days`.

        Raises
        ------
        ValueError
            If there is no such fault, level or day.
        """
        if name not in CHOICES:
            raise ValueError(f"no fault is called {name!r}; there are {[*CHOICES]}")
        if since not in self.days:
            raise ValueError(f"since must be one of the days {self.days}, got {since}")
        return self.broken(CHOICES[name].at(level, start=self.midnight + since * DAY))

    def broken(self, fault: Fault) -> BrokenDays:
        """The same for a fault that has its start; it must be a midnight of one of `days`."""
        since = (fault.start - self.midnight) // DAY
        log, refused = self._arrived(fault, since)
        near = {fault.kind, *PARENTS.get(fault.kind, ())}
        near |= {kind for kind in KINDS if fault.kind in PARENTS.get(kind, ())}
        rings = [
            row for row in self.twin.alarms.iter_rows() if row[0] < since or row[1] not in near
        ]
        for day in range(since, self.days.stop):
            rings += refused.get(day, [])
            rings += self._rings({kind: log[kind] for kind in KINDS if kind in near}, day)
        rings = [(*row[:-1], _key(row) not in self._usual) for row in rings]
        clean = self.twin.marks.drop("auc", "cost")
        marks = self._models.marks(log, since).join(clean, on=["day", "task"], how="right")
        before = [pl.coalesce(name, f"{name}_clean").alias(name) for name in ("auc", "cost")]
        marks = marks.with_columns(before).select(self.twin.marks.columns)
        return BrokenDays(fault, since, pl.DataFrame(rings, schema=ALARMS, orient="row"), marks)

    def _arrived(self, fault: Fault, since: int) -> tuple[dict[str, pl.DataFrame], dict]:
        """The log with the fault, and what the door refused on which day."""
        known, needs = pl.col("known_at"), {fault.kind, fault.mechanism.needs} - {None}
        pipe, past = (
            Pipe([fault]),
            {kind: self.clean[kind].filter(known < fault.start) for kind in needs},
        )
        pipe(past, fault.start)
        parts, refused = [past[fault.kind]], {}
        for day in range(since, self.days.stop):
            until = self._end_of(day)
            batch = {
                kind: self.clean[kind].filter(known >= until - DAY, known < until) for kind in needs
            }
            came = pipe(batch, until).get(fault.kind, batch[fault.kind].clear())
            good, bad = door(came, fault.kind, until)
            parts.append(good)
            if bad:
                again = bad == came.height - came["event"].n_unique()
                said = (
                    "sent twice, taken once" if again else f"of {came.height:,} break the contract"
                )
                row = (day, fault.kind, "door", "warning" if again else "error", None,
                       f"{bad:,} rows {said}", bad, True)  # fmt: skip
                refused[day] = [row]
        return {**self.clean, fault.kind: pl.concat(parts, how="diagonal_relaxed")}, refused

    def _rings(self, log: Mapping[str, pl.DataFrame], day: int) -> list[tuple]:
        at = self._end_of(day)
        known = {kind: frame.filter(pl.col("known_at") < at) for kind, frame in log.items()}
        report = checks.report_log(InMemoryLog(known, at), at=at)
        return [
            (
                day,
                each.kind,
                each.check,
                each.severity,
                each.column,
                each.evidence,
                each.rows,
                False,
            )
            for each in report.findings
            if each.check != "reference"
        ]

    def _end_of(self, day: int) -> datetime:
        return self.midnight + timedelta(days=day + 1)


def open_shop(world, plan: DaysPlan | None = None) -> Shop:
    """Play a world to its end, and look at every day of it.

    Parameters
    ----------
    world : World
        Not yet played. Its pages are filled at random and every checkout is approved, so that
        clicks are not biased by a ranking and no payment is censored.
    plan : DaysPlan, optional

    Raises
    ------
    ValueError
        If the world ends before the plan's first day, a kind of event never happens in it, or no
        model can be trained by then.
    """
    pages, began, plan = [], world.now, plan or DaysPlan()
    policies = {"home": _PAGE, "search": _PAGE, "checkout": Threshold(_nothing, 0.5, "all")}
    while (requests := world.next_requests()) is not None:
        if "home" in requests:
            names = ("request", "item", "time", "price", "bestseller")
            pages.append(pl.DataFrame({name: requests["home"][name] for name in names}))
        world.react({surface: policies[surface].act(rows) for surface, rows in requests.items()})
    played = world.events()
    if (world.now - began).days <= plan.first_day:
        raise ValueError(f"the world ends before day {plan.first_day}, the first to look at")
    if missing := sorted(set(KINDS) - set(played)):
        raise ValueError(f"in this world nothing of kind {missing[0]} ever happens")
    clean = {kind: played[kind] for kind in KINDS}
    models = DailyModels(clean, pl.concat(pages), world.truth, plan)
    return Shop(clean, models)


def _at_random(rows):
    return uniform("broken days", rows["request"], rows["item"])


def _nothing(rows):
    return np.zeros(len(rows["request"]))


_PAGE = Rank(_at_random, 5, "random")


def _key(row: tuple) -> tuple:
    """What makes an alarm the same alarm: day, kind, check, severity, column."""
    return row[:5]
