"""Stop now? One sentence from the looks so far, and what naive looking would have claimed."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike

from workbench.experiments.crossing import crossing_probability
from workbench.experiments.sample_ratio import SampleRatio

__all__ = ["conditional_power", "false_alarm_rate", "verdict_of"]

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


@lru_cache(maxsize=1_024)
def false_alarm_rate(share: tuple[float, ...], alpha: float = 0.05) -> float:
    """How often one of so many naive looks claims a difference that is not there.

    >>> round(false_alarm_rate(tuple(day / 10 for day in range(1, 11))), 3)
    0.193
    """
    from scipy.stats import norm

    rising = [0.0]
    for now in share:  # a look that brings no news claims nothing new
        if now - rising[-1] > 1e-4 * now:
            rising.append(now)
    if len(rising) == 1:
        return 0.0
    critical = np.full(len(rising) - 1, norm.isf(alpha / 2))
    return float(crossing_probability(critical, np.array(rising[1:]) / rising[-1]))
