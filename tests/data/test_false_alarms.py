"""Sound data passes, day after day: the gate before training must not cry wolf.

20 shops, 14 days each, with weekly season, closed nights, heavy tails, and values that are missing
or rare: 280 looks. Stated bounds: errors on at most 1 % of the days, warnings on at most 5 %.
"""

from datetime import timedelta

import numpy as np
import polars as pl
import pytest

from workbench.data.broken import FAULTS, START, sound
from workbench.data.checks import report
from workbench.data.rules import ratios

SHOPS, DAYS = 20, 14
PER_DAY = 120


def shop(seed):
    """Six weeks of a small shop: missing and rare values, heavy tails, good and bad days."""
    rows = sound(days=28 + DAYS, per_day=PER_DAY, seed=seed)
    rng = np.random.default_rng(seed)
    weight = rng.lognormal(0, 0.1, 28 + DAYS)  # good and bad days
    day = (rows["known_at"] - START).dt.total_days().to_numpy()
    kept = rows.filter(pl.Series(rng.random(len(rows)) < np.minimum(weight[day] * 0.8, 1)))
    n = len(kept)
    return kept.drop("sequence").with_columns(
        seller=pl.Series(rng.integers(0, 50, n)),
        note=pl.when(pl.Series(rng.random(n) < 0.1)).then(pl.lit("gift")),
        town=pl.Series([f"town {c}" for c in np.minimum(rng.zipf(1.6, n), 150)]),
        score=pl.Series(np.where(rng.random(n) < 0.05, np.nan, rng.beta(2, 30, n))),
        profit=pl.Series(rng.normal(0, 5, n)),
        new=pl.Series(rng.random(n) < 0.3),
        quantity=pl.Series(rng.geometric(0.4, n)),
    )


@pytest.fixture(scope="module")
def alarms():
    found = []
    for seed in range(SHOPS):
        rows = shop(seed)
        for day in range(28, 28 + DAYS):
            at = START + timedelta(days=day + 1)
            findings = report(rows, "payment", at=at).findings
            found.append([(each.severity, each.check, each.evidence) for each in findings])
    return found


def test_errors_are_on_at_most_one_clean_day_in_a_hundred(alarms):
    assert len(alarms) == SHOPS * DAYS
    bad = [day for day in alarms if any(severity == "error" for severity, *_ in day)]
    assert len(bad) <= 0.01 * len(alarms), bad


def test_warnings_are_on_at_most_one_clean_day_in_twenty(alarms):
    bad = [day for day in alarms if day]
    assert len(bad) <= 0.05 * len(alarms), bad


# not seen in shops this small: three hours of silence, half of the amounts moved
UNSEEN = {"freshness", "distribution"}


@pytest.mark.parametrize("fault", sorted(set(FAULTS) - UNSEEN - {"sequence gaps", "label delay"}))
def test_the_same_shops_do_raise_alarms_when_something_is_wrong(fault):
    """Without this, a report that is always empty would pass."""
    at, caught = START + timedelta(days=29), 0
    for seed in range(4):
        rows = shop(seed).filter(pl.col("known_at") < at).with_columns(sequence=pl.lit(0))
        today = pl.col("known_at") >= at - timedelta(days=1)
        live = FAULTS[fault](rows.filter(today))
        table = pl.concat([rows.filter(~today), live], how="diagonal_relaxed").drop("sequence")
        caught += fault in {each.check for each in report(table, "payment", at=at).findings}
    assert caught == 4


def test_ratios_between_kinds_are_quiet_by_chance():
    rng = np.random.default_rng(0)
    found = 0
    for _ in range(300):
        shown = {day: int(rows) for day, rows in enumerate(rng.poisson(3_000, 29))}
        clicks = {day: int(rng.binomial(rows, 0.05)) for day, rows in shown.items()}
        found += len(ratios({"impression": shown, "click": clicks}))
    assert found <= 3
