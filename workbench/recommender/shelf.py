"""What sells and what sells together, as known at one moment: the nightly part of a recommender."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from workbench.features.reading import scan_kind

__all__ = ["Shelf", "ShelfSpec", "shelf"]


@dataclass(frozen=True, kw_only=True, slots=True)
class ShelfSpec:
    """How many candidates come from where.

    Parameters
    ----------
    popular_items, popular_days
        The items in most baskets of the last days.
    again_items : int
        The items that the user bought last.
    seed_items, neighbours, together_days, together_items
        Items bought together with the user's last `seed_items`: each has its best `neighbours`
        from the baskets of `together_days`; the best `together_items` in all are taken.
    largest_basket : int
        Larger baskets say little about what belongs together, and cost its square.
    """

    popular_items: int = 60
    popular_days: float = 28.0
    again_items: int = 100
    seed_items: int = 20
    neighbours: int = 20
    together_days: float = 120.0
    together_items: int = 60
    largest_basket: int = 60

    def __post_init__(self) -> None:
        for name in self.__slots__:
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be above zero, got {getattr(self, name)}")


@dataclass(frozen=True)
class Shelf:
    """Tables that candidates are drawn from; nothing in them was known only after `at`.

    Parameters
    ----------
    at : datetime
        Made from what had happened and was known before this moment.
    popular : polars.DataFrame
        `item`, `popular_baskets`; most baskets first.
    together : polars.DataFrame
        `seed`, `item`, `together`: cosine of the two items' baskets, in (0, 1].
    """

    at: datetime
    popular: pl.DataFrame
    together: pl.DataFrame
    spec: ShelfSpec


def shelf(log, *, at: datetime, spec: ShelfSpec | None = None) -> Shelf:
    """Count what sells and what sells together in the purchases before `at`.

    Parameters
    ----------
    log : EventLog or mapping of kind to polars.DataFrame
        Has `purchase` with `request` (the basket), `item` and both clocks.
    at : datetime
        With time zone.
    spec : ShelfSpec, optional

    Raises
    ------
    ValueError
        If `at` has no time zone, or nothing was bought in the `popular_days` before it.

    Notes
    -----
    Cosine of two items: baskets with both / sqrt(baskets with one x baskets with the other)
    (Sarwar et al. 2001, "Item-based collaborative filtering", WWW, section 3.1.1). Ties go to the
    smaller item id. Time and memory O(sum of squared basket sizes).

    Examples
    --------
    >>> from datetime import UTC
    >>> sold = pl.DataFrame({"request": [1, 1, 2, 2, 3],
    ...                      "item": ["tea", "cup", "tea", "cup", "tea"],
    ...                      "time": datetime(2024, 5, 1, tzinfo=UTC)})
    >>> log = {"purchase": sold.with_columns(known_at="time")}
    >>> made = shelf(log, at=datetime(2024, 5, 2, tzinfo=UTC))
    >>> made.popular.rows(), round(made.together["together"][0], 3)
    ([('tea', 3), ('cup', 2)], 0.816)
    """
    spec = spec or ShelfSpec()
    if at.tzinfo is None:
        raise ValueError(f"at must have a time zone, got {at}")
    first = at - timedelta(days=max(spec.together_days, spec.popular_days))
    lines = scan_kind(log, "purchase", first, at).filter(pl.col("known_at") < at)
    lines = lines.select("request", "item", "time").collect()
    baskets = lines.group_by("request", "item").agg(pl.col("time").max())
    recent = baskets.filter(pl.col("time") >= at - timedelta(days=spec.popular_days))
    if recent.is_empty():
        raise ValueError(f"nothing was bought in the {spec.popular_days:g} days before {at}")
    popular = recent.group_by("item").agg(pl.len().cast(pl.Int64).alias("popular_baskets"))
    popular = popular.sort("popular_baskets", "item", descending=[True, False])
    return Shelf(at, popular.head(spec.popular_items), _together(baskets, at, spec), spec)


def _together(baskets: pl.DataFrame, at: datetime, spec: ShelfSpec) -> pl.DataFrame:
    """The best neighbours of each item."""
    since = at - timedelta(days=spec.together_days)
    size = pl.len().over("request")
    kept = baskets.filter(pl.col("time") >= since).select("request", "item")
    kept = kept.filter(size <= spec.largest_basket)
    sold = kept.group_by("item").agg(pl.len().alias("baskets"))
    pairs = kept.lazy().join(kept.lazy(), on="request", suffix="_seed")
    pairs = pairs.filter(pl.col("item") != pl.col("item_seed")).group_by("item_seed", "item")
    both = pairs.agg(pl.len().alias("both")).rename({"item_seed": "seed"}).collect()
    both = both.join(sold, on="item").join(sold, left_on="seed", right_on="item", suffix="_seed")
    product = pl.col("baskets").cast(pl.Float64) * pl.col("baskets_seed")
    return (
        both.select("seed", "item", together=pl.col("both") / product.sqrt())
        .sort("seed", "together", "item", descending=[False, True, False])
        .group_by("seed", maintain_order=True)
        .head(spec.neighbours)
    )
