"""The read-out of an experiment: sample ratio first, then the effect on each metric."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from workbench.experiments.difference import Difference, Moments, difference_in_means
from workbench.experiments.sample_ratio import SampleRatio, sample_ratio
from workbench.tables import one_frame

__all__ = ["Analysis", "Comparison", "analyse"]


@dataclass(frozen=True, slots=True)
class Comparison:
    """One metric in one arm against the control."""

    metric: str
    arm: str
    control: Moments
    treatment: Moments
    effect: Difference


@dataclass(frozen=True, slots=True)
class Analysis:
    """What an experiment says. Empty `comparisons` mean that it may not be read.

    Parameters
    ----------
    sample_ratio : SampleRatio
        Users per arm against the plan.
    comparisons : tuple of Comparison
        One for each metric and each arm but the control.
    crossed_users : int
        Users seen in more than one arm; they are in none.
    confidence : float
        Coverage of the intervals.
    """

    sample_ratio: SampleRatio
    comparisons: tuple[Comparison, ...]
    crossed_users: int
    confidence: float

    @property
    def table(self) -> pl.DataFrame:
        """The comparisons as a frame, in full precision."""
        return pl.DataFrame(
            [_row(comparison) for comparison in self.comparisons], schema=_SCHEMA, orient="row"
        )

    def __getitem__(self, metric: str) -> Comparison:
        """The first comparison of a metric."""
        for comparison in self.comparisons:
            if comparison.metric == metric:
                return comparison
        raise KeyError(f"no read-out of {metric!r}: {self!r}")

    def __repr__(self) -> str:
        lines = [repr(self.sample_ratio)]
        if self.crossed_users:
            lines.append(f"left out: {self.crossed_users:,} users who were in more than one arm")
        if not self.sample_ratio.ok:
            lines.append("no read-out: users are missing or doubled; find out why, then run again")
            return "\n".join(lines)
        interval = f"{self.confidence:.0%} interval"
        lines.append(
            _line("metric", "arm", "control", "arm's", "difference", interval, "lift", "p")
        )
        lines += [_line(*_short(comparison)) for comparison in self.comparisons]
        if len(self.comparisons) > 1:
            lines.append(f"{len(self.comparisons)} comparisons, none corrected for the others")
        return "\n".join(lines)


def analyse(
    table,
    metrics: Sequence[str],
    *,
    expected: Mapping[str, float],
    confidence: float = 0.95,
) -> Analysis:
    """Read out an experiment: sample ratio, then the difference per user for each metric.

    Parameters
    ----------
    table : polars.DataFrame, pandas.DataFrame or pyarrow.Table
        Columns `user`, `variant` and the metrics; one or more rows for each user, which are
        summed, because users were dealt, not rows. A user without purchases is a row with 0.
    metrics : sequence of str
        Columns of numbers.
    expected : mapping of arm to float
        Planned shares. The first arm is the control.
    confidence : float, default 0.95
        Coverage of each interval.

    Returns
    -------
    Analysis
        Its repr is the report. When the sample ratio fails at 0.001 there are no comparisons.

    Raises
    ------
    ValueError
        If a column is missing, a user or variant is null, a metric holds nulls, NaN, infinities
        or words, an arm was not planned, or an arm has fewer than two users.

    Examples
    --------
    >>> table = pl.DataFrame({"user": range(1_000), "variant": ["old"] * 900 + ["new"] * 100})
    >>> table = table.with_columns(revenue=pl.col("user") % 7 + (pl.col("user") >= 900))
    >>> analyse(table, metrics=["revenue"], expected={"old": 0.9, "new": 0.1})
    users: old 900 (90.0%, plan 90.0%), new 100 (10.0%, plan 10.0%); p = 1, as dealt
    metric         arm        control     arm's difference         95% interval    lift       p
    revenue        new          2.993      4.03      +1.04      [+0.619, +1.45]  +34.6% 2.8e-06
    """
    metrics = [metrics] if isinstance(metrics, str) else list(metrics)
    if not metrics or len({"user", "variant", *metrics}) < len(metrics) + 2:
        raise ValueError(f"metrics must be one or more different columns of numbers, got {metrics}")
    frame = one_frame(table, "table", ["user", "variant", *metrics])
    _check(frame, metrics, expected)
    # sorted: floats added in another order differ in the last digit
    users = (
        frame.group_by("user")
        .agg(
            pl.col("variant").first(),
            pl.col("variant").n_unique().alias("_arms of one user"),
            *(pl.col(metric).sum().cast(pl.Float64) for metric in metrics),
        )
        .sort("user")
    )
    crossed = users.filter(pl.col("_arms of one user") > 1)
    arms = (
        users.filter(pl.col("_arms of one user") == 1)
        .group_by("variant")
        .agg(
            pl.len().alias("_users"),
            *(pl.col(metric).mean().name.suffix("_mean") for metric in metrics),
            *(pl.col(metric).var().name.suffix("_variance") for metric in metrics),
        )
    )
    seen = {row["variant"]: row for row in arms.iter_rows(named=True)}
    ratio = sample_ratio({arm: row["_users"] for arm, row in seen.items()}, expected)
    comparisons = ()
    if ratio.ok:
        control, *treatments = expected
        comparisons = tuple(
            _compare(metric, control, arm, seen, confidence)
            for metric in metrics
            for arm in treatments
        )
    return Analysis(ratio, comparisons, len(crossed), confidence)


def _compare(metric: str, control: str, arm: str, seen: Mapping, confidence: float) -> Comparison:
    few = [name for name in (control, arm) if name not in seen or seen[name]["_users"] < 2]
    if few:
        raise ValueError(f"arm {few[0]!r} has fewer than two users: nothing to compare")
    first, second = (
        Moments(row["_users"], row[f"{metric}_mean"], row[f"{metric}_variance"])
        for row in (seen[control], seen[arm])
    )
    effect = difference_in_means(first, second, confidence=confidence)
    return Comparison(metric, arm, first, second, effect)


def _check(frame: pl.DataFrame, metrics: list[str], expected: Mapping) -> None:
    for name in ("user", "variant", *metrics):
        if frame[name].null_count():
            rule = "" if name in ("user", "variant") else ": 0 if nothing happened"
            raise ValueError(f"{name!r} is null in {frame[name].null_count():,} rows{rule}")
    if not isinstance(expected, Mapping):
        raise ValueError(f'expected must be planned shares, {{"old": 0.9, …}}, got {expected!r}')
    for metric in metrics:
        column = frame[metric]
        if not (column.dtype.is_numeric() or column.dtype == pl.Boolean):
            raise ValueError(f"metric {metric!r} must be numbers, got {column.dtype}")
        if column.dtype.is_float() and not column.is_finite().all():
            raise ValueError(f"metric {metric!r} has NaN or infinite values")


_SCHEMA = {
    "metric": pl.String,
    "arm": pl.String,
    "control_users": pl.Int64,
    "control_mean": pl.Float64,
    "arm_users": pl.Int64,
    "arm_mean": pl.Float64,
    **dict.fromkeys(
        ("difference", "low", "high", "lift", "lift_low", "lift_high", "p_value"), pl.Float64
    ),
}


def _row(comparison: Comparison) -> tuple:
    control, treatment, effect = comparison.control, comparison.treatment, comparison.effect
    means = (control.users, control.mean, treatment.users, treatment.mean)
    interval = (effect.difference, effect.low, effect.high)
    lift = (effect.lift, effect.lift_low, effect.lift_high, effect.p_value)
    return (comparison.metric, str(comparison.arm), *means, *interval, *lift)


def _short(comparison: Comparison) -> tuple[str, ...]:
    effect = comparison.effect
    return (
        comparison.metric,
        str(comparison.arm),
        f"{comparison.control.mean:.4g}",
        f"{comparison.treatment.mean:.4g}",
        f"{effect.difference:+.3g}",
        f"[{effect.low:+.3g}, {effect.high:+.3g}]",
        "-" if effect.lift is None else f"{effect.lift:+.1%}",
        f"{effect.p_value:.2g}",
    )


def _line(metric, arm, control, treatment, difference, interval, lift, p) -> str:
    means = f"{metric:<14} {arm:<8} {control:>9} {treatment:>9}"
    return f"{means} {difference:>10} {interval:>20} {lift:>7} {p:>7}"
