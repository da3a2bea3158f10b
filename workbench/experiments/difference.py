"""The difference of two means, from three numbers per arm."""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = ["Difference", "Moments", "difference_in_means"]


@dataclass(frozen=True, slots=True)
class Moments:
    """All that an arm needs to tell: how many users, their mean, their variance (n - 1)."""

    users: int
    mean: float
    variance: float


@dataclass(frozen=True, slots=True)
class Difference:
    """Treatment minus control, absolute and relative, each with its interval.

    `lift` is treatment / control - 1; None where the means have no common sign.
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
        At least two users each.
    confidence : float, default 0.95
        Coverage of the intervals, in (0, 1).

    Returns
    -------
    Difference
        In the metric's unit; the lift as a share (0.1 is ten per cent more).

    Raises
    ------
    ValueError
        If an arm has fewer than two users, or `confidence` is not in (0, 1).

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
    """
    from scipy.stats import t as student

    if not 0 < confidence < 1:
        raise ValueError(f"confidence must be in (0, 1), got {confidence}")
    for arm, moments in (("control", control), ("treatment", treatment)):
        if moments.users < 2:
            raise ValueError(f"{arm} needs at least two users for a variance, got {moments.users}")
    tail = (1 + confidence) / 2
    difference = treatment.mean - control.mean
    error, freedom = _welch(control, treatment, 1.0, 1.0)
    if error == 0:
        half, p_value = 0.0, float(difference == 0)
    else:
        half = float(student.ppf(tail, freedom)) * error
        p_value = float(2 * student.sf(abs(difference) / error, freedom))
    lift = lift_low = lift_high = None
    if control.mean * treatment.mean > 0:
        ratio = treatment.mean / control.mean
        error, freedom = _welch(control, treatment, control.mean, treatment.mean)
        factor = math.exp(float(student.ppf(tail, freedom)) * error) if error else 1.0
        lift, lift_low, lift_high = ratio - 1, ratio / factor - 1, ratio * factor - 1
    return Difference(
        difference, difference - half, difference + half, lift, lift_low, lift_high, p_value
    )


def _welch(control, treatment, control_scale, treatment_scale) -> tuple[float, float]:
    """Standard error and degrees of freedom, each arm divided by its scale."""
    first = control.variance / control.users / control_scale**2
    second = treatment.variance / treatment.users / treatment_scale**2
    if first + second == 0:
        return 0.0, math.inf
    freedom = (first + second) ** 2 / (
        first**2 / (control.users - 1) + second**2 / (treatment.users - 1)
    )
    return math.sqrt(first + second), freedom
