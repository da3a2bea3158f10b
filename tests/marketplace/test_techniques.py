"""Each technique leaves its own marks, on its own days, in its own share."""

from datetime import timedelta
from functools import partial

import numpy as np
import polars as pl
import pytest

from workbench.marketplace import Marketplace, MarketplaceSpec
from workbench.marketplace.fraudsters import Fraudsters
from workbench.marketplace.luck import SLOTS, Ids, Luck
from workbench.marketplace.people import PLACES
from workbench.marketplace.techniques import (
    ACCOUNT_TAKEOVER,
    CARD_TESTING,
    COMPROMISED_SELLER,
    STOLEN_CARDS,
    TECHNIQUES,
    TechniqueRun,
    default_schedule,
    shares_by_day,
)

SPEC = MarketplaceSpec(users=2_500, items=400, days=40, fraud_share=0.1, shock_day=28)
NAMES = [how.name for how in TECHNIQUES]


@pytest.fixture(scope="module")
def crimes(play):
    """A world with many thieves, and every checkout with technique, visit, step and victim."""
    world = Marketplace(SPEC)
    rows = play(world)["request"].filter(pl.col("surface") == "checkout")
    user, visit, step = Ids(SPEC.seed, "request").parts(rows["request"].to_numpy())
    people, item = world.people, rows["item"].to_numpy()
    return world, rows.with_columns(
        technique=pl.Series(world.truth.technique(rows)), visit=visit, step=step,
        day=(pl.col("time") - SPEC.start).dt.total_days(), began=visit // SLOTS,
        other=pl.col("device") != people.main_device(user, visit),
        away=pl.col("place") != PLACES[people.home[user]],
        over=pl.col("amount").log() - np.log(world.catalogue.price[item]),
        basket=people.basket[user], activity=people.visits_per_day[user],
    )  # fmt: skip


def of(rows, how):
    return rows.filter(pl.col("technique") == how.name)


def bursts(rows):
    return rows.filter(pl.col("step") == 0)


def test_the_technique_can_be_asked_for_ids_alone_before_anything_happened(crimes):
    _, rows = crimes
    ids = rows["request"].head(2_000)
    asked = Marketplace(SPEC).truth.technique
    for each in (ids, ids.to_numpy(), ids.to_list()):
        assert asked(each).tolist() == rows["technique"].head(2_000).to_list()
    assert set(rows["technique"]) == {"honest", *NAMES}


@pytest.mark.parametrize("days", [(0, 8), (8, 16), (16, 26), (28, 37)], ids=str)
@pytest.mark.parametrize("how", TECHNIQUES, ids=NAMES)
def test_every_technique_has_its_planned_share(crimes, how, days):
    world, rows = crimes
    inside = rows.filter(pl.col("began").is_between(*days, closed="left"))
    planned = Fraudsters(SPEC, world.behaviour).frauds_per_day(np.arange(*days))
    planned = planned[:, NAMES.index(how.name)].sum()
    each = how.payments  # of a burst, 1 + Poisson: E[payments**2] / E[payments] per payment
    spread = np.sqrt(planned * (each**2 + each - 1) / each)
    assert of(inside, how).height == pytest.approx(planned, abs=4 * spread)
    assert (planned == 0) == (how.name not in set(inside["technique"]))


def test_techniques_start_and_stop_on_their_day(crimes):
    world, rows = crimes
    assert of(rows, CARD_TESTING)["day"].min() == SPEC.first_shock_day
    window = of(rows, COMPROMISED_SELLER)["day"]
    assert (window.min(), window.max()) == (8, 15)
    assert of(rows, STOLEN_CARDS)["day"].n_unique() == SPEC.days
    told = world.truth.fraud_schedule.filter(pl.col("technique") == "card testing")
    assert told["start"].item() == world.truth.shock_times[0]
    assert told["stop"].item() == SPEC.start + timedelta(days=SPEC.days)


@pytest.mark.parametrize(
    ("how", "low", "high"),
    [(STOLEN_CARDS, 20, 80), (ACCOUNT_TAKEOVER, 360, 960), (CARD_TESTING, 1, 5)],
)
def test_payments_of_a_burst_follow_in_the_technique_s_rhythm(crimes, how, low, high):
    gap = pl.col("time").diff().over("user", "visit", order_by="step").dt.total_seconds() / 60
    gaps = of(crimes[1], how).with_columns(gap=gap)["gap"].drop_nulls()
    assert len(gaps) > 100
    assert low < gaps.median() < high
    assert gaps.mean() == pytest.approx(how.gap_minutes, rel=0.3)


