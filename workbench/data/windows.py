"""What the checks look at: the rows that just arrived, and what to compare them with.

    |◄──────────── reference ────────────►|◄─ live ─►|
    ───────────┬─────────┬────────────────────────────► known_at
               |◄─ twin ─►|                          at

Live rows are all read. Of a long reference some 150,000 rows are kept, chosen by the hash of their
id, so that row order means nothing; that is plenty to know what was usual, and what keeps the
checks as fast as reading. What a sample cannot tell (repeats and holes in sequences) is compared
with the twin: all rows of the same days a week earlier. Arrivals by minute are counted exactly.
Shapes (medians, distributions, slices) need no more than 100,000 of the live rows, either.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from workbench.data.rules.finding import clock_of
from workbench.tables import one_frame

__all__ = ["Windows", "read_windows", "two_frames"]

REFERENCE_ROWS = 150_000
SHAPE_ROWS = 100_000
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Windows:
    """Live rows and what they are compared with.

    Attributes
    ----------
    live, reference, twin : pl.DataFrame
        All live rows; a sample of the rows before; all rows of the same days a week before, or of
        the last days before where the reference is shorter.
    minutes : int array, shape (m,)
        Rows by minute of arrival, from the first day with rows until `at`; a whole number of days.
    at : datetime, UTC; None if rows have no clock
    days : int
        Length of the live window.
    reference_rows : int
        How many rows came before the live window, sampled or not.
    older : pl.LazyFrame, optional
        All rows of the reference, unread; None where ids are known not to repeat.
    source : pl.LazyFrame
        All live rows, unread.
    """

    live: pl.DataFrame
    reference: pl.DataFrame
    twin: pl.DataFrame
    minutes: np.ndarray
    at: datetime | None
    days: int
    reference_rows: int
    older: pl.LazyFrame | None
    source: pl.LazyFrame

    @property
    def live_sample(self) -> pl.DataFrame:
        """Enough live rows for shapes: all, or some 100,000 of them by the hash of their id."""
        one_in = self.live.height // SHAPE_ROWS
        return self.live if one_in < 2 else self.live.filter(_one_in(one_in, self.live.columns))

    @property
    def complete(self) -> pl.DataFrame:
        """Rows before the live ones of which none is left out: all of them, or the twin."""
        return self.twin if self.is_sample else self.reference

    @property
    def is_sample(self) -> bool:
        """Whether rows of the reference were left out."""
        return self.reference.height < self.reference_rows

    @property
    def rows_by_day(self) -> dict[int, int]:
        """Rows by day, counted back from `at`: day 0 is the 24 hours before it."""
        return dict(enumerate(self.minutes.reshape(-1, 1440).sum(axis=1)[::-1].tolist()))


def read_windows(
    data, kind: str, *, at: datetime | None, days: int, reference_days: int
) -> Windows:
    """Read the rows of one kind that arrived in the windows before `at`.

    Raises
    ------
    ValueError
        If the table has no clock, its clock has no time zone, or `at` is needed and missing.
    """
    if hasattr(data, "complete_until"):
        lazy, at = data.scan(kind), at or data.complete_until
    elif isinstance(data, pl.LazyFrame):
        lazy = data
    else:
        lazy = one_frame(data, kind).lazy()
    lazy, clock = _in_utc(lazy, kind)
    at = _end(lazy, kind, clock, at)
    known = pl.col(clock)
    since, start = at - timedelta(days=days), at - timedelta(days=days + reference_days)
    lazy = lazy.filter(known >= start, known < at)
    minutes = _by_minute(lazy, clock, start, days + reference_days)
    total = int(minutes.sum())
    oldest = int(np.argmax(minutes > 0)) // 1440 if total else reference_days
    minutes = minutes[min(oldest, reference_days) * 1440 :]

    week = timedelta(days=7 * -(-days // 7) if reference_days >= 7 else days)
    is_live, is_twin = known >= since, (known >= since - week) & (known < at - week)
    live_rows = int(minutes[-days * 1440 :].sum())
    one_in = max((total - live_rows) // REFERENCE_ROWS, 1)
    if one_in > 1:
        sampled = _one_in(one_in, lazy.collect_schema().names())
        reference = lazy.filter(sampled).collect(engine="streaming").filter(known < since)
        live, twin = (lazy.filter(each).collect(engine="streaming") for each in (is_live, is_twin))
    else:
        kept = lazy.collect(engine="streaming")
        live, twin, reference = (kept.filter(each) for each in (is_live, is_twin, known < since))
    unique = hasattr(data, "complete_until")  # a log takes no event twice
    return Windows(
        live=live,
        reference=reference,
        twin=twin,
        minutes=minutes,
        at=at,
        days=days,
        reference_rows=total - live_rows,
        older=None if unique else lazy.filter(known < since),
        source=lazy.filter(is_live),
    )


def two_frames(reference, live, kind: str) -> Windows:
    """Windows from two tables, of which the columns may differ and the clocks may be missing.

    Arrivals are only known where all of the reference came before the live rows. Raises ValueError
    if one of them is no table, or its clock has no time zone.
    """
    reference, live = (one_frame(each, kind) for each in (reference, live))
    clocks = [clock_of(each) for each in (reference, live)]
    at, days, minutes = None, 1, np.zeros(0, np.int64)
    if clocks[0] is not None and clocks[0] == clocks[1] and reference.height and live.height:
        clock = clocks[0]
        aware = [each.schema[clock].time_zone is not None for each in (reference, live)]
        if not all(aware):
            raise ValueError(f"{kind}.{clock} has no time zone: workbench.rename(…, tz=…) sets one")
        reference, live = (
            each.with_columns(pl.col(clock).dt.convert_time_zone("UTC").dt.cast_time_unit("us"))
            for each in (reference, live)
        )
        if reference[clock].max() < live[clock].min():
            since, start = _midnight(live[clock].min()), _midnight(reference[clock].min())
            at = _midnight(live[clock].max()) + DAY
            days = (at - since) // DAY
            arrivals = pl.concat([each.lazy().select(clock) for each in (reference, live)])
            minutes = _by_minute(arrivals, clock, start, (at - start) // DAY)
    return Windows(
        live=live,
        reference=reference,
        twin=reference,
        minutes=minutes,
        at=at,
        days=days,
        reference_rows=reference.height,
        older=reference.lazy() if "event" in reference.columns else None,
        source=live.lazy(),
    )


def _one_in(count: int, names: list[str]) -> pl.Expr:
    """Which rows are in a sample of one in `count`."""
    key = pl.col("event") if "event" in names else pl.struct(names[:5])
    return key.hash(seed=7) % count == 0


def _midnight(moment: datetime) -> datetime:
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)


def _in_utc(lazy: pl.LazyFrame, kind: str) -> tuple[pl.LazyFrame, str]:
    schema = lazy.collect_schema()
    clock = next((name for name in ("known_at", "time") if name in schema), None)
    if clock is None:
        raise ValueError(f"{kind} has no clock: a column known_at or time, got {', '.join(schema)}")
    dtype = schema[clock]
    if dtype != pl.Datetime or dtype.time_zone is None:
        raise ValueError(
            f"{kind}.{clock} has no time zone, it is {dtype}: workbench.rename(…, tz=…) sets one"
        )
    if dtype.time_zone != "UTC":
        lazy = lazy.with_columns(pl.col(clock).dt.convert_time_zone("UTC"))
    return lazy, clock


def _end(lazy: pl.LazyFrame, kind: str, clock: str, at: datetime | None) -> datetime:
    if at is None:
        last = lazy.select(pl.col(clock).max()).collect().item()
        if last is None:
            raise ValueError(f"{kind} has no rows: say at= which moment to check")
        at = last.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    return at.astimezone(UTC)


def _by_minute(lazy: pl.LazyFrame, clock: str, start: datetime, days: int) -> np.ndarray:
    minute = ((pl.col(clock) - start).dt.total_minutes()).alias("minute")
    counts = lazy.group_by(minute).len().collect(engine="streaming")
    minutes = np.zeros(days * 1440, np.int64)
    minutes[counts["minute"].to_numpy()] = counts["len"].to_numpy()
    return minutes
