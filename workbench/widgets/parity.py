"""Where online and offline differ, and why: the parity of reads, drawn."""

from __future__ import annotations

import polars as pl

from workbench.features.causes import CAUSES
from workbench.features.parity import Parity
from workbench.widgets.picture import Picture

__all__ = ["chart", "reads_by_cause"]

COLORS = dict(  # Okabe & Ito (2008), in the order of the causes
    zip(
        CAUSES,
        ["#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#CC79A7", "#D55E00", "#888888"],
        strict=True,
    )
)


def reads_by_cause(parity: Parity) -> pl.DataFrame:
    """A row per feature, cause and detail: `feature reads cause detail differ share`."""
    found = parity.mismatches.group_by("feature", "cause", "detail").len("differ")
    table = found.join(parity.table.select("feature", "reads"), on="feature", how="left")
    share = (pl.col("differ") / pl.col("reads")).round(5)
    return table.select("feature", "reads", "cause", "detail", "differ", share=share).sort(
        "feature", "differ", "cause", "detail", descending=[False, True, False, False]
    )


def chart(parity: Parity) -> Picture:
    """A bar per feature: the share of its reads that differ, by cause.

    Parameters
    ----------
    parity : Parity
        Of `features.parity`.

    Returns
    -------
    Picture
        Details are in the tooltip; a feature without differences has no bar.

    Examples
    --------
    >>> from datetime import datetime, UTC
    >>> from workbench import features
    >>> noon = datetime(2024, 5, 1, 12, tzinfo=UTC)
    >>> click = pl.DataFrame({"user": [1], "time": [noon], "known_at": [noon]})
    >>> often = features.count("click", per="user", name="often")
    >>> later = [noon.replace(hour=13)] * 2
    >>> reads = pl.DataFrame({"user": [1, 2], "time": later, "often": [1, None]})
    >>> chart(features.parity(reads, [often], {"click": click}))
    <Picture: 1 rows>
    """
    import altair as alt

    table = reads_by_cause(parity)
    scale = alt.Scale(domain=list(COLORS), range=list(COLORS.values()))
    equal, reads = (
        (parity.table["equal"] * parity.table["reads"]).sum(),
        parity.table["reads"].sum(),
    )
    bars = alt.Chart(table).mark_bar(stroke="white")
    bars = bars.encode(
        x=alt.X("share:Q", title="share of the reads that differ"),
        y=alt.Y(
            "feature:N",
            scale=alt.Scale(domain=parity.table["feature"].to_list()),
            title=None,
        ),
        color=alt.Color("cause:N", scale=scale, title="cause"),
        tooltip=["feature:N", "cause:N", "detail:N", "differ:Q", "reads:Q", "share:Q"],
    )
    title = f"{round(equal):,} of {reads:,} values equal"
    return Picture(bars.properties(width=420, height=alt.Step(22), title=title))
