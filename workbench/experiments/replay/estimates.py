"""All estimators on one log, and what becomes of them when the largest weights are cut."""

from __future__ import annotations

import numpy as np
import polars as pl

from workbench.experiments.replay.estimators import doubly_robust, ips, self_normalised, switch
from workbench.experiments.replay.logged import Logged
from workbench.experiments.replay.mean import (
    ClusterMean,
    cluster_mean,
    normal_interval,
    positive_interval,
)
from workbench.experiments.replay.plan import ReplayPlan
from workbench.experiments.replay.weights import (
    clipped_weights,
    effective_sample_size,
    shrunk_weights,
)

__all__ = ["clip_sensitivity", "estimates"]


def estimates(logged: Logged, weights: np.ndarray, plan: ReplayPlan) -> pl.DataFrame:
    """One row per estimator, the logger's own mean first; see `Replayed.table`.

    >>> from workbench.experiments.replay.logged import read_logged
    >>> log = pl.DataFrame({"request": [1, 2, 3, 4], "reward": [1.0, 0.0, 1.0, 1.0],
    ...                     "propensity": 0.5, "target_propensity": [1.0, 0.0, 1.0, 0.0]})
    >>> logged = read_logged(log, metric="reward", per="decision", cluster="request")
    >>> weights = np.array([2.0, 0.0, 2.0, 0.0])
    >>> estimates(logged, weights, ReplayPlan())["estimate"].to_list()
    [0.75, 1.0, 1.0]
    """
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


def clip_sensitivity(logged: Logged, weights: np.ndarray, plan: ReplayPlan) -> pl.DataFrame:
    """The estimates at each clip, none first; see `Replayed.clips`.

    >>> from workbench.experiments.replay.logged import read_logged
    >>> log = pl.DataFrame({"request": [1, 2, 3, 4], "reward": [1.0, 0.0, 1.0, 1.0],
    ...                     "propensity": 0.5, "target_propensity": [1.0, 0.0, 1.0, 0.0]})
    >>> logged = read_logged(log, metric="reward", per="decision", cluster="request")
    >>> weights = np.array([2.0, 0.0, 2.0, 0.0])
    >>> clip_sensitivity(logged, weights, ReplayPlan(clips=(1.0,)))["ips"].to_list()
    [1.0, 0.5]
    """
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
