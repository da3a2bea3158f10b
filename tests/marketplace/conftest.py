"""One default world, played once, and the small policies that play it."""

from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

from workbench.assign import uniform
from workbench.marketplace import Marketplace, MarketplaceSpec
from workbench.policy import Rank, Threshold


def at_random(rows):
    return uniform("tests", rows["request"], rows["item"])


def nothing(rows):
    return np.zeros(len(rows["request"]))


RANDOM_PAGES = Rank(at_random, 5, "random")
APPROVE_ALL = Threshold(nothing, 0.5, "approve all")
BLOCK_ALL = Threshold(nothing, -0.5, "block all")
RANDOM_RESULTS = Rank(at_random, 8, "random")
PAGES = {"home": RANDOM_PAGES, "search": RANDOM_RESULTS}
POLICIES = PAGES | {"checkout": APPROVE_ALL}


def played(spec_or_world, policies=POLICIES, until=None):
    """All events of a world that no log listens to, as frames by kind."""
    world = spec_or_world
    if isinstance(world, MarketplaceSpec):
        world = Marketplace(world)
    world.play(policies, until=until)
    return world.events()


@pytest.fixture(scope="session")
def play():
    return played


@pytest.fixture(scope="session")
def policies():
    """Fill pages at random; approve everything or nothing."""
    return SimpleNamespace(
        usual=POLICIES, at_random=at_random, home=RANDOM_PAGES,
        dearest=Rank("price", 5, "dearest"), rule=Threshold("amount", 100.0, "rule"),
        approve=POLICIES, block=PAGES | {"checkout": BLOCK_ALL},
    )  # fmt: skip


@pytest.fixture(scope="session")
def shop():
    """The default world after sixty days of random pages and open checkouts, and its events."""
    world = Marketplace(MarketplaceSpec())
    return world, played(world)


@pytest.fixture(scope="session")
def checkouts(shop):
    """Every checkout of `shop` with the true label and its day."""
    world, events = shop
    rows = world.truth.label(events["request"].filter(pl.col("surface") == "checkout"))
    day = (pl.col("time") - world.spec.start).dt.total_days()
    return rows.with_columns(day=day)
