"""Are two values of a feature the same, as far as the one that was given can tell?

A frame built elsewhere may hold float32, two decimals, or sums that were rounded in another order.
None of that is a leak, so the comparison asks how precise the column is before it says "different".
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

__all__ = ["Precision", "agree", "precision_of"]

_SAME = 1e-9  # relative: what another order of summation may change
_DECIMALS = 7
_FEW = 10  # so few whole numbers may be whole by accident


@dataclass(frozen=True)
class Precision:
    """How finely a column was written down.

    `decimals` is the number of decimals that it was rounded to, None where it was not; `relative`
    is the share of a value that may be lost.

    >>> precision_of(pl.Series([0.25, 1.5, 10.0]), pl.Series([0.2512, 1.4999, 10.0]))
    Precision(decimals=2, relative=1e-09)
    """

    decimals: int | None = None
    relative: float = _SAME

    def __str__(self) -> str:
        if self.decimals is not None:
            return f"{self.decimals} decimals"
        return "float32" if self.relative > _SAME else "exactly"


def precision_of(given: pl.Series, other: pl.Series) -> Precision:
    """Return how precise a column is, beside one that was not rounded."""
    relative = _SAME
    if given.dtype in (pl.Float32, pl.List(pl.Float32)):
        relative = 4 * float(np.finfo(np.float32).eps)
    if not (_is_number(given) and _is_number(other)):
        return Precision(None, relative)
    decimals, finer = _decimals(_floats(given)), _decimals(_floats(other))
    if decimals is None or (finer is not None and finer <= decimals):
        decimals = None
    return Precision(decimals, relative)


def agree(
    given: pl.Series,
    other: pl.Series,
    precision: Precision = Precision(),
    *,
    slack: np.ndarray | float = 0.0,
) -> np.ndarray:
    """Whether two columns hold the same values; missing equals missing, NaN is missing.

    Parameters
    ----------
    given, other : pl.Series, shape (n,)
        Numbers, conditions, text, times or lists. An unordered list of text or numbers should be
        sorted before.
    precision : Precision
        Of `given`.
    slack : float or ndarray, shape (n,)
        Difference that means nothing, in the unit of the values.

    Returns
    -------
    ndarray of bool, shape (n,)

    Raises
    ------
    ValueError
        If one is text and the other numbers, say.

    Examples
    --------
    >>> agree(pl.Series([1, 2, None]), pl.Series([1.0, 2.5, None])).tolist()
    [True, False, True]
    """
    if pl.Null in (given.dtype, other.dtype):
        return (given.is_null() & other.is_null()).to_numpy()
    if given.dtype.is_integer() and other.dtype.is_integer():
        return given.cast(pl.Int64).eq_missing(other.cast(pl.Int64)).to_numpy()
    if _is_number(given) and _is_number(other):
        one, two = _floats(given), _floats(other)
        allowed = np.maximum(precision.relative * np.abs(two), slack)
        if precision.decimals is not None:
            allowed = allowed + 0.5 * 10.0**-precision.decimals * (1 + 1e-6)
        with np.errstate(invalid="ignore"):
            close = np.abs(one - two) <= allowed
        return close | (np.isnan(one) & np.isnan(two))
    one, two = _plain(given, precision), _plain(other, precision)
    if one.dtype != two.dtype:
        raise ValueError(
            f"{given.name} is {given.dtype} where the feature gives {other.dtype}: give it one type"
        )
    return one.eq_missing(two).to_numpy()


def _is_number(column: pl.Series) -> bool:
    return column.dtype.is_numeric() or column.dtype == pl.Boolean


def _floats(column: pl.Series) -> np.ndarray:
    return column.cast(pl.Float64).fill_null(float("nan")).to_numpy()


def _decimals(values: np.ndarray) -> int | None:
    """The fewest decimals that write all values, None if more than a few are needed."""
    values = np.unique(values[np.isfinite(values)])
    for decimals in range(len(values) < _FEW, _DECIMALS):
        if (np.abs(values.round(decimals) - values) <= 1e-15 * 4 * np.abs(values)).all():
            return decimals
        single = values.astype(np.float32) == values
        if single.all() and (values.round(decimals).astype(np.float32) == values).all():
            return decimals
    return None


def _plain(column: pl.Series, precision: Precision) -> pl.Series:
    """Text as String, times as UTC microseconds, lists of one kind of number."""
    if isinstance(column.dtype, pl.Array):
        column = column.arr.to_list()
    if column.dtype in (pl.Categorical, pl.Enum):
        return column.cast(pl.String)
    if isinstance(column.dtype, pl.Datetime):
        return column.dt.epoch("us")
    if isinstance(column.dtype, pl.List):
        inner = column.dtype.inner
        if inner.is_integer() or inner == pl.Null:
            return column.cast(pl.List(pl.Float64)).cast(pl.List(pl.String))
        if inner.is_float():
            digits = 6 if precision.relative > _SAME else 9
            rounded = column.list.eval(pl.element().cast(pl.Float64).round_sig_figs(digits))
            return rounded.cast(pl.List(pl.String))
        return column.cast(pl.List(pl.String))
    return column
