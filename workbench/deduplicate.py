"""Which rows are new? An event enters the log once, however often it is sent.

Two rows of one kind with the same `event` are the same event. If they say the same (but for
`known_at`: we may be told twice), the second is dropped; if not, the first stays and the second
is a conflict. An id fixes its `time`, so only the days that the new rows touch are searched.
"""

from dataclasses import dataclass

import polars as pl

from workbench.lake import Snapshot

__all__ = ["Sorted", "deduplicate", "unseen"]

NOT_CONTENT = ("known_at", "claimed_known_at")


@dataclass(frozen=True)
class Sorted:
    """Rows sorted into those that are new, and conflicts (with `reason`); and a count."""

    new: pl.DataFrame
    conflicts: pl.DataFrame
    duplicates: int


def deduplicate(rows: pl.DataFrame, kind: str, snapshot: Snapshot) -> Sorted:
    """Sort rows of one kind by what the log already has.

    O(n + m) time for n rows and the m events of that kind on the same days, of which only files
    whose smallest and largest event enclose one of the rows' are read.
    """
    first, again = _split_repeated(rows)
    repeated, batch_conflicts = _compare(
        again, first, f"{kind}.event: twice here, with other values"
    )

    files = _files_that_may_hold(first, kind, snapshot)
    found = _found(first, files, snapshot)
    if found.is_empty():
        return Sorted(first, batch_conflicts, len(repeated))
    is_known = first["event"].is_in(found.implode())
    columns = [name for name in snapshot.columns(kind) if name not in NOT_CONTENT]
    stored = snapshot.scan(files, columns).filter(pl.col("event").is_in(found.implode())).collect()
    reason = f"{kind}.event: already in the log, with other values"
    same, log_conflicts = _compare(first.filter(is_known), stored, reason)
    return Sorted(
        first.filter(~is_known),
        pl.concat([batch_conflicts, log_conflicts]),
        len(repeated) + len(same),
    )


def unseen(rows: pl.DataFrame, kind: str, snapshot: Snapshot) -> pl.DataFrame:
    """Return the rows whose `event` the log does not have on their day, whatever they say."""
    found = _found(rows, _files_that_may_hold(rows, kind, snapshot), snapshot)
    return rows.filter(~pl.col("event").is_in(found.implode()))


def _found(rows: pl.DataFrame, files: pl.DataFrame, snapshot: Snapshot) -> pl.Series:
    """Return the events of rows that these files hold."""
    if files.is_empty():
        return rows["event"].clear()
    wanted = pl.col("event").is_in(rows["event"].implode())
    return snapshot.scan(files, ["event"]).filter(wanted).collect().to_series()


def _files_that_may_hold(rows: pl.DataFrame, kind: str, snapshot: Snapshot) -> pl.DataFrame:
    days = rows["time"].dt.date().unique()
    on_days = snapshot.select(kind, pl.col("day").is_in(days.implode()))
    if on_days.is_empty() or rows.is_empty():
        return on_days.clear()
    low, high = rows["event"].min(), rows["event"].max()
    return on_days.filter(pl.col("max_event") >= low, pl.col("min_event") <= high)


def _split_repeated(rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    if rows["event"].n_unique() == rows.height:
        return rows, rows.clear()
    is_first = rows["event"].is_first_distinct()
    return rows.filter(is_first), rows.filter(~is_first)


def _compare(
    rows: pl.DataFrame, known: pl.DataFrame, reason: str
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Split rows into those that say what `known` says of the same event, and the others."""
    if rows.is_empty():
        return rows, rows.with_columns(reason=pl.lit(reason))
    names = sorted({*rows.columns, *known.columns} - {*NOT_CONTENT, "event"})
    there = rows.select("event").join(
        known.rename({name: f"{name} known" for name in known.columns if name != "event"}),
        on="event",
        how="left",
        maintain_order="left",
    )
    same = pl.Series([True]).new_from_index(0, rows.height)
    for name in names:
        one = rows[name] if name in rows.columns else None
        other = there[f"{name} known"] if name in known.columns else None
        if one is None or other is None:
            same &= (other if one is None else one).is_null()
        else:
            same &= one.eq_missing(other)
    return rows.filter(same), rows.filter(~same).with_columns(reason=pl.lit(reason))
