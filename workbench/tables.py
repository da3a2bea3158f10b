"""Any table in, Polars frames out: the one place where pandas and Arrow tables come in.

pandas marks what is missing by NaN, so NaN in a pandas float column is read as missing. In
Polars and Arrow tables NaN is a number that failed, and stays NaN.
"""

from typing import Any

import polars as pl

__all__ = ["to_polars"]


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
    if type(table).__module__.split(".")[0] == "pandas":
        return _from_pandas(table, name)
    import narwhals as nw

    try:
        return [nw.from_native(table, eager_only=True).to_polars()]
    except TypeError as error:
        raise ValueError(
            f"{name} is {type(table).__name__}, not a table (Polars, pandas, Arrow)"
        ) from error


def _from_pandas(table, name: str) -> list[pl.DataFrame]:
    if not hasattr(table, "columns"):
        raise ValueError(f"{name} is a pandas {type(table).__name__}: give a DataFrame")
    table = table.reset_index(drop=True)
    names = [str(column) for column in table.columns]
    twice = sorted({column for column in names if names.count(column) > 1})
    if twice:
        raise ValueError(f"{name} has more than one column called {twice}")
    table.columns = names
    mixed = [column for column in names if _mixes_types(table[column])]
    if not mixed:
        return [pl.from_pandas(table)]
    types = [table[column].map(_type_word) for column in mixed]
    return [
        pl.from_pandas(part.infer_objects())
        for _, part in table.groupby(types, sort=False, dropna=False)
    ]


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
    return type(value).__name__
