"""The same world on any number of workers, to the bit."""

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from workbench import cluster
from workbench.events import EventLog
from workbench.lab import Clock
from workbench.marketplace import Marketplace, MarketplaceSpec, Shock
from workbench.marketplace.parts import run_in_parts

# scarce stock, bots and a sale, so that what people share really moves
SPEC = MarketplaceSpec(
    users=150, items=60, days=4, visits_per_day=2.0, stock_days=1.0, fraud_share=0.1,
    shocks=(Shock(kind="bots", day=2, size=0.1), Shock(kind="sale", day=1, category=3)),
)  # fmt: skip


def logged(tmp_path, policies, parts, client=None):
    log = EventLog(tmp_path / f"{parts}", clock=Clock())
    run_in_parts(SPEC, policies, log, parts=parts, client=client)
    assert log.quarantine().is_empty()
    return {kind: log.scan(kind).collect().sort("time", "event") for kind in log.kinds}


@pytest.fixture(scope="module")
def alone(tmp_path_factory, policies):
    world = Marketplace(SPEC)
    log = EventLog(tmp_path_factory.mktemp("alone") / "log", clock=world.clock)
    world.run(policies.usual, log=log)
    return {kind: log.scan(kind).collect().sort("time", "event") for kind in log.kinds}


def assert_same(first, second):
    assert first.keys() == second.keys()
    for kind in first:
        assert_frame_equal(first[kind], second[kind], check_column_order=False)


@pytest.mark.parametrize("parts", [1, 2, 5])
def test_one_two_and_five_parts_play_the_same_world(tmp_path, policies, alone, parts):
    assert_same(logged(tmp_path, policies.usual, parts), alone)


def test_on_workers_of_a_cluster_too(tmp_path, policies, alone):
    pages = dict.fromkeys(("home", "search"), policies.dearest)
    usual = pages | {"checkout": policies.rule}
    with cluster.connect(workers=2) as client:
        apart = logged(tmp_path, usual, 2, client)
    assert_same(apart, logged(tmp_path / "here", usual, 1))
    assert not apart["decision"].equals(alone["decision"])


def test_what_the_parts_share_matters_in_this_world(alone):
    listings = alone["listing"].filter(pl.col("time") > SPEC.start)
    assert (listings["stock"] == 0).any()
    assert alone["impression"]["bestseller"].any()


@pytest.mark.parametrize("parts", [0, 151])
def test_no_parts_and_more_parts_than_people_are_an_error(policies, parts):
    with pytest.raises(ValueError, match=rf"parts must be in \[1, 150\].* got {parts}"):
        run_in_parts(SPEC, policies.usual, parts=parts)
