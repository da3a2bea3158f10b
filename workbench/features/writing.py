"""The writer of a store: a micro-batch or a whole log, applied in one commit.

    tables ─► Arrivals ─► late? twice? ─► new records ─┬─► one commit
                  └────── aside, with a reason ────────┘

Batch and stream are the same code: `materialise` only finds the events.
"""

from __future__ import annotations

import io
import itertools
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from workbench.features.advance import Batch, new_records
from workbench.features.arrivals import ASIDE, Arrivals
from workbench.features.catalog import CATALOG, HEAD, LEDGER, NEVER, Catalog, Ledger, shapes_of
from workbench.features.definition import Feature
from workbench.features.program import Program, layout
from workbench.features.reading import scan_kind
from workbench.features.seen_ids import SeenIds
from workbench.features.texts import TextCodes
from workbench.features.tracks import Group

__all__ = ["Applied", "Writer"]

LATE = "later than the bound"
SLICE_ROWS = 4_000_000  # of a log at once in memory
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_US = timedelta(microseconds=1)
_FORMAT = 1


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
        self._remembered: _Books | None = None

    def apply(self, tables: Mapping[str, object], position=None) -> Applied:
        """Apply a micro-batch and the position behind it."""
        return self._commit(lambda books: books.take(tables, self.groups, strict=False), position)

    def materialise(self, log, until: int) -> Applied:
        """Apply all that a log knew before `until`, in microseconds."""

        def work(books: _Books) -> Counter:
            done = Counter()
            fresh = [group for group in self.groups if books.is_new(group)]
            for groups in (fresh, [group for group in self.groups if group not in fresh]):
                if groups:
                    since = min(books.since(group) for group in groups)
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

    def _books(self, transaction) -> _Books:
        """What the last commit left, read again if it was not ours."""
        books, self._remembered = self._remembered, None
        if books is None or transaction.get(LEDGER) != books.told:
            books = _Books(transaction, self)
        books.transaction = transaction
        return books


