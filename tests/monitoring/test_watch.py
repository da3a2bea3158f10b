"""The alarms find planted changes on the day, and are as often wrong as they say."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from workbench import monitoring
from workbench.monitoring.alarm import judge

START = datetime(2024, 5, 1, tzinfo=UTC)


def some_days(rng: np.random.Generator, days: int, rows: int = 150) -> pl.DataFrame:
    """Amounts that are larger at weekends and differ a little from day to day."""
    n = days * rows
    day = np.repeat(np.arange(days), rows)
    mood = 0.1 * rng.normal(size=days)[day] + 0.3 * (day % 7 > 4)
    label = (rng.random(n) < 0.1).astype(float)
    return pl.DataFrame(
        {
            "time": pl.Series(day).cast(pl.Duration("us")),
            "amount": rng.lognormal(3 + mood, 1, n),
            "device": rng.choice(["phone", "desk", "tablet"], n, p=[0.6, 0.3, 0.1]),
            "label": label,
            "score": rng.normal(1.2 * label),
        }
    ).with_columns(time=pl.lit(START) + pl.Series(day * 86_400_000_000).cast(pl.Duration("us")))


def halves(rows: pl.DataFrame, day: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    cut = START + timedelta(days=day)
    return rows.filter(pl.col("time") < cut), rows.filter(pl.col("time") >= cut)


def test_normal_days_alarm_as_often_as_promised():
    rng = np.random.default_rng(0)
    alarms, days = {"drift": 0, "auc": 0}, 0
    for _ in range(40):
        reference, live = halves(some_days(rng, 49), 28)
        drift = monitoring.drift(reference, live, columns=["amount", "device"])
        auc = monitoring.performance(reference, live)
        alarms["drift"] += drift.days["alarm"].sum()
        alarms["auc"] += auc.days["alarm"].sum()
        days += len(live["time"].dt.date().unique())
    for what, number in alarms.items():
        assert 0.02 < number / days < 0.08, what  # nominal 0.05, rounded down to 1/29


@pytest.mark.parametrize(
    ("change", "column"),
    [
        ({"amount": pl.col("amount") * 3}, "amount"),
        ({"device": pl.lit("phone")}, "device"),
        ({"device": pl.lit("watch")}, "device"),
        (
            {"amount": pl.when(pl.col("label") == 1).then(None).otherwise("amount")},
            "amount missing",
        ),
    ],
)
def test_a_change_alarms_on_its_day_and_names_the_column(change, column):
    rows = some_days(np.random.default_rng(1), 40)
    reference, live = halves(rows, 28)
    late = pl.col("time") >= START + timedelta(days=33)
    ((name, expression),) = change.items()
    live = live.with_columns(pl.when(late).then(expression).otherwise(name).alias(name))
    watch = monitoring.drift(reference, live, columns=["amount", "device"])
    found = watch.days.filter("alarm")
    assert watch.first_alarm == date(2024, 6, 3)
    assert set(found["column"]) == {column}
    assert len(found) == 7
    assert "2024-06-03" in repr(watch)
    assert "7 alarms in 12 days" in repr(watch)


def test_a_model_that_forgets_alarms_on_its_day():
    rows = some_days(np.random.default_rng(2), 40, rows=600)
    reference, live = halves(rows, 28)
    noise = pl.Series("noise", np.random.default_rng(3).normal(size=len(live)))
    late = pl.col("time") >= START + timedelta(days=35)
    live = live.with_columns(score=pl.when(late).then(noise).otherwise("score"))
    watch = monitoring.performance(reference, live)
    assert watch.first_alarm == date(2024, 6, 5)
    assert watch.days.filter(pl.col("day") >= date(2024, 6, 5))["alarm"].all()


def test_labels_that_have_not_come_give_no_verdict():
    reference, live = halves(some_days(np.random.default_rng(4), 32), 28)
    late = pl.col("time") >= START + timedelta(days=30)
    live = live.with_columns(label=pl.when(late).then(None).otherwise("label"))
    watch = monitoring.performance(reference, live)
    assert watch.days["auc"].is_null().to_list() == [False, False, True, True]
    assert watch.days["alarm"].to_list()[2:] == [False, False]


def test_a_model_that_is_perfectly_wrong_alarms():
    reference, live = halves(some_days(np.random.default_rng(4), 30), 28)
    watch = monitoring.performance(reference, live.with_columns(score=1 - pl.col("label")))
    assert watch.days["alarm"].all()
    watch = monitoring.performance(reference, live.with_columns(score=pl.col("label")))
    assert not watch.days["alarm"].any()


def test_pandas_and_arrow_are_watched_the_same():
    rows = some_days(np.random.default_rng(5), 30)
    reference, live = halves(rows, 25)
    want = monitoring.drift(reference, live, columns=["amount", "device"]).days
    for convert in (pl.DataFrame.to_pandas, pl.DataFrame.to_arrow):
        watch = monitoring.drift(convert(reference), convert(live), columns=["amount", "device"])
        assert watch.days.equals(want)


def test_the_error_of_an_auc_is_that_of_the_bootstrap():
    rng = np.random.default_rng(6)
    labels = (rng.random(400) < 0.2).astype(float)
    scores = np.round(rng.normal(labels), 1)  # ties
    auc, error = monitoring.auc_and_error(labels, scores)
    from sklearn.metrics import roc_auc_score

    assert auc == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)
    draws = (rng.integers(0, 400, 400) for _ in range(800))
    resampled = [monitoring.auc_and_error(labels[rows], scores[rows])[0] for rows in draws]
    assert error == pytest.approx(np.std(resampled), rel=0.12)


def test_a_p_value_counts_the_day_itself():
    assert judge(np.array([1.0, 2.0, 3.0]), np.array([2.0, 9.0, 0.0]), 0.25).tolist() == [
        0.75,
        0.25,
        1.0,
    ]


def test_a_promise_that_the_reference_cannot_keep_is_refused():
    reference, live = halves(some_days(np.random.default_rng(7), 20), 14)
    with pytest.raises(ValueError, match=r"in 20 days .* 19 reference days, got 14"):
        monitoring.drift(reference, live, columns=["amount"])
    assert len(monitoring.drift(reference, live, columns=["amount"], false_alarm_rate=0.1).days)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda rows: rows.drop("amount"), "live has no column 'amount'"),
        (lambda rows: rows.clear(), "live has no rows"),
        (lambda rows: rows.with_columns(pl.col("time").dt.replace_time_zone(None)), "time zone"),
    ],
)
def test_bad_tables_are_named(spoil, message):
    reference, live = halves(some_days(np.random.default_rng(8), 22), 20)
    with pytest.raises(ValueError, match=message):
        monitoring.drift(reference, spoil(live), columns=["amount"])
    with pytest.raises(ValueError, match="labels must be 0 or 1"):
        monitoring.performance(reference, live.with_columns(label=pl.lit(2.0)))
    with pytest.raises(ValueError, match="false_alarm_rate must be in"):
        monitoring.drift(reference, live, columns=["amount"], false_alarm_rate=5)
