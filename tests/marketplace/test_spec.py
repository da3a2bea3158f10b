from datetime import UTC, datetime

import pytest

from workbench.marketplace import Marketplace, MarketplaceSpec, Shock, TechniqueRun


@pytest.mark.parametrize(
    ("dials", "words"),
    [
        ({"users": 0}, "users must be at least 1, got 0"),
        ({"users": 2**24 + 1}, "users must be at most"),
        ({"users": 10.5}, "users must be a whole number, got 10.5"),
        ({"items": -3}, "items must be at least 2, got -3"),
        ({"days": 0}, "days must be at least 1"),
        ({"candidates": 3_000}, "candidates must be at most the 2000 items"),
        ({"fraud_share": 1.5}, r"fraud_share must be in \[0, 1\], got 1.5"),
        ({"fraud_share": 0.9}, "fraud_share must be at most 0.5"),
        ({"direct_share": float("nan")}, "direct_share must be in"),
        ({"wave_minutes": 7}, "wave_minutes must divide a day of 1440, got 7"),
        ({"visits_per_day": -1.0}, "visits_per_day must be at least 0"),
        ({"visits_per_day": 50.0}, "visits_per_day must be at most 5"),
        ({"chargeback_delay_days": -2.0}, "chargeback_delay_days must be at least 0"),
        ({"shock_day": 61}, r"shock_day must be in \[0, days\] = \[0, 60\], got 61"),
        ({"shock_segment": "cats"}, "shock_segment must be one of"),
        ({"price_level": "25"}, "price_level must be a number, got '25'"),
        ({"shocks": Shock(kind="sale", day=1)}, "shocks must be a tuple of Shock, got one alone"),
        ({"techniques": TechniqueRun("card testing")}, "must be a tuple of TechniqueRun, got one"),
        ({"price_level": -5.0}, "price_level must be at least 0.01, got -5.0"),
        ({"stock_days": -1.0}, "stock_days must be at least 0"),
        ({"search_share": 0.8}, r"must sum to 1 at most, got 0.35 \+ 0.8"),
        ({"newcomer_share": 2.0}, r"newcomer_share must be in \[0, 1\], got 2.0"),
        ({"shocks": ("sale",)}, "shocks must be a tuple of Shock, got 'sale'"),
        ({"shocks": (Shock(kind="sale", day=60),)}, "must begin before day 60, the end"),
        ({"shocks": (Shock(kind="sale", day=1, category=20),)}, r"must be in \[0, 20\), got 20"),
        ({"start": datetime(2024, 1, 1)}, "start must carry a time zone"),
        ({"start": datetime(2024, 1, 1, 5, tzinfo=UTC)}, "start must be a midnight"),
    ],
)
def test_an_impossible_spec_is_an_error_with_the_rule(dials, words):
    with pytest.raises(ValueError, match=words):
        MarketplaceSpec(**dials)


@pytest.mark.parametrize(
    ("dials", "words"),
    [
        ({"kind": "war"}, r"kind must be one of \['tastes', .* got 'war'"),
        ({"kind": "sale", "day": -1}, "day must be a whole number from 0 on, got -1"),
        ({"kind": "sale", "day": 1.5}, "day must be a whole number from 0 on, got 1.5"),
        ({"kind": "sale", "days": 0}, "days must be a whole number from 1 on, got 0"),
        (
            {"kind": "sale", "size": 1.0},
            r"size of a shock of kind sale must be in \(0, 0.95\], got",
        ),
        ({"kind": "bots", "size": float("nan")}, "must be in .*got nan"),
        ({"kind": "tastes", "segment": "cats"}, "segment must be one of"),
        ({"kind": "sale", "segment": "retired"}, "a shock of kind sale has no segment"),
        ({"kind": "bots", "category": 1}, "a shock of kind bots has no category"),
    ],
)
def test_an_impossible_shock_is_an_error_with_the_rule(dials, words):
    with pytest.raises(ValueError, match=words):
        Shock(**{"day": 3} | dials)


@pytest.mark.parametrize("scale", [-1, 0, float("inf"), float("nan")])
def test_a_scale_that_is_no_size_is_an_error(scale):
    with pytest.raises(ValueError, match="scale must be positive"):
        MarketplaceSpec().at(scale=scale)


def test_the_dial_moves_people_items_and_sellers_and_nothing_else():
    small = MarketplaceSpec(seed=3).at(scale=0.1)
    assert (small.users, small.items, small.sellers) == (500, 200, 20)
    assert (small.seed, small.days, small.fraud_share) == (3, 60, 0.008)
    assert MarketplaceSpec().at(scale=1e-9).items >= MarketplaceSpec().candidates


def test_a_list_of_shocks_becomes_part_of_the_value():
    shock = Shock(kind="sale", day=1)
    assert MarketplaceSpec(shocks=[shock]) == MarketplaceSpec(shocks=(shock,))
    assert hash(MarketplaceSpec(shocks=[shock]))


def test_the_shock_keeps_its_place_when_the_run_gets_shorter():
    assert MarketplaceSpec(days=30).first_shock_day == 20
    still = Marketplace(MarketplaceSpec(users=5, days=30, shock_day=30, techniques=()))
    assert still.truth.shock_days == []
    assert still.truth.shocks.is_empty()


@pytest.mark.parametrize(
    "dials",
    [
        {"users": 1},
        {"visits_per_day": 0.0},
        {"direct_share": 1.0, "search_share": 0.0},
        {"fraud_share": 0.0},
        {"fraud_share": 0.5, "users": 2},
        {"candidates": 1},
        {"items": 20, "candidates": 20},
        {"shock_day": 0},
        {"wave_minutes": 1440},
    ],
)
def test_worlds_at_the_edge_can_be_played(play, dials):
    events = play(MarketplaceSpec(**{"users": 30, "days": 2} | dials))
    assert events["profile"].height == dials.get("users", 30)
