"""Two fraud models on real-shaped payments: the floor of a retrained twin, and planted failures."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from workbench import fraud, training
from workbench.experiments.shadow import shadow

FOLDER = Path(os.environ.get("WORKBENCH_PUBLIC_DATA", "none")) / "fraud_handbook-simulated"
pytestmark = pytest.mark.skipif(
    not FOLDER.is_dir() and "CI" not in os.environ,
    reason="WORKBENCH_PUBLIC_DATA has no card transactions",
)
CUTOFF, SMALL = 0.3, {"rounds": 40, "row_share": 0.7, "threads": 2}


@pytest.fixture(scope="module")
def scored():
    """A week of payments scored by a champion, itself trained again, and a poorer challenger."""
    from workbench.data import public

    log = public.events("cards")
    frauds = log["chargeback"].select("request", label=pl.lit(1.0))
    first, last = datetime(2018, 6, 1, tzinfo=UTC), datetime(2018, 6, 22, tzinfo=UTC)
    payments = log["payment"].filter(pl.col("time") >= first, pl.col("time") < last)
    payments = payments.join(frauds, on="request", how="left", maintain_order="left")
    wanted = fraud.card_history()
    rows = fraud.frame(payments.with_columns(pl.col("label").fill_null(0.0)), wanted, log)
    train, test = fraud.handbook_split(rows, start=first)

    def model(seed, inputs):
        spec = training.TrainSpec(seed=seed, **SMALL)
        return training.fit(train, features=inputs, label="label", spec=spec).score(test)

    all_inputs = fraud.inputs(wanted)
    users = [each for each in all_inputs if "seller" not in getattr(each, "name", each)]
    return test.select("request", "user", "time", "amount", "weekend_utc", "label").with_columns(
        old=pl.Series(model(0, all_inputs)),
        again=pl.Series(model(1, all_inputs)),
        poorer=pl.Series(model(0, users)),
    )


def test_a_challenger_without_the_sellers_history_stands_out_of_the_noise(scored):
    report = shadow(scored, live="old", shadow="poorer", twin="again", cutoff=CUTOFF)
    print(report)
    row = report.disagreement["action"]
    assert 0 < row["floor"] < row["disagreement"]
    assert row["excess_low"] > 0
    assert report.oddities.ok  # poorer, but not broken
    auc = dict(report.calibration.table.select("policy", "auc").rows())
    assert auc["live"] > auc["shadow"] + 0.02
    assert abs(auc["live"] - auc["twin"]) < 0.02


def test_the_champion_trained_again_is_its_own_noise(scored):
    report = shadow(scored, live="old", shadow="again", cutoff=CUTOFF, by="weekend_utc")
    assert report.oddities.ok
    assert 0 < report.disagreement["action"]["disagreement"] < 0.01


def test_honest_models_are_not_accused_in_any_window_of_users(scored):
    accused, n = 0, 0
    for window in range(40):
        mine = scored.filter(pl.col("user") % 40 == window)
        for name in ("again", "poorer"):
            report = shadow(mine, live="old", shadow=name, cutoff=CUTOFF, by="weekend_utc")
            accused += not report.oddities.ok
            n += 1
    assert (accused, n) == (0, 80)


@pytest.mark.parametrize(
    ("broken", "wanted"),
    [
        (lambda t: pl.lit(0.01), {"one category", "collapsed scores"}),
        (lambda t: pl.col("old") * 0.1, {"one category"}),
        (lambda t: pl.when(pl.col("amount") > 50).then(None).otherwise("old"), {"missing answers"}),
        (lambda t: pl.when("weekend_utc").then(0.99).otherwise("old"), {"starved"}),
    ],
    ids=["one score", "never blocks", "no score above 50", "weekends blocked"],
)
def test_broken_models_are_caught_in_a_day(scored, broken, wanted):
    days = scored["time"].dt.date().unique().sort()
    for day in days[-2:]:
        mine = scored.filter(pl.col("time").dt.date() == day)
        mine = mine.with_columns(new=broken(mine))
        if wanted == {"starved"} and not mine["weekend_utc"].any():
            continue
        report = shadow(mine, live="old", shadow="new", cutoff=CUTOFF, by="weekend_utc")
        assert wanted <= set(report.oddities.alarms)
    assert np.isfinite(scored["old"].to_numpy()).all()
