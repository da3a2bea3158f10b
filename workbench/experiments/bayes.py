"""What to believe after the experiment, and what a wrong choice would cost.

prior, data ─► posterior of (new - old) ─► P(new is better), loss if we ship, loss if we keep
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from workbench.experiments.difference import (
    Moments,
    arrays,
    check_confidence,
    check_moments,
    plain,
)

__all__ = ["Posterior", "posterior_of_means", "posterior_of_proportions"]


@dataclass(frozen=True, slots=True)
class Posterior:
    """Treatment minus control, as believed after the data.

    Parameters
    ----------
    mean, sd : float
        Of the difference, in the metric's unit.
    low, high : float
        Equal-tailed credible interval.
    better : float
        Probability that the treatment has the higher mean.
    loss_if_shipped, loss_if_kept : float
        Expected loss per user of choosing the treatment (the control) where the other is better.
    """

    mean: float
    sd: float
    low: float
    high: float
    better: float
    loss_if_shipped: float
    loss_if_kept: float
    confidence: float

    def __repr__(self) -> str:
        if np.ndim(self.mean):
            return f"Posterior of {np.size(self.mean)} comparisons"
        return (
            f"difference {self.mean:+.3g} [{self.low:+.3g}, {self.high:+.3g}], "
            f"better with probability {self.better:.3g}\n"
            f"expected loss per user: {self.loss_if_shipped:.3g} if shipped, "
            f"{self.loss_if_kept:.3g} if kept"
        )


def posterior_of_means(
    control: Moments,
    treatment: Moments,
    *,
    prior_mean: float = 0.0,
    prior_sd: float | ArrayLike = np.inf,
    confidence: float = 0.95,
) -> Posterior:
    """Normal prior of the difference, normal likelihood: the posterior is normal.

    Parameters
    ----------
    control, treatment : Moments
        At least some tens of users each, so that means are normal. Numbers, or arrays.
    prior_mean, prior_sd : float
        What was believed of the difference before, in the metric's unit: the spread of the effects
        of earlier experiments. Infinite by default: no belief, and the interval is the classical.
    confidence : float, default 0.95
        Of the credible interval.

    Raises
    ------
    ValueError
        If an arm has fewer than two users, or the prior's spread is not positive.

    Notes
    -----
    Gelman et al. (2013), "Bayesian data analysis", section 2.5. Expected loss of a normal: with
    z = mean / sd, E max(0, -difference) = sd (phi(z) - z Phi(-z)).

    Examples
    --------
    >>> posterior_of_means(Moments(900, 5.0, 9.0), Moments(100, 6.0, 16.0), prior_sd=0.5)
    difference +0.595 [-0.0282, +1.22], better with probability 0.969
    expected loss per user: 0.00379 if shipped, 0.599 if kept
    """
    check_confidence(confidence)
    prior_sd = np.asarray(prior_sd, float)
    if not np.all(prior_sd > 0) or not np.isfinite(prior_mean):
        raise ValueError(
            f"the prior needs a mean and a positive spread, got {prior_mean} and {prior_sd}"
        )
    for arm, moments in (("control", control), ("treatment", treatment)):
        check_moments(arm, moments)
    (n0, mean0, var0), (n1, mean1, var1) = arrays(control), arrays(treatment)
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = np.where((n0 < 2) | (n1 < 2), np.nan, var0 / n0 + var1 / n1)
        weight = np.where(np.isinf(prior_sd), 1.0, prior_sd**2 / (prior_sd**2 + variance))
        mean = weight * (mean1 - mean0) + (1 - weight) * prior_mean
        return _normal(mean, np.sqrt(weight * variance), confidence)


def posterior_of_proportions(
    control: Moments,
    treatment: Moments,
    *,
    prior: tuple[float, float] = (1.0, 1.0),
    confidence: float = 0.95,
) -> Posterior:
    """Beta prior of each arm's share, binomial likelihood; the difference by quadrature.

    Parameters
    ----------
    control, treatment : Moments
        `mean` is the share of users; one number each.
    prior : pair of float, default (1, 1)
        Conversions and non-conversions of each arm believed before; at least 1 each.
    confidence : float, default 0.95
        Of the credible interval.

    Raises
    ------
    ValueError
        If a share is outside [0, 1], arrays are given or the prior is below 1.

    Notes
    -----
    Stucchio (2015), "Bayesian A/B testing at VWO", sections 3 and 4: expected loss. The integrals
    are by Gauss-Legendre where the densities are not zero, exact to about ten digits.

    Examples
    --------
    >>> posterior_of_proportions(Moments(1_000, 0.10, 0), Moments(1_000, 0.12, 0))
    difference +0.02 [-0.00747, +0.0475], better with probability 0.923
    expected loss per user: 0.000485 if shipped, 0.0204 if kept
    """
    from scipy.optimize import brentq
    from scipy.stats import beta

    check_confidence(confidence)
    if not all(np.isfinite(each) and each >= 1 for each in prior):
        raise ValueError(f"prior must be two numbers of at least 1, got {prior}")
    arms = []
    for name, moments in (("control", control), ("treatment", treatment)):
        users, share, _ = arrays(moments)
        if users.ndim or share.ndim or not 0 <= share <= 1 or users < 1:
            raise ValueError(f"{name} needs users and one share in [0, 1], got {moments}")
        arms.append(beta(prior[0] + users * share, prior[1] + users * (1 - share)))
    old, new = arms
    mean, sd = new.mean() - old.mean(), np.hypot(new.std(), old.std())
    node, weight = np.polynomial.legendre.leggauss(400)

    def over(arm):
        """Points and weights for the expectation under one arm."""
        low, high = arm.ppf(1e-16), arm.isf(1e-16)
        x = (high + low) / 2 + (high - low) / 2 * node
        mass = weight * (high - low) / 2 * arm.pdf(x)
        return x, mass / mass.sum()

    x, mass = over(new)
    up, share = over(old)

    def below(shift):
        """Probability that the difference is below the shift."""
        return float(share @ new.cdf(up + shift))

    tails = (1 - confidence) / 2, (1 + confidence) / 2
    low, high = (brentq(lambda at, t=t: below(at) - t, -1.0, 1.0, xtol=1e-12) for t in tails)
    # E max(0, old - new) = E_new of the integral of the old arm above new
    a, b = old.args
    after = beta(a + 1, b)  # x times a density is that of one conversion more, times the mean
    loss = float(mass @ (old.mean() * after.sf(x) - x * old.sf(x)))
    return Posterior(
        float(mean), float(sd), low, high, 1 - below(0.0), loss, loss + float(mean), confidence
    )


def _normal(mean: np.ndarray, sd: np.ndarray, confidence: float) -> Posterior:
    from scipy.stats import norm

    half = norm.ppf((1 + confidence) / 2) * sd
    z = mean / np.where(sd > 0, sd, 1.0)
    better = np.where(sd > 0, norm.cdf(z), np.where(mean == 0, 0.5, mean > 0))
    shipped = np.where(sd > 0, sd * (norm.pdf(z) - z * norm.sf(z)), -mean)
    kept = np.where(sd > 0, sd * (norm.pdf(z) + z * norm.cdf(z)), mean)
    shipped, kept = np.maximum(shipped, 0.0), np.maximum(kept, 0.0)
    unknown = np.isnan(sd)
    better, shipped, kept = (np.where(unknown, np.nan, e) for e in (better, shipped, kept))
    fields = np.broadcast_arrays(mean, sd, mean - half, mean + half, better, shipped, kept)
    return Posterior(*(plain(each) for each in fields), confidence)
