"""The effect on those who could feel it, and what that is for all.

everybody ─► triggered (could see a difference) ─► effect on them ─► x share = effect on all
          └► the others: no effect is possible ─► an A/A test of the trigger
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from workbench.experiments.comparison import Comparison, compare
from workbench.experiments.metric import Metric, Ratio, as_metrics, columns_of
from workbench.experiments.sample_ratio import SampleRatio, sample_ratio
from workbench.experiments.statistics import of_users
from workbench.experiments.users import per_user

__all__ = ["Triggered", "triggered"]


@dataclass(frozen=True, slots=True)
class Triggered:
    """A triggered read-out of one metric.

    Parameters
    ----------
    sample_ratio : SampleRatio
        Of the triggered users. A failure means that the treatment moves who is triggered; then
        there is no read-out.
    effect : Comparison or None
        Among the triggered users.
    others : Comparison or None
        Among the others; None if there are none. A real difference means that the trigger misses
        users whom the treatment reached.
    share : float
        Of users who are triggered.
    difference, low, high, lift : float or None
        The effect on the mean of all users, with its interval; lift against all of the control.
    """

    sample_ratio: SampleRatio
    effect: Comparison | None
    others: Comparison | None
    share: float
    difference: float | None
    low: float | None
    high: float | None
    lift: float | None

    @property
    def ok(self) -> bool:
        """Whether the triggered effect may be read: who is triggered, and who else was reached."""
        return self.sample_ratio.ok and (self.others is None or self.others.effect.p_value >= 0.001)

    def __repr__(self) -> str:
        lines = [f"triggered {self.sample_ratio!r}"]
        if self.effect is None:
            return "\n".join([*lines, "no read-out: the treatment moves who is triggered"])
        lines.append(f"on {self.share:.1%} triggered: {_words(self.effect)}")
        if self.others is not None:
            verdict = "as it must be" if self.ok else "THE TRIGGER MISSES USERS"
            lines.append(f"on the others: {_words(self.others)}: {verdict}")
        lift = "" if self.lift is None else f", lift {self.lift:+.2%}"
        interval = f"[{self.low:+.3g}, {self.high:+.3g}]"
        return "\n".join([*lines, f"on all: {self.difference:+.3g} {interval}{lift}"])


def triggered(
    table,
    metric: str | Metric,
    *,
    expected: Mapping[str, float],
    trigger: str = "triggered",
    confidence: float = 0.95,
) -> Triggered:
    """Read out the users for whom the arms differ, and dilute the effect to all users.

    Parameters
    ----------
    table : polars, pandas or Arrow table
        Columns `user`, `variant`, the trigger and what the metric needs. All users who were dealt,
        also those who were not triggered; one or more rows each.
    metric : str, Mean or Proportion
        A sum per user, or a share of users.
    expected : mapping of arm to float
        Planned shares of two arms; the first is the control.
    trigger : str, default "triggered"
        True for users to whom something different would have been shown, in either arm: the
        control must log it too (counterfactual logging). One value per user.
    confidence : float, default 0.95

    Raises
    ------
    ValueError
        If there are not two arms, the metric is a ratio, nobody is triggered, or the trigger is not
        True or False.

    Notes
    -----
    Deng & Hu (2015), "Diluted treatment effect estimation for trigger analysis in online controlled
    experiments", WSDM, section 3. The effect on all is share x effect; the error of the share is
    added by the delta method. A ratio does not dilute so, because its denominator moves.

    Examples
    --------
    >>> users = pl.DataFrame({"user": range(8_000)}).with_columns(
    ...     variant=pl.when(pl.col("user") % 2 == 0).then(pl.lit("old")).otherwise(pl.lit("new")),
    ...     triggered=pl.col("user") % 8 < 2)
    >>> gain = pl.col("triggered") & (pl.col("variant") == "new")
    >>> users = users.with_columns(spent=pl.col("user") % 11 + gain.cast(pl.Int8))
    >>> triggered(users, "spent", expected={"old": 0.5, "new": 0.5})
    triggered users: old 1,000 (50.0%, plan 50.0%), new 1,000 (50.0%, plan 50.0%); p = 1, as dealt
    on 25.0% triggered: difference +0.999 [+0.721, +1.28], p = 2.3e-12
    on the others: difference -0.001 [-0.161, +0.159], p = 0.99: as it must be
    on all: +0.25 [+0.18, +0.32], lift +5.00%
    """
    (metric,) = as_metrics(metric)
    if isinstance(metric, Ratio) or len(expected) != 2:
        raise ValueError(
            "triggered reads a mean or a proportion in two arms, "
            f"got {metric.name!r} in {[*expected]}"
        )
    users = per_user(table, columns_of(metric), segments=[trigger])
    values = users.frame.select(pl.col(trigger).unique()).collect()[trigger]
    if values.dtype != pl.Boolean or values.null_count() or True not in values:
        raise ValueError(f"{trigger!r} must be True or False, and True for some, got {values}")
    found = of_users(users, (metric,), (trigger,))
    control, arm = expected
    at = {
        (name, is_in): found.sample(**{"variant": name, trigger: is_in})
        for name in expected
        for is_in in (True, False)
    }
    counts = {key: 0 if each is None else int(each.users) for key, each in at.items()}
    seen = found.groups["variant"].unique().to_list()
    inside = {name: counts.get((name, True), 0) for name in {**expected, **dict.fromkeys(seen)}}
    ratio = sample_ratio(inside, expected)
    total = sum(counts.values())
    share = sum(inside.values()) / total
    if not ratio.ok:
        return Triggered(ratio, None, None, share, None, None, None, None)
    few = [name for name in expected if inside[name] < 2]
    if few:
        raise ValueError(f"arm {few[0]!r} has fewer than two triggered users: nothing to compare")
    effect = compare(metric, arm, at[control, True], at[arm, True], confidence=confidence)
    others = None
    if min(counts[control, False], counts[arm, False]) > 1:
        others = compare(metric, arm, at[control, False], at[arm, False], confidence=confidence)
    difference, half = _diluted(effect, share, total)
    mean = inside[control] * effect.control.mean
    if others is not None:
        mean += counts[control, False] * others.control.mean
    mean /= inside[control] + counts[control, False]
    lift = difference / mean if mean > 0 else None
    low, high = difference - half, difference + half
    return Triggered(ratio, effect, others, share, difference, low, high, lift)


def _diluted(effect: Comparison, share: float, users: int) -> tuple[float, float]:
    """Effect on all and half of its interval."""
    change = effect.effect
    half = (change.high - change.low) / 2  # so many errors of the effect; the share adds its own
    error = np.hypot(effect.control.error, effect.treatment.error)
    spread = np.sqrt(share * (1 - share) / users) * change.difference
    times = half / error if error > 0 else 0.0
    return share * change.difference, times * float(np.hypot(share * error, spread))


def _words(each: Comparison) -> str:
    effect = each.effect
    interval = f"[{effect.low:+.3g}, {effect.high:+.3g}]"
    return f"difference {effect.difference:+.3g} {interval}, p = {effect.p_value:.2g}"
