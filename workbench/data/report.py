"""What the checks found: a table, the rows behind each finding, and a gate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import polars as pl

from workbench.data.rules.finding import Finding

__all__ = ["CheckError", "Report"]

COLUMNS = {
    "check": pl.String,
    "severity": pl.String,
    "column": pl.String,
    "evidence": pl.String,
    "rows": pl.Int64,
    "kind": pl.String,
}


class CheckError(ValueError):
    """Data failed its checks."""


@dataclass(frozen=True)
class Report:
    """What the checks found. The repr is the report; `workbench.widgets.checks.chart` draws it.

    Attributes
    ----------
    kind : str
        What was checked; "log" for all kinds of a log.
    at : datetime
        The end of the live window.
    live_rows, reference_rows : int
    findings : tuple of Finding, errors first
    """

    kind: str
    at: datetime | None
    live_rows: int
    reference_rows: int
    findings: tuple[Finding, ...] = field(default=())
    live: Mapping[str, pl.LazyFrame] = field(default_factory=dict, compare=False, repr=False)

    @property
    def ok(self) -> bool:
        """Whether nothing is an error. Warnings are for people to read."""
        return all(finding.severity != "error" for finding in self.findings)

    @property
    def table(self) -> pl.DataFrame:
        """The findings as a frame: check, severity, column, evidence, rows, kind."""
        rows = [
            (each.check, each.severity, each.column, each.evidence, each.rows, each.kind)
            for each in self.findings
        ]
        return pl.DataFrame(rows, schema=COLUMNS, orient="row")

    def rows(self, finding: Finding | int = 0) -> pl.DataFrame:
        """Read the live rows that a finding is about.

        Parameters
        ----------
        finding : Finding or int
            One of `findings`, or its number.

        Returns
        -------
        pl.DataFrame, finding.rows rows
            None where the finding is about rows that are not there.

        Raises
        ------
        ValueError
            If it is no finding of this report.
        """
        if isinstance(finding, int):
            if not 0 <= finding < len(self.findings):
                raise ValueError(f"there are {len(self.findings)} findings, got number {finding}")
            finding = self.findings[finding]
        kind = finding.kind or self.kind
        if finding not in self.findings or kind not in self.live:
            raise ValueError(f"no finding of this report: {finding!r}")
        rows = self.live[kind]
        return (rows if finding.where is None else rows.filter(finding.where)).collect()

    def raise_if_failed(self) -> Report:
        """Return the report, or raise CheckError with its text if there is an error in it."""
        if not self.ok:
            raise CheckError(repr(self))
        return self

    def __repr__(self):
        until = "" if self.at is None else f" until {self.at:%Y-%m-%d %H:%M}"
        head = (
            f"{self.kind}: {self.live_rows:,} rows{until}, against "
            f"{self.reference_rows:,} before: {'ok' if self.ok else 'FAILED'}"
        )
        if not self.findings:
            return f"{head}, nothing found"
        return "\n".join([head, *map(_line, self.findings)])


def _line(finding: Finding) -> str:
    words = f"{finding.kind}: {finding.evidence}" if finding.kind else finding.evidence
    line = f"  {finding.severity:<8}{finding.check:<15}{finding.rows:>9,} rows  {words}"
    return line if len(line) <= 120 else f"{line[:119]}…"
