"""Fraud comes in its share, shows in history, arrives late, and leaks through nothing else."""

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import roc_auc_score

from workbench.assign import uniform
from workbench.marketplace import Marketplace, MarketplaceSpec
from workbench.marketplace.techniques import TECHNIQUES
from workbench.policy import Threshold


def test_the_share_of_frauds_is_the_specs(checkouts):
    frauds = checkouts["label"].sum()
    assert frauds > 900
    assert frauds / checkouts.height == pytest.approx(0.008, rel=0.12)


def test_the_dial_keeps_the_share(play):
    spec = MarketplaceSpec(days=12, fraud_share=0.05).at(scale=0.3)
    world = Marketplace(spec)
    payments = play(world)["payment"]
    assert world.truth.is_fraud(payments).mean() == pytest.approx(0.05, rel=0.2)


@pytest.mark.parametrize("how", TECHNIQUES[:3], ids=str)
def test_complaints_arrive_log_normally_late_and_some_never(checkouts, shop, how):
    world, events = shop
    named = pl.Series(world.truth.technique(checkouts)) == how.name
    frauds = checkouts.filter(named & (pl.col("day") < 25)).join(
        events["chargeback"].select("request", told_at="known_at", paid_at="time"),
        on="request",
        how="left",
    )
    delay = (frauds["told_at"] - frauds["paid_at"]).dt.total_seconds() / 86_400
    median = 14 * how.delay_factor * np.exp(-(0.8**2) / 2)
    error = 0.5 / frauds.height**0.5
    complains = 1 - 0.1 * how.never_factor
    assert (delay < median).sum() / frauds.height == pytest.approx(complains / 2, abs=4 * error)
    never = world.truth.never_complained(frauds)
    assert never.mean() == pytest.approx(1 - complains, abs=3 * error)
    assert delay.is_null().to_numpy()[never].all()


def test_only_approved_frauds_are_complained_about(checkouts, shop):
    world, events = shop
    assert world.truth.is_fraud(events["chargeback"]).all()
    assert set(events["chargeback"]["request"]) <= set(events["payment"]["request"])
    assert not world.truth.is_fraud(events["click"]).any()


def test_delays_average_what_the_spec_says(play):
    spec = MarketplaceSpec(users=800, days=24, fraud_share=0.05, chargeback_delay_days=2.0,
                           never_complained_share=0.0)  # fmt: skip
    world = Marketplace(spec)
    events = play(world)
    early = pl.col("time") < spec.start + pl.duration(days=14)
    complaints = events["chargeback"].filter(early)
    paid = events["payment"].filter(early)
    assert complaints.height == world.truth.is_fraud(paid).sum()
    factor = pl.Series(world.truth.technique(complaints)).replace_strict(
        {how.name: how.delay_factor for how in TECHNIQUES}
    )
    days = (complaints["known_at"] - complaints["time"]).dt.total_seconds() / 86_400
    assert (days / factor).mean() == pytest.approx(2.0, rel=0.15)


def half(rows):
    return uniform("half", rows["request"])


def test_a_blocked_payment_has_no_outcome_and_an_approved_one_goes_on_as_ever(play, policies):
    spec = MarketplaceSpec(users=600, days=12, fraud_share=0.2, chargeback_delay_days=1.0)
    everything = play(spec)
    blocks = Threshold(half, 0.5, "block half")
    events = play(spec, policies.usual | {"checkout": blocks})
    paid, told = set(events["payment"]["request"]), set(events["chargeback"]["request"])
    refused = events["decision"].filter(pl.col("action") == "block")["request"]
    assert len(refused) > 1_000
    assert told < paid
    assert not set(refused) & paid
    both = paid & set(everything["payment"]["request"])
    assert told & both == set(everything["chargeback"]["request"]) & both


def test_friendly_fraud_is_as_rare_as_the_spec_says_and_off_by_default(shop, play):
    world, events = shop
    assert not world.truth.friendly_fraud(events["payment"]).any()
    spec = MarketplaceSpec(users=500, days=12, friendly_fraud_share=0.1, chargeback_delay_days=0.0)
    world = Marketplace(spec)
    events = play(world)
    friendly = world.truth.friendly_fraud(events["payment"])
    honest = ~world.truth.is_fraud(events["payment"])
    assert friendly[honest].mean() == pytest.approx(0.1, abs=4 * 0.3 / honest.sum() ** 0.5)
    assert not friendly[~honest].any()
    complaints = set(events["chargeback"]["request"])
    assert set(events["payment"].filter(friendly)["request"]) < complaints
    assert not world.truth.never_complained(events["payment"].filter(friendly)).any()


