"""How far an effect must be from zero when one looks more than once.

    z of one look  ──► fixed:             1.96 at every look        right for one look only
                   ──► group_sequential:  boundaries that share out alpha over a plan of looks
                   ──► always valid:      an interval that holds at all times at once, no plan

Everything is elementwise over arrays: estimates, variances *of the estimate*, users. A thousand
experiments of thirty looks are one call.

- Spending: Lan & DeMets (1983), "Discrete sequential boundaries for clinical trials", Biometrika
  70. The boundaries come from the recursion of Armitage, McPherson & Rowe (1969), in `recursion`;
  Jennison & Turnbull (2000), "Group sequential methods with applications to clinical trials".
- mSPRT: Robbins (1970), "Statistical methods related to the law of the iterated logarithm", Ann.
  Math. Stat. 41; Johari, Koomen, Pekelis, Walsh (2022), "Always valid inference: continuous
  monitoring of A/B tests", Operations Research 70, equation 6.
- Asymptotic confidence sequence: Waudby-Smith, Arbour, Sinha, Kennedy, Ramdas (2024),
  "Time-uniform central limit theory and asymptotic confidence sequences", Ann. Stat. 52, theorem
  2.2; rho by their appendix B.2.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from workbench.experiments.recursion import boundaries_of, spent_by

__all__ = ["confidence_sequence", "group_sequential", "msprt", "repeated_p_value", "spending"]

KINDS = ("obrien_fleming", "pocock")
_ALPHAS, _LEAST_P, _TOGETHER = 64, 1e-7, 32


def spending(
    information: ArrayLike, alpha: float = 0.05, kind: str = "obrien_fleming"
) -> np.ndarray:
    """How much of alpha may have been spent by a look, two-sided, shape (looks,).

    Parameters
    ----------
    information : array-like, shape (looks,)
        Share of the planned information: users so far / users in the end, in (0, 1].
    alpha : float
        In all.
    kind : {"obrien_fleming", "pocock"}
        The first spends hardly anything early, the second about evenly.

    Raises
    ------
    ValueError
        If a number is out of its range, or the kind unknown.

    Examples
    --------
    >>> spending([0.2, 0.6, 1]).round(5).tolist()
    [0.0, 0.00762, 0.05]
    """
    share = np.asarray(information, float)
    _check_alpha(alpha)
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {KINDS}, got {kind!r}")
    if not ((share > 0) & (share <= 1 + 1e-12)).all():
        raise ValueError(f"information must be shares in (0, 1], got {share.tolist()}")
    return spent_by(share, alpha, kind)


def group_sequential(
    information: ArrayLike, alpha: float = 0.05, kind: str = "obrien_fleming"
) -> np.ndarray:
    """Critical |z| at each look, shape (looks,): crossed by chance in alpha of the experiments.

    Looks need not be even, nor known beforehand: a boundary depends on this and earlier looks. A
    look with less than a ten-thousandth more information than the last has an infinite one; what
    it might have spent is left to the next.

    Parameters
    ----------
    information : array-like, shape (looks,)
        Shares of the planned information, rising, in (0, 1].
    alpha : float
        Two-sided, over all looks.
    kind : {"obrien_fleming", "pocock"}

    Raises
    ------
    ValueError
        If looks do not rise, or a number is out of its range.

    Examples
    --------
    >>> group_sequential([0.2, 0.4, 0.6, 0.8, 1]).round(3).tolist()
    [4.877, 3.357, 2.68, 2.29, 2.031]
    """
    share = np.atleast_1d(np.asarray(information, float))
    if share.ndim > 1 or not len(share) or (np.diff(share) <= 0).any():
        raise ValueError(f"information must rise from look to look, got {share.tolist()}")
    spending(share, alpha, kind)  # checks
    return boundaries_of(tuple(share.tolist()), (alpha,), kind)[0].copy()


def repeated_p_value(
    z: ArrayLike, information: ArrayLike, kind: str = "obrien_fleming"
) -> np.ndarray:
    """Smallest alpha at which the look would cross its boundary, shape of `z`.

    Parameters
    ----------
    z : array-like, shape (looks,) or (n, looks)
        Estimate / standard error at each look.
    information : array-like, shape (looks,)

    Notes
    -----
    Jennison & Turnbull (2000), section 9.3: the p-values that go with repeated confidence
    intervals. Interpolated between the boundaries of 64 alphas, to about 1 % of p; below 1e-7 it
    reads 1e-7, above 0.999 it reads 1.

    Examples
    --------
    >>> repeated_p_value([2.5, 2.5], [0.5, 1]).round(4).tolist()
    [0.1059, 0.0125]
    """
    share, z = np.atleast_1d(np.asarray(information, float)), np.abs(np.asarray(z, float))
    if z.shape[-1:] != share.shape:
        raise ValueError(f"z needs one column per look, {len(share)}, got shape {z.shape}")
    group_sequential(share, 0.05, kind)  # checks
    alphas = np.exp(np.linspace(math.log(_LEAST_P), math.log(0.999), _ALPHAS))
    some = (tuple(each.tolist()) for each in alphas.reshape(-1, _TOGETHER))
    bounds = np.vstack([boundaries_of(tuple(share.tolist()), each, kind) for each in some])
    p_value = np.empty(z.shape)
    for look in range(len(share)):  # bounds fall as alpha rises
        log_p = np.interp(-z[..., look], -bounds[:, look], np.log(alphas))
        p_value[..., look] = np.exp(log_p)
    p_value[z <= bounds[-1]] = 1.0
    return np.where(np.isnan(z), np.nan, p_value)


def msprt(
    estimate: ArrayLike, variance: ArrayLike, *, tau: ArrayLike, alpha: float = 0.05
) -> tuple[np.ndarray, np.ndarray]:
    """Half-width and p-value of the mixture sequential test at each moment.

    Parameters
    ----------
    estimate, variance : array-like
        The difference, and the variance of this estimate.
    tau : array-like
        Standard deviation of effects that one expects, in the unit of the estimate. It decides
        when the test is strongest, never whether it is right. It must not be chosen from the
        same data.
    alpha : float

    Returns
    -------
    half_width, p_value : ndarray
        The p-value is of this moment; its running minimum over the looks is valid too.

    Raises
    ------
    ValueError
        If `tau` is not above zero, a variance is negative, or alpha out of (0, 1).

    Examples
    --------
    >>> half, p = msprt(2.5, 1.0, tau=2.0)
    >>> half.round(3), p.round(3)
    (np.float64(3.082), np.float64(0.184))
    """
    _check_alpha(alpha)
    estimate, v = np.asarray(estimate, float), _variance(variance)
    prior = np.asarray(tau, float) ** 2
    if not ((np.asarray(tau, float) > 0) & np.isfinite(np.asarray(tau, float))).all():
        raise ValueError(f"tau must be above zero, got {tau!r}, and finite")
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        shrunk = v / (v + prior)
        log_ratio = 0.5 * np.log(shrunk) + estimate**2 * prior / (2 * v * (v + prior))
        half = np.sqrt((v + prior) * v / prior * (2 * np.log(1 / alpha) - np.log(shrunk)))
    none = v == 0
    certain = np.where(estimate == 0, 1.0, 0.0)
    p_value = np.where(none, certain, np.minimum(1.0, np.exp(-log_ratio)))
    return np.where(none, 0.0, half)[()], p_value[()]


def confidence_sequence(
    users: ArrayLike, variance: ArrayLike, *, tuned_at: float, alpha: float = 0.05
) -> np.ndarray:
    """Half-width of an asymptotic confidence sequence for a difference, shape of the arguments.

    Parameters
    ----------
    users : array-like
        Of all arms together, so far.
    variance : array-like
        Of the estimate, now: `users x variance` is the variance of one user's contribution.
    tuned_at : float
        The number of users at which it is to be narrowest; about the planned ones.
    alpha : float

    Raises
    ------
    ValueError
        If `tuned_at` is not above zero, users or a variance negative, or alpha out of (0, 1).

    Notes
    -----
    Waudby-Smith et al. (2024), theorem 2.2: sigma sqrt((t rho^2 + 1) / (t^2 rho^2)
    log((t rho^2 + 1) / alpha^2)), with rho^2 = (-2 log alpha + log(-2 log alpha) + 1) / tuned_at.
    Asymptotic: start to look when each arm has at least some hundred users.

    Examples
    --------
    >>> confidence_sequence([1_000, 10_000], [0.1, 0.01], tuned_at=10_000).round(3).tolist()
    [1.19, 0.304]
    """
    _check_alpha(alpha)
    users, v = np.asarray(users, float), _variance(variance)
    if not tuned_at > 0:
        raise ValueError(f"tuned_at must be above zero users, got {tuned_at}")
    if (users < 0).any():
        raise ValueError(f"users must not be negative, got {users.min()}")
    wide = -2 * math.log(alpha)
    grown = users * (wide + math.log(wide) + 1) / tuned_at  # t rho^2
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.sqrt(v * (grown + 1) / grown * (np.log1p(grown) + wide))[()]


def _variance(variance: ArrayLike) -> np.ndarray:
    v = np.asarray(variance, float)
    if (v < 0).any():
        raise ValueError(f"variance must not be negative, got {v.min()}")
    return v


def _check_alpha(alpha: float) -> None:
    if not 0 < alpha < 1:
        raise ValueError(f"alpha must be in (0, 1), got {alpha}")
