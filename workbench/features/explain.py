"""Which wrong reading gave these values? A contest between all of them, feature by feature.

A reading explains a row if it gives what the frame has and the right reading does not. It is
contradicted where it would have given something else and the frame does not have that. The reading
that explains most wins, of equals the least contradicted; it takes its rows, and the rest goes on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
import polars as pl

from workbench.features import whole_table
from workbench.features.agreement import Precision, agree
from workbench.features.composed import Definition
from workbench.features.definition import AGGREGATES, Feature
from workbench.features.leaks import Reading, compute, readings, values_under
from workbench.features.moments import STEPS, Neighbour
from workbench.features.whole_table import Default, Made

__all__ = ["Case", "Explained", "defaults_of", "explain", "of_entities"]

UNEXPLAINED = ("other", "unexplained")
_SAMPLE_ROWS = 400  # a reading that explains one row in a hundred shows in so many
_MOST = 4  # readings that one column is credited with


@dataclass(frozen=True, kw_only=True)
class Case:
    """One column and what it should have been; all of shape (n,).

    `tables` are the events of its entities, `label` may be None, `ends` names moments at which a
    table may have been frozen.
    """

    definition: Definition
    given: pl.Series
    honest: pl.Series
    differs: np.ndarray
    asked: pl.DataFrame
    tables: Mapping[str, pl.DataFrame]
    precision: Precision
    tz: str
    ends: Mapping[str, datetime]
    label: pl.Series | None = None
    default: Default | None = None

    def rows(self, rows: np.ndarray) -> Case:
        """The same for some of the rows."""
        asked = self.asked[rows]
        return replace(
            self,
            given=self.given[rows],
            honest=self.honest[rows],
            differs=self.differs[rows],
            asked=asked,
            tables=of_entities(self.tables, self.definition, asked),
            label=None if self.label is None else self.label[rows],
        )


@dataclass(frozen=True)
class Explained:
    """For each row of a case its kind and the name of its leak ("" where it agrees)."""

    kind: np.ndarray
    name: np.ndarray


def explain(case: Case, *, rng: np.random.Generator) -> Explained:
    """Return what each differing row is, and by which reading.

    Readings are tried on a sample of the rows; those that explain something there are then
    computed for all rows that differ.
    """
    kind, name = np.full(len(case.given), "exact", object), np.full(len(case.given), "", object)
    left = case.differs.copy()
    kind[left], name[left] = UNEXPLAINED
    default = whole_table.default_of(case.given, case.honest, defaults_of(case.definition))
    if default is not None:
        given, honest = default.apply(case.given), default.apply(case.honest)
        left = left & ~agree(given, honest, case.precision)
        only = case.differs & ~left
        kind[only], name[only] = default.kind, default.name
        case = replace(case, given=given, honest=honest, differs=left.copy(), default=default)
    if left.any():
        sample = _sample(left, ~left, rng)
        small, rows = case.rows(sample), np.flatnonzero(left)
        wrong = [
            *_made(case),
            *readings(case.definition, tz=case.tz, ends=case.ends),
            *map(Neighbour, STEPS),
        ]
        rest = case.rows(rows)
        for each in _contest(small, wrong, sample):
            mine = rows[_verdict(each, rest, rows)[0] & left[rows]]
            kind[mine], name[mine] = each.kind, each.name
            left[mine] = False
    if left.any() and case.label is not None:
        rows = np.flatnonzero(left | ~case.differs)
        if whole_table.follows_label(case.given[rows], case.honest[rows], case.label[rows]):
            kind[left], name[left] = "future", "label-derived: it follows the row's own label"
    return Explained(kind, name)


def _contest(small: Case, wrong: list[Reading | Neighbour | Made], sample: np.ndarray) -> list:
    """The readings that explain the sample, best first."""
    tried = [(each, *_verdict(each, small, sample)) for each in wrong]
    left, winners = small.differs.copy(), []
    all_rows = max(int(left.sum()), 1)
    while left.any() and len(winners) < _MOST:
        scores = [int((explains & left).sum()) for _, explains, _ in tried]
        most = max(scores, default=0)
        if most < max(1, 0.02 * all_rows):
            break
        near = [place for place, score in enumerate(scores) if score >= 0.98 * most]
        best = min(near, key=lambda place: (int(tried[place][2].sum()), place))
        each, explains, contradicted = tried.pop(best)
        believable = explains.sum() >= 0.3 * (explains.sum() + (contradicted & ~explains).sum())
        if believable or scores[best] >= 0.9 * left.sum():
            winners.append(each)
            left &= ~explains
    return winners


def _verdict(each: Reading | Neighbour | Made, case: Case, rows: np.ndarray):
    """Which rows a reading explains, and which contradict it; shape (n,) both."""
    nothing = np.zeros(len(case.given), bool)
    if isinstance(each, Made):
        values = each.values[rows]
    elif isinstance(each, Neighbour):
        values = each.values(case.definition, case.asked, case.tables, compute)
    else:
        values = values_under(each, case.definition, case.asked, case.tables)
    if values is None:
        return nothing, nothing
    if case.default is not None:
        values = case.default.apply(values)
    try:
        other = ~agree(values, case.honest)
        matches = agree(case.given, values, case.precision)
    except (ValueError, pl.exceptions.PolarsError):  # a label of words beside numbers
        return nothing, nothing
    return matches & other & case.differs, other & ~matches


def _made(case: Case) -> list[Made]:
    made = whole_table.of_table(case.definition, case.asked, case.tables)
    if case.label is not None:
        made += whole_table.of_label(case.definition, case.asked, case.label)
    return made


def defaults_of(definition: Definition) -> set:
    """What the definition reads where there is nothing."""
    if not isinstance(definition, Feature):
        return set()
    return {definition.missing, AGGREGATES[definition.aggregate]} - {None}


def _sample(left: np.ndarray, agrees: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Some rows that differ and half as many that do not."""
    drawn = []
    for rows, size in ((left, _SAMPLE_ROWS), (agrees, _SAMPLE_ROWS // 2)):
        rows = np.flatnonzero(rows)
        drawn.append(rows if len(rows) <= size else rng.choice(rows, size, replace=False))
    return np.sort(np.concatenate(drawn))


def of_entities(tables: Mapping, definition: Definition, asked: pl.DataFrame) -> dict:
    """The events of these entities only."""
    kept = dict(tables)
    for kind in {leaf.of for leaf in definition.leaves}:
        pers = {leaf.per for leaf in definition.leaves if leaf.of == kind}
        rows = tables[kind].with_row_index("_row")
        found = [rows.join(asked.select(per).unique(), on=per, how="semi")["_row"] for per in pers]
        kept[kind] = tables[kind][pl.concat(found).unique().sort()]
    return kept
