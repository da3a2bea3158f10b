"""What a stranger's table did that nobody had thought of: each was once wrong, or badly told."""

from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pandas as pd
import polars as pl
import pytest

import workbench as wb
from workbench import experiments, features, metrics, monitoring, training
from workbench.data import checks
from workbench.policy import Threshold

ROWS = 60
TIMES = pd.date_range("2026-01-01", periods=ROWS, freq="12h", tz="UTC")
ZONES = ["Europe/Zurich", timezone(timedelta(hours=5, minutes=30))]
COUNT = features.count("payment", per="user", name="n")


def paid() -> pd.DataFrame:
    table = pd.DataFrame({"event": range(ROWS), "request": range(ROWS), "time": TIMES})
    return table.assign(user=table["event"] % 7, amount=table["event"] + 0.5)


@pytest.fixture
def log(tmp_path):
    log = wb.EventLog(tmp_path / "lake")
    log.append(payment=paid(), known_at="time")
    return log


# moments of another zone than the log's


@pytest.mark.parametrize("zone", ZONES, ids=str)
def test_a_moment_may_come_in_any_zone(log, zone):
    table, moments = pl.from_pandas(paid()), (TIMES[20], TIMES[20].tz_convert(zone))
    one, other = (log.scan("payment", start=m, end=m + pd.Timedelta(days=2)) for m in moments)
    assert one.collect().equals(other.collect())
    one, other = (log.as_of(moment).scan("payment").collect() for moment in moments)
    assert one.height == other.height == 20
    horizon = timedelta(days=2)
    log.append(chargeback=paid().drop(columns="amount"), known_at="time")
    one, other = (wb.outcomes(log, table, horizon=horizon, at=moment) for moment in moments)
    assert one.equals(other)
    one, other = (training.time_split(table, at=moment, gap_days=1)[0] for moment in moments)
    assert one.equals(other)
    one, other = (repr(checks.report(log, "payment", at=moment)) for moment in moments)
    assert one == other


# dates that could be read in two ways


@pytest.mark.parametrize("text", ["03/04/2026 10:00", "03.04.2026", "4 Mar 2026", "20260403"])
def test_a_date_that_is_not_iso_is_refused_and_never_guessed(text):
    with pytest.raises(ValueError, match="no ISO dates with time, such as"):
        wb.rename(pd.DataFrame({"ts": [text] * 3}), time="ts", tz="UTC")


@pytest.mark.parametrize("backwards", [False, True])
def test_hours_with_and_without_a_zone_in_one_column_are_refused(backwards):
    moments = [datetime(2026, 1, 1, 10), datetime(2026, 1, 1, 10, tzinfo=UTC)]
    table = pd.DataFrame({"ts": pd.Series(moments[::-1] if backwards else moments, dtype=object)})
    with pytest.raises(ValueError, match="time mixes types"):
        wb.rename(table, time="ts", tz="Europe/Zurich")


def test_another_naive_column_says_what_to_do_with_it(tmp_path):
    due = pd.Series([pd.NaT] * (ROWS - 1) + [pd.Timestamp("2026-01-09 12:00")])
    with pytest.raises(ValueError, match=r"payment\.due .*tz_localize.*leave.*2026-01-09 12:00"):
        wb.EventLog(tmp_path).append(payment=paid().assign(due=due), known_at="time")


# names


def test_names_that_differ_in_capitals_only_are_refused_before_anything_is_written(log, tmp_path):
    with pytest.raises(ValueError, match=r"payment\.Amount: there is a column amount already"):
        log.append(payment=paid().assign(Amount=1.0, event=range(100, 160)), known_at="time")
    assert log.version == 1
    fresh = wb.EventLog(tmp_path / "fresh")
    with pytest.raises(ValueError, match=r"payment\.a: there is a column A already"):
        fresh.append(payment=paid().assign(A=1, a=2), known_at="time")
    assert fresh.version == -1


def test_columns_of_several_levels_are_refused_instead_of_left_as_they_are():
    table = paid().set_axis(pd.MultiIndex.from_product([["till"], paid().columns]), axis=1)
    with pytest.raises(ValueError, match="columns of several levels"):
        wb.rename(table, user=("till", "user"))


@pytest.mark.parametrize(
    "ask",
    [
        lambda log, table: features.training_frame(table, [COUNT], log),
        lambda log, table: wb.outcomes(log, table, horizon=timedelta(days=1), at=TIMES[-1]),
        lambda log, table: training.time_split(table, at=TIMES[-1], gap_days=1),
        lambda log, table: monitoring.drift(table, table, columns=["amount"]),
    ],
)
def test_a_column_that_hides_in_the_index_is_pointed_at(log, ask):
    log.append(chargeback=paid().drop(columns="amount"), known_at="time")
    with pytest.raises(ValueError, match=r"has no column 'time'.*time is in its index"):
        ask(log, paid().set_index("time"))


def test_a_model_that_misses_a_column_lists_those_of_the_table():
    with pytest.raises(ValueError, match=r"reads 'eur', which is missing: got \['event', 'req"):
        training.fit(paid(), features=["amount", "eur"], label="user")


# types


