"""Stop now? One sentence from the looks so far, and what naive looking would have claimed."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike

from workbench.experiments.sample_ratio import SampleRatio

__all__ = ["conditional_power", "crossing", "false_alarm_rate", "verdict_of"]

_LEAST, _MOST = 40, 200  # points of the density on each side of zero
LITTLE_HOPE = 0.05  # conditional power below which going on helps nobody
SAID = {
    "fixed": "read once",
    "group_sequential": "group sequential",
    "always_valid": "always valid",
}


def verdict_of(
    z: ArrayLike,
    bounds: ArrayLike,
    information: ArrayLike,
    days: ArrayLike,
    *,
    adjustment: str,
    arm: str,
    sample_ratio: SampleRatio,
    alpha: float = 0.05,
) -> str:
    """What to do, from estimate / error and boundary at each look so far.

    Parameters
    ----------
    z, bounds, information, days : array-like, shape (looks,)
        `information` is users / planned users; the last look is today's.
    adjustment : {"fixed", "group_sequential", "always_valid"}
    arm : str
    sample_ratio : SampleRatio
        When it failed nothing else is said.
    alpha : float

    Returns
    -------
    str
        Begins with "SRM failed: do not read", "stop:", "keep going:" or "too late to help:".

    Examples
    --------
    >>> from workbench.experiments.sample_ratio import sample_ratio
    >>> dealt = sample_ratio({"old": 500, "new": 500}, {"old": 0.5, "new": 0.5})
    >>> told = {"adjustment": "always_valid", "arm": "new", "sample_ratio": dealt}
    >>> verdict_of([1.0, 3.4], [3.3, 3.1], [0.2, 0.4], [1, 2], **told)
    'stop: new is better, on day 2 (always valid)'
    >>> verdict_of([1.0], [3.3], [0.2], [1], **told)
    'keep going: 20% of the planned users are in'
    >>> verdict_of([0.1], [3.0], [0.9], [9], **told)
    'too late to help: at this pace the end would show something with a chance of 0.0%'
    """
    if not sample_ratio.ok:
        return "SRM failed: do not read. Users are missing or doubled; find out why"
    z, bounds, information = (np.asarray(each, float) for each in (z, bounds, information))
    if not len(z):
        return "keep going: there are too few users for any interval"
    if adjustment == "fixed":  # the first look at which the planned users are in counts, no other
        z, bounds = z.copy(), bounds.copy()
        full = np.flatnonzero(information >= 1)
        bounds[full[1:]] = np.inf
    over = np.flatnonzero(np.abs(z) > bounds)
    if len(over):
        word = "better" if z[over[0]] > 0 else "worse"
        return f"stop: {arm} is {word}, on day {int(days[over[0]])} ({SAID[adjustment]})"
    share = information[-1]
    if share >= 1:
        return "too late to help: the planned users are in, and no difference is shown"
    if share >= 0.5:
        last = bounds[-1] if adjustment == "always_valid" else None
        chance = float(conditional_power(z[-1], share, alpha, bound=last))
        if chance < LITTLE_HOPE:
            end = "at this pace the end would show something with a chance of"
            return f"too late to help: {end} {chance:.1%}"
    return f"keep going: {share:.0%} of the planned users are in"


def conditional_power(
    z: ArrayLike, information: ArrayLike, alpha: float = 0.05, *, bound: float | None = None
) -> np.ndarray:
    """Chance to be beyond the bound at the planned end, if the effect is as estimated now.

    Parameters
    ----------
    z : array-like
        Estimate / error now.
    information : array-like
        Share of the planned users that are in, in (0, 1).
    bound : float, optional
        Of |z| at the end; that of one look by default.

    Notes
    -----
    Lan & Wittes (1988), "The B-value: a tool for monitoring data", Biometrics 44, both sides: at
    the end B(1) is normal about z / sqrt(t) with variance 1 - t.

    Examples
    --------
    >>> float(conditional_power(1.5, 0.5).round(3))  # 1 - Phi((1.96 - 2.121) / 0.707), and a crumb
    0.59
    """
    from scipy.stats import norm

    z, share = np.asarray(z, float), np.asarray(information, float)
    bound = norm.isf(alpha / 2) if bound is None else bound
    centre, spread = z / np.sqrt(share), np.sqrt(1 - share)
    return norm.sf((bound - centre) / spread) + norm.cdf((-bound - centre) / spread)


def crossing(
    information: ArrayLike, bounds: ArrayLike, drift: ArrayLike = 0.0
) -> float | np.ndarray:
    """Chance that |z| is beyond its bound at one look or more, shape of `drift`.

    Parameters
    ----------
    information : array-like, shape (looks,)
        Shares, rising; the last is where `drift` is the mean of z.
    bounds : array-like, shape (looks,)
        Of |z|.
    drift : array-like
        Expected z at the last look.

    Notes
    -----
    The recursion of Armitage, McPherson & Rowe (1969), JRSS A 132, for the density of those not yet
    stopped; every drift from that of none, by the likelihood ratio exp(d w - d^2 / 2).

    Examples
    --------
    >>> looks = np.arange(1, 6) / 5
    >>> round(float(crossing(looks, np.full(5, 1.96))), 3)  # five naive looks
    0.142
    """
    from scipy.special import ndtr

    share = np.asarray(information, float)
    if share.ndim != 1 or not len(share) or (np.diff(share, prepend=0) <= 0).any():
        raise ValueError(f"information must rise from above zero, got {share.tolist()}")
    share = share / share[-1]
    edges = np.minimum(np.asarray(bounds, float), 9) * np.sqrt(share)
    drift = np.asarray(drift, float)
    points, weights, before = np.zeros(1), np.ones(1), 0.0
    for now, edge in zip(share, edges, strict=True):
        step = np.sqrt(now - before)
        if edge <= 0:
            return np.ones_like(drift)[()]
        side = int(np.clip(np.ceil(4 * edge / step), _LEAST, _MOST))
        new, width = np.linspace(-edge, edge, 2 * side + 1, retstep=True)
        simpson = np.full(len(new), 2.0)
        simpson[1::2], simpson[[0, -1]] = 4, 1
        moved = np.exp(-0.5 * ((new[:, None] - points) / step) ** 2)
        density = moved @ weights / (step * np.sqrt(2 * np.pi))
        last = points, weights, step
        points, weights, before = new, density * simpson * width / 3, now
    # the last step in closed form: exact when the bound is wide and the drift large
    points, weights, step = last
    mean = points + drift[..., None] * step**2
    tilt = np.exp(drift[..., None] * points - 0.5 * drift[..., None] ** 2 * (1 - step**2))
    stays = ndtr((edges[-1] - mean) / step) - ndtr((-edges[-1] - mean) / step)
    return (1 - (tilt * stays) @ weights)[()]


@lru_cache(maxsize=1_024)
def false_alarm_rate(share: tuple[float, ...], alpha: float = 0.05) -> float:
    """How often one of so many naive looks claims a difference that is not there.

    >>> round(false_alarm_rate(tuple(day / 10 for day in range(1, 11))), 3)
    0.193
    """
    from scipy.stats import norm

    rising = [now for now, before in zip(share, (0.0, *share), strict=False) if now > before]
    if not rising:
        return 0.0
    return float(crossing(rising, np.full(len(rising), norm.isf(alpha / 2))))
