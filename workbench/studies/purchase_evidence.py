"""Slates against what customers then bought."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import polars as pl

from workbench import metrics
from workbench.events import EventLog
from workbench.studies.scorecard import Score

__all__ = ["PurchaseEvidence", "hits"]


@dataclass(frozen=True)
class PurchaseEvidence:
    """What the log says about slates, and how sure: intervals draw whole users."""

    log: EventLog
    k: int
    rng: np.random.Generator

    def visits(self, first: datetime, last: datetime) -> pl.DataFrame:
        """Visits of customers with a name in [first, last): `request user time`, by time."""
        lines = self.log.scan("purchase", start=first, end=last)
        if "guest" in lines.collect_schema():
            lines = lines.filter(~pl.col("guest"))
        visits = lines.group_by("request").agg(pl.col("user").first(), pl.col("time").min())
        return visits.sort("time", "request").collect()

    def bought(self, visits: pl.DataFrame) -> pl.DataFrame:
        """`request`, `item`: what these visits ended in, each item once."""
        lines = self.log.scan("purchase", start=visits["time"].min()).select("request", "item")
        return lines.unique().collect().join(visits, on="request", how="semi")

    def slates(self, visits: pl.DataFrame, *policies: str) -> pl.DataFrame:
        """`request item position score` of what these policies showed or would have shown."""
        rows = self.log.scan("decision", start=visits["time"].min())
        rows = rows.filter(pl.col("policy").is_in(policies), pl.col("item").is_not_null())
        rows = rows.select("request", "item", "position", "score", "policy").collect()
        return rows.join(visits, on="request", how="semi")

    def each(self, visits: pl.DataFrame, slates: pl.DataFrame, name: str) -> np.ndarray:
        """Recall or NDCG (`name`) at k of each visit, in the order of `visits`."""
        found = hits(slates, self.bought(visits), k=self.k)
        return visits.join(found, on="request", how="left", maintain_order="left")[name].to_numpy()

    def mean(self, what: str, visits: pl.DataFrame, values, *, baseline=None) -> Score:
        """The mean over visits."""
        found = metrics.interval(np.mean, values, rng=self.rng, groups=visits["user"].to_numpy())
        return Score(
            what=what, measured=found.estimate, low=found.low, high=found.high, baseline=baseline
        )


def hits(slates: pl.DataFrame, bought: pl.DataFrame, *, k: int) -> pl.DataFrame:
    """Recall and NDCG at k of each request that ended in a purchase.

    Parameters
    ----------
    slates : pl.DataFrame
        `request`, `item`, `position` from 1. A request without a slate has found nothing.
    bought : pl.DataFrame
        `request`, `item`, each pair once.
    k : int

    Returns
    -------
    pl.DataFrame
        `request`, `recall` (of all that was bought), `ndcg` (gain 1 an item).

    Examples
    --------
    >>> bought = pl.DataFrame({"request": [1, 1], "item": ["cup", "pot"]})
    >>> shown = pl.DataFrame({"request": [1, 1], "item": ["tea", "cup"], "position": [1, 2]})
    >>> hits(shown, bought, k=10).with_columns(pl.col("ndcg").round(3)).row(0)
    (1, 0.5, 0.387)
    """
    shown = slates.filter(pl.col("position") <= k).select("request", "item", "position")
    discount = (pl.lit(2.0).log() / (1.0 + pl.col("position")).log()).fill_null(0.0)
    ideal = pl.Series("ideal", np.cumsum(1 / np.log2(1 + np.arange(1, k + 1))))
    best = pl.DataFrame({"held": np.arange(1, k + 1)}).with_columns(ideal)
    return (
        bought.join(shown, on=["request", "item"], how="left")
        .group_by("request")
        .agg(
            recall=pl.col("position").is_not_null().mean(),
            gain=discount.sort().sum(),
            held=pl.len().clip(upper_bound=k).cast(pl.Int64),
        )
        .join(best, on="held")
        .select("request", "recall", ndcg=pl.col("gain") / pl.col("ideal"))
        .sort("request")
    )
