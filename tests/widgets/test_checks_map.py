"""The map of findings: one cell for each check and column or day, with the worst of them."""

from datetime import timedelta

import polars as pl
import pytest

from workbench.data.broken import FAULTS, START, example
from workbench.data.checks import CHECKS, compare, report
from workbench.widgets.checks import chart
from workbench.widgets.picture import VEGA_LITE


def cells(picture):
    (rows,) = picture.chart.to_dict()["datasets"].values()
    return {(row["check"], row["where"]): row["severity"] for row in rows}


def test_a_sound_report_is_one_column_of_ok():
    assert cells(chart(compare(*example("")))) == {(check, "table"): "ok" for check in CHECKS}


def test_one_report_shows_checks_by_column():
    reference, live = example("units")
    seen = cells(chart(compare(reference, FAULTS["completeness"](live))))
    assert len(seen) == 2 * len(CHECKS)
    assert {place for place, severity in seen.items() if severity == "error"} == {
        ("units", "amount"),
        ("completeness", "user"),
    }


def test_several_reports_show_checks_by_day_with_the_worst_of_each():
    table = pl.concat(example("units"))
    days = [report(table, at=START + timedelta(days=day)) for day in (34, 35, 36)]
    seen = cells(chart(days))
    assert len(seen) == 3 * len(CHECKS)
    assert [place for place, severity in seen.items() if severity != "ok"] == [("units", "04-07")]


def test_the_map_draws_offline():
    bundle = chart(compare(*example("units")))._repr_mimebundle_()
    assert bundle["image/svg+xml"].startswith("<svg")
    assert bundle[VEGA_LITE]["title"] == "table"


def test_nothing_to_draw_is_refused():
    with pytest.raises(ValueError, match="there is no report to draw"):
        chart([])
    plain = pl.DataFrame({"amount": [1.0] * 40})
    with pytest.raises(ValueError, match="reports without a moment have no day"):
        chart([compare(plain, plain)])
