"""The shadow explorer: its numbers are those of the pure functions, its switches keep to them."""

import re
from base64 import b64decode
from time import perf_counter

import numpy as np
import polars as pl
import pytest

from workbench.experiments import pairs
from workbench.experiments.cells import cells, rows_of
from workbench.experiments.clustered import cluster_means, paired_interval, share_interval
from workbench.experiments.disagreement import disagreement
from workbench.experiments.slices import slices, who_was_right
from workbench.widgets.shadow_axis import axis_of
from workbench.widgets.shadow_chart import html
from workbench.widgets.shadow_controls import controls_of, cutoff_steps
from workbench.widgets.shadow_explorer import Choice, explore
from workbench.widgets.shadow_ground import ground_of
from workbench.widgets.shadow_panel import panel
from workbench.widgets.shadow_rates import groups_of


def table(n=3_000, seed=0):
    """Three models of one world; every sixth request without a label, some without a score."""
    rng = np.random.default_rng(seed)
    odds = rng.normal(-1, 1.5, n)
    old, new, again = (1 / (1 + np.exp(-odds - s * rng.normal(0, 1, n))) for s in (0, 0.6, 0.2))
    made = pl.DataFrame(
        {"request": np.arange(n), "user": rng.integers(0, n // 4 + 1, n), "old": old, "new": new,
         "again": again, "label": (rng.random(n) < old).astype(float),
         "truth": (rng.random(n) < old).astype(int), "amount": rng.lognormal(3, 1, n),
         "country": rng.choice(["ch", "de", "fr"], n, p=[0.5, 0.3, 0.2])}
    )  # fmt: skip
    return made.with_columns(
        label=pl.when(pl.col("request") % 6 > 0).then("label"),
        new=pl.when(pl.col("request") % 50 > 0).then("new"),
    )


@pytest.fixture(scope="module")
def both():
    return pairs(table(), live="old", shadow="new", twin="again", cutoff=0.5)


@pytest.fixture(scope="module")
def ground(both):
    return ground_of(both)


def test_rate_floor_and_excess_are_those_of_disagreement(both, ground):
    view, wanted = explore(ground), disagreement(both, by="country")
    row = wanted["action"]
    assert (view.rate, view.floor) == (row["disagreement"], row["floor"])
    found = (view.low, view.high, view.floor_low, view.floor_high, *view.excess)
    names = ["low", "high", "floor_low", "floor_high", "excess", "excess_low", "excess_high"]
    assert found == pytest.approx([row[name] for name in names], rel=1e-9)
    french = wanted.table.filter(segment="fr").row(0, named=True)
    view = explore(ground, Choice(by="country", value="fr"))
    assert (view.rate, view.low, view.high) == pytest.approx(
        (french["disagreement"], french["low"], french["high"]), rel=1e-9
    )
    assert view.excess == pytest.approx([french[name] for name in names[4:]], rel=1e-9)
    assert view.chosen_rows == french["requests"]


@pytest.mark.parametrize("by", ["country", "amount", "user"])
def test_slices_are_those_of_slices(both, ground, by):
    found = explore(ground, Choice(by=by, outcomes="label")).slices
    wanted = slices(both, by, bins=5, most=12)
    theirs = {str(row["value"]): row for row in wanted.iter_rows(named=True)}
    assert found["value"].to_list() == [*theirs]
    for row in found.iter_rows(named=True):
        mine = theirs[row["value"]]
        assert (row["rows"], row["labelled"] > 0) == (mine["rows"], mine["labelled"] > 0)
        assert row["disagree"] == pytest.approx(mine["disagree"], rel=1e-12)
        for word in ("both", "live", "shadow", "neither"):
            assert row[word] == pytest.approx(mine[word], rel=1e-12)


@pytest.mark.parametrize("value", [None, "de"])
def test_cells_and_their_rows_are_those_of_cells(both, ground, value):
    choice = Choice(by="country", value=value, outcomes="label", bins=10)
    view = explore(ground, choice)
    mine = both if value is None else both.filter(country=value)
    wanted = cells(mine, edges=view.cells.edges)
    for name in ("counts", "disagreements", "positives", "labelled", "missing"):
        np.testing.assert_array_equal(getattr(view.cells, name), getattr(wanted, name))
    right = who_was_right(mine)
    assert view.right["unknown"] == right.null_count()
    assert view.right["shadow"] == (right == "shadow").sum()
    live, shadow = np.unravel_index(np.argmax(wanted.disagreements), (10, 10))
    behind = rows_of(mine, wanted, live, shadow)
    view = explore(ground, Choice(by="country", value=value, bins=10, cell=(live, shadow)))
    assert view.behind == len(behind) == wanted.counts[live, shadow]
    assert len(view.rows) == min(view.behind, 20)
    assert set(view.rows["request"]) <= set(behind["request"])
    parted = (view.rows["live_action"] != view.rows["shadow_action"]).to_list()
    assert parted == sorted(parted, reverse=True)


def test_another_cutoff_is_what_pairs_would_have_said(both, ground):
    for cutoff in (0.2, 0.5, 0.8):
        other = pairs(table(), live="old", shadow="new", cutoff={"old": 0.5, "new": cutoff})
        view = explore(ground, Choice(cutoff=cutoff, outcomes="truth", cell=(4, 10)))
        assert view.rate == disagreement(other)["action"]["disagreement"]
        right = who_was_right(other.drop("label").rename({"truth": "label"}))
        assert view.right["live"] == (right == "live").sum()
        said = view.rows.join(other, on="request", how="left")
        assert (said["shadow_action"] == said["shadow_action_right"]).all()
    logged = ground.cutoffs["shadow"]
    assert logged == both.filter(shadow_action="block")["shadow_score"].min()
    assert explore(ground, Choice(cutoff=logged)).rate == explore(ground).rate


def test_nothing_of_an_outcome_is_shown_before_it_is_asked_for(ground):
    view = explore(ground, Choice(by="country", cell=(3, 3)))
    assert view.right == {}
    assert not {"label", "truth", "who_was_right"} & set(view.rows.columns)
    assert view.points.columns == ["live_score", "shadow_score", "disagree"]
    assert view.cells.labelled.sum() == 0
    assert "labelled" not in view.slices.columns
    for drawn in (html(view), html(view, as_table=True)):
        for word in (">label", "labelled", "truth", "champion right", "only the"):
            assert word not in drawn
    view = explore(ground, Choice(outcomes="label", cell=(3, 3)))
    assert {"label", "who_was_right"} <= set(view.rows.columns)
    assert "truth" not in view.rows.columns
    assert "label" not in ground.columns


def test_points_are_the_same_on_every_run_and_in_any_order_of_rows(both):
    big = pairs(table(9_000), live="old", shadow="new", cutoff=0.5)
    first = explore(ground_of(big)).points
    again = explore(ground_of(big.sample(fraction=1, shuffle=True, seed=1))).points
    assert first["disagree"].value_counts().sort("disagree")["count"].to_list() == [
        1_000, min(1_000, explore(ground_of(big)).cells.disagreements.sum())
    ]  # fmt: skip
    assert first.sort("live_score", "shadow_score").equals(again.sort("live_score", "shadow_score"))
    few = explore(ground_of(both)).points
    assert few["disagree"].sum() == explore(ground_of(both)).cells.disagreements.sum()


@pytest.mark.parametrize("users", [None, 40, 900])
def test_rates_of_groups_are_those_of_cluster_means(users):
    rng = np.random.default_rng(1)
    n = 1_000
    code = rng.integers(0, 4, n)
    who = None if users is None else rng.integers(0, users, n)
    groups = groups_of(code, 5, who)  # the fifth is empty
    for share in (0.0, 0.1, 1.0):
        flag = rng.random(n) < share
        mine, theirs = groups.means(flag), cluster_means(flag, who, np.append(code, 4)[:n])
        for name in ("rows", "clusters", "mean", "variance"):
            np.testing.assert_allclose(
                getattr(mine, name)[:4], getattr(theirs, name), rtol=1e-9, atol=1e-15
            )
        np.testing.assert_allclose(share_interval(mine)[0][:4], share_interval(theirs)[0])
    first, second = rng.random(n) < 0.2, rng.random(n) < 0.1
    wanted = [each[2] for each in paired_interval(first, second, who, code)[:3]]
    assert groups.excess(first, second, 2) == pytest.approx(wanted, rel=1e-9)
    assert groups.excess(first, first, 2)[0] == 0


@pytest.mark.parametrize("scale", ["score", "log", "rank"])
def test_every_scale_puts_a_score_into_the_cell_that_it_is_drawn_in(ground, scale):
    axis, cell = ground.axis(scale, 20)
    bins = len(axis.edges) - 1
    known = cell < bins**2
    for scores, number in ((ground.live, cell // bins), (ground.shadow, cell % bins)):
        place = axis.place(scores[known])
        assert (place >= number[known] - 1e-9).all()
        assert (place <= number[known] + 1 + 1e-9).all()
    assert axis.place(axis.edges).tolist() == pytest.approx([*range(bins + 1)])
    if scale == "rank":
        shares = np.bincount(cell[known] // bins, minlength=bins) / known.sum()
        assert shares.max() < 0.08


def test_ones_own_pandas_table_with_scores_alone_needs_a_cutoff():
    mine = table(400).select(
        "country", live_score="old", shadow_score="new", label=pl.col("label") == 1
    )
    view = explore(ground_of(mine.to_pandas(), cutoff=0.5), Choice(outcomes="label"))
    theirs = pairs(table(400), live="old", shadow="new", cutoff=0.5)
    assert view.rate == disagreement(theirs)["action"]["disagreement"]
    assert view.right["shadow"] == (who_was_right(theirs) == "shadow").sum()
    assert view.excess is None
    assert "nobody knows" in html(view)
    two = ground_of(mine.to_arrow(), cutoff={"live": 0.5, "shadow": 0.3})
    assert two.cutoffs == {"live": 0.5, "shadow": 0.3}


def limit(**columns):
    """Four rows, with what the case changes."""
    base = {"live_score": [0.1, 0.4, 0.6, 0.9], "shadow_score": [0.2, 0.6, 0.7, 0.8],
            "label": [0, 0, 1, 1], "amount": [1.0, 2.0, 3.0, 4.0]}  # fmt: skip
    frame = pl.DataFrame({**base, **columns}, strict=False)
    return ground_of(frame, cutoff=0.5)


@pytest.mark.parametrize(
    ("change", "rate", "right"),
    [
        ({"label": [None] * 4}, 0.25, None),
        ({"label": [0, 0, 0, 0]}, 0.25, {"both": 1, "live": 1, "neither": 2}),
        ({"label": [1, None, 1, None]}, 0.25, {"both": 1, "neither": 1, "unknown": 2}),
        ({"shadow_score": [0.1, 0.4, 0.6, 0.9]}, 0.0, {"both": 4}),
        ({"shadow_score": [None, 0.4, float("nan"), 0.9]}, 0.5, {"both": 2, "unknown": 2}),
        ({"shadow_score": [0.3] * 4}, 0.5, {"both": 2, "live": 2}),
        ({"shadow_score": [0.3] * 4, "live_score": [0.3] * 4}, 0.0, {"both": 2, "neither": 2}),
        ({"shadow_score": [float("inf"), 0.4, 0.6, 0.9]}, 0.25, {"both": 3, "unknown": 1}),
        ({"amount": [None, None, float("nan"), 1.0]}, 0.25, {"both": 3, "live": 1}),
    ],
    ids=["no label known", "one class", "few labels", "all agree", "missing scores",
         "one score", "one score both", "infinite", "missing amounts"],
)  # fmt: skip
def test_limits_have_an_answer_and_a_picture(change, rate, right):
    ground = limit(**change)
    outcomes = None if right is None else "label"
    for scale in ("score", "log", "rank"):
        view = explore(ground, Choice(by="amount", outcomes=outcomes, scale=scale, cell=(0, 0)))
        assert view.rate == rate
        assert {word: number for word, number in view.right.items() if number} == (right or {})
        for color in ("rows", "disagree", *(["right"] if right else [])):
            assert html(view, color=color).count("<svg") >= 2
        assert "<table" in html(view, as_table=True)
    if right is None:
        assert ground.outcomes == []
    widget = panel(ground.frame.drop("live_action", "shadow_action"), cutoff=0.5)
    for step in range(len(cutoff_steps(ground))):
        widget.values = {**widget.values, "cutoff": step}
    assert widget.view.rate == explore(ground, Choice(cutoff=2.0)).rate


def test_times_are_put_under_days_weeks_months_or_years():
    day = pl.date_range(pl.date(2026, 1, 1), pl.date(2026, 3, 31), "1d", eager=True)
    mine = pl.DataFrame({"live_score": 0.5, "shadow_score": 0.5, "time": day})
    found = explore(ground_of(mine, cutoff=0.4), Choice(by="time")).slices
    assert found["value"].to_list() == ["2026-01-01", "2026-02-01", "2026-03-01"]
    assert found["rows"].to_list() == [31, 28, 31]
    ten = mine.head(10).with_columns(pl.col("time").cast(pl.Datetime("us", "UTC")))
    ten = ten.with_columns(time=pl.when(pl.col("time").dt.day() != 2).then("time"))
    found = explore(ground_of(ten, cutoff=0.4), Choice(by="time")).slices
    assert found["value"].to_list() == [f"2026-01-{d:02}" for d in (1, *range(3, 11))] + ["(none)"]


def test_one_row_and_a_table_without_common_scores():
    one = ground_of(pl.DataFrame({"live_score": [0.2], "shadow_score": [0.7]}), cutoff=0.5)
    view = explore(one, Choice(cell=(9, 9)))
    assert (view.rate, view.chosen_rows) == (1.0, 1)
    assert 0 < view.low < view.high == 1
    assert html(view).count("<svg") == 3
    with pytest.raises(ValueError, match="no row has both scores"):
        limit(live_score=[None, None, 0.1, 0.2], shadow_score=[0.1, 0.2, None, None])


@pytest.mark.parametrize(
    ("change", "more", "words"),
    [
        (lambda t: t.drop("shadow_score"), {}, "no column 'shadow_score'; they have"),
        (lambda t: t.with_columns(live_score=pl.lit("high")), {}, "live_score must be numbers"),
        (lambda t: t.drop("live_action"), {}, "give live_action and shadow_action, or cutoff="),
        (lambda t: t, {"cutoff": 0.5}, "these pairs have theirs"),
        (lambda t: t.drop("live_action", "shadow_action"), {"cutoff": {"live": 0.5}}, "'shadow'"),
        (lambda t: t.with_columns(label=2), {}, "label must be 0, 1 or null, got 2"),
        (lambda t: t.with_columns(label=pl.lit("fraud")), {}, "label must be 0, 1 or null"),
        (lambda t: t.with_columns(user=None), {}, "user is null in 3,000 rows"),
        (lambda t: t, {"by": "city"}, "no column 'city'"),
    ],
)
def test_bad_tables_are_named(both, change, more, words):
    with pytest.raises(ValueError, match=words):
        ground_of(change(both), **more)


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        ({"by": "city"}, "by must be one of .*got 'city'"),
        ({"by": "country", "value": "uk"}, r"value must be one of \['ch', 'de', 'fr'\].*got 'uk'"),
        ({"value": "ch"}, "value must be one of"),
        ({"outcomes": "stolen"}, "outcomes must be one of"),
        ({"scale": "square"}, "scale must be one of"),
        ({"bins": 0}, "bins must be at least 1, got 0"),
        ({"cell": (20, 0)}, "cells go from 0 to 19, got 20 and 0"),
        ({"cutoff": float("nan")}, "must be finite"),
    ],
)
def test_bad_choices_are_named(ground, choice, words):
    with pytest.raises(ValueError, match=words):
        explore(ground, Choice(**choice))


def test_three_actions_have_no_cutoff_to_try_and_scores_of_zero_no_logarithm(both):
    review = pl.when(pl.col("request") % 9 == 0).then(pl.lit("review")).otherwise("live_action")
    ground = ground_of(both.with_columns(live_action=review))
    assert not ground.movable
    assert cutoff_steps(ground) == [(None, "as logged")]
    with pytest.raises(ValueError, match="needs two actions"):
        explore(ground, Choice(cutoff=0.5))
    with pytest.raises(ValueError, match="above zero, the least is 0"):
        axis_of(np.array([0.0, 1.0]), np.array([0.5, 1.0]), "log", 4)
    zero = panel(both.with_columns(live_score=0.0))
    scales = next(each for each in zero.answer["controls"] if each["name"] == "scale")["options"]
    assert [name for name, _ in scales] == ["score", "rank"]


def test_a_broken_challenger_lights_the_light(both):
    view = explore(ground_of(both.with_columns(shadow_score=0.3, shadow_action=pl.lit("approve"))))
    assert view.light == "red"
    drawn = html(view)
    assert 'data-light="red"' in drawn
    assert "collapsed scores" in drawn
    whole = both.drop_nulls("shadow_score")
    assert 'data-light="green"' in html(explore(ground_of(whole)))


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


def test_a_move_takes_a_fraction_of_a_second():
    ground = ground_of(pairs(table(200_000), live="old", shadow="new", twin="again", cutoff=0.5))
    took = []
    for cutoff in np.linspace(0.2, 0.8, 15):
        start = perf_counter()
        html(explore(ground, Choice(by="country", cutoff=cutoff, outcomes="label", cell=(4, 4))))
        took.append(perf_counter() - start)
    print(f"a move: median {np.median(took) * 1e3:.0f} ms of 200,000 rows")
    assert np.median(took) < 1.0  # on a quiet machine a twentieth; here others compute, too
