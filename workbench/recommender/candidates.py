"""A few hundred items worth ordering, for each request, and where each came from."""

from __future__ import annotations

import polars as pl

from workbench.features.reading import scan_kind
from workbench.recommender.shelf import Shelf

__all__ = ["candidates"]

_NEEDED = ("request", "user", "time")


def candidates(requests: pl.DataFrame, log, shelf: Shelf) -> pl.DataFrame:
    """One row per request and item that could be shown.

    Three sources: `popular` (the shelf's), `again` (the user bought it before the request) and
    `together` (sold with what the user bought last).

    Parameters
    ----------
    requests : polars.DataFrame
        `request` (each once), `user`, `time`; none before the shelf was made.
    log : EventLog or mapping of kind to polars.DataFrame
        Has `purchase` with `user`.
    shelf : Shelf
        What sells, from `shelf`.

    Returns
    -------
    polars.DataFrame
        `request`, `item`, `candidate_source` ("again+popular"), `together` (summed cosine with
        the user's last items, 0 where none), then the other columns of the requests. In the order
        of the requests, items ascending.

    Raises
    ------
    ValueError
        If a column is missing, a request comes twice, or is older than the shelf.

    Notes
    -----
    The user's own past is read up to each request, the shelf only up to `shelf.at`. Time and
    memory O(purchases of these users x their requests).

    Examples
    --------
    >>> from datetime import datetime, UTC
    >>> from workbench import recommender
    >>> day = lambda d: datetime(2024, 5, d, tzinfo=UTC)
    >>> sold = pl.DataFrame({"request": [1, 1, 2], "user": [7, 7, 8], "item": ["tea", "cup", "pot"],
    ...                      "time": day(1)})
    >>> log = {"purchase": sold.with_columns(known_at="time")}
    >>> asked = pl.DataFrame({"request": [3], "user": [8], "time": [day(3)]})
    >>> found = recommender.candidates(asked, log, recommender.shelf(log, at=day(2)))
    >>> dict(found.select("item", "candidate_source").rows())
    {'cup': 'popular', 'pot': 'again+popular', 'tea': 'popular'}
    """
    _check(requests, shelf)
    asked = requests.select(*_NEEDED)
    again = _bought_before(asked, log, shelf)
    nothing = pl.lit(0.0).alias("together")
    popular = asked.join(shelf.popular.select("item"), how="cross")
    found = [
        again.head(shelf.spec.again_items).select("request", "item", nothing, _source("again")),
        _sold_with(again, shelf).select("request", "item", "together", _source("together")),
        popular.select("request", "item", nothing, _source("popular")),
    ]
    merged = pl.concat(each.collect() if isinstance(each, pl.LazyFrame) else each for each in found)
    merged = merged.group_by("request", "item").agg(
        pl.col("candidate_source").sort().str.join("+"), pl.col("together").sum()
    )
    place = requests.select("request").with_row_index("_place")
    return (
        merged.join(place, on="request")
        .join(requests.drop("item", strict=False), on="request")
        .sort("_place", "item")
        .drop("_place")
    )


def _bought_before(asked: pl.DataFrame, log, shelf: Shelf):
    """What each user bought before the request, the last first: groups by request."""
    past = scan_kind(log, "purchase", None, asked["time"].max())
    past = past.select("user", "item", bought="time", known="known_at")
    bought = (
        asked.lazy()
        .join(past, on="user")
        .filter(pl.col("bought") < pl.col("time"), pl.col("known") < pl.col("time"))
        .group_by("request", "item")
        .agg(pl.col("bought").max())
        .sort("request", "bought", "item", descending=[False, True, False])
        .collect()
    )
    return bought.group_by("request", maintain_order=True)


def _sold_with(again, shelf: Shelf) -> pl.DataFrame:
    seeds = again.head(shelf.spec.seed_items).select("request", seed="item")
    near = seeds.join(shelf.together, on="seed").group_by("request", "item")
    # sorted before the sum: floats added in another order differ in the last digit
    near = near.agg(pl.col("together").sort().sum())
    near = near.sort("request", "together", "item", descending=[False, True, False])
    return near.group_by("request", maintain_order=True).head(shelf.spec.together_items)


def _source(name: str) -> pl.Expr:
    return pl.lit(name).alias("candidate_source")


def _check(requests: pl.DataFrame, shelf: Shelf) -> None:
    missing = [name for name in _NEEDED if name not in requests.columns]
    if missing:
        raise ValueError(f"requests have no column {missing[0]!r}; they have {requests.columns}")
    if requests["request"].n_unique() < len(requests):
        raise ValueError("each request must come once: candidates are made here")
    if len(requests) and requests["time"].min() < shelf.at:
        raise ValueError(
            f"a request of {requests['time'].min()} is older than the shelf, made at {shelf.at}: "
            "it would see the future"
        )
