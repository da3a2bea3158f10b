"""Did the new arm do harm? Watched every day, for weeks, without crying wolf.

    loss = how much worse the new arm is, beyond what is tolerated
    low ──────┼────── high     one-sided bounds that hold at all looks together
              0                low > 0: harmed        high < 0: safe
                               else: suspect if this one look would alarm, or unknown

A fixed-horizon test at 5 % that is looked at 40 times stops a quarter of all harmless ramps, and
half of them when the metric has heavy tails and the new arm is small (measured in the tests). These
bounds are valid at any number of looks, at any moment, so a ramp may be decided daily.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from workbench.experiments.difference import Moments
from workbench.experiments.sample_ratio import SampleRatio, counts_as_planned

__all__ = ["Guardrail", "Loss", "loss_of", "one_sided_bound", "sequential_ratio"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Guardrail:
    """A metric that must not get worse by more than is tolerated.

    Parameters
    ----------
    metric : str
        Column of the exposures, one number per user.
    better : {"higher", "lower"}
        Revenue is better higher, latency and errors lower.
    tolerated : float, default 0
        Loss that nobody acts on, as a share of the control's mean.
    confidence : float, default 0.95
        1 - the chance of ever stopping a harmless ramp for this metric, all looks together.
    scales : sequence of float, default (0.03, 0.3, 3)
        Excess losses, as shares of the mean, at which the bound is sharpest: small ones found late
        and large ones found at once, each with its part of the chance. Any values are valid.
    proof : bool, default False
        Advance only when the loss is proven to be within what is tolerated (non-inferior).
    least_users : int, default 30
        Per arm; below, nothing is read: the bounds are asymptotic.

    >>> Guardrail(metric="revenue", better="higher", tolerated=0.02).confidence
    0.95
    """

    metric: str
    better: str
    tolerated: float = 0.0
    confidence: float = 0.95
    scales: Sequence[float] = (0.03, 0.3, 3.0)
    proof: bool = False
    least_users: int = 30

    def __post_init__(self):
        if self.better not in ("higher", "lower"):
            raise ValueError(
                f'{self.metric}: better must be "higher" or "lower", got {self.better!r}'
            )
        if not 0 <= self.tolerated < 1:
            raise ValueError(f"{self.metric}: tolerated must be in [0, 1), got {self.tolerated}")
        if not 0.5 < self.confidence < 1:
            raise ValueError(
                f"{self.metric}: confidence must be in (0.5, 1), got {self.confidence}"
            )
        object.__setattr__(self, "scales", tuple(self.scales))
        if not self.scales or not all(0 < scale < np.inf for scale in self.scales):
            raise ValueError(f"{self.metric}: scales must be positive, got {self.scales}")
        if self.least_users < 2:
            raise ValueError(f"{self.metric}: least_users must be 2 or more: {self.least_users}")


@dataclass(frozen=True, slots=True)
class Loss:
    """Loss beyond what is tolerated, in the metric's unit, with bounds for all looks; arrays."""

    loss: np.ndarray
    error: np.ndarray  # standard error
    low: np.ndarray
    high: np.ndarray

    @property
    def harmed(self) -> np.ndarray:
        """Whether harm is proven."""
        return self.low > 0

    @property
    def suspect(self) -> np.ndarray:
        """Whether one look alone, at 5 %, would speak of harm: no proof, but no time for more."""
        return np.isfinite(self.low) & (self.loss > 1.645 * self.error)

    @property
    def safe(self) -> np.ndarray:
        """Whether it is proven that the loss is within what is tolerated."""
        return self.high < 0


def one_sided_bound(information: ArrayLike, alpha: float, scale: ArrayLike) -> np.ndarray:
    """How far an estimate may lie above its true value at any look, but for a chance of alpha.

    Parameters
    ----------
    information : array-like
        1 / squared standard error at each look.
    alpha : float
        Chance that the bound is ever crossed, in (0, 0.5).
    scale : array-like
        Effect size at which the bound is sharpest, in the estimate's unit.

    Notes
    -----
    With v the information and rho = 1 / scale**2 the bound is
    sqrt(2 (v + rho) log(1 + sqrt((v + rho) / rho) / (2 alpha))) / v: Robbins' mixture with a
    half-normal weight on positive effects, in the closed form of Howard et al. (2021),
    "Time-uniform, nonparametric, nonasymptotic confidence sequences", Ann. Stat. 49 (one-sided
    normal mixture); with estimated variances it is the one-sided asymptotic confidence sequence
    of Waudby-Smith et al. (2024), "Time-uniform central limit theory and asymptotic confidence
    sequences", Ann. Stat. 52.

    Raises ValueError if alpha is out of range.

    Examples
    --------
    >>> one_sided_bound([100.0, 10_000.0], alpha=0.05, scale=0.1).round(3)
    array([0.33 , 0.031])
    """
    if not 0 < alpha < 0.5:
        raise ValueError(f"alpha must be in (0, 0.5), got {alpha}")
    v, rho = np.asarray(information, float), 1 / np.asarray(scale, float) ** 2
    return np.sqrt(2 * (v + rho) * np.log1p(np.sqrt((v + rho) / rho) / (2 * alpha))) / v


