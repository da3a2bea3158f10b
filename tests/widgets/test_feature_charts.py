"""The charts of the leak certificate and of parity show every row, and the name of its cause."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from workbench import features
from workbench.widgets import leaks, parity

START = datetime(2024, 5, 1, tzinfo=UTC)
OFTEN = features.count("payment", per="user", name="often")
SPENT = features.sum("amount", of="payment", per="user", name="spent")


@pytest.fixture(scope="module")
def frame() -> pl.DataFrame:
    n = 120
    made = pl.DataFrame(
        {
            "user": [i % 3 for i in range(n)],
            "amount": [float(i) for i in range(n)],
            "fraud": [int(i % 7 == 0) for i in range(n)],
            "time": [START + i * timedelta(hours=1) for i in range(n)],
        }
    )
    right = features.training_frame(made, SPENT, log_of(made))
    return right.with_columns(often=pl.col("user").cum_count().over("user"))  # itself too


def log_of(frame) -> dict:
    return {"payment": frame.with_columns(known_at="time")}


def test_every_row_of_a_certificate_is_in_the_chart(frame):
    found = features.audit(frame, [OFTEN, SPENT], log_of(frame), label="fraud")
    table = leaks.values_by_leak(found)
    assert table.group_by("feature").agg(pl.col("rows").sum())["rows"].to_list() == [120, 120]
    often = table.filter(pl.col("feature") == "often").row(0, named=True)
    assert (often["kind"], often["leak"], often["share"]) == ("future", "<= instead of <", 1.0)
    spec = leaks.chart(found).drawn().spec
    assert len(spec["hconcat"]) == 2
    assert "<svg" in leaks.chart(found)._repr_mimebundle_()["image/svg+xml"]


def test_without_a_label_there_is_no_auc(frame):
    spec = leaks.chart(features.audit(frame, [OFTEN], log_of(frame))).drawn().spec
    assert "hconcat" not in spec


def test_every_difference_of_parity_is_in_the_chart(frame):
    found = features.parity(frame, [OFTEN, SPENT], log_of(frame))
    table = parity.reads_by_cause(found)
    assert table.select("feature", "cause", "differ", "share").rows() == [
        ("often", "tie", 120, 1.0)
    ]
    spec = parity.chart(found).drawn().spec
    assert spec["encoding"]["y"]["scale"]["domain"] == ["often", "spent"]
    assert "<svg" in parity.chart(found)._repr_mimebundle_()["image/svg+xml"]


def test_parity_without_a_difference_is_an_empty_chart(frame):
    found = features.parity(frame, [SPENT], log_of(frame))
    assert repr(parity.chart(found)) == "<Picture: 0 rows>"
