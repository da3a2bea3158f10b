"""A world beside real data: how sales spread over items, and when people buy.

Each panel is one curve of a validity card, a line per log: what the numbers of the card sum up.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from workbench.widgets.lines import PALETTE
from workbench.widgets.picture import Picture

__all__ = ["chart"]

_AXES = {  # first word of a curve -> title of x
    "popularity": "share of the items sold, best-selling first",
    "hours": "hour of the day",
    "weekdays": "day of the week, 1 is Monday",
    "months": "month",
}


def chart(curves: pl.DataFrame, only: Sequence[str] | None = None) -> Picture:
    """Small multiples, two beside each other: one panel per curve, one line per log.

    Parameters
    ----------
    curves : pl.DataFrame
        `curve`, `of`, `x`, `y`, as a `ValidityCard` has them: of popularity, y is the share of
        lines that the best-selling share x of the items has; of a profile, the share of each x.
    only : sequence of str, optional
        These curves, in this order; by default all that at least two logs have.

    Raises
    ------
    ValueError
        If a column is missing, a curve is not there, or nothing is left to draw.

    Examples
    --------
    >>> hours = {"curve": "hours of baskets", "of": ["world", "real"] * 2, "x": [9, 9, 10, 10]}
    >>> curves = pl.DataFrame(hours | {"y": [0.4, 0.5, 0.6, 0.5]})
    >>> panels = chart(curves).chart.to_dict()["concat"]
    >>> [panel["title"] for panel in panels]
    ['hours of baskets']
    """
    import altair as alt

    missing = {"curve", "of", "x", "y"} - set(curves.columns)
    if missing:
        raise ValueError(f"curves have no column {sorted(missing)}; they have {curves.columns}")
    names = curves["curve"].unique(maintain_order=True).to_list()
    shared = curves.group_by("curve").agg(logs=pl.col("of").n_unique()).filter(pl.col("logs") > 1)
    chosen = [name for name in names if name in shared["curve"]] if only is None else list(only)
    unknown = [name for name in chosen if name not in names]
    if unknown or not chosen:
        raise ValueError(f"only must name some of {names}, got {unknown or chosen}")
    logs = curves["of"].unique(maintain_order=True).to_list()
    colour = alt.Color("of:N", title=None, scale=alt.Scale(domain=logs, range=PALETTE[: len(logs)]))
    panels = []
    for name in chosen:
        kind = name.split()[0]
        rows = curves.filter(pl.col("curve") == name).with_columns(pl.col("x", "y").round(5))
        scale = alt.Scale(type="log", nice=False) if kind == "popularity" else alt.Scale(nice=False)
        x = alt.X("x:Q", title=_AXES.get(kind, kind), scale=scale)
        y = alt.Y("y:Q", title="share of lines" if kind == "popularity" else "share")
        line = alt.Chart(rows, title=name).mark_line(point=kind != "popularity")
        panels.append(line.encode(x=x, y=y, color=colour).properties(width=290, height=150))
    return Picture(alt.concat(*panels, columns=2))
