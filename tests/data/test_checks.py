"""The report: quiet on sound data, and every fault we plant in real payments is found and named."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from workbench.data import checks, public
from workbench.data.checks import CheckError, report
from workbench.events import EventLog

START = datetime(2026, 3, 1, tzinfo=UTC)
JUNE = datetime(2018, 6, 1, tzinfo=UTC)


def steady(days=36, per_day=144):
    """One payment every ten minutes, the same every day."""
    times = [START + timedelta(days=1) / per_day * n for n in range(days * per_day)]
    n = len(times)
    columns = {"event": range(n), "time": times, "known_at": times, "user": range(n)}
    amounts, places = [10.0 + row % 7 for row in range(n)], ["Bern", "Basel"] * (n // 2)
    return pl.DataFrame({**columns, "amount": amounts, "place": places})


def test_steady_data_gives_an_empty_report_that_passes():
    found = report(steady(), "payment")
    assert found.ok
    assert found.raise_if_failed() is found
    assert (found.live_rows, found.reference_rows) == (144, 28 * 144)
    assert repr(found).endswith("nothing found")
    assert found.table.columns == ["check", "severity", "column", "evidence", "rows", "kind"]


def test_a_failed_report_stops_with_its_own_text():
    last = pl.col("time") >= START + timedelta(days=35)
    cents = pl.col("amount") * pl.when(last).then(100).otherwise(1)
    found = report(steady().with_columns(amount=cents), "payment")
    assert not found.ok
    with pytest.raises(CheckError, match=r"payment: 144 rows .* FAILED\n  error   units .* times"):
        found.raise_if_failed()
    assert max(map(len, repr(found).split("\n"))) <= 100


def test_a_log_is_checked_up_to_its_watermark_by_when_rows_arrived(tmp_path):
    rows = steady()
    late = rows.with_columns(pl.col("known_at") + pl.duration(days=3))
    log = EventLog(tmp_path / "log")
    log.append(payment=late, complete_until=START + timedelta(days=35))
    found = report(log, "payment")
    assert found.at == START + timedelta(days=35)
    assert found.live_rows == 144, "those that arrived on the last day happened three days before"
    assert found.ok
    assert report(log, "payment", at=START + timedelta(days=20), days=7).live_rows == 7 * 144


def test_pandas_and_arrow_tables_are_checked_alike():
    rows = steady()
    assert repr(report(rows.to_pandas(), "payment")) == repr(report(rows, "payment"))
    assert repr(report(rows.to_arrow(), "payment")) == repr(report(rows, "payment"))


def test_too_little_to_judge_by_is_said():
    found = report(steady(days=3), "payment")
    assert found.ok
    assert [finding.evidence for finding in found.findings] == [
        "too little to judge by: 288 rows of 2 days"
    ]


def test_misuse_is_named():
    rows = steady()
    with pytest.raises(ValueError, match="days and reference_days must be at least 1, got 0, 28"):
        report(rows, days=0)
    with pytest.raises(ValueError, match="at must carry a time zone"):
        report(rows, at=datetime(2026, 3, 5))
    with pytest.raises(ValueError, match="payment has no clock"):
        report(rows.drop("time", "known_at"), "payment")
    with pytest.raises(ValueError, match="payment has no rows"):
        report(rows.clear(), "payment")
    naive = rows.with_columns(pl.col("time", "known_at").dt.replace_time_zone(None))
    with pytest.raises(ValueError, match="has no time zone"):
        report(naive, "payment")


def today(column, value):
    return pl.when(pl.col("time") >= JUNE).then(value).otherwise(column).alias(column)


FAULTS = {
    "units": lambda rows: rows.with_columns(today("amount", pl.col("amount") * 100)),
    "completeness": lambda rows: rows.with_columns(
        today("seller", pl.when(pl.col("event") % 10 > 0).then("seller"))
    ),
    "volume": lambda rows: rows.filter((pl.col("time") < JUNE) | (pl.col("event") % 3 == 0)),
    "freshness": lambda rows: rows.filter(pl.col("time") < JUNE + timedelta(hours=12)),
    "duplicates": lambda rows: pl.concat([rows, rows.filter(pl.col("time") >= JUNE).head(500)]),
    "label delay": lambda rows: rows.with_columns(
        known_at=pl.col("time")
        + pl.duration(hours=pl.when(pl.col("time") >= JUNE).then(9).otherwise(1))
    ),
    "new categories": lambda rows: rows.with_columns(
        place=pl.when(pl.col("time") >= JUNE).then(pl.lit("CH")).otherwise(pl.lit("Switzerland"))
    ),
}


@pytest.mark.usefixtures("real_data")
def test_two_months_of_real_cards_raise_no_false_alarm():
    for kind, frame in public.events("cards").items():
        for day in range(29, 91, 4):
            at = datetime(2018, 4, 1, tzinfo=UTC) + timedelta(days=day)
            assert report(frame, kind, at=at).ok, (kind, at)


@pytest.mark.usefixtures("real_data")
@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_found_and_named(fault):
    rows = public.events("cards")["payment"].filter(pl.col("time") < JUNE + timedelta(days=1))
    found = checks.report(FAULTS[fault](rows), "payment", at=JUNE + timedelta(days=1))
    assert fault in {finding.check for finding in found.findings if finding.severity == "error"}
    assert checks.report(rows, "payment", at=JUNE + timedelta(days=1)).findings == ()
