"""Many comparisons, each with its p value: which of them still count?"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

__all__ = ["adjust_p_values", "benjamini_hochberg", "holm"]


def holm(p_values: ArrayLike) -> np.ndarray:
    """Adjusted p values that bound the chance of even one false claim.

    Parameters
    ----------
    p_values : array-like, shape (n,)
        In [0, 1]; NaN stays NaN and counts as no comparison.

    Raises
    ------
    ValueError
        If they are not one-dimensional, or outside [0, 1].

    References
    ----------
    S. Holm (1979), "A simple sequentially rejective multiple test procedure", Scand. J. Stat. 6.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03]).round(3)
    array([0.03, 0.06, 0.06])
    """
    return _adjusted(p_values, lambda p, n: np.maximum.accumulate(p * np.arange(n, 0, -1)))


def benjamini_hochberg(p_values: ArrayLike) -> np.ndarray:
    """Adjusted p values that bound the expected share of false claims among the claims.

    Holds for independent and for positively dependent comparisons.

    Parameters
    ----------
    p_values : array-like, shape (n,)
        In [0, 1]; NaN stays NaN and counts as no comparison.

    Raises
    ------
    ValueError
        If they are not one-dimensional, or outside [0, 1].

    References
    ----------
    Y. Benjamini & Y. Hochberg (1995), "Controlling the false discovery rate",
    J. R. Stat. Soc. B 57, 289-300.

    Examples
    --------
    >>> benjamini_hochberg([0.01, 0.04, 0.03]).round(3)
    array([0.03, 0.04, 0.04])
    """

    def step_up(p, n):
        return np.minimum.accumulate((p * n / np.arange(1, n + 1))[::-1])[::-1]

    return _adjusted(p_values, step_up)


def adjust_p_values(p_values: ArrayLike, correction: str | None) -> np.ndarray:
    """Adjusted p values by name: "holm", "benjamini_hochberg", or None for none.

    Raises ValueError for another name.

    >>> adjust_p_values([0.01, 0.04], "holm").round(3)
    array([0.02, 0.04])
    """
    known = {"holm": holm, "benjamini_hochberg": benjamini_hochberg, None: np.asarray}
    if correction not in known:
        raise ValueError(f"correction must be one of {[*known]}, got {correction!r}")
    return known[correction](p_values)


def _adjusted(p_values: ArrayLike, step) -> np.ndarray:
    p_values = np.asarray(p_values, float)
    if p_values.ndim != 1 or np.any((p_values < 0) | (p_values > 1)):
        raise ValueError(f"p_values must be of shape (n,) and in [0, 1], got {p_values}")
    adjusted = np.full(len(p_values), np.nan)
    order = np.argsort(p_values)[: int(np.isfinite(p_values).sum())]  # NaN is sorted last
    adjusted[order] = np.minimum(step(p_values[order], len(order)), 1.0)
    return adjusted
