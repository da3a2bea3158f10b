"""What the checks look at: all live rows, a fair sample of the rest, and any kind of table."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from workbench.data import windows
from workbench.data.broken import FAULTS, START, sound
from workbench.data.checks import compare, report, report_log
from workbench.data.windows import read_windows
from workbench.events import EventLog

AT = START + timedelta(days=36)


def read(table, **changes):
    return read_windows(table, "payment", **{"at": AT, "days": 1, "reference_days": 28} | changes)


@pytest.fixture
def small_samples(monkeypatch):
    monkeypatch.setattr(windows, "REFERENCE_ROWS", 3_000)
    monkeypatch.setattr(windows, "SHAPE_ROWS", 200)


@pytest.mark.usefixtures("small_samples")
def test_a_sample_keeps_every_live_row_and_counts_the_others_exactly():
    rows = sound()
    seen = read(rows)
    assert seen.is_sample
    assert 2_000 < seen.reference.height < 4_500
    assert (seen.live.height, seen.complete.height) == (480, 480)
    days = [720 if day % 7 == 2 else 480 for day in range(29)]
    assert list(seen.rows_by_day.values()) == days
    assert seen.reference_rows == sum(days[1:])
    assert 150 < seen.live_sample.height < 330


@pytest.mark.usefixtures("small_samples")
def test_the_order_of_rows_changes_nothing_about_a_sample():
    rows = sound()
    one, other = read(rows), read(rows.sample(fraction=1, shuffle=True, seed=0))
    assert set(one.reference["event"]) == set(other.reference["event"])
    assert set(one.live_sample["event"]) == set(other.live_sample["event"])


@pytest.mark.usefixtures("small_samples")
@pytest.mark.parametrize("fault", sorted(set(FAULTS) - {"label delay", "distribution"}))
def test_faults_are_found_in_samples_too_and_their_rows_are_counted_in_all(fault):
    rows = sound()
    today = pl.col("known_at") >= AT - timedelta(days=1)
    parts = [rows.filter(~today), FAULTS[fault](rows.filter(today))]
    found = report(pl.concat(parts, how="diagonal"), "payment", at=AT)
    assert fault in {finding.check for finding in found.findings}
    for finding in found.findings:
        assert found.rows(finding).height == finding.rows


@pytest.mark.usefixtures("small_samples")
def test_events_of_days_ago_that_come_again_are_found_and_counted_in_all():
    rows = sound()
    again = rows[5_000:6_000].with_columns(known_at=pl.lit(AT - timedelta(hours=9)))
    found = report(pl.concat([rows, again]), "payment", at=AT).findings
    (resent,) = (each for each in found if "came before" in each.evidence)
    assert (resent.severity, resent.rows) == ("error", 1_000)


def test_a_lazy_table_is_checked_like_the_table(tmp_path):
    rows = sound().with_columns(amount=pl.col("amount") * 3)
    rows.write_parquet(tmp_path / "rows.parquet")
    lazy = pl.scan_parquet(tmp_path / "rows.parquet")
    assert repr(report(lazy, "payment")) == repr(report(rows, "payment"))


def test_columns_of_any_type_break_nothing():
    rows = sound()
    n = rows.height
    odd = rows.with_columns(
        tags=pl.Series([["a", "b"]] * n),
        where=pl.struct(x=pl.col("amount"), y=pl.lit(1)),
        blob=pl.lit(b"\x00"),
        nothing=pl.lit(None),
        day=pl.col("time").dt.date(),
        clock=pl.col("time").dt.time(),
        price=pl.col("amount").cast(pl.Decimal(12, 2)),
        tall=pl.lit("x" * 200),
        level=pl.col("place").cast(pl.Categorical),
        far=pl.lit(np.inf),
        span=pl.duration(minutes=1),
    )
    odd = odd.with_columns(thing=pl.Series([{1, 2}] * n, dtype=pl.Object))
    assert report(odd, "payment", at=AT).findings == ()


@pytest.mark.parametrize("rows", [0, 1, 3])
def test_tiny_tables_are_no_reason_to_break(rows):
    one = sound().head(rows)
    if rows:
        assert report(one, "payment").ok
        assert [each.check for each in report(one, "payment").findings] == ["reference"]
    assert report(one, "payment", at=AT).ok
    assert compare(one, one).ok
    assert compare(sound(), one).live_rows == rows
    assert [each.check for each in compare(one, sound()).findings] == ["reference"]


def test_a_day_without_a_row_is_an_error_of_volume_and_freshness():
    rows = sound().filter(pl.col("known_at") < AT - timedelta(days=1))
    found = report(rows, "payment", at=AT)
    assert {(each.check, each.severity) for each in found.findings} == {
        ("volume", "error"),
        ("freshness", "error"),
    }


def test_tables_without_clocks_or_words_of_the_shop_are_compared():
    rng = np.random.default_rng(0)
    june = pl.DataFrame({"kWh": rng.gamma(2, 3, 2_000), "meter type": ["a", "b"] * 1_000})
    july = june.sample(500, seed=0)
    assert compare(june, july).findings == ()
    watts = july.with_columns(pl.col("kWh") * 1_000)
    (found,) = compare(june.to_pandas(), watts.to_arrow(), "meters").findings
    assert (found.check, found.column) == ("units", "kWh")


def test_clocks_without_zones_are_refused_in_comparisons_too():
    rows = sound().with_columns(pl.col("time", "known_at").dt.replace_time_zone(None))
    with pytest.raises(ValueError, match=r"payment.known_at has no time zone"):
        compare(rows[:100], rows[100:], "payment")


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """A log of payments and complaints about one in ten of them, two days later."""
    log = EventLog(tmp_path_factory.mktemp("shop") / "log")
    paid = sound().with_columns(request=pl.col("event")).drop("source", "sequence")
    late = paid.filter(pl.col("event") % 10 == 0).select(
        event=pl.col("event") + 10**6,
        time="time",
        request="request",
        known_at=pl.col("known_at") + pl.duration(days=2),
    )
    log.append(payment=paid, chargeback=late.filter(pl.col("known_at") < AT), complete_until=AT)
    return log


def test_one_report_covers_all_kinds_and_says_which(shop):
    found = report_log(shop)
    assert (found.kind, found.at, found.ok) == ("log", AT, True)
    assert found.findings == ()
    assert found.live_rows > 480
    early = report_log(shop, at=START + timedelta(days=4))
    assert {(each.check, each.kind) for each in early.findings} == {
        ("reference", "payment"),
        ("reference", "chargeback"),
    }
    assert early.table["kind"].to_list() == ["chargeback", "payment"]
    assert early.rows(early.findings[0]).height == early.findings[0].rows


def test_payments_that_were_dropped_are_missed_by_their_complaints(tmp_path, shop):
    paid, late = (shop.scan(kind).collect() for kind in ("payment", "chargeback"))
    lost = (pl.col("time") >= AT - timedelta(days=4)) & (pl.col("event") % 20 == 0)
    log = EventLog(tmp_path / "log")
    log.append(payment=paid.filter(~lost), chargeback=late, complete_until=AT)
    (found,) = (each for each in report_log(log).findings if each.check == "sequence gaps")
    assert (found.kind, found.severity) == ("chargeback", "error")
    assert "no payment for" in found.evidence


def test_a_log_without_events_or_moment_is_refused(tmp_path):
    with pytest.raises(ValueError, match="the log has no events"):
        report_log(EventLog(tmp_path / "empty"))
    log = EventLog(tmp_path / "log")
    log.append(
        payment=sound()
        .head(3)
        .with_columns(user=1)
        .select("event", "time", "known_at", "user", "amount")
    )
    with pytest.raises(ValueError, match="the log has no watermark: say at="):
        report_log(log)
    with pytest.raises(ValueError, match="at must carry a time zone"):
        report_log(log, at=datetime(2026, 1, 1))
    assert report_log(log, at=datetime(2026, 4, 1, tzinfo=UTC)).live_rows == 0
