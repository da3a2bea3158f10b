"""How many users does the experiment need, and what can it see? Before anybody is dealt.

    effect, variance ──► sample_size                ──► users
    users, variance  ──► minimum_detectable_effect  ──► effect
    effect, users    ──► power                      ──► chance to see it

`Design` says how it will be tested. All is of the t-test that reads it out later, element by
element over arrays, so that a curve is one call. For a ratio or CUPED the variance is that of
`moments_of` or `adjust`; `duration` takes it, and the traffic, from one's own log.
"""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real

import numpy as np
from numpy.typing import ArrayLike

from workbench.experiments.difference import plain

__all__ = ["Design", "minimum_detectable_effect", "power", "sample_size"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Design:
    """How the experiment will be tested.

    Parameters
    ----------
    alpha : float, default 0.05
        Chance to claim an effect that is not there: two-sided, one-sided with a margin.
    power : float, default 0.8
        Chance to see the effect that is planned for.
    treatment_share : float, default 0.5
        Share of the experiment's users in the treatment.
    margin : float, optional
        For non-inferiority: the loss that is borne, positive, in the metric's unit. The test is
        then that of `non_inferiority`, one-sided, and effects count upwards as better.
    inflation : float, default 1
        Users of the sequential procedure over users of one look at the end. Five equal looks at
        these alpha and power: 1.028 for O'Brien & Fleming, 1.229 for Pocock (Jennison & Turnbull
        2000, "Group sequential methods", tables 2.4 and 2.2).

    >>> Design(treatment_share=0.05).inflation
    1.0
    """

    alpha: float = 0.05
    power: float = 0.8
    treatment_share: float = 0.5
    margin: float | None = None
    inflation: float = 1.0

    def __post_init__(self):
        for name in ("alpha", "power", "treatment_share"):
            if not isinstance(getattr(self, name), Real):
                raise ValueError(f"{name} must be a number, got {getattr(self, name)!r}")
            if not 0 < getattr(self, name) < 1:
                raise ValueError(f"{name} must be in (0, 1), got {getattr(self, name)}")
        if self.power <= self.alpha:
            raise ValueError(f"power must exceed alpha, got {self.power} and {self.alpha}")
        if self.margin is not None and not 0 < self.margin < np.inf:
            raise ValueError(f"margin must be positive, got {self.margin}")
        if not 1 <= self.inflation < np.inf:
            raise ValueError(f"inflation must be 1 or more, got {self.inflation}")


def power(
    effect: ArrayLike,
    users: ArrayLike,
    variance: ArrayLike,
    *,
    variance_treatment: ArrayLike | None = None,
    design: Design = Design(),
) -> float | np.ndarray:
    """Chance that the experiment tells this effect from none (or from the margin).

    Parameters
    ----------
    effect : float or array
        True difference, treatment minus control, in the metric's unit.
    users : float or array
        In the whole experiment, both arms.
    variance : float or array
        Of the metric between users of the control.
    variance_treatment : float or array, optional
        Of those of the treatment; the same by default.
    design : Design
        Its `power` is not used.

    Returns
    -------
    float or ndarray
        In [0, 1]; NaN where an arm has fewer than two users.

    Raises
    ------
    ValueError
        If a number is not finite, or a variance or the users are negative.

    Notes
    -----
    Noncentral t: Cohen (1988), "Statistical power analysis for the behavioral sciences", chapter 2;
    with unequal variances the degrees of freedom are those of Welch and Satterthwaite. Both tails.

    Examples
    --------
    >>> round(power(0.5, users=128, variance=1.0), 4)      # Cohen: 64 in each arm
    0.8015
    """
    effect = _finite("effect", effect)
    error, freedom = _error(users, variance, variance_treatment, design)
    away = effect + (design.margin or 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        noncentrality = away / np.where(error == 0, 1.0, error)
        chance = _chance(noncentrality, freedom, design)
    sure = away > 0 if design.margin is not None else away != 0
    none = 0.0 if design.margin is not None else design.alpha
    return plain(np.where(error == 0, np.where(sure, 1.0, none), chance))


def sample_size(
    effect: ArrayLike,
    variance: ArrayLike,
    *,
    variance_treatment: ArrayLike | None = None,
    design: Design = Design(),
) -> int | np.ndarray:
    """Users that the whole experiment needs for its power; each arm is rounded up.

    Parameters
    ----------
    effect : float or array
        As `power`. With a margin it may be 0: "no loss, in truth".
    variance, variance_treatment : float or array
        As `power`.

    Returns
    -------
    int, or ndarray of float
        At least two users an arm. In arrays, infinity where no number of users is enough.

    Raises
    ------
    ValueError
        As `power`, or if no number of users is enough: there is no effect, or a loss of the margin.

    Examples
    --------
    >>> sample_size(0.5, 1.0), sample_size([0.2, 0.5, 0.8], 1.0)
    (128, array([788., 128.,  52.]))
    >>> round(sample_size(0.05 * 3.75, 30.0**2, design=Design(treatment_share=0.1)), -3)
    2233000
    """
    effect = _finite("effect", effect)
    away = effect + (design.margin or 0.0)
    never = away <= 0 if design.margin is not None else away == 0
    if never.ndim == 0 and never:
        rule = (
            f"above the loss borne, {-design.margin:.3g}" if design.margin else "different from 0"
        )
        raise ValueError(f"effect must be {rule}, got {effect}: no number of users is enough")
    shares = np.array([1 - design.treatment_share, design.treatment_share])
    low = np.log(2 / shares.min())
    _error(np.exp(low), variance, variance_treatment, design)  # checks
    per_user = _finite("variance", variance) / shares[0]
    treated = variance if variance_treatment is None else variance_treatment
    per_user = (per_user + _finite("variance_treatment", treated) / shares[1]) * design.inflation
    # Chernoff's bound on the normal's tails: enough for any alpha and power
    enough = 4 * (-2 * np.log(design.alpha / 4) - 2 * np.log((1 - design.power) / 2))
    with np.errstate(divide="ignore", invalid="ignore"):
        high = np.log(enough * per_user / away**2 + 200 / shares.min())
    high = np.where(never, low, high)
    high, away = np.broadcast_arrays(high, away)
    low = np.full(high.shape, low)
    given = {"variance_treatment": variance_treatment, "design": design}
    for _ in range(50):
        middle = (low + high) / 2
        reached = np.asarray(power(effect, np.exp(middle), variance, **given)) >= design.power
        low, high = np.where(reached, low, middle), np.where(reached, middle, high)
    least = np.maximum(np.exp(high), 2 / shares.min())
    arms = np.ceil(least[..., None] * shares * (1 - 1e-9))
    total = np.where(never, np.inf, arms.sum(axis=-1))
    return int(total) if total.ndim == 0 else total


def minimum_detectable_effect(
    users: ArrayLike,
    variance: ArrayLike,
    *,
    variance_treatment: ArrayLike | None = None,
    design: Design = Design(),
) -> float | np.ndarray:
    """The smallest effect that the experiment sees with its power, in the metric's unit.

    Parameters
    ----------
    users, variance, variance_treatment
        As `power`. With an array of users it is the curve.

    Returns
    -------
    float or ndarray
        Positive. With a margin: the true effect from which on a loss of the margin is ruled out,
        negative where even a small loss is. NaN where an arm has fewer than two users.

    Raises
    ------
    ValueError
        As `power`.

    Examples
    --------
    >>> minimum_detectable_effect([1_000, 4_000, 16_000], 100.0).round(2)
    array([1.77, 0.89, 0.44])
    """
    from scipy.stats import norm
    from scipy.stats import t as student

    error, freedom = _error(users, variance, variance_treatment, design)
    sides = 2 if design.margin is None else 1
    wanted = norm.ppf(design.power)
    with np.errstate(invalid="ignore"):
        away = student.isf(design.alpha / sides, freedom) + wanted
        for _ in range(100):  # the normal quantile of power is almost linear in what is sought
            step = wanted - norm.ppf(_chance(away, freedom, design))
            away = away + step
            if not np.any(np.abs(step) > 1e-12):
                break
    least = np.where(error == 0, 0.0, away * error)
    return plain(least - (design.margin or 0.0))


def _chance(noncentrality, freedom, design: Design) -> np.ndarray:
    from scipy.stats import nct
    from scipy.stats import t as student

    sided = 2 if design.margin is None else 1
    critical = student.isf(design.alpha / sided, freedom)
    far = 1_000 + 10 * critical  # beyond it the chance is 0 or 1, and SciPy's NaN
    noncentrality = np.clip(noncentrality, -far, far)
    if sided == 1:
        return nct.sf(critical, freedom, noncentrality)
    noncentrality = np.abs(noncentrality)
    # the other tail is below Phi(-noncentrality), and SciPy gives NaN where that is minute
    wrong = np.where(noncentrality > 7, 0.0, nct.cdf(-critical, freedom, noncentrality))
    return nct.sf(critical, freedom, noncentrality) + wrong


def _error(users, variance, variance_treatment, design: Design) -> tuple[np.ndarray, np.ndarray]:
    """Standard error, inflated for looks, and degrees of freedom; NaN below two users an arm."""
    users, variance = _finite("users", users), _finite("variance", variance)
    treated = variance
    if variance_treatment is not None:
        treated = _finite("variance_treatment", variance_treatment)
    for name, each in (("users", users), ("variance", variance), ("variance_treatment", treated)):
        if np.any(each < 0):
            raise ValueError(f"{name} must not be negative, got {np.min(each):.3g}")
    n0, n1 = users * (1 - design.treatment_share), users * design.treatment_share
    few = np.minimum(n0, n1) < 2 * (1 - 1e-9)
    with np.errstate(divide="ignore", invalid="ignore"):
        first, second = variance / n0, treated / n1
        total = first + second
        freedom = total**2 / (first**2 / (n0 - 1) + second**2 / (n1 - 1))
    error = np.where(few, np.nan, np.sqrt(total * design.inflation))
    return error, np.where(few | (total == 0), np.nan, freedom)


def _finite(name: str, value: ArrayLike) -> np.ndarray:
    try:
        made = np.asarray(value, float)
    except (TypeError, ValueError):
        raise ValueError(f"{name} must be numbers, got {value!r}") from None
    if not np.isfinite(made).all():
        raise ValueError(f"{name} must be finite, got {made[~np.isfinite(made)][0]}")
    return made
