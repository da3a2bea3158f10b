from datetime import UTC, datetime

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from workbench.events import EventLog
from workbench.policy import (
    Rank,
    Split,
    Threshold,
    decide,
    decision_table,
)

MOMENT = datetime(2026, 3, 1, 12, tzinfo=UTC)


def slate(*scores, request=7, first_item=1):
    """One request whose items 1, 2, … have these scores."""
    n = len(scores)
    return {
        "request": np.full(n, request),
        "user": np.full(n, 1),
        "item": np.arange(first_item, first_item + n),
        "score": np.array(scores, float),
    }


def payments():
    return pl.DataFrame(
        {"request": [11, 12, 13], "user": [1, 2, 3], "time": MOMENT, "score": [0.2, 0.9, None]}
    )


def test_decisions_of_a_frame_are_ready_for_the_log(tmp_path):
    log = EventLog(tmp_path / "log")
    candidates = pl.DataFrame(
        {
            "request": ["r1", "r1", "r2"],
            "user": "u1",
            "item": ["a", "b", None],
            "time": MOMENT,
            "surface": "home",
            "score": [0.1, 0.9, 0.4],
        }
    )
    split = Split({"new": Rank("score", 2)}, {"new": 1.0}, salt="x")
    appended = log.append(decision=decide(split, candidates), known_at="time")
    assert (appended.added, appended.quarantined) == ({"decision": 3}, {})
    again = log.append(decision=decide(split, candidates), known_at="time")
    assert again.duplicates == 3
    logged = log.scan("decision").sort("request", "position").collect()
    assert logged["item"].to_list() == ["b", "a", None]
    assert logged["surface"].to_list() == ["home"] * 3


def test_checkouts_without_items_fit_a_log_with_any_ids(tmp_path):
    log = EventLog(tmp_path / "log")
    answers = decide(Threshold("score", 0.5), payments())
    assert answers["action"].to_list() == ["approve", "block", "block"]
    assert answers["score"].to_list() == [0.2, 0.9, None]
    assert log.append(decision=answers, known_at="time").quarantined == {}


def test_pandas_keeps_its_index_and_arrow_stays_arrow():
    frame = payments().to_pandas().set_index(pd.Index([30, 10, 20], name="row"))
    answers = decide(Threshold("score", 0.5), frame)
    assert answers.index.tolist() == [30, 10, 20]
    assert answers.loc[10, "action"] == "block"
    assert isinstance(decide(Threshold("score", 0.5), payments().to_arrow()), pa.Table)


def test_pandas_slates_point_at_the_rows_they_came_from():
    frame = pd.DataFrame(
        {"request": [1, 1, 2], "item": [5, 6, 7], "score": [0.1, 0.9, float("nan")]}
    )
    frame.index = ["x", "y", "z"]
    assert decide(Rank("score", 1), frame).index.tolist() == ["y", "z"]


def test_columns_become_a_table_with_time_and_event():
    requests = slate(0.1, 0.9) | {"time": np.full(2, "2026-03-01T12:00", "datetime64[us]")}
    table = decision_table(Rank("score", 1).act(requests), requests)
    assert table.columns[:2] == ["event", "time"]
    assert table["user"].to_list() == [1]
    assert table["variant"].to_list() == [None]


def test_what_is_no_table_is_an_error():
    with pytest.raises(ValueError, match="must be a table"):
        decide(Rank("score", 1), [1, 2])
