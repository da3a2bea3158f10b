"""What a ranker gains on paper: NDCG on the champion's own pages, page by page.

The pages are those that the champion filled, so it is judged on its own choice, and a page without
a click tells nothing. That is how most offline figures come about.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from workbench.assign import uniform
from workbench.experiments.clustered import cluster_means, mean_interval
from workbench.metrics import Interval
from workbench.studies.replay_marks import HomeLog

__all__ = ["log_gain"]


def log_gain(home: HomeLog, old, new) -> Interval:
    """NDCG of `new` over that of `old` less 1, on the clicks of a log; 95 % over users.

    `old` and `new` are scores for `Rank`. Equal scores are ordered by a hash.

    >>> asked = pl.DataFrame({"request": [1, 1, 2, 2], "user": [7, 7, 8, 8], "item": [5, 6, 5, 6]})
    >>> log = asked.with_columns(reward=pl.Series([0.0, 1.0, 0.0, 1.0]), position=1)
    >>> log_gain(HomeLog(asked, log), lambda rows: -rows["item"], lambda rows: rows["item"])
    0.585 [0.585, 0.585]
    """
    asked = {name: home.requests[name].to_numpy() for name in home.requests.columns}
    luck = uniform("ties", asked["request"], asked["item"])
    scored = home.requests.select("request", "item").with_columns(
        old=pl.Series(old(asked)), new=pl.Series(new(asked)), luck=pl.Series(luck)
    )
    rows = home.log.join(scored, on=["request", "item"], how="left", maintain_order="left")

    def discounted(name):
        place = pl.struct(name, "luck").rank("ordinal", descending=True).over("request")
        return (pl.col("reward") / (1 + place).cast(pl.Float64).log(2)).alias(f"gain {name}")

    pages = (
        rows.with_columns(discounted("old"), discounted("new"), best=pl.lit(0.0))
        .group_by("request", maintain_order=True)
        .agg(pl.col("user").first(), pl.col("gain old", "gain new").sum(), pl.col("reward").sum())
        .filter(pl.col("reward") > 0)
    )
    if pages.is_empty():
        raise ValueError("no page of the log has a click: nothing to judge by")
    most = np.cumsum(1 / np.log2(np.arange(2, 2 + int(pages["reward"].max()))))
    best = most[pages["reward"].to_numpy().astype(int) - 1]
    before, after = (pages[f"gain {name}"].to_numpy() / best for name in ("old", "new"))
    users = pages["user"].rank("dense").to_numpy().astype(np.int64) - 1
    apart = cluster_means(after - before, users)
    low, high, _ = mean_interval(apart)
    base = before.mean()
    return Interval(*(float(each[0] / base) for each in (apart.mean, low, high)), 0.95)
