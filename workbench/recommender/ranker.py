"""Order the candidates: their features, a model trained on what was bought next, and the policy."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import polars as pl

from workbench import features
from workbench.features import Feature, LogLookup, Ratio
from workbench.features.reading import scan_kind
from workbench.policy import Columns, Rank
from workbench.recommender.candidates import candidates
from workbench.recommender.shelf import ShelfSpec, shelf
from workbench.training import Model, TrainSpec, fit

__all__ = ["examples", "fit_ranker", "history", "inputs", "ranking"]

_RANKER = TrainSpec(rounds=120, depth=6, learning_rate=0.1, min_child_weight=10.0, bins=256)


def history() -> list[Feature | Ratio]:
    """What the past tells about a user and an item, from purchases alone.

    >>> [feature.name for feature in history()][:3]
    ['item_sold_7d', 'item_sold_28d', 'item_sold_ever']
    """
    count, since = features.count, features.time_since
    return [
        count("purchase", per="item", days=7, name="item_sold_7d"),
        count("purchase", per="item", days=28, name="item_sold_28d"),
        count("purchase", per="item", name="item_sold_ever"),
        count("purchase", per=("user", "item"), name="user_bought_item"),
        since(of="purchase", per=("user", "item"), name="days_since_user_bought_item"),
        count("purchase", per="user", days=90, name="user_bought_90d"),
        features.distinct("item", of="purchase", per="user", name="user_items"),
        since(of="purchase", per="user", name="days_since_user_bought"),
    ]


def inputs(wanted: Sequence[Feature | Ratio]) -> list[str | Feature | Ratio]:
    """What the ranker reads: the co-purchase score of the candidate, then the features.

    >>> len(inputs(history()))
    9
    """
    return ["together", *wanted]


def examples(
    log,
    requests: pl.DataFrame,
    *,
    every_days: float = 7.0,
    spec: ShelfSpec | None = None,
    wanted: Sequence[Feature | Ratio] | None = None,
) -> pl.DataFrame:
    """Candidates of past or present requests, with features and what was bought in the end.

    Parameters
    ----------
    log : EventLog or mapping of kind to polars.DataFrame
        Has `purchase` with `request`, `user`, `item`.
    requests : polars.DataFrame
        `request`, `user`, `time`.
    every_days : float, default 7
        A new shelf is stocked this often, each from what was known then.
    spec : ShelfSpec, optional
    wanted : sequence of Feature or Ratio, optional
        `history()` when missing.

    Returns
    -------
    polars.DataFrame
        One row per candidate: as `candidates`, plus the features and `label`, 1 where the request
        ended in a purchase of the item, however late. The label is of no use before that.

    Raises
    ------
    ValueError
        As `shelf` and `candidates`; if there are no requests.
    """
    if requests.is_empty():
        raise ValueError("there are no requests to make examples of")
    wanted = history() if wanted is None else wanted
    first, last, step = requests["time"].min(), requests["time"].max(), timedelta(days=every_days)
    rows = []
    for at in (first + n * step for n in range(int((last - first) / step) + 1)):
        wave = requests.filter(pl.col("time").is_between(at, at + step, closed="left"))
        if len(wave):
            rows.append(candidates(wave, log, shelf(log, at=at, spec=spec)))
    bought = scan_kind(log, "purchase", None, None).select("request", "item")
    bought = bought.unique().with_columns(label=pl.lit(1.0))
    labelled = pl.concat(rows).lazy().join(bought, on=["request", "item"], how="left", **_IN_ORDER)
    labelled = labelled.with_columns(pl.col("label").fill_null(0.0)).collect()
    return features.training_frame(labelled, wanted, log)


def fit_ranker(
    rows: pl.DataFrame, *, wanted: Sequence[Feature | Ratio] | None = None, spec=None
) -> Model:
    """Train a ranker on `examples`; its score is the probability that the item is bought.

    Pointwise, since tuned pointwise trees rank as well as listwise ones here; give a TrainSpec
    with objective "rank:ndcg" to try.
    """
    wanted = history() if wanted is None else wanted
    return fit(rows, features=inputs(wanted), label="label", spec=spec or _RANKER)


def ranking(
    model: Model,
    *,
    k: int,
    name: str,
    log=None,
    wanted: Sequence[Feature | Ratio] = (),
) -> Rank:
    """The policy: the k best candidates by the model's score.

    Parameters
    ----------
    model : Model
        From `fit_ranker`, or any model of (request, item) rows.
    k : int
        Places on the slate.
    name : str
        Like "xgb@3"; it stands in every decision.
    log : EventLog or mapping, optional
        Where to look up `wanted` when a decision is made. Without it the requests must carry all
        columns that the model reads, as those of `examples` do.
    wanted : sequence of Feature or Ratio
        What to look up.
    """
    if log is None:
        return Rank(model, k, name)
    look_up = LogLookup(tuple(wanted), log)

    def score(requests: Columns):
        return model.score(look_up(requests))

    return Rank(score, k, name)


_IN_ORDER = {"maintain_order": "left"}
