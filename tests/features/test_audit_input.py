"""What the audit refuses, what it prints, and what the leak is worth."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from workbench import features
from workbench.events import EventLog
from workbench.features.leak_cost import _bootstrap
from workbench.metrics import auc

sys.path.insert(0, str(Path(__file__).parent))
from leaky_shop import LEAKS, MEAN, RISK, WEEK, by_hand, shop


@pytest.fixture(scope="module")
def log():
    return shop()


@pytest.fixture(scope="module")
def frame(log):
    asked = log["payment"].select("user", "item", "time", "fraud")
    leaky = by_hand(RISK, asked, log["chargeback"], LEAKS["own label"][1])
    return features.training_frame(asked, [MEAN, WEEK], log).with_columns(pl.Series("risk", leaky))


BAD = {
    "no column 'mean'": (lambda frame: frame.drop("mean"), MEAN),
    "no column 'user'": (lambda frame: frame.drop("user"), MEAN),
    "no rows": (lambda frame: frame.clear(), MEAN),
    "time with a zone": (lambda f: f.with_columns(pl.col("time").dt.replace_time_zone(None)), MEAN),
    "user is String in the requests": (lambda f: f.with_columns(pl.col("user").cast(str)), MEAN),
    "mean is String where the feature gives Float64": (
        lambda f: f.with_columns(pl.col("mean").cast(str)),
        MEAN,
    ),
    "one or more definitions": (lambda frame: frame, []),
    "no events of kind 'refund'": (
        lambda f: f.with_columns(mean=1.0),
        features.count("refund", per="user", name="mean"),
    ),
}


@pytest.mark.parametrize("words", BAD)
def test_bad_input_is_refused(words, frame, log):
    spoil, wanted = BAD[words]
    with pytest.raises(ValueError, match=words):
        features.audit(spoil(frame), wanted, log)


def test_columns_may_have_names_of_their_own(frame, log):
    renamed = frame.rename({"mean": "avg_amt", "week": "n_7d"})
    found = features.audit(renamed, {"avg_amt": MEAN, "n_7d": WEEK}, log)
    assert found.table["feature"].to_list() == ["avg_amt", "n_7d"]
    assert found.table["exact"].to_list() == [1.0, 1.0]


def test_the_evidence_can_be_looked_up_with_why(frame, log):
    found = features.audit(frame, [MEAN, RISK], log)
    rows = found.of("risk")
    assert rows["feature"].unique().to_list() == ["risk"]
    first = rows.row(0, named=True)
    one = features.why({"user": first["user"], "time": first["time"]}, RISK, log)
    assert one.value == first["as_known"] < first["given"]
    assert {"not yet known", "at the same instant"} & set(one.unseen["reason"])
    with pytest.raises(ValueError, match="no feature 'other' was audited"):
        found.of("other")


def test_the_shares_have_wilson_intervals_and_add_up_to_one(frame, log):
    table = features.audit(frame, [RISK], log).table
    (row,) = table.to_dicts()
    assert sum(row[kind] for kind in ("exact", "stale", "future", "other")) == pytest.approx(1)
    for kind in ("exact", "stale", "future", "other"):
        assert row[f"{kind}_low"] <= row[kind] <= row[f"{kind}_high"]


def test_the_leak_of_the_label_buys_auc_that_serving_loses(frame, log):
    cost = features.audit(frame, [MEAN, WEEK, RISK], log, label="fraud").cost
    assert cost.lost.low > 0.05
    assert cost.paper.estimate > cost.honest.estimate
    assert max(cost.by_feature, key=cost.by_feature.get) == "risk"
    assert cost.lost.estimate == pytest.approx(cost.paper.estimate - cost.served.estimate)


def test_the_model_may_be_ones_own(frame, log):
    asked = []

    def fit(values, labels):
        asked.append(values.shape)
        return lambda rows: np.nan_to_num(rows[:, 1])

    cost = features.audit(frame, [MEAN, RISK], log, label="fraud", fit=fit).cost
    assert asked == [(630, 2)] * 2
    assert cost.paper.estimate > cost.served.estimate


def test_a_frame_of_the_lake_is_audited_like_one_of_tables(frame, log, tmp_path):
    lake = EventLog(tmp_path)
    lake.append(**{kind: log[kind] for kind in ("payment", "chargeback")})
    one, other = (features.audit(frame, [MEAN, WEEK, RISK], where) for where in (lake, log))
    assert one.leaks == other.leaks
    assert repr(one) == repr(other)


def test_the_intervals_are_those_of_the_bootstrap():
    """Counting rows gives what copying them gives."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 200).astype(float)
    scores = (labels + rng.normal(size=200)).round(1)  # ties
    (drawn,) = _bootstrap(labels, [scores], np.random.default_rng(7))
    again = np.random.default_rng(7)
    rows = [again.integers(0, 200, 200) for _ in range(len(drawn))]
    assert drawn == pytest.approx([auc(labels[each], scores[each]) for each in rows])
