"""Did this training frame see the future? A certificate, also for frames built elsewhere.

frame ──► training_frame on its keys and times ──► equal? ──► exact
                                                    │ no
every wrong reading of the definition ──► which one gives these values? ──► the leak's name
                                                    │
why, on some rows ──► does brute force agree with the engine?
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import polars as pl

from workbench.features.agreement import agree, precision_of
from workbench.features.certificate import Certificate, leaks_of, table_of
from workbench.features.composed import Definition
from workbench.features.definition import Feature
from workbench.features.explain import Case, explain
from workbench.features.leak_cost import leak_cost
from workbench.features.leaks import compute
from workbench.features.reading import read_requests, scan_kind
from workbench.features.why import why
from workbench.tables import one_frame

__all__ = ["audit"]

_CONFIRMED = 3  # of each feature, of the rows that agree and of those that differ
_US = timedelta(microseconds=1)


def audit(
    frame,
    features: Mapping[str, Definition] | Iterable[Definition] | Definition,
    log,
    *,
    label: str | None = None,
    tz: str = "UTC",
    fit: Callable | None = None,
) -> Certificate:
    """Return how much of a frame is as it was known then, and what the rest is.

    Parameters
    ----------
    frame : polars.DataFrame, pandas.DataFrame or pyarrow.Table, n rows
        Any training frame: `time` (with time zone), the features' keys, and a column per feature.
    features : definitions, or mapping of column to definition
        What the columns should be. Without a mapping the columns bear the features' names.
    log : EventLog, or mapping of kind to table
        Everything that is known today, with both clocks.
    label : str, optional
        Column of the frame with the outcome. Then values made of it are found, and, for 0 and 1,
        the certificate says which AUC the leaks bought offline and lose online.
    tz : str, default "UTC"
        Where the days begin that somebody may have joined on.
    fit : callable, optional
        `(values, labels) -> model`, see `leak_cost`.

    Raises
    ------
    ValueError
        If a column is missing or of another type than the feature, or as for `training_frame`.

    Notes
    -----
    Readings that give equal values cannot be told apart; the simplest is named. A value that agrees
    to the precision that the column was written in (float32, two decimals) is exact.

    Examples
    --------
    >>> from datetime import datetime, UTC
    >>> from workbench import features
    >>> hours = [datetime(2024, 5, 1, hour, tzinfo=UTC) for hour in (8, 11, 15)]
    >>> paid = pl.DataFrame({"user": [1, 1, 1], "amount": [3.0, 5.0, 9.0], "time": hours})
    >>> spent = features.sum("amount", of="payment", per="user", name="spent")
    >>> mine = paid.with_columns(spent=pl.col("amount").cum_sum())       # the row itself counts
    >>> audit(mine, [spent], {"payment": paid.with_columns(known_at="time")}).leaks
    {'spent': {'<= instead of <': 3}}
    """
    columns = _columns(features)
    table, asked = _read(frame, columns, label)
    right = compute([*columns.values()], asked, log)
    cases, tables = {}, {}
    kinds = {leaf.of: set() for each in columns.values() for leaf in each.leaves}
    for name, definition in columns.items():
        given, honest = (_tidy(each, definition) for each in (table[name], right[definition]))
        precision = precision_of(given, honest)
        differs = ~agree(given.rename(name), honest, precision)
        if differs.any():
            slack = _slack(definition, asked, log)
            differs = ~agree(given, honest, precision, slack=slack)
        cases[name] = (given, honest, precision, differs)
    if any(case[-1].any() for case in cases.values()):
        tables = {kind: _whole(log, kind, columns.values()) for kind in kinds}
    ends = _ends(tables, asked)
    found = {}
    for name, (given, honest, precision, differs) in cases.items():
        case = Case(
            definition=columns[name],
            given=given,
            honest=honest,
            differs=differs,
            asked=asked,
            tables=tables,
            precision=precision,
            tz=tz,
            ends=ends,
            label=None if label is None else table[label],
        )
        found[name] = explain(case, rng=np.random.default_rng(int(columns[name].version, 16)))
    agreed, tried = _confirm(columns, asked, cases, log)
    return Certificate(
        rows=len(asked),
        table=table_of(
            found,
            {name: each.version for name, each in columns.items()},
            {name: str(case[2]) for name, case in cases.items()},
        ),
        leaks={name: leaks_of(each) for name, each in found.items()},
        evidence=_evidence(asked, cases, found),
        confirmed=agreed,
        asked=tried,
        cost=None if label is None else _cost(table[label], cases, asked, fit),
    )


def _columns(features) -> dict[str, Definition]:
    if hasattr(features, "leaves"):
        features = [features]
    if not isinstance(features, Mapping):
        features = {each.name: each for each in features}
    wrong = [each for each in features.values() if not hasattr(each, "leaves")]
    if wrong or not features:
        raise ValueError(f"features must be one or more definitions, got {wrong[:1] or 'none'}")
    return dict(features)


def _read(frame, columns: Mapping[str, Definition], label: str | None):
    """The frame's columns that matter, and the requests in it."""
    inputs = sorted(frozenset().union(*(each.inputs for each in columns.values())) - {"time"})
    wanted = ["time", *inputs, *columns, *([] if label is None else [label])]
    table = one_frame(frame, "the frame", wanted)
    if not len(table):
        raise ValueError("the frame has no rows")
    keys = sorted({key for each in columns.values() for leaf in each.leaves for key in leaf.per})
    plain = read_requests(table, keys)
    return table, table.select("time", *inputs).with_columns(plain)


