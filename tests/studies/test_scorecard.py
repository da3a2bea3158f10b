"""The closing table, by hand."""

import json

import pytest

from workbench.studies.scorecard import Score, Scorecard

CARD = Scorecard(
    "demo",
    (
        Score(what="AUC", measured=0.9123, low=0.9, high=0.92, baseline=0.5, truth=0.95),
        Score(what="revenue", measured=12_345.6, low=11_000.0, high=14_000.0, truth=12_000.0),
        Score(what="first alarm", measured=None, truth=42.0),
    ),
)


def test_the_table_rounds_and_shows_what_is_not_known_as_a_dash():
    head, names, auc, revenue, alarm = repr(CARD).splitlines()
    assert head == "demo"
    assert names.split() == ["what", "measured", "95", "%", "interval", "baseline", "truth"]
    assert auc.split() == ["AUC", "0.912", "[0.900,", "0.920]", "0.500", "0.950"]
    assert revenue.split() == ["revenue", "12,346", "[11,000,", "14,000]", "-", "12,000"]
    assert alarm.split() == ["first", "alarm", "-", "-", "-", "42.0"]


def test_json_keeps_full_precision():
    rows = json.loads(CARD.to_json())
    assert rows[0] == {
        "study": "demo", "what": "AUC", "measured": 0.9123, "low": 0.9, "high": 0.92,
        "baseline": 0.5, "truth": 0.95,
    }  # fmt: skip
    assert rows[2]["measured"] is None


def test_an_interval_covers_the_truth_or_misses_it_or_there_is_none():
    assert [score.covers for score in CARD] == [False, True, None]


def test_a_row_is_found_by_its_name():
    assert CARD["revenue"].truth == 12_000.0
    with pytest.raises(KeyError, match=r"no score called 'gini'; there are \['AUC'"):
        CARD["gini"]
