"""What the kinds of a log say about each other: references that lead nowhere, and ratios."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import polars as pl

from workbench.data.rules.finding import ENOUGH, FEW, SIGMAS, Finding, percent

__all__ = ["PARENTS", "cohorts", "label_rate", "orphans", "ratios"]

PARENTS: Mapping[str, tuple[str, ...]] = {  # kind -> the kinds that must have come before it
    "decision": ("request",),
    "impression": ("decision", "request"),
    "click": ("impression",),
    "purchase": ("click", "payment"),
    "payment": ("request", "decision", "purchase"),
    "chargeback": ("payment",),
    "review": ("payment",),
}
STEADY = 28  # days; fewer do not show how much a ratio moves by itself


def orphans(
    live: pl.DataFrame, reference: pl.DataFrame, parent: pl.LazyFrame, name: str = "parent"
) -> list[Finding]:
    """Rows whose request has no row of another kind: a warning from 0.5 points more, an error 5.

    Both frames are complete rows of one kind with `request`, and `item` if the parent has it;
    `parent` is everything of the other kind that is known. Kinds that never referred to each other
    (more than half of the reference leads nowhere) are not judged. The share that leads nowhere
    estimates the share of the parents that was dropped.

    >>> clicks = pl.DataFrame({"request": range(100)})
    >>> pages = pl.LazyFrame({"request": range(80)})
    >>> orphans(clicks[50:], clicks[:50], pages, "impression")[0].evidence
    'no impression for 40.0 % (27.6 to 53.8 %) of requests, 0 % before'
    """
    from workbench.metrics import share_interval

    known = parent.collect_schema().names()
    keys = ["request"]
    if "item" in known and {"item"} <= set(live.columns) & set(reference.columns):
        keys.append("item")
    if not {"request"} <= set(live.columns) & set(reference.columns) & set(known):
        return []
    refer = [each.select(keys).drop_nulls() for each in (live, reference)]
    if min(each.height for each in refer) < ENOUGH:
        return []
    wanted = pl.concat([each.lazy() for each in refer]).unique()
    there = parent.select(keys).join(wanted, on=keys, how="semi").unique()
    there = there.collect(engine="streaming")
    lost = [each.join(there, on=keys, how="anti") for each in refer]
    (rows, before), (now, then) = ([each.height for each in part] for part in (lost, refer))
    usual = before / then
    if usual > 0.5 or share_interval(rows, now, level=0.9999).low - usual <= 0.005:
        return []
    shown, share = share_interval(rows, now), rows / now
    noise = SIGMAS * np.sqrt(usual * (1 - usual) / now)
    if share - usual <= max(0.005, noise):
        return []
    severity = "error" if share - usual > 0.05 and rows >= FEW else "warning"
    what = "requests" if len(keys) == 1 else "requests and items"
    evidence = (
        f"no {name} for {100 * share:.1f} % ({100 * shown.low:.1f} to {100 * shown.high:.1f} %) "
        f"of {what}, {percent(usual)} before"
    )
    column = pl.col("request") if len(keys) == 1 else pl.struct(keys)
    missing = lost[0].unique().to_struct("key") if len(keys) > 1 else lost[0]["request"].unique()
    where = column.is_in(missing.implode()).fill_null(False)
    return [Finding("sequence gaps", severity, evidence, rows, "request", where)]


def ratios(
    rows: Mapping[str, Mapping[int, int]], days: int = 1, late: frozenset[str] = frozenset()
) -> list[Finding]:
    """How many rows of one kind came for each row of its parent kind, day by day.

    A warning if the ratio lies outside all of the 28 days before by three of their standard
    deviations, by 7 %, and by more than chance; an error from half or double on. That is how a
    tenth of the clicks is missed when the shop itself has good and bad days.

    Parameters
    ----------
    rows : mapping of kind to mapping of day to rows
        Days count back from now; 0 is the last.
    late : set of kinds
        They come days after their parents, so the same day says nothing: left out.

    >>> pages = {day: 1_000 for day in range(29)}
    >>> clicks = {day: 800 if day == 0 else 1_000 + day for day in range(29)}
    >>> ratios({"impression": pages, "click": clicks})[0].evidence
    '0.8 rows for each impression, 1 to 1.03 on the days before'
    """
    found = []
    for kind, parents in PARENTS.items():
        parent = next((each for each in parents if each in rows), None)
        if kind not in rows or parent is None or kind in late:
            continue
        for day in range(days):
            finding = _ratio(rows[kind], rows[parent], day, days, parent)
            if finding is not None:
                found.append(replace(finding, kind=kind))
    return found


def _ratio(child, parent, day, days, name) -> Finding | None:
    before = [other for other in child if other >= days and child[other] and parent.get(other)]
    if len(before) < STEADY - days or not parent.get(day) or min(parent[day], child[day]) < ENOUGH:
        return None
    usual = np.array([child[other] / parent[other] for other in before])
    now = child[day] / parent[day]
    off = abs(np.log(now / np.clip(now, usual.min(), usual.max())))
    noise = SIGMAS * np.sqrt(1 / child[day] + 1 / parent[day])
    if off <= 0.07 or off <= 3 * np.std(np.log(usual), ddof=1) or off <= noise:
        return None
    severity = "error" if off > np.log(2) else "warning"
    evidence = (
        f"{now:.3g} rows for each {name}, {usual.min():.3g} to {usual.max():.3g} on the days before"
    )
    return Finding("volume", severity, evidence, child[day])


def cohorts(
    parents: pl.LazyFrame, labels: pl.LazyFrame, at: datetime, horizon_days: float
) -> pl.DataFrame:
    """How many of each day's parents had a label within so many days, for the last 29 such days.

    Returns a frame of `day` (0 is the last whose horizon has passed), `parents` and `labels`.
    """
    horizon = timedelta(days=horizon_days)
    last = at - horizon
    happened = pl.col("time").is_between(last - timedelta(days=29), last, closed="left")
    asked = parents.filter(happened).select("request", "time").unique("request")
    answers = labels.select("request", "known_at").group_by("request").agg(pl.min("known_at"))
    labelled = (pl.col("known_at") < pl.col("time") + horizon).sum()
    day = (pl.lit(last) - pl.col("time") - timedelta(microseconds=1)).dt.total_days()
    rows = asked.join(answers, on="request", how="left").group_by(day=day)
    return rows.agg(parents=pl.len(), labels=labelled).sort("day").collect()


def label_rate(days: pl.DataFrame, name: str = "parent") -> list[Finding]:
    """The last cohort has fewer or more labels than any before it: half or double is a warning.

    That is beyond four deviations of chance, and never an error: there may be more fraud.

    >>> days = pl.DataFrame({"day": range(29), "parents": 1_000, "labels": [10, *[50] * 28]})
    >>> label_rate(days, "payment")[0].evidence
    '1 % of the last payments whose time is up have a label, 5 % to 5 % before'
    """
    days = days.filter(pl.col("parents") >= ENOUGH)
    if days.height < 15 or days["day"][0] != 0:
        return []
    rates = (days["labels"] / days["parents"]).to_list()
    now, usual = rates[0], rates[1:]
    mean = sum(days["labels"][1:]) / sum(days["parents"][1:])
    expected = mean * days["parents"][0]
    off = abs(days["labels"][0] - expected)
    if not (now < 0.5 * min(usual) or now > 2 * max(usual)):
        return []
    if off <= SIGMAS * np.sqrt(max(expected, 1)):
        return []
    evidence = (
        f"{percent(now)} of the last {name}s whose time is up have a label, "
        f"{percent(min(usual))} to {percent(max(usual))} before"
    )
    return [Finding("label delay", "warning", evidence, 0, "label", pl.lit(False))]
