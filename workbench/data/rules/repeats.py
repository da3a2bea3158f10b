"""Events that came twice, and rows that say the same under another id."""

from __future__ import annotations

import numpy as np
import polars as pl

from workbench.data.rules.finding import FEW, SIGMAS, Finding, percent

__all__ = ["duplicates", "resent"]


def duplicates(live: pl.DataFrame, reference: pl.DataFrame) -> list[Finding]:
    """Events that came twice (an error), and rows that say the same more often than before.

    Rows say the same if they agree in all but `event` and `known_at`: a warning from 1 point more
    than in the reference on, an error from 5. The reference must be complete, not a sample.

    >>> pay = pl.DataFrame({"event": [1, 2, 3], "user": [7, 7, 8], "amount": [9.5, 9.5, 9.5]})
    >>> duplicates(pay, pay.head(1))[0].evidence
    'equal rows under other event ids: 0 % before, 33 % now'
    """
    found = []
    if "event" in live.columns:
        twice = live.height - live["event"].n_unique()
        if twice:
            evidence = f"{twice:,} rows have the event id of another row"
            again = ~pl.col("event").is_first_distinct()
            found.append(Finding("duplicates", "error", evidence, twice, "event", again))
    said = _said(live)
    now, before = _repeated(live, said), _repeated(reference, _said(reference))
    share, usual = now / max(live.height, 1), before / max(reference.height, 1)
    noise = SIGMAS * np.sqrt(usual * (1 - usual) / max(live.height, 1))
    if share - usual > max(0.01, noise):
        severity = "error" if share - usual > 0.05 and now >= FEW else "warning"
        evidence = (
            f"equal rows under other event ids: {percent(usual)} before, {percent(share)} now"
        )
        again = ~pl.struct(said).is_first_distinct()
        found.append(Finding("duplicates", severity, evidence, now, where=again))
    return found


def resent(live: pl.DataFrame, older: pl.LazyFrame) -> list[Finding]:
    """Events that had come before, days ago: an error. `older` has the column `event`.

    >>> live = pl.DataFrame({"event": [7, 8, 9]})
    >>> resent(live, pl.LazyFrame({"event": [1, 2, 7]}))[0].evidence
    '1 rows have the event id of a row that came before'
    """
    ids = live.lazy().select("event").drop_nulls()
    known = older.select("event").join(ids, on="event", how="semi")
    known = known.unique().collect(engine="streaming")["event"]
    if not len(known):
        return []
    again = pl.col("event").is_in(known.implode())
    rows = live.select(again.sum()).item()
    evidence = f"{rows:,} rows have the event id of a row that came before"
    return [Finding("duplicates", "error", evidence, rows, "event", again)]


def _said(frame: pl.DataFrame) -> list[str]:
    columns = frame.drop("event", "known_at", strict=False).schema.items()
    return [name for name, dtype in columns if not dtype.is_nested() and dtype != pl.Object]


def _repeated(frame: pl.DataFrame, said: list[str]) -> int:
    return frame.height - frame.select(said).n_unique() if said and frame.height else 0
