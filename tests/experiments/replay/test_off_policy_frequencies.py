"""Chances that are not what happens are found; chances that are, are let pass."""

import numpy as np
import polars as pl
import pytest

from workbench.experiments.replay.frequencies import propensity_check
from workbench.experiments.replay.logged import policy_chances
from workbench.policy import Explore, decide


def candidates(requests=1_500, seed=0):
    rng = np.random.default_rng(seed)
    return pl.DataFrame(
        {
            "request": np.repeat(np.arange(requests), 4),
            "item": np.tile(np.arange(4), requests),
            "score": rng.normal(size=requests * 4),
        }
    )


ASKED = candidates()
PLACES = pl.DataFrame({"position": [1, 2]})


def offered(policy):
    cells = ASKED.join(PLACES, how="cross").with_columns(action=pl.lit("show"))
    return cells.with_columns(propensity=pl.Series(policy_chances(policy, ASKED, cells)))


def policy(temperature=1.0, salt="a"):
    return Explore("score", 2, temperature=temperature, salt=salt)


@pytest.mark.parametrize("settings", [{"temperature": 1.0}, {"epsilon": 0.3}], ids=str)
def test_true_chances_pass_as_often_as_alpha_says(settings):
    """Also where a whole slate is chosen at once: with epsilon, places are not independent."""
    cells = offered(Explore("score", 2, salt="a", **settings))
    alarms = sum(
        not propensity_check(
            decide(Explore("score", 2, salt=str(n), **settings), ASKED), cells, alpha=0.05
        ).ok
        for n in range(50)
    )
    assert alarms <= 8  # 99.9 % of the binomial with 50 and 0.05


def test_expected_and_shown_add_up():
    check = propensity_check(decide(policy(), ASKED), offered(policy()))
    for _, rows in check.table.group_by("kind"):
        assert rows["expected"].sum() == pytest.approx(3_000)
        assert rows["shown"].sum() == 3_000


def test_the_chances_of_another_temperature_are_found_out():
    check = propensity_check(decide(policy(), ASKED), offered(policy(temperature=1.3)))
    assert not check.ok
    assert "NOT AS PROMISED" in repr(check)
    assert max(map(len, repr(check).splitlines())) <= 90


def test_an_item_that_is_filtered_out_after_the_chances_were_logged_is_found_out():
    log = decide(policy(), ASKED.filter(pl.col("item") != 3))
    check = propensity_check(log, offered(policy()))
    worst = check.table.sort("p_value").row(0, named=True)
    assert (worst["kind"], worst["group"], worst["shown"]) == ("item", "3", 0)


def test_by_hand():
    log = pl.DataFrame({"request": range(100), "position": 1, "item": [0] * 60 + [1] * 40})
    cells = log.select("request", "position").join(
        pl.DataFrame({"item": [0, 1], "propensity": [0.5, 0.5]}), how="cross"
    )
    table = propensity_check(log, cells).table.filter(pl.col("kind") == "item")
    assert table["z"].to_list() == pytest.approx([2.0, -2.0])
    assert table["p_value"].to_list() == pytest.approx([0.0455, 0.0455], abs=1e-4)


def test_a_sure_thing_that_does_not_happen_is_found_out_and_one_that_does_passes():
    log = pl.DataFrame({"request": range(20), "position": 1, "item": [0] * 20})
    sure = pl.DataFrame({"item": [0, 1], "propensity": [1.0, 0.0]})
    places = log.select("request", "position")
    assert propensity_check(log, places.join(sure, how="cross")).ok
    never = sure.with_columns(propensity=1 - pl.col("propensity"))
    assert propensity_check(log, places.join(never, how="cross")).p_value == 0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda cells: cells.filter(pl.col("item") != 0), "each .request, position, item. once"),
        (lambda cells: cells.with_columns(pl.col("propensity") / 2), "add up to 1 at each place"),
        (lambda cells: cells.with_columns(propensity=pl.lit(None, pl.Float64)), "number in"),
        (lambda cells: pl.concat([cells, cells]), "once"),
        (lambda cells: cells.drop("propensity"), "offered has no column 'propensity'"),
    ],
)
def test_what_cannot_be_compared_is_refused(change, words):
    with pytest.raises(ValueError, match=words):
        propensity_check(decide(policy(), ASKED), change(offered(policy())))


def test_settings_and_empty_logs_are_refused():
    log, cells = decide(policy(), ASKED), offered(policy())
    with pytest.raises(ValueError, match="bins"):
        propensity_check(log, cells, bins=0)
    with pytest.raises(ValueError, match="empty"):
        propensity_check(log.clear(), cells)
