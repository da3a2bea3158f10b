"""The drawn explorer: the numbers of the view, tables and downloads of the same, nothing if SRM."""

import re
from base64 import b64decode
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from workbench.widgets.ab_chart import html
from workbench.widgets.ab_days import days_of
from workbench.widgets.ab_explorer import explore
from workbench.widgets.ab_panel import panel
from workbench.widgets.drawing import BLUE, Panel, ticks

START, EVEN = datetime(2026, 3, 1, tzinfo=UTC), {"old": 0.5, "new": 0.5}


def rows(users, lift=0.0):
    rng = np.random.default_rng(0)
    new, before = rng.random(users) < 0.5, rng.gamma(4.0, 2.5, users)
    minutes = rng.integers(0, 14 * 1440, users)
    return pl.DataFrame(
        {
            "user": np.arange(users),
            "variant": np.where(new, "new", "old"),
            "time": [START + timedelta(minutes=int(each)) for each in minutes],
            "country": rng.choice(["ch", "fr", "it"], users),
            "spent": (before + rng.normal(0, 1, users)) * np.where(new, 1 + lift, 1.0),
            "before": before,
        }
    )


def read(table):
    before = {"spent": "before"}
    return days_of(table, "spent", expected=EVEN, covariates=before, segments=["country"])


@pytest.fixture(scope="module")
def days():
    return read(rows(6_000, lift=0.03))


def view_of(days, **more):
    return explore(days, "spent", "new", planned_users=6_000, segment="country", **more)


def test_words_pictures_and_tables_say_the_same(days):
    view = view_of(days, today=9, looks=3)
    drawn = html(view)
    assert view.verdict in drawn
    assert f"Lift {view.today_row['lift']:+.1%}" in drawn
    assert "3 looks" in drawn
    assert drawn.count("<svg") == 3
    assert drawn.count('role="img"') == 3
    tables = html(view, as_table=True)
    assert "<svg" not in tables
    assert tables.count("<tr>") == len(view.table) + len(view.segments) + 2


def test_the_downloads_hold_the_very_tables(days):
    view = view_of(days)
    held = re.findall(r'base64,([^"]+)"', html(view))
    assert pl.read_csv(b64decode(held[0]))["lift"].to_list() == pytest.approx(
        view.table["lift"].to_list()
    )
    assert pl.read_csv(b64decode(held[1]))["value"].to_list() == ["all", "ch", "fr", "it"]


def test_nothing_is_shown_of_a_failed_sample_ratio():
    lost = rows(6_000, lift=0.2).filter((pl.col("variant") == "old") | (pl.col("user") % 8 > 0))
    drawn = html(view_of(read(lost)))
    assert "SRM failed: do not read" in drawn
    assert "<svg" not in drawn
    assert "base64" not in drawn
    assert "Lift" not in drawn


def test_names_from_the_table_cannot_become_markup():
    table = rows(3_000).with_columns(country=pl.lit("<script>x</script>")).rename({"spent": "<b>"})
    found = days_of(table, "<b>", expected=EVEN, segments=["country"])
    drawn = html(explore(found, "<b>", "new", planned_users=3_000, segment="country"))
    assert "<script" not in drawn
    assert "&lt;b&gt;" in drawn


def test_first_days_and_empty_metrics_are_drawn(days):
    assert html(view_of(days, today=1)).count("<svg") == 3
    none = read(rows(500).with_columns(spent=pl.lit(0.0)))
    assert "Lift unknown" in html(view_of(none))


def test_the_panel_follows_every_control(days):
    box = panel(days, planned_users=6_000)
    (today, looks), (_metric, _arm, segment), (verdict, cuped, table) = (
        row.children for row in box.children[:3]
    )
    shown = box.children[3]
    today.value = 5
    assert box.view.today == 5
    assert looks.max == 5
    assert "Day 5" in shown.value
    looks.value = 1
    assert box.view.looks == (5,)
    verdict.value = "fixed"
    assert box.view.adjustment == "fixed"
    cuped.value = True
    assert box.view.saved > 0.9
    segment.value = "all users"
    assert box.view.segments["value"].to_list() == ["all"]
    table.value = True
    assert "<table" in shown.value


def test_points_lie_where_the_axis_says():
    axes = Panel("p", (0, 10), (0, 4), width=170, height=158, left=58)
    (a, b), (c, d) = axes.at([0, 10], [0, 4])
    assert (a, b) == (58, 158)
    assert (c, d) == (124, 24)
    log = Panel("p", (0, 1), (0.01, 1), height=158, style="log")
    assert log.at([0], [0.1])[1][0] == 74
    upside_down = Panel("p", (0, 1), (3, -1), height=158)
    assert upside_down.at([0], [-1])[1][0] == 24
    assert ticks(-0.05, 0.05) == [-0.04, -0.02, 0, 0.02, 0.04]
    axes.line([0, 1, 2], [1, float("nan"), 2], BLUE)
    assert "nan" not in axes.svg()


def test_no_mark_of_a_log_axis_lies_below_it():
    words = Panel("p", (0, 1), (0.003, 1), style="log").svg()
    assert ">0.01<" in words
    assert ">0.001<" not in words