def _tidy(values: pl.Series, definition: Definition) -> pl.Series:
    """NaN is missing; a set has no order."""
    if values.dtype.is_float():
        values = values.fill_nan(None)
    if isinstance(values.dtype, pl.List) and getattr(definition, "aggregate", "") == "values":
        values = values.list.sort()
    return values


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


def _whole(log, kind: str, definitions) -> pl.DataFrame:
    """Everything there is of a kind, in the columns that matter."""
    leaves = [leaf for each in definitions for leaf in each.leaves if leaf.of == kind]
    lazy = scan_kind(log, kind, None, None)
    schema = lazy.collect_schema()
    wanted = {"time", "known_at", "event"}.union(*(leaf.columns for leaf in leaves))
    keys = {key for leaf in leaves for key in leaf.per}
    plain = [pl.col(key).cast(pl.Int64) for key in keys if schema[key].is_integer()]
    plain += [
        pl.col(key).cast(pl.String) for key in keys if schema[key] in (pl.Categorical, pl.Enum)
    ]
    return lazy.select(name for name in schema if name in wanted).with_columns(plain).collect()


def _ends(tables: Mapping[str, pl.DataFrame], asked: pl.DataFrame) -> dict[str, datetime]:
    clocks = [frame[clock].max() for frame in tables.values() for clock in ("time", "known_at")]
    last = max((clock for clock in clocks if clock is not None), default=None)
    ends = {} if last is None else {"the log ends": last + _US}
    return ends | {"the frame ends": asked["time"].max() + _US}


def _confirm(columns, asked: pl.DataFrame, cases, log) -> tuple[int, int]:
    """Compute some values again with `why`; how many agree with the engine, and of how many."""
    agreed = tried = 0
    for name, definition in columns.items():
        _, honest, _, differs = cases[name]
        rows = [*np.flatnonzero(differs)[:_CONFIRMED], *np.flatnonzero(~differs)[-_CONFIRMED:]]
        for row in map(int, rows):
            value = why(asked[row], definition, log).value
            brute = _tidy(pl.Series([value], dtype=honest.dtype, strict=False), definition)
            agreed += int(
                agree(brute, honest[row : row + 1], slack=1e-6 if differs[row] else 1e-9)[0]
            )
            tried += 1
    return agreed, tried


def _evidence(asked: pl.DataFrame, cases, found) -> pl.DataFrame:
    made = []
    for name, (given, honest, _, differs) in cases.items():
        rows = pl.Series(np.flatnonzero(differs), dtype=pl.Int64)
        made.append(
            asked[rows].select(
                row=rows,
                **{each: pl.col(each) for each in asked.columns},
                feature=pl.lit(name),
                given=_shown(given[rows]),
                as_known=_shown(honest[rows]),
                kind=pl.Series(found[name].kind[differs].tolist(), dtype=pl.String),
                leak=pl.Series(found[name].name[differs].tolist(), dtype=pl.String),
            )
        )
    numbers = all(each.schema["given"] == pl.Float64 == each.schema["as_known"] for each in made)
    if not numbers:
        made = [each.with_columns(pl.col("given", "as_known").cast(pl.String)) for each in made]
    return pl.concat(made)


def _shown(values: pl.Series) -> pl.Series:
    if values.dtype.is_numeric() or values.dtype in (pl.Boolean, pl.Null):
        return values.cast(pl.Float64)
    if isinstance(values.dtype, pl.List | pl.Array):
        return pl.Series([None if v is None else str(list(v)) for v in values], dtype=pl.String)
    return values.cast(pl.String)


def _cost(label: pl.Series, cases, asked: pl.DataFrame, fit):
    numbers = {
        name: (given, honest)
        for name, (given, honest, _, _) in cases.items()
        if honest.dtype.is_numeric() or honest.dtype == pl.Boolean
    }
    if not numbers or not (label.dtype.is_numeric() or label.dtype == pl.Boolean):
        return None
    there = label.is_not_null().to_numpy()
    given, honest = (
        np.column_stack(
            [
                pair[side].cast(pl.Float64).fill_null(float("nan")).to_numpy()[there]
                for pair in numbers.values()
            ]
        )
        for side in (0, 1)
    )
    time = asked["time"].dt.epoch("us").to_numpy()[there]
    labels = label.filter(pl.Series(there)).cast(pl.Float64).to_numpy()
    if not np.isin(labels, (0.0, 1.0)).all():
        return None
    return leak_cost(given, honest, labels, time, names=[*numbers], fit=fit)
