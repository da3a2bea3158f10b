"""What exposed users did within their windows, counted lazily in the lake."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

import polars as pl

__all__ = ["counted"]


def counted(
    scan: Callable[[str], pl.LazyFrame],
    rows: pl.DataFrame,
    metrics: Mapping[str, str],
    before: timedelta | None,
    at: datetime | None,
) -> tuple[pl.DataFrame, dict[str, int]]:
    """The rows with a column per metric, and the events before the exposure by kind.

    Parameters
    ----------
    scan : function of kind
        Gives the events of a kind: `user time`, perhaps `known_at`.
    rows : polars.DataFrame
        `user stage time _until`, one row per user and stage; null `_until` never ends.
    metrics : mapping of name to "kind" or "kind.column"
    before : timedelta or None
        Length of the time before the exposure that `…_before` counts.
    at : datetime or None
        Events known later do not exist.

    Raises
    ------
    ValueError
        If a column is missing, is no number, has values that are null or not finite, or all events
        of a kind come before the exposures.
    """
    taken = {"user", "variant", "variant_share", "time", "stage"} & set(metrics)
    if not metrics or taken:
        raise ValueError(f"metrics must be a mapping of new names to kinds, got {dict(metrics)}")
    by_kind: dict[str, dict[str, str | None]] = {}
    for name, what in metrics.items():
        kind, _, column = what.partition(".")
        by_kind.setdefault(kind, {})[name] = column or None
    table, early = rows, {}
    for kind, wanted in by_kind.items():
        sums, early[kind] = _of_kind(kind, scan(kind), rows, wanted, before, at)
        table = table.join(sums, on=["user", "stage"], how="left", maintain_order="left")
    new = [name for name in table.columns if name not in rows.columns]
    new.sort(key=lambda name: ([*metrics].index(name.removesuffix("_before")), name))
    table = table.select(*rows.columns, *new).with_columns(pl.col(new).fill_null(0))
    return table, {kind: count for kind, count in early.items() if count}


def _of_kind(kind, events: pl.LazyFrame, rows: pl.DataFrame, wanted, before, at):
    schema = events.collect_schema()
    columns = sorted({column for column in wanted.values() if column})
    for name in ("user", "time", *columns):
        if name not in schema:
            raise ValueError(f"{kind} has no column {name!r}; it has {schema.names()}")
    if schema["user"].is_integer() != rows["user"].dtype.is_integer():
        raise ValueError(
            f"user is {rows['user'].dtype} in decision and {schema['user']} in {kind}: "
            "one id, one type"
        )
    if not isinstance(schema["time"], pl.Datetime) or schema["time"].time_zone is None:
        raise ValueError(f"{kind}.time must have a time zone, got {schema['time']}")
    strange = [
        name for name in columns if not (schema[name].is_numeric() or schema[name] == pl.Boolean)
    ]
    if strange:
        raise ValueError(f"{kind}.{strange[0]} must be numbers, got {schema[strange[0]]}")
    known = pl.col("known_at" if "known_at" in schema else "time")
    if at is not None:
        events = events.filter(known < at)
    windows = rows.lazy().select("user", "stage", "_until", _exposure="time")
    joined = events.select(
        pl.col("user").cast(rows["user"].dtype),
        pl.col("time").dt.convert_time_zone("UTC"),
        *columns,
        _known=known.dt.convert_time_zone("UTC"),
    ).join(windows, on="user", how="inner")
    after = pl.col("time") >= pl.col("_exposure")
    inside = after & (pl.col("_known") < pl.col("_until")).fill_null(True)
    if before is None:
        pre = pl.lit(False)
    else:
        pre = ~after & (pl.col("time") >= pl.col("_exposure") - before)
        pre &= pl.col("_known") < pl.col("_exposure")
    parts = {"": inside} | ({} if before is None else {"_before": pre})
    bad = [
        (pl.col(name).is_null() | ~pl.col(name).cast(pl.Float64).is_finite())
        .sum()
        .alias(f"_bad {name}")
        for name in columns
    ]
    sums = (
        joined.group_by("user", "stage")
        .agg(
            (~after).sum().alias("_early"),
            after.sum().alias("_after"),
            *bad,
            *(
                (rows_in.sum() if column is None else pl.col(column).filter(rows_in).sum())
                .cast(pl.Int64 if column is None else pl.Float64)
                .alias(name + suffix)
                for name, column in wanted.items()
                for suffix, rows_in in parts.items()
            ),
        )
        .collect()
    )
    for name in columns:
        if sums[f"_bad {name}"].sum():
            raise ValueError(f"{kind}.{name} is null, NaN or infinite for exposed users")
    early = int(sums["_early"].sum())
    if early and not sums["_after"].sum():
        raise ValueError(
            f"all {early:,} {kind} events of exposed users come before their exposure: are the "
            "clocks right, is this the right experiment?"
        )
    return sums.drop("_early", "_after", *(f"_bad {name}" for name in columns)), early
