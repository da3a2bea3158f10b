"""Faults of experiments, planted and found; sound ones pass as often as promised."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from workbench.experiments.analyse import analyse
from workbench.experiments.novelty import novelty
from workbench.experiments.triggered import triggered
from workbench.experiments.validity import validity

HALVES = {"old": 0.5, "new": 0.5}


def dealt(users: int, seed: int) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    columns = {
        "user": np.arange(users),
        "variant": rng.choice(["old", "new"], users),
        "before": rng.exponential(4.0, users),
        "visits": rng.poisson(3.0, users),
    }
    return pl.DataFrame(columns)


def test_a_sound_experiment_passes_every_check():
    found = validity(dealt(4_000, 1), expected=HALVES, before=["before", "visits"])
    assert found.ok
    assert found.table["ok"].all()
    assert found.table["name"].to_list() == [
        "sample ratio",
        "multiple exposure",
        "pre-period before",
        "pre-period visits",
    ]
    assert max(map(len, repr(found).splitlines())) <= 90


def test_light_users_lost_from_one_arm_show_in_the_ratio_and_in_the_history():
    table = dealt(8_000, 2)
    lost = table.filter((pl.col("variant") == "old") | (pl.col("before") > 0.5))
    found = validity(lost, expected=HALVES, before=["before"])
    assert not found.ok
    assert not found["sample ratio"].ok
    assert not found["pre-period before"].ok
    assert repr(found).startswith("BLOCKS  sample ratio")
    assert not analyse(lost, "visits", expected=HALVES).comparisons


def test_a_deal_by_what_users_did_shows_in_the_history_alone():
    # heavy users swapped for light ones: the ratio is as planned, and yet nothing may be believed
    table = dealt(8_000, 3)
    bad = table.with_columns(before=pl.col("before") + 0.5 * (pl.col("variant") == "new"))
    found = validity(bad, expected=HALVES, before=["before", "visits"])
    assert (found.ok, found["sample ratio"].ok) == (True, True)
    assert (found["pre-period before"].ok, found["pre-period visits"].ok) == (False, True)
    assert "WARNS   pre-period before" in repr(found)
    with pytest.raises(KeyError, match="no check is called 'luck'"):
        found["luck"]


def test_users_who_moved_between_arms_are_counted_and_warned_of():
    table = dealt(2_000, 4)
    moved = table.head(60).with_columns(
        variant=pl.when(pl.col("variant") == "old").then(pl.lit("new")).otherwise(pl.lit("old"))
    )
    found = validity(pl.concat([table, moved]), expected=HALVES)
    assert found["multiple exposure"].seen == "60 of 2,000 users in several arms"
    assert not found["multiple exposure"].ok
    assert found.ok
    assert validity(pl.concat([table, moved.head(20)]), expected=HALVES)["multiple exposure"].ok
    declared = validity(table, expected=HALVES, one_row_per="user")
    assert declared.table["name"].to_list() == ["sample ratio"]


def test_false_alarms_are_as_rare_as_promised():
    """At alpha 0.05 over 400 sound experiments, of each kind: within four binomial errors."""
    alarms = np.zeros(2)
    for seed in range(400):
        table = dealt(500, 1_000 + seed)
        found = validity(table, expected=HALVES, before=["before"], alpha=0.05)
        alarms += [not found["sample ratio"].ok, not found["pre-period before"].ok]
    assert (np.abs(alarms / 400 - 0.05) < 4 * (0.05 * 0.95 / 400) ** 0.5).all()


def test_a_history_that_changes_within_a_user_is_none():
    table = dealt(100, 5)
    with pytest.raises(ValueError, match="'before' must be one value per user"):
        validity(
            pl.concat([table, table.with_columns(pl.col("before") + 1)]),
            expected=HALVES,
            before=["before"],
        )
    with pytest.raises(ValueError, match="alpha must be in"):
        validity(table, expected=HALVES, alpha=5)


def reached(users: int, seed: int, effect: float = 1.0) -> pl.DataFrame:
    """A fifth of the users can feel the treatment."""
    rng = np.random.default_rng(seed)
    table = dealt(users, seed)
    hit = rng.random(users) < 0.2
    new = (table["variant"] == "new").to_numpy()
    spent = rng.exponential(3.0, users) + 2 * hit + effect * (hit & new)
    return table.with_columns(triggered=pl.Series(hit), spent=pl.Series(spent))


def test_the_diluted_effect_covers_the_truth_and_is_sharper_than_all_users():
    covered, narrower = 0, 0
    for seed in range(200):
        table = reached(2_000, seed)
        found = triggered(table, "spent", expected=HALVES)
        plain = analyse(table, "spent", expected=HALVES)["spent"].effect
        covered += found.low <= 0.2 <= found.high
        narrower += found.high - found.low < 0.8 * (plain.high - plain.low)
    assert abs(covered / 200 - 0.95) < 4 * (0.95 * 0.05 / 200) ** 0.5
    assert narrower > 190


def test_triggered_by_hand():
    # 4 of 8 triggered; in these 1 against 2, in the others 5 against 5: 0.5 x 1 on all, of mean 3
    table = pl.DataFrame({"user": range(8), "variant": ["old", "new"] * 4})
    table = table.with_columns(
        triggered=pl.col("user") < 4,
        spent=pl.Series([1.0, 2.0, 1.0, 2.0, 5.0, 5.0, 5.0, 5.0]),
    )
    found = triggered(table, "spent", expected=HALVES)
    assert (found.share, found.difference, found.effect.effect.difference) == (0.5, 0.5, 1.0)
    assert found.lift == pytest.approx(0.5 / 3)
    assert found.ok


def test_a_treatment_that_moves_who_is_triggered_blocks():
    table = reached(4_000, 7)
    more = (pl.col("variant") == "new") & (pl.col("user") % 3 == 0)
    found = triggered(table.with_columns(pl.col("triggered") | more), "spent", expected=HALVES)
    assert not found.ok
    assert found.difference is None
    assert "no read-out: the treatment moves who is triggered" in repr(found)


def test_a_trigger_that_misses_users_is_noticed():
    table = reached(4_000, 8)
    missed = pl.when(pl.col("variant") == "new").then(pl.col("spent") + 1).otherwise("spent")
    found = triggered(table.with_columns(spent=missed), "spent", expected=HALVES)
    assert not found.ok
    assert "THE TRIGGER MISSES USERS" in repr(found)


def test_all_users_triggered_is_the_plain_read_out():
    table = reached(2_000, 9).with_columns(triggered=True)
    found = triggered(table, "spent", expected=HALVES)
    plain = analyse(table, "spent", expected=HALVES)["spent"].effect
    assert (found.low, found.high) == pytest.approx((plain.low, plain.high), rel=1e-12)
    assert found.others is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"triggered": pl.lit(None, pl.Boolean)}, "must be True or False"),
        ({"triggered": pl.lit(1)}, "must be True or False"),
        ({"triggered": pl.lit(False)}, "True for some"),
        ({"variant": pl.lit("blue")}, "arm 'blue' was not planned"),
    ],
)
def test_bad_triggers_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        triggered(reached(50, 1).with_columns(**change), "spent", expected=HALVES)


def watched(users: int, seed: int, effects) -> pl.DataFrame:
    """A row per user and day with a click; the days of a user are alike."""
    rng = np.random.default_rng(seed)
    days = len(effects)
    new = rng.random(users) < 0.5
    taste = 1 + rng.gamma(2.0, 1.0, users)
    clicks = rng.poisson(taste[:, None] + np.array(effects) * new[:, None])
    frame = pl.DataFrame(
        {
            "user": np.repeat(np.arange(users), days),
            "variant": np.repeat(np.where(new, "new", "old"), days),
            "day": np.tile(np.arange(days), users),
            "clicks": clicks.ravel(),
        }
    )
    return frame.filter((pl.col("clicks") > 0) | (pl.col("day") == 0))


def test_a_fading_effect_is_found_and_a_lasting_one_is_not_accused():
    fading = novelty(
        watched(3_000, 1, [1, 0.7, 0.4, 0.2, 0.1, 0]), "clicks", expected=HALVES, days=6
    )
    assert fading.verdict == "THE EFFECT FADES"
    assert fading.table["difference"][0] == pytest.approx(1.0, abs=0.2)
    growing = novelty(
        watched(3_000, 2, [0, 0, 0, 0.8, 0.8, 0.8]), "clicks", expected=HALVES, days=6
    )
    assert growing.verdict == "THE EFFECT GROWS"
    turning = novelty(watched(3_000, 3, [0.8, 0.8, -0.8, -0.8]), "clicks", expected=HALVES, days=4)
    assert turning.verdict == "THE EFFECT TURNS"
    alarms = [
        not novelty(watched(300, seed, [0.5] * 4), "clicks", expected=HALVES, days=4).ok
        for seed in range(300)
    ]
    assert abs(np.mean(alarms) - 0.05) < 4 * (0.05 * 0.95 / 300) ** 0.5
    assert "change" in repr(fading)


def test_novelty_by_hand():
    # old does nothing; new: 4 and 2 on day 0, then 0 and 0: early 3, late 0, change -3
    rows = pl.DataFrame(
        {
            "user": [1, 2, 3, 4],
            "variant": ["old", "old", "new", "new"],
            "day": [0, 1, 0, 0],
            "clicks": [0, 0, 4, 2],
        }
    )
    found = novelty(rows, "clicks", expected=HALVES, days=2)
    assert found.table["difference"].to_list() == [3.0, 0.0]
    parts = (found.early.difference, found.late.difference, found.change.difference)
    assert parts == (3.0, 0.0, -3.0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"day": pl.lit(9)}, r"day must be whole days in \[0, 4\)"),
        ({"day": pl.lit(0.5)}, "day must be whole days"),
        ({"clicks": pl.lit(None, pl.Int64)}, "'clicks' is null"),
        ({"clicks": pl.lit(float("inf"))}, "NaN or infinite"),
        ({"clicks": pl.lit("x")}, "must be numbers"),
        ({"variant": pl.lit("blue")}, "arm 'blue' was not planned"),
        ({"variant": pl.lit("old")}, "arm 'new' has fewer than two"),
        ({"user": pl.col("user") // 2}, "users are in more than one arm"),
    ],
)
def test_bad_days_are_named(change, message):
    rows = watched(60, 1, [0.5] * 4).with_columns(**change)
    with pytest.raises(ValueError, match=message):
        novelty(rows, "clicks", expected=HALVES, days=4)
