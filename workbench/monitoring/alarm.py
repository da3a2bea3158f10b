"""When is a day unusual? A rule that says how often it is wrong."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl

from workbench.tables import one_frame

__all__ = ["Watch", "by_day", "judge"]


@dataclass(frozen=True)
class Watch:
    """What the watch saw, day by day. Its repr is the report.

    Parameters
    ----------
    what : str
        What is watched.
    days : polars.DataFrame
        One row per live day: `day`, `rows`, what was measured, `p_value`, `alarm`.
    detail : polars.DataFrame
        The measurements behind it, also of the reference days.
    false_alarm_rate : float
        Share of normal days that raise an alarm all the same.
    reference_days : int
        How many normal days the rule was learnt from.
    """

    what: str
    days: pl.DataFrame
    detail: pl.DataFrame
    false_alarm_rate: float
    reference_days: int

    @property
    def first_alarm(self) -> date | None:
        """The first day with an alarm."""
        alarms = self.days.filter("alarm")["day"]
        return alarms[0] if len(alarms) else None

    def __repr__(self) -> str:
        alarms = int(self.days["alarm"].sum())
        lines = [
            f"{self.what}: {alarms} alarms in {len(self.days)} days, "
            f"{self.false_alarm_rate * len(self.days):.2g} to expect of normal days "
            f"(learnt from {self.reference_days})"
        ]
        for row in self.days.filter("alarm").head(5).iter_rows(named=True):
            seen = ", ".join(
                f"{name} {_short(value)}"
                for name, value in row.items()
                if name not in ("day", "alarm", "rows")
            )
            lines.append(f"  {row['day']}  {seen}")
        if alarms > 5:
            lines.append(f"  and {alarms - 5} more")
        return "\n".join(lines)


def judge(normal: np.ndarray, live: np.ndarray, false_alarm_rate: float) -> np.ndarray:
    """P-value of each live day: the share of days at least as unusual, itself counted; (m,).

    Parameters
    ----------
    normal : ndarray, shape (n,)
        How unusual each reference day is; higher is more.
    live : ndarray, shape (m,)
        The same for the live days. NaN (not measured) gives NaN.
    false_alarm_rate : float
        An alarm is a p-value up to this.

    Raises
    ------
    ValueError
        If the rate is not in (0, 1), or there are too few reference days for it.

    Notes
    -----
    If a live day is a day like the others, each place among all n + 1 is equally likely, so
    P(p <= a) <= a whatever the distribution (conformal p-value: Vovk et al. 2005, "Algorithmic
    Learning in a Random World", section 2.2). It cannot be below 1 / (n + 1).

    Examples
    --------
    >>> judge(np.arange(19.0), np.array([3.5, 50.0]), 0.05).tolist()
    [0.8, 0.05]
    """
    if not 0 < false_alarm_rate < 1:
        raise ValueError(f"false_alarm_rate must be in (0, 1), got {false_alarm_rate}")
    normal = np.sort(normal[~np.isnan(normal)])
    needed = math.ceil(1 / false_alarm_rate - 1 - 1e-9)
    if len(normal) < needed:
        raise ValueError(
            f"one false alarm in {1 / false_alarm_rate:g} days can only be promised from "
            f"{needed} reference days, got {len(normal)}"
        )
    at_least = len(normal) - np.searchsorted(normal, live, side="left")
    return np.where(np.isnan(live), np.nan, (1 + at_least) / (len(normal) + 1))


def by_day(table, name: str, columns: list[str]) -> dict[date, pl.DataFrame]:
    """The rows of each UTC day, days ascending; checked."""
    frame = one_frame(table, name, ["time", *columns])
    clock = frame.schema["time"]
    if clock != pl.Datetime or clock.time_zone is None:
        raise ValueError(f"time of {name} must have a time zone, got {clock}: rename gives it one")
    if frame.is_empty():
        raise ValueError(f"{name} has no rows")
    if frame["time"].null_count():
        raise ValueError(f"time of {name} is null in {frame['time'].null_count():,} rows")
    day = pl.col("time").dt.convert_time_zone("UTC").dt.date()
    parts = frame.select(day.alias("day"), *columns).partition_by("day", as_dict=True)
    return {key[0]: parts[key].drop("day") for key in sorted(parts)}


def _short(value) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
