"""Regret by the cost of shipping: by hand, as the arena marks it, and where the order turns."""

import numpy as np
import polars as pl
import pytest

from workbench.studies.arena import Arena, ArenaSpec
from workbench.studies.arena_marks import marks
from workbench.studies.peeking_regret import regret_by_cost

SPEC = ArenaSpec(horizon_users=1_000, share=0.5)
TEAMS = ("fixed horizon", "daily peek")


def by_hand():
    """Two experiments with a better arm (2 a user), two with a twin. The peek always ships."""
    rows = [
        {"cell": "clean", "cuped": False, "procedure": team, "arm": arm, "experiment": number,
         "truth": truth, "users": 100, "claim": claim}
        for team in TEAMS
        for arm, truth in (("better", 2.0), ("same", 0.0))
        for number in (0, 1)
        for claim in [1 if team == "daily peek" or (arm, number) == ("better", 1) else 0]
    ]  # fmt: skip
    return Arena(SPEC, pl.DataFrame(rows), pl.DataFrame())


def cheapest(table, cost):
    return table.filter(ship_cost=cost).sort("regret")["procedure"][0]


def test_by_hand():
    """Shipped: 2 * (1,000 - 50 - 900) = 100 lost; left away: 1,900. A shipped twin: the cost."""
    free = regret_by_cost(by_hand(), [0.0], twin_share=0.5)
    assert dict(free.select("procedure", "regret").rows()) == {
        "fixed horizon": 0.5 * (1_900 + 100) / 2,
        "daily peek": 0.5 * 100,
    }
    dear = regret_by_cost(by_hand(), [600.0], twin_share=0.5)
    assert dict(dear.select("procedure", "regret").rows()) == {
        "fixed horizon": 0.5 * (1_900 - 600 + 100) / 2,
        "daily peek": 0.5 * 100 + 0.5 * 600,
    }


def test_over_is_paired_with_the_peek_of_the_same_experiments():
    table = regret_by_cost(by_hand(), [0.0], twin_share=0.0)
    fixed = table.row(by_predicate=pl.col("procedure") == "fixed horizon", named=True)
    assert fixed["over"] == (1_800 + 0) / 2
    half = 1.959964 * np.std([1_800, 0], ddof=1) / np.sqrt(2)
    assert fixed["over_high"] - fixed["over"] == pytest.approx(half)
    peek = table.row(by_predicate=pl.col("procedure") == "daily peek", named=True)
    assert (peek["over"], peek["over_low"], peek["over_high"]) == (0.0, 0.0, 0.0)


def test_the_dearer_shipping_and_the_more_twins_the_worse_for_who_claims_all():
    few, many = (regret_by_cost(by_hand(), [0.0, 600.0], twin_share=s) for s in (0.1, 0.95))
    assert cheapest(few, 0.0) == cheapest(many, 0.0) == "daily peek"
    assert cheapest(few, 600.0) == "daily peek"
    assert cheapest(many, 600.0) == "fixed horizon"


def test_without_twins_and_at_no_cost_it_is_the_regret_of_the_arena():
    rows = by_hand().rows.with_columns(
        estimate=0.0, low=0.0, high=0.0, look=0, blocked=False,
        regret=pl.when(pl.col("truth") == 0).then(0.0)
        .when(pl.col("claim") > 0).then(100.0).otherwise(1_900.0),
    )  # fmt: skip
    table = regret_by_cost(Arena(SPEC, rows, pl.DataFrame()), [0.0], twin_share=0.0)
    for row in table.iter_rows(named=True):
        marked = marks(rows.filter(procedure=row["procedure"]))["regret"]
        assert row["regret"] == marked.estimate


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"twin_share": 1.2}, r"twin_share must be in \[0, 1\], got 1.2"),
        ({"twin_share": 0.5, "costs": []}, "one or more"),
        ({"twin_share": 0.5, "costs": [-1]}, "none below 0"),
        ({"twin_share": 0.5, "cell": "heavy"}, "an arm with an effect, got 'heavy'"),
    ],
)
def test_bad_wishes_are_named(more, words):
    with pytest.raises(ValueError, match=words):
        regret_by_cost(by_hand(), **{"costs": [0.0]} | more)
