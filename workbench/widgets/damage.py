"""What each fault cost, and whether the checks had seen it: a damage ledger as a picture."""

from __future__ import annotations

import polars as pl

from workbench.widgets.picture import Picture

__all__ = ["chart"]

COLORS = {"missed": "#D55E00", "found": "#0072B2", "not asked": "#888888"}  # Okabe & Ito (2008)


def chart(table: pl.DataFrame) -> Picture:
    """Cost with its interval over worlds, a row per fault, a panel for training and for serving.

    Parameters
    ----------
    table : pl.DataFrame
        `DamageLedger.table`, or what `beside` makes of it; of one task. A fault counts as found if
        it was in at least half of the worlds. Where no model could be trained, the row says so.

    Raises
    ------
    ValueError
        If a column is missing, or there are rows of several tasks or none.

    Examples
    --------
    >>> row = {"task": "fraud", "unit": "dollars", "fault": "cents", "when": "serving"}
    >>> row |= {"cost_more": 90.0, "cost_low": 50.0, "cost_high": 130.0}
    >>> chart(pl.DataFrame(row))
    <Picture: 1 rows>
    """
    import altair as alt

    numbers = ["cost_more", "cost_low", "cost_high"]
    missing = {"task", "unit", "fault", "when", *numbers} - {*table.columns}
    if missing:
        raise ValueError(f"table has no column {sorted(missing)}; it has {table.columns}")
    tasks = table["task"].unique(maintain_order=True).to_list()
    if len(tasks) != 1:
        raise ValueError(f"table must be of one task, got {tasks}")
    share = pl.col("found") if "found" in table.columns else pl.lit(None, pl.Float64)
    seen = pl.when(share >= 0.5).then(pl.lit("found")).when(share < 0.5).then(pl.lit("missed"))
    costs = [pl.col(name).fill_nan(None).round(1) for name in numbers]
    rows = table.select("fault", "when", *costs, checks=seen.otherwise(pl.lit("not asked")))
    present = [word for word in COLORS if word in set(rows["checks"])]
    scale = alt.Scale(domain=present, range=[COLORS[word] for word in present])
    base = alt.Chart(rows).encode(
        y=alt.Y("fault:N", sort=rows["fault"].unique(maintain_order=True).to_list(), title=None),
        color=alt.Color("checks:N", scale=scale, title="by the checks"),
    )
    points = base.mark_point(filled=True, size=70, opacity=1).encode(
        x=alt.X("cost_more:Q", title="more than without the fault"),
        tooltip=["fault:N", "when:N", "cost_more:Q", "cost_low:Q", "cost_high:Q", "checks:N"],
    )
    ends = base.mark_rule(strokeWidth=2).encode(x="cost_low:Q", x2="cost_high:Q")
    nothing = alt.Chart().mark_rule(strokeDash=[4, 4]).encode(x=alt.datum(0))
    none = base.transform_filter("!isValid(datum.cost_more)").mark_text(align="left")
    none = none.encode(x=alt.datum(0), text=alt.value("  no model could be trained"))
    layers = alt.layer(ends, points, nothing, none, data=rows).properties(width=250)
    facets = alt.Column("when:N", sort=["training", "serving"], title=None)
    return Picture(layers.facet(column=facets, title=f"{tasks[0]}: {table['unit'][0]}"))
