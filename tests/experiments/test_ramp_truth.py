"""Whole ramps, day by day, in a world that is known: what is stopped wrongly, what in time."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from workbench.experiments.difference import Moments
from workbench.experiments.guardrail import Guardrail
from workbench.experiments.ramp import Evidence, Ramp, decide

START, RAMPS, USERS_A_DAY = datetime(2026, 3, 1, tzinfo=UTC), 150, 4_000
RAMP = Ramp(
    control="old", treatment="new", least_users=100, least_days=3,
    guardrails=[Guardrail(metric="errors", better="lower"),
                Guardrail(metric="revenue", better="higher")],
)  # fmt: skip


def moments(sums):
    n, total, squares = sums
    if n < 2:
        return Moments(int(n), float(total), 0.0)
    return Moments(int(n), total / n, max(float((squares - total**2 / n) / (n - 1)), 0.0))


def play(number, errors=1.0, revenue=1.0, days=60):
    """Verdict, users who met the new arm, and whether one look alone ever spoke of harm."""
    rng, stage, since, met, peeked = np.random.default_rng([number, 7]), 0, 0, 0, False
    sums = np.zeros((2, 2, 3))  # metric, arm, (users, sum, squares)
    for day in range(1, days + 1):
        new = rng.binomial(USERS_A_DAY, RAMP.shares[stage])
        met += new
        for arm, n in enumerate((USERS_A_DAY - new, new)):
            failed = rng.binomial(n, 0.02 * (errors if arm else 1))
            spent = rng.lognormal(2, 1, n) * (revenue if arm else 1)
            sums[0, arm] += n, failed, failed
            sums[1, arm] += n, spent.sum(), (spent**2).sum()
        found = {
            name: (moments(arms[0]), moments(arms[1]))
            for name, arms in zip(("errors", "revenue"), sums, strict=True)
        }
        counts = {"old": int(sums[0, 0, 0]), "new": int(sums[0, 1, 0])}
        at = START + timedelta(days=day)
        decision = decide(RAMP, Evidence(stage, at, day - since, counts, found))
        peeked |= bool(decision.table["state"].is_in(["suspect", "harmed"]).any())
        if decision.verdict in ("rollback", "done"):
            return decision.verdict, met, peeked
        if decision.verdict == "advance":
            stage, since, sums = stage + 1, day, np.zeros((2, 2, 3))
    return "hold", met, peeked


def ramps(**effects):
    verdicts, met, peeked = zip(*(play(number, **effects) for number in range(RAMPS)), strict=True)
    return np.array(verdicts), np.array(met), np.array(peeked)


def test_harmless_ramps_are_rarely_stopped_where_daily_peeking_would_stop_many():
    verdicts, _, peeked = ramps()
    assert (verdicts == "rollback").sum() <= 0.1 * RAMPS  # 5 % for each of two guardrails
    assert (verdicts == "done").mean() > 0.9
    assert peeked.mean() > 0.3


@pytest.mark.parametrize("effects", [{"errors": 2.0}, {"revenue": 0.9}])
def test_real_harm_is_stopped_before_one_user_in_ten_has_met_it(effects):
    verdicts, met, _ = ramps(**effects)
    assert (verdicts == "rollback").mean() > 0.95
    assert np.median(met) < 0.1 * 10 * USERS_A_DAY  # it takes some ten days


def test_small_harm_passes_the_guardrails_and_is_left_to_the_analysis():
    verdicts, *_ = ramps(revenue=0.98)
    assert (verdicts == "done").mean() > 0.5  # no guardrail is a read-out
