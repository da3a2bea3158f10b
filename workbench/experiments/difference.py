"""The difference of two means, from three numbers per arm: element by element over arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

__all__ = ["Difference", "Moments", "difference_in_means"]


@dataclass(frozen=True, slots=True)
class Moments:
    """All that an arm needs to tell: how many users, their mean, their variance (n - 1).

    Each is a number, or an array of any shape: a thousand experiments, 28 days, six segments.
    """

    users: int | ArrayLike
    mean: float | ArrayLike
    variance: float | ArrayLike

    @property
    def error(self) -> float | np.ndarray:
        """Standard error of the mean; NaN below two users."""
        users = np.asarray(self.users, float)
        with np.errstate(divide="ignore", invalid="ignore"):
            error = np.where(users > 1, np.sqrt(np.asarray(self.variance, float) / users), np.nan)
        return plain(error)


@dataclass(frozen=True, slots=True)
class Difference:
    """Treatment minus control, absolute and relative, each with its interval.

    `lift` is treatment / control - 1; None (NaN in arrays) where the means have no common sign.
    """

    difference: float
    low: float
    high: float
    lift: float | None
    lift_low: float | None
    lift_high: float | None
    p_value: float


def difference_in_means(
    control: Moments, treatment: Moments, *, confidence: float = 0.95
) -> Difference:
    """Welch's interval for the difference and the delta method's for the lift.

    Parameters
    ----------
    control, treatment : Moments
        At least two users each. With arrays an element with fewer is NaN.
    confidence : float, default 0.95
        Coverage of the intervals, in (0, 1).

    Returns
    -------
    Difference
        In the metric's unit; the lift as a share (0.1 is ten per cent more). Floats for floats,
        arrays of the common shape for arrays.

    Raises
    ------
    ValueError
        If an arm has fewer than two users, a mean or variance is not finite or a variance is
        negative (of numbers; arrays are NaN there), or `confidence` is not in (0, 1).

    Notes
    -----
    Difference: Welch (1947), Biometrika 34, with Satterthwaite's degrees of freedom. Lift: the
    delta method on the logarithm of the ratio (Deng et al. 2018, KDD, section 2.1): its variance
    is var/(n mean**2) of both arms added. Two arms without variance are compared exactly.

    Examples
    --------
    >>> result = difference_in_means(Moments(900, 5.0, 9.0), Moments(100, 6.0, 16.0))
    >>> round(result.difference, 2), round(result.low, 2), round(result.p_value, 3)
    (1.0, 0.18, 0.017)
    >>> days = difference_in_means(Moments([90, 900], 5.0, 9.0), Moments([10, 100], 6.0, 16.0))
    >>> days.p_value.round(3)
    array([0.461, 0.017])
    """
    from scipy.stats import t as student

    check_confidence(confidence)
    for arm, moments in (("control", control), ("treatment", treatment)):
        check_moments(arm, moments)
    tail = (1 + confidence) / 2
    (n0, mean0, var0), (n1, mean1, var1) = arrays(control), arrays(treatment)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        few = (n0 < 2) | (n1 < 2) | ~np.isfinite(mean0 + mean1 + var0 + var1)
        difference = np.where(few, np.nan, mean1 - mean0)
        error, freedom = welch(var0 / n0, var1 / n1, n0, n1)
        certain = error == 0
        half = np.where(certain, 0.0, student.ppf(tail, freedom) * error)
        p_value = 2 * student.sf(np.abs(difference) / np.where(certain, 1.0, error), freedom)
        p_value = np.where(certain & ~few, difference == 0, p_value)
        ratio = np.where((mean0 * mean1 > 0) & ~few, mean1 / mean0, np.nan)
        error, freedom = welch(var0 / n0 / mean0**2, var1 / n1 / mean1**2, n0, n1)
        factor = np.exp(np.where(error == 0, 0.0, student.ppf(tail, freedom) * error))
        lifts = ratio - 1, ratio / factor - 1, ratio * factor - 1
    low, high = difference - half, difference + half
    return made(difference, low, high, *lifts, p_value)


def made(*fields: np.ndarray) -> Difference:
    """A Difference of floats, with None for a lift that is none, or of arrays."""
    fields = [plain(each) for each in np.broadcast_arrays(*fields)]
    for place in (3, 4, 5):
        if isinstance(fields[place], float) and np.isnan(fields[place]):
            fields[place] = None
    return Difference(*fields)


def plain(value: np.ndarray) -> float | np.ndarray:
    """A float for an array without dimensions."""
    value = np.asarray(value, float)
    return float(value) if value.ndim == 0 else value


def arrays(moments: Moments) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Users, mean and variance as arrays of float."""
    return tuple(
        np.asarray(each, float) for each in (moments.users, moments.mean, moments.variance)
    )


def welch(first, second, n0, n1) -> tuple[np.ndarray, np.ndarray]:
    """Standard error and degrees of freedom from each arm's variance of the mean."""
    total = first + second
    freedom = total**2 / (first**2 / (n0 - 1) + second**2 / (n1 - 1))
    return np.sqrt(total), np.where(total > 0, freedom, np.nan)


def check_confidence(confidence: float) -> None:
    """Raises ValueError unless the coverage lies in (0, 1)."""
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must be in (0, 1), got {confidence}")


def check_moments(arm: str, moments: Moments) -> None:
    """Raises ValueError for numbers that are no moments; arrays may hold such elements."""
    users, mean, variance = arrays(moments)
    if np.any(variance < 0):
        raise ValueError(f"{arm} has a negative variance, {np.min(variance):.3g}")
    if users.ndim + mean.ndim + variance.ndim:
        return
    if users < 2:
        raise ValueError(f"{arm} needs at least two users for a variance, got {moments.users}")
    if not np.isfinite(mean + variance):
        raise ValueError(f"{arm} must have a finite mean and variance, got {mean} and {variance}")
