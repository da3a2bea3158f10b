"""How often boundaries are crossed when there is an effect: what looking costs in users.

    boundaries, looks, drift ─► crossing_probability ─► power of a design with looks
                                                     ─► inflation_factor: users / users of one look

The recursion is that of Armitage, McPherson & Rowe (1969), "Repeated significance tests on
accumulating data", JRSS A 132, with a drift; Jennison & Turnbull (2000), chapter 19. Many drifts
are read off a few recursions: the density with drift d is the one with drift c times
exp((d - c) w - (d^2 - c^2) t / 2), the likelihood ratio at information t.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike

from workbench.experiments.boundaries import group_sequential
from workbench.experiments.recursion import nodes

__all__ = ["crossing_probability", "inflation_factor"]

_FAR = 9.0  # deviations beyond which there is nothing to add up
_ALIKE = 5.0  # drifts that are read off one density


def crossing_probability(
    critical: ArrayLike, information: ArrayLike, drift: ArrayLike = 0.0
) -> np.ndarray:
    """Chance that |z| exceeds its critical value at some look, shape of `drift`.

    Parameters
    ----------
    critical : array-like, shape (looks,)
        Of |z|; infinite where one does not stop.
    information : array-like, shape (looks,)
        Rising, in (0, 1]: users so far / users in the end.
    drift : array-like
        Expected z at information 1: effect / standard error in the end.

    Raises
    ------
    ValueError
        If the shapes differ, the looks do not rise by a ten-thousandth where one may stop, or a
        number is NaN or not above zero.

    Examples
    --------
    >>> round(float(crossing_probability([1.96] * 5, [0.2, 0.4, 0.6, 0.8, 1])), 3)
    0.142
    """
    critical, share = np.asarray(critical, float), np.asarray(information, float)
    if share.ndim != 1 or not len(share) or critical.shape != share.shape:
        raise ValueError(f"one critical value per look, got {critical.shape} and {share.shape}")
    if not ((share > 0).all() and (np.diff(share) > 0).all() and (share <= 1 + 1e-12).all()):
        raise ValueError(f"information must rise in (0, 1], got {share.tolist()}")
    if not (critical > 0).all():
        raise ValueError(f"critical values must be above zero, got {critical.tolist()}")
    drift = np.asarray(drift, float)
    if not np.isfinite(drift).all():
        raise ValueError("drift must be finite")
    stops = np.isfinite(critical)
    critical, share = critical[stops], share[stops]  # nobody stops there: nothing to add up
    if (np.diff(share) < 0.9e-4 * share[1:]).any():
        raise ValueError(f"looks must be a ten-thousandth apart, got {share.tolist()}")
    if not len(share):
        return np.zeros(drift.shape)[()]
    flat = np.abs(drift).ravel()  # two-sided: the sign does not matter
    group = np.floor((flat - flat.min()) / _ALIKE)
    crossed = np.zeros(len(flat))
    for each in np.unique(group):
        crossed[group == each] = _crossed(critical, share, flat[group == each])
    return np.clip(crossed, 0.0, 1.0).reshape(drift.shape)[()]


def _crossed(critical: np.ndarray, share: np.ndarray, drift: np.ndarray) -> np.ndarray:
    """Of drifts that are alike: the density of one in their middle, weighted for the others."""
    from scipy.special import ndtr

    middle, around = (drift.max() + drift.min()) / 2, (drift.max() - drift.min()) / 2
    points, weights, before = np.zeros(1), np.ones(1), 0.0
    steps = np.sqrt(np.diff(share, prepend=0.0))
    for look, now in enumerate(share[:-1]):
        bound, reach = critical[look] * math.sqrt(now), _FAR * math.sqrt(now) + around * now
        low, high = max(-bound, middle * now - reach), min(bound, middle * now + reach)
        if low >= high:
            return np.ones(len(drift))
        new, width = nodes(low, high, min(steps[look : look + 2]))
        moved = points + middle * (now - before)
        away = (new[:, None] - moved) / steps[look]
        away *= away
        np.minimum(away, 1_400.0, out=away)  # numbers that underflow are slow
        density = np.exp(-0.5 * away) @ weights / (steps[look] * math.sqrt(2 * math.pi))
        points, weights, before = new, density * width, now
    # likelihood ratio of the drifts before the last step, which is in closed form
    beside = (drift - middle)[:, None]
    ratio = np.exp(beside * points - beside * (drift + middle)[:, None] / 2 * before)
    last, bound = (
        points + drift[:, None] * (share[-1] - before),
        critical[-1] * math.sqrt(share[-1]),
    )
    stays = ndtr((bound - last) / steps[-1]) - ndtr((-bound - last) / steps[-1])
    return 1 - (ratio * stays) @ weights


def inflation_factor(
    looks: int, *, alpha: float = 0.05, power: float = 0.8, kind: str = "obrien_fleming"
) -> float:
    """Most users a plan with looks may need, over the users of a single look; at least 1.

    Parameters
    ----------
    looks : int
        Evenly spaced.
    alpha : float
        Two-sided, over all looks.
    power : float
        That both designs shall have.
    kind : {"obrien_fleming", "pocock"}
        Spending function.

    Raises
    ------
    ValueError
        If there is no look, or a number is out of range.

    Notes
    -----
    Jennison & Turnbull (2000), section 2.3, their R, here for the spending functions of
    `boundaries`. Those are the users if one never stops early; on average it is fewer.

    Examples
    --------
    >>> round(inflation_factor(5), 3), round(inflation_factor(5, kind="pocock"), 3)
    (1.025, 1.212)
    """
    if isinstance(looks, bool) or looks != int(looks) or looks < 1:
        raise ValueError(f"looks must be a whole number of at least 1, got {looks!r}")
    if not alpha < power < 1:
        raise ValueError(f"power must be in (alpha, 1), got {power}")
    return _inflation(int(looks), float(alpha), float(power), kind)


@lru_cache(maxsize=1_024)
def _inflation(looks: int, alpha: float, power: float, kind: str) -> float:
    share = tuple((np.arange(1, looks + 1) / looks).tolist())
    bounds = group_sequential(share, alpha, kind)
    return (drift_for(bounds, share, power) / drift_for([bounds_of_one(alpha)], [1.0], power)) ** 2


def bounds_of_one(alpha: float) -> float:
    """Critical |z| of a single look."""
    from scipy.stats import norm

    return float(norm.isf(alpha / 2))


def drift_for(critical: ArrayLike, information: ArrayLike, power: float) -> float:
    """The drift at which the boundaries are crossed with this probability."""
    from scipy.optimize import brentq

    def short(drift):
        return float(crossing_probability(critical, information, drift)) - power

    return float(brentq(short, 0.0, 40.0, xtol=1e-7))
