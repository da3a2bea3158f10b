"""Events that came twice, and rows that say the same under another id."""

from __future__ import annotations

import numpy as np
import polars as pl

from workbench.data.rules.finding import ENOUGH, FEW, SIGMAS, Finding, clock_of, percent

__all__ = ["duplicates", "resent"]

MANY = 50_000  # rows; of more, some are looked at first, and all if those repeat themselves


def duplicates(live: pl.DataFrame, reference: pl.DataFrame) -> list[Finding]:
    """Events that came twice (an error), and rows that say the same more often than before.

    Rows say the same if they agree in all but `event` and `known_at`: a warning from 1 point more
    than on any day of the reference, an error from 5. The reference must be complete, not a sample.

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
    if not live.height or not _said(live):
        return found
    if live.height > MANY and _repeated(_by_moment(live))[0] <= 0.005:
        return found
    share, usual, most = _repeated(live)[0], *_repeated(reference)
    now = round(share * live.height)
    noise = SIGMAS * np.sqrt(usual * (1 - usual) / live.height)
    if share - usual > noise and share - most > 0.01:
        severity = "error" if share - most > 0.05 and now >= FEW else "warning"
        evidence = (
            f"equal rows under other event ids: {percent(usual)} before, {percent(share)} now"
        )
        again = ~pl.struct(_said(live)).is_first_distinct()
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


def _by_moment(frame: pl.DataFrame) -> pl.DataFrame:
    """Some MANY rows: all those of some moments, so that what repeats stays together."""
    if "time" not in frame.columns:
        return frame
    return frame.filter(pl.col("time").hash(seed=7) % (frame.height // MANY) == 0)


def _said(frame: pl.DataFrame) -> list[str]:
    columns = frame.drop("event", "known_at", strict=False).schema.items()
    return [name for name, dtype in columns if not dtype.is_nested() and dtype != pl.Object]


def _repeated(frame: pl.DataFrame) -> tuple[float, float]:
    """The share of rows that repeat another: of all rows, and on the worst day."""
    said, clock = _said(frame), clock_of(frame)
    if not frame.height or not said:
        return 0.0, 0.0
    day = pl.lit(0) if clock is None else pl.col(clock).dt.date()
    rows = frame.lazy().select(day=day, said=pl.struct(said).hash())
    days = rows.group_by("day").agg(rows=pl.len(), different=pl.col("said").n_unique()).collect()
    days = days.with_columns(again=pl.col("rows") - pl.col("different"))
    shares = days.filter(pl.col("rows") >= ENOUGH).select(pl.col("again") / pl.col("rows"))
    usual = days["again"].sum() / frame.height
    return usual, max(usual, shares["again"].max() or 0.0)
