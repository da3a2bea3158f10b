"""What the truth says of pages, words, shelves and people is what the events show."""

import numpy as np
import polars as pl
import pytest

from workbench.marketplace import Marketplace, MarketplaceSpec
from workbench.marketplace.behaviour import _SATISFIED
from workbench.marketplace.looking import READS_ON
from workbench.marketplace.luck import FIRST_THIEF_SLOT, SLOTS, Ids
from workbench.policy import Rank, Threshold


@pytest.fixture(scope="module")
def searches(shop):
    """Every result of every search: position, clicked or not, P(click if read), grade."""
    world, events = shop
    shown = events["impression"].filter(surface="search")
    clicks = events["click"].select("request", "item", clicked=1.0)
    shown = shown.join(clicks, on=["request", "item"], how="left")
    return shown.with_columns(
        pl.col("clicked").fill_null(0.0),
        likely=pl.Series(world.truth.click_probability(shown)),
        attraction=pl.Series(world.truth.click_probability(shown.drop("position"))),
        grade=pl.Series(world.truth.relevance(shown)),
    )


class TestSearch:
    def test_click_rates_by_position_and_in_bands_are_those_of_the_cascade(self, searches):
        bands = pl.col("likely").bin_intervals(
            [0.01, 0.03, 0.1, 0.3], labels=False, right_closed=True
        )
        for key in (pl.col("position"), bands.alias("band")):
            rates = searches.group_by(key).agg(
                pl.mean("clicked"), pl.mean("likely"),
                error=(pl.col("likely") * (1 - pl.col("likely"))).sum().sqrt() / pl.len(),
            )  # fmt: skip
            assert rates.height >= 5
            off = (rates["clicked"] - rates["likely"]).abs() / rates["error"]
            assert off.max() < 4

    def test_readers_stop_a_tenth_of_the_time_and_after_a_click_as_the_grade_says(self, searches):
        places = [searches.filter(position=place).sort("request") for place in (1, 2)]
        assert places[0]["request"].equals(places[1]["request"])
        top, next_one = places
        for grade, clicked in [(None, 0), (0, 1), (1, 1), (2, 1), (3, 1)]:
            rows = top["clicked"] == clicked
            if grade is not None:
                rows &= top["grade"] == grade
            read = READS_ON * (1 if grade is None else 1 - _SATISFIED[grade])
            expected = read * next_one.filter(rows)["attraction"]
            error = (expected * (1 - expected)).sum() ** 0.5
            assert abs(next_one.filter(rows)["clicked"].sum() - expected.sum()) < 4 * error
        good = next_one.filter((top["clicked"] == 1) & (top["grade"] == 3))  # 0.27 is not 0.9
        assert good["clicked"].sum() < 0.5 * READS_ON * good["attraction"].sum()

    def test_an_ambiguous_word_is_clicked_by_what_each_segment_wants(self, shop, searches):
        world, events = shop
        language = world.catalogue.language
        queries = pl.DataFrame({
            "query": language.queries.text.tolist(),
            "first": language.queries.nouns[:, 0], "second": language.queries.nouns[:, 1],
        }).filter(pl.col("second") >= 0)  # fmt: skip
        asked = events["request"].filter(surface="search").select("request", "query")
        rows = searches.join(asked, on="request").join(queries, on="query")
        rows = rows.join(events["profile"].select("user", "segment"), on="user")
        wanted = world.truth.wanted(rows)
        noun = pl.Series(world.catalogue.noun[rows["item"].to_numpy()])
        rows = rows.with_columns(
            wants_first=pl.Series(language.noun_name[rows["first"].to_numpy()] == wanted),
            is_first=noun == rows["first"],
            meant=(noun == rows["first"]) | (noun == rows["second"]),
        )  # fmt: skip
        clicked = rows.filter(pl.col("meant"), pl.col("clicked") == 1)
        right = (clicked["wants_first"] == clicked["is_first"]).mean()
        assert right > 0.7  # of clicks on one of the two meanings
        shares = clicked.group_by("query", "segment").agg(
            pl.mean("is_first"), pl.mean("wants_first"), pl.len()
        ).filter(pl.col("len") >= 25)  # fmt: skip
        assert shares.height >= 10
        beside = pl.col("is_first", "wants_first")  # the other segments that typed the same
        centred = shares.with_columns(beside - beside.mean().over("query"))
        assert (shares["is_first"].max() - shares["is_first"].min()) > 0.3
        assert centred.select(pl.corr("is_first", "wants_first")).item() > 0.6

    def test_for_an_ambiguous_word_knowing_the_person_beats_popularity(self, play, policies):
        spec = MarketplaceSpec(users=800, days=3, search_share=0.9, direct_share=0.0, items=600)
        world = Marketplace(spec)
        popularity, queries = world.catalogue.popularity, world.catalogue.language.queries
        ambiguous = queries.text[queries.ambiguous].tolist()
        clicks = []
        for score in (lambda rows: popularity[rows["item"]], world.truth.click_probability):
            events = play(spec, policies.usual | {"search": Rank(score, 5)})
            asked = events["request"].filter(pl.col("query").is_in(ambiguous))["request"]
            clicked = events["click"].filter(pl.col("request").is_in(asked.to_list()))
            assert asked.len() > 100
            clicks.append(clicked.height / asked.len())
        assert clicks[1] > 1.3 * clicks[0]


