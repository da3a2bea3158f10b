"""One quantity over days, one line per name, with marks where something happened.

The most used picture of the workbench: an AUC, a distance or a share, day by day, beside the
moment the world changed, the alarm rang, or a new model took over.
"""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from workbench.widgets.picture import Picture

__all__ = ["lines"]

# Okabe & Ito (2008), in the order in which they differ most
PALETTE = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"]


def lines(
    frame: pl.DataFrame, x: str, y: str, *, name: str | None = None, marks: Mapping[str, float] = {}
) -> Picture:
    """A line chart of `y` over `x`, with a labelled dashed rule at each of `marks`.

    Parameters
    ----------
    frame : pl.DataFrame
        One row per point; `low` and `high` columns, where present, are drawn as a band.
    x, y : str
        Columns for the axes; their names are the axis titles.
    name : str, optional
        Column that tells the lines apart.
    marks : mapping of str to float
        Label -> position on the x axis.

    Examples
    --------
    >>> frame = pl.DataFrame({"day": [1, 2, 3], "auc": [0.91, 0.9, 0.7]})
    >>> lines(frame, "day", "auc", marks={"shock": 3}).chart.to_dict()["layer"][0]["mark"]["type"]
    'line'
    """
    import altair as alt

    missing = {x, y, name} - {None, *frame.columns}
    if missing:
        raise ValueError(f"frame has no column {sorted(missing)}; it has {frame.columns}")
    rounded = frame.with_columns(pl.selectors.float().round(5))
    whole = frame[x].dtype.is_integer()  # then there is no day 1.2
    ticks = alt.Axis(tickMinStep=1, format="d") if whole else alt.Undefined
    base = alt.Chart(rounded).encode(x=alt.X(f"{x}:Q", title=x, axis=ticks))
    if name is not None:
        base = base.encode(color=alt.Color(f"{name}:N", scale=alt.Scale(range=PALETTE), title=name))
    scale = alt.Scale(zero=False)
    layers = [base.mark_line(point=True).encode(y=alt.Y(f"{y}:Q", title=y, scale=scale))]
    if {"low", "high"} <= set(frame.columns):
        layers.append(base.mark_area(opacity=0.2).encode(y="low:Q", y2="high:Q"))
    if marks:
        happened = alt.Chart(pl.DataFrame({x: list(marks.values()), "mark": list(marks)}))
        layers.append(happened.mark_rule(strokeDash=[4, 4]).encode(x=f"{x}:Q"))
        layers.append(happened.mark_text(align="left", dx=4, y=8).encode(x=f"{x}:Q", text="mark:N"))
    return Picture(alt.layer(*layers).properties(width=560, height=200))
