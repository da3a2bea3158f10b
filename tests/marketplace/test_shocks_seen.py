"""Each shock is seen in the events on its days and its slice, and nowhere else."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from workbench.marketplace import Marketplace, MarketplaceSpec
from workbench.marketplace.luck import SLOTS, Ids
from workbench.marketplace.shocks import Shock

CALM = MarketplaceSpec(users=600, items=200, days=6, shocks=(), fraud_share=0.02)


def with_shock(**shock):
    return replace(CALM, shocks=(Shock(**shock),))


def by_day(frame, spec=CALM):
    return frame.with_columns(day=(pl.col("time") - spec.start).dt.total_days())


@pytest.fixture(scope="module")
def calm(play):
    return play(CALM)


def test_bots_open_pages_on_their_days_alone_click_at_the_top_and_buy_nothing(play):
    spec = with_shock(kind="bots", day=2, days=2, size=0.1)
    world = Marketplace(spec)
    events = play(world)
    asked = by_day(events["request"])
    asked = asked.with_columns(bot=pl.Series(world.truth.is_bot(asked)))
    bots = asked.filter("bot")
    planned = Ids(spec.seed, "request").parts(bots["request"].to_numpy())[1] // SLOTS
    assert set(planned.tolist()) == {2, 3}  # a visit may go on past midnight
    assert set(bots["surface"]) == {"home", "search"}
    assert bots["user"].n_unique() == pytest.approx(60, abs=4 * 54**0.5)  # a tenth of 600
    assert set(bots.filter(day=2)["user"]) == set(bots.filter(day=3)["user"])
    clicks = events["click"]
    clicks = clicks.with_columns(bot=pl.Series(world.truth.is_bot(clicks)))
    assert clicks.filter("bot")["position"].max() == 3
    assert clicks.filter(~pl.col("bot"))["position"].max() > 3
    assert clicks.filter("bot").height > 1.5 * bots.height
    assert not world.truth.is_bot(events["purchase"]["request"]).any()
    assert not world.truth.is_bot(events["payment"]["request"]).any()


def test_before_bots_come_nothing_is_different(play, calm):
    events = play(with_shock(kind="bots", day=2, size=0.1), until=2)
    for kind in ("request", "impression", "click", "payment"):
        expected = calm[kind].filter(pl.col("known_at") < CALM.start + pl.duration(days=2))
        assert expected.height > 100
        columns = sorted(expected.columns)
        assert events[kind].select(columns).equals(expected.select(columns))


def test_a_sale_lowers_the_prices_of_its_category_and_they_come_back(play):
    spec = with_shock(kind="sale", day=2, days=3, category=4, size=0.3)
    events = play(spec)
    listed = by_day(events["listing"])
    usual = listed.filter(day=0).select("item", "category", usual="amount")
    moved = listed.filter(pl.col("day") > 0).join(usual, on=["item", "category"])
    repriced = moved.filter((pl.col("amount") - pl.col("usual")).abs() > 1e-9)
    assert set(repriced["day"]) == {2}
    assert set(repriced["category"]) == {4}
    assert repriced.height == usual.filter(category=4).height >= 5
    assert ((repriced["amount"] - 0.7 * repriced["usual"]).abs() < 0.00501).all()
    back = moved.filter(pl.col("day") == 5, pl.col("category") == 4)
    assert set(back["item"]) == set(repriced["item"])
    np.testing.assert_array_equal(back["amount"], back["usual"])


def test_on_sale_more_is_clicked_for_less(play, calm):
    spec = with_shock(kind="sale", day=2, days=3, category=None, size=0.6)
    events = play(spec)
    days = pl.col("day").is_between(2, 4)
    shown, clicked = (
        [by_day(each[kind]).filter(days, surface="home").height for each in (events, calm)]
        for kind in ("impression", "click")
    )
    assert clicked[0] / shown[0] > 1.1 * clicked[1] / shown[1]
    shared = (
        by_day(events["payment"])
        .filter(days)
        .join(calm["payment"].select("event", usual="amount"), on="event")
    )
    assert shared.height > 100
    ratio = (shared["amount"] / shared["usual"]).to_numpy()
    assert np.median(ratio) == pytest.approx(0.4, abs=0.005)


def test_inflation_climbs_day_by_day_from_its_day_on(play):
    spec = with_shock(kind="inflation", day=2, days=3, size=0.2)
    listed = by_day(play(spec)["listing"])
    usual = listed.filter(day=0).select("item", usual="amount")
    dear = usual.filter(pl.col("usual") > 20)["item"].to_list()  # where a cent is little
    path = listed.filter(pl.col("item").is_in(dear)).join(usual, on="item")
    rise = path.group_by("day").agg((pl.col("amount") / pl.col("usual")).median()).sort("day")
    rise = dict(rise.iter_rows())
    for day, passed in [(3, 1), (4, 2), (5, 3)]:
        assert rise[day] == pytest.approx(1.2 ** (passed / 30), abs=3e-4)
    assert path.filter(pl.col("day").is_in([1, 2]))["amount"].to_list() == (
        path.filter(pl.col("day").is_in([1, 2]))["usual"].to_list()
    )


def test_in_a_pandemic_people_come_more_and_nobody_travels(play, calm):
    spec = with_shock(kind="pandemic", day=3, size=0.8)
    world = Marketplace(spec)
    events = play(world)
    home = events["profile"].select("user", home="place")

    def pages(each):
        asked = by_day(each["request"]).filter(pl.col("surface") != "checkout")
        return asked.join(home, on="user")

    struck, still = pages(events), pages(calm)
    before, late = pl.col("day") < 3, pl.col("day") >= 3
    assert struck.filter(before)["request"].equals(still.filter(before)["request"])
    more = struck.filter(late).height / still.filter(late).height
    assert more == pytest.approx(1.8, abs=0.15)
    away = pl.col("place") != pl.col("home")
    assert struck.filter(late, away).is_empty()
    assert still.filter(late, away).height > 20
    assert struck.filter(before, away).height > 20
    paid = by_day(events["payment"]).join(home, on="user").filter(late, away)
    assert paid.height > 0
    assert world.truth.is_fraud(paid).all()


def test_a_pandemic_of_one_segment_leaves_the_others_where_they_are(play, calm):
    events = play(with_shock(kind="pandemic", day=1, size=0.8, segment="retired"), until=2)
    segment = events["profile"].select("user", "segment")
    counts = []
    for each in (events, calm):
        asked = by_day(each["request"]).filter(pl.col("surface") != "checkout", day=1)
        counts.append(dict(asked.join(segment, on="user")["segment"].value_counts().iter_rows()))
    assert counts[0]["retired"] > 1.4 * counts[1]["retired"]
    assert counts[0]["students"] == counts[1]["students"]
    assert counts[0]["families"] == counts[1]["families"]
