"""The reader of a store: records of some entities become values of their features."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pyarrow as pa

from workbench.features.advance import joined
from workbench.features.catalog import CATALOG, HEAD, NEVER, Catalog, shapes_of
from workbench.features.program import layout
from workbench.features.texts import Texts
from workbench.features.tracks import COUNT_OF, LIST_OF, NUMBER_OF, VALUE_OF, Group
from workbench.features.value_words import from_words

__all__ = ["BEHIND_SECONDS", "GroupView", "Reader"]

BEHIND_SECONDS = 5.0  # how much older than the newest event a request may be: clocks differ
_READ = 1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_US = timedelta(microseconds=1)
_HEAD_WORDS = 2


class Reader:
    """What a process knows of a store that it reads; the head of each read says if it is old."""

    def __init__(self, store, groups: list[Group]):
        self.store, self.groups = store, groups
        self.texts = Texts(store.read)
        self.catalog = Catalog(number=-1)
        self.views = [GroupView(group, self.texts) for group in groups]
        self.prefixes: list[bytes | None] = [None] * len(groups)
        self.truncated = 0
        self.behind = 0

    def records(self, keys_of: Callable[[list[bytes | None]], list[list[bytes]]]):
        """Records for the keys that `keys_of` makes of the groups' prefixes, and the watermarks.

        Both of one commit; the watermark of a group that the store does not hold is None.
        """
        while True:
            keys = keys_of(self.prefixes)
            found = self.store.read([HEAD, *(key for some in keys for key in some)])
            head = found[0]
            if head is None:  # nothing has ever been applied
                return [[None] * len(some) for some in keys], [NEVER] * len(keys)
            marks = memoryview(head).cast("q")
            if marks[1] == self.catalog.number:
                break
            self._learn(marks[1])
        records, at = [], 1
        for some in keys:
            records.append(found[at : at + len(some)])
            at += len(some)
        return records, [marks[place] if place else None for place in self._places]

    def moment(self, t: int, watermark: int) -> int:
        """The moment that a read at t gets: never before what the store knows."""
        if t > watermark:
            return t
        if watermark - t > BEHIND_SECONDS * 1e6:
            raise ValueError(
                f"the store knows events until {_EPOCH + watermark * _US:%Y-%m-%d %H:%M:%S} and "
                f"cannot say what was known at {_EPOCH + t * _US:%Y-%m-%d %H:%M:%S}: for requests "
                "of the past use training_frame"
            )
        self.behind += 1
        return watermark + 1

    def _learn(self, number: int) -> None:
        catalog = Catalog.parse(self.store.read([CATALOG])[0])
        places = {name: _HEAD_WORDS + place for place, name in enumerate(catalog.groups)}
        self._places = [places.get(group.name) for group in self.groups]
        self.prefixes = [catalog.groups.get(group.name) for group in self.groups]
        for view in self.views:
            view.learn(catalog)
        self.catalog = catalog


class GroupView:
    """One group's program, as far as the types of its columns are known."""

    def __init__(self, group: Group, texts: Texts):
        from workbench.features import kernels_view

        self.group, self.texts, self._kernels = group, texts, kernels_view
        self.key_types: list[str | None] = [None] * len(group.per)
        self.learn(Catalog())

    def learn(self, catalog: Catalog) -> None:
        """Take in what the store knows by now."""
        group, self.program = self.group, layout(self.group, shapes_of(self.group, catalog.types))
        self.key_types = [catalog.keys.get(key) for key in group.per]
        what = self.program.reads[:, 1].tolist()
        self.lists = {place for place, kind in enumerate(what) if kind == LIST_OF}
        self.odd, self.plain = {}, set()  # values that are no floats need a second look
        for place, (kind, dtype) in enumerate(zip(what, self.program.dtypes, strict=True)):
            if kind in (COUNT_OF, NUMBER_OF):
                self.plain.add(place)
            elif kind == VALUE_OF and not dtype.is_float():
                self.plain.add(place)
                if not dtype.is_integer() or dtype == pl.UInt64:
                    self.odd[place] = dtype
        self.vectors = {p for p, dtype in self.odd.items() if isinstance(dtype, pl.List)}
        self.defaults = {
            place: leaf.missing
            for place, leaf in enumerate(group.leaves)
            if leaf.missing is not None
        }

    def compute(self, records: list[bytes | None], times: np.ndarray):
        """Words and states of all values, shapes (leaves, n), and how many are null.

        Lists are left out.
        """
        words, at = joined(records)
        program, n = self.program, len(records)
        out = np.empty((len(program.reads), n), np.int64)
        state = np.empty((len(program.reads), n), np.int8)
        odd = self._kernels.read_values(
            words, at, times, program.widths, program.views, program.reads, out, state
        )
        if odd < 0:
            raise self._damage()
        return words, at, out, state, odd

    def list_of(self, place: int, words, at, times) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Offsets, words and states of a list feature."""
        program, n = self.program, len(times)
        view = program.views[program.reads[place, 0]]
        width = program.value_words[place]
        offsets, state = np.zeros(n + 1, np.int64), np.empty(n, np.int8)
        out = np.empty(0, np.int64)
        for fill in (False, True):
            damaged = self._kernels.read_lists(
                words, at, times, program.widths, view, width, fill, out, offsets, state
            )
            if damaged >= 0:
                raise self._damage()
            out = np.empty(offsets[-1], np.int64) if not fill else out
        return offsets, out, state

    def values(self, record: bytes | None, t: int) -> tuple[list, int]:
        """Values for one entity at t, as plain Python, and how many are truncated."""
        times = np.array([t])
        words, at, out, state, odd = self.compute([record], times)
        out = out.ravel()
        made = out.view(np.float64).tolist()
        if self.plain:
            whole = out.tolist()
            for place in self.plain:
                made[place] = whole[place]
            for place, dtype in self.odd.items():
                made[place] = self._python(place, dtype, words, whole[place], state)
        for place in self.lists:
            offsets, found, state[place] = self.list_of(place, words, at, times)
            made[place] = self._list_column(place, offsets, found)[0].to_list()
            odd += state[place, 0] != _READ
        return (made, 0) if not odd else (made, self._nulls(made, state))

    def columns(self, records: list[bytes | None], times: np.ndarray) -> tuple[list, int]:
        """Values for many entities, one column a leaf, and how many are truncated."""
        words, at, out, state, odd = self.compute(records, times)
        floats, made, truncated = out.view(np.float64), [], 0
        for place, dtype in enumerate(self.program.dtypes):
            if place in self.lists:
                offsets, found, state[place] = self.list_of(place, words, at, times)
                column = self._list_column(place, offsets, found)
            elif place not in self.plain and (dtype is None or dtype == pl.Float64):
                column = pl.Series(floats[place])
            else:
                column = self._column(place, words, out[place], state[place])
            if odd or place in self.lists:
                null = state[place] != _READ
                if null.any():
                    truncated += int((state[place] > _READ).sum())
                    column = _nulled(column, null)
                    if place in self.defaults:
                        column = _filled(column, state[place] == 0, self.defaults[place])
            made.append(column)
        return made, truncated

    def _nulls(self, made: list, state: np.ndarray) -> int:
        """Put null, or what is read instead, where nothing was read; how many are truncated."""
        truncated = 0
        for place, mark in enumerate(state[:, 0].tolist()):
            if mark != _READ:
                truncated += mark > _READ
                made[place] = self.defaults.get(place) if mark < _READ else None
        return truncated

    def _column(self, place: int, words, out, state) -> pl.Series:
        dtype = self.program.dtypes[place]
        if place in self.vectors:
            return self._vectors(place, words, out, state)
        if dtype is None:
            return pl.Series(out)
        valid = state == _READ
        return from_words(np.where(valid, out, 0), valid, dtype, self.texts.column)

    def _vectors(self, place: int, words, out, state) -> pl.Series:
        """`out` has where each vector begins."""
        width, valid = self.program.value_words[place], state == _READ
        begins = np.where(valid, out, 0)[:, None] + np.arange(width)
        found = words[begins] if len(words) else np.zeros(begins.shape, np.int64)
        return from_words(found, valid, self.program.dtypes[place], self.texts.column)

    def _list_column(self, place: int, offsets, found) -> pl.Series:
        width, dtype = self.program.value_words[place], self.program.dtypes[place]
        found = found.reshape(-1, width) if isinstance(dtype, pl.List) else found
        flat = from_words(found, None, dtype, self.texts.column)
        content, ends = flat.to_arrow(), pa.py_buffer(offsets // width)
        made = pa.Array.from_buffers(
            pa.large_list(content.type), len(offsets) - 1, [None, ends], children=[content]
        )
        column = pl.Series(made).cast(pl.List(dtype))
        return column.list.sort() if self.group.leaves[place].aggregate == "values" else column

    def _python(self, place: int, dtype, words, word, state):
        if state[place, 0] != _READ:
            return None
        if dtype == pl.String:
            return self.texts.of(word)
        if dtype == pl.Boolean:
            return bool(word)
        if place in self.vectors:
            return self._vectors(place, words, np.array([word]), state[place])[0].to_list()
        return from_words(np.array([word]), None, dtype, self.texts.column)[0]

    def _damage(self) -> ValueError:
        return ValueError(
            f"a record of {', '.join(self.group.per)} is damaged: delete the store and "
            "materialise from the log again"
        )


def _nulled(column: pl.Series, null: np.ndarray) -> pl.Series:
    if column.dtype.is_numeric():
        return column.set(pl.Series(null), None)
    return pl.select(pl.when(~pl.Series(null)).then(column)).to_series()


def _filled(column: pl.Series, empty: np.ndarray, missing) -> pl.Series:
    text = (column.dtype == pl.String) + isinstance(missing, str)
    if text == 1 and column.dtype != pl.Null:
        raise ValueError(f"missing={missing!r} cannot stand among {column.dtype}")
    filled = pl.when(pl.Series(empty)).then(pl.lit(missing)).otherwise(column)
    return pl.select(filled).to_series()
