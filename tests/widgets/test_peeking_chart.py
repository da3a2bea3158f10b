"""Pictures of peeking: fates by hand, and that each picture holds what it is to show."""

import polars as pl
import pytest

from workbench.widgets import peeking
from workbench.widgets.picture import VEGA_LITE

PATHS = pl.DataFrame(
    {
        "experiment": [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3],
        "day": [3, 1, 2] * 4,
        "p_value": [0.2, 0.01, 0.3, 0.04, 0.5, 0.6, 0.9, 0.8, 0.05, None, None, 0.3],
    }
)
DIAL = pl.DataFrame(
    {"looks": [1, 10, 4], "claimed": [0.05, 0.2, 0.1], "low": 0.01, "high": 0.3,
     "published": [0.05, 0.194, None]}
)  # fmt: skip
MARKS = {
    f"{mark}{end}": [0.1, 0.2]
    for mark in ("type_i", "power", "type_m", "days", "regret")
    for end in ("", "_low", "_high")
}
TEAMS = pl.DataFrame({"procedure": ["fixed horizon", "daily peek"], **MARKS})
LEDGER = pl.DataFrame(
    {"true": [0.1, -0.1, 0.0], "claimed": [0.3, -0.2, 0.1], "shrunk": [0.12, -0.08, 0.02],
     "shipped": [True, False, False]}
)  # fmt: skip


def test_the_last_day_decides_and_one_below_alpha_on_the_way_is_enough():
    """Test 0 below on day 1 alone, 1 on the last, 2 never (0.05 is not below), 3 hardly known."""
    found = peeking.fates(PATHS.sample(fraction=1.0, shuffle=True, seed=1))
    assert found["fate"].to_list() == ["only on the way", "at the end", "never", "never"]
    assert peeking.fates(PATHS, alpha=0.005)["fate"].to_list() == ["never"] * 4


def test_paths_have_a_colour_for_each_fate_and_a_rule_at_alpha():
    spec = peeking.paths(PATHS.filter(pl.col("experiment") < 3)).chart.to_dict()
    scale = spec["layer"][0]["encoding"]["color"]["scale"]
    assert scale["domain"] == ["never", "only on the way", "at the end"]
    lines, rule = (spec["datasets"][layer["data"]["name"]] for layer in spec["layer"])
    assert rule == [{"alpha": 0.05}]
    assert {row["fate"] for row in lines} == {*scale["domain"]}


def test_the_smallest_p_is_drawn_at_the_edge_and_none_is_lost():
    rows = pl.DataFrame({"experiment": [0, 0], "day": [1, 2], "p_value": [1e-12, 0.5]})
    spec = peeking.paths(rows).chart.to_dict()
    lines = spec["datasets"][spec["layer"][0]["data"]["name"]]
    assert [row["p"] for row in lines] == [0.0001, 0.5]
    assert spec["layer"][0]["encoding"]["y"]["scale"]["domain"][0] <= 0.0001


def test_the_dial_keeps_the_order_of_looks_and_what_nobody_published_has_no_tick():
    spec = peeking.dial(DIAL).chart.to_dict()
    assert spec["layer"][0]["encoding"]["x"]["sort"] == ["1", "10", "4"]
    rows = spec["datasets"][spec["data"]["name"]]
    assert [row["published"] for row in rows] == [0.05, 0.194, None]


def test_procedures_have_a_panel_for_each_mark_in_their_own_order():
    spec = peeking.procedures(TEAMS).chart.to_dict()
    assert len(spec["hconcat"]) == 5
    assert spec["hconcat"][0]["layer"][0]["encoding"]["y"]["sort"] == [*TEAMS["procedure"]]
    with pytest.raises(ValueError, match="once in the table"):
        peeking.procedures(pl.concat([TEAMS, TEAMS]))


def test_winners_fall_to_what_is_left_of_them_and_losers_are_there_too():
    spec = peeking.winners(LEDGER).chart.to_dict()
    sizes = [len(spec["datasets"][layer["data"]["name"]]) for layer in spec["layer"]]
    assert sizes == [2, 2, 1, 1, 1]  # the line, the others, the fall, claimed, shrunk


@pytest.mark.parametrize(
    "picture",
    [
        peeking.paths(PATHS),
        peeking.dial(DIAL),
        peeking.procedures(TEAMS),
        peeking.winners(LEDGER),
        peeking.winners(LEDGER.with_columns(shipped=False)),
    ],
)
def test_each_draws(picture):
    bundle = picture._repr_mimebundle_()
    assert bundle["image/svg+xml"].startswith("<svg")
    assert VEGA_LITE in bundle


@pytest.mark.parametrize(
    ("chart", "table"),
    [
        (peeking.fates, PATHS),
        (peeking.dial, DIAL),
        (peeking.procedures, TEAMS),
        (peeking.winners, LEDGER),
    ],
)
def test_a_table_without_its_columns_or_rows_is_refused(chart, table):
    with pytest.raises(ValueError, match="no column"):
        chart(table.drop(table.columns[-1]))
    with pytest.raises(ValueError, match="no rows"):
        chart(table.clear())
    with pytest.raises(ValueError, match="must be a Polars frame, got dict"):
        chart(table.to_dict())


def test_alpha_is_a_share():
    with pytest.raises(ValueError, match="alpha must be in"):
        peeking.fates(PATHS, alpha=0.0)
