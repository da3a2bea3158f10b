"""By segment: where did it work, and may we say so after looking at so many?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from workbench.experiments.comparison import effect_of
from workbench.experiments.corrections import adjust_p_values, holm
from workbench.experiments.cuped import adjust
from workbench.experiments.metric import Metric
from workbench.experiments.sample_ratio import sample_ratio
from workbench.experiments.statistics import Sample, Statistics

__all__ = ["Segments", "heterogeneity", "read_segments"]


@dataclass(frozen=True, slots=True)
class Segments:
    """Effects within each value of some columns, corrected for looking at all of them.

    Parameters
    ----------
    table : pl.DataFrame
        `segment value metric arm control_users arm_users control_mean arm_mean difference low high
        lift lift_low lift_high p_value p_adjusted variance_reduction sample_ratio_p`. Effects are
        null where the segment's sample ratio failed or an arm has fewer than two users there.
    differ : pl.DataFrame
        `segment metric arm p_value p_adjusted`: whether the effect differs between its values.
    correction : str
    confidence : float
    """

    table: pl.DataFrame
    differ: pl.DataFrame
    correction: str
    confidence: float

    def __repr__(self) -> str:
        interval = f"{self.confidence:.0%} interval"
        made = [_line("segment", "metric", "arm", "users", "difference", interval, "lift", "p")]
        for row in self.table.iter_rows(named=True):
            name = f"{row['segment']} {row['value']}"
            users = f"{row['control_users'] + row['arm_users']:,}"
            if row["difference"] is None:
                made.append(f"{name[:14]:<14} no read-out: users are too few, or NOT AS DEALT")
                continue
            made.append(
                _line(
                    name[:14],
                    row["metric"][:13],
                    row["arm"],
                    users,
                    f"{row['difference']:+.3g}",
                    f"[{row['low']:+.3g}, {row['high']:+.3g}]",
                    "-" if row["lift"] is None else f"{row['lift']:+.1%}",
                    f"{row['p_adjusted']:.2g}",
                )
            )
        for row in self.differ.drop_nulls("p_adjusted").iter_rows(named=True):
            verdict = "differ" if row["p_adjusted"] < 1 - self.confidence else "may all be the same"
            effects = f"effects on {row['metric']} by {row['segment']} {verdict}"
            made.append(f"{row['arm']}: {effects} (p = {row['p_adjusted']:.2g})")
        made.append(f"p corrected by {self.correction} for {len(self.table)} comparisons")
        return "\n".join(made)


def read_segments(
    by_segment: Mapping[str, Statistics],
    metrics: Sequence[Metric],
    expected: Mapping[str, float],
    *,
    correction: str = "holm",
    confidence: float = 0.95,
) -> Segments:
    """Effects by segment from the statistics of each.

    `analyse(…, segments=[…])` calls it; the sample ratio is tested in each segment, at 0.001 after
    Holm, because a fault may sit in one browser only.

    Parameters
    ----------
    by_segment : mapping of column to Statistics
        Grouped by arm and that column.
    metrics : sequence of Metric
    expected : mapping of arm to float
        Planned shares. The first arm is the control.
    correction : {"holm", "benjamini_hochberg"}
    confidence : float, default 0.95
        Of each interval, which are not corrected.

    Raises
    ------
    ValueError
        For an unknown correction.

    Examples
    --------
    >>> from workbench.experiments.metric import as_metrics
    >>> from workbench.experiments.statistics import statistics
    >>> table = pl.DataFrame({"user": range(4_000)}).with_columns(
    ...     variant=pl.when(pl.col("user") % 2 == 0).then(pl.lit("old")).otherwise(pl.lit("new")),
    ...     device=pl.when(pl.col("user") % 8 < 4).then(pl.lit("app")).otherwise(pl.lit("web")))
    >>> gain = (pl.col("variant") == "new") & (pl.col("device") == "app")
    >>> table = table.with_columns(spent=pl.col("user") % 7 + gain.cast(pl.Int8))
    >>> read = statistics(table, "spent", segments=["device"])
    >>> read_segments({"device": read}, as_metrics("spent"), {"old": 0.5, "new": 0.5})
    segment        metric        arm      users difference         95% interval   lift       p
    device app     spent         new      2,000      +1.01      [+0.831, +1.18] +33.6%   3e-28
    device web     spent         new      2,000     -0.008     [-0.184, +0.168]  -0.3%    0.93
    new: effects on spent by device differ (p = 1.1e-15)
    p corrected by holm for 2 comparisons
    """
    control, *arms = expected
    rows, differ, ratios = [], [], []
    for segment, found in by_segment.items():
        values = found.groups[segment].unique().sort()
        samples = {arm: _aligned(found, segment, values, arm) for arm in expected}
        ratios += [
            sample_ratio({a: int(s.users[at]) for a, s in samples.items()}, expected).p_value
            for at in range(len(values))
        ]
        for metric in metrics:
            for arm in arms:
                both = adjust(samples[control], samples[arm], metric)
                effect = effect_of(metric, both.control, both.treatment, confidence)
                differ.append((segment, metric.name, str(arm), heterogeneity(*_both(both))))
                rows.append(_rows(segment, values, metric, arm, both, effect))
    table = pl.concat(rows)
    keys = table.select("segment", "value").unique(maintain_order=True)
    keys = keys.with_columns(sample_ratio_p=pl.Series(holm(ratios)))
    table = table.join(keys, on=["segment", "value"], how="left", nulls_equal=True)
    blocked = pl.col("sample_ratio_p") < 0.001
    table = table.with_columns(
        pl.when(~blocked).then(pl.col(_EFFECT)).name.keep(),
    )
    adjusted = adjust_p_values(table["p_value"].fill_null(np.nan).to_numpy(), correction)
    table = table.with_columns(pl.Series("p_adjusted", adjusted).fill_nan(None))
    differ = pl.DataFrame(differ, schema=["segment", "metric", "arm", "p_value"], orient="row")
    corrected = adjust_p_values(differ["p_value"].to_numpy(), correction)
    differ = differ.with_columns(p_adjusted=pl.Series(corrected)).fill_nan(None)
    return Segments(table, differ, correction, confidence)


def heterogeneity(difference: np.ndarray, variance: np.ndarray) -> float:
    """p value that effects, with these variances of their errors, are all one; NaN below two.

    Cochran (1954), "The combination of estimates from different experiments", Biometrics 10.

    >>> round(heterogeneity(np.array([1.0, 3.0]), np.array([1.0, 1.0])), 4)
    0.1573
    """
    from scipy.stats import chi2

    known = np.isfinite(difference) & (variance > 0)
    if known.sum() < 2:
        return float("nan")
    difference, weight = difference[known], 1 / variance[known]
    mean = (weight * difference).sum() / weight.sum()
    return float(chi2.sf((weight * (difference - mean) ** 2).sum(), known.sum() - 1))


_EFFECT = ["difference", "low", "high", "lift", "lift_low", "lift_high", "p_value"]


def _both(adjusted) -> tuple[np.ndarray, np.ndarray]:
    first, second = adjusted.control, adjusted.treatment
    return second.mean - first.mean, first.error**2 + second.error**2


def _rows(segment, values, metric, arm, both, effect) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "segment": [segment] * len(values),
            "value": values.cast(pl.String),
            "metric": [metric.name] * len(values),
            "arm": [str(arm)] * len(values),
            "control_users": both.control.users.astype(int),
            "arm_users": both.treatment.users.astype(int),
            "control_mean": both.control.mean,
            "arm_mean": both.treatment.mean,
            **{name: getattr(effect, name) for name in _EFFECT},
            "variance_reduction": both.reduction,
        }
    ).fill_nan(None)


def _aligned(found: Statistics, segment: str, values: pl.Series, arm) -> Sample:
    """The samples of an arm, one for each value of the segment; nobody where there is none."""
    each = [found.sample(**{"variant": arm, segment: value}) for value in values]
    size = len(found.samples.columns)
    users = np.array([0 if sample is None else sample.users for sample in each])
    nothing = np.full(size, np.nan), np.full((size, size), np.nan)
    means = [nothing[0] if sample is None else sample.means for sample in each]
    covariance = [nothing[1] if sample is None else sample.covariance for sample in each]
    return Sample(found.samples.columns, users, np.stack(means), np.stack(covariance))


def _line(segment, metric, arm, users, difference, interval, lift, p) -> str:
    who = f"{segment:<14} {metric:<13} {arm:<6} {users:>7}"
    return f"{who} {difference:>10} {interval:>20} {lift:>6} {p:>7}"
