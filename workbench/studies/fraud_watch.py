"""What a watch sees of a shock that nobody announced, and how often it cries wolf."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import polars as pl

from workbench import metrics, monitoring
from workbench.monitoring import Watch
from workbench.studies.scorecard import Score

__all__ = ["auc_watch", "drift_watch", "watch_scores"]

FALSE_ALARM_RATE = 0.05


def drift_watch(
    rows: pl.DataFrame, split: datetime, watched: Sequence[Sequence[str]]
) -> dict[str, Watch]:
    """A watch for each set of columns: normal days before `split`, live days from then on."""
    normal, live = rows.filter(pl.col("time") < split), rows.filter(pl.col("time") >= split)
    return {
        columns[0] if len(columns) == 1 else f"{len(columns)} columns": monitoring.drift(
            normal, live, columns=list(columns), false_alarm_rate=FALSE_ALARM_RATE
        )
        for columns in watched
    }


def auc_watch(rows: pl.DataFrame, split: datetime, *, since: datetime) -> dict[str, Watch]:
    """A watch of the AUC by day; `since` leaves out the days that the model was trained on.

    Only days whose labels are final are watched: young ones know just their frauds. None where no
    such day is live yet, or too few normal days have two frauds to learn from.
    """
    final = pl.col("label").is_not_null()
    days = rows.filter(pl.col("time") >= since).with_columns(day=pl.col("time").dt.date())
    days = days.filter(final.sum().over("day") > 0.5 * pl.len().over("day"))
    normal, live = days.filter(pl.col("time") < split), days.filter(pl.col("time") >= split)
    both = [pl.col("label").eq(value).sum().over("day") >= 2 for value in (0, 1)]
    enough = normal.filter(*both)["day"].n_unique() >= 1 / FALSE_ALARM_RATE - 1
    if live.is_empty() or not enough:
        return {}
    return {"AUC": monitoring.performance(normal, live, false_alarm_rate=FALSE_ALARM_RATE)}


def watch_scores(
    name: str, watch: Watch, start: datetime, shocks: Sequence[datetime] | None
) -> list[Score]:
    """Two lines: the share of days on which it alarmed, and the day of the first alarm.

    The baseline is the share of normal days with an alarm; the truth the share of days after a
    shock, and the day of the first one. Without `shocks` nobody knows.
    """
    days, alarms = watch.days["day"], int(watch.days["alarm"].sum())
    share = metrics.share_interval(alarms, len(days))
    shocked = None if shocks is None else [day for day in days if _after_one(day, shocks)]
    first = watch.first_alarm
    return [
        Score(
            what=f"days alarmed, {name}",
            measured=share.estimate,
            low=share.low,
            high=share.high,
            baseline=watch.false_alarm_rate,
            truth=None if shocked is None else len(shocked) / len(days),
        ),
        Score(
            what=f"first alarm, {name}",
            measured=None if first is None else _number(first, start),
            truth=None if not shocked else _number(shocks[0].date(), start),
        ),
    ]


def _after_one(day, shocks: Sequence[datetime]) -> bool:
    return any(shock.date() <= day for shock in shocks)


def _number(day, start: datetime) -> float:
    return (day - start.date()) / timedelta(days=1)
