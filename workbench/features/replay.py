"""Reads replayed under any circumstances: each read gets a copy of its entity's events to itself.

Which events had reached the store, in which order they were written, which of two at one instant
won: all that differs from read to read. So the events are copied per read, changed as a cause would
have it, and the engine computes the feature once more, per read in place of per entity.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta

import polars as pl

from workbench.features.composed import Definition
from workbench.features.definition import Feature
from workbench.features.offline import training_frame
from workbench.features.seen import ties

__all__ = ["Replay", "replays"]

_MOST_PAIRS = 2_000_000  # copies of events that are in memory at a time
_AHEAD = timedelta(hours=15)  # a clock is wrong by less, or not by accident


@dataclass(frozen=True)
class Replay:
    """Some reads of one feature, each with its own copy of the events.

    Parameters
    ----------
    definition : Feature, Ratio, Formula or Calendar
    asked : pl.DataFrame, n rows
        The reads: `_row` (0 to n - 1), `time`, keys and other inputs.
    events : tuple of pl.DataFrame
        One for each leaf: `_row` of the read, `t` its time, and the event: `time known_at event`
        (whole numbers in the order of ties) and the columns that the leaf reads.
    """

    definition: Definition
    asked: pl.DataFrame
    events: tuple[pl.DataFrame, ...]

    def values(
        self,
        change: Callable[[pl.DataFrame, Feature], pl.DataFrame] | None = None,
        *,
        leaf: Callable[[Feature], Feature] | None = None,
        ahead: timedelta = timedelta(0),
    ) -> pl.Series:
        """What the feature reads, shape (n,).

        `change` changes the events of a leaf, `leaf` the leaf itself, and `ahead` is how much the
        clock of the reads was.
        """
        asked = self.asked.with_columns(time=pl.col("time") + ahead)
        leaves, tables = [], {}
        for place, (each, events) in enumerate(zip(self.leaves, self.events, strict=True)):
            made = each if leaf is None else leaf(each)
            leaves.append(replace(made, of=f"events_{place}", per=("_row",), name=f"_{place}"))
            tables[f"events_{place}"] = events if change is None else change(events, each)
        found = training_frame(asked.select("_row", "time"), leaves, tables) if leaves else None
        values = {
            each: _nulls_of(self, each, found[f"_{place}"])
            for place, each in enumerate(self.leaves)
        }
        return self.definition.combine(values, asked)

    @property
    def leaves(self) -> tuple[Feature, ...]:
        """The aggregates of the definition, each once."""
        return tuple(dict.fromkeys(self.definition.leaves))


def replays(definition: Definition, asked: pl.DataFrame, tables) -> Iterator[tuple[slice, Replay]]:
    """The reads in pieces that fit into memory, each with the copies of its events.

    `tables` are frames by kind, with all events of the reads' entities.
    """
    leaves = tuple(dict.fromkeys(definition.leaves))
    asked = asked.with_row_index("_row").with_columns(pl.col("_row").cast(pl.Int64))
    ordered = {leaf.of: _ordered(tables[leaf.of]) for leaf in leaves}
    copies = pl.Series([1], dtype=pl.Int64).new_from_index(0, len(asked))
    for leaf in leaves:
        each = ordered[leaf.of].group_by(leaf.per).len("_n")
        number = asked.join(each, on=leaf.per, how="left", maintain_order="left")["_n"]
        copies = copies + number.fill_null(0).cast(pl.Int64)
    piece = (copies.cum_sum() // _MOST_PAIRS).to_list()
    start = 0
    while start < len(asked):
        stop = start
        while stop < len(asked) and piece[stop] == piece[start]:
            stop += 1
        some = asked[start:stop].with_columns(pl.col("_row") - start)
        yield (
            slice(start, stop),
            Replay(
                definition, some, tuple(_copied(leaf, some, ordered[leaf.of]) for leaf in leaves)
            ),
        )
        start = stop


def _copied(leaf: Feature, asked: pl.DataFrame, events: pl.DataFrame) -> pl.DataFrame:
    mine = asked.select("_row", pl.col("time").alias("t"), *leaf.per)
    made = mine.join(events, on=list(leaf.per), how="inner")
    kept = ["_row", "t", "time", "known_at", "event", *sorted(leaf.columns)]
    kept += ["arrived"] if "arrived" in made.columns else []
    return made.filter(pl.col("time") <= pl.col("t") + _AHEAD).select([*dict.fromkeys(kept)])


def _ordered(events: pl.DataFrame) -> pl.DataFrame:
    """`event` as whole numbers that decide ties as the ids did."""
    order = ties(events.with_row_index("_row") if "event" not in events.columns else events)
    return events.with_columns(event=order)


def _nulls_of(replay: Replay, leaf: Feature, found: pl.Series) -> pl.Series:
    """A read without a key has no value, though its row has a number."""
    nobody = replay.asked.select(pl.any_horizontal(pl.col(leaf.per).is_null())).to_series()
    return found.set(nobody, None)