class TestCheckout:
    def test_what_is_blocked_is_paid_rated_and_complained_about_by_nobody(self, play, policies):
        spec = MarketplaceSpec(users=600, days=8, fraud_share=0.1, rating_share=1.0, items=200,
                               chargeback_delay_days=0.5, never_complained_share=0.0)  # fmt: skip
        half = Threshold(lambda rows: rows["request"] % 2, 0.5)
        world = Marketplace(spec)
        events = play(world, policies.usual | {"checkout": half})
        decided = events["decision"].filter(surface="checkout")
        blocked = set(decided.filter(action="block")["request"])
        approved = set(decided.filter(action="approve")["request"])
        assert min(len(blocked), len(approved)) > 500
        assert world.truth.is_fraud(np.array([*blocked])).any()
        assert set(events["payment"]["request"]) == set(events["purchase"]["event"]) == approved
        assert set(events["chargeback"]["request"]) <= approved
        ratings = events["rating"]
        ratings = ratings.filter(~pl.Series(world.truth.is_spam(ratings)))
        user, visit, step = Ids(spec.seed, "rating").parts(ratings["event"].to_numpy())
        rated = set(Ids(spec.seed, "request").of(user, visit, step).tolist())
        assert len(rated) > 100
        assert rated <= approved
        assert not world.truth.is_fraud(np.array([*rated])).any()

    def test_what_is_sold_out_at_midnight_is_not_sold_until_it_is_delivered(self, policies):
        world = Marketplace(MarketplaceSpec(users=800, items=60, days=9, stock_days=1.0))
        items, empty_before, came_back = np.arange(60), np.zeros(60, bool), 0
        for day in range(world.spec.days):
            asked, empty = [], None
            while (requests := world.next_requests(until=day + 1)) is not None:
                if empty is None:
                    empty = world.store.stock <= 0
                if "checkout" in requests:
                    checkouts = requests["checkout"]  # at a compromised till nothing is taken away
                    takes = world.truth.technique(checkouts) != "compromised seller"
                    asked.append(checkouts["item"][takes])
                answers = {name: policies.usual[name].act(rows) for name, rows in requests.items()}
                world.react(answers)
            asked = np.concatenate(asked)
            assert len(asked) > 50
            assert not empty[asked].any()
            delivered = (items + day) % 7 == 0
            assert not empty[delivered].any()
            assert empty[empty_before & ~delivered].all()
            came_back += (empty_before & ~empty).sum()
            empty_before = empty
        assert came_back > 10


