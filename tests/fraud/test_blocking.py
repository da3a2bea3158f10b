"""The cutoff costs least, and the policy sees at checkout what the model saw in training."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from workbench import fraud, training
from workbench.policy import decide

START = datetime(2024, 5, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def log() -> dict[str, pl.DataFrame]:
    """Payments of 60 users; frauds are large, at bad sellers, from devices never seen before."""
    rng = np.random.default_rng(0)
    n = 8_000
    minutes = np.sort(rng.integers(0, 40 * 24 * 60, n))
    seller = rng.integers(0, 30, n)
    bad = rng.random(n) < np.where(seller < 3, 0.25, 0.01)
    payment = pl.DataFrame(
        {
            "event": np.arange(n),
            "request": np.arange(n),
            "user": rng.integers(0, 60, n),
            "seller": seller,
            "device": np.where(bad, 1_000 + np.arange(n), rng.integers(0, 60, n)),
            "place": rng.choice(["CH", "DE"], n),
            "amount": rng.lognormal(3, 0.5, n) * np.where(bad, 4, 1),
            "time": [START + timedelta(minutes=int(m)) for m in minutes],
        }
    ).with_columns(known_at=pl.col("time"))
    week = timedelta(days=7)
    chargeback = payment.filter(pl.Series(bad)).with_columns(known_at=pl.col("time") + week)
    return {"payment": payment, "chargeback": chargeback}


@pytest.fixture(scope="module")
def wanted():
    return fraud.history(["user", "seller", "device", "place"], label_delay_days=7)


@pytest.fixture(scope="module")
def rows(log, wanted) -> pl.DataFrame:
    made = fraud.frame(log["payment"].drop("known_at"), wanted, log)
    return made.with_columns(
        label=pl.col("request").is_in(log["chargeback"]["request"].to_list()).cast(pl.Float64)
    )


@pytest.fixture(scope="module")
def model(rows, wanted):
    train, _ = training.time_split(rows, at=START + timedelta(days=30), gap_days=7)
    spec = training.TrainSpec(rounds=40, depth=4)
    return training.fit(train, features=fraud.inputs(wanted), label="label", spec=spec)


def test_the_policy_scores_at_checkout_what_the_table_says(log, rows, wanted, model):
    policy = fraud.blocking(model, wanted, log, cutoff=0.5, name="xgb@1")
    last = log["payment"].tail(500).drop("known_at", "event")
    decisions = decide(policy, last)
    assert np.array_equal(decisions["score"].to_numpy(), model.score(rows.tail(500)))
    assert decisions["action"].to_list() == [
        "block" if score >= 0.5 else "approve" for score in decisions["score"]
    ]
    assert set(decisions["policy"]) == {"xgb@1"}


def test_blocking_at_the_chosen_cutoff_beats_both_lazy_policies_on_later_payments(rows, model):
    _, test = training.time_split(rows, at=START + timedelta(days=30), gap_days=7)
    choose, judge = test[: len(test) // 2], test[len(test) // 2 :]
    costs = fraud.Costs(wrong_block=10)
    cutoff = fraud.choose_cutoff(
        model.score(choose), choose["label"], choose["amount"], costs=costs
    ).cutoff
    blocked = model.score(judge) >= cutoff
    bad = judge["label"].to_numpy() == 1

    def cost(blocked):
        return judge["amount"].to_numpy()[bad & ~blocked].sum() + 10 * (blocked & ~bad).sum()

    assert cost(blocked) < 0.5 * min(cost(np.zeros_like(bad)), cost(np.ones_like(bad)))


def test_the_cutoff_is_the_best_of_all_by_brute_force():
    rng = np.random.default_rng(1)
    for trial in range(30):
        scores = rng.integers(0, 8, 40) / 8  # many ties
        labels, amounts = (rng.random(40) < 0.3).astype(float), rng.lognormal(3, 1, 40)
        costs = fraud.Costs(wrong_block=float(rng.uniform(1, 60)), lost_share=0.9)
        got = fraud.choose_cutoff(scores, labels, amounts, costs=costs)

        def cost(cutoff, s=scores, y=labels, a=amounts, c=costs):
            blocked = s >= cutoff
            return 0.9 * a[(y == 1) & ~blocked].sum() + c.wrong_block * (blocked & (y == 0)).sum()

        best = min(cost(cutoff) for cutoff in [*np.unique(scores), 9.0])
        assert cost(got.cutoff) == pytest.approx(best), trial
        assert got.cost == pytest.approx(best * 1_000 / 40)


def test_when_blocking_never_pays_nothing_is_blocked():
    got = fraud.choose_cutoff([0.9, 0.1], [0, 0], [5, 5])
    assert (got.blocked_share, got.cost) == (0, 0)
    assert got.cutoff > 0.9


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([], [], []), "not empty"),
        (([0.1], [1, 0], [1, 1]), "equally long"),
        (([0.1], [float("nan")], [1]), "leave out rows without a label"),
        (([0.1], [2], [1]), "labels must be 0 and 1"),
    ],
)
def test_bad_rows_for_a_cutoff_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        fraud.choose_cutoff(*arguments)


def test_a_model_of_other_features_is_refused(log, wanted, model):
    with pytest.raises(ValueError, match="not among the features given"):
        fraud.blocking(model, wanted[:3], log, cutoff=0.5, name="xgb@1")
    other = fraud.history(["user", "seller", "device", "place"], label_delay_days=14)
    with pytest.raises(ValueError, match="the model was trained on"):
        fraud.blocking(model, other, log, cutoff=0.5, name="xgb@1")


def test_a_new_device_and_a_foreign_place_show(log, wanted):
    now = START + timedelta(days=41)
    had = log["payment"].filter(pl.col("device") < 60)[0]
    asked = pl.DataFrame(
        {
            "user": had["user"].extend(had["user"]),
            "seller": 0,
            "amount": 10.0,
            "time": now,
            "device": [had["device"][0], 999_999],
            "place": ["CH", "US"],
        }
    )
    made = fraud.frame(asked, wanted, log)
    assert made["user_had_device"][0] > 0
    assert made["user_had_device"][1] == 0
    assert made["user_was_here"].to_list()[1] == 0
    assert made["amount_over_usual"][0] == pytest.approx(10 / made["user_usual_amount"][0])


def test_unknown_keys_and_costs_are_named():
    with pytest.raises(ValueError, match="got 'shop'"):
        fraud.history(["shop"])
    with pytest.raises(ValueError, match="wrong_block"):
        fraud.Costs(wrong_block=0)
