"""The read-out of an experiment: sample ratio first, then the effect on each metric."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from workbench.experiments.comparison import Comparison, as_table, compare, effect_of, lines
from workbench.experiments.corrections import adjust_p_values
from workbench.experiments.difference import Moments
from workbench.experiments.metric import Metric, Proportion, as_metrics, columns_of
from workbench.experiments.sample_ratio import SampleRatio, sample_ratio
from workbench.experiments.segments import Segments, read_segments
from workbench.experiments.statistics import of_users
from workbench.experiments.users import per_user

__all__ = ["Analysis", "Comparison", "analyse", "compare_moments"]


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
    correction : str, optional
        Of the p values for the number of comparisons.
    segments : Segments, optional
        The same by segment.
    """

    sample_ratio: SampleRatio
    comparisons: tuple[Comparison, ...]
    crossed_users: int
    confidence: float
    correction: str | None = None
    segments: Segments | None = None

    @property
    def table(self) -> pl.DataFrame:
        """The comparisons as a frame, in full precision."""
        return as_table(self.comparisons, self.correction)

    def __getitem__(self, metric: str) -> Comparison:
        """The first comparison of a metric."""
        for comparison in self.comparisons:
            if comparison.metric == metric:
                return comparison
        raise KeyError(f"no read-out of {metric!r}: {self!r}")

    def __repr__(self) -> str:
        made = [repr(self.sample_ratio)]
        if self.crossed_users:
            made.append(f"left out: {self.crossed_users:,} users who were in more than one arm")
        if not self.sample_ratio.ok:
            made.append("no read-out: users are missing or doubled; find out why, then run again")
            return "\n".join(made)
        made += lines(self.table, self.confidence)
        if len(self.comparisons) > 1:
            how = f"p corrected by {self.correction}" if self.correction else "none corrected for"
            how += "" if self.correction else " the others"
            made.append(f"{len(self.comparisons)} comparisons, {how}")
        if self.segments is not None:
            made.append(repr(self.segments))
        return "\n".join(made)


def analyse(
    table,
    metrics: str | Metric | Sequence[str | Metric],
    *,
    expected: Mapping[str, float],
    segments: str | Sequence[str] = (),
    correction: str | None = None,
    confidence: float = 0.95,
    one_row_per: str | None = None,
) -> Analysis:
    """Read out an experiment: sample ratio, then the difference per user for each metric.

    Parameters
    ----------
    table : polars, pandas or Arrow table, or polars.LazyFrame
        Columns `user`, `variant` and the metrics; one or more rows for each user, which are
        summed, because users were dealt, not rows. A user without purchases is a row with 0. A
        LazyFrame, such as `log.scan(kind)`, stays in the lake.
    metrics : sequence of str, Mean, Proportion or Ratio
        Columns of numbers; a name is a `Mean`.
    expected : mapping of arm to float
        Planned shares. The first arm is the control.
    segments : sequence of str
        Columns with one value per user: the effects also within each value of each, corrected
        for looking at all of them (by Holm, unless `correction` says otherwise).
    correction : {None, "holm", "benjamini_hochberg"}
        Of the p values of all metrics and arms. Intervals are not corrected.
    confidence : float, default 0.95
        Coverage of each interval.
    one_row_per : {None, "user"}
        "user" declares that no user has two rows, which spares looking for them: users in more
        than one arm are then not found. Tables whose users increase need no declaration.

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
    metrics, segments = as_metrics(metrics), _segments(segments)
    _check(expected, correction)
    columns = [column for metric in metrics for column in columns_of(metric)]
    users = per_user(table, columns, segments=segments, one_row_per=one_row_per)
    found = of_users(users, metrics, ())
    counts = dict(zip(found.groups["variant"], found.samples.users.tolist(), strict=True))
    ratio = sample_ratio(counts, expected)
    comparisons, read = (), None
    if ratio.ok:
        control, *treatments = expected
        few = [arm for arm in expected if counts.get(arm, 0) < 2]
        if few:
            raise ValueError(f"arm {few[0]!r} has fewer than two users: nothing to compare")
        first = found.sample(variant=control)
        comparisons = tuple(
            compare(metric, arm, first, found.sample(variant=arm), confidence=confidence)
            for metric in metrics
            for arm in treatments
        )
        if segments:
            by_segment = {name: of_users(users, metrics, (name,)) for name in segments}
            how = correction or "holm"
            read = read_segments(
                by_segment, metrics, expected, correction=how, confidence=confidence
            )
    return Analysis(ratio, comparisons, found.crossed, confidence, correction, read)


def compare_moments(
    arms: Mapping[str, Moments] | Mapping[str, Mapping[str, Moments]],
    *,
    expected: Mapping[str, float],
    correction: str | None = None,
    confidence: float = 0.95,
    proportions: Sequence[str] = (),
) -> Analysis:
    """Read out an experiment of which only n, mean and variance per arm are known.

    Parameters
    ----------
    arms : mapping of arm to Moments, or of metric to such a mapping
        One number for each field. The users of the first metric are tested against the plan.
    expected : mapping of arm to float
        Planned shares. The first arm is the control.
    correction, confidence
        As in `analyse`.
    proportions : sequence of str
        Metrics that are shares of users.

    Raises
    ------
    ValueError
        If an arm was not planned or is missing, or moments are none.

    Examples
    --------
    >>> arms = {"old": Moments(900, 5.0, 9.0), "new": Moments(100, 6.0, 16.0)}
    >>> compare_moments(arms, expected={"old": 0.9, "new": 0.1})
    users: old 900 (90.0%, plan 90.0%), new 100 (10.0%, plan 10.0%); p = 1, as dealt
    metric         arm        control     arm's difference         95% interval    lift       p
    metric         new              5         6         +1      [+0.183, +1.82]  +20.0%   0.017
    """
    _check(expected, correction)
    if not arms:
        raise ValueError("arms must have the moments of each arm, got none")
    if all(isinstance(each, Moments) for each in arms.values()):
        arms = {"metric": arms}
    strange = [name for name in proportions if name not in arms]
    if strange:
        raise ValueError(f"proportions must be among {[*arms]}, got {strange[0]!r}")
    for name, each in arms.items():
        if {*each} != {*expected}:
            raise ValueError(f"{name!r} must have the arms {[*expected]}, got {[*each]}")
    counts = {arm: int(moments.users) for arm, moments in next(iter(arms.values())).items()}
    ratio, comparisons = sample_ratio(counts, expected), ()
    if ratio.ok:
        control, *treatments = expected
        comparisons = tuple(
            Comparison(name, arm, each[control], each[arm], effect_of(kind, *pair, confidence))
            for name, each in arms.items()
            for arm in treatments
            for pair in [(each[control], each[arm])]
            for kind in [Proportion(name) if name in proportions else None]
        )
    return Analysis(ratio, comparisons, 0, confidence, correction)


def _segments(given: str | Sequence[str]) -> tuple[str, ...]:
    made = (given,) if isinstance(given, str) else tuple(given)
    if len({*made, "user", "variant"}) < len(made) + 2:
        raise ValueError(f"segments must be different columns, not user or variant, got {given}")
    return made


def _check(expected: Mapping, correction: str | None) -> None:
    if not isinstance(expected, Mapping):
        raise ValueError(f'expected must be planned shares, {{"old": 0.9, …}}, got {expected!r}')
    adjust_p_values([], correction)
