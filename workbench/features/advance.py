"""Bring the records of a group up to date with new events: the one way, for batch and stream."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl

from workbench.features.arrivals import Arrivals
from workbench.features.entity_keys import keys_of
from workbench.features.program import Program, null_marks
from workbench.features.threads import plain
from workbench.features.tracks import DISTINCT, LATEST, TILES, Group, Track
from workbench.features.value_words import to_words

__all__ = ["MOST_ITEMS", "new_records"]

MOST_ITEMS = 65_536  # that a track holds; beyond it the oldest go
_ONE = 1


class Batch:
    """New events of all kinds of a group, laid out for the kernels."""

    def __init__(self, group: Group, rows: dict[str, tuple[Arrivals, np.ndarray]]):
        self.group, self.rows = group, rows
        self.counts = [len(rows[kind][1]) if kind in rows else 0 for kind in group.kinds]
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
            first = self.starts[self.group.kinds.index(track.kind)]
            mask, words = _of_track(track, arrived, some, program, codes)
            row[8:] = mask_end - first, value_end - first, len(some)
            masks.append(mask)
            values += words
            mask_end, value_end = mask_end + len(mask), value_end + len(some) * len(words)
        return tracks, np.concatenate(masks), np.concatenate([np.zeros(0, np.int64), *values])

    def _joined(self, take) -> np.ndarray:
        parts = [take(*self.rows[kind]) for kind in self.group.kinds if kind in self.rows]
        return np.concatenate(parts) if len(parts) > 1 else parts[0]


def new_records(
    batch: Batch, program: Program, catalog, watermark: int, transaction, codes: Callable
) -> list[tuple[bytes, memoryview]]:
    """Keys and new records of the entities that a batch touches."""
    from workbench.features import kernels_state as kernels

    keys, code = batch.entities(catalog.keys)
    names = keys_of(catalog.groups[batch.group.name], keys)
    bounds, order = batch.ordered(code, len(names))
    tracks, masks, values = batch.columns(program, codes)
    old = [content or b"" for content in transaction.get_many(names)]
    old_at = np.zeros(len(names) + 1, np.int64)
    np.cumsum(np.fromiter(map(len, old), np.int64, len(old)) // 8, out=old_at[1:])
    words = np.frombuffer(b"".join(old), np.int64)
    room = len(words) + len(names) * (2 * len(tracks) + _ONE)
    for row in tracks:
        events = batch.counts[row[1]]
        most = len(names) if row[0] == LATEST and not row[4] else events
        room += min(events, most) * int(row[2])
    out, out_at = np.empty(room, np.int64), np.zeros(len(names) + 1, np.int64)
    damaged = kernels.update(
        words, old_at, bounds, order, batch.time, batch.known, batch.tie, masks, values, tracks,
        watermark + 1, MOST_ITEMS, out, out_at,
    )  # fmt: skip
    if damaged >= 0:
        raise ValueError(f"the record {names[damaged].hex()} is damaged")
    content = memoryview(out).cast("B")
    ends = (8 * out_at).tolist()
    return [(name, content[a:b]) for name, a, b in zip(names, ends[:-1], ends[1:], strict=True)]


def _column(arrived: Arrivals, name: str) -> np.ndarray:
    return arrived.ties() if name == "tie" else getattr(arrived, name)


def _of_track(track: Track, arrived: Arrivals, some: np.ndarray, program: Program, codes):
    """Which events a track takes, and the words of its values, one array a word."""
    held = arrived.holds(track.where)
    mask = np.ones(len(some), bool) if held is None else held[some]
    if track.form == LATEST:
        marks, words = [], []
        for column in track.columns:
            made, valid = _words(track, column, arrived, some, program, codes)
            marks.append(valid)
            words += made
        return mask, null_marks(marks, len(some)) + words
    if not track.columns:
        return mask, []
    (column,) = track.columns
    if track.form == TILES:
        numbers = arrived.numbers(column)[some]
        words, valid = to_words(numbers, 1, codes)
    else:
        words, valid = _words(track, column, arrived, some, program, codes)
        if track.form == DISTINCT and arrived.values(column).dtype.is_float():
            words = [(word.view(np.float64) + 0.0).view(np.int64) for word in words]  # no -0.0
    return (mask if valid is None else mask & valid), words


def _words(track: Track, column: str, arrived: Arrivals, some, program: Program, codes):
    width = arrived.types.get(f"{column}[]", 1)
    return to_words(arrived.values(column)[some], width, codes)
