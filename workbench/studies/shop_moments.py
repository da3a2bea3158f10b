"""Moments of a shop's sales: baskets, popularity, customers, calendar, prices, returns.

    purchase ──► baskets, popularity, customers, calendar     listing ──► prices, launches
    refund   ──► returns                                      all but purchase may be absent

A basket is what one customer bought in one session (in one request where nobody records sessions).
Lines of unknown customers (`guest`, or no user) count for popularity and not for baskets: an
invoice without a customer may bundle the orders of many people.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np
import polars as pl

from workbench.studies.moments import Groups, Moments, calendar_moments, top_shares, zipf_exponents

__all__ = ["shop_moments"]


def shop_moments(
    events: Mapping[str, pl.DataFrame], *, window_days: int, draws: int, seed: int
) -> Moments:
    """Every moment that these kinds allow, by name: the moment, then its resamples.

    Parameters
    ----------
    events : mapping of kind to DataFrame
        `purchase` at least. Each frame with `time` in the shop's own zone and `day`, from 0.
    window_days : int
        What repeats or runs out is measured in windows of so many days and pooled, because two
        logs can only be compared when they were watched equally long. Days after the last whole
        window are left out there.
    draws, seed : int

    Returns
    -------
    dict of str to np.ndarray
        Numbers of shape (1 + draws,), profiles of shape (1 + draws, k).
    """
    drawn = partial(Groups, draws=draws, seed=seed)
    lines = events["purchase"]
    span = int(lines["day"].max()) + 1
    windows = max(span // window_days, 1)
    guest = pl.col("guest").fill_null(False) if "guest" in lines.columns else pl.lit(False)
    named = pl.col("user").is_not_null() & ~guest
    lines = lines.with_columns(named=named, window=pl.col("day") // window_days)
    whole = lines.filter(pl.col("window") < windows)

    moments = _popularity(whole, windows, drawn)
    moments["lines without a customer, share"] = drawn(lines["day"]).mean(
        ~lines["named"].to_numpy()
    )
    known = lines.filter("named")
    if known.height:
        baskets = _baskets(known)
        moments |= _sizes(baskets, known, drawn)
        moments |= _customers(_baskets(whole.filter("named")), window_days, drawn)
        moments |= calendar_moments(baskets, "baskets", draws=draws, seed=seed)
        first = known.group_by("user").agg(pl.col("day").min()).sort("user")["day"]
        moments["new buyers per 30 days, share"] = _new_share(first, span, drawn)
    if "listing" in events and "amount" in events["listing"].columns:
        moments |= _prices(events["listing"], span, drawn)
    if "refund" in events:
        date = pl.col("time").dt.date()
        both = [lines.select(date, back=0.0), events["refund"].select(date, back=1.0)]
        rows = pl.concat([frame.cast({"back": pl.Float64}) for frame in both])
        back = drawn(rows["time"]).mean(rows["back"].to_numpy())
        moments["returned lines, share"] = back / (1 - back)
    return moments


def _baskets(lines: pl.DataFrame) -> pl.DataFrame:
    """One row per basket, by user and time."""
    key = next((name for name in ("session", "request") if name in lines.columns), "event")
    own = pl.col(key).fill_null(pl.col("event")) if "event" in lines.columns else pl.col(key)
    amount = pl.col("amount").sum() if "amount" in lines.columns else pl.lit(None, pl.Float64)
    return (
        lines.group_by("user", "window", own.alias("basket"))
        .agg(pl.col("time", "day").min(), lines=pl.len(), amount=amount)
        .sort("user", "time", "basket")
    )


def _sizes(baskets: pl.DataFrame, lines: pl.DataFrame, drawn) -> Moments:
    size = baskets["lines"].to_numpy()
    groups = drawn(baskets["user"])
    moments = {
        "lines per basket": groups.mean(size),
        "baskets of one line, share": groups.mean(size == 1),
    }
    paid = baskets.filter(pl.col("amount") > 0)
    if paid.height:
        groups, amount = drawn(paid["user"]), paid["amount"].to_numpy()
        moments["amount of a basket, median"] = groups.quantiles(amount, 0.5)[:, 0]
        moments["amount of a basket, log-sd"] = groups.deviation(np.log(amount))
        paid = lines.filter(pl.col("amount") > 0)
        groups, amount = drawn(paid["user"]), paid["amount"].to_numpy()
        middle, top = groups.quantiles(amount, 0.5, 0.99).T
        moments["amount of a line, log-sd"] = groups.deviation(np.log(amount))
        moments["amount of a line, p99 / median"] = top / middle
    if "quantity" in lines.columns:
        moments["units per line"] = drawn(lines["user"]).mean(lines["quantity"].to_numpy())
    return moments


def _popularity(lines: pl.DataFrame, windows: int, drawn) -> Moments:
    """Mean over the windows of how unequally items sell within one."""
    item = (lines["item"].rank("dense").cast(pl.Int64) - 1).to_numpy()
    width = int(item.max()) + 1
    nobody = -pl.int_range(1, pl.len() + 1)  # a line without a user is on its own
    who = lines.select(pl.col("user").rank("dense").cast(pl.Int64).fill_null(nobody)).to_series()
    counts = drawn(who).counts(lines["window"].to_numpy() * width + item, windows * width)
    each = [part for part in np.split(counts, windows, axis=1) if part[0].any()]

    def mean(statistic, *settings):
        return np.mean([statistic(part, *settings) for part in each], axis=0)

    return {
        "top 1 % of items, share of lines": mean(top_shares, 0.01),
        "top 10 % of items, share of lines": mean(top_shares, 0.1),
        "Zipf exponent of lines": mean(zipf_exponents),
    }


def _customers(baskets: pl.DataFrame, window_days: int, drawn) -> Moments:
    if not baskets.height:
        return {}
    who = baskets.group_by("user", "window", maintain_order=True).agg(
        baskets=pl.len(), amount=pl.col("amount").sum()
    )
    groups, count = drawn(who["user"]), who["baskets"].to_numpy()
    moments = {
        "buyers who come back, share": groups.mean(count > 1),
        "baskets per buyer and 30 days": groups.mean(count) * 30 / window_days,
        "baskets per buyer, sd / mean": groups.deviation(count) / groups.mean(count),
    }
    spent = who["amount"].fill_null(0).to_numpy()
    if (spent > 0).any():
        weights = groups.weights[:, groups.code].astype(float)
        order = np.argsort(-spent, kind="stable")
        people = np.cumsum(weights[:, order], axis=1)
        money = np.cumsum(weights[:, order] * spent[order], axis=1)
        top = people <= 0.1 * people[:, -1:]
        moments["top 10 % of buyers, share spent"] = np.max(money * top, axis=1) / money[:, -1]
    before = pl.col("time").shift(1).over("user", "window")
    gaps = baskets.with_columns(
        gap=(pl.col("time") - before).dt.total_seconds() / 86_400
    ).drop_nulls("gap")
    if gaps.height:
        days = drawn(gaps["user"]).quantiles(gaps["gap"].to_numpy(), 0.5)[:, 0]
        moments["days between baskets, median"] = days
    return moments


def _prices(listing: pl.DataFrame, span: int, drawn) -> Moments:
    order = [name for name in ("time", "event") if name in listing.columns]
    prices = listing.drop_nulls("amount").filter(pl.col("amount") > 0).sort(order)
    if not prices.height:
        return {}
    changed = (pl.col("amount") != pl.col("amount").shift(1)).over("item").fill_null(False)
    items = prices.with_columns(changed=changed).group_by("item", maintain_order=True).agg(
        pl.col("amount", "day").first(), pl.col("changed").sum()
    )  # fmt: skip
    groups = drawn(items["item"])
    return {
        "item price, log-sd": groups.deviation(np.log(items["amount"].to_numpy())),
        "price changes per item and 30 days": groups.mean(items["changed"].to_numpy()) * 30 / span,
        "new items per 30 days, share": _new_share(items["day"], span, drawn),
    }


def _new_share(first_day: pl.Series, span: int, drawn) -> np.ndarray:
    """Those first seen in the second half, per 30 days, over those seen in the first."""
    half = span // 2
    groups = drawn(pl.int_range(len(first_day), eager=True))
    new = groups.mean((first_day >= half).to_numpy())
    with np.errstate(divide="ignore", invalid="ignore"):
        return new / (1 - new) * 30 / (span - half)
