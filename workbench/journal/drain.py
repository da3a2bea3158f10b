"""From a closed segment to commits in the log."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import polars as pl

from workbench.events import Appended, EventLog
from workbench.journal.frames import ROWS, TABLE, Frame
from workbench.journal.rows import decode
from workbench.journal.tables import parts, unpack

__all__ = ["append_segment", "total"]

PARTS = 1_000_000  # more batches than one segment can become in the log


def append_segment(
    frames: list[Frame],
    place: tuple[str, int],
    log: EventLog,
    repair: Callable[[str, pl.DataFrame], pl.DataFrame] | None,
) -> list[Appended]:
    """Append what a segment holds; `place` is the journal's id and the segment's number."""
    journal, number = place
    tables = decode(frame.payload for frame in frames if frame.type == ROWS)
    tables += [unpack(frame.payload) for frame in frames if frame.type == TABLE]
    reports = []
    for part, by_kind in enumerate(parts(tables)):
        if repair is not None:
            by_kind = {kind: repair(kind, table) for kind, table in by_kind.items()}
        reports.append(log.append(batch=(journal, number * PARTS + part), **by_kind))
    return reports


def total(reports: list[Appended], log: EventLog) -> Appended:
    """The sum of what several commits did."""
    added, quarantined, new_columns = Counter(), Counter(), {}
    for report in reports:
        added.update(report.added)
        quarantined.update(report.quarantined)
        for kind, names in report.new_columns.items():
            new_columns[kind] = [*new_columns.get(kind, []), *names]
    return Appended(
        version=reports[-1].version if reports else log.version,
        added=dict(added),
        duplicates=sum(report.duplicates for report in reports),
        quarantined=dict(quarantined),
        late=sum(report.late for report in reports),
        new_columns=new_columns,
    )
