"""How good is the order? Against what was bought next, beside simply showing what sells."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from workbench.features.reading import scan_kind
from workbench.metrics import Interval, interval, ndcg, recall_at

__all__ = ["Marks", "marks"]


@dataclass(frozen=True)
class Marks:
    """Recall and NDCG of an order at k, of the popular order, and the best that was possible.

    `reach` is the recall of all candidates together: no order can find more.
    """

    k: int
    requests: int
    recall: Interval
    ndcg: Interval
    popular_recall: float
    popular_ndcg: float
    reach: float

    def __repr__(self) -> str:
        return (
            f"{self.requests:,} requests, candidates hold {self.reach:.1%} of what was bought\n"
            f"recall@{self.k}  {self.recall}   most popular {self.popular_recall:.3g}\n"
            f"NDCG@{self.k}    {self.ndcg}   most popular {self.popular_ndcg:.3g}"
        )


def marks(rows: pl.DataFrame, scores, log, *, rng: np.random.Generator, k: int = 10) -> Marks:
    """Compare an order of the candidates with what each request ended in.

    Parameters
    ----------
    rows : polars.DataFrame, n rows
        From `examples`: `request`, `item`, `label`, `item_sold_28d`.
    scores : array-like, shape (n,)
        Higher is shown first.
    log : EventLog or mapping of kind to polars.DataFrame
        Where the purchases are, also those that no candidate source found.
    rng : numpy.random.Generator
        For the intervals, a bootstrap over requests.
    k : int, default 10
        Places on the slate.

    Raises
    ------
    ValueError
        If lengths differ or no request ended in a purchase.

    Notes
    -----
    Requests that ended in no purchase are left out. Recall is divided by all items bought, also
    where they are more than k. NDCG has gain 1 for each. Items that were bought and were no
    candidate count as never shown. The popular order is by sales in the 28 days before.
    """
    scores = np.asarray(scores, float)
    if scores.shape != (len(rows),):
        raise ValueError(f"scores must have shape ({len(rows)},), got {scores.shape}")
    shown = rows.select(
        "request", "item", "label", score=pl.Series(scores), popular=pl.col("item_sold_28d")
    )
    asked = rows.select("request").unique()
    bought = scan_kind(log, "purchase", None, None).select("request", "item").unique().collect()
    missed = bought.join(asked, on="request", how="semi").join(
        rows, on=["request", "item"], how="anti"
    )
    if missed.is_empty() and not rows["label"].sum():
        raise ValueError("no request ended in a purchase: there is nothing to mark against")
    never = missed.with_columns(label=pl.lit(1.0), score=pl.lit(-np.inf), popular=pl.lit(-np.inf))
    table = pl.concat([shown.cast({"popular": pl.Float64}), never.select(shown.columns)])
    table = table.filter(pl.col("label").sum().over("request") > 0).sort("request", "item")
    request = table["request"].rank("dense").to_numpy()
    label, score, popular = (table[name].to_numpy() for name in ("label", "score", "popular"))
    firsts = np.flatnonzero(np.diff(request, prepend=-1))
    each = np.split(np.arange(len(request)), firsts[1:])

    def mean(metric) -> Interval:
        values = [metric(request[q], label[q], score[q], k=k) for q in each]
        return interval(np.mean, values, rng=rng)

    return Marks(
        k,
        len(each),
        mean(recall_at),
        mean(ndcg),
        recall_at(request, label, popular, k=k),
        ndcg(request, label, popular, k=k),
        float(rows["label"].sum() / label.sum()),
    )
