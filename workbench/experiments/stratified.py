"""The difference of two arms over several strata: compared within each, averaged over all."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from workbench.experiments.difference import Difference, Moments

__all__ = ["stratified"]


def stratified(
    control: Moments,
    treatment: Moments,
    weights: ArrayLike,
    *,
    confidence: float = 0.95,
    covariance: ArrayLike = ((0.0, 0.0), (0.0, 0.0)),
) -> Difference:
    """The weighted mean of the strata's differences, with interval; elementwise beyond axis 0.

    Parameters
    ----------
    control, treatment : Moments of arrays, shape (strata, ...)
        At least two users each.
    weights : array-like, shape (strata,) or (strata, ...)
        Of the strata, alike for both arms; they sum to 1.
    covariance : array-like, shape (2, 2) or (2, 2, ...)
        What users in several strata add to the (co)variances of the weighted means of control and
        treatment; 0 if everybody is in one.

    Returns
    -------
    Difference
        Of arrays, or of numbers if the strata hold numbers. Lift is NaN (None for numbers) where
        the means have no common sign.

    Raises
    ------
    ValueError
        If weights do not sum to 1, confidence is no share, or an arm has fewer than two users.

    Notes
    -----
    Post-stratification: Miratrix, Sekhon, Yu (2013), "Adjusting treatment effect estimates by
    post-stratification in randomized experiments", J. R. Stat. Soc. B 75, section 2. Degrees
    of freedom by Satterthwaite (1946), lift by the delta method on the logarithm of the ratio of
    both weighted means, as in `difference_in_means`, to which one stratum reduces.

    Examples
    --------
    >>> old = Moments(np.array([900, 500]), np.array([10.0, 20.0]), np.array([4.0, 4.0]))
    >>> new = Moments(np.array([100, 500]), np.array([9.0, 18.0]), np.array([4.0, 4.0]))
    >>> effect = stratified(old, new, [0.5, 0.5])
    >>> round(effect.difference, 2), round(effect.low, 2), round(effect.high, 2)
    (-1.5, -1.74, -1.26)
    """
    from scipy.stats import t as student

    if not 0 < confidence < 1:
        raise ValueError(f"confidence must be in (0, 1), got {confidence}")
    users = np.stack([np.asarray(arm.users, float) for arm in (control, treatment)])
    if (users < 2).any():
        raise ValueError("each arm needs at least two users in each stratum for a variance")
    mean, variance = (
        np.stack([np.asarray(getattr(arm, name), float) for arm in (control, treatment)])
        for name in ("mean", "variance")
    )
    weight = np.asarray(weights, float)
    if not np.allclose(weight.sum(axis=0), 1, rtol=0, atol=1e-9) or (weight < 0).any():
        raise ValueError(f"weights must be 0 or more and sum to 1, got {weight.tolist()}")
    weight = weight.reshape(weight.shape + (1,) * (mean.ndim - 1 - weight.ndim))
    means = (weight * mean).sum(axis=1)  # (2, ...)
    parts = weight**2 * variance / users
    shared = np.asarray(covariance, float)
    shared = shared.reshape(shared.shape + (1,) * (means.ndim + 1 - shared.ndim))
    tail = (1 + confidence) / 2

    def interval(scale):  # of the two weighted means, each divided by its scale
        pieces = parts / scale[:, None] ** 2
        plain = pieces.sum(axis=(0, 1))
        signs = np.array([[1, -1], [-1, 1]]).reshape(2, 2, *[1] * (scale.ndim - 1))
        total = plain + (signs * shared / (scale[:, None] * scale[None])).sum(axis=(0, 1))
        with np.errstate(divide="ignore", invalid="ignore"):
            freedom = plain**2 / (pieces**2 / (users - 1)).sum(axis=(0, 1))
        freedom = np.where(plain > 0, freedom, np.inf)
        return np.sqrt(np.maximum(total, 0)), freedom

    error, freedom = interval(np.ones_like(means))
    difference = means[1] - means[0]
    half = student.ppf(tail, freedom) * error
    with np.errstate(divide="ignore", invalid="ignore"):
        p_value = np.where(
            error > 0, 2 * student.sf(np.abs(difference) / error, freedom), difference == 0
        )
        ratio = np.where(means[0] * means[1] > 0, means[1] / means[0], np.nan)
        log_error, log_freedom = interval(np.where(means == 0, np.nan, means))
        factor = np.exp(student.ppf(tail, np.where(log_error > 0, log_freedom, 1)) * log_error)
    lifts = (ratio - 1, ratio / factor - 1, ratio * factor - 1)
    values = (difference, difference - half, difference + half, *lifts, p_value)
    if difference.ndim == 0:
        values = [None if np.isnan(value) else float(value) for value in values]
    return Difference(*values)
