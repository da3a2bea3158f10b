"""Is this data as it was yesterday? What just arrived, against what arrived before.

    |◄───────── reference_days ─────────►|◄─ days ─►|
    ─────────────────────────────────────────────────► known_at
                  reference                  live    at

Windows go by when rows arrived (`known_at`), so that a label that comes three weeks late is judged
when it comes. Each check is a pure function in `workbench.data.rules`; `report` runs them on one
kind, `report_log` on all kinds of a log and on what they say about each other, `compare` on two
frames. `example` has a sound and a broken table for every check.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import polars as pl

from workbench.data import rules
from workbench.data.broken import example
from workbench.data.report import CheckError, Report
from workbench.data.rules import Finding
from workbench.data.rules.finding import ENOUGH, clock_of
from workbench.data.rules.kinds import PARENTS
from workbench.data.windows import Windows, read_windows, two_frames

__all__ = [
    "CHECKS",
    "CheckError",
    "Finding",
    "Report",
    "compare",
    "example",
    "report",
    "report_log",
]

CHECKS = (
    "schema",
    "completeness",
    "volume",
    "freshness",
    "duplicates",
    "sequence gaps",
    "units",
    "range",
    "new categories",
    "distribution",
    "label delay",
    "clock skew",
    "identity",
)

Rule = Callable[[pl.DataFrame, pl.DataFrame], list[Finding]]
RULES: tuple[Rule, ...] = (  # in this order: what the first explain, the later ones do not repeat
    rules.schema,
    rules.completeness,
    rules.units,
    rules.ranges,
    rules.new_categories,
    rules.clock_skew,
    rules.hours,
    rules.label_delay,
    rules.distribution,
    rules.slices,
    rules.strangers,
)
SHAPE_RULES = (
    rules.units,
    rules.distribution,
    rules.slices,
    rules.strangers,
)  # a sample of live rows will do
COMPLETE_RULES: tuple[Rule, ...] = (rules.duplicates, rules.sequence_gaps)  # no samples
EXPLAINS = {  # a finding of the first for a column makes these of the same column old news
    "schema": {
        *("completeness", "units", "range", "new categories", "distribution", "volume"),
        "identity",
    },
    "completeness": {"completeness", "volume"},
    "units": {"units", "range", "distribution", "identity"},
    "range": {"distribution", "identity"},
    "distribution": {"identity"},
    "new categories": {"distribution", "volume"},
    "clock skew": {"clock skew"},
}


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
        A table needs `known_at`, or else `time`. A LazyFrame is read no further than needed.
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
    _refuse(at, days, reference_days)
    windows = read_windows(data, kind, at=at, days=days, reference_days=reference_days)
    return _report(kind, windows)


def report_log(
    log, *, at: datetime | None = None, days: int = 1, reference_days: int = 28
) -> Report:
    """Check all kinds of a log, and what they say about each other, in one report.

    Between kinds: events that refer to a request that never came, and how many of one kind come for
    each of another. Kinds without a row in either window are left out. Parameters are those of
    `report`.

    Raises
    ------
    ValueError
        As `report`; and if the log has no kinds.
    """
    _refuse(at, days, reference_days)
    if not log.kinds:
        raise ValueError("the log has no events: there is nothing to check")
    at = at or log.complete_until
    if at is None:
        raise ValueError("the log has no watermark: say at= which moment to check")
    findings, live_rows, reference_rows, live = [], 0, 0, {}
    every = {}
    for kind in log.kinds:
        windows = read_windows(log, kind, at=at, days=days, reference_days=reference_days)
        if not windows.minutes.sum():
            continue
        one = _report(kind, windows)
        every[kind], live[kind] = windows, windows.source
        live_rows, reference_rows = live_rows + one.live_rows, reference_rows + one.reference_rows
        findings += [replace(each, kind=kind) for each in one.findings]
    findings += _between(log, every, at, days)
    return Report("log", at, live_rows, reference_rows, _errors_first(findings), live)


def compare(reference, live, kind: str = "table") -> Report:
    """Check one table against another: training against serving rows, June against July.

    Parameters
    ----------
    reference, live : Polars, pandas or Arrow tables
        They may lack clocks; then nothing is said of volume, freshness and delays. With a clock
        the live window ends at the midnight (UTC) after the last live row.

    >>> before = pl.DataFrame({"amount": [20.0, 25.0] * 50})
    >>> compare(before, before * 9)
    table: 100 rows, against 100 before: FAILED
      error   units                100 rows  amount: median 22.5 before, 202 now, 9 times as much
    """
    windows = two_frames(reference, live, kind)
    return _report(kind, windows)


def _report(kind: str, windows: Windows) -> Report:
    findings = _arrivals(windows) + _contents(windows)
    return Report(
        kind,
        windows.at,
        windows.live.height,
        windows.reference_rows,
        _errors_first(findings),
        {kind: windows.source},
    )


def _arrivals(windows: Windows) -> list[Finding]:
    """Volume and freshness, and whether there is enough to judge by."""
    found, days, clock = [], windows.days, clock_of(windows.live)
    rows = windows.rows_by_day
    known = max((day for day, count in rows.items() if count), default=0)
    reference = {day: rows[day] for day in range(days, known)}  # the first day may be half a day
    for day in range(days) if windows.at is not None and known >= days else ():
        start, end = (windows.at - timedelta(days=back) for back in (day + 1, day))
        where = pl.col(clock).is_between(start, end, closed="left")
        found += [replace(each, where=where) for each in rules.volume({day: rows[day]}, reference)]
    if windows.at is not None:
        found += rules.freshness(windows.minutes, days)
        if windows.reference_rows < ENOUGH or known < days + 6:
            judged_by = f"{windows.reference_rows:,} rows of {max(known - days + 1, 0)} days"
            evidence = f"too little to judge by: {judged_by}"
            found.append(Finding("reference", "warning", evidence, windows.live.height))
    elif windows.reference_rows < ENOUGH:
        evidence = f"too little to judge by: {windows.reference_rows:,} rows"
        found.append(Finding("reference", "warning", evidence, windows.live.height))
    return found


def _contents(windows: Windows) -> list[Finding]:
    live, reference = windows.live, windows.reference
    if not live.height or windows.reference_rows < ENOUGH:
        return []
    found: list[Finding] = []
    for rule in RULES:
        told = {(check, each.column) for each in found for check in EXPLAINS.get(each.check, ())}
        if rule in SHAPE_RULES:
            new = [_counted(each, live) for each in rule(windows.live_sample, reference)]
        else:
            new = rule(live, reference)
        found += [each for each in new if (each.check, each.column) not in told]
    for rule in COMPLETE_RULES:
        found += rule(live, windows.complete)
    if windows.older is not None and "event" in live.columns:
        found += _resent(windows)
    return found


def _counted(finding: Finding, live: pl.DataFrame) -> Finding:
    """A finding from a sample, with the number of all live rows that it is about."""
    if finding.where is None:
        return replace(finding, rows=live.height)
    return replace(finding, rows=int(live.select(finding.where.sum()).item() or 0))


def _resent(windows: Windows) -> list[Finding]:
    """Events that came before; all of the reference is searched if its sample has one."""
    if not windows.is_sample:
        return rules.resent(windows.live, windows.older)
    seen = pl.concat([windows.reference.lazy(), windows.twin.lazy()])
    found = rules.resent(windows.live, seen)
    return rules.resent(windows.live, windows.older) if found else []


def _between(log, every: dict[str, Windows], at: datetime, days: int) -> list[Finding]:
    """What the kinds of a log say about each other."""
    found: list[Finding] = []
    for kind, parents in PARENTS.items():
        if kind not in every:
            continue
        for parent in (each for each in parents if each in log.kinds):
            known = log.scan(parent).filter(pl.col("known_at") < at)
            lost = rules.orphans(every[kind].live, every[kind].twin, known, parent)
            found += [replace(each, kind=kind) for each in lost]
    late = {kind: _hours_late(windows.reference) for kind, windows in every.items()}
    late = {kind: hours for kind, hours in late.items() if hours > 1}
    for kind in set(late) & set(PARENTS):
        parent = next((each for each in PARENTS[kind] if each in every), None)
        if parent is not None:
            known = (log.scan(each).filter(pl.col("known_at") < at) for each in (parent, kind))
            rate = rules.label_rate(rules.cohorts(*known, at, -(-late[kind] // 24)), parent)
            found += [replace(each, kind=kind) for each in rate]
    rows = {kind: windows.rows_by_day for kind, windows in every.items()}
    return found + rules.ratios(rows, days, frozenset(late))


def _hours_late(reference: pl.DataFrame) -> float:
    """How many hours after it happened a row becomes known, in the median."""
    delay = reference.select((pl.col("known_at") - pl.col("time")).median()).item()
    return 0.0 if delay is None else delay / timedelta(hours=1)


def _errors_first(findings: list[Finding]) -> tuple[Finding, ...]:
    return tuple(sorted(findings, key=lambda finding: finding.severity != "error"))


def _refuse(at, days: int, reference_days: int) -> None:
    if days < 1 or reference_days < 1:
        raise ValueError(
            f"days and reference_days must be at least 1, got {days}, {reference_days}"
        )
    if at is not None and (not isinstance(at, datetime) or at.utcoffset() is None):
        raise ValueError(f"at must carry a time zone, got {at!r}")
