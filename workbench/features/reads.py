"""Every read of the online store, kept with its values: kind `features` of the log.

    requests ──► store.read_many ──► values ──► model
                                       │
                                   log_reads ──► kind `features`: keys, time, values, `versions`
                                                 (which definitions), `as_of` (what the store knew)

A read that is kept can be replayed: see `workbench.features.parity`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import numpy as np
import polars as pl

from workbench.assign import fingerprint
from workbench.features.composed import Definition
from workbench.features.reading import scan_kind
from workbench.tables import one_frame

__all__ = ["log_reads", "read_table"]

_CLOCK = pl.Datetime("us", "UTC")


def log_reads(
    log,
    requests: Mapping[str, Any] | Any,
    values: Mapping[str, Any] | Any,
    features: Iterable[Definition],
    *,
    as_of: datetime | None = None,
):
    """Write what an online store answered, so that it can be replayed.

    Parameters
    ----------
    log : EventLog or Journal
    requests : mapping of column to array, or table; n rows
        `request`, `time` (with time zone) and the features' keys; a single request may have plain
        values. More columns (`policy`, `item`) are kept too.
    values : mapping of column to array, or table; n rows
        A column per feature, as the store gave them.
    features : definitions
        The ones that the store had: their versions are written into the column `versions`.
    as_of : datetime, optional
        The store had applied the events with `known_at` before this moment, and no others. With it
        the replay knows which events came late.

    Returns
    -------
    What the log or the journal returns.

    Raises
    ------
    ValueError
        If a key, `request` or a feature's value is missing, or as the log refuses.

    Examples
    --------
    >>> import tempfile
    >>> from datetime import UTC
    >>> from workbench import EventLog, features
    >>> log, recent = EventLog(tempfile.mkdtemp()), features.count("click", per="user", name="n")
    >>> asked = {"request": 1, "user": 7, "time": datetime(2024, 5, 1, tzinfo=UTC)}
    >>> log_reads(log, asked, {"n": 3}, [recent]).added
    {'features': 1}
    >>> log.scan("features").select("user", "n", "versions").collect().row(0)
    (7, 3, '{"n": "6c47c735"}')
    """
    features = list(features)
    asked, found = _table(requests, "requests"), _table(values, "values")
    names = [each.name for each in features]
    needed = {"request", "time"} | {key for f in features for leaf in f.leaves for key in leaf.per}
    for what, has, wanted in (("requests", asked, needed), ("values", found, names)):
        absent = sorted(set(wanted) - set(has.columns))
        if absent:
            raise ValueError(f"{what} have no column {absent[0]!r}; they have {has.columns}")
    if len(asked) != len(found):
        raise ValueError(f"{len(asked):,} requests, but values of {len(found):,}")
    twice = sorted(set(names) & set(asked.columns))
    if twice:
        raise ValueError(f"requests have a column {twice[0]!r}, which is a feature too")
    untyped = [name for name in names if found.schema[name] == pl.Null]
    table = asked.hstack(found.select(names).with_columns(pl.col(untyped).cast(pl.Float64)))
    versions = json.dumps({each.name: each.version for each in features})
    table = table.with_columns(
        known_at="time", versions=pl.lit(versions), as_of=pl.lit(as_of, _CLOCK)
    )
    if hasattr(log, "write_many"):
        return log.write_many("features", table)
    if "event" not in table.columns:
        text = log.scan("features").collect_schema()["event"] == pl.String
        table = table.with_columns(event=_ids(table.select(sorted(needed - {"time"})), text=text))
    return log.append(features=table)


def read_table(reads, features: Mapping[str, Definition]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The reads as a table, and for each feature the version that each read had.

    `reads` is a log with the kind `features`, a mapping of kinds, or a table. Where the version is
    not known it is null; where a read did not ask for a feature it is "".
    """
    if hasattr(reads, "scan") or (isinstance(reads, Mapping) and "features" in reads):
        table = scan_kind(reads, "features", None, None).collect()
    else:
        table = one_frame(reads, "the table of reads")
    if not len(table):
        raise ValueError("there are no reads")
    absent = [name for name in features if name not in table.columns]
    if absent:
        raise ValueError(f"reads have no column {absent[0]!r}; they have {table.columns}")
    if "versions" not in table.columns:
        nothing = pl.Series([None], dtype=pl.String).new_from_index(0, len(table))
        return table, pl.DataFrame(dict.fromkeys(features, nothing))
    parsed = {text: _parsed(text) for text in table["versions"].unique() if text is not None}
    rows = [parsed.get(text) for text in table["versions"]]
    versions = {
        name: pl.Series(
            [None if row is None else row.get(name, "") for row in rows], dtype=pl.String
        )
        for name in features
    }
    return table, pl.DataFrame(versions)


def _ids(keys: pl.DataFrame, *, text: bool) -> pl.Series:
    """An id per read, made of the request and the keys: kept twice is kept once."""
    columns = [each.cast(pl.String).fill_null("").to_numpy() for each in keys.get_columns()]
    ids = pl.Series(fingerprint("features", *columns).view(np.int64), dtype=pl.Int64)
    return ids.cast(pl.String) if text else ids


def _parsed(text: str) -> dict:
    try:
        return dict(json.loads(text))
    except (ValueError, TypeError) as error:
        raise ValueError(
            f'versions of reads must be JSON like {{"n": "b2c1da41"}}, got {text!r}'
        ) from error


def _table(columns, what: str) -> pl.DataFrame:
    if isinstance(columns, Mapping):
        single = not any(
            isinstance(v, list | tuple | np.ndarray | pl.Series) for v in columns.values()
        )
        return pl.DataFrame({name: [v] for name, v in columns.items()} if single else dict(columns))
    return one_frame(columns, what)
