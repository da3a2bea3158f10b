"""From sufficient statistics to the moments of a metric: ratios by the delta method, CUPED.

    means, covariances of columns ─► of quantities (ratio: gradient) ─► less what covariates say

Everything is elementwise over the leading axes of a `Sample`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from workbench.experiments.difference import Moments, plain
from workbench.experiments.metric import Metric, Quantity, columns_of, covariates_of
from workbench.experiments.statistics import Sample

__all__ = ["Adjusted", "adjust", "moments_of"]


@dataclass(frozen=True, slots=True)
class Adjusted:
    """Both arms after CUPED.

    `coefficients` (..., covariates) are those of the regression on both arms pooled; `reduction` is
    the share of the variance of the difference that went (0 without covariates).
    """

    control: Moments
    treatment: Moments
    coefficients: np.ndarray
    reduction: float | np.ndarray


def moments_of(sample: Sample, metric: Metric) -> Moments:
    """Users, mean and variance of a metric in one sample, without covariates.

    >>> from workbench.experiments.metric import Ratio
    >>> covariance = np.array([[4.0, 1.0], [1.0, 2.0]])
    >>> sample = Sample(("sum|clicks", "sum|views"), 9, np.array([1.0, 2.0]), covariance)
    >>> moments_of(sample, Ratio("clicks", "views"))
    Moments(users=9, mean=0.5, variance=0.875)

    Notes
    -----
    Ratio: Deng, Knoblich & Lu (2018), KDD, equation 3: (var x - 2 r cov + r**2 var y) / mean y**2.
    """
    sample = sample.of([column.key for column in metric.quantity.columns])
    means, covariance = _quantities(sample, (metric.quantity,))
    return Moments(sample.users, plain(means[..., 0]), plain(covariance[..., 0, 0]))


def adjust(control: Sample, treatment: Sample, metric: Metric) -> Adjusted:
    """Moments of both arms, less what their covariates explain.

    Parameters
    ----------
    control, treatment : Sample
        Of one shape, with the columns the metric needs.
    metric : Metric
        Its covariates must be known before the user was dealt: checked nowhere but in your head,
        and by `pre_period` of the validity checks.

    Notes
    -----
    Deng, Xu, Kohavi & Walker (2013), WSDM, section 4.1: y - theta (x - mean x), theta = cov(y, x) /
    var(x), of both arms pooled into one sample, as tea-tasting does; with several covariates theta
    is their regression (section 4.2). Covariates without variance, or that repeat others, change
    nothing. Degrees of freedom are not lowered for the coefficients: with at least a hundred users
    per covariate that is below one per cent of the error.

    Examples
    --------
    >>> from workbench.experiments.metric import Mean
    >>> names = ("sum|spent", "first|before")
    >>> arms = [Sample(names, 100, np.array(m), np.array([[4.0, 3.0], [3.0, 4.0]]))
    ...         for m in ([5.0, 2.0], [6.0, 2.0])]
    >>> round(adjust(*arms, Mean("spent", ["before"])).reduction, 4)
    0.5625
    """
    names = [column.key for column in columns_of(metric)]
    control, treatment = control.of(names), treatment.of(names)
    covariates = covariates_of(metric)
    wanted = (metric.quantity, *covariates)
    (means0, cov0), (means1, cov1) = (_quantities(arm, wanted) for arm in (control, treatment))
    raw0, raw1 = cov0[..., 0, 0], cov1[..., 0, 0]
    if not covariates:
        theta = np.zeros((*raw0.shape, 0))
    else:
        means, pooled = _quantities(control + treatment, wanted)
        theta = _solve(pooled[..., 1:, 1:], pooled[..., 1:, 0])
        means0, means1 = (
            each[..., 0] - np.sum(theta * (each[..., 1:] - means[..., 1:]), axis=-1)
            for each in (means0, means1)
        )
        cov0, cov1 = (_less(theta, each) for each in (cov0, cov1))
    if not covariates:
        means0, means1, cov0, cov1 = means0[..., 0], means1[..., 0], raw0, raw1
    with np.errstate(divide="ignore", invalid="ignore"):
        before = raw0 / control.users + raw1 / treatment.users
        after = cov0 / control.users + cov1 / treatment.users
        reduction = np.where(before > 0, 1 - after / before, 0.0)
    return Adjusted(
        Moments(control.users, plain(means0), plain(cov0)),
        Moments(treatment.users, plain(means1), plain(cov1)),
        theta,
        plain(reduction),
    )


def _quantities(sample: Sample, wanted: tuple[Quantity, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Means (..., q) and covariances (..., q, q) of quantities, ratios linearised at the means."""
    means, gradients = [], []
    for quantity in wanted:
        gradient = np.zeros(sample.means.shape)
        top = sample.columns.index(quantity.numerator.key)
        value = sample.means[..., top]
        if quantity.denominator is None:
            gradient[..., top] = 1.0
        else:
            below = sample.columns.index(quantity.denominator.key)
            divisor = sample.means[..., below]
            if sample.means.ndim == 1 and divisor == 0:
                raise ValueError(f"the sum of {quantity.denominator.name!r} is 0: no ratio")
            with np.errstate(divide="ignore", invalid="ignore"):
                value = value / divisor
                gradient[..., top] = 1 / divisor
                gradient[..., below] = -value / divisor
        means.append(value)
        gradients.append(gradient)
    gradient = np.stack(gradients, axis=-2)
    covariance = gradient @ sample.covariance @ np.swapaxes(gradient, -1, -2)
    return np.stack(means, axis=-1), covariance


def _solve(variance: np.ndarray, with_value: np.ndarray) -> np.ndarray:
    """Regression coefficients (..., covariates), by the pseudo-inverse of the correlations."""
    scale = np.sqrt(np.diagonal(variance, axis1=-2, axis2=-1))
    safe = np.where(scale > 0, scale, 1.0)
    correlation = variance / safe[..., :, None] / safe[..., None, :]
    usable = np.isfinite(correlation).all(axis=(-2, -1)) & np.isfinite(with_value).all(axis=-1)
    correlation = np.where(usable[..., None, None], correlation, 0.0)
    inverse = np.linalg.pinv(correlation, rcond=1e-12, hermitian=True)
    value = np.where(usable[..., None], with_value / safe, np.nan)
    return (inverse @ value[..., None])[..., 0] / safe


def _less(theta: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    """The variance of what is left: var y - 2 theta cov + theta var x theta."""
    explained = np.einsum("...i,...ij,...j->...", theta, covariance[..., 1:, 1:], theta)
    both = np.einsum("...i,...i->...", theta, covariance[..., 1:, 0])
    return np.maximum(covariance[..., 0, 0] + explained - 2 * both, 0.0)
