"""Bring the records of a group up to date with new events: the one way, for batch and stream."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import polars as pl

from workbench.features.arrivals import Arrivals
from workbench.features.entity_keys import keys_of
from workbench.features.program import Program, null_marks
from workbench.features.threads import one_ahead, plain
from workbench.features.tracks import DISTINCT, LATEST, TILES, Group, Track
from workbench.features.value_words import to_words

__all__ = ["MOST_ITEMS", "Batch", "advance", "joined"]

MOST_ITEMS = 65_536  # that a track holds; beyond it the oldest go
ENTITIES_AT_ONCE = 20_000
_ROWS_AT_ONCE = 50_000


class Batch:
    """New events of all kinds of a group, laid out for the kernels."""

    def __init__(self, group: Group, rows: dict[str, tuple[Arrivals, np.ndarray]]):
        self.group, self.rows = group, {}
        self.counts = [len(rows[kind][1]) if kind in rows else 0 for kind in group.kinds]
        for kind, (arrived, some) in rows.items():  # all of them: nothing to pick
            self.rows[kind] = arrived, slice(None) if len(some) == len(arrived) else some
        self.starts = np.concatenate([[0], np.cumsum(self.counts)]).astype(np.int64)
        self.time, self.known, self.tie = (
            self._joined(lambda arrived, some, n=name: _column(arrived, n)[some])
            for name in ("time", "known", "tie")
        )

    def entities(self, key_types: dict[str, str]) -> tuple[list[pl.Series], np.ndarray]:
        """The different keys, sorted, and the place of each event's key among them."""
        per = list(self.group.per)
        schema = {key: getattr(pl, key_types.get(key, "Int64")) for key in per}
        frames = [
            arrived.frame.select(per)[some].cast(schema) for arrived, some in self.rows.values()
        ]
        keys = pl.concat(frames)
        if len(per) == 1 and schema[per[0]] == pl.Int64:
            different, code = np.unique(plain(keys[per[0]], np.int64), return_inverse=True)
            return [pl.Series(different)], code.astype(np.int64, copy=False)
        different = keys.unique().sort(per).with_columns(_code=pl.int_range(pl.len()))
        code = keys.join(different, on=per, how="left", maintain_order="left")["_code"]
        return [different[key] for key in per], plain(code, np.int64)

    def ordered(self, code: np.ndarray, entities: int) -> tuple[np.ndarray, np.ndarray]:
        """Events by entity and age: bounds for each kind and entity, and the rows."""
        from workbench.features import kernels_order as kernels

        bounds, order = np.zeros((len(self.counts), entities + 1), np.int64), []
        for kind, first in enumerate(self.starts[:-1]):
            part = slice(first, self.starts[kind + 1])
            bounds[kind], rows = kernels.group(code[part], entities)
            clocks = self.time[part], self.known[part], self.tie[part]
            spare = np.empty(len(rows), np.int64), np.empty(len(rows), np.int64)
            kernels.sort_runs(0, entities, bounds[kind], rows, *clocks, *spare)
            bounds[kind] += first
            order.append(rows + first)
        return bounds, np.concatenate(order)

    def columns(self, program: Program, codes: Callable) -> tuple[np.ndarray, ...]:
        """Masks and values of all tracks, one after the other, and the tracks that know where."""
        tracks = program.tracks.copy()
        masks, values, mask_end, value_end = [], [], 0, 0
        for row, track in zip(tracks, self.group.tracks, strict=True):
            if track.kind not in self.rows:
                continue
            arrived, some = self.rows[track.kind]
            kind = self.group.kinds.index(track.kind)
            first, count = self.starts[kind], self.counts[kind]
            mask, words = _of_track(track, arrived, some, count, codes)
            row[8:] = mask_end - first, value_end - first * len(words), len(words)
            masks.append(mask)
            values.append(_by_row(words))
            mask_end, value_end = mask_end + count, value_end + count * len(words)
        return tracks, _joined(masks), _joined(values)

    def _joined(self, take) -> np.ndarray:
        parts = [take(*self.rows[kind]) for kind in self.group.kinds if kind in self.rows]
        return _joined(parts)


