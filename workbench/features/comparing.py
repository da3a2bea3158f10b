"""Two columns of one feature side by side: what somebody has, and what the log says.

Shared by the audit of a frame and the parity of reads.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from workbench.features.agreement import Precision, agree, precision_of
from workbench.features.composed import Definition
from workbench.features.definition import Feature
from workbench.features.leaks import compute
from workbench.features.reading import read_requests, scan_kind

__all__ = ["Compared", "by_column", "compare", "requests_in", "shown", "tidy", "whole_kinds"]


@dataclass(frozen=True)
class Compared:
    """What somebody has and what is right, tidied; shape (n,) each."""

    given: pl.Series
    honest: pl.Series
    precision: Precision
    differs: np.ndarray


def by_column(features) -> dict[str, Definition]:
    """Definitions by column, from one, several, or a mapping; ValueError if there is none."""
    if hasattr(features, "leaves"):
        features = [features]
    if not isinstance(features, Mapping):
        features = {each.name: each for each in features}
    wrong = [each for each in features.values() if not hasattr(each, "leaves")]
    if wrong or not features:
        raise ValueError(f"features must be one or more definitions, got {wrong[:1] or 'none'}")
    return dict(features)


def tidy(values: pl.Series, definition: Definition) -> pl.Series:
    """NaN is missing; a set has no order."""
    if values.dtype.is_float():
        values = values.fill_nan(None)
    if isinstance(values.dtype, pl.List) and getattr(definition, "aggregate", "") == "values":
        values = values.list.sort()
    return values


def requests_in(table: pl.DataFrame, columns: Mapping[str, Definition]) -> pl.DataFrame:
    """`time`, keys and other inputs of the features, the clocks and keys made plain."""
    inputs = sorted(frozenset().union(*(each.inputs for each in columns.values())) - {"time"})
    absent = [name for name in ("time", *inputs) if name not in table.columns]
    if absent:
        raise ValueError(f"there is no column {absent[0]!r}; there are {table.columns}")
    keys = sorted({key for each in columns.values() for leaf in each.leaves for key in leaf.per})
    return table.select("time", *inputs).with_columns(read_requests(table, keys))


def compare(
    table: pl.DataFrame, columns: Mapping[str, Definition], asked: pl.DataFrame, log
) -> dict[str, Compared]:
    """What each column has and what it should have, and in which rows they differ."""
    right = compute([*columns.values()], asked, log)
    made = {}
    for name, definition in columns.items():
        given, honest = (tidy(each, definition) for each in (table[name], right[definition]))
        precision = precision_of(given, honest)
        differs = ~agree(given.alias(name), honest, precision)
        if differs.any():
            slack = _slack(definition, asked, log)
            differs = ~agree(given, honest, precision, slack=slack)
        made[name] = Compared(given, honest, precision, differs)
    return made


def whole_kinds(log, definitions, asked: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """Everything there is of each kind, in the columns that matter."""
    kinds = {leaf.of for each in definitions for leaf in each.leaves}
    return {kind: _whole(log, kind, definitions, asked) for kind in sorted(kinds)}


def shown(values: pl.Series) -> pl.Series:
    """Numbers as Float64, all else as text: for a table of evidence."""
    if values.dtype.is_numeric() or values.dtype in (pl.Boolean, pl.Null):
        return values.cast(pl.Float64)
    if isinstance(values.dtype, pl.List | pl.Array):
        return pl.Series([None if v is None else str(list(v)) for v in values], dtype=pl.String)
    return values.cast(pl.String)


def _whole(log, kind: str, definitions, asked: pl.DataFrame) -> pl.DataFrame:
    leaves = [leaf for each in definitions for leaf in each.leaves if leaf.of == kind]
    lazy = scan_kind(log, kind, None, None)
    schema = lazy.collect_schema()
    wanted = {"time", "known_at", "arrived", "event"}.union(*(leaf.columns for leaf in leaves))
    keys = {key for leaf in leaves for key in leaf.per}
    absent = wanted - set(schema) - {"event", "arrived"}
    if absent:  # nothing ever happened, or the engine has said so before: an empty table
        types = {name: asked.schema.get(name, pl.Float64) for name in sorted(absent)}
        clock = pl.Datetime("us", "UTC")
        return pl.DataFrame(schema={"event": pl.Int64, "time": clock, "known_at": clock} | types)
    plain = [pl.col(key).cast(pl.Int64) for key in keys if schema[key].is_integer()]
    plain += [
        pl.col(key).cast(pl.String) for key in keys if schema[key] in (pl.Categorical, pl.Enum)
    ]
    return lazy.select(name for name in schema if name in wanted).with_columns(plain).collect()


def _slack(definition: Definition, asked: pl.DataFrame, log) -> np.ndarray | float:
    """What another order of adding may change: a share of the sum of absolute values."""
    if not isinstance(definition, Feature):
        return 1e-9
    if definition.aggregate not in ("sum", "mean", "std"):
        return 1e-11  # of days
    column = definition.column
    text = f'ABS("{column}")' if column.isidentifier() else f"ABS({column})"
    aggregate = "sum" if definition.aggregate == "sum" else "mean"
    try:
        size = replace(definition, aggregate=aggregate, column=text, missing=None)
        (values,) = compute([size], asked, log).values()
    except ValueError:  # a condition has no size
        return 1e-9
    share = 1e-7 if definition.aggregate == "std" else 1e-9  # a square root doubles the loss
    return values.cast(pl.Float64).fill_null(0.0).to_numpy() * share
