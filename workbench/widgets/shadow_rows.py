"""The rows that the explorer shows: behind a cell, and a fixed sample as points."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from workbench.widgets.shadow_ground import Ground

if TYPE_CHECKING:
    from workbench.widgets.shadow_explorer import Choice

__all__ = ["MOST_POINTS", "MOST_ROWS", "RIGHT", "rows_inside", "rows_told", "sample_of"]

RIGHT = ("both", "live", "shadow", "neither")
MOST_ROWS, MOST_POINTS = 20, 1_000


def rows_inside(cell, mask, chosen, bins) -> np.ndarray:
    """Numbers of the rows in a cell."""
    if chosen is None:
        return np.zeros(0, np.int64)
    live, shadow = chosen
    if not (0 <= live < bins and 0 <= shadow < bins):
        raise ValueError(f"cells go from 0 to {bins - 1}, got {live} and {shadow}")
    there = cell == live * bins + shadow
    return np.flatnonzero(there if mask is None else there & mask)


def sample_of(ground: Ground, apart, right, mask, told: bool) -> pl.DataFrame:
    """Scores of rows drawn by their luck: as many that disagree as that agree, if there are."""
    known = ~(np.isnan(ground.live) | np.isnan(ground.shadow))
    known = known if mask is None else known & mask
    drawn = np.sort(np.concatenate([_some(ground, known & ~apart), _some(ground, known & apart)]))
    words = pl.Series([*RIGHT, None], dtype=pl.String).gather(right[drawn])
    points = pl.DataFrame(
        {"live_score": ground.live[drawn], "shadow_score": ground.shadow[drawn],
         "disagree": apart[drawn], "right": words}
    )  # fmt: skip
    return points if told else points.drop("right")


def _some(ground: Ground, flag: np.ndarray) -> np.ndarray:
    rows = np.flatnonzero(flag)
    if len(rows) <= MOST_POINTS:
        return rows
    return rows[np.argpartition(ground.luck[rows], MOST_POINTS)[:MOST_POINTS]]


def rows_told(ground: Ground, rows, acts, right, choice: Choice) -> pl.DataFrame:
    """The rows as somebody may see them: outcomes only when they are asked for."""
    hidden = [each for each in ("label", "truth") if each in ground.frame.columns]
    frame = ground.frame[rows]
    if choice.cutoff is not None:
        said = pl.Series(acts[rows])
        other = frame["live_action"].cast(pl.String), frame["shadow_action"].cast(pl.String)
        words = [each for column in other for each in column if each not in (None, ground.positive)]
        act = pl.when(said == 1).then(pl.lit(ground.positive))
        act = act.when(said == 0).then(pl.lit(words[0] if words else f"not {ground.positive}"))
        frame = frame.with_columns(shadow_action=act)
    if choice.outcomes is None:
        return frame.drop(hidden)
    words = pl.Series([*RIGHT, None], dtype=pl.String).gather(right[rows])
    frame = frame.drop([each for each in hidden if each != choice.outcomes])
    return frame.with_columns(who_was_right=words)
