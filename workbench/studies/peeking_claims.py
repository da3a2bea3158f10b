"""How often would peeking have claimed a winner? Counted on many experiments, looked at day by day.

    readings of all comparisons ─► at each look four procedures ─► claimed at any look, at the end,
                                                                   claimed and then taken back

On real experiments nobody knows the truth. What can be counted is how often a claim that a daily
peek would have made is no longer there when everybody is in.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from workbench.experiments.boundaries import confidence_sequence, group_sequential
from workbench.experiments.difference import Moments, difference_in_means

__all__ = ["PeekingClaims", "peeking_claims", "with_p_values"]

_COMPARISON = ["experiment", "arm", "metric"]
_NUMBERS = [
    f"{what}_{side}" for what in ("users", "mean", "variance") for side in ("control", "arm")
]
_PROCEDURES = ("fixed", "daily_peek", "group_sequential", "always_valid")


@dataclass(frozen=True, slots=True)
class PeekingClaims:
    """A row per comparison: `experiment arm metric looks users`, whether each procedure claims.

    `taken_back`: a daily peek would have claimed an effect which the end does not show, or shows
    with the other sign.
    """

    table: pl.DataFrame
    alpha: float

    def __repr__(self) -> str:
        lines = [
            f"{len(self.table):,} comparisons of {self.table['experiment'].n_unique():,} "
            f"experiments, median {self.table['looks'].median():.0f} looks, alpha {self.alpha:.3g}"
        ]
        for name in (*_PROCEDURES, "taken_back"):
            count = self.table[name].sum()
            lines.append(f"{name:<17}{count:>6,}{count / len(self.table):>8.1%}")
        return "\n".join(lines)


def peeking_claims(readings: pl.DataFrame, *, alpha: float = 0.05) -> PeekingClaims:
    """Run four procedures over the looks of each comparison.

    Parameters
    ----------
    readings : polars.DataFrame
        `experiment arm metric day` and `users mean variance`, each `_control` and `_arm`:
        cumulative, as `workbench.data.asos.readings` gives them.
    alpha : float
        Of each procedure; not corrected for the number of comparisons.

    Notes
    -----
    The planned users of "group_sequential" and "always_valid" are those who came in the end: a plan
    made in hindsight, which is kind to both. Comparisons share controls and users: counts of
    different metrics are not independent.

    Raises
    ------
    ValueError
        If a column is missing, there are no rows, or users become fewer.

    Examples
    --------
    >>> rows = pl.DataFrame({"experiment": "a", "arm": 1, "metric": 1, "day": [1, 2],
    ...     "users_control": [100, 400], "users_arm": [100, 400], "mean_control": 1.0,
    ...     "mean_arm": [1.4, 1.05], "variance_control": 1.0, "variance_arm": 1.0})
    >>> found = peeking_claims(rows).table
    >>> found.select("fixed", "daily_peek", "taken_back").row(0)
    (False, True, True)
    """
    _check(readings)
    if not 0 < alpha < 1:
        raise ValueError(f"alpha must be in (0, 1), got {alpha}")
    ordered = readings.sort(*_COMPARISON, "day")
    rows = [
        {**dict(zip(_COMPARISON, key, strict=True)), **_claims(frame, alpha)}
        for key, frame in ordered.group_by(_COMPARISON, maintain_order=True)
    ]
    return PeekingClaims(pl.DataFrame(rows), alpha)


def with_p_values(readings: pl.DataFrame) -> pl.DataFrame:
    """The readings with `difference` and `p_value`, each as if it were the only look.

    Raises
    ------
    ValueError
        If a column is missing or there are no rows.

    Examples
    --------
    >>> rows = pl.DataFrame({"experiment": "a", "arm": 1, "metric": 1, "day": 1,
    ...     "users_control": [100], "users_arm": [100], "mean_control": 1.0,
    ...     "mean_arm": [1.4], "variance_control": 1.0, "variance_arm": 1.0})
    >>> with_p_values(rows).select(pl.col("difference", "p_value").round(4)).row(0)
    (0.4, 0.0052)
    """
    _check(readings)
    found = difference_in_means(*_moments(readings))
    return readings.with_columns(
        difference=pl.Series(np.asarray(found.difference, float)),
        p_value=pl.Series(np.asarray(found.p_value, float)),
    )


def _check(readings: pl.DataFrame) -> None:
    missing = [name for name in (*_COMPARISON, "day", *_NUMBERS) if name not in readings.columns]
    if missing:
        raise ValueError(f"readings need a column {missing[0]!r}, got {readings.columns}")
    if not len(readings):
        raise ValueError("readings have no rows")


def _moments(frame: pl.DataFrame) -> tuple[Moments, Moments]:
    """Control and arm, an element per reading."""
    return tuple(
        Moments(*(frame[f"{what}_{side}"].to_numpy() for what in ("users", "mean", "variance")))
        for side in ("control", "arm")
    )


def _claims(frame: pl.DataFrame, alpha: float) -> dict:
    """The four procedures on one comparison, looks in order."""
    control, arm = _moments(frame)
    users = control.users + arm.users
    if (np.diff(users) < 0).any():
        raise ValueError(f"users become fewer in experiment {frame['experiment'][0]!r}")
    found = difference_in_means(control, arm, confidence=1 - alpha)
    variance = control.variance / control.users + arm.variance / arm.users
    far, error = np.abs(found.difference), np.sqrt(variance)
    new = np.diff(users, append=users[-1] + 1) > 0  # of looks without news, the last
    bounds = np.full(len(users), np.inf)
    bounds[new] = group_sequential(users[new] / users[-1], alpha)
    peeked = found.p_value < alpha
    sign = np.sign(found.difference)
    first = int(np.argmax(peeked))
    return {
        "looks": len(users),
        "users": int(users[-1]),
        "fixed": bool(peeked[-1]),
        "daily_peek": bool(peeked.any()),
        "group_sequential": bool((far > bounds * error).any()),
        "always_valid": bool(
            (far > confidence_sequence(users, variance, tuned_at=users[-1], alpha=alpha)).any()
        ),
        "taken_back": bool(peeked.any() and not (peeked[-1] and sign[-1] == sign[first])),
    }
