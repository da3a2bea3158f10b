"""Where do two models part? Slices by any column, and a map of score against score.

Pure functions of the table of `pairs`, quick enough to stand behind a slider: a widget asks, shows,
and asks again.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import polars as pl

__all__ = ["Cells", "cells", "rows_of", "slices", "who_was_right"]

_RIGHT = ("both", "live", "shadow", "neither")


def who_was_right(pairs: pl.DataFrame, *, positive: str = "block") -> pl.Series:
    """For each row "both", "live", "shadow" or "neither"; null without a label or an answer.

    Right is `positive` where the label is 1 and anything else where it is 0.

    >>> both = pl.DataFrame({"live_action": ["block", "block"], "label": [1, 0],
    ...                      "shadow_action": ["block", "approve"]})
    >>> who_was_right(both).to_list()
    ['both', 'shadow']
    """
    for name in ("live_action", "shadow_action", "label"):
        if name not in pairs.columns:
            raise ValueError(f"pairs have no column {name!r}; they have {pairs.columns}")
    label = pl.col("label").cast(pl.Boolean)
    live, shadow = ((pl.col(f"{who}_action") == positive) == label for who in ("live", "shadow"))
    both, only_live, only_shadow, neither = map(pl.lit, _RIGHT)
    either = pl.when(live).then(only_live).when(shadow).then(only_shadow).otherwise(neither)
    known = live.is_not_null() & shadow.is_not_null()
    right = pl.when(known).then(pl.when(live & shadow).then(both).otherwise(either))
    return pairs.select(right=right.cast(pl.Enum(_RIGHT)))["right"]


def slices(
    pairs: pl.DataFrame, by: str, *, bins: int = 5, positive: str = "block", most: int = 50
) -> pl.DataFrame:
    """One row for each value of a column: how many rows, how often the models part, who was right.

    Parameters
    ----------
    pairs : polars.DataFrame
        From `pairs`.
    by : str
        Any column. Numbers with more than `most` values are cut into `bins` of equal size; of words
        the `most` frequent are kept and the others put together as "(others)".
    bins, positive, most

    Returns
    -------
    polars.DataFrame
        `value rows` and, as far as there are columns for it: `disagree` (share of rows with another
        action or item), `mean_live mean_shadow` (scores), `labelled rate`, `both live shadow
        neither` (shares of labelled rows). In the order of numbers, or most rows first.

    Raises
    ------
    ValueError
        If there is no such column.

    Examples
    --------
    >>> both = pl.DataFrame({"live_action": ["block", "block", "approve"], "country": ["ch"] * 3,
    ...                      "shadow_action": ["block", "approve", "approve"]})
    >>> slices(both, "country").row(0)
    ('ch', 3, 0.3333333333333333)
    """
    if by not in pairs.columns:
        raise ValueError(f"pairs have no column {by!r}; they have {pairs.columns}")
    wanted = [pl.len().alias("rows")]
    differs = _differs(pairs)
    if differs is not None:
        wanted.append(differs.mean().alias("disagree"))
    for who in ("live", "shadow"):
        if f"{who}_score" in pairs.columns:
            wanted.append(pl.col(f"{who}_score").mean().alias(f"mean_{who}"))
    frame = pairs.with_columns(_value=_values(pairs[by], bins, most))
    if "label" in pairs.columns:
        label = pl.col("label").cast(pl.Float64)
        wanted += [label.count().alias("labelled"), label.mean().alias("rate")]
        if {"live_action", "shadow_action"} <= set(pairs.columns):
            frame = frame.with_columns(_right=who_was_right(pairs, positive=positive))
            wanted += [(pl.col("_right") == word).mean().alias(word) for word in _RIGHT]
    found = frame.group_by("_value").agg(wanted).rename({"_value": "value"})
    if pairs[by].dtype.is_numeric() and frame["_value"].dtype == pl.Enum:
        return found.sort("value").with_columns(pl.col("value").cast(pl.String))
    return found.sort("rows", "value", descending=[True, False], nulls_last=True)


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
    code = _bin(live[known], edges) * bins + _bin(shadow[known], edges)
    differs = _differs(pairs)
    apart = np.zeros(len(pairs), bool)
    if differs is not None:
        apart = pairs.select(differs).to_series().to_numpy()
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


def _differs(pairs: pl.DataFrame) -> pl.Expr | None:
    kinds = [
        kind
        for kind in ("action", "item")
        if {f"live_{kind}", f"shadow_{kind}"} <= set(pairs.columns)
    ]
    if not kinds:
        return None
    return pl.any_horizontal(
        *(pl.col(f"live_{kind}").ne_missing(pl.col(f"shadow_{kind}")) for kind in kinds)
    )


def _values(column: pl.Series, bins: int, most: int) -> pl.Series:
    """What a row is put under: a word, a number, or the bin of a number."""
    if column.dtype.is_numeric() and column.n_unique() > most:
        inner = np.unique(np.nanquantile(column.to_numpy(), np.linspace(0, 1, bins + 1)[1:-1]))
        code = np.searchsorted(inner, column.fill_null(0).to_numpy(), side="left")
        missing = column.is_null() | (column.is_nan() if column.dtype.is_float() else False)
        labels = pl.Series(_labels(inner), dtype=pl.Enum(_labels(inner)))
        return labels.gather(pl.Series(code, dtype=pl.UInt32).set(missing, None))
    if column.dtype.is_numeric() or column.dtype == pl.Boolean:
        return column
    words = column.cast(pl.String)
    if words.n_unique() <= most:
        return words
    kept = words.value_counts(sort=True)[words.name].head(most)
    return pl.select(
        pl.when(words.is_in(kept.implode())).then(words).otherwise(pl.lit("(others)"))
    ).to_series()


def _labels(inner: np.ndarray) -> list[str]:
    """Names of the bins between these edges, with as many digits as tell them apart."""
    for digits in (4, 8, 17):
        edges = [f"{edge:.{digits}g}" for edge in inner]
        if len(set(edges)) == len(edges):
            break
    between = [f"{low} to {high}" for low, high in itertools.pairwise(edges)]
    return [f"<= {edges[0]}", *between, f"> {edges[-1]}"]


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


def _bin(scores: np.ndarray, edges: np.ndarray) -> np.ndarray:
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
