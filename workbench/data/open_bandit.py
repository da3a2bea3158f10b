"""The Open Bandit Dataset (small) in the vocabulary: one week of a fashion shop's recommendations.

Two policies answered visitors side by side, `random` and a Thompson sampler `bts`, on two pages,
the `men` and the `women` campaign. A page has three places; the set has 10,000 impressions for
each policy and page, drawn from millions, with the probability of each.

    a page view, as far as sampled       ──► request      with the visitor's four hashed features
    what the policy knew of its taste    ──► features     `affinity`: past clicks, one for each item
    one recommended item in its place    ──► decision     with propensity, and impression
    a click                              ──► click
    an item, with its features           ──► listing
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from types import MappingProxyType

import polars as pl

__all__ = ["ASSUMPTIONS", "CONTRACTS", "KINDS", "events", "table"]

KINDS: Mapping[str, int] = MappingProxyType(
    {
        "request": 39_983,
        "features": 39_983,
        "decision": 40_000,
        "impression": 40_000,
        "click": 207,
        "listing": 80,
    }
)
CONTRACTS = ()

ASSUMPTIONS = (
    "Who came is not published: there is no user. Split such requests by request.",
    "Impressions with the same policy, page, time and visitor features are one request.",
    "Items of the two campaigns are different: a woman's item n is 1000 + n here.",
    "A click happened, and was known, when the item was shown: no later time is published.",
    "The policies are called random@1 and bts@1, and are the variants of one test; their shares of "
    "the visitors are unknown, because the set takes 10,000 impressions of each.",
    "Items have no date: listed at the midnight before the first impression. Their hashed features "
    "are salted differently in the two policies' files, but group alike: those of random are kept.",
)

POLICIES, CAMPAIGNS = ("random", "bts"), ("men", "women")
OFFSET = MappingProxyType({"men": 0, "women": 1000})  # of the campaign's items

_VISITOR = [f"user_feature_{n}" for n in range(4)]
_AFFINITY = r"^user-item_affinity_\d+$"


def table(folder: Path) -> pl.DataFrame:
    """The four files as published, 40,000 rows, with `policy` and `campaign` in front."""
    parts = [
        pl.read_csv(folder / policy / campaign / f"{campaign}.csv").select(
            pl.lit(policy).alias("policy"), pl.lit(campaign).alias("campaign"), pl.exclude("")
        )
        for policy in POLICIES
        for campaign in CAMPAIGNS
    ]
    return pl.concat(parts, how="diagonal")


def events(folder: Path) -> dict[str, pl.DataFrame]:
    """The impressions as requests, decisions, impressions and clicks; see ASSUMPTIONS."""
    shown = _shown(folder)
    views = shown.filter(pl.col("request").is_first_distinct())
    place = ["request", "item", "position", "surface"]
    return {
        "request": views.select(
            pl.col("request").alias("event"), *_CLOCKS, "request", "surface", *_VISITOR
        ),
        "features": views.select(
            pl.col("request").alias("event"), *_CLOCKS, "request", "policy", "affinity"
        ),
        "decision": shown.select(
            *(pl.col("row").alias("event"), *_CLOCKS, *place, "policy", "propensity", "variant"),
            action=pl.lit("show"),
            live=pl.lit(True),
        ),
        "impression": shown.select(pl.col("row").alias("event"), *_CLOCKS, *place),
        "click": shown.filter(pl.col("click") == 1).select(
            pl.col("row").alias("event"), *_CLOCKS, *place
        ),
        "listing": _listings(folder, shown["time"].min()),
    }


_CLOCKS = ("time", "known_at")


def _shown(folder: Path) -> pl.DataFrame:
    """All impressions by time, with row and request number."""
    parts = [_impressions(folder, policy, page) for policy in POLICIES for page in CAMPAIGNS]
    view = pl.struct("time", "policy", "surface", *_VISITOR)
    return (
        pl.concat(parts)
        .sort("time", maintain_order=True)
        .with_columns(
            row=pl.int_range(pl.len(), dtype=pl.Int64),
            request=view.is_first_distinct().cum_sum().cast(pl.Int64) - 1,
        )
        # a view's later rows take the number of its first
        .with_columns(pl.col("request").first().over("time", "policy", "surface", *_VISITOR))
    )


def _impressions(folder: Path, policy: str, campaign: str) -> pl.DataFrame:
    time = pl.col("timestamp").str.to_datetime(
        "%Y-%m-%d %H:%M:%S%.f%:z", time_unit="us", time_zone="UTC"
    )
    return pl.read_csv(folder / policy / campaign / f"{campaign}.csv").select(
        *_VISITOR,
        "position",
        "click",
        time=time,
        known_at=time,
        item=pl.col("item_id") + OFFSET[campaign],
        surface=pl.lit(campaign),
        policy=pl.lit(f"{policy}@1"),
        variant=pl.lit(policy),
        propensity=pl.col("propensity_score"),
        affinity=pl.concat_list(pl.col(_AFFINITY)),
    )


def _listings(folder: Path, first: datetime) -> pl.DataFrame:
    midnight = pl.lit(first).dt.truncate("1d")
    parts = [
        pl.read_csv(folder / "random" / campaign / "item_context.csv").select(
            event=pl.col("item_id") + OFFSET[campaign],
            time=midnight,
            known_at=midnight,
            item=pl.col("item_id") + OFFSET[campaign],
            surface=pl.lit(campaign),
            **{name: pl.col(name) for name in (f"item_feature_{n}" for n in range(4))},
        )
        for campaign in CAMPAIGNS
    ]
    return pl.concat(parts)
