"""Three rankers of a home page, learnt from clicks on pages that were filled at random.

    clicks ─► how often is this item clicked? ───────────────────────► old
           └► … and how often does this person click this category? ─► new
                                    … at most two of a category ─────► varied

Pages filled at random show every item in every place, so a click rate needs no correction, and
models are compared on the very pages that were shown. Counts are as of one moment: what a nightly
batch would serve.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import polars as pl

from workbench import training
from workbench.policy import Columns
from workbench.training import Model, TrainSpec

__all__ = ["INPUTS", "ClickCounts", "fit_clicks", "page_score", "shown_and_clicked"]

INPUTS = {"old": ("item_rate",), "new": ("item_rate", "taste")}
_ITEM_PRIOR, _TASTE_PRIOR = 20, 3  # impressions at the mean rate that every count begins with
_MOST_OF_A_KIND = 2


def shown_and_clicked(log) -> pl.DataFrame:
    """One row per item shown on a home page: `request user item time category clicked`.

    `log` is an EventLog with kinds impression, click and listing.
    """
    home = pl.col("surface") == "home"
    clicks = log.scan("click").filter(home).select("request", "item", clicked=1.0).unique()
    listed = log.scan("listing").select("item", category="category_name").unique("item")
    shown = log.scan("impression").filter(home).select("request", "user", "item", "time")
    joined = shown.join(clicks, on=["request", "item"], how="left", maintain_order="left")
    joined = joined.join(listed, on="item", how="left", maintain_order="left")
    return joined.with_columns(pl.col("clicked").fill_null(0.0)).collect()


@dataclass(frozen=True)
class ClickCounts:
    """Click rates of items, and of a user in a category, each drawn towards the mean rate.

    >>> shown = pl.DataFrame({"user": [1, 1], "item": [5, 6], "category": ["tea", "cup"],
    ...                       "clicked": [1.0, 0.0]})
    >>> ClickCounts.of(shown).add(shown)["taste"].to_list()
    [0.625, 0.375]
    """

    mean: float
    items: pl.DataFrame
    tastes: pl.DataFrame
    categories: pl.DataFrame

    @classmethod
    def of(cls, shown: pl.DataFrame, until: datetime | None = None) -> ClickCounts:
        """Counted from rows of `shown_and_clicked`, those before a moment."""
        past = shown if until is None else shown.filter(pl.col("time") < until)
        mean = past["clicked"].mean()
        if mean is None:
            raise ValueError(f"no impression before {until}: nothing to count")

        def rate(prior):
            return (pl.col("clicked").sum() + prior * mean) / (pl.len() + prior)

        items = past.group_by("item").agg(item_rate=rate(_ITEM_PRIOR))
        tastes = past.group_by("user", "category").agg(taste=rate(_TASTE_PRIOR))
        categories = shown.select("item", "category").unique("item")
        return cls(mean, items, tastes, categories)

    def add(self, rows: pl.DataFrame) -> pl.DataFrame:
        """`rows` with `item_rate` and `taste`, in their order; the mean rate where unknown."""
        if "category" not in rows.columns:
            rows = rows.join(self.categories, on="item", how="left", maintain_order="left")
        rows = rows.join(self.items, on="item", how="left", maintain_order="left")
        rows = rows.join(self.tastes, on=["user", "category"], how="left", maintain_order="left")
        return rows.with_columns(pl.col("item_rate", "taste").fill_null(self.mean))


def fit_clicks(rows: pl.DataFrame, which: str, spec: TrainSpec | None = None) -> Model:
    """The model called `which` in INPUTS, from rows of `ClickCounts.add`."""
    if which not in INPUTS:
        raise ValueError(f"which must be one of {[*INPUTS]}, got {which!r}")
    spec = spec or TrainSpec(rounds=60, depth=3, threads=1)
    return training.fit(rows, features=INPUTS[which], label="clicked", spec=spec)


def page_score(model: Model, counts: ClickCounts, *, varied: bool = False):
    """A score for `Rank`: the model's; with `varied` the third of a category comes after the rest.

    The greedy cap of Ziegler et al. (2005) in its simplest form: relevance first, variety as a
    rule.
    """

    def score(requests: Columns) -> np.ndarray:
        asked = pl.DataFrame({name: requests[name] for name in ("request", "user", "item")})
        rows = counts.add(asked)
        scores = model.score(rows)
        if not varied:
            return scores
        place = pl.col("score").rank("ordinal", descending=True).over("request", "category")
        rows = rows.with_columns(score=pl.Series(scores)).select(place=place)
        return scores - (rows["place"].to_numpy() > _MOST_OF_A_KIND)  # scores are within [0, 1]

    return score
