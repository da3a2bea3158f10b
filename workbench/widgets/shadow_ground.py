"""Pairs of a champion and a challenger as numbers, made once; `shadow_explorer` asks them.

pairs ─► ground_of ─► scores, actions as codes, who asks, what is odd
                         │ kept when first asked for
                         ├─► axis(scale, bins)   the cell of each row
                         ├─► slicing(by)         the slice of each row
                         └─► outcome(name)       the label of each row
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

from workbench.assign import uniform
from workbench.experiments.cells import bin_of
from workbench.experiments.clustered import Means
from workbench.experiments.degenerate import Oddities, oddities
from workbench.experiments.slices import differs, slice_values
from workbench.tables import one_frame
from workbench.widgets.shadow_axis import Axis, axis_of
from workbench.widgets.shadow_pairs import OUTCOMES, checked, decided
from workbench.widgets.shadow_rates import Groups, groups_of

__all__ = ["MOST_SLICES", "Ground", "Slicing", "ground_of"]

MOST_SLICES, QUANTILES = 12, 5
_OWN = {f"{who}_{what}" for who in ("live", "shadow", "twin") for what in ("score", "action")}
_KINDS = (pl.String, pl.Boolean, pl.Categorical, pl.Enum, pl.Datetime, pl.Date, pl.Duration)


@dataclass(frozen=True, slots=True)
class Slicing:
    """The slices of one column: their names, and the rows under them."""

    words: list[str]
    groups: Groups


@dataclass(frozen=True, slots=True)
class Ground:
    """What `explore` looks at; take it from `ground_of`.

    Parameters
    ----------
    frame : polars.DataFrame
    live, shadow : ndarray of float, shape (n,)
        Scores, NaN where there is none.
    live_acts, shadow_acts : ndarray of int8, shape (n,)
        1 the positive action, 0 another, -1 no answer.
    apart, twin_apart : ndarray of bool, shape (n,)
        Whether the challenger, or the twin, says otherwise than the champion; twin None without.
    items_apart : ndarray of bool, shape (n,)
        The same for items alone.
    users : ndarray of int, shape (n,), or None
        Who hangs together in the intervals; None where every row stands alone.
    luck : ndarray, shape (n,)
        Says which rows are drawn as points, the same on every run.
    oddities : Oddities
        As logged.
    cutoffs : mapping
        Of `live` and `shadow`: the score from which on the positive action was taken, None where
        no score parts the actions.
    movable : bool
        Whether another cutoff can be tried on the challenger: it takes two actions, no more.
    """

    frame: pl.DataFrame
    positive: str
    live: np.ndarray
    shadow: np.ndarray
    live_acts: np.ndarray
    shadow_acts: np.ndarray
    apart: np.ndarray
    twin_apart: np.ndarray | None
    items_apart: np.ndarray
    users: np.ndarray | None
    luck: np.ndarray
    oddities: Oddities
    cutoffs: Mapping[str, float | None]
    movable: bool
    _kept: dict = field(default_factory=dict, repr=False)

    @property
    def columns(self) -> list[str]:
        """What there is to slice by."""
        left_out = _OWN | {"request", "position", *OUTCOMES}
        return [
            name
            for name, kind in self.frame.schema.items()
            if name not in left_out and (kind.is_numeric() or kind in _KINDS)
        ]

    @property
    def outcomes(self) -> list[str]:
        """Columns that say how it ended, as far as they are there and say anything."""
        there = [name for name in OUTCOMES if name in self.frame.columns]
        return [name for name in there if self.frame[name].null_count() < len(self.frame)]

    def axis(self, scale: str, bins: int) -> tuple[Axis, np.ndarray]:
        """The axis of both scores, and the cell of each row; bins ** 2 where a score is missing."""
        if ("axis", scale, bins) not in self._kept:
            axis = axis_of(self.live, self.shadow, scale, bins)
            known = ~(np.isnan(self.live) | np.isnan(self.shadow))
            live, shadow = (np.nan_to_num(each) for each in (self.live, self.shadow))
            bins_there = len(axis.edges) - 1
            cell = bin_of(live, axis.edges) * bins_there + bin_of(shadow, axis.edges)
            cell = np.where(known, cell, bins_there**2).astype(np.int32)
            self._kept["axis", scale, bins] = axis, cell
        return self._kept["axis", scale, bins]

    def slicing(self, by: str | None) -> Slicing:
        """The slices of a column; one of all rows for None."""
        if ("by", by) not in self._kept:
            if by is None:
                code, words = np.zeros(len(self.frame), np.int64), ["all"]
            elif by in self.columns:
                code, words = _coded(self.frame[by])
            else:
                raise ValueError(f"by must be one of {self.columns}, got {by!r}")
            self._kept["by", by] = Slicing(words, groups_of(code, len(words), self.users))
        return self._kept["by", by]

    def floor(self, by: str | None) -> Means:
        """Of each slice of a column: the share of rows in which the twin says otherwise."""
        if ("floor", by) not in self._kept:
            self._kept["floor", by] = self.slicing(by).groups.means(self.twin_apart)
        return self._kept["floor", by]

    def outcome(self, name: str) -> np.ndarray:
        """1, 0, or -1 where it is unknown, shape (n,)."""
        if ("outcome", name) not in self._kept:
            if name not in self.outcomes:
                raise ValueError(f"outcomes must be one of {self.outcomes}, got {name!r}")
            self._kept["outcome", name] = self.frame[name].cast(pl.Int8).fill_null(-1).to_numpy()
        return self._kept["outcome", name]


def ground_of(
    table: Any,
    *,
    cutoff: float | Mapping[str, float] | None = None,
    positive: str = "block",
    by: str | Sequence[str] = (),
) -> Ground:
    """Read pairs once.

    Parameters
    ----------
    table : polars, pandas or Arrow table
        From `experiments.pairs`, or one's own: `live_score shadow_score` are needed, and either
        `live_action shadow_action` or a cutoff. Optional: `label` (0, 1, null), `truth` (the same,
        from a simulator), `request`, `user`, `twin_action`, and what there is to slice by.
    cutoff : float, or mapping with "live" and "shadow", optional
        For scores without actions: `positive` from here on, else "approve".
    positive : str
        What is right where the label is 1.
    by : str or sequence of str
        Columns whose segments must not starve, see `experiments.oddities`.

    Raises
    ------
    ValueError
        If a column is missing, no row has both scores, an outcome is neither 0 nor 1, a cutoff is
        no finite number, or none of several actions is the positive one.

    Examples
    --------
    >>> both = pl.DataFrame({"live_score": [0.1, 0.9], "shadow_score": [0.6, 0.8]})
    >>> ground_of(both, cutoff=0.5).apart.tolist()
    [True, False]
    """
    frame = checked(one_frame(table, "pairs"))
    if cutoff is not None:
        frame = decided(frame, cutoff, positive)
    _check_positive(frame, positive)
    expression = differs(frame)
    if expression is None:
        raise ValueError(
            f"pairs have no actions: give live_action and shadow_action, or cutoff=; they have "
            f"{frame.columns}"
        )
    live, shadow = (frame[f"{who}_score"].to_numpy() for who in ("live", "shadow"))
    acts = {who: _acts(frame, who, positive) for who in ("live", "shadow")}
    apart = frame.select(expression).to_series().to_numpy()
    given = {who: cutoff if not isinstance(cutoff, Mapping) else cutoff[who] for who in acts}
    cutoffs = {
        who: _cutoff(scores, acts[who]) if given[who] is None else float(given[who])
        for who, scores in (("live", live), ("shadow", shadow))
    }
    return Ground(
        frame=frame,
        positive=positive,
        live=live,
        shadow=shadow,
        live_acts=acts["live"],
        shadow_acts=acts["shadow"],
        apart=apart,
        twin_apart=_apart(frame, "twin", "action", "item"),
        items_apart=_apart(frame, "shadow", "item"),
        users=_users(frame),
        luck=uniform("points of the map", frame["request"].to_numpy()),
        oddities=oddities(frame, by=by),
        cutoffs=cutoffs,
        movable=_two_actions(frame),
    )


def _check_positive(frame: pl.DataFrame, positive: str) -> None:
    """Several actions, and none is it: then nobody could be right."""
    names = [each for each in ("live_action", "shadow_action") if each in frame.columns]
    words = {each for name in names for each in frame[name].cast(pl.String).unique()} - {None}
    if len(words) > 1 and positive not in words:
        raise ValueError(f"positive must be one of the actions {sorted(words)}, got {positive!r}")


def _acts(frame: pl.DataFrame, who: str, positive: str) -> np.ndarray:
    name = f"{who}_action"
    if name not in frame.columns:
        return np.full(len(frame), -1, np.int8)
    is_positive = frame[name].cast(pl.String) == positive
    return is_positive.cast(pl.Int8).fill_null(-1).to_numpy()


def _apart(frame: pl.DataFrame, who: str, *kinds: str) -> np.ndarray | None:
    """Rows in which `who` says otherwise; for a twin that is not there None."""
    there = [each for each in kinds if {f"live_{each}", f"{who}_{each}"} <= set(frame.columns)]
    if not there:
        return None if who == "twin" else np.zeros(len(frame), bool)
    other = (pl.col(f"live_{each}").ne_missing(pl.col(f"{who}_{each}")) for each in there)
    return frame.select(pl.any_horizontal(*other)).to_series().to_numpy()


def _two_actions(frame: pl.DataFrame) -> bool:
    """Whether there are actions, and no more than the positive one and another."""
    names = ["live_action", "shadow_action"]
    if not set(names) <= set(frame.columns):
        return False
    words = pl.concat([frame[name].cast(pl.String).unique() for name in names])
    return words.drop_nulls().n_unique() <= 2


def _cutoff(scores: np.ndarray, acts: np.ndarray) -> float | None:
    above, below = scores[acts == 1], scores[acts == 0]
    if not len(above) or not len(below) or not np.nanmin(above) > np.nanmax(below):
        return None
    return float(np.nanmin(above))


def _users(frame: pl.DataFrame) -> np.ndarray | None:
    name = "user" if "user" in frame.columns else "request"
    if frame[name].null_count():
        raise ValueError(f"{name} is null in {frame[name].null_count():,} rows")
    if frame[name].n_unique() == len(frame):
        return None
    return frame[name].rank("dense").to_numpy().astype(np.int64) - 1


def _coded(column: pl.Series) -> tuple[np.ndarray, list[str]]:
    """Slice of each row, and the names of the slices: in order, or most rows first."""
    values = slice_values(column, bins=QUANTILES, most=MOST_SLICES)
    if values.dtype != pl.Enum:
        counts = values.rename("value").value_counts(name="rows").drop_nulls()
        if values.dtype.is_numeric():
            counts = counts.sort("value")
        else:
            counts = counts.sort("rows", "value", descending=[True, False])
        values = values.cast(pl.String).cast(pl.Enum(counts["value"].cast(pl.String)))
    words = values.dtype.categories.to_list()
    code = values.to_physical().cast(pl.Int64).fill_null(len(words)).to_numpy()
    return code, words + ["(none)"] * (values.null_count() > 0)
