"""Values of any column as int64 words, and back: numbers by their bits, texts by their codes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl

from workbench.features.threads import plain

__all__ = ["from_words", "shape_of", "to_words"]


def shape_of(column: pl.Series, what: str) -> tuple[pl.DataType, int]:
    """Type and number of words of the values in a column; ValueError if it cannot be kept."""
    dtype = column.dtype
    if dtype in (pl.Categorical, pl.Enum):
        return pl.String(), 1
    if isinstance(dtype, pl.List | pl.Array):
        if not (dtype.inner.is_float() or dtype.inner.is_integer()):
            raise ValueError(f"{what} is {dtype}: a store keeps lists of numbers only")
        return pl.List(dtype.inner), vector_width(column)
    simple = dtype.is_float() or dtype.is_integer() or dtype.is_temporal()
    if dtype in (pl.Int128, pl.UInt128) or not (
        simple or dtype in (pl.Boolean, pl.String, pl.Null)
    ):
        raise ValueError(
            f"{what} is {dtype}: a store keeps numbers, texts, times and lists of numbers"
        )
    return dtype, 1


def vector_width(column: pl.Series) -> int:
    """How long the vectors of a column are; 1 if there is none to see."""
    if isinstance(column.dtype, pl.Array):
        return column.dtype.size
    return int(column.drop_nulls().list.len().head(1).sum() or 1)


def to_words(
    column: pl.Series, words: int, codes: Callable[[pl.Series], np.ndarray]
) -> tuple[list[np.ndarray], np.ndarray | None]:
    """The words of each row, one array of shape (n,) a word, and which are not null (None: all).

    `codes` turns texts into numbers. Vectors of another length than `words` read as null.

    >>> (word,), valid = to_words(pl.Series([1.5, None]), 1, None)
    >>> word.view(float).tolist(), valid.tolist()
    ([1.5, 0.0], [True, False])
    """
    dtype = column.dtype
    if isinstance(dtype, pl.List | pl.Array):
        return _vector_words(column, words)
    valid = plain(column.is_not_null()) if column.null_count() else None
    if dtype == pl.Null:
        return [np.zeros(len(column), np.int64)], np.zeros(len(column), bool)
    if dtype in (pl.String, pl.Categorical, pl.Enum):
        return [codes(column.cast(pl.String))], valid
    if dtype.is_float():
        made = plain(column.cast(pl.Float64).fill_null(0.0), np.float64).view(np.int64)
    else:
        column = column.to_physical() if dtype.is_temporal() else column
        column = column.cast(pl.Int64, wrap_numerical=True) if dtype != pl.Int64 else column
        made = plain(column.fill_null(0) if valid is not None else column, np.int64)
    return [made], valid


def from_words(
    words: np.ndarray, valid: np.ndarray | None, dtype: pl.DataType, texts: Callable
) -> pl.Series:
    """A column from its words, shape (n,) or (n, width) for vectors; `texts` undoes `codes`."""
    if dtype == pl.Null:
        return pl.Series([None] * len(words), dtype=pl.Null)
    if isinstance(dtype, pl.List):
        if not len(words):
            return pl.Series([], dtype=dtype)
        made = pl.Series(words.view(np.float64).reshape(len(words), -1)).cast(dtype)
    elif dtype == pl.String:
        made = texts(words if valid is None else np.where(valid, words, -1))
    elif dtype.is_float():
        made = pl.Series(words.view(np.float64)).cast(dtype)
    else:
        made = pl.Series(words).cast(dtype, wrap_numerical=True)
    return made if valid is None or valid.all() else made.set(pl.Series(~valid), None)


def _vector_words(column: pl.Series, words: int) -> tuple[list[np.ndarray], np.ndarray]:
    if isinstance(column.dtype, pl.Array):
        column = column.cast(pl.List(column.dtype.inner))
    column = column.cast(pl.List(pl.Float64))
    whole = column.list.len() == words
    whole &= ~column.list.eval(pl.element().is_null().any()).list.first().fill_null(False)
    valid = plain(whole.fill_null(False), bool)
    flat = column.filter(pl.Series(valid)).explode(empty_as_null=False).to_numpy()
    full = np.zeros((words, len(column)))
    full[:, valid] = flat.reshape(-1, words).T
    return [*full.view(np.int64)], valid
