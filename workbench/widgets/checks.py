"""What the checks found, as a map: which check, on which column, how bad, on which day."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from workbench.data.checks import CHECKS, Finding, Report
from workbench.widgets.picture import Picture

__all__ = ["chart"]

COLORS = {"ok": "#E8EEF2", "warning": "#E69F00", "error": "#D55E00"}  # Okabe & Ito (2008)


def chart(reports: Report | Sequence[Report]) -> Picture:
    """A map of checks by column for one report, or of checks by day for several.

    Parameters
    ----------
    reports : Report or sequence of Report
        Several are those of one kind, or of the log, on different days.

    Returns
    -------
    Picture
        A cell has the color of its worst finding, and its evidence as a tooltip.

    Raises
    ------
    ValueError
        If there is no report, or one of several has no moment.

    Examples
    --------
    >>> from workbench.data.checks import compare, example
    >>> chart(compare(*example("units"), "payment"))
    <Picture: 13 rows>
    """
    import altair as alt

    several = not isinstance(reports, Report)
    reports = list(reports) if several else [reports]
    if not reports:
        raise ValueError("there is no report to draw")
    if several and any(report.at is None for report in reports):
        raise ValueError("reports without a moment have no day: draw them one by one")
    cells = _cells(reports, several)
    title = "day" if several else "column"
    severity = alt.Scale(domain=list(COLORS), range=list(COLORS.values()))
    map_of_cells = (
        alt.Chart(cells)
        .mark_rect(stroke="white")
        .encode(
            x=alt.X("where:O", title=title, axis=alt.Axis(labelAngle=-45)),
            y=alt.Y("check:N", sort=list(CHECKS), title=None),
            color=alt.Color("severity:N", scale=severity, title="worst"),
            tooltip=["check:N", "where:O", "severity:N", "rows:Q", "evidence:N"],
        )
    )
    words = ", ".join(sorted({report.kind for report in reports}))
    return Picture(map_of_cells.properties(title=words, width=alt.Step(22 if several else 60)))


def _cells(reports: Sequence[Report], several: bool) -> pl.DataFrame:
    """One row per check and day, or per check and column with a finding: the worst of each."""
    found = [
        (each.check, _place(each, report, several), each.severity, each.rows, each.evidence)
        for report in reports
        for each in report.findings
    ]
    places = [f"{report.at:%m-%d}" for report in reports] if several else [row[1] for row in found]
    checks = dict.fromkeys([*CHECKS, *(row[0] for row in found)])
    sound = [(check, place, "ok", 0, "") for place in places or ["table"] for check in checks]
    names = ["check", "where", "severity", "rows", "evidence"]
    cells = pl.DataFrame(found + sound, schema=names, orient="row")
    bad = pl.col("severity").replace_strict({"ok": 0, "warning": 1, "error": 2})
    cells = cells.sort(bad, descending=True, maintain_order=True)
    return cells.unique(["check", "where"], keep="first", maintain_order=True)


def _place(finding: Finding, report: Report, several: bool) -> str:
    if several:
        return f"{report.at:%m-%d}"
    return ".".join(filter(None, [finding.kind, finding.column])) or "table"
