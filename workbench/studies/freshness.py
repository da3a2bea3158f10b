"""Which features deserve streaming? What fresh values are worth, feature by feature.

    payments ──► each feature as of t, t - 1 min, t - 1 h, t - 1 d ──┐
                 the others fresh, or all as old as that ────────────┼─► model ─► AUC, cost
    truth ───────────────────────────────────────────────────────────┘

A value that is s old is the feature as of t - s: what had happened and was known before then, and
windows that end there. Two teams serve it. One has trained on fresh values and serves old ones
("on fresh"); the other trains on values as old as those it serves ("as served"). The first loses
through the difference too, so only the second says what fresh values are worth.

Features cover for each other, so one question has two ends: what is lost if this one alone is old
(`others` fresh), and what is won if this one alone is streamed (`others` old). Dumb companions: the
model without the feature, and without any history. A nightly batch serves values between none and
one day old.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import numpy as np
import polars as pl

from workbench import fraud, training
from workbench.assign import uniform
from workbench.features import Feature, Ratio, training_frame
from workbench.fraud.history import add_request_columns
from workbench.outcomes import outcomes
from workbench.studies.door import InMemoryLog
from workbench.studies.freshness_marks import Marks, worth
from workbench.studies.freshness_table import ALL, ROWS, Freshness
from workbench.training import TrainSpec

__all__ = ["AsReported", "FreshnessPlan", "freshness", "one_world"]

Frames = Mapping[str, pl.DataFrame]
World = Callable[[], tuple[Frames, Any]]  # events, and who knows the truth about them


@dataclass(frozen=True, kw_only=True)
class FreshnessPlan:
    """Days count from the midnight before the first event.

    Parameters
    ----------
    stale_seconds : sequence of float
        How old a feature is made, in seconds, each above zero.
    one_by_one : bool
        Each feature for itself too, or only all of them together, which is quicker.
    train_days, model_day, mark_days : (float, float), float, (float, float)
        Payments to learn from; when the model is made, from labels as known then; payments on
        which it is marked.
    horizon_days : float
        After so many days without a complaint a payment counts as honest.
    user_share : float
        Share of the users, by hash, whose payments are learnt from and marked; the history that
        features see is everybody's.
    spec, costs
        How to train, and what mistakes cost.
    draws, seed
        Bootstrap over users.

    Raises
    ------
    ValueError
        If days do not follow each other or a number is out of its range.
    """

    stale_seconds: Sequence[float] = (60, 3_600, 86_400)
    one_by_one: bool = True
    train_days: tuple[float, float] = (14, 28)
    model_day: float = 36
    mark_days: tuple[float, float] = (36, 48)
    horizon_days: float = 8.0
    user_share: float = 1.0
    spec: TrainSpec = field(default_factory=lambda: TrainSpec(rounds=60, bins=256, threads=1))
    costs: fraud.Costs = field(default_factory=fraud.Costs)
    draws: int = 300
    seed: int = 0

    def __post_init__(self):
        days = [*self.train_days, self.model_day, *self.mark_days]
        if not (0 <= days[0] < days[1] <= days[2] <= days[3] < days[4]):
            raise ValueError(
                f"train_days, model_day and mark_days must follow each other, got "
                f"{self.train_days}, {self.model_day}, {self.mark_days}"
            )
        if not self.stale_seconds or min(self.stale_seconds) <= 0:
            raise ValueError(f"stale_seconds must be above zero, got {self.stale_seconds}")
        if not 0 < self.user_share <= 1:
            raise ValueError(f"user_share must be in (0, 1], got {self.user_share}")


@dataclass(frozen=True)
class AsReported:
    """Where nobody knows the truth: the frauds that were complained of in the end.

    >>> AsReported(pl.DataFrame({"request": [7]})).is_fraud(pl.DataFrame({"request": [6, 7]}))
    array([False,  True])
    """

    chargebacks: pl.DataFrame

    def is_fraud(self, rows: pl.DataFrame) -> np.ndarray:
        """Bool, shape (n,)."""
        return rows["request"].is_in(self.chargebacks["request"].implode()).to_numpy()


def freshness(
    worlds: Sequence[World],
    features: Iterable[Feature | Ratio],
    plan: FreshnessPlan | None = None,
    *,
    map: Callable = map,
) -> Freshness:
    """True AUC and cost of a fraud model by how old each of its features is.

    Parameters
    ----------
    worlds : sequence of callables
        Each returns its events by kind (payment, chargeback, whatever the features read) and an
        object with `is_fraud(payments)`. One world: intervals by bootstrap over the marked users,
        which do not hold the luck of the training. Several: over worlds, which do.
    features : iterable of Feature or Ratio
        The history that the model reads beside what the payment itself tells.
    plan : FreshnessPlan, optional
    map : callable
        A map over worlds: the built-in, or that of an executor.

    Raises
    ------
    ValueError
        If a feature reads no events, or a world has too few labels to train on.
    """
    features, plan = tuple(features), plan or FreshnessPlan()
    idle = [each.name for each in features if not each.leaves]
    if idle or not features:
        raise ValueError(
            f"{idle[0]} reads no events, so it is never old: leave it out"
            if idle
            else "features must be one or more definitions, got none"
        )
    work = partial(one_world, features=features, plan=plan)
    pieces = [*map(work, range(len(worlds)), worlds)]
    return Freshness(pl.concat([pl.DataFrame(schema=ROWS), *pieces]))


def one_world(
    number: int, world: World, *, features: Sequence[Feature | Ratio], plan: FreshnessPlan
) -> pl.DataFrame:
    """One row per feature, age, state of the others and kind of training."""
    events, truth = world()
    first = min(frame["time"].min() for frame in events.values())
    midnight = first.replace(hour=0, minute=0, second=0, microsecond=0)
    day = lambda days: midnight + timedelta(days=days)  # noqa: E731
    past, late, marked = _rows(number, events, plan, day)
    views = [_Views(rows, features, events) for rows in (past, late, marked)]
    marks = Marks(truth.is_fraud(marked), marked["amount"], marked["user"], plan)
    label = past["label"], late["label"], late["amount"]

    def fitted(names: Sequence[str], ages: Mapping[str, float]):
        """Model and cutoff of a team that has these features, this old."""
        kept = [each for each in features if each.name in names]
        inputs = fraud.inputs(kept)
        learnt, held, _ = (view.at(ages) for view in views)
        table = learnt.with_columns(label=label[0])
        model = training.fit(table, features=inputs, label="label", spec=plan.spec)
        return model, fraud.choose_cutoff(model.score(held), *label[1:], costs=plan.costs).cutoff

    def mark(team, ages):
        model, cutoff = team
        return marks.of(model.score(views[2].at(ages)), cutoff)

    names = [each.name for each in features]
    fresh_team = fitted(names, {})
    fresh, rows = mark(fresh_team, {}), []

    def row(what, seconds, others, trained, fresher, older):
        rows.append((number, what, seconds, others, trained, *worth(fresher, older)))

    alone = names if plan.one_by_one else []
    for what, old in [*((name, [name]) for name in alone), (ALL, names)]:
        rest = [name for name in names if name not in old]
        if what == ALL or rest:  # the model of somebody who has not got it
            row(what, None, "fresh", "as served", fresh, mark(fitted(rest, {}), {}))
        for seconds in map(float, plan.stale_seconds):
            ages = dict.fromkeys(old, seconds)
            row(what, seconds, "fresh", "as served", fresh, mark(fitted(names, ages), ages))
            row(what, seconds, "fresh", "on fresh", fresh, mark(fresh_team, ages))
    oldest = dict.fromkeys(names, float(max(plan.stale_seconds)))
    stale = mark(fitted(names, oldest), oldest) if alone else None
    for name in alone:
        ages = {each: age for each, age in oldest.items() if each != name}
        only = mark(fitted(names, ages), ages)
        row(name, oldest[name], "old", "as served", only, stale)
    return pl.DataFrame(rows, schema=ROWS, orient="row")


def _rows(number: int, events: Frames, plan: FreshnessPlan, day: Callable[[float], datetime]):
    """Payments to learn from, to choose the cutoff on, and to mark; the first two with labels."""
    time, payments = pl.col("time"), events["payment"].drop_nulls(("user", "amount"))
    if plan.user_share < 1:
        users = payments["user"].to_numpy()
        payments = payments.filter(pl.Series(uniform("freshness", users) < plan.user_share))
    learnt, until = (day(each) for each in plan.train_days)
    opens, ends = (day(each) for each in plan.mark_days)
    made = day(plan.model_day)
    final = outcomes(
        InMemoryLog(events, made),
        payments.filter(time >= learnt, time < until),
        horizon=timedelta(days=plan.horizon_days),
        at=made,
    ).drop_nulls("label")
    split = learnt + (until - learnt) * (2 / 3)
    past, late = final.filter(time < split), final.filter(time >= split)
    for part in (past, late):
        if min((part["label"] == 1).sum(), (part["label"] == 0).sum()) < 5:
            raise ValueError(
                f"world {number}: fewer than five labels of a kind in a stretch of train_days "
                f"{plan.train_days}, as known on day {plan.model_day}"
            )
    return past, late, payments.filter(time >= opens, time < ends)


class _Views:
    """Some payments with their features at any age; each age is computed once."""

    def __init__(self, rows: pl.DataFrame, features: Sequence[Feature | Ratio], events: Frames):
        self._rows, self._features, self._events = rows, features, events
        self._ages: dict[float, pl.DataFrame] = {}

    def at(self, ages: Mapping[str, float]) -> pl.DataFrame:
        """What a model reads when the features named in `ages` are so many seconds old."""
        columns = [self._as_of(ages.get(each.name, 0.0))[each.name] for each in self._features]
        return add_request_columns(self._rows.with_columns(columns))

    def _as_of(self, seconds: float) -> pl.DataFrame:
        if seconds not in self._ages:
            earlier = pl.col("time") - timedelta(seconds=seconds)
            asked = self._rows.with_columns(earlier)
            self._ages[seconds] = training_frame(asked, self._features, self._events)
        return self._ages[seconds]
