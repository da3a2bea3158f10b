"""One experiment of potential outcomes, day by day: the rows an analyst sees, and the truth.

    potential outcomes ──┬── deal, keep who came ──► user variant time metric   (what was logged)
                         └── both arms of all  ────► lift at the end of each day (what nobody sees)

For the A/B explorer: the true lift stands beside every interval.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import numpy as np
import polars as pl

from workbench.assign import assign

__all__ = ["day_by_day", "true_lifts"]


def day_by_day(
    outcomes: Any, metric: str, shares: Mapping[str, float], *,
    start: datetime, salt: str = "day by day",
) -> pl.DataFrame:  # fmt: skip
    """What is logged of one experiment: a row per user and day with a visit.

    Parameters
    ----------
    outcomes : PotentialOutcomes
        Of a world's truth, with days kept apart.
    metric : str
        One of its metrics.
    shares : mapping of arm to float
    start : datetime
        The moment at which the world began, UTC.

    Returns
    -------
    polars.DataFrame
        `user variant time` and the metric, by time and user; `time` is the beginning of the day.

    Raises
    ------
    ValueError
        If days were not kept, or the metric, an arm or the shares are none.
    """
    arm = assign(outcomes.users, shares, salt=salt)
    visits, values = (np.empty((len(arm), _days(outcomes))) for _ in range(2))
    for name in shares:
        mine = arm == name
        visits[mine] = _of(outcomes, "visits", name)[mine]
        values[mine] = _of(outcomes, metric, name)[mine]
    day, user = np.nonzero((visits > 0).T)
    return pl.DataFrame(
        {
            "user": outcomes.users[user],
            "variant": arm[user],
            "time": outcomes.first_day + day,
            metric: values[user, day],
        }
    ).with_columns(time=pl.lit(start) + pl.duration(days="time"))


def true_lifts(outcomes: Any, metric: str, *, arm: str, baseline: str) -> np.ndarray:
    """True lift at the end of each day, shape (days,): what the experiment estimates.

    Mean of those who came until then if everybody is in `arm`, over the same for `baseline`, less
    1; NaN where nobody had anything.

    Raises ValueError as `day_by_day`.
    """
    means = []
    for name in (arm, baseline):
        total = _of(outcomes, metric, name).sum(axis=0).cumsum()
        came = (np.cumsum(_of(outcomes, "visits", name), axis=1) > 0).sum(axis=0)
        means.append(total / np.maximum(came, 1))
    return np.divide(*means, out=np.full(len(means[0]), np.nan), where=means[1] != 0) - 1


def _of(outcomes: Any, metric: str, arm: str) -> np.ndarray:
    """The metric of each user on each day, shape (users, days)."""
    until = [outcomes.of(metric, arm, look) for look in range(1, _days(outcomes) + 1)]
    return np.diff(until, axis=0, prepend=0.0).T


def _days(outcomes: Any) -> int:
    if not outcomes.by_day:
        raise ValueError("outcomes have no days: ask potential_outcomes for by_day=True")
    return outcomes.days
