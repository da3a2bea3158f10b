"""Does each procedure keep its promise? Bands that chance allows, and what peeking does beside.

fixed horizon                     type I within the band, coverage within the band
group sequential, always-valid    type I at most the band's upper end
daily peek                        promises nothing; beside it, what was published of peeking
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import polars as pl

from workbench.metrics import share_interval
from workbench.studies.arena import Arena
from workbench.studies.arena_cells import Cell, with_twin
from workbench.studies.arena_marks import band
from workbench.studies.arena_readings import read

__all__ = ["PUBLISHED", "peeking", "verdicts"]

# type I of a 5 % test repeated at evenly spaced looks: Armitage, McPherson & Rowe (1969), "Repeated
# significance tests on accumulating data", JRSS A 132, 235-244, table 2, as it is quoted; their
# recursion, `experiments.crossing_probability`, gives these three digits for every number of looks
PUBLISHED = {1: 0.050, 2: 0.083, 5: 0.142, 10: 0.193, 20: 0.248, 100: 0.374}


def verdicts(arena: Arena, cells: Sequence[str] = ("clean",)) -> pl.DataFrame:
    """Each promise of each procedure in these cells, against its band.

    Returns
    -------
    DataFrame
        `cell cuped procedure what trials observed low high ok`; the bands hold together at 95 %.
        Type I is of the A/A experiments, coverage of all.

    Raises
    ------
    ValueError
        If a cell is not in the arena.
    """
    strange = sorted(set(cells) - set(arena.rows["cell"]))
    if strange:
        raise ValueError(f"cells must be of {arena.rows['cell'].unique().to_list()}, got {strange}")
    twins = arena.rows.filter(pl.col("arm") == "same").group_by("cell", "cuped", "procedure").len()
    table = arena.table.join(twins, on=["cell", "cuped", "procedure"], maintain_order="left")
    table = table.filter(pl.col("cell").is_in([*cells]), pl.col("procedure") != "daily peek")
    made = []
    for row in table.iter_rows(named=True):
        key = {name: row[name] for name in ("cell", "cuped", "procedure")}
        made.append(key | {"what": "type I", "trials": row["len"], "observed": row["type_i"]})
        if row["procedure"] == "fixed horizon":
            trials = {"trials": row["experiments"], "observed": row["coverage"]}
            made.append(key | {"what": "coverage", **trials})
    alpha = arena.spec.alpha
    for row in made:
        share = alpha if row["what"] == "type I" else 1 - alpha
        low, high = band(row["trials"], share, bands=len(made))
        row["low"], row["high"] = (low if row["procedure"] == "fixed horizon" else 0.0), high
        row["ok"] = row["low"] <= row["observed"] <= high
    return pl.DataFrame(made)


def peeking(
    cell: Cell, counts: Sequence[int] = (1, 2, 5, 10, 20, 100), *, experiments: int = 2_000,
    share: float = 0.5, alpha: float = 0.05, salt: str = "peeking", slice_size: int = 250,
    map: Callable = map,
) -> pl.DataFrame:  # fmt: skip
    """How often A/A experiments claim something when they are looked at so many times.

    Parameters
    ----------
    cell : Cell
        Its control is dealt against itself.
    counts : sequence of int
        Looks, evenly spaced; each divides the largest.
    experiments : int
        Dealt once, then looked at each count of times.
    map : callable
        As in `arena`.

    Returns
    -------
    DataFrame
        `looks claimed low high published`: Wilson's 95 % interval; null where none was published,
        or for another alpha.

    Raises
    ------
    ValueError
        Unless every count divides the largest.
    """
    from scipy.stats import norm

    most = max(counts)
    if any(count < 1 or most % count for count in counts):
        raise ValueError(f"each count must divide the largest, {most}, got {list(counts)}")
    twin = with_twin(cell)
    slices = [
        range(first, min(first + slice_size, experiments))
        for first in range(0, experiments, slice_size)
    ]
    z = np.concatenate([*map(partial(_scores, twin, looks=most, share=share, salt=salt), slices)])
    made = []
    for count in counts:
        step = most // count
        outside = (np.abs(z[:, step - 1 :: step]) > norm.isf(alpha / 2)).any(axis=1)
        claimed = share_interval(int(outside.sum()), experiments)
        published = PUBLISHED.get(count) if alpha == 0.05 else None
        made.append((count, claimed.estimate, claimed.low, claimed.high, published))
    return pl.DataFrame(made, schema=["looks", "claimed", "low", "high", "published"], orient="row")


def _scores(cell: Cell, numbers: range, *, looks: int, share: float, salt: str) -> np.ndarray:
    """Estimate over error at each look of some A/A experiments."""
    seen = read(cell, "same", numbers, looks=looks, share=share, salt=salt)[False]
    with np.errstate(divide="ignore", invalid="ignore"):  # nothing varies yet
        return seen.estimate / np.sqrt(seen.variance)
