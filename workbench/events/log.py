"""`EventLog`: what one can ask of the log, and what one can do to it."""

import copy
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

from workbench.contracts import Contract, schema_of
from workbench.events.commits import Appended, aware, commit, refuse_wrong_arguments, until_done
from workbench.events.intake import (
    SYSTEM_KINDS,
    contract_of,
    prepare,
    prepare_contract,
    prepare_replay,
    read_tables,
    watermark,
)
from workbench.events.lake import Lake
from workbench.events.quarantine import restore
from workbench.events.snapshot import HIDDEN, Snapshot

__all__ = ["EventLog"]

SMALL_BYTES = 64 * 2**20  # files below this are merged by compact


class EventLog:
    """An append-only log of events, in a folder or an object store.

    Parameters
    ----------
    path : str or Path
        A new or empty folder, the folder of a log, or an address such as "s3://bucket/log".
    clock : callable, optional
        Returns now, as a datetime with time zone; the wall clock by default. A simulation gives
        its own. Nothing can be appended that is known later than this.
    storage_options : mapping, optional
        Keys and endpoints of an object store, as `deltalake` takes them.

    Examples
    --------
    >>> import tempfile
    >>> log = EventLog(tempfile.mkdtemp())
    >>> moment = datetime(2026, 3, 1, 12, tzinfo=UTC)
    >>> pay = pl.DataFrame({"event": [1, 2], "time": moment, "user": 7, "amount": [9.5, 20.0]})
    >>> log.append(payment=pay, known_at="time").added
    {'payment': 2}
    >>> log.append(payment=pay, known_at="time").duplicates              # again: nothing changes
    2
    >>> log.scan("payment").select(pl.sum("amount")).collect().item()
    29.5
    """

    def __init__(
        self,
        path: str | Path,
        *,
        clock: Callable[[], datetime] | None = None,
        storage_options: Mapping[str, str] | None = None,
    ):
        self.path = str(path)
        self.clock = clock or wall_clock
        self._lake = Lake(path, storage_options)
        self._version: int | None = None  # of a view: that version, not the newest
        self._known_before: datetime | None = None  # of a view: only what was known before
        self._is_view = False

    # reading

    def scan(
        self, kind: str, *, start: datetime | None = None, end: datetime | None = None
    ) -> pl.LazyFrame:
        """Return the events of one kind, lazily: `start <= time < end`.

        Only files that can hold such events are opened; filters that are added to the result
        are pushed down into them.

        Raises ValueError for a kind that nobody registered, and for a data file that is gone.
        """
        snapshot = self._snapshot()
        contract = contract_of(kind, snapshot)
        conditions, filters = [], []
        start, end = start and aware(start, "start"), end and aware(end, "end")
        if start is not None:
            filters.append(pl.col("time") >= start)
            conditions.append(pl.col("max_time") >= start)
        if end is not None:
            filters.append(pl.col("time") < end)
            conditions.append(pl.col("min_time") < end)
        if self._known_before is not None:
            filters.append(pl.col("known_at") < self._known_before)
            conditions.append(pl.col("min_known_at") < self._known_before)
        files = snapshot.select(kind, *conditions)
        columns = [name for name in snapshot.columns(snapshot.select(kind)) if name not in HIDDEN]
        if not columns:
            return pl.LazyFrame(schema=schema_of(contract, snapshot.schema))
        return snapshot.scan(files, columns).filter(*filters)

    def as_of(self, t: datetime) -> "EventLog":
        """Return the log as it was known just before t: only rows with `known_at < t`.

        For t up to `complete_until` the answer never changes again.
        """
        view = self._view()
        view._known_before = min(aware(t, "t"), self._known_before or aware(t, "t"))
        return view

    def at(self, version: int) -> "EventLog":
        """Return the log as it was at that version."""
        if not 0 <= version <= self.version:
            raise ValueError(
                f"version must be in [0, {self.version}] for the log at {self.path}, got {version}"
            )
        view = self._view()
        view._version = version
        return view

    @property
    def version(self) -> int:
        """The version of all the data; -1 if nothing was ever appended."""
        return self._snapshot().version

    @property
    def complete_until(self) -> datetime | None:
        """The watermark: `as_of(t)` for t up to here never changes. None if nobody set one."""
        return watermark(self._snapshot())

    @property
    def known_before(self) -> datetime | None:
        """Of a view made by `as_of`: its moment. None if nothing is hidden."""
        return self._known_before

    @property
    def kinds(self) -> list[str]:
        """The kinds that have events, in alphabetical order."""
        files = self._snapshot().files
        if self._known_before is not None:
            files = files.filter(pl.col("min_known_at") < self._known_before)
        return sorted(set(files["kind"]) - set(SYSTEM_KINDS))

    def contract(self, kind: str) -> Contract:
        """Return what rows of that kind must look like, with the columns that rows brought."""
        return contract_of(kind, self._snapshot())

    def quarantine(self) -> pl.DataFrame:
        """Return the rows that were refused and not replayed yet.

        Columns: event, time, known_at, source_kind, reason, content (the row, as JSON).
        """
        rows = self.scan("quarantine").collect()
        if rows.is_empty():
            return rows.with_columns(source_kind=pl.lit(""), reason=pl.lit(""), content=pl.lit(""))
        columns = ["event", "time", "known_at", "source_kind", "reason", "content"]
        replayed = self.scan("replayed").select("event").collect()
        return rows.select(columns).join(replayed, on="event", how="anti").sort("known_at", "event")

    # writing

    def append(
        self,
        *,
        known_at: str | None = None,
        batch: tuple[str, int] | None = None,
        complete_until: datetime | None = None,
        **kinds: Any,
    ) -> Appended:
        """Add events of one or more kinds: all of them at once, or none.

        Parameters
        ----------
        known_at : str, optional
            The column to take as `known_at` in tables that have none: "time" if we knew at once.
        batch : (name, number), optional
            Batches of one name come with rising numbers; one that is in already is skipped.
        complete_until : datetime, optional
            From now on, nothing counts as known before this moment: rows that come later and
            say otherwise are `late`, get it as `known_at` and keep what they said in
            `claimed_known_at`. It never falls: an earlier moment changes nothing.
        **kinds : table
            One table per kind: Polars, pandas, Arrow.

        Returns
        -------
        Appended
            Rows added, duplicates dropped, rows in quarantine by reason.

        Raises
        ------
        ValueError
            If a table cannot be read as that kind; then nothing is written.
        OSError
            If the disk or the object store refuses; then nothing is added.
        """
        self._refuse_view("append")
        refuse_wrong_arguments(batch, complete_until, self._now())
        tables = read_tables(kinds, known_at)

        def attempt(snapshot: Snapshot) -> Appended | None:
            if batch is not None and (snapshot.transaction(batch[0]) or 0) >= batch[1]:
                return Appended(snapshot.version, skipped=True)
            intake = prepare(tables, snapshot, self._now())
            return commit(self._lake, snapshot, intake, batch, complete_until)

        return until_done(self._lake, attempt)

    def register(self, contract: Contract) -> None:
        """Make a kind of one's own known to the log, or change what its rows must look like.

        Columns that rows of that kind brought before stay in the contract.

        Raises ValueError for a name the log uses itself, or if a column would change its type.
        """
        self._refuse_view("register")

        def attempt(snapshot: Snapshot) -> Appended | None:
            return commit(self._lake, snapshot, prepare_contract(contract, snapshot))

        until_done(self._lake, attempt)

    def replay(self, repair: Callable[[pl.DataFrame], pl.DataFrame], kind: str) -> Appended:
        """Give the quarantined rows of one kind another chance.

        `repair` gets the rows as they once came, with `reason` and `quarantined`, an id to keep.
        It returns, repaired, those that shall be tried again. It is called once for each set of
        columns and types that came. What gets in leaves the quarantine; the rest stays as it is.
        """
        self._refuse_view("replay")
        refused = self.quarantine().filter(pl.col("source_kind") == kind)
        frames = [repair(frame) for frame in restore(refused)]
        for frame in frames:
            if "quarantined" not in frame.columns:
                raise ValueError(
                    "repair must keep the column `quarantined`: it says which row is which"
                )

        def attempt(snapshot: Snapshot) -> Appended | None:
            return commit(self._lake, snapshot, prepare_replay(frames, kind, snapshot, self._now()))

        return until_done(self._lake, attempt)

    def compact(self) -> int:
        """Merge the small files of each kind and day. Return the version that has them merged.

        No answer changes, and no file is deleted: every older version stays readable.
        """
        self._refuse_view("compact")

        def attempt(snapshot: Snapshot) -> int:
            small = snapshot.files.filter(pl.col("bytes") < SMALL_BYTES)
            many = small.filter(pl.len().over("kind", "day") > 1)
            if many.is_empty():
                return snapshot.version
            merged = (  # one day in memory at a time
                (kind, snapshot.scan(part, snapshot.columns(part)).collect().sort("time"))
                for (kind, _), part in many.partition_by("kind", "day", as_dict=True).items()
            )
            number = (snapshot.transaction("compaction") or 0) + 1
            return self._lake.commit(snapshot, merged, {"compaction": number}, replacing=many)

        return until_done(self._lake, attempt)

    def __repr__(self):
        snapshot = self._snapshot()
        lines = [f"EventLog at {self.path}, version {snapshot.version}"]
        for kind in self.kinds:
            files = snapshot.select(kind)
            first, last = files["min_time"].min(), files["max_time"].max()
            rows = files["rows"].sum() if self._known_before is None else _height(self.scan(kind))
            lines.append(f"{kind:<12} {rows:>12,} events  {first:%Y-%m-%d} to {last:%Y-%m-%d}")
        return "\n".join(lines)

    def _snapshot(self) -> Snapshot:
        return self._lake.reading(self._version)

    def _now(self) -> datetime:
        return aware(self.clock(), "the clock")

    def _view(self) -> "EventLog":
        view = copy.copy(self)
        view._is_view = True
        return view

    def _refuse_view(self, verb: str) -> None:
        if self._is_view:
            raise ValueError(
                f"cannot {verb}: this is the log as of a moment or version; use the log itself"
            )


def wall_clock() -> datetime:
    """Return now, in UTC."""
    return datetime.now(UTC)


def _height(rows: pl.LazyFrame) -> int:
    return rows.select(pl.len()).collect().item()
