"""Strangers' tables of pairs: what the shadow explorer cannot use is named before it is drawn."""

import numpy as np
import pandas as pd
import polars as pl
import pytest

from workbench.widgets.shadow_explorer import Choice, explore
from workbench.widgets.shadow_ground import ground_of
from workbench.widgets.shadow_panel import panel


def scores(rows=300):
    rng = np.random.default_rng(0)
    return pd.DataFrame({"live_score": rng.random(rows), "shadow_score": rng.random(rows)})


@pytest.mark.parametrize(
    ("cutoff", "words"),
    [
        ("half", "cutoff must be a finite number, got 'half'"),
        (float("nan"), "cutoff must be a finite number, got nan"),
        ({"live": 0.5, "shadow": "x"}, "cutoff must be a finite number, got 'x'"),
        ({"live": 0.5, "shadow": float("inf")}, "cutoff must be a finite number, got inf"),
    ],
)
def test_a_cutoff_is_a_finite_number(cutoff, words):
    with pytest.raises(ValueError, match=words):
        panel(scores(), cutoff=cutoff)


def test_a_positive_action_that_nobody_took_is_an_error_if_there_are_others():
    said = scores().assign(live_action="yes", shadow_action=["yes", "no"] * 150)
    with pytest.raises(ValueError, match=r"positive must be one of the actions \['no', 'yes'\]"):
        ground_of(said)
    assert explore(ground_of(said, positive="yes")).rate == 0.5
    calm = scores().assign(live_action="approve", shadow_action="approve")  # nobody was blocked
    assert explore(ground_of(calm)).rate == 0


@pytest.mark.parametrize("what", [None, {"a": 1}, pd.DataFrame({"a": [1]}), scores().head(0)])
def test_what_is_no_table_of_pairs_is_named(what):
    with pytest.raises(ValueError, match=r"not a table|no column 'live_score'|no row has both"):
        panel(what, cutoff=0.5)


def test_categories_zones_and_decimals_of_pandas_and_polars_are_read():
    hours = pd.date_range("2026-01-01", periods=300, tz="Europe/Zurich", freq="h")
    mine = scores().assign(kind=pd.Categorical(["a", "b", None] * 100), hour=hours)
    ground = ground_of(mine, cutoff=0.5)
    assert explore(ground, Choice(by="kind")).slices["rows"].to_list() == [100, 100, 100]
    assert explore(ground, Choice(by="hour")).slices["rows"].sum() == 300
    exact = pl.DataFrame(scores()).with_columns(pl.col("live_score").cast(pl.Decimal(10, 4)))
    assert ground_of(exact, cutoff=0.5).apart.sum() > 0
