"""Faults that hit one place, surface or device class only, and drown in the whole."""

from __future__ import annotations

import numpy as np
import polars as pl

from workbench.data.rules.finding import (
    ENOUGH,
    FEW,
    SIGMAS,
    Finding,
    by_day,
    clock_of,
    is_id,
    percent,
)
from workbench.data.rules.missing import is_missing
from workbench.data.rules.numbers import measured

__all__ = ["slices"]

MOST_SLICES = 60
LOOKS = 1.0  # sigmas more than for whole columns: there are many slices
SMALLEST = 100  # live rows (or as many expected) that make a slice worth a look


def slices(live: pl.DataFrame, reference: pl.DataFrame) -> list[Finding]:
    """Slices that lost rows, values or size, by every column of words with few of them.

    Slices are the values of text and truth columns with at most 60 of them. For each slice: its
    share of the rows beyond half or double of what any day had; a share of missing values 5
    points above any day; a median 1.5 times beyond any day's. All of it beyond five
    deviations of chance. Findings bear the name of the check that would have seen them in the
    whole. A warning, and an error where 20 points more are missing, a slice is all but gone, or the
    median of one that is known from seven days doubled.

    >>> rng = np.random.default_rng(0)
    >>> amount = rng.lognormal(3, 1, 2_000)
    >>> before = pl.DataFrame({"surface": ["home", "search"] * 1_000, "amount": amount})
    >>> cents = pl.when(pl.col("surface") == "search").then(100).otherwise(1)
    >>> slices(before.with_columns(pl.col("amount") * cents), before)[0].evidence
    "amount where surface is 'search': median 19.3 before, 1.93e+03 now"
    """
    found = []
    amounts = measured(live, reference)
    missing = _sometimes_missing(live, reference)
    for name in slicing(live, reference):
        looks = [
            is_missing(each, live.schema[each]).mean().alias(f"missing {each}")
            for each in missing
            if each != name
        ]
        looks += [_size(each) for each in amounts if each != name]
        windows = live, reference, name, looks
        suspects = _judge(*windows, {})
        # days are looked at only where the whole reference says that something changed
        found += _judge(*windows, _daily(reference, name, looks)) if suspects else []
    return found


def _judge(live, reference, name, looks, daily) -> list[Finding]:
    now, before, found = _by(live, name, looks), _by(reference, name, looks), []
    columns = [look.meta.output_name().split(" ", 1) for look in looks]
    for value, usual in before.items():
        at, days = now.get(value, {"rows": 0}), daily.get(value, [])
        found += _volume(name, value, at, usual, days, (live.height, reference.height))
        if min(at["rows"], usual["rows"]) < SMALLEST:
            continue
        for what, other in columns:
            if what == "missing":
                found += _missing(name, value, other, at, usual, days, live.schema[other])
            else:
                whole = 1 if live.schema[other].is_integer() else 0
                found += _median(name, value, other, at, usual, days, whole)
    return found


def _sometimes_missing(live: pl.DataFrame, reference: pl.DataFrame) -> list[str]:
    """Columns that are missing in a percent or more of the live rows, but not in all of them."""
    names = [name for name in reference.columns if name in live.columns]
    shares = live.select(is_missing(name, live.schema[name]).mean() for name in names).row(0)
    least = 0.2 * SMALLEST / max(live.height, 1)
    return [name for name, share in zip(names, shares, strict=True) if least < (share or 0) < 1]


def slicing(live: pl.DataFrame, reference: pl.DataFrame) -> list[str]:
    """The columns whose values are slices: text or truth values with 2 to 60 of them."""
    names = [name for name in reference.columns if name in live.columns and not is_id(name)]
    words = (pl.String, pl.Categorical, pl.Enum, pl.Boolean)
    names = [name for name in names if reference.schema[name] in words]
    names = [name for name in names if live.schema[name] in words]
    if not names:
        return []
    sizes = reference.select(pl.col(names).drop_nulls().n_unique()).row(0)
    return [name for name, size in zip(names, sizes, strict=True) if 2 <= size <= MOST_SLICES]


def _size(name: str) -> pl.Expr:
    size = pl.col(name).cast(pl.Float64).abs()
    size = size.filter((size > 0) & size.is_finite())
    spread = size.log().std(ddof=0)
    return pl.struct(
        size.median().alias("middle"), spread.alias("spread"), size.len().alias("n")
    ).alias(f"size {name}")


