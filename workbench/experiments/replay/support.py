"""Does the log hold what the target would do? What must be true before an estimate is read.

mean weight = 1 ?      less: the target does what was never tried;  more: a propensity is wrong
enough decisions ?     the effective sample size, of all and of those with a reward
any chance at all ?    a deterministic logger tried one thing only
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from workbench.experiments.replay.mean import cluster_mean
from workbench.experiments.replay.weights import effective_sample_size

__all__ = ["Limits", "WeightSummary", "refusals", "weight_summary"]


@dataclass(frozen=True, slots=True)
class Limits:
    """Below or above which an estimate is refused; all are rules of thumb, not tests, but `alpha`.

    effective_decisions
        Least effective sample size of the weighted decisions.
    effective_rewards
        Least effective sample size of the decisions that had a reward, weighted by weight x reward.
    unsupported_share
        Most of the target's decisions that the logger may never have tried.
    alpha
        Of the test that the mean weight is 1.
    """

    effective_decisions: float = 100.0
    effective_rewards: float = 10.0
    unsupported_share: float = 0.01
    alpha: float = 0.001


@dataclass(frozen=True, slots=True)
class WeightSummary:
    """What the weights say about themselves."""

    decisions: int
    clusters: int
    mean: float
    mean_error: float
    p_value: float
    largest: float
    effective_decisions: float
    rewarded: int
    effective_rewards: float
    deterministic: bool

    @property
    def unsupported_share(self) -> float:
        """Estimated share of the target's decisions that the logger never makes, at least 0."""
        return max(0.0, 1.0 - self.mean)


def weight_summary(
    weights: ArrayLike,
    rewards: ArrayLike,
    clusters: ArrayLike | None = None,
    *,
    propensity: ArrayLike | None = None,
) -> WeightSummary:
    """Mean, spread and effective number of the weights, shape (n,) each.

    Notes
    -----
    The mean weight estimates the target's chance of deciding what the logger has a chance of, 1 if
    that is everything; its test is a t-test over clusters. Li et al. (2011), WSDM, and Saito et al.
    (2021), "Open Bandit Dataset and Pipeline", NeurIPS, use it as a check of the log.

    Examples
    --------
    >>> summary = weight_summary([2.0, 0.0, 2.0, 0.0], [1.0, 0.0, 0.0, 1.0])
    >>> summary.mean, summary.effective_decisions, summary.effective_rewards
    (1.0, 2.0, 1.0)
    """
    from scipy.stats import t as student

    weights, rewards = np.asarray(weights, float), np.asarray(rewards, float)
    mean = cluster_mean(weights, clusters)
    off = mean.estimate - 1.0
    if mean.error > 0:
        p_value = float(2 * student.sf(abs(off) / mean.error, mean.clusters - 1))
    else:
        p_value = float(abs(off) < 1e-9) if mean.clusters > 1 else float("nan")
    return WeightSummary(
        decisions=len(weights),
        clusters=mean.clusters,
        mean=mean.estimate,
        mean_error=mean.error,
        p_value=p_value,
        largest=float(weights.max()),
        effective_decisions=effective_sample_size(weights),
        rewarded=int(np.count_nonzero(rewards)),
        effective_rewards=effective_sample_size(weights * np.abs(rewards)),
        deterministic=propensity is not None and bool((np.asarray(propensity) > 1 - 1e-9).all()),
    )


def refusals(summary: WeightSummary, limits: Limits | None = None) -> tuple[str, ...]:
    """Why no estimate should be read; empty if one may.

    >>> refusals(weight_summary([1.0, 0.0, 1.0], [1.0, 0.0, 1.0], propensity=[1.0, 1.0, 1.0]))
    ('no support: the logger was deterministic; the target decides otherwise in 33.3% of them',)
    """
    limits = limits or Limits()
    missing = summary.unsupported_share
    if summary.deterministic and missing > limits.unsupported_share:
        return (
            "no support: the logger was deterministic; the target decides otherwise in "
            f"{missing:.1%} of them",
        )
    if not summary.effective_decisions:
        return ("no support: the target decides nothing that was logged",)
    found = []
    if summary.p_value < limits.alpha and summary.mean > 1:
        found.append(
            f"propensities are wrong: the mean weight is {summary.mean:.3g} where 1 is the most "
            f"it can be on average (p = {summary.p_value:.2g})"
        )
    elif summary.p_value < limits.alpha and missing > limits.unsupported_share:
        found.append(
            f"no support for about {missing:.1%} of what the target does, never tried or hardly "
            f"ever: the mean weight is {summary.mean:.3g}, not 1 (p = {summary.p_value:.2g})"
        )
    if summary.effective_decisions < limits.effective_decisions:
        found.append(
            f"too few: {summary.decisions:,} decisions are worth "
            f"{summary.effective_decisions:.3g}, at least {limits.effective_decisions:.3g} needed"
        )
    if summary.effective_rewards < limits.effective_rewards:
        found.append(
            f"too few: {summary.rewarded:,} rewards are worth {summary.effective_rewards:.3g}, "
            f"at least {limits.effective_rewards:.3g} needed"
        )
    return tuple(found)
