"""Bounds that hold at all looks: few false alarms on harmless arms, quick on harmful ones."""

import math

import numpy as np
import pytest

from workbench.experiments.difference import Moments
from workbench.experiments.guardrail import Guardrail, loss_of, one_sided_bound, sequential_ratio

ALPHA, LOOKS, USERS, RUNS = 0.05, 40, 1_000, 400  # a look a day, new users a day


def days(values):
    """Moments at each look of (runs, looks, users a day), cumulated."""
    n = np.arange(1, values.shape[1] + 1) * values.shape[2]
    mean = values.sum(axis=2).cumsum(axis=1) / n
    squares = (values**2).sum(axis=2).cumsum(axis=1)
    return Moments(n, mean, (squares - n * mean**2) / (n - 1))


def looks(draw, share, effect=1.0, runs=RUNS):
    new = round(USERS * share)
    return days(draw((runs, LOOKS, USERS - new))), days(effect * draw((runs, LOOKS, new)))


def metric(name, rng):
    return {
        "normal": lambda size: rng.normal(10, 5, size),
        "money": lambda size: rng.lognormal(2, 1.5, size),
        "errors": lambda size: (rng.random(size) < 0.02).astype(float),
    }[name]


@pytest.mark.parametrize("share", [0.02, 0.5])
@pytest.mark.parametrize("better", ["lower", "higher"])
@pytest.mark.parametrize("name", ["normal", "money", "errors"])
def test_forty_looks_at_a_harmless_arm_alarm_at_most_as_often_as_promised(name, better, share):
    control, treatment = looks(metric(name, np.random.default_rng(1)), share)
    guardrail = Guardrail(metric=name, better=better)
    loss = loss_of(guardrail, control, treatment, alpha=ALPHA)
    # true rate 5 %: more than 33 of 400 has a chance of 0.2 %
    assert loss.harmed.any(axis=1).sum() <= 33
    assert loss.safe.any(axis=1).sum() <= 33  # no loss tolerated: a proof would be wrong too


def test_peeking_at_a_fixed_test_alarms_far_more_often():
    for name, least in [("normal", 0.2), ("money", 0.4)]:
        control, new = looks(metric(name, np.random.default_rng(1)), 0.02)
        error = np.sqrt(control.variance / control.users + new.variance / new.users)
        alarms = ((control.mean - new.mean) / error > 1.645).any(axis=1).mean()
        assert alarms > least


def test_a_loss_within_what_is_tolerated_is_no_alarm_and_is_proven_safe_in_time():
    control, new = looks(metric("normal", np.random.default_rng(2)), 0.5, effect=1.02)
    guardrail = Guardrail(metric="latency_ms", better="lower", tolerated=0.05)
    loss = loss_of(guardrail, control, new, alpha=ALPHA)
    assert loss.harmed.any(axis=1).sum() <= 33
    assert loss.safe[:, -1].mean() > 0.9


@pytest.mark.parametrize(("effect", "by_look"), [(1.1, 10), (1.5, 1)])
def test_a_real_loss_is_found_large_ones_on_the_first_day(effect, by_look):
    control, new = looks(metric("normal", np.random.default_rng(3)), 0.1, effect=effect)
    loss = loss_of(Guardrail(metric="latency_ms", better="lower"), control, new, alpha=ALPHA)
    assert loss.harmed[:, by_look - 1].mean() > 0.9


def test_the_bound_follows_the_formula_by_hand():
    # v = 4, rho = 1 / 0.5^2 = 4: sqrt(2 * 8 * ln(1 + sqrt(2) / 0.1)) / 4
    assert one_sided_bound(4.0, 0.05, 0.5) == pytest.approx(
        math.sqrt(16 * math.log(1 + math.sqrt(2) / 0.1)) / 4
    )


def test_the_loss_by_hand():
    guardrail = Guardrail(metric="revenue", better="higher", tolerated=0.1, scales=[0.5])
    loss = loss_of(guardrail, Moments(100, 10.0, 4.0), Moments(50, 8.0, 2.0), alpha=0.05)
    assert loss.loss == pytest.approx(0.9 * 10 - 8)
    # variance: 0.81 * 4 / 100 + the larger of 4 and 2 over 50; mean of all (1000 + 400) / 150
    bound = one_sided_bound(1 / (0.81 * 0.04 + 0.08), 0.05, 0.5 * 1400 / 150)
    assert (loss.low, loss.high) == pytest.approx((1 - bound, 1 + bound))
    assert not loss.harmed
    assert not loss.safe


