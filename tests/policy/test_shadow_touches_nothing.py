"""Whatever a shadow does, the live answers and the world stay what they are without it."""

from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from tests.policy.shadowed import Does, assert_same_columns, raises, requests
from workbench import features
from workbench.assign import uniform
from workbench.marketplace import Marketplace, MarketplaceSpec
from workbench.policy import NO_ITEM, Rank, Shadow, Threshold, decided

LIVE = Rank("score", 3, "live@1")


def right(rows, **changes):
    """A correct answer, with some columns changed."""
    answers = Rank("score", 2, "next@1").act(rows)
    return answers | {name: np.asarray(change(answers)) for name, change in changes.items()}


def overwrites(rows):
    for name in ("score", "item", "request"):
        rows[name].flags.writeable = True  # its own copy: nobody else has it
        rows[name][:] = 0
    rows["words"][0].append("x")
    return {}


def writes_at_once(rows):
    rows["score"][:] = 0


def spoils_the_groups(rows):
    rows.groups.sizes[:] = 1
    rows.groups.ids.sort()
    return {}


def exits(rows):
    raise SystemExit(1)


BAD = {
    "raises": (raises, "KeyError"),
    "exits": (exits, "SystemExit"),
    "writes into the requests": (writes_at_once, "ValueError"),
    "makes them writeable, then writes": (overwrites, "ValueError"),
    "spoils its groups": (spoils_the_groups, "ValueError"),
    "answers nothing": (lambda rows: None, "TypeError"),
    "leaves a column out": (lambda rows: {"request": rows["request"]}, "ValueError"),
    "answers requests of others": (
        lambda rows: right(rows, request=lambda a: a["request"] + 10_000),
        "ValueError",
    ),
    "answers twice": (
        lambda rows: right(rows, position=lambda a: np.ones_like(a["position"])),
        "ValueError",
    ),
    "signs as the live policy": (
        lambda rows: right(rows, policy=lambda a: ["live@1"] * len(a["policy"])),
        "ValueError",
    ),
    "answers in another shape": (
        lambda rows: right(rows, score=lambda a: a["score"][:-1]),
        "ValueError",
    ),
    "items that are words": (
        lambda rows: right(rows, item=lambda a: a["item"].astype(str)),
        "ValueError",
    ),
    "requests that are floats": (
        lambda rows: right(rows, request=lambda a: a["request"] + 0.0),
        "ValueError",
    ),
    "a propensity of 7": (
        lambda rows: right(rows, propensity=lambda a: a["propensity"] * 7),
        "ValueError",
    ),
    "position 0": (lambda rows: right(rows, position=lambda a: a["position"] - 1), "ValueError"),
    "actions that are numbers": (
        lambda rows: right(rows, action=lambda a: np.arange(len(a["action"]))),
        "ValueError",
    ),
}
GOOD = {
    "says that it is live": lambda rows: right(rows, live=lambda a: np.ones(len(a["live"]), bool)),
    "answers some only": lambda rows: {k: v[:5] for k, v in right(rows).items()},
    "smaller numbers": lambda rows: right(
        rows,
        score=lambda a: a["score"].astype(np.float32),
        position=lambda a: a["position"].astype(np.int16),
    ),
    "longer words": lambda rows: right(rows, action=lambda a: ["recommend"] * len(a["action"])),
}


def live_part(answers):
    return {name: values[answers["live"]] for name, values in answers.items()}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_shadow_is_counted_and_changes_nothing(name):
    what, error = BAD[name]
    asked, before = requests(), requests()
    alone = LIVE.act(requests())
    policy = Shadow(LIVE, {"bad": Does(what), "good": Rank("score", 1, "good@1")})
    answers = policy.act(asked)
    assert_same_columns(live_part(answers), alone)
    assert policy.failures == {("bad", error): 1}
    assert set(answers["policy"].tolist()) == {"live@1", "good@1"}
    for column, values in before.items():
        np.testing.assert_array_equal(asked[column], values)


