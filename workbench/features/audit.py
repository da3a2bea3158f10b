"""Did this training frame see the future? A certificate, also for frames built elsewhere.

frame ──► training_frame on its keys and times ──► equal? ──► exact
                                                    │ no
every wrong reading of the definition ──► which one gives these values? ──► the leak's name
                                                    │
why, on some rows ──► does brute force agree with the engine?
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta

import numpy as np
import polars as pl

from workbench.features.agreement import agree
from workbench.features.certificate import Certificate, leaks_of, table_of
from workbench.features.comparing import (
    by_column,
    compare,
    requests_in,
    shown,
    tidy,
    whole_kinds,
)
from workbench.features.composed import Definition
from workbench.features.explain import Case, explain
from workbench.features.leak_cost import both_labels, leak_cost
from workbench.features.reading import scan_kind
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
        Column of the frame with the outcome. Then values made of it are found, and, where it is 0
        and 1 among the earlier and the later rows, the certificate says which AUC the leaks bought
        offline and lose online.
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
    columns = by_column(features)
    inputs = sorted(frozenset({"time"}).union(*(each.inputs for each in columns.values())))
    table = one_frame(frame, "the frame", [*inputs, *columns, *([label] if label else [])])
    if not len(table):
        raise ValueError("the frame has no rows")
    asked = requests_in(table, columns)
    sides = compare(table, columns, asked, log)
    spoilt = [columns[name] for name, side in sides.items() if side.differs.any()]
    tables = whole_kinds(log, spoilt, asked)
    ends = _ends(tables, asked)
    cases = {
        name: Case(
            definition=columns[name],
            given=side.given,
            honest=side.honest,
            differs=side.differs,
            asked=asked,
            tables=tables,
            precision=side.precision,
            tz=tz,
            ends=ends,
            label=table[label] if label else None,
        )
        for name, side in sides.items()
    }
    found = explain(cases)
    agreed, tried = _confirm(columns, asked, sides, log)
    return Certificate(
        rows=len(asked),
        table=table_of(
            found,
            {name: each.version for name, each in columns.items()},
            {name: str(side.precision) for name, side in sides.items()},
        ),
        leaks={name: leaks_of(each) for name, each in found.items()},
        evidence=_evidence(asked, sides, found),
        confirmed=agreed,
        asked=tried,
        cost=_cost(table[label], sides, asked, fit) if label else None,
    )


def _ends(tables: Mapping[str, pl.DataFrame], asked: pl.DataFrame) -> dict[str, datetime]:
    clocks = [frame[clock].max() for frame in tables.values() for clock in ("time", "known_at")]
    last = max((clock for clock in clocks if clock is not None), default=None)
    ends = {} if last is None else {"the log ends": last + _US}
    return ends | {"the frame ends": asked["time"].max() + _US}


def _confirm(columns, asked: pl.DataFrame, sides, log) -> tuple[int, int]:
    """Compute some values again with `why`; how many agree with the engine, and of how many."""
    rows = {}
    for name, side in sides.items():
        bad, good = np.flatnonzero(side.differs), np.flatnonzero(~side.differs)
        rows[name] = [*bad[:_CONFIRMED].tolist(), *good[-_CONFIRMED:].tolist()]
    every = sorted({row for some in rows.values() for row in some})
    events = _events_of(log, columns.values(), asked[every])
    agreed = 0
    for name, definition in columns.items():
        for row in rows[name]:
            value = why(asked[row], definition, events).value
            right = sides[name].honest[row : row + 1]
            brute = tidy(pl.Series([value], dtype=right.dtype, strict=False), definition)
            agreed += int(agree(brute, right, slack=1e-6)[0])
    return agreed, sum(map(len, rows.values()))


def _events_of(log, definitions, asked: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """All events of the entities of a few requests, read once."""
    leaves = {leaf for each in definitions for leaf in each.leaves}
    made = {}
    for kind in sorted({leaf.of for leaf in leaves}):
        lazy = scan_kind(log, kind, None, None)
        firsts = {leaf.per[0] for leaf in leaves if leaf.of == kind}
        if firsts <= set(lazy.collect_schema()):
            mine = [
                pl.col(key).cast(asked.schema[key]).is_in(asked[key].implode()) for key in firsts
            ]
            lazy = lazy.filter(pl.any_horizontal(mine))
        made[kind] = lazy.collect()
    return made


def _evidence(asked: pl.DataFrame, sides, found) -> pl.DataFrame:
    made = []
    for name, side in sides.items():
        differs = side.differs
        rows = pl.Series(np.flatnonzero(differs), dtype=pl.Int64)
        made.append(
            asked[rows].select(
                row=rows,
                **{each: pl.col(each) for each in asked.columns},
                feature=pl.lit(name),
                given=shown(side.given[rows]),
                as_known=shown(side.honest[rows]),
                kind=pl.Series(found[name].kind[differs].tolist(), dtype=pl.String),
                leak=pl.Series(found[name].name[differs].tolist(), dtype=pl.String),
            )
        )
    numbers = all(each.schema["given"] == pl.Float64 == each.schema["as_known"] for each in made)
    if not numbers:
        made = [each.with_columns(pl.col("given", "as_known").cast(pl.String)) for each in made]
    return pl.concat(made)


def _cost(label: pl.Series, sides, asked: pl.DataFrame, fit):
    numbers = {
        name: (side.given, side.honest)
        for name, side in sides.items()
        if side.honest.dtype.is_numeric() or side.honest.dtype == pl.Boolean
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
    if not np.isin(labels, (0.0, 1.0)).all() or not both_labels(labels, time):
        return None
    return leak_cost(given, honest, labels, time, names=[*numbers], fit=fit)