MIXED = paid().assign(user=[1, "two"] * (ROWS // 2))
HUGE = paid().assign(user=np.full(ROWS, 2**63, "uint64"))
UNREADABLE = paid().assign(wave=1j)


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda log: log.append(payment=MIXED, known_at="time"), "user is String, and user is Int"),
        (lambda log: features.training_frame(MIXED, [COUNT], log), r"user .*mixes.*\(int, str\)"),
        (lambda log: wb.decide(Threshold("amount", 9), MIXED), r"user of requests mixes types"),
        (lambda log: log.append(payment=UNREADABLE, known_at="time"), "wave of payment is complex"),
        (lambda log: wb.decide(Threshold("amount", 9), UNREADABLE), "wave of requests is complex"),
        (lambda log: checks.report(UNREADABLE, "payment"), "wave of payment is complex128"),
        (lambda log: wb.rename(paid()["user"], user="user"), "DataFrame.*got Series"),
        (
            lambda log: wb.outcomes(log, paid()["user"], horizon=timedelta(1), at=TIMES[9]),
            "decisions is a pandas Series",
        ),
        (lambda log: training.time_split([1], at=TIMES[9], gap_days=1), "frame is list, not a tab"),
        (
            lambda log: wb.decide(
                Threshold("amount", 9), HUGE
            ),
            r"user goes beyond 2\*\*63 - 1",
        ),
        (
            lambda log: features.training_frame(paid().assign(user=1.0), [COUNT], log),
            "Float64 in the requests and Int64.*rename makes whole floats",
        ),
        (lambda log: features.training_frame(paid(), ["amount"], log), "definitions.*got 'amount'"),
        (lambda log: checks.report(paid(), at="2026-01-09"), "at must carry a time zone, got"),
        (lambda log: monitoring.drift(paid(), paid(), columns=[]), "at least one column"),
        (
            lambda log: monitoring.drift(paid().assign(time=TIMES.where(TIMES.year < 2000)),
                                         paid(), columns=["amount"]),
            "time of reference is null in 60 rows",
        ),
        (
            lambda log: monitoring.drift(paid(), paid().assign(amount="9,50"), columns=["amount"]),
            "amount was numbers in the reference and is String on a day",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_named(log, ask, words):
    before = log.version
    with pytest.raises(ValueError, match=words):
        ask(log)
    assert log.version == before


def test_a_column_nobody_asks_for_may_hold_anything():
    messy = paid().assign(mixed=[1, "two"] * (ROWS // 2), wave=1j)
    watch = monitoring.drift(messy, messy, columns=["amount"])
    assert watch.first_alarm is None
    table = messy.assign(variant=["old", "new"] * (ROWS // 2)).assign(user=range(ROWS))
    read = experiments.analyse(table, ["amount"], expected={"old": 0.5, "new": 0.5})
    assert read["amount"].effect.difference == pytest.approx(1.0)


@pytest.mark.parametrize("wrong", [["amount", "amount"], ["user"], []])
def test_a_metric_is_named_once_and_is_no_key(wrong):
    table = paid().assign(variant="old")
    with pytest.raises(ValueError, match="one or more different columns of numbers"):
        experiments.analyse(table, wrong, expected={"old": 1.0})
    with pytest.raises(ValueError, match=r"planned shares, .* got \[0\.5, 0\.5\]"):
        experiments.analyse(table, ["amount"], expected=[0.5, 0.5])


def test_one_feature_need_not_be_in_a_list(log):
    one, listed = (features.training_frame(paid(), each, log) for each in (COUNT, [COUNT]))
    pd.testing.assert_frame_equal(one, listed)


def test_a_lazy_frame_can_be_split(log):
    train, test = training.time_split(log.scan("payment"), at=TIMES[40], gap_days=1)
    assert (train.height, test.height) == (38, 20)


def test_labels_with_gaps_of_pandas_are_left_out_of_training_and_refused_by_metrics():
    label = (paid()["user"] % 2).astype("Int64").mask(paid()["event"] < 10)
    spec = training.TrainSpec(rounds=2, threads=1)
    table = paid().assign(label=label)
    model = training.fit(table, features=["amount"], label="label", spec=spec)
    assert model.facts["unlabelled_rows"] == 10
    with pytest.raises(ValueError, match="leave out rows without a label"):
        metrics.auc(label, model.score(paid()))


# one missing value in a month


@pytest.mark.parametrize("missing", [0, 1, 3, 30])
def test_a_few_missing_values_do_not_deafen_the_watch(missing):
    rng = np.random.default_rng(0)
    rows = 160 * 60
    time = pd.Timestamp("2026-01-01", tz="UTC") + pd.to_timedelta(np.arange(rows) / 160, unit="D")
    table = pd.DataFrame({"time": time, "amount": rng.lognormal(3, 1, rows)})
    table.loc[rng.choice(160 * 30, missing, replace=False), "amount"] = np.nan
    cents = (np.arange(rows) >= 160 * 45) & (rng.random(rows) < 0.2)
    table.loc[cents, "amount"] *= 100
    watch = monitoring.drift(table[: 160 * 30], table[160 * 30 :], columns=["amount"])
    alarms = watch.days["alarm"]
    assert alarms[15:].sum() >= 14
    assert alarms[:15].sum() <= 2


def test_a_jump_in_missing_values_is_still_an_alarm():
    rng = np.random.default_rng(0)
    rows = 160 * 40
    time = pd.Timestamp("2026-01-01", tz="UTC") + pd.to_timedelta(np.arange(rows) / 160, unit="D")
    table = pd.DataFrame({"time": time, "amount": rng.lognormal(3, 1, rows)})
    table.loc[(np.arange(rows) >= 160 * 35) & (rng.random(rows) < 0.1), "amount"] = np.nan
    watch = monitoring.drift(table[: 160 * 30], table[160 * 30 :], columns=["amount"])
    assert watch.days.filter("alarm")["column"].to_list()[-5:] == ["amount missing"] * 5
