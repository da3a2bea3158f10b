"""Candidates come from before the request, and the order beats showing what sells."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from workbench import recommender
from workbench.policy import decide
from workbench.training import TrainSpec

START = datetime(2024, 5, 1, tzinfo=UTC)
DAY = timedelta(days=1)
FAST = TrainSpec(rounds=30, depth=4, bins=64)
FOLDER = Path(os.environ.get("WORKBENCH_PUBLIC_DATA", "none")) / "recs_online-retail-ii-2009"


@pytest.fixture(scope="module")
def log() -> dict[str, pl.DataFrame]:
    """Fifty days; each of 80 users buys three items of a taste of ten again and again."""
    rng = np.random.default_rng(0)
    lines = []
    for request in range(1_500):
        user = int(rng.integers(0, 80))
        time = START + timedelta(minutes=request * 48)
        favourites = user % 10 * 10 + rng.choice(10, 3, replace=False)
        popular = rng.choice([100, 101], 1)
        lines += [(request, user, int(item), time) for item in (*favourites, *popular)]
    sold = pl.DataFrame(lines, schema=["request", "user", "item", "time"], orient="row")
    late = pl.col("request") % 10 == 0
    known = pl.when(late).then(pl.col("time") + 2 * DAY).otherwise("time")
    return {"purchase": sold.with_columns(known_at=known)}


@pytest.fixture(scope="module")
def requests(log) -> pl.DataFrame:
    each = log["purchase"].group_by("request").agg(pl.col("user", "time").first())
    return each.sort("request")


@pytest.fixture(scope="module")
def rows(log, requests) -> pl.DataFrame:
    later = requests.filter(pl.col("time") >= START + 20 * DAY)
    return recommender.examples(log, later, every_days=5)


@pytest.fixture(scope="module")
def model(rows):
    return recommender.fit_ranker(rows.filter(pl.col("time") < START + 40 * DAY), spec=FAST)


def test_the_order_beats_most_popular_where_people_have_tastes(log, rows, model):
    test = rows.filter(pl.col("time") >= START + 40 * DAY)
    got = recommender.marks(test, model.score(test), log, rng=np.random.default_rng(0), k=4)
    assert got.reach > 0.95
    assert got.recall.low > got.popular_recall + 0.1
    assert got.ndcg.low > got.popular_ndcg
    assert "most popular" in repr(got)


def test_no_candidate_and_no_feature_changes_when_the_future_is_cut_off(log, requests):
    at = START + 30 * DAY
    asked = requests.filter(pl.col("time") >= at).head(1)
    now = asked["time"][0]
    past = {"purchase": log["purchase"].filter(pl.col("known_at") < now, pl.col("time") < now)}
    drop = "label"
    full = recommender.examples(log, asked).drop(drop)
    assert full.equals(recommender.examples(past, asked).drop(drop))
    assert len(full) > 60


def test_every_source_is_what_it_says(log, requests):
    at = START + 30 * DAY
    shelf = recommender.shelf(log, at=at)
    asked = requests.filter(pl.col("time") >= at).head(40)
    found = recommender.candidates(asked, log, shelf)
    assert found.select("request", "item").is_unique().all()
    assert found["request"].unique(maintain_order=True).to_list() == asked["request"].to_list()
    popular = set(shelf.popular["item"])
    for request, user, time in asked.select("request", "user", "time").rows():
        mine = found.filter(pl.col("request") == request)
        past = log["purchase"].filter(
            pl.col("user") == user, pl.col("time") < time, pl.col("known_at") < time
        )
        by_source = {
            source: set(mine.filter(pl.col("candidate_source").str.contains(source))["item"])
            for source in ("again", "popular", "together")
        }
        assert by_source["again"] == set(past["item"])
        assert by_source["popular"] == popular
        with_score = set(mine.filter(pl.col("together") > 0)["item"])
        assert by_source["together"] == with_score


def test_the_shelf_counts_baskets_not_lines_and_forgets_old_ones(log):
    at = START + 30 * DAY
    spec = recommender.ShelfSpec(popular_days=2.0, popular_items=3)
    twice = {"purchase": pl.concat([log["purchase"]] * 2)}
    once, again = (recommender.shelf(each, at=at, spec=spec) for each in (log, twice))
    assert once.popular.equals(again.popular)
    recent = log["purchase"].filter(
        pl.col("time").is_between(at - 2 * DAY, at, closed="left"), pl.col("known_at") < at
    )
    best = recent.group_by("item").len().sort("len", "item", descending=[True, False]).head(3)
    assert once.popular.rows() == best.rows()


def test_the_policy_shows_the_best_candidates_and_looks_features_up_the_same(log, rows, model):
    wave = rows.filter(pl.col("time") >= START + 49 * DAY)
    wanted = recommender.history()
    carried = recommender.ranking(model, k=5, name="xgb@1")
    looked_up = recommender.ranking(model, k=5, name="xgb@1", log=log, wanted=wanted)
    bare = wave.drop(feature.name for feature in wanted)
    shown = decide(carried, wave)
    assert shown.equals(decide(looked_up, bare))
    assert shown.group_by("request").len()["len"].unique().to_list() == [5]


def test_candidates_of_the_past_of_a_shelf_are_refused(log, requests):
    shelf = recommender.shelf(log, at=START + 30 * DAY)
    with pytest.raises(ValueError, match="would see the future"):
        recommender.candidates(requests.head(1), log, shelf)
    later = requests.filter(pl.col("time") >= shelf.at)
    with pytest.raises(ValueError, match="must come once"):
        recommender.candidates(pl.concat([later, later]), log, shelf)
    with pytest.raises(ValueError, match="no column 'user'"):
        recommender.candidates(later.drop("user"), log, shelf)
    with pytest.raises(ValueError, match="nothing was bought"):
        recommender.shelf(log, at=START)
    with pytest.raises(ValueError, match="popular_items must be above zero"):
        recommender.ShelfSpec(popular_items=0)


@pytest.mark.skipif(
    not FOLDER.is_dir() and "CI" not in os.environ,
    reason="WORKBENCH_PUBLIC_DATA has no Online Retail II",
)
def test_on_a_real_shop_the_ranker_finds_twice_what_popularity_finds():
    from workbench.data import public

    log = public.events("online-retail")
    asked = log["purchase"].filter(~pl.col("guest")).group_by("request")
    asked = asked.agg(pl.col("user").first(), pl.col("time").min()).sort("time", "request")
    at = datetime(2010, 10, 4, tzinfo=UTC)
    before = asked.filter(pl.col("time").is_between(at - 14 * DAY, at, closed="left"))
    after = asked.filter(pl.col("time").is_between(at, at + 4 * DAY, closed="left"))
    model = recommender.fit_ranker(recommender.examples(log, before), spec=FAST)
    rows = recommender.examples(log, after)
    got = recommender.marks(rows, model.score(rows), log, rng=np.random.default_rng(0))
    print(got)
    assert got.recall.low > 2 * got.popular_recall
    assert got.ndcg.low > 1.5 * got.popular_ndcg
