"""One metric in one arm against the control: the numbers, a row of a table, a line of a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from workbench.experiments.corrections import adjust_p_values
from workbench.experiments.cuped import adjust
from workbench.experiments.difference import Difference, Moments, difference_in_means
from workbench.experiments.metric import Metric, Proportion
from workbench.experiments.proportion import difference_in_proportions
from workbench.experiments.statistics import Sample

__all__ = ["Comparison", "compare", "effect_of"]


@dataclass(frozen=True, slots=True)
class Comparison:
    """One metric in one arm against the control.

    Parameters
    ----------
    metric, arm : str
    control, treatment : Moments
        After CUPED, where the metric has covariates.
    effect : Difference
    variance_reduction : float
        Share of the variance of the difference that CUPED took away; 0 without.
    """

    metric: str
    arm: str
    control: Moments
    treatment: Moments
    effect: Difference
    variance_reduction: float = 0.0


def effect_of(
    metric: Metric | None, control: Moments, treatment: Moments, confidence: float
) -> Difference:
    """The test that fits the metric: of proportions, or of means."""
    test = difference_in_proportions if isinstance(metric, Proportion) else difference_in_means
    return test(control, treatment, confidence=confidence)


def compare(
    metric: Metric, arm: str, control: Sample, treatment: Sample, *, confidence: float = 0.95
) -> Comparison:
    """A metric in an arm against the control, adjusted for its covariates.

    >>> import numpy as np
    >>> from workbench.experiments.metric import Mean
    >>> samples = (Sample(("sum|spent",), 100, np.array([m]), np.array([[4.0]])) for m in (5, 6))
    >>> round(compare(Mean("spent"), "new", *samples).effect.p_value, 5)
    0.00051
    """
    both = adjust(control, treatment, metric)
    first, second = (
        Moments(int(each.users), each.mean, each.variance)
        for each in (both.control, both.treatment)
    )
    effect = effect_of(metric, first, second, confidence)
    return Comparison(metric.name, arm, first, second, effect, both.reduction)


_EFFECT = ("difference", "low", "high", "lift", "lift_low", "lift_high", "p_value")
_SCHEMA = {
    "metric": pl.String,
    "arm": pl.String,
    "control_users": pl.Int64,
    "control_mean": pl.Float64,
    "arm_users": pl.Int64,
    "arm_mean": pl.Float64,
    **dict.fromkeys((*_EFFECT, "p_adjusted", "variance_reduction"), pl.Float64),
}


def as_table(comparisons: Sequence[Comparison], correction: str | None) -> pl.DataFrame:
    """Comparisons as a frame, in full precision; `p_adjusted` is null without a correction."""
    adjusted = adjust_p_values([each.effect.p_value for each in comparisons], correction)
    rows = [
        (
            each.metric,
            str(each.arm),
            each.control.users,
            each.control.mean,
            each.treatment.users,
            each.treatment.mean,
            *(getattr(each.effect, name) for name in _EFFECT),
            float(p_value) if correction else None,
            each.variance_reduction,
        )
        for each, p_value in zip(comparisons, adjusted, strict=True)
    ]
    return pl.DataFrame(rows, schema=_SCHEMA, orient="row")


def lines(rows: pl.DataFrame, confidence: float) -> list[str]:
    """The report on a table of comparisons, 91 columns."""
    interval = f"{confidence:.0%} interval"
    made = [_line("metric", "arm", "control", "arm's", "difference", interval, "lift", "p")]
    for row in rows.iter_rows(named=True):
        name = row["metric"]
        if len(name) > 14:  # on a line of its own
            made.append(name)
            name = ""
        made.append(_line(name, row["arm"], *_short(row)))
    return made


def _short(row: Mapping) -> tuple[str, ...]:
    p_value = row["p_value"] if row["p_adjusted"] is None else row["p_adjusted"]
    return (
        f"{row['control_mean']:.4g}",
        f"{row['arm_mean']:.4g}",
        f"{row['difference']:+.3g}",
        f"[{row['low']:+.3g}, {row['high']:+.3g}]",
        "-" if row["lift"] is None else f"{row['lift']:+.1%}",
        f"{p_value:.2g}",
    )


def _line(metric, arm, control, treatment, difference, interval, lift, p) -> str:
    means = f"{metric:<14} {arm:<8} {control:>9} {treatment:>9}"
    return f"{means} {difference:>10} {interval:>20} {lift:>7} {p:>7}"
