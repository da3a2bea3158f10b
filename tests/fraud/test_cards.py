"""The Handbook's protocol on its own transactions, where the public data is at hand."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from workbench import fraud, training
from workbench.metrics import auc, average_precision

FOLDER = Path(os.environ.get("WORKBENCH_PUBLIC_DATA", "none")) / "fraud_handbook-simulated"


@pytest.mark.skipif(
    not FOLDER.is_dir() and "CI" not in os.environ,
    reason="WORKBENCH_PUBLIC_DATA has no card transactions",
)
def test_fifteen_features_find_the_planted_frauds():
    from workbench.data import public

    log = public.events("cards")
    fraudulent = log["chargeback"].select("request", label=pl.lit(1.0))
    payments = log["payment"].filter(pl.col("time") >= datetime(2018, 6, 1, tzinfo=UTC))
    payments = payments.filter(pl.col("time") < datetime(2018, 6, 22, tzinfo=UTC))
    payments = payments.join(fraudulent, on="request", how="left", maintain_order="left")
    wanted = fraud.card_history()
    rows = fraud.frame(payments.with_columns(pl.col("label").fill_null(0.0)), wanted, log)
    train, test = fraud.handbook_split(rows, start=datetime(2018, 6, 1, tzinfo=UTC))
    model = training.fit(train, features=fraud.inputs(wanted), label="label")
    scored = test.with_columns(score=model.score(test))
    labels, scores = scored["label"].to_numpy(), scored["score"].to_numpy()
    figures = (auc(labels, scores), average_precision(labels, scores), fraud.card_precision(scored))
    print("AUC, average precision, card precision@100:", [round(figure, 3) for figure in figures])
    assert figures[0] > 0.87
    assert figures[1] > 0.66
    assert figures[2] > 0.27
    amount = scored["amount"].to_numpy()
    assert figures[1] > 2 * average_precision(labels, amount)  # the dumb baseline
