"""One effect from a ramp: users are compared with users of the same stage, and with no others.

    stage      share   per user: control   new      all in one pot: new looks far better, because
    quiet      10 %         10              9       most of its users came in the busy stage
    busy       50 %         20             18       by stage: it is worse, in both

Within a stage chance alone decides the arm. Across stages the share of the new arm grows while the
world changes, so the pooled means compare the new arm's later days with the control's earlier ones
(Simpson's paradox). The effect here is the average of the stages' own effects, with weights that
are the same for both arms.

Who counts where is said by `exposed(…, stages=…)`: a user is in a stage with the arm and the share
in force at the first exposure within it, and with what happened inside it. A user may be in several
stages; the standard error is then that of users, not of rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from workbench.experiments.difference import Difference, Moments
from workbench.experiments.sample_ratio import SampleRatio, sample_ratio
from workbench.experiments.stratified import stratified
from workbench.tables import one_frame

__all__ = ["RampAnalysis", "analyse_ramp"]


@dataclass(frozen=True, slots=True)
class RampAnalysis:
    """What a ramp says. Empty `effects` mean that it may not be read.

    Parameters
    ----------
    ratios : mapping of stage to SampleRatio
        Users against the shares in force.
    stages : polars.DataFrame
        One row per metric and stage: users, means, difference, its standard error, weight.
    effects : mapping of metric to Difference
        Over all stages.
    pooled : mapping of metric to float
        The difference of all users in one pot, to be seen beside it; do not use it.
    confidence : float
        Coverage of the intervals.
    """

    ratios: Mapping[int, SampleRatio]
    stages: pl.DataFrame
    effects: Mapping[str, Difference]
    pooled: Mapping[str, float]
    confidence: float

    @property
    def table(self) -> pl.DataFrame:
        """One row per metric: the effect over all stages with its interval; in full precision."""
        names = ("difference", "low", "high", "lift", "lift_low", "lift_high", "p_value")
        rows = [
            (metric, *(getattr(effect, name) for name in names), self.pooled[metric])
            for metric, effect in self.effects.items()
        ]
        schema = {"metric": pl.String} | dict.fromkeys((*names, "pooled"), pl.Float64)
        return pl.DataFrame(rows, schema=schema, orient="row")

    def __getitem__(self, metric: str) -> Difference:
        """The effect on a metric."""
        if metric not in self.effects:
            raise KeyError(f"no read-out of {metric!r}: {self!r}")
        return self.effects[metric]

    def __repr__(self) -> str:
        lines = [_stage_line(stage, ratio) for stage, ratio in self.ratios.items()]
        if not all(ratio.ok for ratio in self.ratios.values()):
            return "\n".join([*lines, "no read-out: users of a stage are missing or doubled"])
        interval = f"{self.confidence:.0%} interval"
        lines.append(
            f"{'metric':<14} {'difference':>10} {interval:>20} {'lift':>7} {'p':>7} {'one pot':>8}"
        )
        for metric, effect in self.effects.items():
            bounds = f"[{effect.low:+.3g}, {effect.high:+.3g}]"
            lift = "-" if effect.lift is None else f"{effect.lift:+.1%}"
            lines.append(
                f"{metric:<14} {effect.difference:>+10.3g} {bounds:>20} {lift:>7} "
                f"{effect.p_value:>7.2g} {self.pooled[metric]:>+8.3g}"
            )
        return "\n".join(lines)


def analyse_ramp(
    table,
    metrics: Sequence[str],
    *,
    arms: Sequence[str],
    shares: Mapping[int, Mapping[str, float]] | None = None,
    weights: str = "users",
    confidence: float = 0.95,
) -> RampAnalysis:
    """Read out a ramp: sample ratio of every stage, then one effect over all stages.

    Parameters
    ----------
    table : table
        One row per user and stage: `user variant stage` and the metrics, as `exposed(…, stages=…)`
        makes; `variant_share` unless `shares` are given. Stages in which an arm has no share are
        left out.
    metrics : sequence of str
    arms : (control, treatment)
    shares : mapping of stage to planned shares, optional
        By default the `variant_share` that is logged.
    weights : {"users", "precision"}
        "users": stages count by their users, which estimates the effect on the users seen, however
        it differs between stages. "precision": by the inverse variance, narrower, and right only if
        the effect is the same in all stages.
    confidence : float, default 0.95

    Raises
    ------
    ValueError
        If a column is missing or holds nulls, NaN or infinities, an arm is none of the two, shares
        of a stage differ or do not add up, a user is twice in a stage, or no stage has both arms.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> stage = np.repeat([0, 1], 5_000)
    >>> share = np.array([0.1, 0.5])[stage]
    >>> new = rng.random(10_000) < share
    >>> revenue = 10 + 10 * stage - 0.5 * new + rng.normal(size=10_000)
    >>> table = pl.DataFrame({"user": range(10_000), "stage": stage, "revenue": revenue,
    ...                       "variant": np.where(new, "new", "old"),
    ...                       "variant_share": np.where(new, share, 1 - share)})
    >>> analyse_ramp(table, ["revenue"], arms=["old", "new"])
    stage 0: old 4,473 (plan 0.9), new 527 (plan 0.1); p = 0.2, as dealt
    stage 1: old 2,517 (plan 0.5), new 2,483 (plan 0.5); p = 0.63, as dealt
    metric         difference         95% interval    lift       p  one pot
    revenue            -0.506     [-0.561, -0.451]   -3.4% 6.1e-65    +4.14
    """
    metrics, arms = [metrics] if isinstance(metrics, str) else list(metrics), tuple(arms)
    frame = _checked(table, metrics, arms, weights, logged=shares is None)
    planned = (
        _planned(frame, arms) if shares is None else {int(k): dict(v) for k, v in shares.items()}
    )
    missing = sorted(set(frame["stage"].unique()) - set(planned))
    if missing:
        raise ValueError(f"no shares of stage {missing[0]}; there are those of {sorted(planned)}")
    both = sorted(
        stage
        for stage in set(frame["stage"].unique())
        if all(planned[stage].get(arm) for arm in arms)
    )
    frame = frame.filter(pl.col("stage").is_in(both)).sort("user", "stage")
    if not len(frame):
        raise ValueError("no stage has users and a share of both arms: nothing to compare")
    counts = {
        stage: dict(part["variant"].value_counts().iter_rows())
        for (stage,), part in frame.partition_by("stage", as_dict=True).items()
    }
    ratios = {stage: sample_ratio(counts[stage], planned[stage]) for stage in both}
    effects, pooled, rows = {}, {}, []
    if all(ratio.ok for ratio in ratios.values()):
        for metric in metrics:
            effects[metric], stages = _effect(frame, metric, arms, both, weights, confidence)
            rows += stages
            means = [frame.filter(pl.col("variant") == arm)[metric].mean() for arm in arms]
            pooled[metric] = means[1] - means[0]
    return RampAnalysis(ratios, _stages(rows), effects, pooled, confidence)


def _effect(frame, metric, arms, stages, weights, confidence):
    """The stratified difference and the rows of its stages."""
    cells = frame.group_by("stage", "variant").agg(
        n=pl.len(), mean=pl.col(metric).mean(), variance=pl.col(metric).var()
    )
    seen = {(row["stage"], row["variant"]): row for row in cells.iter_rows(named=True)}
    few = [
        key for key in ((s, a) for s in stages for a in arms) if seen.get(key, {"n": 0})["n"] < 2
    ]
    if few:
        raise ValueError(f"arm {few[0][1]!r} has fewer than two users in stage {few[0][0]}")
    control, treatment = (
        Moments(
            *(np.array([seen[s, arm][name] for s in stages]) for name in ("n", "mean", "variance"))
        )
        for arm in arms
    )
    squared = control.variance / control.users + treatment.variance / treatment.users
    if weights == "users" or (squared == 0).any():
        weight = (control.users + treatment.users) / (control.users + treatment.users).sum()
    else:
        weight = (1 / squared) / (1 / squared).sum()
    covariance = _between_stages(frame, metric, arms, stages, (control, treatment), weight)
    effect = stratified(control, treatment, weight, confidence=confidence, covariance=covariance)
    rows = [
        (metric, stage, *(int(arm.users[i]) for arm in (control, treatment)),
         float(control.mean[i]), float(treatment.mean[i]),
         float(treatment.mean[i] - control.mean[i]), float(np.sqrt(squared[i])), float(weight[i]))
        for i, stage in enumerate(stages)
    ]  # fmt: skip
    return effect, rows


def _between_stages(frame, metric, arms, stages, moments, weight) -> np.ndarray:
    """What users in several stages add to the covariance matrix of both weighted means, (2, 2).

    A user's influence on an arm's weighted mean is the sum over stages of weight x residual / n;
    the sum of its squares over users is the cluster-robust variance (Liang & Zeger 1986,
    Biometrika 73), less the squares of each row, which the plain variance holds.
    """
    place = np.searchsorted(stages, frame["stage"].to_numpy())
    arm = (frame["variant"] == arms[1]).to_numpy().astype(int)
    mean, users = (
        np.stack([getattr(each, name) for each in moments]) for name in ("mean", "users")
    )
    residual = frame[metric].to_numpy().astype(float) - mean[arm, place]
    influence = weight[place] * residual / users[arm, place]
    influence *= np.sqrt(users / (users - 1))[arm, place]
    number = frame["user"].rle_id().to_numpy()  # sorted by user
    sums = np.zeros((2, number[-1] + 1))
    np.add.at(sums, (arm, number), influence)
    alone = np.array([(influence[arm == each] ** 2).sum() for each in (0, 1)])
    return sums @ sums.T - np.diag(alone)


def _stage_line(stage: int, ratio: SampleRatio) -> str:
    arms = ", ".join(
        f"{arm} {ratio.counts[arm]:,} (plan {share:.3g})" for arm, share in ratio.expected.items()
    )
    return f"stage {stage}: {arms}; p = {ratio.p_value:.2g}, {'' if ratio.ok else 'NOT '}as dealt"


def _checked(table, metrics, arms, weights, *, logged: bool) -> pl.DataFrame:
    taken = {"user", "variant", "stage", "variant_share"}
    if not metrics or len(taken | set(metrics)) < len(metrics) + 4:
        raise ValueError(f"metrics must be one or more different columns of numbers, got {metrics}")
    if len(arms) != 2 or arms[0] == arms[1]:
        raise ValueError(f"arms must be (control, treatment), got {arms}")
    if weights not in ("users", "precision"):
        raise ValueError(f'weights must be "users" or "precision", got {weights!r}')
    names = ["user", "variant", "stage", *(["variant_share"] if logged else []), *metrics]
    frame = one_frame(table, "table", names)
    for name in names:
        if frame[name].null_count():
            raise ValueError(f"{name!r} is null in {frame[name].null_count():,} rows")
    strange = frame.filter(~pl.col("variant").is_in(arms))["variant"]
    if len(strange):
        raise ValueError(f"arm {strange[0]!r} is not one of {list(arms)}")
    if not frame["stage"].dtype.is_integer():
        raise ValueError(f"stage must be whole numbers, got {frame['stage'].dtype}")
    if frame.select("user", "stage").is_duplicated().any():
        raise ValueError("a user must have one row per stage: see `exposed(…, stages=…)`")
    for metric in metrics:
        if not (frame[metric].dtype.is_numeric() or frame[metric].dtype == pl.Boolean):
            raise ValueError(f"metric {metric!r} must be numbers, got {frame[metric].dtype}")
        if not frame[metric].cast(pl.Float64).is_finite().all():
            raise ValueError(f"metric {metric!r} has NaN or infinite values")
    return frame.with_columns(pl.col(metrics).cast(pl.Float64))


def _planned(frame: pl.DataFrame, arms: tuple[str, str]) -> dict[int, dict[str, float]]:
    """The shares in force, from what was logged; of a stage without one arm, what is left."""
    logged = frame.group_by("stage", "variant").agg(
        low=pl.col("variant_share").min(), high=pl.col("variant_share").max()
    )
    planned: dict[int, dict[str, float]] = {}
    for row in logged.sort("stage").iter_rows(named=True):
        if row["high"] - row["low"] > 1e-9:
            raise ValueError(
                f"arm {row['variant']!r} has shares from {row['low']:.4g} to {row['high']:.4g} in "
                f"stage {row['stage']}: shares changed within it, give every moment of change"
            )
        planned.setdefault(row["stage"], {})[row["variant"]] = row["high"]
    for stage, shares in planned.items():
        if len(shares) == 1:
            (arm, share), other = next(iter(shares.items())), 1 - sum(shares.values())
            planned[stage] = {arm: share, next(each for each in arms if each != arm): other}
        elif abs(sum(shares.values()) - 1) > 1e-9:
            raise ValueError(f"shares of stage {stage} must sum to 1, got {shares}")
    return {stage: {arm: shares[arm] for arm in arms} for stage, shares in planned.items()}


def _stages(rows: list[tuple]) -> pl.DataFrame:
    whole = dict.fromkeys(("control_users", "arm_users"), pl.Int64)
    names = ("control_mean", "arm_mean", "difference", "error", "weight")
    schema = {"metric": pl.String, "stage": pl.Int64, **whole, **dict.fromkeys(names, pl.Float64)}
    return pl.DataFrame(rows, schema=schema, orient="row")
