"""Numbers of another size, beyond their range, or with another sign."""

from __future__ import annotations

import numpy as np
import polars as pl
import polars.selectors as cs

from workbench.data.rules.finding import (
    ENOUGH,
    FEW,
    SIGMAS,
    Finding,
    by_day,
    has_number,
    is_counter,
    is_id,
    numbers,
    percent,
)

__all__ = ["ranges", "units"]


def units(live: pl.DataFrame, reference: pl.DataFrame) -> list[Finding]:
    """Numbers that are another size than on any day before: a median double or half is an error.

    The median size (without sign and zeros) is compared with the smallest and the largest of the
    reference's days: 1.4 times beyond is a warning (and by more than 1, for whole
    numbers). Fewer than 30 values, or a change within
    chance, are no finding.

    >>> dollars = pl.DataFrame({"amount": np.linspace(5, 50, 100)})
    >>> units(dollars * 100, dollars)[0].evidence
    'amount: median 27.5 before, 2.75e+03 now, 100 times as much'
    """
    names = measured(live, reference)
    if not names:
        return []
    sizes = [pl.col(name).cast(pl.Float64).abs() for name in names]
    sizes = [size.filter((size > 0) & size.is_finite()) for size in sizes]
    middles = [size.median().name.keep() for size in sizes]
    enough = [pl.when(size.len() >= ENOUGH).then(size.median()).name.keep() for size in sizes]
    now, days = live.select(middles).row(0), by_day(reference, *enough)
    found = []
    for name, size, middle in zip(names, sizes, now, strict=True):
        usual = days[name].drop_nulls()
        if middle is None or not len(usual):
            continue
        nearest = np.clip(middle, usual.min(), usual.max())
        times = max(middle / nearest, nearest / middle)
        if times < 1.4 or (live.schema[name].is_integer() and abs(middle - nearest) <= 1):
            continue
        spread, count = live.select(size.log().std(ddof=0).alias("s"), size.len().alias("n")).row(0)
        if count < ENOUGH or np.log(times) <= SIGMAS * 1.25 * spread / np.sqrt(
            count
        ):  # of a median
            continue
        usual = usual.median()
        times_as = f"{middle / usual:.3g} times as much"
        evidence = f"{name}: median {usual:.3g} before, {middle:.3g} now, {times_as}"
        severity = "error" if times >= 2 else "warning"
        rows = live.select(has_number(name).sum()).item()
        found.append(Finding("units", severity, evidence, rows, name, has_number(name)))
    return found


def ranges(live: pl.DataFrame, reference: pl.DataFrame) -> list[Finding]:
    """Numbers below zero more often than before, and numbers beyond anything seen before.

    Below zero: a warning from 0.5 points more than on any day before, an error from 5. Beyond the
    range of the reference: a warning from 0.5 % of the rows on, an error from 25 %.

    >>> before = pl.DataFrame({"amount": np.linspace(5, 50, 1_000)})
    >>> live = before.head(100).with_columns(pl.col("amount") * pl.Series([-1, *[1] * 9] * 10))
    >>> ranges(live, before)[0].evidence
    'amount: 0 % below zero before, 10 % now'
    """
    found = []
    for name in measured(live, reference):
        now, before = numbers(live[name]), numbers(reference[name])
        if min(len(now), len(before)) < ENOUGH:
            continue
        negative = pl.col(name) < 0
        share, usual = np.mean(now < 0), np.mean(before < 0)
        if share - usual > 0.005:
            most = by_day(reference, negative.mean().alias("share"))["share"].max() or 0.0
            most, rows = max(most, usual), int(np.sum(now < 0))
            noise = SIGMAS * np.sqrt(most * (1 - most) / len(now))
            if rows >= 3 and share - most > max(0.005, noise):
                severity = "error" if share - most > 0.05 and rows >= FEW else "warning"
                evidence = f"{name}: {percent(usual)} below zero before, {percent(share)} now"
                found.append(Finding("range", severity, evidence, rows, name, negative))
                continue
        low, high = before.min(), before.max()
        beyond = (now < low) | (now > high)
        rows, chance = int(np.sum(beyond)), 2 * len(now) / len(before)
        if rows > max(0.005 * len(now), chance + SIGMAS * np.sqrt(chance)) and rows >= 3:
            evidence = f"{name}: {percent(np.mean(beyond))} beyond {low:.3g} to {high:.3g}"
            severity = "error" if np.mean(beyond) > 0.25 and rows >= FEW else "warning"
            where = has_number(name) & ((pl.col(name) < float(low)) | (pl.col(name) > float(high)))
            found.append(Finding("range", severity, evidence, rows, name, where))
    return found


def measured(live: pl.DataFrame, reference: pl.DataFrame) -> list[str]:
    """The columns that are amounts of something, in both frames: numbers, but no ids."""
    both = [name for name in reference.select(cs.numeric()).columns if name in live.columns]
    both = [name for name in both if live.schema[name].is_numeric() and not is_id(name)]
    return [name for name in both if not is_counter(name, reference)]
