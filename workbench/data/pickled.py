"""Read a table out of a pickle without running what is in it.

A pickle is a program: loading one can do anything its author wished. This reader admits nothing but
the names that a small pandas table needs, and none of pandas itself: arrays are NumPy's, and each
class of pandas is a box that keeps what the file puts into it. Any other name is an error.

It reads what pandas 1.0 to 1.2 wrote, the format of the Handbook's files.
"""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import polars as pl

__all__ = ["read_pickled_table"]


def read_pickled_table(path: Path) -> pl.DataFrame:
    """The columns of a pickled pandas table, without its index.

    Whole numbers that pandas kept as objects become Int64.

    Raises
    ------
    ValueError
        If the file is no pickle, asks for anything else than a table's parts, or holds no table.
    """
    try:
        with open(path, "rb") as file:
            frame = _TablesOnly(file).load()
        names, blocks = _parts(frame)
        columns = {}
        for values, places in blocks:
            for row, place in enumerate(np.arange(len(names))[places]):
                columns[names[place]] = _plain(values[row])
        return pl.DataFrame({name: columns[name] for name in names})
    except OSError:
        raise
    except Exception as error:  # a broken pickle fails in any way it likes
        raise ValueError(f"{path} is not a pickled table that is safe to read: {error}") from error


class _Box:
    """Stands for a class of pandas: keeps what it is given, does nothing."""

    def __init__(self, *given):
        self.given, self.state = given, None

    def __setstate__(self, state):
        self.state = state


class _Frame(_Box): ...


class _Blocks(_Box): ...


class _Index(_Box): ...


def _new_index(_kind, content: dict) -> _Index:
    return _Index(content)


_ADMITTED = {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("numpy.core.multiarray", "_reconstruct"): np._core.multiarray._reconstruct,
    ("numpy._core.multiarray", "_reconstruct"): np._core.multiarray._reconstruct,
    ("builtins", "slice"): slice,
    ("pandas.core.frame", "DataFrame"): _Frame,
    ("pandas.core.internals.managers", "BlockManager"): _Blocks,
    ("pandas.core.indexes.base", "_new_Index"): _new_index,
    ("pandas.core.indexes.base", "Index"): _Index,
    ("pandas.core.indexes.range", "RangeIndex"): _Index,
    ("pandas.core.indexes.numeric", "Int64Index"): _Index,
}


class _TablesOnly(pickle.Unpickler):
    def find_class(self, module, name):
        if (module, name) not in _ADMITTED:
            raise ValueError(f"it asks for {module}.{name}")
        return _ADMITTED[module, name]


def _parts(frame) -> tuple[list[str], list[tuple[np.ndarray, object]]]:
    """Column names, and (values, places of its columns) of each block."""
    if not isinstance(frame, _Frame):
        raise ValueError(f"it holds a {type(frame).__name__}, not a table")
    manager = frame.state["_mgr"] if "_mgr" in frame.state else frame.state["_data"]
    content = manager.state[3]["0.14.1"]
    (index,) = content["axes"][0].given
    blocks = [(block["values"], block["mgr_locs"]) for block in content["blocks"]]
    return [str(name) for name in index["data"]], blocks


def _plain(values: np.ndarray) -> pl.Series:
    if values.dtype == object:
        whole = [None if value is None else int(value) for value in values.tolist()]
        return pl.Series(whole, dtype=pl.Int64)
    return pl.Series(values)
