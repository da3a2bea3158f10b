"""What is known of each day's payments, as the calendar moves.

The fraud share of last week always looks low: most complaints about it have not come in yet.
`status_by_day` counts, `chart` draws; neither keeps state, so a slider in any host can call them.
"""

from __future__ import annotations

import polars as pl

from workbench.widgets.picture import Picture

__all__ = ["chart", "status_by_day"]

# Okabe & Ito (2008), colours that the colour-blind tell apart
COLOURS = {
    "positive": "#D55E00",
    "pending": "#CCCCCC",
    "matured_negative": "#0072B2",
    "censored": "#000000",
}


def status_by_day(labelled: pl.DataFrame) -> pl.DataFrame:
    """Rows per day and label status, and the fraud share as it looks now.

    Parameters
    ----------
    labelled : pl.DataFrame, shape (n, ...)
        What `workbench.outcomes` returns: at least `time` and `status`.

    Returns
    -------
    pl.DataFrame
        Columns `day`, `status`, `rows`, and `positive_share`: positives divided by the rows of
        that day that were not censored, whether their time to mature is over or not.

    Examples
    --------
    >>> from datetime import datetime, timezone
    >>> noon = datetime(2026, 1, 1, 12, tzinfo=timezone.utc)
    >>> labelled = pl.DataFrame({"time": [noon] * 4, "status": ["positive"] + ["pending"] * 3})
    >>> status_by_day(labelled).rows()[1][1:]
    ('positive', 1, 0.25)
    """
    missing = {"time", "status"} - set(labelled.columns)
    if missing:
        raise ValueError(f"labelled needs the columns time and status, {sorted(missing)} missing")
    counts = labelled.group_by(pl.col("time").dt.date().alias("day"), "status").agg(rows=pl.len())
    seen = pl.col("rows").filter(pl.col("status") != "censored").sum()
    positive = pl.col("rows").filter(pl.col("status") == "positive").sum()
    return counts.with_columns(positive_share=(positive / seen).over("day")).sort("day", "status")


def chart(counts: pl.DataFrame, *, width: int = 560, height: int = 180) -> Picture:
    """Stacked bars of `status_by_day`: one bar a day, one colour a status.

    Parameters
    ----------
    counts : pl.DataFrame
        What `status_by_day` returns.
    width, height : int
        Size in pixels.
    """
    import altair as alt

    present = [status for status in COLOURS if status in set(counts["status"])]
    scale = alt.Scale(domain=present, range=[COLOURS[status] for status in present])
    bars = (
        alt.Chart(
            counts.with_columns(pl.col("day").cast(pl.String), pl.col("positive_share").round(5))
        )
        .mark_bar()
        .encode(
            x=alt.X("day:T", title="day the payment was made"),
            y=alt.Y("rows:Q", title="payments"),
            color=alt.Color("status:N", scale=scale, title="what we know"),
            tooltip=["day:T", "status:N", "rows:Q", alt.Tooltip("positive_share:Q", format=".2%")],
        )
        .properties(width=width, height=height)
    )
    return Picture(bars)
