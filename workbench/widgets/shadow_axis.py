"""One axis for two scores: by score, by its logarithm, or by rank."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["SCALES", "Axis", "axis_of"]

SCALES = ("score", "log", "rank")
_ENOUGH = 200_000  # scores that the ranks of an axis are read from


@dataclass(frozen=True, slots=True)
class Axis:
    """Edges of the bins, and where a score lies between them.

    Parameters
    ----------
    scale : {"score", "log", "rank"}
    edges : ndarray, shape (bins + 1,)
    """

    scale: str
    edges: np.ndarray

    def place(self, scores) -> np.ndarray:
        """Scores in bins, from 0 to the number of bins.

        >>> Axis("score", np.array([0.0, 0.5, 1.0])).place([0.25, 2.0]).tolist()
        [0.5, 2.0]
        """
        scores, edges = np.asarray(scores, float), self.edges
        if self.scale == "log":
            scores, edges = np.log(np.maximum(scores, edges[0])), np.log(edges)
        return np.interp(scores, edges, np.arange(len(edges)))


def axis_of(live: np.ndarray, shadow: np.ndarray, scale: str, bins: int) -> Axis:
    """The axis that both scores share, so that the diagonal is agreement.

    Parameters
    ----------
    live, shadow : ndarray, shape (n,)
        NaN where there is none.
    scale : {"score", "log", "rank"}
        Bins of equal width, of equal ratio (scores above zero only; the lowest bin has all below a
        millionth of the highest), or with about as many scores in each.
    bins : int
        Ranks may give fewer, where many scores are equal.

    Raises
    ------
    ValueError
        If the scale is unknown, there is no bin, or a score is not above zero for "log".

    Examples
    --------
    >>> axis_of(np.array([0.01, 0.1]), np.array([0.1, 1.0]), "log", 2).edges.round(3).tolist()
    [0.01, 0.1, 1.0]
    """
    if scale not in SCALES:
        raise ValueError(f"scale must be one of {SCALES}, got {scale!r}")
    if bins < 1:
        raise ValueError(f"bins must be at least 1, got {bins}")
    low = min(np.nanmin(live), np.nanmin(shadow))
    high = max(np.nanmax(live), np.nanmax(shadow))
    if scale == "log" and low <= 0:
        raise ValueError(f"a log scale needs scores above zero, the least is {low:g}")
    if low == high:
        return Axis("score", np.linspace(low - 0.5, high + 0.5, bins + 1))
    if scale == "score":
        return Axis(scale, np.linspace(low, high, bins + 1))
    if scale == "log":
        return Axis(scale, np.geomspace(max(low, high * 1e-6), high, bins + 1))
    some = max(1, len(live) * 2 // _ENOUGH)
    pooled = np.concatenate([live[::some], shadow[::some]])
    edges = np.quantile(pooled[~np.isnan(pooled)], np.linspace(0, 1, bins + 1)[1:-1])
    edges = np.unique(edges[(edges > low) & (edges < high)])
    return Axis(scale, np.concatenate([[low], edges, [high]]))
