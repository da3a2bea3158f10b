"""The log by hand: two clocks, versions, duplicates, watermark, quarantine, compaction."""

import pickle
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from workbench.contracts import Column, Contract
from workbench.events import Appended, EventLog

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def payments(*events: int, time=NOON, known_at=None, user=7, amount=1.5) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "event": events,
            "time": time,
            "known_at": known_at or time,
            "user": user,
            "amount": amount,
        },
        schema_overrides={"event": pl.Int64},
    )


def events(log: EventLog, kind: str = "payment") -> list[int]:
    return log.scan(kind).collect()["event"].sort().to_list()


@pytest.fixture
def log(tmp_path):
    return EventLog(tmp_path / "log")


def test_an_empty_log_answers(log):
    assert (log.version, log.kinds, log.complete_until) == (-1, [], None)
    assert log.scan("payment").collect().is_empty()
    assert log.as_of(NOON).scan("click").collect().is_empty()
    assert log.quarantine().is_empty()
    assert log.compact() == -1
    assert repr(log).endswith("version -1")


def test_what_was_put_in_comes_out(log):
    rows = payments(1, 2, 3).with_columns(note=pl.Series(["a", None, "c"]))
    done = log.append(payment=rows)
    assert (done.added, done.new_columns) == ({"payment": 3}, {"payment": ["note"]})
    rows = rows.cast({"user": pl.Int64})
    assert_frame_equal(log.scan("payment").collect(), rows, check_column_order=False)


def test_several_kinds_are_one_version(log):
    log.append(
        payment=payments(1), click=payments(2).rename({"amount": "item"}).cast({"item": int})
    )
    assert log.kinds == ["click", "payment"]
    log.append(payment=payments(2))
    assert events(log.at(log.version - 1)) == [1]
    assert events(log) == [1, 2]


def test_as_of_hides_what_became_known_at_that_moment_or_later(log):
    log.append(payment=payments(1), known_at="time")
    log.append(payment=payments(2, known_at=NOON + 20 * DAY))
    assert events(log.as_of(NOON)) == []
    assert events(log.as_of(NOON + timedelta(microseconds=1))) == [1]
    assert events(log.as_of(NOON + 20 * DAY)) == [1]
    assert events(log.as_of(NOON + 21 * DAY)) == [1, 2]
    assert log.as_of(NOON).kinds == []


def test_views_compose_and_the_narrower_wins(log):
    log.append(payment=payments(1))
    first = log.version
    log.append(payment=payments(2, known_at=NOON + DAY))
    late = NOON + 2 * DAY
    assert events(log.at(first).as_of(late)) == events(log.as_of(late).at(first)) == [1]
    assert events(log.as_of(late).as_of(NOON + DAY)) == [1]
    assert events(log.as_of(NOON + DAY).as_of(late)) == [1]
    assert log.at(first).version == first


def test_start_and_end_cut_by_time(log):
    log.append(payment=pl.concat([payments(day, time=NOON + day * DAY) for day in range(5)]))
    assert log.scan("payment", start=NOON + DAY, end=NOON + 3 * DAY).collect().height == 2
    assert log.scan("payment", start=NOON + 9 * DAY).collect().is_empty()
    assert log.scan("payment", end=NOON).collect().columns == log.scan("payment").collect().columns


def test_scans_open_only_files_that_can_hold_the_answer(log):
    for day in range(5):
        log.append(payment=payments(day, time=NOON + day * DAY))
    for day in (1, 5):  # before `start`; and nothing of it was known yet
        next(Path(log.path, "kind=payment", f"day=2026-03-0{day}").iterdir()).unlink()
    seen = log.as_of(NOON + 4 * DAY).scan("payment", start=NOON + 2 * DAY).collect()
    assert seen["event"].sort().to_list() == [2, 3]


def test_the_same_rows_again_change_nothing(log):
    log.append(payment=payments(1, 2, amount=float("nan")))
    version = log.version
    again = log.append(payment=payments(1, 2, amount=float("nan")))
    assert (again.version, again.quarantined) == (version, {"payment.amount: NaN or infinite": 2})
    assert log.quarantine().height == 2


def test_duplicates_are_dropped_whether_in_the_log_or_in_the_batch(log):
    log.append(payment=payments(1, 2))
    told_again_later = payments(2, known_at=NOON + DAY)
    done = log.append(payment=pl.concat([told_again_later, payments(3), payments(3)]))
    assert (done.added, done.duplicates, done.quarantined) == ({"payment": 1}, 2, {})
    assert log.scan("payment").filter(event=2).collect()["known_at"].item() == NOON


