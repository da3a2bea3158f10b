"""Where do champion and challenger part, and who was right? One view for one choice.

`explore` is pure arithmetic on `Ground`; `shadow_chart` draws it, `shadow_panel` shows it.

    Ground ─► Choice: slice, cutoff, scale, outcomes, cell ─► View: rate, slices, map, points, rows
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from workbench.experiments.cells import Cells
from workbench.experiments.clustered import share_interval
from workbench.experiments.degenerate import Oddities
from workbench.widgets.shadow_axis import Axis
from workbench.widgets.shadow_ground import Ground
from workbench.widgets.shadow_rows import (
    MOST_POINTS,
    MOST_ROWS,
    RIGHT,
    rows_inside,
    rows_told,
    sample_of,
)

__all__ = ["MOST_POINTS", "MOST_ROWS", "RIGHT", "Choice", "View", "explore"]

_UNKNOWN, _STATES = len(RIGHT), len(RIGHT) + 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """What somebody wants to see.

    Parameters
    ----------
    by, value : str, optional
        A column to slice by, and the slice that map and rows are of; all rows without.
    outcomes : {"label", "truth"}, optional
        Show how it ended. Hidden at first: in real life labels come later.
    cutoff : float, optional
        What if the challenger took the positive action from this score on? As logged without.
    scale : {"score", "log", "rank"}
    bins : int
        Of each axis of the map.
    cell : (int, int), optional
        Bin of the live score, bin of the shadow score: whose requests are listed.
    """

    by: str | None = None
    value: str | None = None
    outcomes: str | None = None
    cutoff: float | None = None
    scale: str = "score"
    bins: int = 20
    cell: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class View:
    """All that the explorer shows.

    Parameters
    ----------
    chosen_rows : int
        Of the slice.
    rate, low, high : float
        Share of its rows in which the challenger says otherwise, with its interval.
    floor, floor_low, floor_high : float or None
        The same for the champion's twin; None without one.
    excess : (float, float, float) or None
        Rate minus floor, with its interval.
    right : dict
        Rows of the slice by who was right, "unknown" where no outcome is; empty while hidden.
    slices : polars.DataFrame
        `value rows disagree low high`, with a twin `floor floor_low floor_high`, with outcomes
        `labelled both live shadow neither` (shares of labelled rows).
    cells : Cells
    balance : ndarray, shape (bins, bins, 5)
        Rows of each cell by who was right: both, live, shadow, neither, unknown.
    points : polars.DataFrame
        `live_score shadow_score disagree right`: a fixed sample, rows that disagree and
        rows that agree drawn apart, at most `MOST_POINTS` of each.
    rows : polars.DataFrame
        The requests behind the cell, those that disagree first, at most `MOST_ROWS`.
    behind : int
        How many there are behind it.
    """

    choice: Choice
    positive: str
    axis: Axis
    cutoffs: dict[str, float | None]
    chosen_rows: int
    rate: float
    low: float
    high: float
    floor: float | None
    floor_low: float | None
    floor_high: float | None
    excess: tuple[float, float, float] | None
    right: dict[str, int]
    slices: pl.DataFrame
    cells: Cells
    balance: np.ndarray
    points: pl.DataFrame
    rows: pl.DataFrame
    behind: int
    oddities: Oddities

    @property
    def light(self) -> str:
        """Of the oddities, as logged: green, or red when a detector rang."""
        return "green" if self.oddities.ok else "red"

    @property
    def where(self) -> str:
        """The slice in words."""
        if self.choice.value is None:
            return "all rows"
        return f"{self.choice.by} {self.choice.value}"

    def __repr__(self) -> str:
        head = repr(self.oddities).splitlines()[0]
        lines = [head, f"{self.where}: {self.chosen_rows:,} rows, disagreement {self.rate:.2%} "
                       f"[{self.low:.2%}, {self.high:.2%}]"]  # fmt: skip
        if self.excess is None:
            lines.append("no twin: how much of it is noise is unknown")
        else:
            more, low, high = (f"{each * 100:+.2f}" for each in self.excess)
            lines.append(f"noise floor {self.floor:.2%}, excess {more} points [{low}, {high}]")
        if self.right:
            told = ", ".join(f"{word} {number:,}" for word, number in self.right.items())
            lines.append(f"who was right ({self.choice.outcomes}): {told}")
        return "\n".join(lines)


def explore(ground: Ground, choice: Choice | None = None) -> View:
    """The view for one choice.

    Parameters
    ----------
    ground : Ground
        From `ground_of`.
    choice : Choice, optional
        All rows, as logged, without outcomes by default.

    Raises
    ------
    ValueError
        If a column, a slice, an outcome, a scale or a cell is not there, or another cutoff cannot
        be tried.

    Examples
    --------
    >>> from workbench.widgets.shadow_ground import ground_of
    >>> both = pl.DataFrame({"live_score": [0.1, 0.2, 0.3, 0.9], "label": [0, 0, 1, 1],
    ...                      "shadow_score": [0.2, 0.1, 0.7, 0.8]})
    >>> explore(ground_of(both, cutoff=0.5), Choice(outcomes="label"))
    nothing odd: 5 checks on 4 requests
    all rows: 4 rows, disagreement 25.00% [4.56%, 69.94%]
    no twin: how much of it is noise is unknown
    who was right (label): both 3, live 0, shadow 1, neither 0, unknown 0
    """
    choice = choice or Choice()
    slicing = ground.slicing(choice.by)
    chosen = _chosen(slicing.words, choice)
    axis, cell = ground.axis(choice.scale, choice.bins)
    acts, apart = _answers(ground, choice.cutoff)
    label = None if choice.outcomes is None else ground.outcome(choice.outcomes)
    right = _right(ground.live_acts, acts, label)
    means = slicing.groups.means(apart)
    mask = None if chosen is None else slicing.groups.code == chosen
    bins = len(axis.edges) - 1
    joint = _joint(cell, label, apart, right, mask, bins)
    inside = rows_inside(cell, mask, choice.cell, bins)
    listed = inside[np.argsort(~apart[inside], kind="stable")[:MOST_ROWS]]
    of_cells = joint[:-1].reshape(bins, bins, *joint.shape[1:])
    known = joint.sum(axis=(0, 1, 2))
    return View(
        choice=choice,
        positive=ground.positive,
        axis=axis,
        cutoffs={**ground.cutoffs, **({} if choice.cutoff is None else {"shadow": choice.cutoff})},
        chosen_rows=int(joint.sum()),
        **_rates(ground, choice, chosen, apart, means),
        right={} if label is None else dict(zip([*RIGHT, "unknown"], known.tolist(), strict=True)),
        slices=_slices(ground, choice.by, means, None if label is None else right),
        cells=Cells(
            axis.edges,
            of_cells.sum(axis=(2, 3, 4)),
            of_cells[:, :, :, 1].sum(axis=(2, 3)),
            of_cells[:, :, 2].sum(axis=(2, 3)),
            of_cells[:, :, 1:].sum(axis=(2, 3, 4)),
            int(joint[-1].sum()),
        ),
        balance=of_cells.sum(axis=(2, 3)),
        points=sample_of(ground, apart, right, mask, label is not None),
        rows=rows_told(ground, listed, acts, right, choice),
        behind=len(inside),
        oddities=ground.oddities,
    )


def _chosen(words: list[str], choice: Choice) -> int | None:
    if choice.value is None:
        return None
    if choice.by is None or choice.value not in words:
        raise ValueError(f"value must be one of {words} of {choice.by}, got {choice.value!r}")
    return words.index(choice.value)


def _answers(ground: Ground, cutoff: float | None) -> tuple[np.ndarray, np.ndarray]:
    """What the challenger says in each row, and whether it is something else."""
    if cutoff is None:
        return ground.shadow_acts, ground.apart
    if not ground.movable or not np.isfinite(cutoff):
        raise ValueError(
            f"another cutoff needs two actions, of which {ground.positive!r} is one, and must be "
            f"finite, got {cutoff}"
        )
    acts = (ground.shadow >= cutoff).astype(np.int8)
    acts[np.isnan(ground.shadow)] = -1
    return acts, (acts != ground.live_acts) | ground.items_apart


def _right(live: np.ndarray, shadow: np.ndarray, label: np.ndarray | None) -> np.ndarray:
    """Number in RIGHT of each row, or _UNKNOWN."""
    if label is None:
        return np.full(len(live), _UNKNOWN, np.uint8)
    wrong = 2 * (live != label).view(np.uint8) + (shadow != label)  # 1: only live is right
    return np.where((label < 0) | (live < 0) | (shadow < 0), np.uint8(_UNKNOWN), wrong)


def _joint(cell, label, apart, right, mask, bins) -> np.ndarray:
    """Rows by cell, label (unknown, 0, 1), apart or not, who was right; in the last cell those
    without a score."""
    state = apart.view(np.uint8) * np.uint8(_STATES) + right
    if label is not None:
        state += (label + 1).astype(np.uint8) * np.uint8(2 * _STATES)
    code = cell * np.int32(6 * _STATES) + state
    code = code if mask is None else code[mask]
    counts = np.bincount(code, minlength=(bins**2 + 1) * 6 * _STATES)
    return counts.reshape(bins**2 + 1, 3, 2, _STATES)


def _rates(ground: Ground, choice: Choice, chosen: int | None, apart, means) -> dict:
    """The rate of the slice and its floor with their intervals, and how far they are apart."""
    by, at = (None, 0) if chosen is None else (choice.by, chosen)
    groups = ground.slicing(by).groups
    means = means if by == choice.by else groups.means(apart)
    low, high = share_interval(means)
    told = {"rate": float(means.mean[at]), "low": float(low[at]), "high": float(high[at])}
    if ground.twin_apart is None:
        return told | dict.fromkeys(("floor", "floor_low", "floor_high", "excess"))
    floor = ground.floor(by)
    low, high = share_interval(floor)
    told |= {"floor": float(floor.mean[at]), "floor_low": float(low[at])}
    excess = groups.excess(apart, ground.twin_apart, at)
    return told | {"floor_high": float(high[at]), "excess": excess}


def _slices(ground: Ground, by, means, right) -> pl.DataFrame:
    slicing = ground.slicing(by)
    low, high = share_interval(means)
    made = {"value": slicing.words, "rows": means.rows, "disagree": means.mean,
            "low": low, "high": high}  # fmt: skip
    if ground.twin_apart is not None:
        floor = ground.floor(by)
        made["floor"] = floor.mean
        made["floor_low"], made["floor_high"] = share_interval(floor)
    if right is not None:
        g = len(slicing.words)
        code = slicing.groups.code * _STATES + right
        counts = np.bincount(code, minlength=g * _STATES).reshape(g, _STATES)[:, :_UNKNOWN]
        made["labelled"] = counts.sum(axis=1)
        with np.errstate(invalid="ignore"):
            shares = counts / made["labelled"][:, None]
        made |= {word: shares[:, number] for number, word in enumerate(RIGHT)}
    return pl.DataFrame(made).fill_nan(None)
