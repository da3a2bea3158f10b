"""The writer of a store: a micro-batch or a whole log, applied in one commit.

    tables ─► Arrivals ─► late? twice? ─► new records ─┬─► one commit
                  └────── aside, with a reason ────────┘

Batch and stream are the same code: `materialise` only finds the events.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from workbench.features.arrivals import ASIDE
from workbench.features.books import Books
from workbench.features.catalog import CATALOG, HEAD, LEDGER, NEVER, Catalog, Ledger
from workbench.features.definition import Feature
from workbench.features.log_slices import slices
from workbench.features.tracks import Group

__all__ = ["Applied", "Writer"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_US = timedelta(microseconds=1)


@dataclass(frozen=True, kw_only=True)
class Applied:
    """What came of some events.

    Parameters
    ----------
    events : int
        That changed the state.
    duplicates : int
        That had come before.
    aside : mapping of reason to int
        That could not be used; `OnlineStore.aside()` has them.
    ignored : int
        Of kinds that no feature reads.
    entities : int
        Records written.
    until : datetime or None
        Of a materialisation: all that was known before is in.
    """

    events: int = 0
    duplicates: int = 0
    aside: Mapping[str, int]
    ignored: int = 0
    entities: int = 0
    until: datetime | None = None

    def __repr__(self) -> str:
        parts = [f"{self.events:,} events into {self.entities:,} records"]
        if self.until is not None:
            parts[0] += f", all that was known before {self.until:%Y-%m-%d %H:%M:%S}"
        if self.duplicates:
            parts.append(f"{self.duplicates:,} came again and changed nothing")
        if self.ignored:
            parts.append(f"{self.ignored:,} are of kinds that no feature reads")
        parts += [f"{count:,} aside: {reason}" for reason, count in sorted(self.aside.items())]
        return "\n  ".join(parts)


class Writer:
    """Applies events to a store of records; what it remembers of the store is checked each time."""

    def __init__(self, store, groups: list[Group], late_us: int):
        self.store, self.groups, self.late_us = store, groups, late_us
        self.by_kind: dict[str, list[Feature]] = {}
        for group in groups:
            for leaf in group.leaves:
                self.by_kind.setdefault(leaf.of, []).append(leaf)
        self._remembered: Books | None = None

    def apply(self, tables: Mapping[str, object], position=None) -> Applied:
        """Apply a micro-batch and the position behind it."""
        return self._commit(lambda books: books.take(tables, self.groups, strict=False), position)

    def materialise(self, log, until: int) -> Applied:
        """Apply all that a log knew before `until`, in microseconds."""

        def work(books: Books) -> Counter:
            done = Counter()
            by_since: dict[int, list[Group]] = {}
            for group in self.groups:
                by_since.setdefault(books.since(group), []).append(group)
            for since, groups in by_since.items():
                for tables in slices(log, groups, since, self.late_us, until):
                    done += books.take(tables, groups, strict=True)
                for group in groups:
                    books.until(group, until)
            return done

        return self._commit(work, None, until=until)

    def aside(self) -> pl.DataFrame:
        """All that was put aside, the oldest first."""
        blocks, _rows = Ledger.parse(self.store.read([LEDGER])[0]).aside
        stored = self.store.read([b"a" + block.to_bytes(8, "big") for block in range(blocks)])
        frames = [pl.read_ipc(io.BytesIO(content)) for content in stored]
        return pl.concat([pl.DataFrame(schema=ASIDE), *frames])

    def status(self) -> dict[str, object]:
        """What the store says of itself."""
        head, catalog, ledger = self.store.read([HEAD, CATALOG, LEDGER])
        catalog, ledger = Catalog.parse(catalog), Ledger.parse(ledger)
        marks = np.frombuffer(head, np.int64)[2:].tolist() if head else []
        known = dict(zip(catalog.groups, marks, strict=True))
        groups = {}
        for group in self.groups:
            mark, until = (each.get(group.name) for each in (known, ledger.until))
            groups[", ".join(group.per)] = {
                "features": len(group.leaves),
                "materialised": group.name in catalog.groups,
                "known_until": None if mark in (None, NEVER) else _EPOCH + mark * _US,
                "materialised_until": None if until is None else _EPOCH + until * _US,
            }
        return {"groups": groups, "commits": ledger.commits, "aside": ledger.aside[1]}

    def _commit(self, work, position, until: int | None = None) -> Applied:
        with self.store.exclusively():
            books = None

            def whole(transaction) -> Counter:
                nonlocal books
                books = self._books(transaction)
                done = work(books)
                books.close(position)
                return done

            try:
                done = self.store.write(whole)
            except BaseException:
                self._remembered = None
                raise
            self._remembered = books
        aside = {what[1]: n for what, n in done.items() if isinstance(what, tuple)}
        counts = {what: n for what, n in done.items() if isinstance(what, str)}
        made = None if until is None else _EPOCH + until * _US
        return Applied(aside=aside, until=made, **counts)

    def _books(self, transaction) -> Books:
        """What the last commit left, read again if it was not ours."""
        books, self._remembered = self._remembered, None
        if books is None or transaction.get(LEDGER) != books.told:
            books = Books(transaction, self.by_kind, self.late_us)
        books.transaction = transaction
        return books