class _Books:
    """The state of a store while it is being changed."""

    def __init__(self, transaction, writer: Writer):
        self.transaction, self.writer = transaction, writer
        self.told = transaction.get(LEDGER)
        self.ledger = Ledger.parse(self.told)
        self.catalog = Catalog.parse(transaction.get(CATALOG))
        self._stored = self.catalog.copy()
        head = transaction.get(HEAD)
        marks = [NEVER] * len(self.catalog.groups)
        if head is not None:
            marks = np.frombuffer(head, np.int64)[2:].tolist()
        self.watermark = dict(zip(self.catalog.groups, marks, strict=True))
        self.texts = TextCodes(self.ledger.texts)
        self.seen: dict[tuple[str, str], SeenIds] = {}
        self.programs: dict[str, tuple[Program, frozenset]] = {}

    def is_new(self, group: Group) -> bool:
        """Whether the store does not hold this group yet."""
        return group.name not in self.catalog.groups

    def since(self, group: Group) -> int:
        """From when on a log has something new; what became known before is in, or late."""
        if self.is_new(group):
            return NEVER
        watermark = self.watermark[group.name]
        return max(self.ledger.until.get(group.name, NEVER), watermark + (watermark != NEVER))

    def until(self, group: Group, until: int) -> None:
        """Note until when a log is in."""
        self._open(group)
        self.ledger.until[group.name] = max(self.ledger.until.get(group.name, NEVER), until)

    def take(self, tables: Mapping[str, object], groups: list[Group], strict: bool) -> Counter:
        """Apply tables to groups; counts, aside ones by ("aside", reason)."""
        done = Counter()
        if not strict and self.catalog.groups:
            unknown = [group for group in groups if self.is_new(group)]
            if unknown:
                raise ValueError(f"{_told(unknown[0])} are not materialised: do that first")
        kinds = {kind for group in groups for kind in group.kinds}
        arrivals: dict[str, Arrivals] = {}
        for kind, table in tables.items():
            if kind not in kinds:
                done["ignored"] += len(table)
            elif len(table):
                leaves = [leaf for leaf in self.writer.by_kind[kind]
                          if any(leaf in group.leaves for group in groups)]  # fmt: skip
                types = dict(self.catalog.types.get(kind, {}))
                arrived = Arrivals(kind, table, leaves, types, strict)
                for key in {key for leaf in leaves for key in leaf.per}:
                    self.catalog.check_key(key, arrived.frame[key].dtype, kind)
                self.catalog.types[kind] = arrived.types
                arrivals[kind] = arrived
        for group in groups:
            self._open(group)
        taken = {kind: np.zeros(len(arrived), bool) for kind, arrived in arrivals.items()}
        twice = {kind: np.zeros(len(arrived), bool) for kind, arrived in arrivals.items()}
        keyed = {kind: np.zeros(len(arrived), bool) for kind, arrived in arrivals.items()}
        for group in groups:
            done["entities"] += self._advance(group, arrivals, taken, twice, keyed)
        for kind, arrived in arrivals.items():
            arrived.mark(~keyed[kind], "no key")
            arrived.mark(~taken[kind] & ~twice[kind], LATE)
            fit = arrived.reason == 0
            done["events"] += int((taken[kind] & fit).sum())
            done["duplicates"] += int((twice[kind] & ~taken[kind] & fit).sum())
            self._put_aside(arrived, done)
        return done

    def close(self, position: tuple[str, str] | None) -> None:
        """Write what the store says of itself."""
        ledger, put = self.ledger, []
        if not self.catalog.same_as(self._stored):
            self.catalog.number += 1
            put.append((CATALOG, self.catalog.dump()))
            self._stored = self.catalog.copy()
        marks = [self.watermark[name] for name in self.catalog.groups]
        put.append((HEAD, np.array([_FORMAT, self.catalog.number, *marks], np.int64).tobytes()))
        ledger.texts = self.texts.count
        for (group, kind), seen in self.seen.items():
            ledger.seen.setdefault(group, {})[kind] = [seen.next_number, seen.blocks]
        ledger.commits += 1
        self.told = ledger.dump()
        put.append((LEDGER, self.told))
        if position is not None:
            source, text = position
            put.append((b"p" + source.encode(), text.encode()))
        self.transaction.put_many(put)

    def _open(self, group: Group) -> None:
        if self.is_new(group):
            self.catalog.add(group)
            self.watermark[group.name] = NEVER
        program = layout(group, shapes_of(group, self.catalog.types))
        before, known = self.programs.get(group.name, (None, ()))
        if before is None and group.name in self._stored.groups:
            known = self._stored.types
            before = layout(group, shapes_of(group, known))
        for place, track in enumerate(group.tracks if before is not None else ()):
            if before.widths[place] != program.widths[place] and track.kind in known:
                raise ValueError(
                    f"{', '.join(track.columns)} of {track.kind} was null in all events so far and "
                    "is a list of numbers now: make a new store, materialised with some of them"
                )
        self.programs[group.name] = program, frozenset(self.catalog.types)

    def _advance(self, group: Group, arrivals, taken, twice, keyed) -> int:
        watermark = self.watermark[group.name]
        bound = NEVER if watermark == NEVER else watermark - self.writer.late_us
        rows, newest, blocks = {}, watermark, []
        for kind in group.kinds:
            arrived = arrivals.get(kind)
            if arrived is None:
                continue
            mine = np.ones(len(arrived), bool)
            for key in group.per:
                mine &= arrived.frame[key].is_not_null().to_numpy()
            keyed[kind] |= mine
            mine &= (arrived.reason == 0) & (arrived.known >= bound)
            ids = arrived.ids
            if ids is not None:
                high, low, there = ids
                seen = self._seen(group.name, kind)
                new = seen.admit(high, low, arrived.known, mine & there, bound)
                twice[kind] |= mine & there & ~new
                mine &= new | ~there
                blocks.append((seen, high[new], low[new], arrived.known[new]))
            taken[kind] |= mine
            some = np.flatnonzero(mine)
            if len(some):
                rows[kind] = (arrived, some)
                newest = max(newest, int(arrived.known[some].max()))
        for seen, *columns in blocks:
            bound = newest - self.writer.late_us if newest != NEVER else NEVER
            seen.store(*columns, bound, self.transaction)
        self.watermark[group.name] = newest
        if not rows:
            return 0
        records = new_records(
            Batch(group, rows), self.programs[group.name][0], self.catalog, newest,
            self.transaction, lambda column: self.texts.codes(column, self.transaction),
        )  # fmt: skip
        self.transaction.put_many(records)
        return len(records)

    def _seen(self, group: str, kind: str) -> SeenIds:
        if (group, kind) not in self.seen:
            number, blocks = self.ledger.seen.get(group, {}).get(kind, [0, []])
            prefix = b"i" + self.catalog.groups[group] + kind.encode()[:200] + b"\0"
            seen = SeenIds(prefix, blocks, number).load(self.transaction.get_many)
            self.seen[group, kind] = seen
        return self.seen[group, kind]

    def _put_aside(self, arrived: Arrivals, done: Counter) -> None:
        if not arrived.reason.any():
            return
        rows = arrived.aside()
        for reason, count in rows["reason"].value_counts().iter_rows():
            done["aside", reason] += count
        content = io.BytesIO()
        rows.write_ipc(content)
        block, before = self.ledger.aside
        self.transaction.put_many([(b"a" + block.to_bytes(8, "big"), content.getvalue())])
        self.ledger.aside = [block + 1, before + len(rows)]