def _by(frame, name, looks) -> dict:
    value = pl.col(name).cast(pl.String)
    rows = frame.lazy().filter(pl.col(name).is_not_null()).group_by(value)
    rows = rows.agg(pl.len().alias("rows"), *looks).collect()
    return {row[name]: row for row in rows.to_dicts()}


def _daily(frame, name, looks) -> dict[str, list[dict]]:
    """What each slice was like on each day of the reference, if rows have a clock."""
    clock = clock_of(frame)
    if clock is None:
        return {}
    day = pl.col(clock).dt.date().alias("_day")
    value = pl.col(name).cast(pl.String)
    rows = frame.lazy().filter(pl.col(name).is_not_null()).group_by(day, value)
    rows = rows.agg(pl.len().alias("rows"), *looks).collect()
    totals = dict(by_day(frame).select("_day", "_rows").iter_rows())
    found: dict[str, list[dict]] = {}
    for row in rows.with_columns(pl.col("_day").cast(pl.Int32)).to_dicts():
        if row["_day"] in totals:
            found.setdefault(row[name], []).append(row | {"of": totals[row["_day"]]})
    for days in found.values():
        days += [{"rows": 0, "of": 1}] * (len(totals) - len(days))
    return found


def _volume(name, value, at, usual, days, counts) -> list[Finding]:
    live, reference = counts
    expected = usual["rows"] / reference * live
    if expected < SMALLEST and at["rows"] < SMALLEST:
        return []
    shares = [row["rows"] / row["of"] for row in days]
    mean = usual["rows"] / reference
    low, high = min([mean, *shares]), max([mean, *shares])
    share = at["rows"] / live
    noise = (SIGMAS + LOOKS) * np.sqrt(max(expected, 1))
    if not (share < 0.5 * low or share > 2 * high) or abs(at["rows"] - expected) <= noise:
        return []
    evidence = f"rows where {name} is {value[:20]!r}: {percent(mean)} before, {percent(share)} now"
    severity = "error" if share < 0.1 * low else "warning"
    return [_finding("volume", severity, evidence, at["rows"], name, _is(name, value))]


def _missing(name, value, other, at, usual, days, dtype) -> list[Finding]:
    key = f"missing {other}"
    now, before = at[key] or 0.0, usual[key] or 0.0
    most = max([before, *(row[key] or 0.0 for row in days if row["rows"] >= ENOUGH)])
    noise = (SIGMAS + LOOKS) * np.sqrt(max(before * (1 - before), 1 / at["rows"]) / at["rows"])
    if now - most <= 0.05 or now - before <= noise:
        return []
    rows = round(now * at["rows"])
    severity = "error" if now - most > 0.2 and rows >= FEW else "warning"
    evidence = (
        f"{other} where {name} is {value[:20]!r}: {percent(before)} missing before, "
        f"{percent(now)} now"
    )
    where = _is(name, value) & is_missing(other, dtype)
    return [_finding("completeness", severity, evidence, rows, other, where)]


def _median(name, value, other, at, usual, days, whole) -> list[Finding]:
    now, before = at[f"size {other}"], usual[f"size {other}"]
    if min(now["n"], before["n"]) < SMALLEST:
        return []
    sizes = [row[f"size {other}"] for row in days if row["rows"]]
    middles = [size["middle"] for size in sizes if size["n"] >= ENOUGH] + [before["middle"]]
    nearest = float(np.clip(now["middle"], min(middles), max(middles)))
    times = max(now["middle"] / nearest, nearest / now["middle"])
    noise = (SIGMAS + LOOKS) * 1.25 * now["spread"] / np.sqrt(now["n"])
    if times < 1.5 or np.log(times) <= noise or abs(now["middle"] - nearest) <= whole:
        return []
    evidence = (
        f"{other} where {name} is {value[:20]!r}: median {before['middle']:.3g} before, "
        f"{now['middle']:.3g} now"
    )
    known = len(middles) > 7 or not days  # of a slice with few days nobody knows what is usual
    severity = "error" if times >= 2 and known else "warning"
    return [_finding("units", severity, evidence, at["rows"], other, _is(name, value))]


def _finding(check, severity, evidence, rows, column, where) -> Finding:
    return Finding(check, severity, evidence, rows, column, where)


def _is(name: str, value: str) -> pl.Expr:
    return (pl.col(name).cast(pl.String) == value).fill_null(False)
