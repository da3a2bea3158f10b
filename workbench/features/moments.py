"""Two readings that no single moment gives: the rest of the day added, and a neighbour's value.

the rest of the day     [t - window, t) and also [t, end of the day)
a neighbour             what the feature read some events later, or earlier, than the request
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta

import polars as pl

from workbench.features.circumstances import Circumstances, Wanted
from workbench.features.composed import Definition
from workbench.features.definition import Feature

__all__ = ["STEPS", "Neighbour", "rest_of", "with_the_rest"]

_US = timedelta(microseconds=1)
STEPS = (1, -1, 2, -2, 3, -3)  # events later, earlier


def rest_of(leaf: Feature, moment: Hashable, known: str) -> list[Wanted] | None:
    """What is needed to go on from the window of the request to a later moment.

    None for what cannot be added up, and where there is no window (then it is the value of the
    later moment).
    """
    if leaf.window is None or leaf.session is not None:
        return None
    if leaf.aggregate in ("count", "sum"):
        ever = replace(leaf, window=None, step=None, missing=None)
        return [(leaf, None, known), (ever, moment, known), (ever, None, known)]
    if leaf.aggregate not in ("mean", "share"):
        return None
    there = f'"{leaf.column}"' if leaf.column.isidentifier() else f"({leaf.column})"
    there = f"{there} IS NOT NULL"
    where = there if leaf.where is None else f"({leaf.where}) AND {there}"
    total = replace(leaf, aggregate="sum", missing=None)
    number = replace(leaf, aggregate="count", column=None, where=where, missing=None)
    return [*rest_of(total, moment, known), *rest_of(number, moment, known)]


def with_the_rest(leaf: Feature, parts: list[Wanted], found: Mapping) -> pl.Series:
    """The window of the request and, on top, what comes until the later moment; shape (n,)."""
    now, later, before = (found[each] for each in parts[:3])
    total = now + later - before
    if len(parts) == 3:
        return total
    now, later, before = (found[each] for each in parts[3:])
    number = now + later - before
    return total / number.set(number == 0, None)


@dataclass(frozen=True)
class Neighbour:
    """What the feature reads some events later (a positive step) or earlier than the request.

    >>> Neighbour(-2).name, Neighbour(1).kind
    ('the value 2 events earlier', 'future')
    """

    step: int

    @property
    def name(self) -> str:
        """What the certificate calls it."""
        many = f"{abs(self.step)} event{'s' if abs(self.step) > 1 else ''}"
        return f"the value {many} {'later' if self.step > 0 else 'earlier'}"

    @property
    def kind(self) -> str:
        """From the future, or stale."""
        return "future" if self.step > 0 else "stale"

    def values(self, definition: Definition, circumstances: Circumstances) -> pl.Series | None:
        """The definition's values just after that event, null where there is none; shape (n,)."""
        if not definition.leaves:
            return None
        first = definition.leaves[0]
        moment = AfterEvent(self.step, first.of, first.per, first.lag)
        found = circumstances.values([(leaf, moment, "kept") for leaf in definition.leaves])
        if found is None:
            return None
        time, asked = circumstances.time(moment), circumstances.asked
        values = {leaf: found[leaf, moment, "kept"] for leaf in definition.leaves}
        made = definition.combine(values, asked.with_columns(time=time))
        return made.set(time == asked["time"], None)


@dataclass(frozen=True)
class AfterEvent:
    """The moment just after an event was there, so many events later or earlier."""

    step: int
    of: str
    per: tuple[str, ...]
    lag: timedelta

    def times(self, asked: pl.DataFrame, tables: Mapping[str, pl.DataFrame]) -> pl.Series:
        """The moment for each request, null where there is no such event; shape (n,)."""
        begins = pl.max_horizontal(pl.col("time") + pl.lit(self.lag), "known_at") + pl.lit(_US)
        grouped = tables[self.of].group_by(self.per).agg(_begin=begins.sort())
        begun = {row[:-1]: row[-1] for row in grouped.select(*self.per, "_begin").iter_rows()}
        made = []
        for *key, t in asked.select(*self.per, "time").iter_rows():
            begin = begun.get(tuple(key), [])
            at = bisect_right(begin, t) + self.step - 1
            made.append(begin[at] if 0 <= at < len(begin) else None)
        return pl.Series(made, dtype=asked.schema["time"])
