"""What would the challenger have earned? Estimated from the champion's log.

logged decision, its reward ──┐
P(champion decides it) ───────┼──► weights ─► do they hold up? ── no ──► refusal, no number
P(challenger decides it) ─────┘                     │ yes
                                                    └──► estimates, and how they hang on the clip
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

from workbench.experiments.replay.estimators import doubly_robust, ips, self_normalised, switch
from workbench.experiments.replay.logged import Logged, policy_chances, read_logged
from workbench.experiments.replay.mean import (
    ClusterMean,
    cluster_mean,
    normal_interval,
    positive_interval,
)
from workbench.experiments.replay.report import report
from workbench.experiments.replay.support import Limits, WeightSummary, refusals, weight_summary
from workbench.experiments.replay.weights import (
    clipped_weights,
    effective_sample_size,
    importance_weights,
    shrunk_weights,
)
from workbench.tables import one_frame

__all__ = ["ReplayPlan", "Replayed", "replay_outcomes"]


@dataclass(frozen=True)
class ReplayPlan:
    """What is estimated, and how.

    metric
        The column of the reward, by the log's own name.
    per
        The value is a mean per `decision`, or per `request` with the rewards of a slate summed.
    cluster
        The column of what is independent: `request`, or `user` when users come back.
    clip
        Above which the weights of all estimates are cut; None cuts none.
    clips
        The clips of the sensitivity table.
    """

    metric: str = "reward"
    per: str = "decision"
    cluster: str = "request"
    confidence: float = 0.95
    clip: float | None = None
    clips: tuple[float, ...] = (100.0, 50.0, 20.0, 10.0, 5.0, 2.0, 1.0)
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self):
        if not 0 < self.confidence < 1:
            raise ValueError(f"confidence must be in (0, 1), got {self.confidence}")
        wrong = [clip for clip in (self.clip, *self.clips) if clip is not None and not clip > 0]
        if wrong:
            raise ValueError(f"clip must be above 0, got {wrong[0]}")


@dataclass(frozen=True)
class Replayed:
    """The value of a target policy, estimated from another's log.

    Parameters
    ----------
    table : pl.DataFrame
        `estimator estimate low high error difference difference_low difference_high`; the first
        row is the logger's own mean, the differences are to it, pair by pair. No rows if refused.
    clips : pl.DataFrame
        `clip clipped_share kept_share effective_decisions`, the estimates `ips snips`, or `snips dr
        switch dros` with a reward model, and the interval of snips or dr. No rows if refused.
        `switch` and `dros` take the clip as their threshold, dros as the root of its strength.
    weights : WeightSummary
    refusals : tuple of str
        Why there is no estimate.
    plan : ReplayPlan
    """

    table: pl.DataFrame
    clips: pl.DataFrame
    weights: WeightSummary
    refusals: tuple[str, ...]
    plan: ReplayPlan

    @property
    def ok(self) -> bool:
        """Whether there is an estimate to read."""
        return not self.refusals

    @property
    def estimate(self) -> dict[str, float]:
        """The headline: doubly robust where there is a reward model, else self-normalised."""
        if not self.ok:
            raise ValueError(f"replay is refused: {'; '.join(self.refusals)}")
        return self.table.row(-1, named=True)

    def __getitem__(self, estimator: str) -> dict[str, float]:
        """One row of the table."""
        rows = self.table.filter(pl.col("estimator") == estimator)
        if not len(rows):
            raise KeyError(f"no {estimator!r}: there are {self.table['estimator'].to_list()}")
        return rows.row(0, named=True)

    def __repr__(self) -> str:
        return report(self)


def replay_outcomes(
    log: Any,
    target: Any = None,
    *,
    requests: Any = None,
    logger: Any = None,
    plan: ReplayPlan | None = None,
) -> Replayed:
    """Estimate the mean reward that the target policy would have had in the logger's place.

    Parameters
    ----------
    log : Polars, pandas or Arrow table, or LazyFrame
        One row per live decision: `request position item action propensity`, the metric, and
        `target_propensity` if no target is given. With `predicted_reward` and
        `target_predicted_reward` (see `cross_fitted`), the doubly robust estimates too.
    target : policy with `propensity(requests, decisions)`, optional
    requests : table, optional
        The candidates that the decisions were made from, for the policies.
    logger : policy, optional
        Whose chances replace the column `propensity`: a `Split`, say, whose log holds the chances
        of the arm that signed, where the whole log was dealt by both.
    plan : ReplayPlan, optional

    Returns
    -------
    Replayed
        Its repr is the report. Without estimates where the log cannot tell: see `refusals`.

    Raises
    ------
    ValueError
        If a chance is missing, 0 where logged, or no chance; a reward is missing; shadow decisions
        are among the rows; a column is missing.

    Notes
    -----
    Each row's weight is the ratio of the chances in it. With the marginal chance of an item at its
    position the reward of a row is taken to depend on nothing else of the slate (item-position
    model, Li et al. 2018, KDD); `slate_chances` gives the chances of weaker assumptions.
    Intervals of ips and snips are on the scale of the logarithm where no reward is negative, else
    normal; all are too short below some ten effective rewards, where the estimate is refused.
    An estimate holds for the world of the log: the same requests, the same state of the shop.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> item = rng.choice(2, 5_000, p=[0.8, 0.2])              # the logger prefers item 0,
    >>> click = rng.random(5_000) < np.where(item == 1, 0.3, 0.1)   # visitors prefer item 1
    >>> log = pl.DataFrame({"request": np.arange(5_000), "reward": click * 1.0,
    ...     "propensity": np.where(item == 1, 0.2, 0.8), "target_propensity": item * 1.0})
    >>> estimate = replay_outcomes(log).estimate
    >>> estimate["estimator"], round(estimate["estimate"], 2)
    ('snips', 0.31)
    """
    plan = plan or ReplayPlan()
    log = _with_chances(log, target, logger, requests)
    logged = read_logged(log, metric=plan.metric, per=plan.per, cluster=plan.cluster)
    weights = importance_weights(logged.propensity, logged.target_propensity)
    summary = weight_summary(weights, logged.rewards, logged.clusters, propensity=logged.propensity)
    refused = refusals(summary, plan.limits)
    table, clips = _estimates(logged, weights, plan), _sensitivity(logged, weights, plan)
    if refused:
        table, clips = table.clear(), clips.clear()
    return Replayed(table, clips, summary, refused, plan)


def _with_chances(log, target, logger, requests):
    if target is None and logger is None:
        return log
    if requests is None:
        raise ValueError("requests must be given with a policy: the candidates it chooses from")
    frame = one_frame(log, "log")
    for name, policy in (("target_propensity", target), ("propensity", logger)):
        if policy is not None:
            chances = policy_chances(policy, requests, frame)
            frame = frame.with_columns(pl.Series(name, chances))
    return frame


def _estimates(logged: Logged, weights: np.ndarray, plan: ReplayPlan) -> pl.DataFrame:
    """One row per estimator, the logger's own mean first."""
    if plan.clip is not None:
        weights = clipped_weights(weights, plan.clip)
    values = {
        "logged": logged.rewards,
        "ips": ips(weights, logged.rewards),
        "snips": self_normalised(weights, logged.rewards, logged.strata),
    }
    if logged.predicted is not None:
        values["direct"] = logged.target_predicted
        values["dr"] = doubly_robust(
            weights, logged.rewards, logged.predicted, logged.target_predicted
        )
    rows = []
    for name, each in values.items():
        own = cluster_mean(each, logged.clusters, logged.counts)
        paired = cluster_mean(each - logged.rewards, logged.clusters, logged.counts)
        low, high = _interval(own, name, logged, plan)
        ends = normal_interval(paired, confidence=plan.confidence)
        rows.append((name, own.estimate, low, high, own.error, paired.estimate, *ends))
    return pl.DataFrame(rows, schema=dict.fromkeys(_COLUMNS, pl.Float64) | {"estimator": pl.String},
                        orient="row")  # fmt: skip


