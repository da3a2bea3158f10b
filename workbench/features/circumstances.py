"""Aggregates at other moments and with other knowledge, all that are wanted in a few calls.

A contest between a hundred readings of ten features wants a thousand small training frames. Most
ask for the same aggregates of the same entities, only at other moments, so they are first written
down and then computed together: the requests of all moments stand below each other in one table.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import replace

import polars as pl

from workbench.features.definition import Feature
from workbench.features.offline import training_frame

__all__ = ["Circumstances", "Wanted", "leaf_values"]

Wanted = tuple[Feature, Hashable, str]  # aggregate, moment (None: that of the request), known


class Circumstances:
    """What aggregates are at a moment, if this had been known.

    Ask for everything once with `values`, which answers None; `run`; then ask again.

    Parameters
    ----------
    asked : pl.DataFrame, n rows
        `time` and the keys.
    tables : mapping of kind to pl.DataFrame
    """

    def __init__(self, asked: pl.DataFrame, tables: Mapping[str, pl.DataFrame]):
        self.asked, self.tables = asked, tables
        self._then: dict[Hashable, pl.Series] = {None: asked["time"]}
        self._known: dict[tuple, pl.DataFrame | None] = {}
        self._wanted: dict[str, dict[Feature, dict[Hashable, None]]] = {}
        self._found: dict[Wanted, pl.Series] | None = None

    def time(self, moment: Hashable) -> pl.Series:
        """The time that is asked for, shape (n,); that of the request where it is not defined.

        A moment is a function of the column `time`, or has `times(asked, tables)`.
        """
        if moment not in self._then:
            if hasattr(moment, "times"):
                moved = moment.times(self.asked, self.tables)
                self._then[moment] = self.asked.select(pl.coalesce(moved, "time")).to_series()
            else:
                moved = moment(pl.col("time")).dt.cast_time_unit("us")
                self._then[moment] = self.asked.select(pl.coalesce(moved, "time")).to_series()
        return self._then[moment]

    def known(self, leaf: Feature, known: str) -> str:
        """The same word, or "kept" where it would not change what is known of the leaf's events."""
        return "kept" if known == "kept" or self._table(leaf, known) is None else known

    def values(self, wanted: list[Wanted]) -> dict[Wanted, pl.Series] | None:
        """The aggregates asked for, shape (n,) each; None before `run`."""
        if self._found is not None:
            return {each: self._found[each] for each in wanted}
        for leaf, moment, known in wanted:
            self._wanted.setdefault(known, {}).setdefault(leaf, {})[moment] = None
        return None

    def run(self) -> None:
        """Compute all that was asked for."""
        self._found = {}
        for known, leaves in self._wanted.items():
            together: dict[tuple, list[Feature]] = {}
            for leaf, moments in leaves.items():
                how = leaf.per if known != "kept" else ()
                together.setdefault((how, *moments), []).append(leaf)
            for (_, *moments), some in together.items():
                self._compute(some, moments, known)

    def _compute(self, leaves: list[Feature], moments: list, known: str) -> None:
        stacked = pl.concat([self.asked.with_columns(time=self.time(each)) for each in moments])
        tables = self.tables
        if known != "kept":
            tables = {leaf.of: self._table(leaf, known) for leaf in leaves}
        found, n = leaf_values(leaves, stacked, tables), len(self.asked)
        for leaf, column in found.items():
            for place, moment in enumerate(moments):
                self._found[leaf, moment, known] = column.slice(place * n, n)

    def _table(self, leaf: Feature, known: str) -> pl.DataFrame | None:
        """The leaf's events with other `known_at`, None if that changes nothing."""
        key = (known, leaf.of, leaf.per)
        if key not in self._known:
            events = self.tables[leaf.of]
            first = pl.col("known_at").min().over([*leaf.per, "time"])
            rest = {"backfilled": pl.col("known_at"), "restated": first, "ignored": pl.col("time")}
            at_once = pl.col("known_at") if known == "restated" else pl.col("time")
            original = pl.col("known_at") == first
            changed = events.with_columns(
                known_at=pl.when(original).then(at_once).otherwise(rest[known])
            )
            same = changed["known_at"].equals(events["known_at"])
            self._known[key] = None if same else changed
        return self._known[key]


def leaf_values(leaves: list[Feature], asked: pl.DataFrame, log) -> dict[Feature, pl.Series]:
    """The values of aggregates by `training_frame`, whatever they are called; shape (n,) each."""
    if not leaves:
        return {}
    named = [replace(leaf, name=f"_{place}") for place, leaf in enumerate(leaves)]
    keys = sorted({"time"} | {key for leaf in leaves for key in leaf.per})
    found = training_frame(asked.select(keys), named, log)
    return {leaf: found[f"_{place}"] for place, leaf in enumerate(leaves)}