@pytest.mark.parametrize("how", TECHNIQUES, ids=NAMES)
def test_devices_and_places_are_as_often_odd_as_the_technique_says(crimes, how):
    begun = bursts(of(crimes[1], how))
    for mark, share in (("other", how.other_device_share), ("away", how.away_share)):
        error = np.sqrt(share * (1 - share) / begun.height)
        assert begun[mark].mean() == pytest.approx(share, abs=4 * error)


@pytest.mark.parametrize("how", TECHNIQUES, ids=NAMES)
def test_amounts_follow_price_and_basket_where_the_technique_says(crimes, how):
    rows = of(crimes[1], how)
    log_amount = np.log(rows["amount"].to_numpy())
    log_price = log_amount - rows["over"].to_numpy()
    rest = log_amount - how.log_amount_mean(log_price, rows["basket"].to_numpy())
    assert rest.mean() == pytest.approx(0, abs=4 * how.spread / len(rest) ** 0.5)
    assert rest.std() == pytest.approx(how.spread, rel=0.15)
    honest = rows_of_honest(crimes)
    if how is ACCOUNT_TAKEOVER:
        assert (rows["over"] - rows["basket"]).mean() > (
            honest["over"] - honest["basket"]
        ).mean() + 0.5
    if how is CARD_TESTING:
        assert rows["amount"].median() < 0.5 * honest["amount"].median()


def rows_of_honest(crimes):
    return crimes[1].filter(technique="honest")


def test_an_account_thief_takes_days_in_an_account_that_was_quiet(crimes):
    _, rows = crimes
    theft = of(rows, ACCOUNT_TAKEOVER)
    lasts = theft.group_by("user", "visit").agg(
        days=(pl.col("time").max() - pl.col("time").min()).dt.total_seconds() / 86_400,
        payments=pl.len(),
    )
    several = lasts.filter(pl.col("payments") >= 3)
    assert several.height > 30
    assert several["days"].is_between(0.5, 3).mean() > 0.7
    honest = rows_of_honest(crimes)
    since = bursts(theft).sort("time").join_asof(
        honest.sort("time").select("user", "time", before="time"), on="time", by="user",
        check_sortedness=False,
    )  # fmt: skip
    quiet = (since["time"] - since["before"]).dt.total_seconds().median()
    usual = honest.sort("time").select(pl.col("time").diff().over("user").dt.total_seconds())
    assert quiet > 1.5 * usual.to_series().median()
    assert bursts(theft)["activity"].mean() < 0.75 * crimes[0].people.visits_per_day.mean()


def test_an_account_thief_buys_what_does_not_suit_the_victim(crimes):
    world, rows = crimes
    thieves = Fraudsters(SPEC, world.behaviour)

    def liking(part):
        item, user = part["item"].to_numpy(), part["user"].to_numpy()
        centre = thieves.disliked.centres[world.catalogue.category[item]]
        return np.einsum("nd,nd->n", world.people.taste[user], centre).mean()

    theft, stolen = of(rows, ACCOUNT_TAKEOVER), of(rows, STOLEN_CARDS)
    assert liking(theft) < liking(stolen) - 1


def test_a_compromised_seller_is_all_that_its_frauds_share(crimes):
    world, rows = crimes
    told = world.truth.compromised_sellers
    assert told.height == 1
    assert told["start"].item() == SPEC.start + timedelta(days=8)
    seller = told["seller"].item()
    theft = of(rows, COMPROMISED_SELLER)
    assert set(theft["seller"]) == {seller}
    assert theft["user"].n_unique() > 0.9 * theft.height
    there = rows.filter(pl.col("seller") == seller)
    window = there.filter(pl.col("day").is_between(8, 15))
    honest = window.filter(technique="honest").height
    assert honest > 0
    assert 1 - honest / window.height > 3 * SPEC.fraud_share
    sales = np.bincount(world.catalogue.seller, weights=world.catalogue.popularity)
    assert 0 < sales[seller] <= 0.03


def test_more_sellers_are_compromised_in_a_larger_world():
    world = Marketplace(MarketplaceSpec().at(scale=3))
    assert world.truth.compromised_sellers["seller"].n_unique() == 3