_COLUMNS = (
    *("estimator", "estimate", "low", "high", "error"),
    *("difference", "difference_low", "difference_high"),
)


def _sensitivity(logged: Logged, weights: np.ndarray, plan: ReplayPlan) -> pl.DataFrame:
    """The estimates at each clip, none first."""
    rows, largest, total = [], weights.max(), weights.sum()
    for clip in (np.inf, *sorted(plan.clips, reverse=True)):
        if rows and clip >= largest:  # cuts nothing
            rows.append(rows[-1] | {"clip": clip})
            continue
        cut = clipped_weights(weights, clip)
        values = _clipped_values(logged, weights, cut, clip)
        means = {
            name: cluster_mean(each, logged.clusters, logged.counts)
            for name, each in values.items()
        }
        shown = [*means][1]
        low, high = _interval(means[shown], shown, logged, plan)
        rows.append(
            {
                "clip": clip,
                "clipped_share": float((weights > clip).mean()),
                "kept_share": float(cut.sum() / total) if total else np.nan,
                "effective_decisions": effective_sample_size(cut),
                **{name: mean.estimate for name, mean in means.items()},
                "low": low,
                "high": high,
            }
        )
    return pl.DataFrame(rows)


def _interval(mean: ClusterMean, name: str, logged: Logged, plan: ReplayPlan):
    """On the scale of the logarithm where no value can be negative."""
    positive = name in ("logged", "ips", "snips") and logged.positive and mean.estimate > 0
    method = positive_interval if positive else normal_interval
    return method(mean, confidence=plan.confidence)


def _clipped_values(logged: Logged, weights, cut, clip) -> dict[str, np.ndarray]:
    """The estimators at one clip; the second is the one whose interval is shown."""
    values = {
        "ips": ips(cut, logged.rewards),
        "snips": self_normalised(cut, logged.rewards, logged.strata),
    }
    if logged.predicted is None:
        return values
    model = logged.predicted, logged.target_predicted
    return {
        "snips": values["snips"],
        "dr": doubly_robust(cut, logged.rewards, *model),
        "switch": switch(weights, logged.rewards, *model, above=clip),
        "dros": doubly_robust(shrunk_weights(weights, clip**2), logged.rewards, *model),
    }
