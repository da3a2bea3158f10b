"""A model is a pure function of its rows and its spec, and survives a trip to disk."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from workbench import features, training
from workbench.training import Model, TrainSpec, fit, time_split

FAST = TrainSpec(rounds=15, depth=3)
NAMES = ["amount", "hour", "night"]


@pytest.fixture(scope="module")
def rows() -> pl.DataFrame:
    rng = np.random.default_rng(0)
    n = 3_000
    amount = rng.lognormal(3, 1, n)
    hour = rng.integers(0, 24, n)
    label = (rng.random(n) < np.where(amount > 40, 0.7, 0.1)).astype(float)
    return pl.DataFrame(
        {
            "request": np.repeat(np.arange(n // 10), 10),
            "amount": pl.Series(amount).set(pl.Series(rng.random(n) < 0.05), None),
            "hour": hour,
            "night": hour < 6,
            "label": pl.Series(label).set(pl.Series(rng.random(n) < 0.1), None),
            "time": [datetime(2024, 5, 1, tzinfo=UTC) + timedelta(hours=i) for i in range(n)],
        }
    )


@pytest.fixture(scope="module")
def model(rows) -> Model:
    return fit(rows, features=NAMES, label="label", spec=FAST)


def test_scores_find_the_planted_signal(rows, model):
    from sklearn.metrics import roc_auc_score

    known = rows.drop_nulls()
    assert roc_auc_score(known["label"], model.score(known)) > 0.75
    assert next(iter(model.importance())) == "amount"
    assert sum(model.importance().values()) == pytest.approx(1)


def test_any_number_of_threads_gives_the_same_trees(rows):
    scores = [
        fit(
            rows,
            features=NAMES,
            label="label",
            spec=TrainSpec(rounds=15, threads=threads, row_share=0.7),
        ).score(rows)
        for threads in (1, 2, 2)
    ]
    assert np.array_equal(scores[0], scores[1])
    assert np.array_equal(scores[1], scores[2])


def test_pandas_arrow_polars_and_arrays_give_the_same_scores(rows, model):
    want = model.score(rows)
    arrays = {name: rows[name].cast(pl.Float64).to_numpy() for name in NAMES}
    for table in (rows.to_pandas(), rows.to_arrow(), arrays, rows.reverse().reverse()):
        assert np.array_equal(model.score(table), want)
    again = fit(rows.to_pandas(), features=NAMES, label="label", spec=FAST)
    assert np.array_equal(again.score(rows), want)
    assert model.score(rows.clear()).shape == (0,)


def test_rows_without_a_label_are_left_out_and_counted(rows, model):
    unknown = rows["label"].null_count()
    assert model.facts["unlabelled_rows"] == unknown > 0
    assert model.facts["rows"] == len(rows) - unknown
    kept = rows.filter(pl.col("label").is_not_null())
    same = fit(kept, features=NAMES, label="label", spec=FAST)
    assert np.array_equal(same.score(rows), model.score(rows))


def test_a_saved_model_is_plain_json_and_comes_back_the_same(rows, model, tmp_path):
    path = model.save(tmp_path / "deep" / "model.json")
    assert json.loads(path.read_text())["learner"]["feature_names"] == NAMES
    loaded = Model.load(path)
    assert np.array_equal(loaded.score(rows), model.score(rows))
    assert loaded.facts == model.facts
    assert repr(loaded) == repr(model)


def test_feature_definitions_leave_their_versions_in_the_model(rows):
    spend = features.mean("amount", of="payment", per="user", days=7, name="amount")
    model = fit(rows, features=[spend, "hour"], label="label", spec=FAST)
    assert model.features == ("amount", "hour")
    assert model.facts["feature_versions"] == {"amount": spend.version}


def test_a_ranker_groups_rows_by_request(rows):
    spec = TrainSpec(objective="rank:ndcg", rounds=10, depth=3)
    known = rows.filter(pl.col("label").is_not_null())
    ranker = fit(known, features=NAMES, label="label", spec=spec)
    assert np.corrcoef(ranker.score(known), known["label"].to_numpy())[0, 1] > 0.3
    shuffled = fit(known.to_arrow(), features=NAMES, label="label", spec=spec)
    assert np.array_equal(shuffled.score(known), ranker.score(known))
    with pytest.raises(ValueError, match="a ranker needs the column 'request'"):
        fit(known.drop("request"), features=NAMES, label="label", spec=spec)


@pytest.mark.parametrize(
    ("change", "arguments", "message"),
    [
        ({}, {"features": []}, "one or more"),
        ({}, {"features": ["label"]}, "among the features"),
        ({}, {"features": ["age"]}, "reads 'age', which is missing"),
        ({"hour": pl.lit("noon")}, {}, "'hour' must hold numbers"),
        ({"hour": pl.lit(float("inf"))}, {}, "'hour' has infinite values"),
        ({"label": pl.lit(None, pl.Float64)}, {}, "null everywhere"),
        ({"label": pl.lit(1.0)}, {}, "labels are 1: there is nothing"),
        ({"label": pl.lit(2.0)}, {}, "labels of a classifier are 0 and 1"),
    ],
)
def test_bad_rows_are_named(rows, change, arguments, message):
    arguments = {"features": NAMES, "label": "label", "spec": FAST} | arguments
    with pytest.raises(ValueError, match=message):
        fit(rows.with_columns(**change), **arguments)


def test_bad_specs_and_files_are_named(tmp_path):
    with pytest.raises(ValueError, match="rounds must be above zero, got 0"):
        TrainSpec(rounds=0)
    with pytest.raises(ValueError, match="row_share"):
        TrainSpec(row_share=1.5)
    with pytest.raises(ValueError, match="there is no model"):
        Model.load(tmp_path / "none.json")
    (tmp_path / "torn.json").write_text('{"learner": ')
    with pytest.raises(ValueError, match="not an XGBoost model"):
        Model.load(tmp_path / "torn.json")


def test_a_split_leaves_the_gap_out_and_no_row_is_on_both_sides(rows):
    at = datetime(2024, 6, 1, tzinfo=UTC)
    train, test = time_split(rows, at=at, gap_days=7, train_days=14, test_days=5)
    assert train["time"].max() == datetime(2024, 5, 24, 23, tzinfo=UTC)
    assert train["time"].min() == datetime(2024, 5, 11, tzinfo=UTC)
    assert (test["time"].min(), len(test)) == (at, 5 * 24)
    pandas_train, _ = time_split(rows.to_pandas(), at=at, gap_days=7, train_days=14)
    assert pandas_train.index.tolist() == list(range(10 * 24, 24 * 24))


def test_a_split_with_an_empty_side_or_a_bare_clock_is_refused(rows):
    at = datetime(2024, 6, 1, tzinfo=UTC)
    with pytest.raises(ValueError, match="nothing to train on"):
        time_split(rows, at=at, gap_days=90)
    with pytest.raises(ValueError, match="at must have a time zone"):
        time_split(rows, at=at.replace(tzinfo=None), gap_days=1)
    with pytest.raises(ValueError, match="gap_days must not be negative"):
        time_split(rows, at=at, gap_days=-1)
    bare = rows.with_columns(pl.col("time").dt.replace_time_zone(None))
    with pytest.raises(ValueError, match="time must have a time zone"):
        training.time_split(bare, at=at, gap_days=1)
