"""The books of a store while it is being changed: groups, watermarks, ids, what went aside."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Mapping

import numpy as np

from workbench.features.advance import Batch, advance
from workbench.features.arrivals import Arrivals
from workbench.features.catalog import CATALOG, HEAD, LEDGER, NEVER, Catalog, Ledger, shapes_of
from workbench.features.definition import Feature
from workbench.features.program import Program, layout
from workbench.features.seen_ids import SeenIds
from workbench.features.texts import TextCodes
from workbench.features.tracks import Group

__all__ = ["Books"]

LATE = "later than the bound"
_FORMAT = 1


class Books:
    """The state of a store while it is being changed."""

    def __init__(self, transaction, by_kind: dict[str, list[Feature]], late_us: int):
        self.transaction, self._by_kind, self._late_us = transaction, by_kind, late_us
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
                leaves = [leaf for leaf in self._by_kind[kind]
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
        bound = NEVER if watermark == NEVER else watermark - self._late_us
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
            bound = newest - self._late_us if newest != NEVER else NEVER
            seen.store(*columns, bound, self.transaction)
        self.watermark[group.name] = newest
        if not rows:
            return 0
        fresh = watermark == NEVER  # nothing was ever taken
        program = self.programs[group.name][0]
        return advance(
            Batch(group, rows), program, self,
            lambda column: self.texts.codes(column, self.transaction), fresh,
        )  # fmt: skip

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


def _told(group: Group) -> str:
    names = [leaf.name for leaf in group.leaves]
    return ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
