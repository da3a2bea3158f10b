"""Each stage on tables of every make: the same kind comes back, in its order, and none is changed.

One small log; the table that is asked about comes as pandas, Polars or Arrow, with every oddity
that real tables have. The answers are those for the plain table.
"""

import copy
from datetime import timedelta, timezone

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import workbench as wb
from workbench import experiments, features, monitoring, training
from workbench.data import checks
from workbench.policy import Threshold

ROWS = 84  # three a day for four weeks
TIMES = pd.date_range("2026-01-01", periods=ROWS, freq="8h", tz="Europe/Zurich")
END = TIMES[-1] + pd.Timedelta(hours=1)
SENTENCES = [
    features.mean("amount", of="payment", per="user", days=9, name="mean_9d"),
    features.count("payment", per="user", name="payments"),
    features.time_since(of="chargeback", per="shop", name="days_since"),
]


class Sub(pd.DataFrame):
    """A table of a class made from pandas' own, as geopandas has."""

    @property
    def _constructor(self):
        return Sub


def plain() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "event": np.arange(ROWS),
            "request": np.arange(ROWS) + 100,
            "user": np.arange(ROWS) % 7,
            "time": TIMES,
            "amount": rng.lognormal(3, 1, ROWS).round(2),
            "shop": ["a", "b", "c"] * (ROWS // 3),
        }
    )


def odd_index(index) -> pd.DataFrame:
    return plain().set_axis(index, axis=0)


def in_zone(zone, unit="us") -> pd.DataFrame:
    return plain().assign(time=TIMES.tz_convert(zone).as_unit(unit))


