"""Moments of payments and of the frauds among them, known from chargebacks or from the truth.

payment ──► amounts, repetition, calendar     payment + chargeback ──► frauds as complained of
payment + truth ──► frauds as they are        both fraud parts may be absent
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import polars as pl

from workbench.studies.moments import Groups, Moments, calendar_moments, top_shares

__all__ = ["card_moments"]


def card_moments(
    events: Mapping[str, pl.DataFrame], *, window_days: int, draws: int, seed: int,
    truth: Any = None,
) -> Moments:  # fmt: skip
    """Every moment that these kinds allow, by name: the moment, then its resamples.

    Parameters
    ----------
    events : mapping of kind to DataFrame
        `payment` at least: user and amount, `time` in the zone whose hours are meant, `day` from 0;
        with `request` and a kind `chargeback`, also frauds.
    window_days : int
        What repeats is measured in windows of so many days and pooled, see `shop_moments`.
    draws, seed : int
    truth : object, optional
        With `is_fraud(payments)`, shape (n,): adds the true share of frauds, nothing else.

    Returns
    -------
    dict of str to np.ndarray
        Numbers of shape (1 + draws,), profiles of shape (1 + draws, k).

    Notes
    -----
    A payment counts as complained of or not only if it was made so long before the last one that
    95 % of the complaints would be in (at most half of the span): later ones look honest yet.
    """
    drawn = partial(Groups, draws=draws, seed=seed)
    payments = events["payment"].drop_nulls("user")
    span = int(payments["day"].max()) + 1
    payments = payments.with_columns(window=pl.col("day") // window_days).sort("user", "time")
    whole = payments.filter(pl.col("window") < max(span // window_days, 1))
    moments = _amounts(payments, drawn) | _repeats(whole, window_days, drawn)
    moments |= calendar_moments(payments, "payments", draws=draws, seed=seed)
    if "seller" in whole.columns and whole["seller"].null_count() < whole.height:
        sellers = whole.drop_nulls("seller")
        code = (sellers["seller"].rank("dense").cast(pl.Int64) - 1).to_numpy()
        counts = drawn(sellers["user"]).counts(code, int(code.max()) + 1)
        moments["top 10 % of sellers, share"] = top_shares(counts, 0.1)
    if truth is not None:
        is_fraud = np.asarray(truth.is_fraud(payments), float)
        moments["frauds, true share"] = drawn(payments["user"]).mean(is_fraud)
    if "chargeback" in events and "request" in payments.columns:
        moments |= _frauds(payments, events["chargeback"], window_days, drawn)
    return moments


def _amounts(payments: pl.DataFrame, drawn) -> Moments:
    paid = payments.filter(pl.col("amount") > 0)
    if not paid.height:
        return {}
    groups, amount = drawn(paid["user"]), paid["amount"].to_numpy()
    middle, top = groups.quantiles(amount, 0.5, 0.99).T
    log = np.log(amount)
    mean = pl.col("log").mean().over("user")
    own = paid.select("user", log=pl.Series(log)).select(mean).to_series().to_numpy()
    total = groups.deviation(log)
    with np.errstate(invalid="ignore"):  # one amount only: no variance to share
        between = (groups.deviation(own) / total) ** 2
    return {
        "amount of a payment, median": middle,
        "amount of a payment, log-sd": total,
        "amount of a payment, p99 / median": top / middle,
        "log-amount variance between payers": between,
    }


def _repeats(payments: pl.DataFrame, window_days: int, drawn) -> Moments:
    if not payments.height:
        return {}
    who = payments.group_by("user", "window", maintain_order=True).len()
    groups, count = drawn(who["user"]), who["len"].to_numpy()
    moments = {
        "payers who come back, share": groups.mean(count > 1),
        "payments per payer and 30 days": groups.mean(count) * 30 / window_days,
        "payments per payer, sd / mean": groups.deviation(count) / groups.mean(count),
    }
    gaps = _gaps(payments, 86_400)
    if gaps.height:
        days = drawn(gaps["user"]).quantiles(gaps["gap"].to_numpy(), 0.5)[:, 0]
        moments["days between payments, median"] = days
    return moments


def _frauds(payments: pl.DataFrame, chargebacks: pl.DataFrame, window_days: int, drawn) -> Moments:
    late = chargebacks.unique("request").filter(
        pl.col("request").is_in(payments["request"].implode())
    )
    if not late.height:
        return {}
    moments, waited = {}, 0.0
    if {"time", "known_at"} <= set(late.columns):
        delay = (late["known_at"] - late["time"]).dt.total_seconds() / 86_400
        waited = min(delay.quantile(0.95), payments["day"].max() / 2)
        if delay.std():  # all alike is what a loader assumed, not what customers did
            days = drawn(late["request"]).quantiles(delay.to_numpy(), 0.5)[:, 0]
            moments["days until a complaint, median"] = days
    old = payments.filter(
        (pl.col("time").max() - pl.col("time")).dt.total_seconds() >= waited * 86_400
    ).with_columns(fraud=pl.col("request").is_in(late["request"].implode()))
    moments["payments complained of, share"] = drawn(old["user"]).mean(old["fraud"].to_numpy())

    whole = old.filter(pl.col("window") < max((old["day"].max() + 1) // window_days, 1))
    frauds, honest = whole.filter("fraud"), whole.filter(~pl.col("fraud"))
    if not frauds.height or not honest.height:
        return moments
    people = whole.group_by("user", "window", maintain_order=True).agg(pl.col("fraud").sum())
    groups, count = drawn(people["user"]), people["fraud"].to_numpy()
    with np.errstate(divide="ignore", invalid="ignore"):  # a resample without a victim
        moments["payers defrauded, share"] = groups.mean(count > 0)
        moments["frauds per victim"] = groups.sums(count) / groups.sums(count > 0)
    moments |= _fraud_amounts(frauds, honest, drawn)
    gaps = _gaps(frauds, 3_600)
    if gaps.height:
        hours = gaps["gap"].to_numpy()
        groups = drawn(gaps["user"])
        moments["hours between a victim's frauds"] = groups.quantiles(hours, 0.5)[:, 0]
        moments["of these gaps, share under a day"] = groups.mean(hours < 24)
    return moments


def _fraud_amounts(frauds: pl.DataFrame, honest: pl.DataFrame, drawn) -> Moments:
    stolen, paid = (rows.filter(pl.col("amount") > 0) for rows in (frauds, honest))
    if not stolen.height or not paid.height:
        return {}
    groups, amount = drawn(stolen["user"]), stolen["amount"].to_numpy()
    usual = drawn(paid["user"]).quantiles(paid["amount"].to_numpy(), 0.5)[:, 0]
    return {
        "fraud / honest amount, medians": groups.quantiles(amount, 0.5)[:, 0] / usual,
        "amount of a fraud, log-sd": groups.deviation(np.log(amount)),
    }


def _gaps(payments: pl.DataFrame, seconds: int) -> pl.DataFrame:
    """Time since the same payer's payment before, in this unit; rows that have one before."""
    before = pl.col("time").shift(1).over("user", "window")
    gap = (pl.col("time") - before).dt.total_seconds() / seconds
    return payments.sort("user", "time").select("user", gap=gap).drop_nulls("gap")