def test_a_duplicate_that_says_something_else_goes_to_quarantine(log):
    log.append(payment=payments(1, amount=5.0))
    done = log.append(
        payment=pl.concat([payments(1, amount=6.0), payments(2), payments(2, user=8)])
    )
    assert done.added == {"payment": 1}
    assert done.quarantined == {
        "payment.event: already in the log, with other values": 1,
        "payment.event: twice in one append, with other values": 1,
    }
    assert log.scan("payment").filter(event=1).collect()["amount"].item() == 5.0


def test_a_column_that_only_one_of_two_rows_has_makes_them_differ(log):
    log.append(payment=payments(1).with_columns(note=pl.lit("a")))
    assert log.append(payment=payments(1)).duplicates == 0
    log.append(payment=payments(2))
    assert (
        log.append(payment=payments(2).with_columns(note=pl.lit(None, pl.String))).duplicates == 1
    )


def test_fingerprints_of_another_polars_only_cost_time(log, monkeypatch):
    log.append(payment=payments(1, 2, 3))
    monkeypatch.setattr("workbench.events.deduplicate._seed", len)  # other hashes from now on
    done = log.append(payment=pl.concat([payments(1, 2), payments(3, amount=9.0)]))
    assert (done.duplicates, sum(done.quarantined.values())) == (2, 1)
    assert "fingerprint" not in log.scan("payment").collect_schema()


def test_rows_that_come_after_the_watermark_are_late_and_keep_their_claim(log):
    log.append(payment=payments(1), complete_until=NOON + DAY)
    before = log.as_of(NOON + DAY).scan("payment").collect()
    done = log.append(payment=pl.concat([payments(2), payments(3, known_at=NOON + 2 * DAY)]))
    assert done.late == 1
    row = log.scan("payment").filter(event=2).collect()
    assert (row["known_at"].item(), row["claimed_known_at"].item()) == (NOON + DAY, NOON)
    assert_frame_equal(
        log.as_of(NOON + DAY).scan("payment").collect().select(before.columns), before
    )


def test_the_watermark_never_falls(log):
    log.append(complete_until=NOON)
    log.append(complete_until=NOON - DAY)
    assert log.complete_until == NOON
    assert log.at(log.version).complete_until == NOON


def test_a_batch_that_is_in_is_skipped(log):
    assert log.append(payment=payments(1), batch=("journal", 3)).added == {"payment": 1}
    assert log.append(payment=payments(2), batch=("journal", 3)).skipped
    assert log.append(payment=payments(2), batch=("journal", 2)).skipped
    assert not log.append(payment=payments(3), batch=("another", 1)).skipped
    assert events(log) == [1, 3]


def test_batches_and_watermark_are_remembered_past_checkpoints(log):
    log.append(payment=payments(1), batch=("journal", 1), complete_until=NOON)
    for number in range(110):  # Delta writes a checkpoint every 100 versions
        log.append(batch=("tick", number + 1))
    log = EventLog(log.path)
    assert log.append(payment=payments(2), batch=("journal", 1)).skipped
    assert log.complete_until == NOON
    assert events(log.at(1)) == [1]


def test_history_is_kept_for_good(log):
    log.append(payment=payments(1))
    properties = log._lake.snapshot().table.metadata().configuration
    assert properties["delta.enableExpiredLogCleanup"] == "false"
    assert properties["delta.logRetentionDuration"] == "interval 36500 days"


def test_compaction_merges_files_and_changes_no_answer(log):
    for number in range(6):
        log.append(payment=payments(number, known_at=NOON + number * DAY))
    before, version = log.scan("payment").collect().sort("event"), log.version
    assert log.compact() == version + 1
    assert log._lake.snapshot().files.height == 1
    assert_frame_equal(log.scan("payment").collect().sort("event"), before)
    assert events(log.as_of(NOON + 3 * DAY)) == [0, 1, 2]
    assert_frame_equal(log.at(version).scan("payment").collect().sort("event"), before)
    assert log.compact() == version + 1  # nothing left to merge
    assert log.append(payment=payments(3, known_at=NOON + 3 * DAY)).duplicates == 1


