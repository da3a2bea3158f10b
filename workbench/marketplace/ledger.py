"""What happened and cannot be told yet: events wait here until they are known.

The world writes columns as it goes; `due` hands out, as one Polars frame per kind, every event
whose `known_at` has passed, in the order of time. A complaint that arrives in three weeks stays
inside for three weeks.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
import polars as pl

from workbench.policy import NO_ITEM

__all__ = ["Ledger", "Words"]


@dataclass(frozen=True)
class Words:
    """A column of words as indices into a table of them: nothing is copied until it is told.

    >>> Words(np.array([1, 0, 1]), np.array(["DE", "FR"])).text.tolist()
    ['FR', 'DE', 'FR']
    """

    index: np.ndarray
    table: np.ndarray

    @property
    def text(self) -> np.ndarray:
        """The words themselves, shape (n,)."""
        return self.table[self.index]

    def __len__(self):
        return len(self.index)

    def __getitem__(self, rows) -> Words:
        return Words(self.index[rows], self.table)


class Ledger:
    """Events by kind, held back until `due`.

    >>> ledger = Ledger()
    >>> ledger.write("click", event=np.array([7]), time=np.array([10]), item=np.array([3]))
    >>> ledger.due(10), ledger.due(11)["click"]["event"].to_list()
    ({}, [7])
    """

    def __init__(self):
        self._parts = defaultdict(list)  # columns by (kind, names, constant words)

    def write(
        self, kind: str, words: dict[str, str] | None = None, **columns: np.ndarray | Words
    ) -> None:
        """Keep events of one kind: columns of shape (n,), `words` the same for all of them.

        `time` and `known_at` are microseconds since 1970; `known_at` is `time` if not given.
        """
        if len(columns["event"]):
            columns.setdefault("known_at", columns["time"])
            key = (kind, tuple(columns), tuple((words or {}).items()))
            self._parts[key].append(columns)

    def due(self, now: int) -> dict[str, pl.DataFrame]:
        """Hand out the events known before `now` (microseconds), each once, ordered by time."""
        frames = defaultdict(list)
        for (kind, names, words), parts in sorted(self._parts.items(), key=lambda each: each[0]):
            if not parts:
                continue
            columns = {name: _together([part[name] for part in parts]) for name in names}
            known = columns["known_at"] < now
            held = {} if known.all() else {name: each[~known] for name, each in columns.items()}
            parts[:] = [held] if held else []
            if held:
                columns = {name: values[known] for name, values in columns.items()}
            if len(columns["event"]):
                told = pl.DataFrame({name: _series(each) for name, each in columns.items()})
                frames[kind].append(told.with_columns(**{k: pl.lit(v) for k, v in words}))
        clock = pl.col("time", "known_at").cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
        return {
            kind: pl.concat(parts, how="diagonal").sort("time", "event").with_columns(clock)
            for kind, parts in sorted(frames.items())
        }


def _together(parts: list) -> np.ndarray | Words:
    if isinstance(parts[0], Words):
        return Words(np.concatenate([part.index for part in parts]), parts[0].table)
    return np.concatenate(parts)


def _series(values: np.ndarray | Words) -> pl.Series:
    """One column; missing ids, words and numbers become nulls."""
    if isinstance(values, Words):
        return pl.Series(values.table.tolist(), dtype=pl.String).gather(values.index)
    if values.dtype.kind in "UO":
        first = values[0]
        if (values == first).all():
            return pl.repeat(first or None, len(values), dtype=pl.String, eager=True)
        return pl.Series([word or None for word in values.tolist()], dtype=pl.String)
    series = pl.Series(values)
    if values.dtype.kind == "f" and np.isnan(values).any():
        return series.fill_nan(None)
    if values.dtype.kind == "i" and (values == NO_ITEM).any():
        return series.replace(NO_ITEM, None)
    return series
