"""The map of faults found: a cell for each fault and size, the worst found on top."""

import polars as pl
import pytest

from workbench.widgets.picture import VEGA_LITE
from workbench.widgets.scoreboard import chart

FOUND = pl.DataFrame(
    {
        "detector": ["checks"] * 4 + ["never"],
        "fault": ["nulls", "nulls", "outage", "outage", "nulls"],
        "level": ["small", "large", "small", "large", "small"],
        "worlds": [3, 3, 3, 0, 3],
        "found": [1 / 3, 1.0, 0.0, None, 0.0],
        "days": [3.0, 1.0, None, None, None],
    }
)


def cells(picture):
    (rows,) = picture.chart.to_dict()["datasets"].values()
    return {(row["fault"], row["level"]): (row["found"], row["words"]) for row in rows}


def test_a_cell_is_the_share_of_one_detector():
    seen = cells(chart(FOUND, "checks"))
    assert len(seen) == 4
    assert seen["nulls", "small"] == (0.33, "0.33")
    assert seen["outage", "small"] == (0.0, "0.0")


def test_a_fault_of_which_the_door_leaves_nothing_has_no_share():
    assert cells(chart(FOUND, "checks"))["outage", "large"] == (None, "door")


def test_what_is_found_most_comes_first():
    tiles = chart(FOUND, "checks").chart.to_dict()["layer"][0]
    assert tiles["encoding"]["y"]["sort"] == ["nulls", "outage"]


def test_it_draws_without_a_network():
    shown = chart(FOUND, "checks")._repr_mimebundle_()
    assert shown["image/svg+xml"].startswith("<svg")
    assert shown[VEGA_LITE]["layer"]


def test_other_frames_and_detectors_are_refused():
    with pytest.raises(ValueError, match=r"no column \['days'\]"):
        chart(FOUND.drop("days"), "checks")
    with pytest.raises(ValueError, match="no rows of 'cheks'"):
        chart(FOUND, "cheks")
