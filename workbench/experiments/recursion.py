"""The recursion under the boundaries: who has not stopped yet, and how far out they are.

    spending of each look ──► boundaries_of: the bound that lets just so many stop
                              nodes: where the density of the others is kept

The recursion is that of Armitage, McPherson & Rowe (1969), "Repeated significance tests on
accumulating data", JRSS A 132, by Gauss-Legendre quadrature; Jennison & Turnbull (2000), chapter
19. Many alphas at once: looks are few, and each is a handful of array operations.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike

__all__ = ["boundaries_of", "nodes", "spent_by"]

_PANEL = 32  # Gauss-Legendre nodes
_FAR = 9.0  # deviations beyond which there is nothing to add up
_BAND = 20.0  # steps beyond which a normal density is none
_NEWS = 1e-4  # a look with relatively less new information is none


def nodes(low: float, high: float, step: float) -> tuple[np.ndarray, np.ndarray]:
    """Gauss-Legendre nodes and weights, in panels close enough for normal kernels of sd `step`.

    >>> points, weights = nodes(-1.0, 1.0, 0.05)
    >>> len(points), float(round(weights.sum(), 9))
    (96, 2.0)
    """
    panels = math.ceil(2 * (high - low) / step / _PANEL)
    unit, weights = _unit_nodes()
    edges = np.linspace(low, high, panels + 1)
    half = (high - low) / panels / 2
    points = (edges[:-1] + half)[:, None] + half * unit
    return points.ravel(), np.tile(half * weights, panels)


def spent_by(share: np.ndarray, alpha: ArrayLike, kind: str) -> np.ndarray:
    """Alpha spent by each share of the information, by Lan & DeMets; arguments in range."""
    from scipy.special import ndtr, ndtri

    share = np.minimum(share, 1.0)
    if kind == "pocock":
        return alpha * np.log1p((math.e - 1) * share)
    # both sides spend alpha / 2 each: Lan & DeMets, their alpha_1
    return 4 * ndtr(ndtri(alpha / 4) / np.sqrt(share))


@lru_cache(maxsize=1_024)
def boundaries_of(share: tuple[float, ...], alphas: tuple[float, ...], kind: str) -> np.ndarray:
    """Critical |z|, shape (alphas, looks), look by look from those who have not stopped yet.

    Their density of z sqrt(share) is even, so its right half is enough.
    """
    seen = [0]  # the looks that bring news
    for look, now in enumerate(share):
        if look and now - share[seen[-1]] > _NEWS * now:
            seen.append(look)
    times = [share[look] for look in seen]
    steps = [math.sqrt(now - old) for now, old in zip(times, [0.0, *times[:-1]], strict=True)]
    spent = spent_by(np.array(times), np.array(alphas)[:, None], kind)
    found = np.full((len(alphas), len(share)), np.inf)
    points, weights = np.zeros((len(alphas), 1)), np.full((len(alphas), 1), 0.5)
    bound = np.full(len(alphas), 2.0 * steps[0])
    for at, more in enumerate(np.diff(spent, prepend=0.0).T):
        far, step = math.sqrt(times[at]), steps[at]
        bound = _bound(points, weights, step, more, np.minimum(bound, 38 * far), 38 * far)
        found[:, seen[at]] = bound / far
        if at + 1 == len(times):
            break
        edge = np.minimum(bound, _FAR * far)[:, None]
        unit, width = nodes(0.0, 1.0, min(step, steps[at + 1]) / edge.max())
        new = edge * unit
        points, weights = new, _carried(points, weights, new, step) * edge * width
    found.setflags(write=False)  # it is remembered
    return found


def _bound(points, weights, step: float, more: np.ndarray, bound: np.ndarray, highest: float):
    """Where `more` is beyond, shape (alphas,): Newton on the logarithm, which is concave."""
    from scipy.special import ndtr

    low, high = np.zeros(len(more)), np.full(len(more), highest)
    spends = more >= 1e-300
    log_more = np.log(np.where(spends, more, 1.0))
    points, near_enough = points / step, 1e-6 * step
    for _ in range(200):
        here = bound[:, None] / step
        beyond, slope = ndtr(points - here), _bell(points - here)
        near = (points * here < _BAND).sum(axis=1).max()
        other = slice(0, 1 + int(near))  # whose left halves count
        beyond[:, other] += ndtr(-points[:, other] - here)
        slope[:, other] += _bell(points[:, other] + here)
        beyond = 2 * (beyond * weights).sum(axis=1)
        slope = (slope * weights).sum(axis=1) * (2 / step / math.sqrt(2 * math.pi))
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            short = np.log(beyond) - log_more
            new = bound + short * beyond / slope
        low, high = np.where(short > 0, bound, low), np.where(short > 0, high, bound)
        sound = (new >= low - near_enough) & (new <= high + near_enough)
        new = np.where(sound, new, (low + high) / 2)
        moved, bound = np.abs(new - bound), new
        if (moved[spends] <= near_enough).all():  # what is left is the square of it
            break
    return np.where(spends, bound, highest)


def _carried(points, weights, new, step: float) -> np.ndarray:
    """Density at `new`, one normal step after that at `points`; both are right halves."""
    density = np.zeros(new.shape)
    points, new = points / step, new / step
    for left in range(0, new.shape[1], _PANEL):  # panel by panel: far points do not matter
        right = new[:, left : left + _PANEL, None]
        some = (points > right.min() - _BAND) & (points < right.max() + _BAND)
        some = np.flatnonzero(some.any(axis=0))
        here = slice(some[0], some[-1] + 1)
        old, mass = points[:, here], weights[:, here]
        kernel = _bell(right - old[:, None, :])
        found = kernel @ mass[:, :, None]
        if right.min() * old.min() < _BAND:  # left halves: exp(-(x + y)^2 / 2) without another exp
            mass = mass * np.exp(-(old**2))
            found += np.exp(-(right**2)) * (np.reciprocal(kernel) @ mass[:, :, None])
        density[:, left : left + _PANEL] = found[:, :, 0]
    return density / (step * math.sqrt(2 * math.pi))


def _bell(away: np.ndarray) -> np.ndarray:
    """exp(-away^2 / 2), far out some tiny number: numbers that underflow are slow."""
    squares = away * away
    np.minimum(squares, 1_400.0, out=squares)
    squares *= -0.5
    return np.exp(squares, out=squares)


@lru_cache(maxsize=1)
def _unit_nodes() -> tuple[np.ndarray, np.ndarray]:
    return np.polynomial.legendre.leggauss(_PANEL)
