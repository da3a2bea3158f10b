"""What was planted can be found again: positions, tastes, arrivals, the shock."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from workbench.marketplace import Marketplace, MarketplaceSpec
from workbench.marketplace.behaviour import AMOUNT_SPREAD
from workbench.marketplace.people import BASKET_SPREAD, HOURS, WEEKDAYS, busy
from workbench.policy import Rank


def test_click_rates_on_random_pages_give_back_the_examination_curve(shop):
    world, events = shop
    home = pl.col("surface") == "home"
    shown = events["impression"].filter(home).group_by("position").len("shown")
    clicked = events["click"].filter(home).group_by("position").len("clicked")
    rates = shown.join(clicked, on="position").sort("position")
    rate = (rates["clicked"] / rates["shown"]).to_numpy()
    error = np.sqrt((1 - rate) / rates["clicked"].to_numpy()) * np.sqrt(2)  # of a ratio of two
    expected = world.truth.examination(np.arange(1, 6))
    np.testing.assert_array_less(np.abs(rate / rate[0] / expected - 1)[1:], 4 * error[1:])


def test_clicks_happen_as_often_as_the_truth_says(shop):
    world, events = shop
    shown = events["impression"].join(
        events["click"].select("request", "item", clicked=1.0), on=["request", "item"], how="left"
    )
    clicked = shown["clicked"].fill_null(0.0).to_numpy()
    likely = world.truth.click_probability(shown)
    assert set(shown["surface"]) == {"home", "search"}
    for low, high in [(0, 0.02), (0.02, 0.1), (0.1, 0.3), (0.3, 0.7), (0.7, 1)]:
        band = (likely >= low) & (likely < high)
        expected, error = likely[band].mean(), 0.5 / band.sum() ** 0.5
        assert clicked[band].mean() == pytest.approx(expected, abs=4 * error)


def test_the_share_of_clicks_that_buy_is_as_planned(shop):
    world, events = shop
    likely = world.truth.purchase_probability(events["click"])
    assert likely.mean() == pytest.approx(0.5, abs=0.05)


def test_a_page_ranked_by_the_truth_sells_more_than_a_random_one(play, policies):
    spec = MarketplaceSpec(users=500, days=4)
    oracle = Rank(Marketplace(spec).truth.click_probability, 5, "oracle")
    clicks = [
        play(spec, policies.usual | {"home": home})["click"].height
        for home in (policies.home, oracle)
    ]
    assert clicks[1] > 1.6 * clicks[0]


def test_people_come_by_hour_and_weekday(shop):
    world, events = shop
    visits = events["request"].filter(pl.col("surface") == "home")
    shares = visits.group_by(pl.col("time").dt.hour()).len().sort("time")["len"] / visits.height
    np.testing.assert_allclose(shares, HOURS / HOURS.sum(), atol=0.004)
    weekdays = visits.filter(pl.col("time") < world.spec.start + pl.duration(days=56))
    days = weekdays.group_by(pl.col("time").dt.date()).len().sort("time")["len"].to_numpy()
    days = days / busy(world.spec, world.people, np.arange(56))
    counts = days.reshape(8, 7).mean(axis=0)
    np.testing.assert_allclose(counts / counts.mean(), WEEKDAYS / WEEKDAYS.mean(), atol=0.03)


def test_candidates_are_distinct_and_follow_popularity():
    world = Marketplace(MarketplaceSpec(users=20_000, items=300, visits_per_day=2.0))
    pages = world.next_requests()["home"]["item"].reshape(-1, 20)
    assert (np.diff(pages, axis=1) > 0).all()
    assert pages.min() >= 0
    assert pages.max() < 300
    often = np.bincount(pages.ravel(), minlength=300) / len(pages)
    there = world.catalogue.launch_day == 0
    assert (often[~there] == 0).all()
    expected = 20 * world.catalogue.popularity[there] / world.catalogue.popularity[there].sum()
    assert expected.max() < 1
    assert np.corrcoef(often[there], expected)[0, 1] > 0.98  # a border of strata favours the next
    np.testing.assert_allclose(often[there], expected, atol=0.06)


def test_amounts_are_log_normal_around_the_price(checkouts, shop):
    world, _ = shop
    honest = checkouts.filter(pl.col("label") == 0)
    price = world.catalogue.price_on(honest["item"].to_numpy(), honest["day"].to_numpy())
    log_ratio = np.log(honest["amount"].to_numpy() / price)
    assert log_ratio.mean() == pytest.approx(0, abs=0.03)
    assert log_ratio.std() == pytest.approx(np.hypot(AMOUNT_SPREAD, BASKET_SPREAD), abs=0.03)
    skew = ((log_ratio - log_ratio.mean()) ** 3).mean() / log_ratio.std() ** 3
    assert abs(skew) < 0.1


SHOCKED = MarketplaceSpec(users=1_500, days=8, shock_day=4, fraud_share=0.03)


@pytest.fixture(scope="module")
def with_and_without_shock(play):
    return play(SHOCKED), play(replace(SHOCKED, shock_day=8))


def test_nothing_differs_before_the_shock(with_and_without_shock):
    first_day = pl.col("time") < SHOCKED.start + pl.duration(days=4)
    shocked, calm = (
        {kind: frame.filter(first_day) for kind, frame in events.items()}
        for events in with_and_without_shock
    )
    assert shocked["click"].height > 1_000
    for kind, frame in calm.items():
        if kind == "chargeback":  # some about days before are known only later: all the same
            assert set(frame["event"]) == set(shocked[kind]["event"])
        assert frame.equals(shocked[kind])


def test_the_shock_moves_the_tastes_of_one_segment_and_nobody_elses(with_and_without_shock):
    _, calm = with_and_without_shock
    world, still = (Marketplace(replace(SHOCKED, shock_day=day)) for day in (4, 8))
    pairs = calm["impression"].join(calm["profile"].select("user", "segment"), on="user")
    moved = np.abs(world.truth.click_probability(pairs) - still.truth.click_probability(pairs))
    late = (pairs["time"] >= world.truth.shock_times[0]).to_numpy()
    struck = (pairs["segment"] == world.truth.shock_segment).to_numpy()
    assert moved[late & struck].mean() > 0.05
    assert moved[~(late & struck)].max() < 1e-9
    assert world.truth.shock_days == [4]


def test_what_a_segment_liked_says_little_after_the_shock(shop):
    world, events = shop
    shown = (
        events["impression"]
        .join(events["profile"].select("user", "segment"), on="user")
        .join(events["listing"].select("item", "category"), on="item")
    )
    shown = shown.with_columns(
        attraction=pl.Series(world.truth.click_probability(shown.drop("position"))),
        late=pl.col("time") >= world.truth.shock_times[0],
    )
    liked = shown.group_by("segment", "category", "late").agg(pl.mean("attraction"))
    wide = liked.pivot("late", index=["segment", "category"], values="attraction").sort("category")
    for (segment,), rows in wide.group_by("segment"):
        likeness = np.corrcoef(rows["false"], rows["true"])[0, 1]
        assert (likeness < 0.8) if segment == world.truth.shock_segment else (likeness > 0.97)
    assert set(wide["segment"]) == {"students", "families", "retired"}
