"""What is for sale: categories, prices, quality, sellers, popularity; and what a page may show.

Choices, with their sources:

- Popularity is a Zipf law of the rank (exponent 0.8; Adamic & Huberman 2002, "Zipf's law and the
  internet", Glottometrics 3). Better items tend to rank higher, with noise.
- Prices are log-normal with a level per category; an item vector is its category's centre plus its
  own part, in the space of the people's tastes. A seller owns many items; sellers are Zipf too.
- The candidates of a page are drawn in proportion to popularity, without repeats: one item from
  each of `candidates` strata of equal weight (stratified sampling with inclusion probabilities,
  Madow 1949). So the most popular items are candidates on most pages, and never twice.

Stock, price changes, brands and texts come later; `listing` events tell what is listed at the
start.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from workbench.marketplace.luck import Luck
from workbench.marketplace.people import TASTES
from workbench.marketplace.spec import MarketplaceSpec

__all__ = ["POPULARITY_EXPONENT", "Catalogue", "catalogue_of"]

POPULARITY_EXPONENT = 0.8


@dataclass(frozen=True)
class Catalogue:
    """Every item, one row per item id from 0; arrays of shape (items,) unless said.

    >>> spec = MarketplaceSpec()
    >>> catalogue = catalogue_of(spec, Luck(0))
    >>> page = catalogue.candidates(np.array([7]), np.array([64]), spec.candidates)
    >>> page.shape, bool((np.diff(page) > 0).all())
    ((1, 20), True)
    """

    luck: Luck
    category: np.ndarray
    seller: np.ndarray
    price: np.ndarray  # whole cents, in francs, euros or what you like
    log_price: np.ndarray  # centred on the mean of the catalogue
    quality: np.ndarray
    vector: np.ndarray  # (items, TASTES)
    popularity: np.ndarray  # shares, sum to 1
    strata: np.ndarray  # cumulative inclusion probabilities, last entry is `candidates`
    shares: np.ndarray  # cumulative popularity

    def candidates(self, user: np.ndarray, visit: np.ndarray, count: int) -> np.ndarray:
        """Distinct items for each page, shape (n, count), ascending ids within a row."""
        chance = self.luck.uniform("candidate", user[:, None], visit[:, None], np.arange(count))
        drawn = np.searchsorted(self.strata, np.arange(count) + chance, side="right")
        steps = np.arange(count)  # an item on the border of two strata may come up twice: move on
        drawn = np.maximum.accumulate(drawn - steps, axis=1) + steps
        return np.minimum(drawn, len(self.price) - count + steps)

    def direct(self, user: np.ndarray, visit: np.ndarray, step: np.ndarray) -> np.ndarray:
        """The item of a checkout that no page of ours led to, by popularity, shape (n,)."""
        chance = self.luck.uniform("direct item", user, visit, step)
        return np.searchsorted(self.shares, chance, side="right")


def catalogue_of(spec: MarketplaceSpec, luck: Luck) -> Catalogue:
    """The catalogue of a world: a pure function of the spec."""
    items, dimensions = np.arange(spec.items), np.arange(TASTES)
    category = (luck.uniform("category", items) * spec.categories).astype(np.int64)
    kinds = np.arange(spec.categories)
    centres = luck.normal("category centre", kinds[:, None], dimensions[None, :])
    own = luck.normal("item vector", items[:, None], dimensions[None, :])
    level = 3.2 + 0.6 * luck.normal("category price", kinds)  # e**3.2 is about 25
    price = np.round(np.exp(level[category] + 0.6 * luck.normal("price", items)), 2)
    price = np.maximum(price, 0.5)
    quality = luck.normal("quality", items)
    rank = np.argsort(np.argsort(-(0.5 * quality + luck.normal("fame", items))))
    weight = (rank + 1.0) ** -POPULARITY_EXPONENT
    popularity = weight / weight.sum()
    owners = np.cumsum(1 / np.arange(1, spec.sellers + 1))
    seller = np.searchsorted(owners / owners[-1], luck.uniform("seller", items), side="right")
    return Catalogue(
        luck=luck,
        category=category,
        seller=seller,
        price=price,
        log_price=np.log(price) - np.log(price).mean(),
        quality=quality,
        vector=centres[category] + 0.6 * own,
        popularity=popularity,
        strata=_closed(np.cumsum(_inclusion(popularity, spec.candidates)), spec.candidates),
        shares=_closed(np.cumsum(popularity), 1.0),
    )


def _inclusion(shares: np.ndarray, count: int) -> np.ndarray:
    """Inclusion probabilities in proportion to `shares`, none above 1, that sum to `count`."""
    sure = np.zeros(len(shares), bool)
    while True:
        free = count - sure.sum()
        chance = np.where(sure, 1.0, 0.0)
        if free > 0:
            chance[~sure] = free * shares[~sure] / shares[~sure].sum()
        if (chance <= 1 + 1e-12).all():
            return np.minimum(chance, 1.0)
        sure |= chance > 1


def _closed(cumulative: np.ndarray, total: float) -> np.ndarray:
    """The same sums with the last one exact, so that no draw falls off the end."""
    return np.concatenate([cumulative[:-1], [total]])
