"""Any table in, Polars frames out: the one place where pandas and Arrow tables come in.

pandas marks what is missing by NaN, so NaN in a pandas float column is read as missing. In
Polars and Arrow tables NaN is a number that failed, and stays NaN.
"""

from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Any

import polars as pl
import pyarrow as pa

__all__ = ["is_pandas", "lazy_frame", "one_frame", "to_polars"]


def to_polars(table: Any, name: str = "table") -> list[pl.DataFrame]:
    """Return the rows of a Polars, pandas or Arrow table as one or more Polars frames.

    There is more than one frame only if a pandas column mixes Python types (numbers and text,
    say): then each frame has the rows that can share a type. Indexes are dropped.

    Parameters
    ----------
    table : table
        Anything narwhals can read eagerly; a Polars LazyFrame is collected.
    name : str
        What to call it in errors.

    Raises
    ------
    ValueError
        If it is no table, or two columns bear the same name.

    Examples
    --------
    >>> import pandas as pd
    >>> [frame.shape for frame in to_polars(pd.DataFrame({"amount": [1.5, "n/a", 2.5]}))]
    [(2, 1), (1, 1)]
    """
    if isinstance(table, pl.LazyFrame):
        table = table.collect()
    if isinstance(table, pl.DataFrame):
        return [table]
    if is_pandas(table):
        return _from_pandas(table, name)
    import narwhals as nw

    try:
        return [nw.from_native(table, eager_only=True).to_polars()]
    except TypeError as error:
        raise ValueError(
            f"{name} is {type(table).__name__}, not a table (Polars, pandas, Arrow)"
        ) from error


def one_frame(
    table: Any, name: str = "table", columns: Sequence[str] | None = None
) -> pl.DataFrame:
    """Return a table, or these columns of it, as one Polars frame.

    Raises ValueError if it is no table, lacks one of the columns, or one of them mixes types; what
    the other columns hold does not matter.

    >>> import pandas as pd
    >>> one_frame(pd.DataFrame({"user": [1, "two"]}), "payments")
    Traceback (most recent call last):
    ValueError: user of payments mixes types (int, str): give each column one type
    """
    if columns is not None and isinstance(table, pl.LazyFrame):
        table = lazy_frame(table, name, columns).collect()
    elif columns is not None and hasattr(table, "columns"):
        has = [str(column) for column in _names(table)]
        missing = [column for column in columns if column not in has]
        if missing:
            raise ValueError(
                f"{name} has no column {missing[0]!r}; it has {has}{_hint(table, missing[0])}"
            )
        wanted = list(dict.fromkeys(columns))
        table = table.select(wanted) if hasattr(table, "select") else table.loc[:, wanted]
    frames = to_polars(table, name)
    if len(frames) == 1:
        return frames[0]
    mixed = next(column for column in table.columns if _mixes_types(table[column]))
    types = sorted({_type_word(value) for value in table[mixed]} - {"missing"})
    raise ValueError(
        f"{mixed} of {name} mixes types ({', '.join(types)}): give each column one type"
    )


def lazy_frame(table: Any, name: str = "table", columns: Sequence[str] = ()) -> pl.LazyFrame:
    """Return these columns of a table, lazily: a LazyFrame stays in the lake.

    Raises ValueError as `one_frame`.

    >>> lazy_frame(pl.LazyFrame({"user": [1]}), "payments", ["amount"])
    Traceback (most recent call last):
    ValueError: payments has no column 'amount'; it has ['user']
    """
    wanted = list(dict.fromkeys(columns))
    if not isinstance(table, pl.LazyFrame):
        return one_frame(table, name, wanted).lazy()
    has = table.collect_schema().names()
    missing = [column for column in wanted if column not in has]
    if missing:
        raise ValueError(f"{name} has no column {missing[0]!r}; it has {has}")
    return table.select(wanted)


def is_pandas(table: Any) -> bool:
    """Whether a table is of pandas, or of a class made from one of its own.

    >>> is_pandas(pl.DataFrame())
    False
    """
    return any(made.__module__.split(".")[0] == "pandas" for made in type(table).__mro__)


def _names(table) -> list:
    if isinstance(table, pl.LazyFrame):
        return table.collect_schema().names()
    return list(getattr(table, "column_names", table.columns))


def _hint(table, missing: str) -> str:
    names = table.index.names if is_pandas(table) else ()
    return (
        f"; {missing} is in its index: reset_index() makes it a column" if missing in names else ""
    )


def _from_pandas(table, name: str) -> list[pl.DataFrame]:
    if not hasattr(table, "columns"):
        raise ValueError(f"{name} is a pandas {type(table).__name__}: give a DataFrame")
    table = table.reset_index(drop=True)
    names = [str(column) for column in table.columns]
    twice = sorted({column for column in names if names.count(column) > 1})
    if twice:
        raise ValueError(f"{name} has more than one column called {twice}")
    table.columns = names
    for column, dtype in table.dtypes.items():
        if isinstance(getattr(dtype, "tz", None), timezone):  # +05:30 is no zone for Polars
            table[column] = table[column].dt.tz_convert("UTC")
    mixed = [column for column in names if _mixes_types(table[column])]
    if not mixed:
        return [_read(table, name)]
    types = [table[column].map(_type_word) for column in mixed]
    return [
        _read(part.infer_objects(), name)
        for _, part in table.groupby(types, sort=False, dropna=False)
    ]


_UNREADABLE = (pa.ArrowException, pl.exceptions.PolarsError, TypeError)


def _read(table, name: str) -> pl.DataFrame:
    try:
        return pl.from_pandas(table)
    except _UNREADABLE:
        for column in table.columns:  # which is it?
            try:
                pl.from_pandas(table[[column]])
            except _UNREADABLE as error:
                raise ValueError(
                    f"{column} of {name} is {table[column].dtype}, which cannot be read ({error}): "
                    "make it numbers, words or times, or leave it out"
                ) from error
        raise


def _mixes_types(column) -> bool:
    if column.dtype != object:
        return False
    return len({_type_word(value) for value in column} - {"missing"}) > 1


def _type_word(value) -> str:
    import pandas as pd

    if value is None or value is pd.NA or value is pd.NaT:
        return "missing"
    if isinstance(value, float) and value != value:
        return "missing"
    if isinstance(value, datetime):  # an hour with a zone and one without are two things
        return "datetime" if value.tzinfo is None else "datetime with zone"
    return type(value).__name__
