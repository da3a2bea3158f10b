"""What does a fault cost that nobody finds? Trained on the broken log, marked by the truth.

    clean log ──► model ──► marked on later clean days ──► true AUC, money ─┐
    broken log ─► model ──► marked on the same days     ──► true AUC, money ─┴─► lost

Two ways to be hurt: the training data were broken and serving is clean ("training"), or a model
made of clean data reads a log that has broken since ("serving"). The people, their luck and the
days on which the models are marked are the same in both, so what differs is what the fault has
done; intervals are over worlds. Many faults cost nothing, and that is a result.

See Schelter et al. (2021), "JENGA", EDBT, for the same question on tables without a known truth.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Protocol

import polars as pl

from workbench.data.fault import Fault
from workbench.data.faults import FAULTS, Pipe
from workbench.studies.damage_ledger import ROWS, DamageLedger
from workbench.studies.door import broken_log

__all__ = ["DamagePlan", "Task", "damage", "one_world"]

Frames = Mapping[str, pl.DataFrame]
World = Callable[[], tuple[Frames, Any]]  # clean events, and the truth
WHEN = ("training", "serving")


@dataclass(frozen=True, kw_only=True, slots=True)
class DamagePlan:
    """Days count from the world's first midnight.

    Parameters
    ----------
    faults : sequence of Fault or of names in `FAULTS`
    level : str
        At which of the documented magnitudes.
    train_days : (float, float)
        What a model learns from; in the broken log the fault lasts from the first of them until
        the model is made.
    model_day : float
        When the model is made, from what is known by then.
    mark_days : (float, float)
        Later days, on which it is marked; for "serving" the fault lasts from the first to the last.

    Raises
    ------
    ValueError
        If the days are not in that order, or a fault is unknown.
    """

    faults: Sequence[Fault | str] = tuple(name for name in FAULTS if name != "flipped labels")
    level: str = "large"
    train_days: tuple[float, float] = (7, 28)
    model_day: float = 38
    mark_days: tuple[float, float] = (38, 48)

    def __post_init__(self):
        days = [*self.train_days, self.model_day, *self.mark_days]
        if not (0 < days[0] < days[1] <= days[2] <= days[3] < days[4]):
            raise ValueError(
                f"train_days, model_day and mark_days must follow each other, got "
                f"{self.train_days}, {self.model_day}, {self.mark_days}"
            )
        unknown = [each for each in self.faults if isinstance(each, str) and each not in FAULTS]
        if unknown:
            raise ValueError(f"no fault is called {unknown[0]!r}; there are {[*FAULTS]}")


class Task(Protocol):
    """A model and what it is for: `workbench.studies.damage_tasks` has one for fraud, for clicks.

    `kinds` are the events it reads, `unit` what a loss of money is counted in, `serves` whether the
    log is read when it answers, too.
    """

    name: str
    unit: str
    serves: bool
    kinds: Sequence[str]

    def fit(self, log: Frames, days: Mapping[str, datetime]) -> Any:
        """The model, from a log as known when it is made; None if it cannot be trained."""

    def mark(self, model: Any, clean: Frames, log: Frames, days, truth: Any) -> tuple[float, float]:
        """True AUC and true cost on the clean requests of the marked days; it reads `log`."""


def damage(
    worlds: Sequence[World],
    tasks: Sequence[Task],
    plan: DamagePlan | None = None,
    *,
    map: Callable = map,
) -> DamageLedger:
    """Train each task's model with and without each fault, in each world, and mark both.

    Parameters
    ----------
    worlds : sequence of callables
        Each returns clean events by kind and the truth about them.
    tasks : sequence of Task
    plan : DamagePlan, optional
    map : callable
        A map over worlds: the built-in, or that of an executor. The numbers are the same.

    Raises
    ------
    ValueError
        If a model cannot be trained on the clean log of some world.
    """
    plan = plan or DamagePlan()
    work = partial(one_world, tasks=tasks, plan=plan)
    pieces = [*map(work, range(len(worlds)), worlds)]
    return DamageLedger(pl.concat([pl.DataFrame(schema=ROWS), *pieces]))


def one_world(
    number: int, world: World, *, tasks: Sequence[Task], plan: DamagePlan
) -> pl.DataFrame:
    """One row per task, fault and when it strikes: true AUC and cost, clean and broken."""
    clean, truth = world()
    first = min(frame["known_at"].min() for frame in clean.values())
    midnight = first.replace(hour=0, minute=0, second=0, microsecond=0)
    names = ("train_first", "train_last", "model", "mark_first", "mark_last")
    days = dict(zip(names, (*plan.train_days, plan.model_day, *plan.mark_days), strict=True))
    days = {name: midnight + timedelta(days=day) for name, day in days.items()}
    spans = {"training": (days["train_first"], days["model"]),
             "serving": (days["mark_first"], days["mark_last"])}  # fmt: skip
    known = pl.col("known_at")
    rows = []
    for task in tasks:
        yesterday = {kind: clean[kind].filter(known < days["model"]) for kind in task.kinds}
        today = {kind: clean[kind].filter(known < days["mark_last"]) for kind in task.kinds}
        good = task.fit(yesterday, days)
        if good is None:
            raise ValueError(f"world {number}: {task.name} cannot be trained on the clean log")
        usual = task.mark(good, today, today, days, truth)
        for each in plan.faults:
            fault = FAULTS[each] if isinstance(each, str) else each
            if fault.kind not in task.kinds:
                continue
            for when in WHEN if task.serves else WHEN[:1]:
                start, end = spans[when]
                placed = fault.at(plan.level, start=start, end=end)
                broken, refused = broken_log({k: clean[k] for k in task.kinds}, Pipe([placed]),
                                             start, end)  # fmt: skip
                if when == "training":
                    model = task.fit(broken, days)
                    marks = None if model is None else task.mark(model, today, today, days, truth)
                else:
                    marks = task.mark(good, today, broken, days, truth)
                auc, cost = (None, None) if marks is None else marks
                rows.append((number, task.name, task.unit, fault.name, when, refused, *usual,
                             auc, cost))  # fmt: skip
    return pl.DataFrame(rows, schema=ROWS, orient="row")
