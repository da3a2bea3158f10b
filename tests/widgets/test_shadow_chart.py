"""The drawn shadow explorer: numbers of the view, the tables behind them, every control obeyed."""

import re
from base64 import b64decode

import numpy as np
import polars as pl
import pytest

from tests.widgets.test_shadow_explorer import table
from workbench.experiments import pairs
from workbench.widgets.shadow_chart import html
from workbench.widgets.shadow_controls import controls_of, cutoff_steps
from workbench.widgets.shadow_explorer import Choice, explore
from workbench.widgets.shadow_ground import ground_of
from workbench.widgets.shadow_panel import panel


@pytest.fixture(scope="module")
def both():
    return pairs(table(), live="old", shadow="new", twin="again", cutoff=0.5)


@pytest.fixture(scope="module")
def ground(both):
    return ground_of(both)


def test_words_tables_and_downloads_say_the_same(ground):
    view = explore(ground, Choice(by="country", outcomes="label", cell=(4, 4)))
    drawn = html(view)
    assert f"They disagree in {view.rate:.2%}" in drawn
    held = re.findall(r'download="(\w+\.csv)" href="data:text/csv;base64,([^"]+)"', drawn)
    files = {name: pl.read_csv(b64decode(data)) for name, data in held}
    assert [*files] == ["cells.csv", "points.csv", "slices.csv", "requests.csv"]
    assert files["cells.csv"]["rows"].sum() + view.cells.missing == view.chosen_rows
    assert files["slices.csv"]["disagree"].to_list() == pytest.approx(
        view.slices["disagree"].to_list()
    )
    assert files["requests.csv"]["request"].to_list() == view.rows["request"].to_list()
    tables = html(view, as_table=True)
    assert "data-map" not in tables
    rows = len(view.cells.table) + len(view.points) + len(view.slices) + len(view.rows)
    assert tables.count("<tr>") == rows + 4


def test_names_and_values_of_the_table_cannot_become_markup(both):
    bad = both.with_columns(pl.lit("<script>x</script>").alias("<b>"))
    view = explore(ground_of(bad), Choice(by="<b>", value="<script>x</script>", cell=(3, 3)))
    for drawn in (html(view), html(view, as_table=True)):
        assert "<script" not in drawn
        assert "<b>&lt;" not in drawn.replace("&lt;b&gt;", "")


def test_the_widget_follows_every_control(both):
    box = panel(both)
    rate = box.view.rate

    def choose(**more):
        box.values = {**box.values, **more}

    assert f"{rate:.2%}" in box.html
    choose(by="country")
    assert (
        dict(next(c for c in box.answer["controls"] if c["name"] == "value")["options"])["fr"]
        == "fr"
    )
    choose(value="fr")
    assert box.view.chosen_rows == both.filter(country="fr").height
    choose(by="amount")
    assert box.view.choice.value is None  # another column forgets the slice
    choose(cell="3,3")
    assert f'data-requests="{box.view.behind}"' in box.html
    choose(bins="10")
    assert box.view.choice.cell is None  # another map forgets the cell
    choose(outcomes="label", color="right")
    assert "who was right" in box.html
    choose(outcomes="")
    assert box.values["color"] == "disagree"  # hidden outcomes colour nothing
    logged = box.values["cutoff"]
    choose(cutoff=logged - 5)
    assert box.view.rate != rate
    assert "tried" in box.html
    choose(cutoff=logged)
    assert box.view.rate == rate
    answered = box.answer["number"]
    choose(table=True)
    assert box.answer["number"] == answered + 1
    assert "the map, cell by cell" in box.html


def test_steps_go_from_few_to_all_and_hold_the_cutoff_as_logged(ground):
    steps = cutoff_steps(ground)
    at = [ground.cutoffs["shadow"] if cutoff is None else cutoff for cutoff, _ in steps]
    assert at == sorted(at)
    assert sum(cutoff is None for cutoff, _ in steps) == 1
    blocked = np.array([(ground.shadow >= cutoff).mean() for cutoff in at])
    assert blocked[0] > 0.9
    assert blocked[-1] == 0
    values = {"by": "", "outcomes": ""}
    names = [control["name"] for control in controls_of(ground, values, steps)]
    assert names == ["by", "value", "outcomes", "color", "scale", "bins", "cutoff", "table"]


def test_a_broken_challenger_lights_the_light(both):
    view = explore(ground_of(both.with_columns(shadow_score=0.3, shadow_action=pl.lit("approve"))))
    assert view.light == "red"
    drawn = html(view)
    assert 'data-light="red"' in drawn
    assert "collapsed scores" in drawn
    whole = both.drop_nulls("shadow_score")
    assert 'data-light="green"' in html(explore(ground_of(whole)))