def advance(batch: Batch, program: Program, books, codes: Callable, fresh: bool) -> int:
    """Bring the records of the entities that a batch touches up to date; how many they are.

    A fresh group has none yet.
    """
    catalog, transaction = books.catalog, books.transaction
    keys, code = batch.entities(catalog.keys)
    names = keys_of(catalog.groups[batch.group.name], keys)
    bounds, order = batch.ordered(code, len(names))
    tracks, masks, values = batch.columns(program, codes)
    events = order, batch.time, batch.known, batch.tie, masks, values, tracks
    watermark = books.watermark[batch.group.name]

    def to_compute():
        for first in firsts:
            some = names[first : first + ENTITIES_AT_ONCE]
            old = [None] * len(some) if fresh else transaction.get_many(some)
            part = np.ascontiguousarray(bounds[:, first : first + len(some) + 1])
            yield partial(_computed, old, part, events, watermark)

    firsts = range(0, len(names), ENTITIES_AT_ONCE)
    computed = one_ahead(to_compute()) if len(firsts) > 1 else (call() for call in to_compute())
    for first, (damaged, records) in zip(firsts, computed, strict=True):
        if damaged >= 0:
            raise ValueError(
                f"the record of {', '.join(batch.group.per)} = "
                f"{', '.join(str(key[first + damaged]) for key in keys)} is damaged: delete the "
                "store and materialise from the log again"
            )
        transaction.put_many(zip(names[first : first + ENTITIES_AT_ONCE], records, strict=True))
    return len(names)


def _computed(old: list[bytes | None], bounds: np.ndarray, events: tuple, watermark: int):
    """The first damaged record's number or -1, and the new records as bytes."""
    from workbench.features import kernels_state as kernels

    tracks = events[-1]
    words, at = joined(old)
    room = len(words) + len(old) * (2 * len(tracks) + 1)
    for row in tracks:
        number = int(bounds[row[1], -1] - bounds[row[1], 0])
        alone = row[0] == LATEST and not row[4]  # one entry an entity
        room += (min(number, len(old)) if alone else number) * int(row[2])
    out, out_at = np.empty(room, np.int64), np.empty(len(old) + 1, np.int64)
    damaged = kernels.update(words, at, bounds, *events, watermark + 1, MOST_ITEMS, out, out_at)
    content, ends = memoryview(out).cast("B"), (8 * out_at).tolist()
    return damaged, map(content.__getitem__, map(slice, ends, ends[1:]))


def joined(records: list[bytes | None]) -> tuple[np.ndarray, np.ndarray]:
    """Records as one array of words, and where each begins; none for None."""
    if len(records) == 1:
        content = records[0] or b""
        return np.frombuffer(content, np.int64), np.array([0, len(content) // 8])
    parts = [record or b"" for record in records]
    at = np.zeros(len(parts) + 1, np.int64)
    np.cumsum(np.fromiter(map(len, parts), np.int64, len(parts)) // 8, out=at[1:])
    return np.frombuffer(b"".join(parts), np.int64), at


def _joined(parts: list[np.ndarray]) -> np.ndarray:
    return np.concatenate(parts) if len(parts) > 1 else parts[0]


def _column(arrived: Arrivals, name: str) -> np.ndarray:
    return arrived.ties() if name == "tie" else getattr(arrived, name)


def _by_row(words: list[np.ndarray]) -> np.ndarray:
    """The words of each row side by side."""
    from workbench.features import kernels_words as kernels

    if len(words) < 2:
        return words[0] if words else np.empty(0, np.int64)
    number, n = len(words), len(words[0])
    rows = np.empty(number * n, np.int64)
    for first in range(0, n, _ROWS_AT_ONCE):
        block = [word[first : first + _ROWS_AT_ONCE] for word in words]
        part = rows[number * first : number * (first + _ROWS_AT_ONCE)]
        kernels.side_by_side(np.concatenate(block), number, part)
    return rows


def _of_track(track: Track, arrived: Arrivals, some, count: int, codes):
    """Which events a track takes, and the words of its values, one array a word."""
    held = arrived.holds(track.where)
    mask = np.ones(count, bool) if held is None else held[some]
    if track.form == LATEST:
        marks, words = [], []
        for column in track.columns:
            made, valid = _words(column, arrived, some, codes)
            marks.append(valid)
            words += made
        return mask, null_marks(marks, count) + words
    if not track.columns:
        return mask, []
    (column,) = track.columns
    if track.form == TILES:
        numbers = arrived.numbers(column)[some]
        words, valid = to_words(numbers, 1, codes)
    else:
        words, valid = _words(column, arrived, some, codes)
        if track.form == DISTINCT and arrived.values(column).dtype.is_float():
            words = [(word.view(np.float64) + 0.0).view(np.int64) for word in words]  # no -0.0
    return (mask if valid is None else mask & valid), words


def _words(column: str, arrived: Arrivals, some, codes):
    width = arrived.types.get(f"{column}[]", 1)
    return to_words(arrived.values(column)[some], width, codes)
