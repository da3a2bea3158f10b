"""Pictures of a replay: what is estimated, what is only a number, what is true."""

import polars as pl
import pytest

from workbench.experiments import replay_outcomes
from workbench.studies.replay_marks import ReplayMarks
from workbench.widgets import replay

LOG = pl.DataFrame(
    {
        "request": range(800),
        "reward": [1.0, 0.0] * 400,
        "propensity": 0.5,
        "target_propensity": [1.0, 0.0, 0.0, 1.0] * 200,
    }
)
MODEL = {"predicted_reward": 0.4, "target_predicted_reward": 0.43219876}


def replayed(**columns):
    return replay_outcomes(LOG.with_columns(**{name: pl.lit(x) for name, x in columns.items()}))


def rows_of(picture):
    return [row for rows in picture.chart.to_dict()["datasets"].values() for row in rows]


def test_what_is_no_estimate_comes_first_and_has_no_interval():
    picture = replay.estimates(replayed(**MODEL), naive={"where they agree": 0.9})
    order = picture.chart.to_dict()["layer"][0]["encoding"]["y"]["sort"]
    assert order == ["logged", "where they agree", "ips", "snips", "direct", "dr"]
    rows = {row["estimator"]: row for row in rows_of(picture)}
    assert rows["where they agree"]["low"] is None
    assert rows["where they agree"]["kind"] == rows["logged"]["kind"] == "naive"
    assert rows["dr"]["kind"] == "replayed"


def test_the_truth_is_drawn_only_where_it_is_given():
    without, given = (replay.estimates(replayed(), true=true) for true in (None, 0.5))
    assert len(given.chart.to_dict()["layer"]) == len(without.chart.to_dict()["layer"]) + 2
    assert {"value": 0.5, "word": "true"} in rows_of(given)
    across = replay.clips(replayed(), true=0.5).chart.to_dict()["layer"]
    assert "y" in across[2]["encoding"]
    assert "x" not in across[2]["encoding"]


def test_clips_go_from_none_to_the_smallest_and_show_the_gentler_ways_with_a_model():
    layer = replay.clips(replayed(**MODEL)).chart.to_dict()["layer"]
    assert layer[0]["encoding"]["x"]["sort"] == ["none", "100", "50", "20", "10", "5", "2", "1"]
    assert layer[1]["encoding"]["color"]["scale"]["domain"] == ["snips", "dr", "switch", "dros"]
    plain = replay.clips(replayed()).chart.to_dict()["layer"]
    assert plain[1]["encoding"]["color"]["scale"]["domain"] == ["ips", "snips"]


def test_values_are_rounded_so_that_a_saved_picture_stays_the_same():
    direct = [r for r in rows_of(replay.estimates(replayed(**MODEL))) if r["estimator"] == "direct"]
    assert direct[0]["estimate"] == 0.4322


def test_a_refused_replay_is_an_error_that_says_why():
    refused = replay_outcomes(LOG.with_columns(propensity=1.0))
    for draw in (replay.estimates, replay.clips):
        with pytest.raises(ValueError, match=r"nothing to draw: no support: the logger was determ"):
            draw(refused)


def test_a_refused_world_has_its_truth_and_no_interval():
    row = {"world": 0, "true": 1.0, "logged": 0.7, "refused": False, "covered": True}
    row |= {"estimate": 1.1, "low": 0.9, "high": 1.3}
    none = row | {"world": 1, "refused": True} | dict.fromkeys(("estimate", "low", "high"))
    rows = rows_of(replay.marks(ReplayMarks(pl.DataFrame([row, none]), 0.95)))
    assert [row["world"] for row in rows if "low" in row] == [0]
    seen = [row["what"] for row in rows if row["world"] == 1 and "what" in row]
    assert seen == ["the log as it is", "true value"]
