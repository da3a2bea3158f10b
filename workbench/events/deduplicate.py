"""Which rows are new? An event enters the log once, however often it is sent.

Two rows of one kind with the same `event` are the same event. If they say the same (but for
`known_at`: we may be told twice), the second is dropped; if not, the first stays and the second
is a conflict. An id fixes its `time`, so only the days that the new rows touch are searched.

Each row is kept with a `fingerprint`, a hash of what it says, so that a row that comes again is
known for the same without reading all its columns in the log. Fingerprints that differ prove
nothing (the hash may be of another version of Polars): then the columns are compared.
"""

from dataclasses import dataclass
from functools import reduce
from hashlib import blake2b
from operator import xor

import polars as pl

from workbench.events.snapshot import Snapshot

__all__ = ["Sorted", "deduplicate", "unseen"]

NOT_CONTENT = ("known_at", "claimed_known_at", "fingerprint")


@dataclass(frozen=True)
class Sorted:
    """Rows sorted into those that are new, and conflicts (with `reason`); and a count."""

    new: pl.DataFrame
    conflicts: pl.DataFrame
    duplicates: int


def deduplicate(rows: pl.DataFrame, kind: str, snapshot: Snapshot) -> Sorted:
    """Sort rows of one kind by what the log already has.

    Ids alone tell nearly all rows apart: sorted hashes find those that come twice, and only files
    whose smallest and largest event enclose one of the rows' are read. Whole rows are compared
    for the few that remain. O(n log n + m) time for n rows and m events on the same days.
    """
    rows = rows.with_columns(fingerprint=_fingerprint(rows))
    events = rows["event"]
    files = _files_that_may_hold(rows, kind, snapshot)
    in_log = _found(events, files, ["event", "fingerprint"], snapshot)
    is_doubtful = events.is_in(pl.concat([_repeated(events), in_log["event"]]).implode())
    doubtful = rows.filter(is_doubtful)
    if doubtful.is_empty():
        return Sorted(rows, doubtful.with_columns(reason=pl.lit("")), 0)

    is_first = doubtful["event"].is_first_distinct()
    first, again = doubtful.filter(is_first), doubtful.filter(~is_first)
    same, other = _compare(again, first, f"{kind}.event: twice in one append, with other values")
    is_known = first["event"].is_in(in_log["event"].implode())
    known = first.filter(is_known)
    unclear = known.join(in_log, on=["event", "fingerprint"], how="anti", maintain_order="left")
    same_as_log, other_than_log = _compare(
        unclear,
        _stored(unclear, kind, snapshot),
        f"{kind}.event: already in the log, with other values",
    )
    return Sorted(
        new=pl.concat([rows.filter(~is_doubtful), first.filter(~is_known)]),
        conflicts=pl.concat([other, other_than_log]).drop("fingerprint"),
        duplicates=same.height + known.height - unclear.height + same_as_log.height,
    )


def unseen(rows: pl.DataFrame, kind: str, snapshot: Snapshot) -> pl.DataFrame:
    """Return the rows whose `event` the log does not have on their day, whatever they say."""
    files = _files_that_may_hold(rows, kind, snapshot)
    found = _found(rows["event"], files, ["event"], snapshot)["event"]
    return rows.filter(~pl.col("event").is_in(found.implode()))


def _files_that_may_hold(rows: pl.DataFrame, kind: str, snapshot: Snapshot) -> pl.DataFrame:
    days = rows["time"].dt.date().unique()
    low, high = rows["event"].min(), rows["event"].max()
    of_kind = snapshot.select(kind)
    if of_kind.is_empty() or rows.is_empty():
        return of_kind.clear()
    on_days = pl.col("day").is_in(days.implode())
    return of_kind.filter(on_days, pl.col("max_event") >= low, pl.col("min_event") <= high)


def _found(
    events: pl.Series, files: pl.DataFrame, columns: list[str], snapshot: Snapshot
) -> pl.DataFrame:
    """Return these columns of the rows in the files that have one of the events."""
    if files.is_empty():
        return pl.DataFrame(schema={"event": events.dtype, "fingerprint": pl.Int64}).select(columns)
    in_reach = events.is_between(files["min_event"].min(), files["max_event"].max())
    wanted = pl.col("event").is_in(events.filter(in_reach).implode())
    return snapshot.scan(files, columns).filter(wanted).collect()


def _fingerprint(rows: pl.DataFrame) -> pl.Expr:
    """Return a hash of each row's content: of any column order, and the same without its nulls."""
    hashes = [
        pl.when(pl.col(name).is_not_null()).then(pl.col(name).hash(_seed(name))).otherwise(0)
        for name in rows.columns
        if name not in NOT_CONTENT
    ]
    return reduce(xor, hashes).reinterpret(signed=True)


def _seed(name: str) -> int:
    return int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "big")


def _repeated(events: pl.Series) -> pl.Series:
    """Return events that come more than once; O(n log n), on hashes of any type."""
    hashes = events.hash()
    ordered = hashes.sort()
    repeated = ordered.filter(ordered == ordered.shift(1)).unique()
    return events.filter(hashes.is_in(repeated.implode())) if len(repeated) else events.clear()


def _stored(rows: pl.DataFrame, kind: str, snapshot: Snapshot) -> pl.DataFrame:
    """Return what the log has under the events of these rows."""
    files = _files_that_may_hold(rows, kind, snapshot)
    if files.is_empty():
        return rows.clear()
    columns = [name for name in snapshot.columns(files) if name not in NOT_CONTENT]
    wanted = pl.col("event").is_in(rows["event"].implode())
    return snapshot.scan(files, columns).filter(wanted).collect()


def _compare(
    rows: pl.DataFrame, known: pl.DataFrame, reason: str
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Split rows into those that say what `known` says of the same event, and the others."""
    there = rows.select("event").join(known, on="event", how="left", maintain_order="left")
    same = pl.repeat(True, rows.height, eager=True)
    for name in {*rows.columns, *known.columns} - {"event", *NOT_CONTENT}:
        if name in rows.columns and name in known.columns:
            same &= rows[name].eq_missing(there[name])
        else:
            same &= (rows if name in rows.columns else there)[name].is_null()
    return rows.filter(same), rows.filter(~same).with_columns(reason=pl.lit(reason))
