"""The difference of two shares of users: also right where nobody, or everybody, converted."""

from __future__ import annotations

import numpy as np

from workbench.experiments.difference import (
    Difference,
    Moments,
    arrays,
    check_confidence,
    check_moments,
    made,
)

__all__ = ["difference_in_proportions"]


def difference_in_proportions(
    control: Moments, treatment: Moments, *, confidence: float = 0.95
) -> Difference:
    """Pooled z test, Newcombe's interval for the difference, the delta method's for the lift.

    Parameters
    ----------
    control, treatment : Moments
        `mean` is the share; `variance` is not looked at. Numbers or arrays.
    confidence : float, default 0.95
        Coverage of the intervals, in (0, 1).

    Returns
    -------
    Difference
        The lift is None (NaN in arrays) where an arm has no conversions.

    Raises
    ------
    ValueError
        If an arm has fewer than two users or a share is outside [0, 1] (of numbers; arrays are NaN
        there), or `confidence` is not in (0, 1).

    Notes
    -----
    p value: the z test with the pooled share, the same as Pearson's chi-square without continuity
    correction. Interval: Newcombe (1998), Statistics in Medicine 17, 873-890, method 10, made of
    two Wilson intervals, because Wald's has no width at 0 of n. Lift: Katz et al. (1978),
    Biometrics 34. So test and interval may disagree at the very edge. tea-tasting's intervals take
    the pooled variance, which holds only where there is no effect: ours each arm's own.

    Examples
    --------
    >>> result = difference_in_proportions(Moments(80, 48 / 80, 0), Moments(70, 56 / 70, 0))
    >>> round(result.low, 4), round(result.high, 4)                       # Newcombe, Table II
    (0.0524, 0.3339)
    """
    from scipy.stats import norm

    check_confidence(confidence)
    for arm, moments in (("control", control), ("treatment", treatment)):
        check_moments(arm, moments)
        if not np.ndim(moments.mean) and not 0 <= moments.mean <= 1:
            raise ValueError(f"{arm} needs a share in [0, 1], got {moments.mean}")
    (n0, p0, _), (n1, p1, _) = arrays(control), arrays(treatment)
    z = norm.ppf((1 + confidence) / 2)
    with np.errstate(divide="ignore", invalid="ignore"):
        few = (n0 < 2) | (n1 < 2) | ~((p0 >= 0) & (p0 <= 1) & (p1 >= 0) & (p1 <= 1))
        difference = np.where(few, np.nan, p1 - p0)
        pooled = (n0 * p0 + n1 * p1) / (n0 + n1)
        error = np.sqrt(pooled * (1 - pooled) * (1 / n0 + 1 / n1))
        p_value = 2 * norm.sf(np.abs(difference) / np.where(error > 0, error, 1.0))
        (low0, high0), (low1, high1) = _wilson(p0, n0, z), _wilson(p1, n1, z)
        low = difference - np.hypot(p1 - low1, high0 - p0)
        high = difference + np.hypot(high1 - p1, p0 - low0)
        ratio = np.where((p0 > 0) & (p1 > 0) & ~few, p1 / p0, np.nan)
        factor = np.exp(z * np.sqrt((1 - p0) / (n0 * p0) + (1 - p1) / (n1 * p1)))
    lifts = ratio - 1, ratio / factor - 1, ratio * factor - 1
    return made(difference, low, high, *lifts, p_value)


def _wilson(share, users, z) -> tuple[np.ndarray, np.ndarray]:
    middle = (share + z * z / (2 * users)) / (1 + z * z / users)
    spread = share * (1 - share) / users + z * z / (4 * users * users)
    half = z / (1 + z * z / users) * np.sqrt(spread)
    return np.where(share == 0, 0.0, middle - half), np.where(share == 1, 1.0, middle + half)
