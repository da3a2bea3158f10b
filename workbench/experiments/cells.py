"""A map of live score against shadow score, and the rows behind a cell of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from workbench.experiments.slices import differs

__all__ = ["Cells", "bin_of", "cells", "rows_of"]


@dataclass(frozen=True, slots=True)
class Cells:
    """A map of live score (rows) against shadow score (columns).

    Parameters
    ----------
    edges : ndarray, shape (bins + 1,)
        The same for both axes, so that the diagonal is agreement.
    counts, disagreements : ndarray of int, shape (bins, bins)
        Rows, and rows with another action or item.
    positives, labelled : ndarray of int, shape (bins, bins)
        Of the labels that are known.
    missing : int
        Rows without one of the scores.
    """

    edges: np.ndarray
    counts: np.ndarray
    disagreements: np.ndarray
    positives: np.ndarray
    labelled: np.ndarray
    missing: int

    @property
    def table(self) -> pl.DataFrame:
        """One row per cell that has rows."""
        live, shadow = np.nonzero(self.counts)
        return pl.DataFrame(
            {"live_low": self.edges[live], "live_high": self.edges[live + 1],
             "shadow_low": self.edges[shadow], "shadow_high": self.edges[shadow + 1],
             "rows": self.counts[live, shadow], "disagreements": self.disagreements[live, shadow],
             "positives": self.positives[live, shadow], "labelled": self.labelled[live, shadow]}
        )  # fmt: skip


def cells(pairs: pl.DataFrame, bins: int = 20, *, edges: np.ndarray | None = None) -> Cells:
    """Count rows by live score and shadow score.

    Parameters
    ----------
    pairs : polars.DataFrame
        With scores.
    bins : int, default 20
        Of equal width, from the least to the greatest score of either.
    edges : ndarray, shape (bins + 1,), optional
        Ascending; scores outside go into the first or last bin.

    Raises
    ------
    ValueError
        If there are no scores, or bins or edges are none.

    Examples
    --------
    >>> both = pl.DataFrame({"live_score": [0.0, 0.1, 1.0], "shadow_score": [0.0, 0.9, 1.0]})
    >>> cells(both, 2).counts.tolist()
    [[1, 1], [0, 1]]
    """
    live, shadow, known = _both_scores(pairs)
    edges = _edges(live[known], shadow[known], bins) if edges is None else np.asarray(edges, float)
    if edges.ndim != 1 or len(edges) < 2 or not (np.diff(edges) > 0).all():
        raise ValueError(f"edges must be two or more ascending numbers, got {edges}")
    bins = len(edges) - 1
    code = bin_of(live[known], edges) * bins + bin_of(shadow[known], edges)
    apart, expression = np.zeros(len(pairs), bool), differs(pairs)
    if expression is not None:
        apart = pairs.select(expression).to_series().to_numpy()
    has = np.zeros(len(pairs), bool)
    positive = has
    if "label" in pairs.columns:
        has = pairs["label"].is_not_null().to_numpy()
        positive = pairs["label"].cast(pl.Float64).fill_null(0.0).to_numpy() > 0

    def counted(chosen):
        return np.bincount(code[chosen[known]], minlength=bins * bins).reshape(bins, bins)

    everything = np.ones(len(pairs), bool)
    counts = [counted(each) for each in (everything, apart, positive, has)]
    return Cells(edges, *counts, int((~known).sum()))


def rows_of(
    pairs: pl.DataFrame, found: Cells, live_bin: int, shadow_bin: int, *, most: int | None = None
) -> pl.DataFrame:
    """The rows behind a cell, at most so many, in the order of the table.

    >>> both = pl.DataFrame({"live_score": [0.0, 0.1, 1.0], "shadow_score": [0.0, 0.9, 1.0]})
    >>> rows_of(both, cells(both, 2), 0, 1)["live_score"].to_list()
    [0.1]
    """
    bins = len(found.edges) - 1
    if not (0 <= live_bin < bins and 0 <= shadow_bin < bins):
        raise ValueError(f"bins go from 0 to {bins - 1}, got {live_bin} and {shadow_bin}")
    live, shadow, known = _both_scores(pairs)
    inside = (
        known & _between(live, found.edges, live_bin) & _between(shadow, found.edges, shadow_bin)
    )
    rows = np.flatnonzero(inside)
    return pairs[rows if most is None else rows[:most]]


def _both_scores(pairs: pl.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    for name in ("live_score", "shadow_score"):
        if name not in pairs.columns:
            raise ValueError(f"pairs have no column {name!r}; they have {pairs.columns}")
    live, shadow = (pairs[f"{who}_score"].to_numpy() for who in ("live", "shadow"))
    known = np.isfinite(live) & np.isfinite(shadow)
    if not known.any():
        raise ValueError("no row has both scores")
    return live, shadow, known


def _edges(live: np.ndarray, shadow: np.ndarray, bins: int) -> np.ndarray:
    if bins < 1:
        raise ValueError(f"bins must be at least 1, got {bins}")
    low, high = min(live.min(), shadow.min()), max(live.max(), shadow.max())
    if low == high:
        low, high = low - 0.5, high + 0.5
    return np.linspace(low, high, bins + 1)


def bin_of(scores: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Number of the bin of each finite score; the last bin has both its edges.

    >>> bin_of(np.array([0.0, 0.5, 1.0, 7.0]), np.array([0.0, 0.5, 1.0])).tolist()
    [0, 1, 1, 1]
    """
    bins, widths = len(edges) - 1, np.diff(edges)
    if np.allclose(widths, widths[0], rtol=1e-9):
        found = ((scores - edges[0]) / (edges[-1] - edges[0]) * bins).astype(np.int64)
        found = np.clip(found, 0, bins - 1)
        found -= scores < edges[found]  # where the division rounded over an edge
        found += (found < bins - 1) & (scores >= edges[np.minimum(found + 1, bins)])
        return np.clip(found, 0, bins - 1)
    return np.clip(np.searchsorted(edges, scores, side="right") - 1, 0, bins - 1)


def _between(scores: np.ndarray, edges: np.ndarray, number: int) -> np.ndarray:
    last = len(edges) - 2
    above = scores >= edges[number] if number else np.ones(len(scores), bool)
    below = scores < edges[number + 1] if number < last else np.ones(len(scores), bool)
    return above & below