def slices(log, groups: list[Group], since: int, late_us: int, until: int):
    """What a log learnt from `since` until `until`, oldest first, some rows at a time.

    Where events have ids, it begins `late_us` earlier: what came already will be known.
    """
    scans: dict[str, pl.LazyFrame] = {}
    end = _EPOCH + until * _US
    for kind in sorted({kind for group in groups for kind in group.kinds}):
        lazy = scan_kind(log, kind, None, end)
        names = lazy.collect_schema().names()
        if "known_at" not in names or "time" not in names:
            if lazy.head(1).collect().is_empty():
                continue
            raise ValueError(
                f"events of kind {kind!r} need the columns time and known_at; they have {names}"
            )
        lazy = lazy.filter(pl.col("known_at") < end)
        if since != NEVER:
            first = since - late_us if "event" in names else since
            lazy = lazy.filter(pl.col("known_at") >= _EPOCH + first * _US)
        leaves = [leaf for group in groups for leaf in group.leaves if leaf.of == kind]
        needed = frozenset().union(*(leaf.columns for leaf in leaves)) | {"event"}
        needed = sorted((needed - {"time", "known_at"}) & {*names})
        scans[kind] = lazy.select("time", "known_at", *needed)
    cuts = _cuts([*scans.values()])
    for low, high in itertools.pairwise([None, *cuts, None]):
        part = pl.lit(True)
        if low is not None:
            part &= pl.col("known_at") >= low
        if high is not None:
            part &= pl.col("known_at") < high
        yield {kind: lazy.filter(part).collect() for kind, lazy in scans.items()}


def _cuts(scans: list[pl.LazyFrame]) -> list[datetime]:
    """Where to cut the events so that each slice has at most about SLICE_ROWS."""
    if sum(lazy.select(pl.len()).collect().item() for lazy in scans) <= SLICE_ROWS:
        return []
    hour = pl.col("known_at").dt.truncate("1h")
    hours = pl.concat([lazy.group_by(hour).len().collect() for lazy in scans])
    hours = hours.group_by("known_at").agg(pl.sum("len")).sort("known_at")
    number = (hours["len"].cum_sum() - 1) // SLICE_ROWS
    return hours.filter(number.diff().fill_null(0) > 0)["known_at"].to_list()


def _told(group: Group) -> str:
    names = [leaf.name for leaf in group.leaves]
    return ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