TABLES = {
    "plain": plain(),
    "duplicate index": odd_index([0] * ROWS),
    "multi index": odd_index(pd.MultiIndex.from_product([range(12), list("abcdefg")])),
    "text index": odd_index([f"row {row}" for row in range(ROWS)]),
    "index called like a column": plain().set_index("request", drop=False),
    "shuffled": plain().sample(frac=1, random_state=1),
    "nullable": plain().convert_dtypes(),
    "arrow types": plain().convert_dtypes(dtype_backend="pyarrow"),
    "categories": plain().astype({"shop": "category"}),
    "objects": plain().astype({"user": object, "shop": object}),
    "narrow ids": plain().astype({"user": "uint8", "request": "int16"}),
    "utc": in_zone("UTC"),
    "seconds in Tokyo": in_zone("Asia/Tokyo", "s"),
    "nanoseconds": in_zone("America/New_York", "ns"),
    "a fixed offset": in_zone(timezone(timedelta(hours=5, minutes=30))),
    "columns nobody asked for": plain().assign(
        mixed=[1, "two", None] * (ROWS // 3), gap=TIMES - TIMES[0], many=[[1]] * ROWS
    ),
    "numbers for names": plain().assign(**{"0": 1}).rename(columns={"0": 0}),
    "made from pandas' class": Sub(plain()),
    "polars": pl.from_pandas(plain()),
    "polars in utc": pl.from_pandas(in_zone("UTC", "ns")),
    "polars categories": pl.from_pandas(plain()).cast({"shop": pl.Categorical}),
    "arrow": pa.Table.from_pandas(plain()),
    "arrow in pieces": pa.concat_tables(
        [pa.Table.from_pandas(plain()[:10]), pa.Table.from_pandas(plain()[10:])]
    ),
}


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    log = wb.EventLog(tmp_path_factory.mktemp("lake"))
    late = plain()[::5].drop(columns="amount")
    late["known_at"] = late["time"] + pd.Timedelta(days=3)
    log.append(payment=plain(), chargeback=late, known_at="time")
    return log


def as_pandas(table) -> pd.DataFrame:
    return table if isinstance(table, pd.DataFrame) else table.to_pandas()


def in_order(name: str, column) -> list:
    """Values of the answer, in the order of the plain table."""
    values = pd.Series(np.asarray(column, dtype=object))
    if name == "shuffled":
        values.index = TABLES[name].index
        values = values.sort_index()
    return [
        None if value is None or value is pd.NA or value != value else value for value in values
    ]


def same_kind(name: str, answer) -> pd.DataFrame:
    """The answer as pandas; its type and index are those of the table that was asked about."""
    table = TABLES[name]
    assert type(answer) is type(table)
    if isinstance(table, pd.DataFrame):
        pd.testing.assert_index_equal(answer.index, table.index)
    return as_pandas(answer)


@pytest.fixture(params=TABLES)
def name(request):
    """Each table once; it must be afterwards what it was before."""
    table = TABLES[request.param]
    before = copy.deepcopy(table)
    yield request.param
    if isinstance(table, pd.DataFrame):
        pd.testing.assert_frame_equal(table, before)
    else:
        assert table.equals(before)


def test_features_are_those_of_the_plain_table(name, log):
    expected = features.training_frame(plain(), SENTENCES, log)
    answer = same_kind(name, features.training_frame(TABLES[name], SENTENCES, log))
    for feature in SENTENCES:
        assert in_order(name, answer[feature.name]) == in_order("", expected[feature.name])


def test_a_mapping_of_any_tables_is_a_log_for_features(name, log):
    late = log.scan("chargeback").collect()
    pay = TABLES[name]
    if isinstance(pay, pd.DataFrame):
        pay = pay.assign(known_at=pay["time"])
    elif isinstance(pay, pl.DataFrame):
        pay = pay.with_columns(known_at="time")
    else:
        pay = pay.append_column("known_at", pay["time"])
    if name == "columns nobody asked for":
        pay = pay.drop(columns="mixed")
    expected = features.training_frame(plain(), SENTENCES, log)
    events = {"payment": pay, "chargeback": late.to_pandas()}
    answer = features.training_frame(plain(), SENTENCES, events)
    pd.testing.assert_frame_equal(answer, expected)


def test_outcomes_are_those_of_the_plain_table(name, log):
    horizon = pd.Timedelta(days=10)
    expected = wb.outcomes(log, plain(), horizon=horizon, at=END)
    assert set(expected["status"]) == {"positive", "matured_negative", "pending"}
    answer = same_kind(name, wb.outcomes(log, TABLES[name], horizon=horizon, at=END))
    for column in ("label", "status"):
        assert in_order(name, answer[column]) == in_order("", expected[column])


def test_decisions_are_those_of_the_plain_table(name):
    table = TABLES[name]
    if name == "columns nobody asked for":
        table = table.drop(columns="mixed")  # a policy may read every column
    answer = wb.decide(Threshold("amount", 30), table)
    expected = wb.decide(Threshold("amount", 30), plain())
    assert isinstance(answer, pd.DataFrame if isinstance(table, pd.DataFrame) else type(table))
    if isinstance(table, pd.DataFrame):
        pd.testing.assert_index_equal(answer.index, table.index)
    for column in ("request", "action", "event"):
        assert in_order(name, as_pandas(answer)[column]) == in_order("", expected[column])


def test_a_split_in_time_keeps_rows_and_a_model_scores_them_the_same(name):
    train, test = training.time_split(TABLES[name], at=TIMES[60], gap_days=3)
    assert (len(train), len(test)) == (51, 24)
    assert type(train) is type(TABLES[name])
    labelled = as_pandas(train).assign(label=np.asarray(as_pandas(train)["request"], int) % 2)
    spec = training.TrainSpec(rounds=3, threads=1)
    model = training.fit(labelled, features=["amount", "request"], label="label", spec=spec)
    assert model.score(test).tolist() == model.score(as_pandas(test)).tolist()


def test_watch_and_checks_see_what_they_see_in_the_plain_table(name):
    def seen(table):
        june, live = training.time_split(table, at=pd.Timestamp("2026-01-21", tz="UTC"), gap_days=0)
        watch = monitoring.drift(june, live, columns=["amount", "shop"])
        return watch.days.sort("day").select("day", "rows", "alarm").rows()

    assert seen(TABLES[name]) == seen(plain())
    table = TABLES[name]
    if name == "columns nobody asked for":
        with pytest.raises(ValueError, match=r"mixed of payment mixes types \(int, str\)"):
            checks.report(table, "payment", at=END)
        table = table.drop(columns="mixed")
    found = {row[:3] for row in checks.report(table, "payment", at=END).table.rows()}
    assert found == {row[:3] for row in checks.report(plain(), "payment", at=END).table.rows()}


def test_an_experiment_reads_the_same(name):
    def read(table):
        named = wb.rename(table, user="request", variant="shop")
        shares = dict.fromkeys("abc", 1 / 3)
        return repr(experiments.analyse(named, metrics=["amount"], expected=shares))

    unused = ["user"]  # `user` is to be the request here
    table = TABLES[name]
    table = (
        table.drop(unused)
        if isinstance(table, pl.DataFrame)
        else (
            table.drop_columns(unused)
            if isinstance(table, pa.Table)
            else table.drop(columns=unused)
        )
    )
    assert read(table) == read(plain().drop(columns=unused))


@pytest.mark.parametrize("rows", [0, 1])
@pytest.mark.parametrize("make", [lambda t: t, pl.from_pandas, pa.Table.from_pandas])
def test_no_rows_or_one_are_a_table_too(make, rows, log):
    table = make(plain().head(rows))
    assert len(features.training_frame(table, SENTENCES, log)) == rows
    assert len(wb.outcomes(log, table, horizon=timedelta(days=1), at=END)) == rows
    assert len(wb.decide(Threshold("amount", 30), table)) == rows
    with pytest.raises(ValueError, match=r"nothing to (train|test) on"):
        training.time_split(table, at=TIMES[9], gap_days=0)
