"""Values that are missing more often than before."""

from __future__ import annotations

import numpy as np
import polars as pl

from workbench.data.rules.finding import FEW, SIGMAS, Finding, by_day, percent

__all__ = ["completeness", "is_missing"]


def completeness(live: pl.DataFrame, reference: pl.DataFrame) -> list[Finding]:
    """Columns that are missing more often than before: a warning from 1 point on, an error from 5.

    Null, NaN and blank text count as missing. More often means: than in the reference as a whole,
    beyond chance, and than on any of its days.

    >>> before = pl.DataFrame({"amount": [1.0] * 100})
    >>> completeness(pl.DataFrame({"amount": [1.0] * 90 + [None] * 10}), before)[0].evidence
    'amount: 0 % missing before, 10 % now'
    """
    names = [name for name in reference.columns if name in live.columns]
    if not names or not live.height or not reference.height:
        return []
    now, before = _shares(live, names), _shares(reference, names)
    suspects = [name for name in names if now[name] - before[name] > 0.01]
    if not suspects:
        return []
    shares = [is_missing(name, reference.schema[name]).mean().alias(name) for name in suspects]
    worst = by_day(reference, *shares).max()
    found = []
    for name in suspects:
        usual, most = before[name], max(worst[name][0] or 0.0, before[name])
        noise = SIGMAS * np.sqrt(usual * (1 - usual) / live.height)
        if now[name] - usual <= noise or now[name] - most <= 0.01:
            continue
        rows = round(now[name] * live.height)
        severity = "error" if now[name] - most > 0.05 and rows >= FEW else "warning"
        evidence = f"{name}: {percent(usual)} missing before, {percent(now[name])} now"
        where = is_missing(name, live.schema[name])
        found.append(Finding("completeness", severity, evidence, rows, name, where))
    return found


def is_missing(name: str, dtype: pl.DataType) -> pl.Expr:
    """Which rows have nothing in a column: null, NaN or blank text."""
    missing = pl.col(name).is_null()
    if dtype.is_float():
        missing |= pl.col(name).is_nan().fill_null(False)
    elif dtype == pl.String:
        missing |= pl.col(name).str.contains(r"^\s*$").fill_null(False)
    return missing


def _shares(frame: pl.DataFrame, names: list[str]) -> dict[str, float]:
    shares = [is_missing(name, frame.schema[name]).mean().alias(name) for name in names]
    return frame.select(shares).row(0, named=True)