def test_techniques_that_are_off_are_absent(play):
    run = TechniqueRun("account takeover", 2, 5, 0.5)
    one = MarketplaceSpec(users=400, days=8, fraud_share=0.2, techniques=(run,))
    world = Marketplace(one)
    rows = play(world)["request"].filter(pl.col("surface") == "checkout")
    names = world.truth.technique(rows)
    assert set(names) == {"honest", "account takeover"}
    day = (rows["time"] - one.start).dt.total_days().to_numpy()[names != "honest"]
    assert (day.min(), day.max()) == (2, 4)
    assert world.truth.compromised_sellers.height == 0

    calm = Marketplace(MarketplaceSpec(users=100, days=4, fraud_share=0.2, techniques=()))
    rows = play(calm)["request"]
    assert not calm.truth.is_fraud(rows).any()


def test_a_technique_that_starts_later_changes_nothing_before(play):
    first = TechniqueRun("stolen cards", share=0.5)
    worlds = [
        play(MarketplaceSpec(users=400, days=6, fraud_share=0.2, techniques=runs))
        for runs in ((first,), (first, TechniqueRun("card testing", 4, share=0.5)))
    ]
    early, late = (
        [events["request"].filter((pl.col("time") < SPEC.start + timedelta(days=4)) == early)
         for events in worlds]
        for early in (True, False)
    )  # fmt: skip
    assert early[0].equals(early[1])
    assert late[1].height > late[0].height
    both = set(late[0]["request"]) & set(late[1]["request"])
    assert len(both) > 0.98 * late[0].height  # the others found a shelf that thieves had emptied


def test_the_default_schedule_hands_out_every_fraud_of_every_day():
    for days in (1, 2, 3, 7, 60, 365):
        for shock in (0, 1, days // 2, days):
            shares = shares_by_day(default_schedule(days, shock), days)
            np.testing.assert_allclose(shares.sum(axis=1), 1)
            assert (shares[:shock, NAMES.index("card testing")] == 0).all()


TESTING, STOLEN = partial(TechniqueRun, "card testing"), partial(TechniqueRun, "stolen cards")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: TechniqueRun("theft"), "technique must be one of .*, got 'theft'"),
        (lambda: TESTING(5, 5), "stop_day of card testing must be after start_day 5, got 5"),
        (lambda: TESTING(-1), "start_day of card testing must be at least 0, got -1"),
        (lambda: TESTING(1.5), "start_day of card testing must be a whole day, got 1.5"),
        (lambda: TESTING(share=-0.1), r"share of card testing must be in \[0, 1\], got -0.1"),
        (lambda: TESTING(share=float("nan")), r"must be in \[0, 1\], got nan"),
    ],
)
def test_an_impossible_run_is_an_error_with_the_rule(make, words):
    with pytest.raises(ValueError, match=words):
        make()


@pytest.mark.parametrize(
    ("runs", "words"),
    [
        ((TESTING(60),), r"of card testing must be in \[0, days\) = \[0, 60\), got 60"),
        ((TESTING(0, 61),), "stop_day of card testing must be at most days, 60, got 61"),
        ((TESTING(0, 9), TESTING(8, share=0.0)), "runs of card testing must not overlap"),
        (
            (TESTING(share=0.6), STOLEN(7, 9, 0.5)),
            "shares of the techniques must sum to at most 1, got 1.1 on day 7",
        ),
        (("card testing",), "techniques must hold TechniqueRun, got 'card testing'"),
    ],
)
def test_an_impossible_schedule_is_an_error_with_the_rule(runs, words):
    with pytest.raises(ValueError, match=words):
        MarketplaceSpec(techniques=runs)


def test_the_least_of_three_is_drawn_as_often_as_its_probability_says(crimes):
    thieves = Fraudsters(SPEC, crimes[0].behaviour)
    chance = Luck(1).uniform("test", np.arange(100_000))
    drawn = np.bincount(thieves.quiet.draw(chance), minlength=SPEC.users)
    expected = thieves.quiet.relative(np.arange(SPEC.users)) / SPEC.users
    assert expected.sum() == pytest.approx(1)
    by_tenth = drawn.reshape(10, -1).sum(axis=1) / len(chance)
    np.testing.assert_allclose(by_tenth, expected.reshape(10, -1).sum(axis=1), atol=0.006)

    user = np.full(len(chance), 7)
    kinds = np.arange(len(thieves.disliked.share))
    drawn = np.bincount(thieves.disliked.draw(user, chance), minlength=len(kinds)) / len(chance)
    relative = thieves.disliked.relative(user[kinds], kinds)
    np.testing.assert_allclose(drawn, relative * thieves.disliked.share, atol=0.006)
