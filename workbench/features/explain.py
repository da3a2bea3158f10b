"""Which wrong reading gave these values? A contest between all of them, feature by feature.

A reading explains a row if it gives what the frame has and the right reading does not. It is
contradicted where it would have given something else and the frame does not have that. The reading
that explains most wins, of equals the least contradicted; it takes its rows, and the rest goes on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

import numpy as np
import polars as pl

from workbench.features import whole_table
from workbench.features.agreement import Precision, agree
from workbench.features.circumstances import Circumstances
from workbench.features.composed import Definition
from workbench.features.definition import AGGREGATES, Feature
from workbench.features.leaks import readings, values_under
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
        return replace(
            self,
            given=self.given[rows],
            honest=self.honest[rows],
            differs=self.differs[rows],
            asked=self.asked[rows],
            label=None if self.label is None else self.label[rows],
        )


@dataclass(frozen=True)
class Explained:
    """For each row of a case its kind and the name of its leak ("" where it agrees).

    `fits` says of a leak in what share of the rows that it would change it was found.
    """

    kind: np.ndarray
    name: np.ndarray
    fits: dict[str, float] = field(default_factory=dict)


def explain(cases: Mapping[str, Case]) -> dict[str, Explained]:
    """Return what each differing row of each column is, and by which reading.

    Readings are tried on a sample of the rows; those that explain something there are then
    computed for all rows that differ.
    """
    found, open_cases = {}, {}
    for column, case in cases.items():
        kind = np.full(len(case.given), "exact", object)
        name = np.full(len(case.given), "", object)
        kind[case.differs], name[case.differs] = UNEXPLAINED
        found[column] = Explained(kind, name)
        default = whole_table.default_of(case.given, case.honest, defaults_of(case.definition))
        if default is not None:
            given, honest = default.apply(case.given), default.apply(case.honest)
            left = case.differs & ~agree(given, honest, case.precision)
            only = case.differs & ~left
            kind[only], name[only] = default.kind, default.name
            case = replace(case, given=given, honest=honest, differs=left, default=default)
        if case.differs.any():
            open_cases[column] = case
    for column, (case, winners) in _contests(open_cases, found).items():
        _settle(case, winners, found[column], cases[column].differs & ~case.differs)
    return found


def _contests(cases: Mapping[str, Case], found: dict[str, Explained]) -> dict:
    """For each case itself and the readings that explain it, best first; computed together."""
    if not cases:
        return {}
    n = len(next(iter(cases.values())).given)
    order = np.random.default_rng(n).permutation(n)
    samples = {column: _sample(case, order) for column, case in cases.items()}
    union = np.unique(np.concatenate([*samples.values()]))
    first = next(iter(cases.values()))
    asked = first.asked[union]
    definitions = [case.definition for case in cases.values()]
    together = Circumstances(asked, of_entities(first.tables, definitions, asked))
    wrong = {
        column: [
            *_made(case),
            *readings(case.definition, tz=case.tz, ends=case.ends),
            *map(Neighbour, STEPS),
        ]
        for column, case in cases.items()
    }
    for column, case in cases.items():
        for each in wrong[column]:
            _values(each, case, union, together)
    together.run()
    made = {}
    for column, case in cases.items():
        small, places = case.rows(samples[column]), np.searchsorted(union, samples[column])
        tried = []
        for each in wrong[column]:
            values = _values(each, case, union, together)
            verdict = _verdict(None if values is None else values[places], small)
            tried.append((each, *verdict))
        made[column] = (case, _winners(tried, small.differs))
        weights = _weights(case.differs, small.differs)
        for each, explains, contradicted in tried:
            if each in made[column][1]:
                hit = weights[explains].sum()
                found[column].fits[each.name] = hit / (hit + weights[contradicted].sum())
    return made


def _weights(all_differ: np.ndarray, differs: np.ndarray) -> np.ndarray:
    """How many rows of the frame each row of a sample stands for; shape (n,)."""
    shares = [(all_differ == side).sum() / max((differs == side).sum(), 1) for side in (0, 1)]
    return np.where(differs, shares[1], shares[0])


def _settle(case: Case, winners: list, found: Explained, defaults: np.ndarray) -> None:
    """Compute the winners for all rows that differ, and mark the rows, in place.

    Rows of a regular default are among them: if a leak gives that value too, it is the leak.
    """
    left = case.differs.copy()
    rows = np.flatnonzero(left | defaults)
    rest = case.rows(rows)
    all_rows = Circumstances(
        rest.asked, of_entities(case.tables, [case.definition], rest.asked) if winners else {}
    )
    for each in winners:
        _values(each, rest, rows, all_rows)
    all_rows.run()
    for each in winners:
        values = _values(each, rest, rows, all_rows)
        if values is None:
            continue
        same = defaults[rows] & agree(case.given[rows], values, case.precision)
        mine = rows[(_verdict(values, rest)[0] & left[rows]) | same]
        found.kind[mine], found.name[mine] = each.kind, each.name
        left[mine] = defaults[mine] = False
    if left.any() and case.label is not None:
        rows = np.flatnonzero(left | ~case.differs)
        if whole_table.follows_label(case.given[rows], case.honest[rows], case.label[rows]):
            found.kind[left] = "future"
            found.name[left] = "label-derived: it follows the row's own label"


def _winners(tried: list, differs: np.ndarray) -> list:
    """Of (reading, explains, contradicted) the readings that explain most, best first."""
    left, winners = differs.copy(), []
    tried = [each for each in tried if each[1].any()]  # a copy: winners are taken out
    pair = _pair(tried, differs)
    if pair:
        return [tried[place][0] for place in pair]
    least = max(1, 0.02 * left.sum())
    while left.any() and tried and len(winners) < _MOST:
        scores = [int((explains & left).sum()) for _, explains, _ in tried]
        most = max(scores)
        if most < least:
            break
        near = [place for place, score in enumerate(scores) if score >= 0.98 * most]
        best = min(near, key=lambda place: (int(tried[place][2].sum()), place))
        each, explains, contradicted = tried.pop(best)
        if _believable(explains, contradicted) or scores[best] >= 0.9 * left.sum():
            winners.append(each)
            left &= ~explains
    return winners


def _believable(explains: np.ndarray, contradicted: np.ndarray) -> bool:
    return explains.sum() >= 0.3 * (explains.sum() + contradicted.sum())


def _pair(tried: list, differs: np.ndarray) -> list[int]:
    """Two readings that explain together what none explains alone; empty if there are none."""
    places = [place for place, each in enumerate(tried) if _believable(*each[1:])]
    if len(places) < 2:
        return []
    tried = [tried[place] for place in places]
    explains = np.array([each[1] for each in tried], float)
    alone = explains.sum(axis=1)
    together = alone[:, None] + alone - explains @ explains.T
    enough = 0.98 * differs.sum()
    if alone.max() >= enough or together.max() < enough:
        return []
    contradicted = np.array([each[2].sum() for each in tried], float)
    cost = np.where(together >= together.max() - 0.5, contradicted[:, None] + contradicted, np.inf)
    one, other = np.unravel_index(np.argmin(cost), cost.shape)
    return [places[each] for each in sorted((one, other), key=lambda place: -alone[place])]


def _values(each, case: Case, rows: np.ndarray, circumstances: Circumstances) -> pl.Series | None:
    """What a reading gives for some rows of a case; None where it does not apply (or not yet)."""
    if isinstance(each, Made):
        return each.values[rows]
    if isinstance(each, Neighbour):
        return each.values(case.definition, circumstances)
    return values_under(each, case.definition, circumstances)


def _verdict(values: pl.Series | None, case: Case) -> tuple[np.ndarray, np.ndarray]:
    """Which rows these values explain, and which contradict them; shape (n,) both."""
    nothing = np.zeros(len(case.given), bool)
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


def _sample(case: Case, order: np.ndarray) -> np.ndarray:
    """Some rows that differ and half as many that do not, first in a common order."""
    drawn = []
    for rows, size in ((case.differs, _SAMPLE_ROWS), (~case.differs, _SAMPLE_ROWS // 2)):
        drawn.append(order[rows[order]][:size])
    return np.sort(np.concatenate(drawn))


def of_entities(tables: Mapping, definitions: list[Definition], asked: pl.DataFrame) -> dict:
    """The events of these entities only."""
    kept = dict(tables)
    leaves = {leaf for each in definitions for leaf in each.leaves}
    for kind in {leaf.of for leaf in leaves}:
        pers = {leaf.per for leaf in leaves if leaf.of == kind}
        rows = tables[kind].with_row_index("_row")
        found = [rows.join(asked.select(per).unique(), on=per, how="semi")["_row"] for per in pers]
        kept[kind] = tables[kind][pl.concat(found).unique().sort()]
    return kept
