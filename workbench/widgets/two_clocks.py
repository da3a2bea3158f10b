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


def chart(counts: pl.DataFrame, *, true_share: pl.DataFrame | None = None) -> Picture:
    """The share of positives of each day as it looks now, above what the rest of the day is.

    Parameters
    ----------
    counts : pl.DataFrame
        What `status_by_day` returns.
    true_share : pl.DataFrame, optional
        `day` and `share`, where the truth is known: drawn as a line over the bars.
    """
    import altair as alt

    present = [status for status in COLOURS if status in set(counts["status"])]
    scale = alt.Scale(domain=present, range=[COLOURS[status] for status in present])
    day = alt.X("day:T", title=None, axis=alt.Axis(format="%d %b"))
    rows = _plain(counts)
    looks = (
        alt.Chart(rows.unique("day", maintain_order=True))
        .mark_bar(color=COLOURS["positive"], width=8)
        .encode(x=day, y=alt.Y("positive_share:Q", title="known positive", axis=_PERCENT))
    )
    if true_share is not None:
        line = alt.Chart(_plain(true_share)).mark_line(color="#000000", point=True)
        looks += line.encode(x=day, y="share:Q")
    bars = (
        alt.Chart(rows)
        .mark_bar(width=8)
        .encode(
            x=day,
            y=alt.Y("rows:Q", title="rows"),
            color=alt.Color("status:N", scale=scale, title="what we know"),
            tooltip=["day:T", "status:N", "rows:Q"],
        )
    )
    above, below = looks.properties(width=560, height=130), bars.properties(width=560, height=130)
    return Picture(alt.vconcat(above, below))


_PERCENT = {"format": ".1%"}


def _plain(frame: pl.DataFrame) -> pl.DataFrame:
    """Days as text and shares rounded, so that a saved chart is the same every time."""
    return frame.with_columns(pl.col("day").cast(pl.String), pl.selectors.float().round(5))
