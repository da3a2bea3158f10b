"""The same table gives the same read-out to the last bit, however often it is asked."""

import numpy as np
import polars as pl

from workbench.experiments import Mean, Proportion, Ratio, analyse

HALVES = {"old": 0.5, "new": 0.5}


def test_the_same_rows_give_the_same_bits():
    rng = np.random.default_rng(0)
    user = rng.integers(0, 10_000, 40_000)
    table = pl.DataFrame(
        {"user": user, "variant": np.where(user % 2, "new", "old"),
         "spent": rng.gamma(0.5, 40, 40_000), "pages": rng.integers(1, 9, 40_000)}
    )  # fmt: skip
    metrics = [Mean("spent"), Ratio("spent", "pages")]
    found = {str(analyse(table, metrics, expected=HALVES).table.rows()) for _ in range(20)}
    assert len(found) == 1


def test_equal_shares_differ_by_nothing_at_all():
    clicked = np.zeros(20_000)
    clicked[np.random.default_rng(1).permutation(10_000)[:46]] = 1
    clicked[10_000 + np.random.default_rng(2).permutation(10_000)[:46]] = 1
    table = pl.DataFrame(
        {"user": range(20_000), "variant": ["old"] * 10_000 + ["new"] * 10_000, "clicked": clicked}
    )
    effect = analyse(table, [Proportion("clicked")], expected=HALVES)["clicked"].effect
    assert (effect.difference, effect.lift, effect.p_value) == (0.0, 0.0, 1.0)
