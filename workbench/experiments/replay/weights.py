"""Importance weights: how much more often the target would have decided what the logger decided.

    weight = P(target decides this) / P(logger decided this)

A weighted log stands for a log of the target's, as far as the logger tried what the target does.
Its mean weight is 1 if so: less means that the target does what the logger never did, more than
chance allows means that a propensity is wrong. Large weights carry few decisions a long way, which
is variance; making them smaller trades it for bias.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

__all__ = [
    "clipped_weights",
    "effective_sample_size",
    "importance_weights",
    "shrunk_weights",
]


def importance_weights(propensity: ArrayLike, target_propensity: ArrayLike) -> np.ndarray:
    """Target's chance of each logged decision over the logger's, shape (n,).

    Parameters
    ----------
    propensity : array-like, shape (n,)
        The logger's chance of what it decided, in (0, 1].
    target_propensity : array-like, shape (n,)
        The target's chance of the same, in [0, 1].

    Raises
    ------
    ValueError
        If a chance is missing, not a number, or out of its range, or the lengths differ.

    Notes
    -----
    Horvitz & Thompson (1952), J. Am. Stat. Assoc. 47, 663-685.

    Examples
    --------
    >>> importance_weights([0.5, 0.25], [1.0, 0.0]).tolist()
    [2.0, 0.0]
    """
    logged = _chances(propensity, "propensity")
    target = _chances(target_propensity, "target_propensity")
    if logged.shape != target.shape:
        raise ValueError(
            f"propensity and target_propensity must be equally long, got {len(logged)} and "
            f"{len(target)}"
        )
    if (logged == 0).any():
        row = int(np.flatnonzero(logged == 0)[0])
        raise ValueError(
            f"propensity must be above 0, got 0 in row {row}: what was decided had a chance"
        )
    return target / logged


def effective_sample_size(weights: ArrayLike) -> float:
    """How many equally weighted decisions are worth as much: (sum w)² / sum w².

    0 where all weights are 0. Kish (1965), "Survey sampling", section 11.7.

    >>> effective_sample_size([1.0, 1.0, 1.0, 9.0]).__round__(2)
    1.71
    """
    weights = np.asarray(weights, float)
    squares = float(weights @ weights)
    return float(weights.sum()) ** 2 / squares if squares else 0.0


def clipped_weights(weights: ArrayLike, at: float) -> np.ndarray:
    """The weights, none above `at`; Ionides (2008), J. Comput. Graph. Stat. 17, 295-311.

    >>> clipped_weights([0.5, 30.0], at=10.0).tolist()
    [0.5, 10.0]
    """
    if not at > 0:
        raise ValueError(f"at must be above 0, got {at}")
    return np.minimum(np.asarray(weights, float), at)


def shrunk_weights(weights: ArrayLike, strength: float) -> np.ndarray:
    """Optimistic shrinkage, s w / (w² + s): 0 takes all weight away, infinity none.

    Su, Dimakopoulou, Krishnamurthy & Dudík (2020), "Doubly robust off-policy evaluation with
    shrinkage", ICML, section 3.2; for use in `doubly_robust`, where the model fills what is lost.

    >>> shrunk_weights([1.0, 10.0], strength=100.0).round(2).tolist()
    [0.99, 5.0]
    """
    if not strength >= 0:
        raise ValueError(f"strength must be at least 0, got {strength}")
    weights = np.asarray(weights, float)
    if np.isinf(strength):
        return weights
    return strength * weights / np.maximum(weights**2 + strength, np.finfo(float).tiny)


def _chances(values: ArrayLike, name: str) -> np.ndarray:
    """One chance per row, each a number in [0, 1]."""
    values = np.asarray(values, float)
    if values.ndim != 1:
        raise ValueError(f"{name} must have shape (n,), got {values.shape}")
    strange = ~((values >= 0) & (values <= 1 + 1e-9))  # NaN is neither
    if strange.any():
        row = int(np.flatnonzero(strange)[0])
        raise ValueError(
            f"{name} must be a number in [0, 1], got {values[row]} in row {row} "
            f"({int(strange.sum()):,} such rows)"
        )
    return values
