"""Each kind of odd behaviour is planted and caught; honest challengers are not accused."""

import numpy as np
import polars as pl
import pytest
from scipy import stats

from workbench.experiments.degenerate import oddities
from workbench.experiments.detectors import score_levels
from workbench.experiments.pairs import pairs
from workbench.policy import Rank, decide

CUTOFF = 0.9


def scores(n=2_000, seed=0):
    """A champion, and what its challengers are made from: what both know, and noise of each."""
    rng = np.random.default_rng(seed)
    user = rng.integers(0, n // 4, n)
    known = rng.random(n) * 0.9 + 0.1 * rng.random(n // 4)[user]
    country = rng.choice(["ch", "de", "fr", "it"], n, p=[0.4, 0.3, 0.2, 0.1])
    old = known + rng.normal(0, 0.03, n)
    frame = pl.DataFrame({"request": range(n), "user": user, "country": country, "old": old})
    return frame, known, rng


def compared(new, seed=0, n=2_000, cutoff=CUTOFF):
    frame, known, rng = scores(n, seed)
    table = frame.with_columns(new=pl.Series(new(known, rng, frame), dtype=pl.Float64))
    cutoffs = {"old": CUTOFF, "new": cutoff}
    return oddities(pairs(table, live="old", shadow="new", cutoff=cutoffs), by="country")


def steps(known, count):
    """As an isotonic calibration leaves scores: a step for each of so many ranges."""
    return np.floor(known * count) / count


PLANTED = {
    "approves all": (lambda known, rng, f: known * 0.5, {"one category"}),
    "blocks all": (lambda known, rng, f: 1 + known, {"one category", "starved"}),
    "one score": (
        lambda known, rng, f: np.full(len(known), 0.5),
        {"collapsed scores", "one category"},
    ),
    "one score and noise in the ninth digit": (
        lambda known, rng, f: 0.95 + 1e-9 * known,
        {"collapsed scores", "one category", "starved"},
    ),
    "two scores": (lambda known, rng, f: np.where(known > 0.9, 0.95, 0.1), {"collapsed scores"}),
    "no score for some": (
        lambda known, rng, f: np.where(rng.random(len(known)) < 0.05, np.nan, known),
        {"missing answers", "missing scores"},
    ),
    "blocks everybody in one country": (
        lambda known, rng, f: np.where(f["country"] == "it", 0.99, known),
        {"starved"},
    ),
}
HONEST = {
    "trained again": (lambda known, rng, f: known + rng.normal(0, 0.03, len(known)), CUTOFF),
    "worse": (lambda known, rng, f: known + rng.normal(0, 0.3, len(known)), CUTOFF),
    "another scale": (lambda known, rng, f: (known + rng.normal(0, 0.03, len(known))) / 100, 0.009),
    "steps": (lambda known, rng, f: steps(known + rng.normal(0, 0.03, len(known)), 20), CUTOFF),
    "half as strict": (lambda known, rng, f: known + rng.normal(0, 0.03, len(known)), 0.95),
    "twice as strict": (lambda known, rng, f: known + rng.normal(0, 0.03, len(known)), 0.8),
}


@pytest.mark.parametrize("name", PLANTED)
def test_what_is_planted_in_scores_is_caught(name):
    new, wanted = PLANTED[name]
    for seed in range(20):
        assert set(compared(new, seed).alarms) == wanted


def test_the_starved_country_is_named():
    found = compared(PLANTED["blocks everybody in one country"][0])
    assert found.table.filter("alarm")["segment"].to_list() == ["it"]
    assert "starved, country it" in repr(found)


@pytest.mark.parametrize("name", HONEST)
def test_honest_scores_are_not_accused(name):
    new, cutoff = HONEST[name]
    accused = sum(not compared(new, seed, cutoff=cutoff).ok for seed in range(100, 300))
    assert accused <= stats.binom.ppf(0.999, 200, 0.01)  # measured: 0 of 200 for each


def test_honest_scores_are_not_accused_in_thin_windows():
    new, _ = HONEST["trained again"]
    accused = sum(not compared(new, seed, n=60).ok for seed in range(500))
    assert accused <= stats.binom.ppf(0.999, 500, 0.01)  # measured: 0 of 500


def test_too_few_answers_prove_nothing():
    rare = compared(PLANTED["approves all"][0], n=24)  # the champion blocks two or three of 24
    assert rare.ok
    assert compared(PLANTED["approves all"][0], n=400).alarms == ["one category"]


# slates of a shop with 400 items in 8 categories, 40 candidates a page

ITEMS = pl.DataFrame({"item": range(400), "category": [f"c{i % 8}" for i in range(400)]})


def pages(seed=0, n=250, m=40):
    rng = np.random.default_rng(seed)
    item = np.argsort(rng.random((n, 400)), axis=1)[:, :m]
    user = rng.integers(0, n // 2, n)
    taste = rng.normal(0, 1, (n // 2, 8))[user][:, :, None].repeat(m, 2)
    liked = np.take_along_axis(taste[:, :, 0], item % 8, axis=1) + rng.normal(0, 0.5, 400)[item]
    return pl.DataFrame(
        {"request": np.repeat(np.arange(n), m), "user": np.repeat(user, m), "item": item.ravel(),
         "live": (liked + rng.normal(0, 0.3, (n, m))).ravel(),
         "again": (liked + rng.normal(0, 0.3, (n, m))).ravel(),
         "worse": (liked + rng.normal(0, 2.0, (n, m))).ravel(),
         "random": rng.random(n * m)}
    )  # fmt: skip


def shown(new, seed=0, change=None, k=5, m=40):
    rows = pages(seed, m=m)
    decisions = [decide(Rank("live", k, "live@1"), rows), decide(Rank(new, k, "new@1"), rows)]
    if change is not None:
        decisions[1] = change(decisions[1])
    return oddities(
        pairs(pl.concat(decisions), live="live@1", shadow="new@1", sample=1), items=ITEMS
    )


def test_a_ranker_that_always_shows_one_category_is_caught():
    for seed in range(10):
        found = shown(lambda rows: np.where(rows["item"] % 8 == 3, 9.0, 0.0) + rows["live"], seed)
        assert "one category" in found.alarms
        assert "category, first place" in found.table.filter("alarm")["by"].to_list()


def test_a_ranker_that_forgets_one_category_is_caught():
    found = shown(lambda rows: np.where(rows["item"] % 8 == 3, -9.0, 0.0) + rows["live"])
    assert found.alarms == ["starved"]
    assert found.table.filter("alarm")["segment"].to_list() == ["c3"]


def test_a_ranker_that_shows_the_same_few_items_is_caught():
    for seed in range(5):  # with half of the items to choose from
        found = shown(lambda rows: -rows["item"] / 1e3, seed, k=2, m=200)
        assert "vanishing coverage" in found.alarms


def test_slates_left_empty_or_out_are_missing():
    def left_out(decisions):
        return decisions.filter(pl.col("request") % 10 > 0)

    def empty(decisions):
        mine = pl.col("request") % 10 == 0
        first = decisions.filter(~mine | (pl.col("position") == 1))
        return first.with_columns(
            pl.when(mine).then(None).otherwise("item").alias("item"),
            pl.when(mine).then(None).otherwise("score").alias("score"),
        )

    for change in (left_out, empty):
        found = shown("again", change=change)
        assert found.alarms[0] == "missing answers"
        row = found.table.filter(pl.col("detector") == "missing answers")
        assert row["shadow"][0] == pytest.approx(0.1)


@pytest.mark.parametrize("name", ["again", "worse", "random"])
def test_honest_rankers_are_not_accused(name):
    accused = sum(not shown(name, seed).ok for seed in range(100, 160))
    assert accused <= stats.binom.ppf(0.999, 60, 0.01)  # measured: 0 of 60 for each


def test_score_levels_limits():
    assert score_levels([]) == 0
    assert score_levels([np.nan, np.inf]) == 0
    assert score_levels([0.0] * 5) == 1
    assert score_levels(np.linspace(0.001, 1, 1_000)) > 500
    assert score_levels(np.linspace(0.001, 1, 1_000) / 1e6) > 500
    assert score_levels(-np.arange(1.0, 5.0)) == 4


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda both: oddities(both[:0]), "no pairs"),
        (lambda both: oddities(both, by="city"), "no column 'city'"),
        (lambda both: oddities(both, alpha=0), r"alpha must be in \(0, 1\), got 0"),
        (lambda both: oddities(both, items=ITEMS), "and pairs items"),
        (lambda both: oddities(both.with_columns(user=None)), "user is null in 2,000 rows"),
    ],
)
def test_bad_input_has_a_clear_error(ask, words):
    table = scores()[0].with_columns(new="old")
    with pytest.raises(ValueError, match=words):
        ask(pairs(table, live="old", shadow="new", cutoff=0.9))