class TestPeople:
    def test_newcomers_never_come_before_their_first_day(self, shop):
        world, events = shop
        first = world.people.first_day
        assert (first > 0).mean() == pytest.approx(0.2, abs=0.03)
        asked = events["request"]
        day = (asked["time"] - world.spec.start).dt.total_days().to_numpy()
        early = day - first[asked["user"].to_numpy()]
        assert early.min() == 0  # thieves do not come either
        profile = events["profile"]
        known = (profile["time"] - world.spec.start).dt.total_days().to_numpy()
        np.testing.assert_array_equal(known, first[profile["user"].to_numpy()])

    def test_those_who_left_never_come_back(self, policies):
        world = Marketplace(MarketplaceSpec(users=1_000, items=200, days=10, visits_per_day=2.0))
        ids, users, left = Ids(world.spec.seed, "request"), np.arange(1_000), {}
        for day in range(world.spec.days):
            came = set()
            while (requests := world.next_requests(until=day + 1)) is not None:
                for rows in requests.values():
                    user, visit, step = ids.parts(rows["request"])
                    begins = (visit % SLOTS < FIRST_THIEF_SLOT) & (step == 0)
                    came |= set(user[begins].tolist())
                answers = {name: policies.usual[name].act(rows) for name, rows in requests.items()}
                world.react(answers)
            assert len(came) > 300
            assert not came & left.keys()
            gone = users[world.truth.has_left(users)]
            assert left.keys() <= set(gone.tolist())
            left = dict.fromkeys(gone.tolist(), day)
        assert len(left) > 30


class TestItems:
    def test_nothing_is_shown_bought_or_rated_before_its_launch(self, shop):
        world, events = shop
        launch = world.catalogue.launch_day
        for kind in ("impression", "click", "payment", "rating"):
            day = (events[kind]["time"] - world.spec.start).dt.total_days().to_numpy()
            item = events[kind]["item"].to_numpy()
            assert (day >= launch[item]).all(), kind
            assert (launch[item] > 0).any()
        first = events["listing"].group_by("item").agg(pl.min("time"))
        listed = (first["time"] - world.spec.start).dt.total_days().to_numpy()
        np.testing.assert_array_equal(listed, launch[first["item"].to_numpy()])
        assert first.height == world.spec.items

    def test_honest_ratings_follow_their_purchase_and_spam_follows_none(self, shop):
        world, events = shop
        ratings = events["rating"]
        spam = world.truth.is_spam(ratings)
        parts = Ids(world.spec.seed, "rating").parts(ratings["event"].to_numpy())
        behind = pl.Series(Ids(world.spec.seed, "request").of(*parts))
        ratings = ratings.with_columns(purchase=behind, spam=pl.Series(spam))
        bought = events["purchase"].select("user", "item", purchase="event", bought_at="time")
        honest = ratings.filter(~pl.col("spam"))
        found = honest.join(bought, on=["user", "item", "purchase"])
        assert found.height == honest.height > 5_000
        assert ((found["time"] - found["bought_at"]).dt.total_hours() >= 24).all()
        adverts = ratings.filter("spam")
        assert adverts.height > 500
        assert adverts.join(bought, on="purchase").is_empty()
        felt = world.truth.sentiment(ratings)
        np.testing.assert_array_equal(np.isnan(felt), spam)

    def test_sentiment_can_be_learnt_from_the_words(self, shop):
        world, events = shop
        ratings = events["rating"].sort("event")
        ratings = ratings.with_columns(felt=pl.Series(world.truth.sentiment(ratings)))
        honest = ratings.filter(pl.col("felt").is_not_nan()).with_row_index("row")
        words = honest.select(
            "row", "felt", word=pl.col("text").str.to_lowercase().str.extract_all(r"[a-z]+")
        ).explode("word")
        learnt = words.filter(pl.col("row") % 2 == 0).group_by("word").agg(
            meaning=pl.mean("felt"), often=pl.len()
        ).filter(pl.col("often") >= 20)  # fmt: skip
        read = words.filter(pl.col("row") % 2 == 1).join(learnt, on="word")
        guess = read.group_by("row").agg(pl.mean("meaning"), pl.first("felt"))
        assert guess.height > 3_000
        assert guess.select(pl.corr("meaning", "felt")).item() > 0.6


def test_a_thief_finds_nothing_that_is_not_launched_either():
    spec = MarketplaceSpec(users=2_000, items=300, new_item_share=0.7, fraud_share=0.1, days=30)
    world = Marketplace(spec)
    thieves, launch, bought = world.truth._fraudsters, world.catalogue.launch_day, 0
    for day in range(spec.days):
        bursts = thieves.bursts_of(day)
        assert (launch[bursts.item] <= day).all()
        assert (bursts.item >= 0).all()
        bought += len(bursts.item)
    assert bought > 500
