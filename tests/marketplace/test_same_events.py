"""Same spec, same events: whatever the waves, the process or the order of the rows."""

import hashlib
import os
import subprocess
import sys

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from workbench.marketplace import Marketplace, MarketplaceSpec
from workbench.policy import NO_ITEM, Rank, Threshold

SMALL = MarketplaceSpec(users=300, days=8, items=200, fraud_share=0.05, shock_day=5)


def assert_same(first, second):
    assert first.keys() == second.keys()
    for kind in first:
        columns = sorted(first[kind].columns)
        assert sorted(second[kind].columns) == columns
        assert_frame_equal(first[kind].select(columns), second[kind].select(columns))


@pytest.fixture(scope="module")
def events(play):
    return play(SMALL)


def test_equal_specs_give_bit_identical_events(play, events):
    assert_same(events, play(MarketplaceSpec(**{k: getattr(SMALL, k) for k in SMALL.__slots__})))


def test_another_seed_is_another_world(play, events):
    other = play(MarketplaceSpec(users=300, days=8, seed=1))
    assert set(other["request"]["request"]).isdisjoint(events["request"]["request"])


@pytest.mark.parametrize("wave_minutes", [30, 1440])
def test_events_do_not_depend_on_how_time_is_cut_into_waves(play, policies, events, wave_minutes):
    from dataclasses import replace

    assert_same(events, play(replace(SMALL, wave_minutes=wave_minutes)))
    cut = replace(SMALL, wave_minutes=wave_minutes)
    assert_same(play(SMALL, policies.block), play(cut, policies.block))


class Backwards:
    """The same decisions with their rows in reverse, asked with the requests in reverse."""

    def __init__(self, policy):
        self.policy = policy

    def act(self, requests):
        answers = self.policy.act({name: values[::-1] for name, values in requests.items()})
        return {name: values[::-1] for name, values in answers.items()}


def test_events_do_not_depend_on_the_order_of_decisions(play, policies, events):
    backwards = {surface: Backwards(policy) for surface, policy in policies.usual.items()}
    assert_same(events, play(SMALL, backwards))


def test_events_can_be_collected_at_any_time(policies, events):
    world, parts = Marketplace(SMALL), []
    for day in (0.3, 1, 3.5, 8):
        while (requests := world.next_requests(until=day)) is not None:
            world.react({name: policies.usual[name].act(rows) for name, rows in requests.items()})
        parts.append(world.events())
    for kind, frame in events.items():
        whole = pl.concat([part[kind] for part in parts if kind in part], how="diagonal")
        assert_frame_equal(whole.sort("time", "event"), frame, check_column_order=False)


PROGRAM = """
import hashlib
from workbench.marketplace import Marketplace, MarketplaceSpec
from workbench.policy import Rank, Threshold
world = Marketplace(MarketplaceSpec(users=100, days=3))
dearest = Rank(lambda rows: rows["price"], 5)
policies = {"home": dearest, "search": dearest, "checkout": Threshold("amount", 500)}
while (requests := world.next_requests()) is not None:
    world.react({name: policies[name].act(rows) for name, rows in requests.items()})
text = "".join(f"{kind}{frame.write_csv()}" for kind, frame in world.events().items())
print(hashlib.sha256(text.encode()).hexdigest())
"""


def test_another_process_with_other_hashes_sees_the_same_events(play):
    dearest = Rank(lambda rows: rows["price"], 5)
    policies = {"home": dearest, "search": dearest, "checkout": Threshold("amount", 500)}
    events = play(MarketplaceSpec(users=100, days=3), policies)
    text = "".join(f"{kind}{frame.write_csv()}" for kind, frame in events.items())
    here = hashlib.sha256(text.encode()).hexdigest()
    there = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True,
        env=os.environ | {"PYTHONHASHSEED": "17"},
    )  # fmt: skip
    assert there.stdout.strip() == here


def test_a_persons_luck_does_not_depend_on_the_policy(play, policies):
    def first_ten(rows):
        return np.argsort(np.argsort(rows["item"])) * -1.0

    def shuffled_ten(rows):  # the same ten items of a page, but for the positions
        score = first_ten(rows).reshape(-1, 20)
        kept = np.argsort(np.argsort(-score, axis=1), axis=1) < 10
        again = policies.at_random(rows).reshape(-1, 20)
        return np.where(kept, again, again - 2).ravel()

    one, other = (
        play(SMALL, policies.usual | {"home": Rank(score, 10, "a")})
        for score in (first_ten, shuffled_ten)
    )
    key = ["user", "request", "item"]
    pages = [
        each["impression"].join(each["click"].select(*key, clicked=True), on=key, how="left")
        for each in (one, other)
    ]
    both = pages[0].join(pages[1], on=key, suffix="_other").fill_null(False)
    same_place = both.filter(pl.col("position") == pl.col("position_other"))
    assert same_place.height > 500
    assert same_place["clicked"].sum() > 30
    assert same_place["clicked"].to_list() == same_place["clicked_other"].to_list()
    higher = both.filter(pl.col("position") < pl.col("position_other"))
    assert higher.filter(pl.col("clicked_other") & ~pl.col("clicked")).is_empty()
    assert higher["clicked"].sum() > higher["clicked_other"].sum()
    homes = [
        set(each["request"].filter(pl.col("surface") == "home")["request"]) for each in (one, other)
    ]
    assert len(homes[0] & homes[1]) > 0.9 * len(homes[0])  # the others: better moods, more visits


def test_an_empty_slate_is_shown_and_leads_to_nothing(play, policies):
    class Nothing:
        def act(self, requests):
            request = np.unique(requests["request"])
            full = np.full(len(request), NO_ITEM)
            return {"request": request, "item": full, "position": np.ones_like(request),
                    "action": np.full(len(request), "show")}  # fmt: skip

    events = play(SMALL, policies.usual | {"home": Nothing(), "search": Nothing()})
    assert not {"impression", "click"} & events.keys()
    decisions = events["decision"].filter(pl.col("surface") == "home")
    assert decisions["item"].is_null().all()
    assert set(decisions["policy"]) == {"by hand"}
