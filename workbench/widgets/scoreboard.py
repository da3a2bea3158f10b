"""Which faults were found: a map of faults by size, from a mutation scoreboard."""

from __future__ import annotations

import polars as pl

from workbench.data.fault import LEVELS
from workbench.widgets.picture import Picture

__all__ = ["chart"]

MISSED, FOUND = "#D55E00", "#0072B2"  # Okabe & Ito (2008)
DOOR = "#D0D6DB"


def chart(found: pl.DataFrame, detector: str) -> Picture:
    """A cell per fault and level: the share of the worlds in which the detector found it.

    Parameters
    ----------
    found : pl.DataFrame
        `Scoreboard.found`, as it is or filtered. A cell is grey where nothing of the fault was left
        behind the log's door.
    detector : str
        Whose shares to draw.

    Raises
    ------
    ValueError
        If a column is missing, or the detector has no rows.

    Examples
    --------
    >>> found = pl.DataFrame({"detector": "checks", "fault": ["nulls", "outage"], "level": "large",
    ...                       "worlds": [3, 3], "found": [1.0, None], "days": [1.0, None]})
    >>> chart(found, "checks")
    <Picture: 2 rows>
    """
    import altair as alt

    missing = {"detector", "fault", "level", "worlds", "found", "days"} - {*found.columns}
    if missing:
        raise ValueError(f"found has no column {sorted(missing)}; it has {found.columns}")
    rows = found.filter(pl.col("detector") == detector)
    if not rows.height:
        raise ValueError(f"no rows of {detector!r}, only of {found['detector'].unique().to_list()}")
    share = pl.col("found").round(2)
    words = pl.when(share.is_null()).then(pl.lit("door")).otherwise(share.cast(pl.String))
    cells = rows.select("fault", "level", "worlds", "days", found=share, words=words)
    worst = cells.group_by("fault", maintain_order=True).agg(pl.col("found").mean())
    order = worst.sort("found", descending=True, nulls_last=False, maintain_order=True)["fault"]
    base = alt.Chart(cells).encode(
        x=alt.X("level:N", sort=list(LEVELS), title="size of the fault", axis=_FLAT),
        y=alt.Y("fault:N", sort=order.to_list(), title=None),
    )
    scale = alt.Scale(domain=[0, 0.5, 1], range=[MISSED, "#F7F7F7", FOUND])
    color = alt.Color("found:Q", scale=scale, title="share found")
    tiles = base.mark_rect(stroke="white").encode(
        color=alt.condition("isValid(datum.found)", color, alt.value(DOOR)),
        tooltip=["fault:N", "level:N", "found:Q", "worlds:Q", "days:Q"],
    )
    dark = "isValid(datum.found) && abs(datum.found - 0.5) > 0.25"
    text = base.mark_text().encode(
        text="words:N", color=alt.condition(dark, alt.value("white"), alt.value("black"))
    )
    picture = (tiles + text).properties(title=f"found by {detector}", width=alt.Step(70))
    return Picture(picture)


_FLAT = {"labelAngle": 0}