def test_disputes_of_more_than_everybody_are_an_error():
    with pytest.raises(ValueError, match=r"friendly_fraud_share must be in \[0, 1\], got 1.5"):
        MarketplaceSpec(friendly_fraud_share=1.5)


def test_the_fraud_probability_is_calibrated(checkouts, shop):
    world, _ = shop
    likely, fraud = world.truth.fraud_probability(checkouts), checkouts["label"].to_numpy()
    assert ((likely >= 0) & (likely <= 1)).all()
    assert likely.sum() == pytest.approx(fraud.sum(), rel=0.1)
    for low, high in [(0.01, 0.05), (0.05, 0.2), (0.2, 0.6), (0.6, 1.01)]:
        band = (likely >= low) & (likely < high)
        error = np.sqrt(likely[band].mean() * (1 - likely[band].mean()) / band.sum())
        assert fraud[band].mean() == pytest.approx(likely[band].mean(), abs=6 * error)  # bursts
    by_technique = world.truth.technique_probability(checkouts)
    np.testing.assert_allclose(by_technique.sum(axis=1), likely)
    for kind, how in enumerate(TECHNIQUES):
        mine = world.truth.technique(checkouts) == how.name
        assert by_technique[:, kind].sum() == pytest.approx(mine.sum(), abs=6 * mine.sum() ** 0.5)
    assert roc_auc_score(fraud, likely) > 0.95
    plain = checkouts.select("amount", night=pl.col("time").dt.hour() < 6)
    for baseline in plain:
        assert roc_auc_score(fraud, baseline) < 0.75


def _with_history(checkouts, events):
    """What a shop can know about a checkout: the user's devices, home, past amounts and haste."""
    rows = checkouts.sort("user", "time").join(
        events["profile"].select("user", home="place", first_device="device"), on="user",
        maintain_order="left",
    )  # fmt: skip
    seen = events["request"].group_by("user", "device").agg(seen=pl.col("time").min())
    rows = rows.join(seen, on=["user", "device"], maintain_order="left")
    age = (pl.col("time") - pl.col("seen")).dt.total_seconds() / 86_400
    known = pl.col("device") == pl.col("first_device")
    for window in ("1h", "1d", "30d"):
        past = rows.rolling("time", period=window, group_by="user", closed="left").agg(
            pl.len().alias("n_" + window), pl.mean("amount").alias("mean_" + window)
        )
        rows = rows.with_columns(past["n_" + window], past["mean_" + window])
    return rows.select(
        "day", "label", "amount", "n_1h", "n_1d", "n_30d",
        device_age=pl.when(known).then(pl.lit(100.0)).otherwise(age),
        away=pl.col("place") != pl.col("home"),
        hour=pl.col("time").dt.hour(),
        over_mean=pl.col("amount") / pl.col("mean_30d"),
    )  # fmt: skip


def test_history_finds_fraud_until_the_shock_and_again_after_retraining(checkouts, shop):
    import xgboost

    rows = _with_history(checkouts, shop[1])

    def split(first, last):
        part = rows.filter(pl.col("day").is_between(first, last, closed="left"))
        return part.drop("day", "label").cast(pl.Float64).to_numpy(), part["label"].to_numpy()

    def trained(first, last):
        return xgboost.XGBClassifier(
            n_estimators=100, max_depth=4, learning_rate=0.1, base_score=0.5, n_jobs=1
        ).fit(*split(first, last))

    def auc(model, first, last):
        features, label = split(first, last)
        return roc_auc_score(label, model.predict_proba(features)[:, 1])

    old, new = trained(5, 30), trained(40, 50)
    before, after, retrained = auc(old, 30, 40), auc(old, 50, 60), auc(new, 50, 60)
    assert 0.9 < before < 0.98
    assert after < before - 0.05
    assert retrained > after + 0.05
    plain = checkouts.filter(pl.col("day") < 40)
    assert 0.6 < roc_auc_score(plain["label"], plain["amount"]) < 0.75
