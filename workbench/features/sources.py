"""Where a stream of events comes from: one small interface, and the embedded journal behind it.

    source.read(position, wait_seconds) ──► Batch(tables, position)
    store.apply(tables, (source.name, position))        tables and position in one commit
    source.done(position)                               now the source may let go of them

The position is a text that only the source reads. It is stored with what the events did, in the
same commit, so that a consumer killed at any moment goes on where its state ends. A source over
Kafka would give the offsets of its partitions as the position, seek to them after each rebalance,
and commit nothing in `done` but what monitoring wants to see.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import polars as pl

from workbench.contracts import CONTRACTS, Contract, check
from workbench.journal import JournalGap, JournalReader, Place
from workbench.journal.frames import ROWS, TABLE, Frame
from workbench.journal.rows import decode
from workbench.journal.tables import parts, unpack

__all__ = ["Batch", "JournalSource", "Source", "by_contract"]

_NO_CLOCK = datetime.max.replace(tzinfo=UTC)  # whether it is known already, the store asks


@dataclass(frozen=True)
class Batch:
    """Some events, by kind, and the source's position behind them.

    `full` says that more is waiting already. `refused` counts, by reason, what could not be read
    as events; the source keeps that where it came from.
    """

    tables: Mapping[str, pl.DataFrame]
    position: str
    full: bool = False
    refused: Mapping[str, int] = field(default_factory=dict)

    @property
    def events(self) -> int:
        """How many, of all kinds."""
        return sum(map(len, self.tables.values()))


class Source(Protocol):
    """What `features.stream` reads from."""

    name: str  # under this name the store keeps the position

    def read(self, position: str | None, wait_seconds: float) -> Batch | None:
        """What comes behind a position (None: from the oldest on), None if nothing in time."""
        ...

    def done(self, position: str) -> None:
        """All up to here is in the store for good."""
        ...

    def close(self) -> None:
        """Let go of files and connections. What was not done comes again."""
        ...


class JournalSource:
    """The events of a journal, as they reach the disk.

    Parameters
    ----------
    path : path
        The journal's folder; this or another process writes it.
    name : str, default "features"
        Who reads; drained segments are kept for this name until it has passed them. Two stores
        need two names. Make the source before the log is read for a first state: then no event
        falls between the log and the stream.
    restart : bool, default False
        Begin at the oldest segment there is, whatever position the store has: after a gap, once
        the store has been brought up to date from the log.
    batch_events : int, default 5000
        How many events make a batch full.
    contracts : mapping of kind to Contract, optional
        Those of the log that the journal is drained to, if it has others than everybody. Events
        that break theirs are refused here as they are by the log, whose quarantine will hold them.

    Raises
    ------
    ValueError
        If there is no such folder, or a reader of that name is reading.
    JournalGap
        By `read`, if events behind the position are gone, or the position is of another journal.

    Examples
    --------
    >>> import tempfile
    >>> from workbench.journal import Journal
    >>> with Journal(tempfile.mkdtemp()) as journal:
    ...     _ = [journal.write("click", user=user, item=7) for user in (1, 2)]
    ...     journal.sync()
    ...     source = JournalSource(journal.path)
    ...     batch = source.read(None, wait_seconds=0.05)
    >>> batch.tables["click"]["user"].to_list()
    [1, 2]
    """

    def __init__(
        self,
        path: str | Path,
        *,
        name: str = "features",
        restart: bool = False,
        batch_events: int = 5_000,
        contracts: Mapping[str, Contract] = CONTRACTS,
    ) -> None:
        if batch_events < 1:
            raise ValueError(f"batch_events must be at least 1, got {batch_events}")
        self._reader = JournalReader(path, name)
        self._restart, self._batch_events = restart, batch_events
        self._contracts = contracts
        self.name = f"journal {name}"

    def read(self, position: str | None, wait_seconds: float) -> Batch | None:
        """The next batch behind a position; see `Source`."""
        if self._restart:
            position, self._restart = None, False
        place, part = self._place(position)
        found, after = self._reader.read(place, self._batch_events)
        if not found and self._reader.wait(after, wait_seconds):
            found, after = self._reader.read(after, self._batch_events)
        if not found:
            return None
        found = found[:1] if part else found
        levels = _levels(found)
        while len(levels) > 1 and len(found) > 1:  # types differ between the frames
            found = found[: len(found) // 2]
            levels = _levels(found)
        here = after.segment, found[-1].end, int(after.salvaged), 0
        if part + 1 < len(levels):  # and within one frame, too
            here = after.segment, found[0].start, int(after.salvaged), part + 1
        full = sum(frame.events for frame in found) >= self._batch_events or len(levels) > 1
        tables, broken = by_contract(levels[part], self._contracts)
        reasons = Counter(reason for rows in broken.values() for reason in rows["reason"])
        return Batch(tables, " ".join(map(str, (self._reader.id, *here))), full, reasons)

    def done(self, position: str) -> None:
        """Drain may delete what is before this position."""
        self._reader.done(self._place(position)[0])

    def close(self) -> None:
        """Let go of the journal; segments are kept for this name until it reads on."""
        self._reader.close()

    def forget(self) -> None:
        """Close for good: nothing more is kept for this name."""
        self._reader.forget()

    def __repr__(self) -> str:
        return f"JournalSource({str(self._reader.path)!r}, name={self._reader.name!r})"

    def _place(self, position: str | None) -> tuple[Place | None, int]:
        if position is None:
            return None, 0
        journal, *numbers = position.rsplit(" ", 4)
        if self._reader.id not in (journal, None):
            raise JournalGap(
                f"the store stands in the journal {journal}, and {self._reader.path} holds another "
                f"one, {self._reader.id}: give each journal a reader's name of its own (name=), or "
                "begin here with restart=True"
            )
        segment, offset, salvaged, part = map(int, numbers)
        return Place(segment, offset, bool(salvaged)), part


def by_contract(
    tables: Mapping[str, pl.DataFrame], contracts: Mapping[str, Contract]
) -> tuple[dict[str, pl.DataFrame], dict[str, pl.DataFrame]]:
    """The events that a log takes, in its types, and those it would not, with a `reason`.

    >>> moment = datetime(2026, 1, 1, tzinfo=UTC)
    >>> pay = pl.DataFrame({"event": [1, 2], "user": 7, "amount": [5.0, None]})
    >>> pay = pay.with_columns(time=moment, known_at=moment)
    >>> good, broken = by_contract({"payment": pay}, CONTRACTS)
    >>> good["payment"]["event"].to_list(), broken["payment"]["reason"].to_list()
    ([1], ['payment.amount: null'])
    """
    good, broken = {}, {}
    for kind, table in tables.items():
        rows, bad = check(table, contracts.get(kind, Contract(kind)), _NO_CLOCK)
        if len(rows):
            good[kind] = rows
        if len(bad):
            broken[kind] = bad
    return good, broken


def _levels(frames: list[Frame]) -> list[dict[str, pl.DataFrame]]:
    """The tables of some frames, as `drain` makes them: more than one where types differ."""
    tables = decode(frame.payload for frame in frames if frame.type == ROWS)
    tables += [unpack(frame.payload) for frame in frames if frame.type == TABLE]
    return parts(tables)
