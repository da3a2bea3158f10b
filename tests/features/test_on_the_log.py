"""Features read the real log: pruned scans, views of the past, and nothing from the future."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from workbench import features
from workbench.events import EventLog

START = datetime(2024, 5, 1, tzinfo=UTC)
FEATURES = [
    features.count("payment", per="user", days=7),
    features.mean("amount", of="payment", per="user", days=3),
    features.sum("amount", of="payment", per=("user", "device"), days=10, where="amount > 3"),
    features.count("chargeback", per="seller", days=5, lag_days=2),
    features.ratio(
        features.count("chargeback", per="seller", days=5, lag_days=7),
        features.count("payment", per="seller", days=5, lag_days=7),
        name="seller_risk",
    ),
    features.distinct("device", of="payment", per="user"),
    features.time_since(of="chargeback", per="user"),
]


@pytest.fixture(scope="module")
def kinds() -> dict[str, pl.DataFrame]:
    rng = np.random.default_rng(0)
    n = 3_000
    minutes = np.sort(rng.integers(0, 30 * 24 * 60, n))
    payment = pl.DataFrame(
        {
            "event": np.arange(n),
            "request": np.arange(n),
            "user": rng.integers(0, 40, n),
            "seller": rng.integers(0, 15, n),
            "device": rng.choice(["phone", "desk", "tablet"], n),
            "amount": rng.lognormal(1, 1, n).round(2),
            "time": [START + timedelta(minutes=int(m)) for m in minutes],
        }
    ).with_columns(known_at=pl.col("time"))
    chargeback = (
        payment.sample(300, seed=1)
        .with_columns(
            event=pl.col("event") + n,
            known_at=pl.col("time") + timedelta(days=7),
        )
        .drop("device")
    )
    return {"payment": payment, "chargeback": chargeback}


@pytest.fixture(scope="module")
def log(kinds, tmp_path_factory) -> EventLog:
    log = EventLog(tmp_path_factory.mktemp("lake"))
    log.append(**kinds)
    return log


def test_the_log_and_plain_frames_give_the_same_features(kinds, log):
    asked = kinds["payment"].select("user", "seller", "device", "time")
    from_log = features.training_frame(asked, FEATURES, log)
    assert from_log.equals(features.training_frame(asked, FEATURES, kinds))
    assert from_log["seller_risk"].null_count() < len(asked)


@pytest.mark.parametrize("day", [5, 13, 28])
def test_no_future_the_full_log_equals_the_log_as_of_the_request(kinds, log, day):
    now = START + timedelta(days=day)
    asked = pl.DataFrame(
        {
            "user": range(40),
            "seller": [u % 15 for u in range(40)],
            "device": "phone",
            "time": now,
        }
    )
    full = features.training_frame(asked, FEATURES, log)
    assert full.equals(features.training_frame(asked, FEATURES, log.as_of(now)))


def test_a_kind_the_log_never_had_is_an_error(kinds, log):
    asked = kinds["payment"].select("user", "time")
    with pytest.raises(ValueError, match="refund"):
        features.training_frame(asked, [features.count("refund", per="user")], log)


def test_a_log_without_events_yet_gives_zeros_and_nulls(kinds, tmp_path):
    asked = kinds["payment"].select("user", "seller", "device", "time").head(3)
    frame = features.training_frame(asked, FEATURES, EventLog(tmp_path))
    assert frame[FEATURES[0].name].to_list() == [0, 0, 0]
    assert frame["seller_risk"].to_list() == [None] * 3
