"""Checkouts with what was knowable, what came of them, and, where the world tells, the truth."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from workbench import fraud, metrics
from workbench.events import EventLog
from workbench.features import Feature, Ratio
from workbench.outcomes import outcomes
from workbench.studies.scorecard import Score

__all__ = ["Evidence"]

Metric = Callable[[np.ndarray, np.ndarray], float]

RESAMPLES = 200  # of users, for each interval


@dataclass(frozen=True)
class Evidence:
    """What the log says about checkouts, and how sure.

    Parameters
    ----------
    log : EventLog
    history : sequence of Feature or Ratio
        Looked up for each checkout, as known at its moment.
    horizon : timedelta
        How long a complaint is waited for.
    truth : object or None
        The world's, if it has one.
    rng : numpy.random.Generator
        For the intervals.
    """

    log: EventLog
    history: Sequence[Feature | Ratio]
    horizon: timedelta
    truth: Any
    rng: np.random.Generator

    def asked(self, first: datetime, last: datetime) -> pl.DataFrame:
        """The checkouts of [first, last), by time."""
        rows = self.log.scan("request", start=first, end=last)
        return rows.filter(pl.col("surface") == "checkout").collect().sort("time", "event")

    def decided(self, first: datetime, last: datetime) -> pl.DataFrame:
        """All decisions on them, also those of shadows."""
        rows = self.log.scan("decision", start=first, end=last)
        return rows.filter(pl.col("surface") == "checkout").collect().sort("time", "event")

    def rows(self, first: datetime, last: datetime, *, at: datetime | None = None) -> pl.DataFrame:
        """The checkouts of [first, last) with features, `label` and `stolen`.

        `label` is what was known just before `at` (null: blocked, or too young; without `at`
        everywhere), `stolen` the truth (null where the world has none).
        """
        rows = fraud.frame(self.asked(first, last), self.history, self.log)
        label = pl.DataFrame(schema={"request": rows.schema["request"], "label": pl.Float64})
        if at is not None:
            live = self.decided(first, last).filter("live")
            label = outcomes(self.log, live, horizon=self.horizon, at=at)
        rows = rows.join(
            label.select("request", "label"), on="request", how="left", maintain_order="left"
        )
        return rows.with_columns(stolen=self.stolen(rows))

    def stolen(self, rows: pl.DataFrame) -> pl.Series:
        """1.0 where a thief pays, 0.0 where not; null where the world does not tell."""
        if self.truth is None:
            return pl.Series([None] * len(rows), dtype=pl.Float64)
        return pl.Series(self.truth.is_fraud(rows)).cast(pl.Float64)

    def mark(self, what: str, metric: Metric, rows: pl.DataFrame, scores) -> Score:
        """A metric on the labelled rows, with amount alone as the baseline.

        The truth is the same metric on all rows: also those that were blocked, and those whose
        victim never complained.
        """
        return self.score(what, metric, rows, scores, rows["amount"])

    def gain(self, what: str, metric: Metric, rows: pl.DataFrame, before, after) -> Score:
        """How much more the metric is with `after` than with `before`, on the same rows."""

        def more(labels, one, other):
            return metric(labels, other) - metric(labels, one)

        return self.score(what, more, rows, before, after, baseline=0.0)

    def score(self, what, metric, rows, *columns, baseline: float | None = None) -> Score:
        """`metric(labels, *columns)` on the labelled rows; its interval draws whole users.

        Without a `baseline` the last column is the scores of one. Where fewer than two labels of a
        kind are known nothing is measured: `measured` is None.
        """
        known = rows["label"].is_not_null()
        labels, users = rows["label"].filter(known).to_numpy(), rows["user"].filter(known)
        if min((labels == 1).sum(), (labels == 0).sum()) < 2:
            return Score(what=what, measured=None, baseline=baseline)
        columns = [np.asarray(column) for column in columns]
        seen = [column[known.to_numpy()] for column in columns]
        if baseline is None:  # the last column is the baseline's score
            columns, (*seen, dumb) = columns[:-1], seen
            baseline = metric(labels, dumb)
        found = metrics.interval(
            metric, labels, *seen, rng=self.rng, groups=users.to_numpy(), n=RESAMPLES
        )
        truth = None if self.truth is None else metric(rows["stolen"].to_numpy(), *columns)
        return Score(
            what=what,
            measured=found.estimate,
            low=found.low,
            high=found.high,
            baseline=baseline,
            truth=truth,
        )
