"""The journal itself: takes events from many threads, syncs them in groups, drains them."""

from __future__ import annotations

import atexit
import itertools
import os
import threading
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from workbench.journal import frames, tables
from workbench.journal.drain import append_segment, total
from workbench.journal.rows import Encoder, Moment, id_types_in
from workbench.journal.segments import Segments

if TYPE_CHECKING:
    from workbench.events import Appended, EventLog

__all__ = ["Journal"]

BUFFERED_ROWS = 20_000  # then the writer itself waits for the disk
TABLE_ROWS = 50_000  # rows a frame, for `write_many`
BUFFERED_TABLES = 20


class Journal:
    """A folder of segments that one process writes and drains. Safe to use from many threads.

    Parameters
    ----------
    path : path
        The journal's folder, made if missing.
    name : str, default "journal"
        Begins the journal's id in the log.
    sync_ms : float, default 10
        The longest that a written event waits for the disk, in milliseconds.
    clock : callable, optional
        Gives the time of events that come without `known_at`; by default the machine's.
    salvage : bool, default False
        Open a damaged journal with what still reads; the damaged files are kept as `*.damaged`.

    Attributes
    ----------
    id : str
        Names this journal in the log's transactions; made once for the folder.

    Raises
    ------
    ValueError
        If another process, or another Journal of this one, has the folder open.
    DamagedJournal
        If bytes that were once synced do not read; names file and offset.

    Examples
    --------
    >>> import tempfile
    >>> with Journal(tempfile.mkdtemp()) as journal:
    ...     _ = journal.write("click", user=42, item=7)
    ...     journal.sync()                                    # on the disk now
    ...     journal
    Journal: 1 event not yet drained
    """

    def __init__(
        self,
        path: str | Path,
        *,
        name: str = "journal",
        sync_ms: float = 10.0,
        clock: Callable[[], datetime] | None = None,
        salvage: bool = False,
    ) -> None:
        if sync_ms <= 0:
            raise ValueError(f"sync_ms must be positive, got {sync_ms}")
        self.path = Path(path)
        self.path.mkdir(parents=True, exist_ok=True)
        self._clock = clock
        self._session, self._numbers = os.urandom(6).hex(), itertools.count()
        self._encoder = Encoder()
        self._buffer = threading.Lock()  # guards _rows, _tables, _written
        self._disk = threading.Lock()  # guards the segments and _pending; taken before _buffer
        self._draining = threading.Lock()
        self._rows: list[list] = []
        self._tables: list[tuple[bytes, bytes, int]] = []
        self._pending: list[tuple[bytes, bytes, int]] = []  # taken, not yet on the disk
        self._written = self._durable = 0  # events
        self._failed: Exception | None = None
        self._process = os.getpid()
        self._segments = Segments(self.path, name=name, salvage=salvage)
        self.id = self._segments.id
        self._learn_ids()
        self._dirty, self._closing = threading.Event(), threading.Event()
        self._thread = threading.Thread(
            target=self._keep_syncing, args=(sync_ms / 1000,), name="journal", daemon=True
        )
        self._thread.start()
        atexit.register(self.close)

    def write(self, kind: str, /, **event: Any) -> int | str:
        """Take one event; it is on the disk `sync_ms` later, or when `sync` returns.

        Parameters
        ----------
        kind : str
            The event's kind in the log.
        **event
            Columns of the vocabulary, or others: None, bool, int, float, str or datetime with a
            time zone (NumPy's scalars too). Without `event` it gets an id, without `known_at` the
            clock's time, without `time` its `known_at`.

        Returns
        -------
        int or str
            The event's id.

        Raises
        ------
        ValueError
            For a value that no log could hold, or a closed journal.
        OSError
            If the disk did not take what was written before. This event was not taken.
        """
        self._ready()
        if event.get("known_at") is None:
            event["known_at"] = self._now()
        if event.get("time") is None:
            event["time"] = event["known_at"]
        if event.get("event") is None:
            event["event"] = f"{self._session}-{next(self._numbers)}"
        row = self._encoder.row(kind, event)
        with self._buffer:
            self._rows.append(row)
            self._written += 1
        if not self._dirty.is_set():
            self._dirty.set()
        return event["event"]

    def write_many(self, kind: str, columns: Mapping[str, Any] | Any) -> pl.Series:
        """Take many events of one kind: arrays by column name, or a table of any library.

        Missing `event`, `known_at` and `time` are filled as in `write`. Returns the events' ids,
        shape (n,). Raises as `write` does; either all rows are taken or none.
        """
        self._ready()
        table = tables.table_of(kind, columns)
        if "known_at" not in table.columns:
            table = table.with_columns(known_at=pl.lit(int(self._now())).cast(tables.TIME))
        if "time" not in table.columns:
            table = table.with_columns(time=pl.col("known_at"))
        if "event" not in table.columns:
            numbers = pl.Series(itertools.islice(self._numbers, len(table)), dtype=pl.Int64)
            table = table.with_columns(event=f"{self._session}-" + numbers.cast(pl.String))
        self._encoder.check(kind, table)
        pieces = [
            (frames.TABLE, tables.pack(kind, piece), len(piece))
            for piece in table.iter_slices(TABLE_ROWS)
        ]
        with self._buffer:
            self._tables += pieces
            self._written += len(table)
        self._dirty.set()
        return table["event"]

    def sync(self) -> None:
        """Return when everything written before this call is on the disk."""
        self._check_open()
        written = self._written
        with self._disk:
            if self._durable < written:
                self._flush()
            self._failed = None

    def drain(
        self, log: EventLog, *, repair: Callable[[str, pl.DataFrame], pl.DataFrame] | None = None
    ) -> Appended:
        """Move everything written before this call into the log, once.

        Each segment becomes one commit (more if types differ between rows), numbered in the
        journal's own name: killed at any moment and drained again, every event is in the log
        once. Events that break their kind's contract are in the log's quarantine.

        Parameters
        ----------
        log : EventLog
            Where to. Always the same one for one journal.
        repair : callable, optional
            Given (kind, table), the table to append instead: the way out when the log refuses a
            table as a whole, for example because its ids have another type.

        Returns
        -------
        Appended
            The sum over all commits.

        Raises
        ------
        ValueError
            If the log refuses a table as a whole; the journal keeps all that was not appended.
        """
        self._check_open()
        with self._draining:
            with self._disk:
                self._flush()
                self._segments.close_active()
                numbers = self._segments.closed()
            reports = []
            for number in numbers:
                found = self._segments.read(number)
                reports += append_segment(found, (self.id, number), log, repair)
                with self._disk:
                    self._segments.delete(number)
        return total(reports, log)

    @property
    def waiting(self) -> int:
        """Events written and not yet drained."""
        with self._disk:
            return sum(self._segments.waiting.values()) + self._written - self._durable

    def close(self) -> None:
        """Sync, end the thread and let go of the folder. What is not drained stays on the disk."""
        if self._closing.is_set() or self._process != os.getpid():
            return
        try:
            self.sync()
        finally:
            self._closing.set()
            self._dirty.set()
            self._thread.join()
            atexit.unregister(self.close)
            self._segments.close()

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_error) -> None:
        self.close()

    def __repr__(self) -> str:
        count = self.waiting
        return f"Journal: {count:,} event{'' if count == 1 else 's'} not yet drained"

    def _now(self) -> Moment:
        return Moment(time.time_ns() // 1000) if self._clock is None else Moment.of(self._clock())

    def _check_open(self) -> None:
        if self._closing.is_set():
            raise ValueError(f"the journal {self.path} is closed")
        if self._process != os.getpid():
            raise ValueError(
                f"the journal {self.path} belongs to process {self._process}; one process writes "
                "a journal, give a forked one its own"
            )

    def _ready(self) -> None:
        """Raise unless the journal can take an event; wait for a disk that is behind."""
        self._check_open()
        behind = len(self._rows) >= BUFFERED_ROWS or len(self._tables) >= BUFFERED_TABLES
        if behind or self._failed is not None:
            self.sync()

    def _keep_syncing(self, interval_seconds: float) -> None:
        while not self._closing.is_set():
            self._dirty.wait()
            self._closing.wait(interval_seconds)
            self._dirty.clear()
            try:
                with self._disk:
                    self._flush()
            except Exception as error:  # not lost: the next call tries again and raises it
                self._failed = error

    def _flush(self) -> None:
        """Put all that was taken on the disk; on an error keep it for the next try."""
        with self._buffer:
            taken, self._rows = self._rows, []
            self._pending += self._tables
            self._tables = []
            written = self._written
        if taken:
            self._pending += self._encoder.payloads(taken)
        self._segments.append(self._pending)
        self._pending, self._durable = [], written
        if self._segments.full:
            self._segments.close_active()

    def _learn_ids(self) -> None:
        """Hold this session to the id types of what is still in the folder."""
        for found in self._segments.found:
            if found.type == frames.ROWS:
                self._encoder.id_types |= id_types_in(found.payload)
            else:
                self._encoder.check(*tables.unpack(found.payload))
        self._segments.found = []