def test_what_is_negative_tolerates_a_share_of_its_size():
    guardrail = Guardrail(metric="profit", better="higher", tolerated=0.1)
    same = Moments(1_000, -10.0, 4.0)
    assert loss_of(guardrail, same, same, alpha=0.05).loss == pytest.approx(-1.0)


def test_limits_have_an_answer():
    guardrail = Guardrail(metric="errors", better="lower")
    nothing = loss_of(guardrail, Moments(999, 0.0, 0.0), Moments(99, 0.0, 0.0), alpha=0.05)
    assert (nothing.loss, nothing.low, nothing.high) == (0, 0, 0)
    exact = loss_of(guardrail, Moments(999, 0.0, 0.0), Moments(99, 1.0, 0.0), alpha=0.05)
    assert exact.low == 1
    assert exact.harmed
    few = loss_of(guardrail, Moments(999, 0.0, 0.0), Moments(29, 1.0, 0.0), alpha=0.05)
    assert few.low == -np.inf
    assert not few.harmed
    nobody = loss_of(guardrail, Moments(999, 0.5, 0.2), Moments(0, 0.0, 0.0), alpha=0.05)
    assert not nobody.harmed
    assert not nobody.safe


@pytest.mark.parametrize(
    "wrong",
    [{"better": "up"}, {"tolerated": -0.1}, {"tolerated": 1}, {"confidence": 0.5},
     {"confidence": 1}, {"scales": []}, {"scales": [0]}, {"least_users": 1},
     {"tolerated": float("nan")}],
)  # fmt: skip
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match=f"x: {next(iter(wrong))}"):
        Guardrail(**{"metric": "x", "better": "lower"} | wrong)
    with pytest.raises(ValueError, match="alpha"):
        one_sided_bound(1.0, 0.5, 1.0)


class TestSequentialRatio:
    def test_daily_looks_at_a_sound_split_stay_silent_where_the_fixed_test_does_not(self):
        from scipy.stats import chi2

        rng, alarms, fixed = np.random.default_rng(4), 0, 0
        for _ in range(200):
            new = rng.binomial(500, 0.1, 60).cumsum()
            n = 500 * np.arange(1, 61)
            z = (new - 0.1 * n) ** 2 / (n * 0.09)
            fixed += (chi2.sf(z, 1) < 0.05).any()
            alarms += any(
                not sequential_ratio(
                    {"old": int(b - a), "new": int(a)}, {"old": 0.9, "new": 0.1}, alpha=0.05
                ).ok
                for a, b in zip(new, n, strict=True)
            )
        assert fixed > 40
        assert alarms <= 18  # 5 % of 200; more has a chance of 0.5 %

    def test_lost_users_are_found(self):
        shares = {"old": 0.5, "new": 0.5}
        assert not sequential_ratio({"old": 50_000, "new": 48_500}, shares).ok
        assert sequential_ratio({"old": 50_000, "new": 49_800}, shares).ok

    def test_the_factor_by_hand(self):
        # prior (500, 500), one user: p(1) = 1/2 under both, so no evidence at all
        assert sequential_ratio({"old": 1}, {"old": 0.5, "new": 0.5}).p_value == pytest.approx(1)
        # two in one arm: 1/2 * 501/1001 against 1/4
        ratio = sequential_ratio({"old": 2}, {"old": 0.5, "new": 0.5})
        assert ratio.p_value == pytest.approx(1001 / 1002)

    def test_bad_input(self):
        with pytest.raises(ValueError, match="was not planned"):
            sequential_ratio({"bold": 2}, {"old": 0.5, "new": 0.5})
        with pytest.raises(ValueError, match="no users"):
            sequential_ratio({}, {"old": 0.5, "new": 0.5})
        with pytest.raises(ValueError, match="sum to 1"):
            sequential_ratio({"old": 2}, {"old": 0.5, "new": 0.6})
