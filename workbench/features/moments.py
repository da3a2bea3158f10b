"""Two readings that no single moment gives: the rest of the day added, and a neighbour's value.

the rest of the day     [t - window, t) and also [t, end of the day)
a neighbour             what the feature read some events later, or earlier, than the request
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta

import polars as pl

from workbench.features.composed import Definition
from workbench.features.definition import Feature

__all__ = ["STEPS", "Neighbour", "with_the_rest"]

_US = timedelta(microseconds=1)
STEPS = (1, -1, 2, -2, 3, -3)  # events later, earlier

Compute = Callable[[list[Feature], pl.DataFrame], dict[Feature, pl.Series]]


def with_the_rest(
    leaf: Feature, asked: pl.DataFrame, then: pl.DataFrame, compute: Compute
) -> pl.Series | None:
    """The window of the request and, on top, what comes until a later moment.

    None for what cannot be added up, and where there is no window (then it is the value of the
    later moment).
    """
    if leaf.window is None or leaf.session is not None:
        return None
    if leaf.aggregate in ("count", "sum"):
        return _added(leaf, asked, then, compute)
    if leaf.aggregate not in ("mean", "share"):
        return None
    there = f'"{leaf.column}"' if leaf.column.isidentifier() else f"({leaf.column})"
    there = f"{there} IS NOT NULL"
    where = there if leaf.where is None else f"({leaf.where}) AND {there}"
    total = _added(replace(leaf, aggregate="sum", missing=None), asked, then, compute)
    number = replace(leaf, aggregate="count", column=None, where=where, missing=None)
    number = _added(number, asked, then, compute)
    return total / number.set(number == 0, None)


def _added(leaf: Feature, asked: pl.DataFrame, then: pl.DataFrame, compute: Compute) -> pl.Series:
    ever = replace(leaf, window=None, step=None)
    now = compute([leaf, ever], asked)
    return now[leaf] + compute([ever], then)[ever] - now[ever]


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

    def values(self, definition: Definition, asked, tables: Mapping, compute) -> pl.Series | None:
        """The definition's values just after that event, null where there is none; shape (n,)."""
        if not definition.leaves:
            return None
        leaf = definition.leaves[0]
        moments = self._moments(leaf, asked, tables[leaf.of])
        then = asked.with_columns(time=pl.coalesce(moments, "time"))
        return compute([definition], then, tables)[definition].set(moments.is_null(), None)

    def _moments(self, leaf: Feature, asked: pl.DataFrame, events: pl.DataFrame) -> pl.Series:
        begins = pl.max_horizontal(pl.col("time") + pl.lit(leaf.lag), "known_at") + pl.lit(_US)
        grouped = events.group_by(leaf.per).agg(_begin=begins.sort())
        begun = {row[:-1]: row[-1] for row in grouped.select(*leaf.per, "_begin").iter_rows()}
        made = []
        for *key, t in asked.select(*leaf.per, "time").iter_rows():
            begin = begun.get(tuple(key), [])
            at = bisect_right(begin, t) + self.step - 1
            made.append(begin[at] if 0 <= at < len(begin) else None)
        return pl.Series(made, dtype=asked.schema["time"])
