"""The procedures of the arena: when does it stop, and what does it claim?

Each is a matrix of half-widths, one per experiment and look: infinite where the procedure does not
look. It stops at the first look whose interval leaves out zero, at the latest at the last one, and
claims what the interval there says.

    fixed horizon       one look, at the end: Welch's interval
    daily peek          the same interval, looked at every day: what people do
    group sequential    O'Brien-Fleming's spending of the error (Lan & DeMets 1983, Biometrika 70);
                        repeated confidence intervals (Jennison & Turnbull 1989, JRSS B 51)
    always-valid        an asymptotic confidence sequence (Waudby-Smith et al. 2024, Ann. Stat. 52),
                        narrowest at the planned end

The sample ratio is tested where the procedure stops; if it fails nothing is claimed or shipped.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from workbench.studies.arena_readings import Readings

__all__ = ["PROCEDURES", "Decisions", "decide"]


@dataclass(frozen=True)
class Decisions:
    """How each experiment ended, arrays of shape (experiments,).

    Attributes
    ----------
    look : ndarray of int
        Where it stopped, from 0.
    claim : ndarray of int
        1 better, -1 worse, 0 neither.
    estimate, low, high : ndarray of float
        At the stop.
    blocked : ndarray of bool
        The sample ratio failed there: no claim, whatever the interval says.
    """

    look: np.ndarray
    claim: np.ndarray
    estimate: np.ndarray
    low: np.ndarray
    high: np.ndarray
    blocked: np.ndarray


def decide(readings: Readings, half: np.ndarray, *, share: float, srm_alpha: float) -> Decisions:
    """Stop each experiment at the first interval without zero, or at the last look.

    Parameters
    ----------
    readings : Readings
    half : ndarray of shape (experiments, looks)
        Half-widths; infinite where the procedure does not look.
    share : float
        Planned for the treatment.
    srm_alpha : float
        Level of the sample-ratio test.
    """
    from scipy.stats import chi2

    outside = np.abs(readings.estimate) > half
    outside &= np.isfinite(half)
    last = half.shape[1] - 1
    look = np.where(outside.any(axis=1), outside.argmax(axis=1), last)
    rows = np.arange(len(look))
    estimate, width = readings.estimate[rows, look], half[rows, look]
    users = readings.users[rows, look] + readings.control_users[rows, look]
    distance = (readings.users[rows, look] - share * users) ** 2 / (users * share * (1 - share))
    blocked = chi2.sf(distance, 1) < srm_alpha
    claim = np.where(outside[rows, look] & ~blocked, np.sign(estimate), 0).astype(int)
    return Decisions(look, claim, estimate, estimate - width, estimate + width, blocked)


def _fixed(readings: Readings, alpha: float) -> np.ndarray:
    half = np.full(readings.estimate.shape, np.inf)
    half[:, -1] = _normal(alpha) * np.sqrt(readings.variance[:, -1])
    return half


def _peek(readings: Readings, alpha: float) -> np.ndarray:
    return _normal(alpha) * np.sqrt(readings.variance)


def _group_sequential(readings: Readings, alpha: float) -> np.ndarray:
    return _boundary(readings.estimate.shape[1], alpha) * np.sqrt(readings.variance)


def _always_valid(readings: Readings, alpha: float) -> np.ndarray:
    from workbench.experiments.boundaries import confidence_sequence

    users = readings.users + readings.control_users
    return confidence_sequence(
        users, readings.variance, tuned_at=readings.planned_users, alpha=alpha
    )


@lru_cache(maxsize=64)
def _boundary(looks: int, alpha: float) -> np.ndarray:
    from workbench.experiments.boundaries import group_sequential

    return np.asarray(group_sequential(np.arange(1, looks + 1) / looks, alpha=alpha))


def _normal(alpha: float) -> float:
    from statistics import NormalDist

    return NormalDist().inv_cdf(1 - alpha / 2)


PROCEDURES: Mapping[str, Callable[[Readings, float], np.ndarray]] = {
    "fixed horizon": _fixed,
    "daily peek": _peek,
    "group sequential": _group_sequential,
    "always-valid": _always_valid,
}
