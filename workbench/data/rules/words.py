"""Words that were never seen before."""

from __future__ import annotations

import numpy as np
import polars as pl
import polars.selectors as cs

from workbench.data.rules.finding import (
    ENOUGH,
    FEW,
    MOST_CATEGORIES,
    SIGMAS,
    Finding,
    clock_of,
    is_id,
    percent,
)

__all__ = ["new_categories"]


def new_categories(live: pl.DataFrame, reference: pl.DataFrame) -> list[Finding]:
    """Words never seen before: a warning from 0.1 % of the rows on, an error from 10 %.

    That is beyond the share of new ones to be expected: that of the words seen only once [1]_; and
    beyond one and a half times what the richest day of the reference had of words that no other
    day had, for words that come in bursts.

    References
    ----------
    .. [1] I. J. Good (1953), "The population frequencies of species and the estimation of
       population parameters", Biometrika 40, 237-264, equation 9.

    Examples
    --------
    >>> seen = pl.DataFrame({"place": ["Bern", "Basel"] * 50})
    >>> new_categories(pl.DataFrame({"place": ["Bern", "bern"] * 50}), seen)[0].evidence
    "place: 50 % have new values, such as 'bern'"
    """
    found = []
    for name in reference.select(cs.string() | cs.categorical()).columns:
        if is_id(name) or name not in live.columns or not reference.height:
            continue
        counts = reference[name].drop_nulls().value_counts()
        if not 0 < counts.height <= MOST_CATEGORIES:
            continue
        known = counts[name].cast(pl.String)
        once = ((counts["count"] == 1).sum() + 1) / reference.height
        strange = live[name].drop_nulls().cast(pl.String)
        strange = strange.filter(~strange.is_in(known.implode()))
        rows, chance = len(strange), once * live.height
        if rows < 3 or rows <= max(0.001 * live.height, chance) + SIGMAS * np.sqrt(chance):
            continue
        usual = _novelty(reference, name)
        if rows <= 1.5 * usual * live.height:
            continue
        most = strange.value_counts(sort=True)[name].head(3).to_list()
        most = ", ".join(repr(word[:20]) for word in most)
        evidence = f"{name}: {percent(rows / live.height)} have new values, such as {most}"
        severity = "error" if rows > 0.1 * live.height and rows >= FEW else "warning"
        new = pl.col(name).is_not_null() & ~pl.col(name).cast(pl.String).is_in(known.implode())
        found.append(Finding("new categories", severity, evidence, rows, name, new))
    return found


def _novelty(reference: pl.DataFrame, name: str) -> float:
    """The largest share of a day's rows that hold values of no other day."""
    clock = clock_of(reference)
    if clock is None:
        return 0.0
    rows = reference.lazy().select(day=pl.col(clock).dt.date(), value=pl.col(name))
    days = rows.group_by("value").agg(
        days=pl.col("day").n_unique(), day=pl.col("day").first(), new=pl.len()
    )
    days = days.filter(pl.col("days") == 1, pl.col("value").is_not_null())
    new = days.group_by("day").agg(pl.sum("new"))
    totals = rows.group_by("day").len().filter(pl.col("len") >= ENOUGH)
    share = totals.join(new, on="day").select((pl.col("new") / pl.col("len")).max()).collect()
    return share.item() or 0.0
