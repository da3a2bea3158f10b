"""Is this data as it was yesterday? What just arrived, against what arrived before.

    |◄───────── reference_days ─────────►|◄─ days ─►|
    ─────────────────────────────────────────────────► known_at
                  reference                  live    at

Windows go by when rows arrived (`known_at`), so that a label that comes three weeks late is judged
when it comes. Each check is a pure function in `workbench.data.rules`; `report` runs them all.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import polars as pl

from workbench.data.rules import (
    Finding,
    completeness,
    duplicates,
    freshness,
    label_delay,
    new_categories,
    units,
    volume,
)
from workbench.tables import one_frame

__all__ = ["CheckError", "Finding", "Report", "report"]

CHECKS = {
    "completeness": completeness,
    "duplicates": duplicates,
    "units": units,
    "new categories": new_categories,
    "label delay": label_delay,
}
COLUMNS = {"check": pl.String, "severity": pl.String, "evidence": pl.String, "rows": pl.Int64}


class CheckError(ValueError):
    """Data failed its checks."""


@dataclass(frozen=True)
class Report:
    """What the checks found. The repr is the report.

    Attributes
    ----------
    kind : str
    at : datetime
        The end of the live window.
    live_rows, reference_rows : int
    findings : tuple of Finding, errors first
    """

    kind: str
    at: datetime
    live_rows: int
    reference_rows: int
    findings: tuple[Finding, ...] = field(default=())

    @property
    def ok(self) -> bool:
        """Whether nothing is an error. Warnings are for people to read."""
        return all(finding.severity != "error" for finding in self.findings)

    @property
    def table(self) -> pl.DataFrame:
        """The findings as a frame: check, severity, evidence, rows."""
        rows = [(each.check, each.severity, each.evidence, each.rows) for each in self.findings]
        return pl.DataFrame(rows, schema=COLUMNS, orient="row")

    def raise_if_failed(self) -> Report:
        """Return the report, or raise CheckError with its text if there is an error in it."""
        if not self.ok:
            raise CheckError(repr(self))
        return self

    def __repr__(self):
        head = (
            f"{self.kind}: {self.live_rows:,} rows until {self.at:%Y-%m-%d %H:%M}, against "
            f"{self.reference_rows:,} before: {'ok' if self.ok else 'FAILED'}"
        )
        if not self.findings:
            return f"{head}, nothing found"
        lines = [
            f"  {each.severity:<8}{each.check:<15}{each.rows:>9,} rows  {each.evidence}"
            for each in self.findings
        ]
        return "\n".join([head, *lines])


def report(
    data,
    kind: str = "table",
    *,
    at: datetime | None = None,
    days: int = 1,
    reference_days: int = 28,
) -> Report:
    """Check what arrived in the last days against what arrived before.

    Parameters
    ----------
    data : EventLog, or Polars, pandas or Arrow table
        A table needs `known_at`, or else `time`.
    kind : str
        Which kind of the log to check; for a table, what to call it.
    at : datetime with time zone, optional
        The end of the live window. Default: the log's `complete_until`, else the midnight (UTC)
        after the last row.
    days, reference_days : int
        Lengths of the windows. Four weeks of reference give each weekday four to compare with.

    Raises
    ------
    ValueError
        If a window is shorter than a day, `at` has no time zone, or the table has no clock.

    Notes
    -----
    A reference of less than a week, or of fewer than 30 rows, is too little to judge by: that is a
    finding of its own, a warning.

    Examples
    --------
    >>> from datetime import UTC
    >>> start = datetime(2026, 3, 1, tzinfo=UTC)
    >>> times = [start + timedelta(minutes=10 * n) for n in range(29 * 144)]
    >>> pay = pl.DataFrame({"event": range(29 * 144), "time": times, "amount": 20.0})
    >>> cents = pl.when(pl.col("time") >= start + timedelta(days=28)).then(100).otherwise(1)
    >>> report(pay.with_columns(pl.col("amount") * cents), "payment")
    payment: 144 rows until 2026-03-30 00:00, against 4,032 before: FAILED
      error   units                144 rows  amount: median 20 before, 2e+03 now, 100 times as much
    """
    if days < 1 or reference_days < 1:
        raise ValueError(
            f"days and reference_days must be at least 1, got {days}, {reference_days}"
        )
    if at is not None and (not isinstance(at, datetime) or at.utcoffset() is None):
        raise ValueError(f"at must carry a time zone, got {at!r}")
    rows, clock, at = _rows(data, kind, at, timedelta(days=days + reference_days))
    since = at - timedelta(days=days)
    live, reference = rows.filter(pl.col(clock) >= since), rows.filter(pl.col(clock) < since)

    counts = _rows_per_day(rows[clock], at)
    oldest = max(counts, default=0)
    every_day = {day: counts.get(day, 0) for day in range(max(oldest + 1, days))}
    found = volume(
        {day: count for day, count in every_day.items() if day < days},
        {day: count for day, count in every_day.items() if days <= day < oldest},
    )
    found += freshness(rows[clock], at)
    if reference.height < 30 or oldest < days + 6:
        known = f"{reference.height:,} rows of {max(oldest - days + 1, 0)} days"
        found.append(
            Finding("reference", "warning", f"too little to judge by: {known}", live.height)
        )
    if live.height and reference.height >= 30:
        for check in CHECKS.values():
            found += check(live, reference)
    found.sort(key=lambda finding: finding.severity != "error")
    return Report(kind, at, live.height, reference.height, tuple(found))


def _rows(data, kind: str, at: datetime | None, length: timedelta):
    """The rows that arrived within `length` before `at`, the clock they go by, and `at`."""
    if hasattr(data, "scan"):
        lazy, at = data.scan(kind), at or data.complete_until
    else:
        lazy = one_frame(data, kind).lazy()
    schema = lazy.collect_schema()
    clock = next((name for name in ("known_at", "time") if name in schema), None)
    if clock is None:
        raise ValueError(f"{kind} has no clock: a column known_at or time, got {', '.join(schema)}")
    dtype = schema[clock]
    if dtype != pl.Datetime or dtype.time_zone is None:
        raise ValueError(
            f"{kind}.{clock} has no time zone, it is {dtype}: workbench.rename(…, tz=…) sets one"
        )
    lazy = lazy.with_columns(pl.col(clock).dt.convert_time_zone("UTC"))
    if at is None:
        last = lazy.select(pl.col(clock).max()).collect().item()
        if last is None:
            raise ValueError(f"{kind} has no rows: say at= which moment to check")
        at = last.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    at = at.astimezone(UTC)
    return lazy.filter(pl.col(clock) >= at - length, pl.col(clock) < at).collect(), clock, at


def _rows_per_day(arrivals: pl.Series, at: datetime) -> dict[int, int]:
    """Rows by day, counted back from `at`: day 0 is the 24 hours before it."""
    day = ((pl.lit(at) - arrivals - timedelta(microseconds=1)).dt.total_days()).alias("day")
    counts = pl.select(day).to_series().value_counts()
    return dict(counts.iter_rows())
