"""The true effect of a policy: the same people, the same luck, once under each."""

from datetime import UTC, datetime

import polars as pl
import pytest

from workbench.data.replay import Replay
from workbench.events import EventLog
from workbench.marketplace import Marketplace, MarketplaceSpec
from workbench.policy import Rank, Threshold
from workbench.studies.both_worlds import true_value_per_user, value_per_payment

PAGE = Rank("price", 5, "page@1")


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    world = Marketplace(MarketplaceSpec(users=500, items=200, days=8, fraud_share=0.2))
    log = EventLog(tmp_path_factory.mktemp("both") / "log", clock=world.clock)
    world.run(policies(300.0), until=4, log=log)
    return world, log


def policies(cutoff):
    return {"home": PAGE, "search": PAGE, "checkout": Threshold("amount", cutoff, f"at {cutoff}@1")}


def value(played, cutoff, until=6):
    world, log = played
    return true_value_per_user(
        world, log, lambda _: policies(cutoff), until=until, margin=0.1, commit_minutes=1440
    )


def test_world_and_log_stay_as_they_were_and_equal_policies_differ_by_nothing(played):
    world, log = played
    now, version = world.now, log.version
    assert value(played, 300.0) - value(played, 300.0) == 0.0
    assert (world.now, log.version) == (now, version)


def test_it_is_the_value_of_the_world_that_then_comes(played, tmp_path):
    foretold = value(played, 150.0)
    spec = played[0].spec
    world = Marketplace(spec)
    log = EventLog(tmp_path / "log", clock=world.clock)
    world.run(policies(300.0), until=4, log=log)
    began = world.now
    world.run(policies(150.0), until=6, log=log)
    checkout = pl.col("surface") == "checkout"
    asked = log.scan("request", start=began).filter(checkout).select("request", "amount")
    rows = log.scan("decision", start=began).filter(checkout).join(asked, on="request").collect()
    costs = world.truth.is_fraud(rows) & ~world.truth.never_complained(rows)
    honest = rows.with_columns(label=pl.Series(costs).cast(pl.Float64))
    worth = value_per_payment(honest, margin=0.1)
    assert foretold == pytest.approx(worth["value"].sum() / rows["user"].n_unique())


def test_blocking_everything_is_worth_nothing(played):
    assert value(played, 0.0) == 0.0


def test_a_record_cannot_be_played_twice(tmp_path):
    noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
    payment = {"event": [7], "request": [7], "user": [1], "amount": [9.5]}
    world = Replay({"payment": pl.DataFrame(payment).with_columns(time=noon, known_at=noon)})
    with pytest.raises(ValueError, match="Replay has no truth"):
        true_value_per_user(world, EventLog(tmp_path), lambda log: {}, until=1, margin=0.1)


def test_a_margin_is_a_share():
    with pytest.raises(ValueError, match=r"margin must be in \[0, 1\], got 10"):
        value_per_payment(pl.DataFrame(), margin=10)
