"""What fresh features are worth, as a picture: one old among fresh, one fresh among old."""

from __future__ import annotations

import polars as pl

from workbench.studies.freshness_table import ALL, age
from workbench.widgets.picture import Picture

__all__ = ["chart"]

AGES = ["#9ecae1", "#4292c6", "#084594", "#000000"]  # light to dark: the older, the darker
WITHOUT, ONLY = "#D55E00", "#009E73"  # Okabe & Ito (2008)


def chart(table: pl.DataFrame, *, trained: str = "as served") -> Picture:
    """AUC that fresh values are worth, with intervals: a row per feature, a point per age.

    Left: this feature old (or not there), the others fresh. Right, where the table has it: this
    one streamed alone, the others as old as the oldest.

    Parameters
    ----------
    table : pl.DataFrame
        `Freshness.table`.
    trained : str
        "as served" or "on fresh".

    Raises
    ------
    ValueError
        If a column is missing or nothing was trained that way.

    Examples
    --------
    >>> row = {"feature": "payments_1h", "seconds": 60.0, "others": "fresh", "trained": "as served"}
    >>> row |= {"auc_worth": 0.01, "auc_low": 0.0, "auc_high": 0.02}
    >>> chart(pl.DataFrame(row))
    <Picture: 1 rows>
    """
    import altair as alt

    numbers = ["auc_worth", "auc_low", "auc_high"]
    missing = {"feature", "seconds", "others", "trained", *numbers} - {*table.columns}
    if missing:
        raise ValueError(f"table has no column {sorted(missing)}; it has {table.columns}")
    rows = table.filter(trained=trained)
    if not rows.height:
        raise ValueError(f"nothing in the table was trained {trained!r}")
    words = {each: age(each) for each in rows["seconds"].unique().sort(nulls_last=True)}
    rows = rows.select(
        "feature",
        "others",
        *(pl.col(name).round(4) for name in numbers),
        old=pl.col("seconds").map_elements(words.get, pl.String, skip_nulls=False),
    )
    shades = dict(zip([w for s, w in words.items() if s is not None], AGES, strict=False))
    shades |= {words[None]: WITHOUT} if None in words else {}
    names = rows["feature"].unique(maintain_order=True).to_list()
    y = alt.Y("feature:N", sort=names, title=None)
    color = alt.Color("old:N", title="how old", scale=_scale(alt, shades))
    offset = alt.YOffset("old:N", sort=[*shades])
    alone = rows.filter(pl.col("others") == "fresh")
    panels = [_panel(alt, alone, y, "this one old, the others fresh", color=color, yOffset=offset)]
    streamed = rows.filter(pl.col("others") == "old")
    if streamed.height:
        title = f"only this one fresh, the others {streamed['old'][0]} old"
        y = alt.Y("feature:N", sort=[name for name in names if name != ALL], title=None)
        panels.append(_panel(alt, streamed, y, title, color=alt.value(ONLY)))
    return Picture(alt.hconcat(*panels))


def _panel(alt, rows: pl.DataFrame, y, title: str, **encoding):
    base = alt.Chart(rows).encode(y=y, **encoding)
    ends = base.mark_rule(strokeWidth=2).encode(x="auc_low:Q", x2="auc_high:Q")
    told = ["feature:N", "old:N", "auc_worth:Q", "auc_low:Q", "auc_high:Q"]
    x = alt.X("auc_worth:Q", title="AUC that fresh values are worth")
    points = base.mark_point(filled=True, size=45, opacity=1).encode(x=x, tooltip=told)
    nothing = alt.Chart().mark_rule(strokeDash=[4, 4]).encode(x=alt.datum(0))
    height = alt.Step(11 if "yOffset" in encoding else 44)
    made = alt.layer(ends, points, nothing, data=rows)
    return made.properties(title=title, width=230, height=height)


def _scale(alt, shades: dict[str, str]):
    return alt.Scale(domain=[*shades], range=[*shades.values()])