def loss_of(guardrail: Guardrail, control: Moments, treatment: Moments, *, alpha: float) -> Loss:
    """The loss and its bounds at each look, elementwise over moments that are numbers or arrays.

    Below `least_users` in an arm the bounds are infinite.

    Notes
    -----
    Loss = s (treatment - c control) with s the bad direction and c = 1 + s tolerated, so its
    variance is exact: no delta method. For the variance of the new arm the larger one of both arms
    is taken: a small arm that has met no big spender yet has a low mean *and* a low variance, and
    would be stopped for it (measured in the tests).

    Examples
    --------
    >>> latency = Guardrail(metric="latency_ms", better="lower", tolerated=0.05)
    >>> old, new = Moments(9_900, 100.0, 400.0), Moments(100, 130.0, 900.0)
    >>> loss = loss_of(latency, old, new, alpha=0.05)
    >>> round(float(loss.loss), 1), round(float(loss.low), 1), bool(loss.harmed)
    (25.0, 14.8, True)
    """
    worse = 1.0 if guardrail.better == "lower" else -1.0
    n, m = np.asarray(control.users, float), np.asarray(treatment.users, float)
    old, new = np.asarray(control.mean, float), np.asarray(treatment.mean, float)
    tolerance = 1 + worse * guardrail.tolerated * np.sign(old)
    loss = worse * (new - tolerance * old)
    spread = np.asarray(control.variance, float)
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = tolerance**2 * spread / n + np.maximum(spread, treatment.variance) / m
        mean = np.abs((n * old + m * new) / (n + m))
        # else it is known exactly, or nobody is there, or nothing happened in either arm
        known = (variance > 0) & np.isfinite(variance) & (mean > 0)
        information = np.where(known, 1 / variance, 1)
    parts = alpha / len(guardrail.scales)  # the sharpest of several bounds: each has its part
    unit = np.where(known, mean, 1)
    half = np.min(
        [one_sided_bound(information, parts, unit * scale) for scale in guardrail.scales], axis=0
    )
    half = np.where(known, half, 0.0)
    half = np.where(np.minimum(n, m) < guardrail.least_users, np.inf, half)
    return Loss(loss, np.sqrt(variance), loss - half, loss + half)


def sequential_ratio(
    counts: Mapping[str, int], expected: Mapping[str, float], *, alpha: float = 0.001
) -> SampleRatio:
    """The sample-ratio test to be looked at daily: its p-value is valid at all looks together.

    Notes
    -----
    Bayes factor of a Dirichlet prior around the plan against the plan itself: Lindon & Malek
    (2022), "Anytime-valid inference for multinomial count data", NeurIPS. The prior weighs as much
    as 1,000 users: of 100,000 users in two equal arms it finds 51.5 %.

    Raises ValueError as `sample_ratio`.

    Examples
    --------
    >>> sequential_ratio({"old": 8_950, "new": 1_050}, {"old": 0.9, "new": 0.1})
    users: old 8,950 (89.5%, plan 90.0%), new 1,050 (10.5%, plan 10.0%); p = 0.97, as dealt
    """
    from scipy.special import gammaln

    counts = counts_as_planned(counts, expected)
    n, share = np.array([*counts.values()], float), np.array([*expected.values()])
    prior = 1_000 * share
    log_factor = gammaln(prior + n).sum() - gammaln((prior + n).sum())
    log_factor += gammaln(prior.sum()) - gammaln(prior).sum() - (n * np.log(share)).sum()
    return SampleRatio(counts, dict(expected), float(np.exp(-max(log_factor, 0.0))), alpha)
