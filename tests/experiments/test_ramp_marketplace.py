"""Two challengers ramped by the book in a shop: the bad is taken back, the good gets everybody."""

from datetime import timedelta

import numpy as np
import pytest

from workbench.assign import uniform
from workbench.events import EventLog
from workbench.experiments.exposures import exposed
from workbench.experiments.guardrail import Guardrail
from workbench.experiments.ramp import Ramp
from workbench.experiments.ramp_analysis import analyse_ramp
from workbench.experiments.ramp_book import RampBook
from workbench.marketplace import Marketplace, MarketplaceSpec
from workbench.policy import Rank, Split, Threshold

SPEC = MarketplaceSpec(users=2_000, items=200, days=14, visits_per_day=0.7, fraud_share=0.01)
RAMP = Ramp(
    control="old", treatment="new", shares=[0.05, 0.2, 0.5, 1], least_users=30, least_days=2,
    guardrails=[Guardrail(metric="clicks", better="higher", tolerated=0.05)],
)  # fmt: skip
ARMS, METRICS = ["old", "new"], {"clicks": "click", "purchases": "purchase"}


def at_random(rows):
    return uniform("ramp", rows["request"], rows["item"])


def cheap(rows):
    return -rows["price"]


def nothing(rows):
    return np.zeros(len(rows["request"]))


OLD = Rank(at_random, 5, "random")
OTHERS = {"search": Rank(at_random, 8, "random"), "checkout": Threshold(nothing, 0.5, "approve")}


def ramped(challenger, folder):
    """Day by day: the shop runs on the book's shares, the book decides on the log."""
    world, log = Marketplace(SPEC), EventLog(folder / "log")
    log.clock = world.clock
    book = RampBook(folder / "book", RAMP, start=world.now)
    for day in range(1, SPEC.days + 1):
        split = Split({"old": OLD, "new": challenger}, book.shares, salt="home ramp")
        world.run(OTHERS | {"home": split}, until=day, log=log)
        if book.stage is None:
            break
        seen = exposed(log, METRICS, arms=ARMS, horizon=timedelta(days=1), at=world.now,
                       stages=book.changes, entry="each")  # fmt: skip
        book.watch(seen.table, at=world.now)
        if book.shares["new"] == 1:
            break
    return book, log


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    return ramped(Rank(cheap, 5, "cheap"), tmp_path_factory.mktemp("good"))


def test_the_good_challenger_reaches_everybody_stage_by_stage(good):
    book, _ = good
    verdicts = book.table.filter(book.table["verdict"] != "hold")
    assert verdicts["verdict"].to_list() == ["advance", "advance", "done"]
    assert verdicts["share"].to_list() == [0.2, 0.5, 1.0]
    assert book.shares == {"old": 0.0, "new": 1.0}
    days = [round((each - book.start) / timedelta(days=1)) for each in book.changes]
    assert np.diff([0, *days]).min() >= 2


def test_nobody_who_was_in_the_new_arm_ever_left_it(good):
    _, log = good
    decisions = log.scan("decision").drop_nulls("variant").collect().sort("time")
    assert decisions["variant_share"].n_unique() > 4
    moves = decisions.group_by("user", maintain_order=True).agg("variant")["variant"].to_list()
    assert sum("new" in each and "old" in each for each in moves) > 20  # moved in, that is all
    assert not any("old" in each[each.index("new") :] for each in moves if "new" in each)


def test_the_ramp_is_read_over_all_stages_and_finds_the_true_gain(good):
    book, log = good
    seen = exposed(log, METRICS, arms=ARMS, horizon=timedelta(days=1), stages=book.changes)
    effect = analyse_ramp(seen.table, ["clicks"], arms=ARMS)["clicks"]
    everybody = {
        name: OTHERS | {"home": home} for name, home in [("old", OLD), ("new", Rank(cheap, 5, "x"))]
    }
    world = Marketplace(SPEC)
    true = world.truth.potential_outcomes(everybody, until=2).effect("clicks", "new")
    assert effect.low > 0
    assert effect.lift_low < true.relative < effect.lift_high


def test_the_bad_challenger_is_taken_back_before_most_have_seen_it(tmp_path):
    book, log = ramped(Rank(at_random, 1, "one item"), tmp_path)
    assert book.stage is None
    last = book.table.row(-1, named=True)
    assert (last["verdict"], last["share"]) == ("rollback", 0.0)
    assert last["reasons"].startswith("clicks: harmed")
    after = log.scan("decision", start=last["time"]).drop_nulls("variant").collect()
    assert len(after) > 100  # the day after: everybody is back
    assert after["variant"].unique().to_list() == ["old"]
    assert last["stage"] <= 1  # of 4: at most a fifth of the users ever met it