def test_quarantined_rows_keep_their_types_and_come_back_when_repaired(log):
    zone = "America/New_York"
    rows = payments(1, 2, 3, amount=float("nan")).with_columns(
        pl.col("time").dt.convert_time_zone(zone).dt.cast_time_unit("ns"),
        pl.col("user").cast(pl.Int16),
        blob=pl.lit(b"\x00\xff"),
        tags=pl.lit(["a", "b"]),
        born=pl.date(1980, 2, 29),
        price=pl.lit("12.30").cast(pl.Decimal(10, 2)),
        live=True,
    )
    log.append(payment=rows)
    assert log.quarantine()["reason"].unique().to_list() == ["payment.amount: NaN or infinite"]
    seen = []

    def repair(frame):
        seen.append(frame)
        return frame.filter(pl.col("event") < 3).with_columns(amount=2.0)

    done = log.replay(repair, "payment")
    came = seen[0].drop("quarantined", "reason").sort("event")
    assert_frame_equal(came, rows, check_column_order=False)
    assert done.added == {"payment": 2}
    assert log.quarantine().height == 1
    assert log.append(payment=rows).added == {}  # what came back repaired does not come in raw
    assert log.quarantine().height == 1


def test_a_replay_that_is_still_bad_stays_in_quarantine(log):
    log.append(payment=payments(1, 2, amount=float("nan")))
    done = log.replay(lambda rows: rows, "payment")
    assert (done.added, log.quarantine().height) == ({}, 2)
    with pytest.raises(ValueError, match="must keep the column `quarantined`"):
        log.replay(lambda rows: rows.drop("quarantined"), "payment")


def test_a_contract_grows_with_the_rows_and_others_see_it(log):
    log.append(payment=payments(1))
    first = log.version
    log.append(payment=payments(2).with_columns(basket=pl.lit(3, pl.Int8)))
    grown = EventLog(log.path).contract("payment").column("basket")
    assert grown == Column(name="basket", dtype="int")
    assert log.at(first).contract("payment").column("basket") is None
    done = log.append(payment=payments(3).with_columns(basket=pl.lit("three")))
    assert done.quarantined == {"payment.basket: String, not Int64": 1}


def test_a_kind_of_ones_own(log):
    sensor = Contract("sensor", (Column(name="celsius", dtype="float", required=True, low=-90),))
    log.register(sensor)
    version = log.version
    log.register(sensor)  # again: nothing changes
    assert log.version == version
    rows = pl.DataFrame({"event": ["a", "b"], "time": NOON, "celsius": [20.5, -400.0]})
    done = EventLog(log.path).append(sensor=rows, known_at="time")
    assert (done.added, done.quarantined) == ({"sensor": 1}, {"sensor.celsius: below -90": 1})
    with pytest.raises(ValueError, match="celsius is float in this log and cannot become word"):
        log.register(Contract("sensor", (Column(name="celsius", dtype="word"),)))


def test_a_log_can_be_sent_to_another_process(log):
    log.append(payment=payments(1, 2, known_at=NOON + DAY))
    assert events(pickle.loads(pickle.dumps(log))) == [1, 2]
    assert events(pickle.loads(pickle.dumps(log.as_of(NOON)))) == []


def test_old_and_far_dates_are_kept(log):
    ancient = datetime(33, 4, 3, tzinfo=UTC)
    log.append(payment=payments(1, time=ancient, known_at=NOON))
    assert (
        log.scan("payment", end=datetime(1900, 1, 1, tzinfo=UTC)).collect()["time"].item()
        == ancient
    )


def test_a_kind_with_a_hundred_columns_is_read_back_whole(log):
    wide = pl.DataFrame({"event": [1], "time": NOON, "request": [5]}).with_columns(
        pl.lit(float(number)).alias(f"f{number}") for number in range(100)
    )
    log.append(features=wide, known_at="time")
    assert log.scan("features").collect().select(wide.columns).equals(wide)


def test_reports_read_well(log):
    done = log.append(
        payment=pl.concat([payments(1), payments(1), payments(2, amount=float("inf"))])
    )
    assert repr(done) == (
        "version 1: 1 payment, 1 duplicate dropped, "
        "1 row in quarantine (1 payment.amount: NaN or infinite)"
    )
    assert repr(Appended(version=3)) == "version 3: nothing new"
    words = ["payment", "1", "events", "2026-03-01", "to", "2026-03-01"]
    assert repr(log).splitlines()[1].split() == words
