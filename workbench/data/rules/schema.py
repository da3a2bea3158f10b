"""Columns that are gone, new, renamed, or of another type."""

from __future__ import annotations

import numpy as np
import polars as pl

from workbench.data.rules.finding import ENOUGH, Finding, numbers

__all__ = ["schema"]

ALIKE = 0.8  # of 1: from there on a new column is taken for the old one


def schema(live: pl.DataFrame, reference: pl.DataFrame) -> list[Finding]:
    """Columns that are gone (an error), new (a warning), renamed or of another type (errors).

    A column that has only nulls counts as absent: that is how a field that is no longer sent looks
    in a table that has a place for it. It is renamed if exactly one new column holds much the same:
    for words and ids the share of values that the old one had, for numbers one minus the
    Kolmogorov-Smirnov distance, 0.8 or more. Text that came to read as numbers, or no longer does,
    is of another type.

    >>> before = pl.DataFrame({"place": ["Bern", "Basel"] * 50})
    >>> schema(before.rename({"place": "city"}), before)[0].evidence
    'place: the column is gone; city looks like it, alike by 1.00'
    """
    if not live.height or not reference.height:
        return []
    found = []
    gone = [name for name in reference.columns if _is_gone(name, live, reference)]
    new = [name for name in live.columns if _is_gone(name, reference, live)]
    renamed = set()
    for name in gone:
        likeness = {other: _alike(live[other], reference[name]) for other in new}
        best = max(likeness, key=likeness.get, default=None)
        evidence = f"{name}: the column is gone"
        if best is not None and likeness[best] >= ALIKE:
            evidence += f"; {best} looks like it, alike by {likeness[best]:.2f}"
            renamed.add(best)
        found.append(Finding("schema", "error", evidence, live.height, name))
    for name in new:
        if name not in renamed:
            rows = live.height - live[name].null_count()
            where = pl.col(name).is_not_null()
            found.append(
                Finding("schema", "warning", f"{name}: the column is new", rows, name, where)
            )
    return found + _changed_types(live, reference)


def _is_gone(name: str, now: pl.DataFrame, before: pl.DataFrame) -> bool:
    """Whether a column that `before` has is absent from `now`, or has become all null."""
    filled = before.height - before[name].null_count()
    if name not in now.columns:
        return True
    if now[name].null_count() < now.height:
        return False
    return filled >= 0.5 * before.height and now.height >= ENOUGH


def _alike(now: pl.Series, before: pl.Series) -> float:
    now, before = now.drop_nulls(), before.drop_nulls()
    if not len(now) or not len(before) or _family(now.dtype) != _family(before.dtype):
        return 0.0
    if _family(now.dtype) == "text" or now.dtype.is_integer():
        overlap = now.cast(pl.String).is_in(before.cast(pl.String).unique().implode()).mean()
        if overlap >= ALIKE or _family(now.dtype) == "text":
            return float(overlap)
    if _family(now.dtype) not in ("number", "time", "bool"):
        return 0.0
    old, new = (np.sort(numbers(each.to_physical())) for each in (before, now))
    if not len(old) or not len(new):
        return 0.0
    at = np.concatenate([old, new])
    ranks = [np.searchsorted(each, at, side="right") / len(each) for each in (old, new)]
    return 1.0 - float(np.max(np.abs(ranks[0] - ranks[1])))


def _changed_types(live: pl.DataFrame, reference: pl.DataFrame) -> list[Finding]:
    found = []
    for name, dtype in reference.schema.items():
        now = live.schema.get(name)
        if now is None or pl.Null in (now, dtype):
            continue
        if _family(now) != _family(dtype):
            evidence = f"{name}: {dtype} before, {now} now"
            found.append(Finding("schema", "error", evidence, live.height, name))
        elif dtype == pl.String and now == pl.String:
            share, usual = _reads_as_number(live[name]), _reads_as_number(reference[name])
            if share is None or usual is None or abs(share - usual) < 0.9:
                continue
            words = ("text", "numbers") if share > usual else ("numbers", "text")
            evidence = f"{name}: read as {words[0]} before, as {words[1]} now"
            found.append(Finding("schema", "error", evidence, live.height, name))
    return found


def _reads_as_number(words: pl.Series) -> float | None:
    words = words.drop_nulls()
    words = words.head(ENOUGH * ENOUGH)
    if len(words) < ENOUGH:
        return None
    return float(words.cast(pl.Float64, strict=False).is_not_null().mean())


def _family(dtype: pl.DataType) -> str:
    if dtype.is_numeric():
        return "number"
    if dtype in (pl.String, pl.Categorical, pl.Enum):
        return "text"
    if dtype in (pl.Datetime, pl.Date):
        return "time"
    return "bool" if dtype == pl.Boolean else str(dtype.base_type())
