"""The read-out over time: what each look says, and which adjustment makes looking safe.

    rows of users with times ─► running_moments ─► looks ─► at each look: difference,
    or n, mean and variance of each look ───────────┘       interval as if it were the only look,
                                                            adjusted interval, p, what to do

An adjustment is chosen before the first look:

- ``fixed``: read once, when the planned users are in. Until then the answer is "wait".
- ``group_sequential``: looks at any times, alpha shared out over them (`boundaries`).
- ``always_valid``: no plan needed; the interval holds at all times at once, and is wider.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Real

import numpy as np
import polars as pl

from workbench.experiments.boundaries import group_sequential, msprt, repeated_p_value
from workbench.experiments.difference import Moments, difference_in_means
from workbench.tables import one_frame

__all__ = ["ADJUSTMENTS", "Looks", "looks"]

ADJUSTMENTS = ("fixed", "group_sequential", "always_valid")
_SHOWN = 12  # looks of a report
_MOMENTS = ("look", "variant", "users", "mean", "variance")


@dataclass(frozen=True, slots=True)
class Looks:
    """What was seen at each look; its repr is the report.

    Parameters
    ----------
    table : polars.DataFrame
        A row per look: `look control_users arm_users difference low high p_value` as if it were
        the only one, `adjusted_low adjusted_high adjusted_p_value information adjustment decision`.
    metric, arm, adjustment : str
    planned_users : int
        Of both arms, in the end.
    confidence : float
        Of the intervals; the adjusted ones hold at all looks together.
    """

    table: pl.DataFrame
    metric: str
    arm: str
    adjustment: str
    planned_users: int
    confidence: float

    @property
    def stopped(self) -> dict | None:
        """The row of the look at which the experiment could end, or None."""
        ended = self.table.filter(~pl.col("decision").is_in(["wait", "go on"]))
        return ended.row(0, named=True) if len(ended) else None

    @property
    def verdict(self) -> str:
        """What to do now, in a few words."""
        ended = self.stopped
        if ended is None:
            return f"{self.table['decision'][-1]} ({self.adjustment}): nothing may be claimed yet"
        return f"{ended['decision']} at look {ended['look']} ({self.adjustment})"

    def __repr__(self) -> str:
        head = f"{self.metric}, {self.arm}; adjustment: {self.adjustment}, {self.confidence:.0%}"
        columns = f"{'look':<17}{'users':>9}{'difference':>11}{'as if only look':>19}"
        lines = [head, f"{columns}{'adjusted':>20}{'p':>7}"]
        every = max(math.ceil(len(self.table) / _SHOWN), 1)
        for number, row in enumerate(self.table.iter_rows(named=True)):
            if number % every == 0 or number == len(self.table) - 1:
                lines.append(_line(row))
        return "\n".join([*lines, self.verdict])


def looks(
    moments,
    *,
    control: str,
    planned_users: int,
    adjustment: str,
    arm: str | None = None,
    metric: str = "metric",
    confidence: float = 0.95,
    spend: str = "obrien_fleming",
) -> Looks:
    """Read an experiment at each look, with an adjustment that was chosen beforehand.

    Parameters
    ----------
    moments : table
        From `running_moments`, or given: `look variant users mean variance`. Looks at which an arm
        has fewer than two users are left out.
    control : str
    planned_users : int
        Of both arms, in the end: the plan of "fixed" and "group_sequential", and where
        "always_valid" is narrowest.
    adjustment : {"fixed", "group_sequential", "always_valid"}
    arm : str, optional
        Which arm, if there are more than two.
    metric : str
        Its name, for the report.
    spend : {"obrien_fleming", "pocock"}
        Of "group_sequential".

    Raises
    ------
    ValueError
        If a column or arm is missing, looks repeat or lose users, or no look can be read.

    Examples
    --------
    >>> rows = [(day, arm, 500 * day, 10.0 + 0.3 * day * (arm == "new"), 9.0)
    ...         for day in (1, 2) for arm in ("old", "new")]
    >>> frame = pl.DataFrame(rows, ["look", "variant", "users", "mean", "variance"], orient="row")
    >>> looks(frame, control="old", planned_users=4_000, adjustment="group_sequential")
    metric, new; adjustment: group_sequential, 95%
    look                 users difference    as if only look            adjusted      p
    1                    1,000       +0.3    [-0.0723, +0.672]     [-0.522, +1.12]   0.68
    2                    2,000       +0.6     [+0.337, +0.863]    [+0.202, +0.998] 0.0022
    stop: better at look 2 (group_sequential)
    """
    if adjustment not in ADJUSTMENTS:
        raise ValueError(f"adjustment must be one of {ADJUSTMENTS}, got {adjustment!r}")
    if not isinstance(planned_users, Real) or not 0 < planned_users < math.inf:
        raise ValueError(f"planned_users must be a number above zero, got {planned_users!r}")
    frame = one_frame(moments, "moments", list(_MOMENTS)).select(_MOMENTS)
    for name in _MOMENTS[2:]:
        if not frame[name].dtype.is_numeric():
            raise ValueError(f"{name!r} must be numbers, got {frame[name].dtype}")
    arm = _other_arm(frame, control, arm)
    pairs = _paired(frame, control, arm)
    first, second = (
        Moments(*(pairs[f"{name}_{which}"].to_numpy() for name in ("users", "mean", "variance")))
        for which in ("control", "arm")
    )
    naive = difference_in_means(first, second, confidence=confidence)
    users = first.users + second.users
    variance = first.variance / first.users + second.variance / second.users
    information = np.minimum(users / planned_users, 1.0)
    alpha = 1 - confidence
    adjusted = _ADJUSTED[adjustment](naive, variance, users, planned_users, alpha, spend)
    table = pairs.select(
        "look", control_users="users_control", arm_users="users_arm",
        difference=pl.Series(np.asarray(naive.difference, float)),
        low=pl.Series(np.asarray(naive.low, float)), high=pl.Series(np.asarray(naive.high, float)),
        p_value=pl.Series(np.asarray(naive.p_value, float)),
        adjusted_low=pl.Series(naive.difference - adjusted[0]),
        adjusted_high=pl.Series(naive.difference + adjusted[0]),
        adjusted_p_value=pl.Series(adjusted[1]),
        information=pl.Series(information),
        adjustment=pl.lit(adjustment),
    )  # fmt: skip
    decisions = _decisions(table, adjustment)
    table = table.with_columns(decision=pl.Series(decisions, dtype=pl.String))
    return Looks(table, metric, arm, adjustment, int(planned_users), confidence)


def _fixed(naive, variance, users, planned, alpha, spend):
    """The naive interval, which may be read at the planned end alone."""
    half = (naive.high - naive.low) / 2
    return half, np.asarray(naive.p_value, float)


def _group_sequential(naive, variance, users, planned, alpha, spend):
    """Repeated confidence intervals, until the planned users are in; the last bound after that."""
    share = np.minimum(users / planned, 1.0)
    kept = np.append(np.diff(share) > 0, True) if len(share) > 1 else np.array([True])
    over = np.flatnonzero(share >= 1)
    kept[over[:1]], kept[over[1:]] = True, False  # the first full look spends the rest
    z = np.divide(naive.difference, np.sqrt(variance), where=variance > 0,
                  out=np.where(naive.difference == 0, 0.0, np.inf))  # fmt: skip
    bounds, p_value = np.full(len(share), np.inf), np.ones(len(share))
    bounds[kept] = group_sequential(share[kept], alpha, spend)
    p_value[kept] = repeated_p_value(z[kept], share[kept], spend)
    if len(over):
        bounds[over], p_value[over] = bounds[over[0]], p_value[over[0]]
    return bounds * np.sqrt(variance), p_value


def _always_valid(naive, variance, users, planned, alpha, spend):
    """The confidence sequence tuned at the planned users, and the running p-value."""
    wide = -2 * math.log(alpha)
    grown = users * (wide + math.log(wide) + 1) / planned  # as in `confidence_sequence`
    tau = np.sqrt(np.where(variance > 0, grown * variance, 1.0))
    half, p_value = msprt(naive.difference, variance, tau=tau, alpha=alpha)
    return half, np.minimum.accumulate(p_value)


_ADJUSTED = dict(zip(ADJUSTMENTS, (_fixed, _group_sequential, _always_valid), strict=True))


def _decisions(table: pl.DataFrame, adjustment: str) -> list[str]:
    """Per look: wait, go on, stop: better or worse, end: no difference shown; then as ended."""
    decisions, ended = [], None
    for row in table.iter_rows(named=True):
        full = row["information"] >= 1
        if ended is None and (adjustment != "fixed" or full):
            if row["adjusted_low"] > 0:
                ended = "stop: better"
            elif row["adjusted_high"] < 0:
                ended = "stop: worse"
            elif full and adjustment != "always_valid":
                ended = "end: no difference shown"
        decisions.append(ended or ("wait" if adjustment == "fixed" else "go on"))
    return decisions


def _paired(frame: pl.DataFrame, control: str, arm: str) -> pl.DataFrame:
    sides = [frame.filter(pl.col("variant") == each).drop("variant") for each in (control, arm)]
    for name, side in zip((control, arm), sides, strict=True):
        if side["look"].has_nulls() or side["look"].is_duplicated().any():
            raise ValueError(f"arm {name!r} has a look twice, or without a name")
    first = sides[0].rename({name: f"{name}_control" for name in _MOMENTS[2:]})
    second = sides[1].rename({name: f"{name}_arm" for name in _MOMENTS[2:]})
    pairs = first.join(second, on="look").sort("look")
    enough = (pl.col("users_control") > 1) & (pl.col("users_arm") > 1)
    pairs = pairs.filter(enough)
    if not len(pairs):
        raise ValueError(f"no look has two users in each of {control!r} and {arm!r}")
    numbers = pairs.select(pl.exclude("look").cast(pl.Float64)).to_numpy()
    if not np.isfinite(numbers).all():
        raise ValueError("users, mean and variance must be finite numbers at every look")
    if (np.diff(pairs["users_control"] + pairs["users_arm"]) < 0).any():
        raise ValueError("users must not become fewer from look to look: moments are cumulative")
    return pairs


def _other_arm(frame: pl.DataFrame, control: str, arm: str | None) -> str:
    arms = frame["variant"].unique(maintain_order=True).to_list()
    if control not in arms:
        raise ValueError(f"control {control!r} is none of the arms {arms}")
    others = [each for each in arms if each != control]
    if arm is None and len(others) == 1:
        return others[0]
    if arm not in others:
        raise ValueError(f"arm must be one of {others}, got {arm!r}")
    return arm


def _line(row) -> str:
    look = f"{row['look']:%Y-%m-%d %H:%M}" if hasattr(row["look"], "strftime") else row["look"]
    users = row["control_users"] + row["arm_users"]
    naive = f"[{row['low']:+.3g}, {row['high']:+.3g}]"
    adjusted = f"[{row['adjusted_low']:+.3g}, {row['adjusted_high']:+.3g}]"
    line = f"{look!s:<17}{users:>9,}{row['difference']:>+11.3g}{naive:>21}{adjusted:>20}"
    return f"{line}{row['adjusted_p_value']:>7.2g}"