@pytest.mark.parametrize("name", GOOD)
def test_an_odd_but_honest_shadow_stands_beside_and_is_not_live(name):
    answers = Shadow(LIVE, {"odd": Does(GOOD[name])}).act(requests())
    assert_same_columns(live_part(answers), LIVE.act(requests()))
    for column, values in LIVE.act(requests()).items():
        if values.dtype.kind != "U":
            assert answers[column].dtype == values.dtype
    assert (answers["policy"] == "next@1").sum() == (~answers["live"]).sum() > 0


def test_shadows_do_not_see_each_others_copies():
    first = Shadow(LIVE, {"a": Does(overwrites, "a@1"), "b": Rank("score", 2, "b@1")})
    second = Shadow(LIVE, {"b": Rank("score", 2, "b@1")})
    assert_same_columns(first.act(requests()), second.act(requests()))


def at_random(rows):
    return uniform("tests", rows["request"], rows["item"])


def blocks_some(rows):
    return uniform("fraud", rows["request"])


def all_events(wrap):
    """Everything a small world does, due or not, under policies wrapped by `wrap`."""
    world = Marketplace(MarketplaceSpec(users=400, items=80, days=3, fraud_share=0.05))
    answers = {
        "home": wrap(Rank(at_random, 5, "random")),
        "search": wrap(Rank(at_random, 8, "random")),
        "checkout": wrap(Threshold(blocks_some, 0.9, "some")),
    }
    while (asked := world.next_requests()) is not None:
        world.react({surface: answers[surface].act(rows) for surface, rows in asked.items()})
    return world._ledger.due(2**62)


def spoils_and_blocks(rows):
    rows["request"].flags.writeable = True
    answers = Rank("price", 3, "dear@1").act(rows)
    for name in list(rows):
        rows[name].flags.writeable = True
        rows[name][:] = rows[name][0]
    return answers | {"live": np.ones(len(answers["live"]), bool)}


def blocks_all(rows):
    n = len(rows["request"])
    return decided(
        rows["request"], "block@1", action="block", item=np.full(n, NO_ITEM), score=np.ones(n)
    )


def test_the_world_is_the_same_to_the_last_bit_with_and_without_shadows():
    def watched(live):
        others = {"spoils": Does(spoils_and_blocks, "dear@1"), "raises": Does(raises, "x@1")}
        if live.name == "some":
            others["block"] = Does(blocks_all, "block@1")
        return Shadow(live, others)

    alone, seen = all_events(lambda live: live), all_events(watched)
    shadows = seen["decision"].filter(~pl.col("live"))
    assert shadows.height > alone["decision"].height / 3
    assert set(shadows["policy"].unique()) == {"dear@1", "block@1"}
    seen["decision"] = seen["decision"].filter(pl.col("live"))
    assert set(seen) == set(alone)
    for kind, frame in alone.items():
        assert frame.height > 0
        assert_frame_equal(seen[kind], frame, check_exact=True, check_row_order=False)


def test_an_online_store_that_a_shadow_reads_is_not_written(tmp_path):
    paid_at = datetime(2024, 5, 1, tzinfo=UTC)
    paid = pl.DataFrame({"event": range(50), "user": range(50), "amount": 10.0})
    paid = paid.with_columns(time=paid_at, known_at=paid_at)
    spent = features.sum("amount", of="payment", per="user", days=30, name="spent_30d")
    store = features.OnlineStore(tmp_path, spent)
    store.apply({"payment": paid})
    file = tmp_path / "data.mdb"
    before = file.read_bytes()

    def reads(rows):
        found = [
            store.read({"user": int(user)}, at=datetime(2024, 5, 3, tzinfo=UTC))["spent_30d"] or 0.0
            for user in rows["user"]
        ]
        return Threshold(lambda _: np.array(found), 5.0, "reads@1").act(rows)

    n = 80
    asked = {"request": np.arange(n), "user": np.arange(n), "score": np.zeros(n)}
    policy = Shadow(Threshold("score", 0.5, "live@1"), {"reads": Does(reads, "reads@1")})
    answers = policy.act(asked)
    assert (answers["action"] == "block").sum() == 50
    assert file.read_bytes() == before
    store.close()
