"""Requests as columns of NumPy arrays: ids, scores, some of the rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

__all__ = [
    "NO_ITEM",
    "Columns",
    "Score",
    "column",
    "concatenate",
    "eligible_scores",
    "ids",
    "is_missing",
    "scores_of",
    "take",
]

Columns = Mapping[str, np.ndarray]
Score = str | Callable[[Columns], np.ndarray]

NO_ITEM = int(np.iinfo(np.int64).min)  # a missing integer item; a missing text item is ""


def column(requests: Columns, name: str) -> np.ndarray:
    """One column, or an error that says which there are.

    >>> column({"request": [1, 1], "item": [5, 6]}, "item").tolist()
    [5, 6]
    """
    if name not in requests:
        raise ValueError(f"requests have no column {name!r}; they have {', '.join(requests)}")
    return np.asarray(requests[name])


def ids(requests: Columns, name: str) -> np.ndarray:
    """A column of ids as an integer or text array, with NO_ITEM or "" where one is missing.

    >>> ids({"item": np.array(["a", None], object)}, "item").tolist()
    ['a', '']
    """
    values = column(requests, name)
    if values.dtype.kind == "O":
        values = np.array(["" if value is None else value for value in values.tolist()])
    if values.dtype.kind not in "iuU" and len(values):
        raise ValueError(f"{name} must hold integers or text, got {values.dtype}")
    return values


def is_missing(items: np.ndarray) -> np.ndarray:
    """Which items are missing, same shape.

    >>> is_missing(np.array([3, NO_ITEM])).tolist()
    [False, True]
    """
    return items == (NO_ITEM if items.dtype.kind in "iu" else "")


def take(columns: Columns, rows: np.ndarray) -> dict[str, np.ndarray]:
    """Some rows of every column.

    >>> take({"request": np.array([1, 2])}, np.array([False, True]))["request"].tolist()
    [2]
    """
    return {name: values[rows] for name, values in columns.items()}


def concatenate(parts: Sequence[Columns]) -> dict[str, np.ndarray]:
    """Rows of several decisions, one after the other.

    >>> concatenate([{"request": np.array([1])}, {"request": np.array([2])}])["request"].tolist()
    [1, 2]
    """
    if len(parts) == 1:
        return dict(parts[0])
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def scores_of(score: Score, requests: Columns) -> np.ndarray:
    """The score of each row as float64, from a column or from a function of the columns, (n,).

    >>> scores_of(lambda rows: rows["clicks"] / 10, {"request": [1], "clicks": np.array([3])})
    array([0.3])
    """
    n = len(column(requests, "request"))
    values = np.asarray(score(requests) if callable(score) else column(requests, score), float)
    if values.shape != (n,):
        raise ValueError(f"score must give one number per row, shape ({n},), got {values.shape}")
    return values


def eligible_scores(scores: np.ndarray, items: np.ndarray) -> np.ndarray:
    """The scores, with -inf for candidates that cannot be shown: score not finite, or no item.

    >>> eligible_scores(np.array([0.5, np.nan, 0.7]), np.array([1, 2, NO_ITEM])).tolist()
    [0.5, -inf, -inf]
    """
    usable = np.isfinite(scores) & ~is_missing(items)
    return scores if usable.all() else np.where(usable, scores, -np.inf)
