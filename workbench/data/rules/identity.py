"""Are they still who they were? Ids that were never seen before, all of a sudden.

Shops have regulars: most of today's customers, items and devices came up in the weeks before. Two
ids of one type that change places, or ids cut to their last digits, keep every type, range and
shape; what they lose is that anybody knows them.

    older reference │ its last week: how many of each day's ids are known │ live: how many are?
"""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import polars as pl

from workbench.data.rules.finding import (
    ENOUGH,
    FEW,
    MOST_CATEGORIES,
    SIGMAS,
    Finding,
    clock_of,
    percent,
)

__all__ = ["strangers"]

NEVER_AGAIN = ("event", "request", "session")  # ids of something that happens once
RECENT_DAYS = 7
MOSTLY_NEW = 0.75  # a column with more strangers than this on a usual day says nothing


def strangers(live: pl.DataFrame, reference: pl.DataFrame) -> list[Finding]:
    """Ids never seen before, more of them than on any day of the last week of the reference.

    A warning from 10 points more on, an error from 25. Judged are whole numbers and texts with more
    than 200 values, of which a quarter or more come back; without a clock nothing is.

    >>> from workbench.data.broken import example
    >>> reference, live = example("identity")
    >>> strangers(live, reference)[0].evidence
    'user: 6.2 % at most were never seen before, 100 % now'
    """
    clock = clock_of(reference)
    if clock is None or not reference.height:
        return []
    last, first = reference[clock].max(), reference[clock].min()
    cut = last - min(timedelta(days=RECENT_DAYS), (last - first) / 2)
    recent, older = (reference.filter(pl.col(clock) >= cut), reference.filter(pl.col(clock) < cut))
    found = []
    for name, dtype in reference.schema.items():
        if name in NEVER_AGAIN or live.schema.get(name) != dtype:
            continue
        if not (dtype.is_integer() or dtype == pl.String):
            continue
        known = older[name].drop_nulls().unique()
        if len(known) <= MOST_CATEGORIES:
            continue
        stranger = ~pl.col(name).is_in(known.implode())
        days = recent.group_by(pl.col(clock).dt.date().alias("day")).agg(
            share=stranger.mean(), rows=pl.len()
        )
        usual_days = days.filter(pl.col("rows") >= ENOUGH)["share"]
        usual = usual_days.max()
        rows = int(live.select(stranger.sum()).item() or 0)
        values = live.height - live[name].null_count()
        if usual is None or usual_days.median() > MOSTLY_NEW or values < ENOUGH:
            continue
        share, noise = rows / values, SIGMAS * np.sqrt(max(usual * (1 - usual), 0.01) / values)
        if share - usual <= max(0.1, noise):
            continue
        severity = "error" if share - usual > 0.25 and rows >= FEW else "warning"
        evidence = f"{name}: {percent(usual)} at most were never seen before, {percent(share)} now"
        where = stranger.fill_null(False)
        found.append(Finding("identity", severity, evidence, rows, name, where))
    return found
