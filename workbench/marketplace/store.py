"""What all people share: stock, bestsellers, and which items a page may show.

Every midnight the day's sales of everybody are settled at once, whoever sold them: so the answer
is the same on any number of workers and for any waves, and within a day nobody's luck depends on
who asked first. An item that sold out during a day is still sold until midnight (back orders).

Choices, with their sources:

- Deliveries come once a week for each item and fill its shelf up to `stock_days` of the sales that
  its popularity lets expect, with two standard deviations of safety: a base-stock policy (Arrow,
  Harris & Marschak 1951, "Optimal inventory policy", Econometrica 19).
- The 2 % of items that sold most lately (exponential decay, half in three days) are bestsellers for
  a day, and people like what others bought (Salganik, Dodds & Watts 2006, "Experimental study of
  inequality and unpredictability in an artificial cultural market", Science 311).
- The candidates of a page are drawn in proportion to popularity, without repeats: one item from
  each of `candidates` strata of equal weight (stratified sampling with inclusion probabilities,
  Madow 1949). For a search the weights are those of the meanings of the query: its nouns, then
  other items of their categories with a tenth of the weight.
"""

from __future__ import annotations

import numpy as np

from workbench.marketplace.catalogue import Catalogue
from workbench.marketplace.luck import TURNS
from workbench.marketplace.spec import MarketplaceSpec

__all__ = ["Store", "Strata"]

_BESTSELLERS, _REMEMBERED = 0.02, 0.8  # share of items; of the recent sales, from day to day
_SAME_CATEGORY, _ANYTHING = 0.1, 1e-6  # weight in a search of what the query does not name


class Strata:
    """Several pools of items to draw `count` distinct ones from, by inclusion probabilities.

    >>> pools = Strata([(np.array([3, 5, 9]), np.array([0.5, 0.3, 0.2]))], count=2)
    >>> pools.draw(np.array([0]), np.array([[0.1, 0.9]])).tolist()
    [[3, 9]]
    """

    def __init__(self, pools: list[tuple[np.ndarray, np.ndarray]], count: int):
        self._count = count
        sums = [
            np.append(np.cumsum(_inclusion(weight / weight.sum(), count))[:-1], count)
            + pool * count
            for pool, (_, weight) in enumerate(pools)
        ]
        self._sums = np.concatenate(sums)
        self._items = np.concatenate([items for items, _ in pools])
        self._ends = np.cumsum([len(items) for items, _ in pools])

    def draw(self, pool: np.ndarray, chance: np.ndarray) -> np.ndarray:
        """Items, ascending and distinct in each row, shape (n, count); `chance` alike."""
        steps = np.arange(self._count)
        drawn = np.searchsorted(self._sums, pool[:, None] * self._count + steps + chance, "right")
        drawn = np.maximum.accumulate(drawn - steps, axis=1) + steps  # on a border of strata
        return self._items[np.minimum(drawn, self._ends[pool][:, None] - self._count + steps)]


class Store:
    """The shelves of one day after the other.

    Parameters
    ----------
    daily_sales : float
        Items sold on a usual day by the whole shop; popularity spreads them.
    """

    def __init__(self, spec: MarketplaceSpec, catalogue: Catalogue, daily_sales: float):
        self._spec, self._catalogue = spec, catalogue
        usual = daily_sales * catalogue.popularity * spec.stock_days
        self._full = np.ceil(usual + 2 * np.sqrt(usual)).astype(np.int64)
        self._recent = np.zeros(spec.items)
        self.stock = self._full.copy()
        self.bestseller = np.zeros(spec.items, bool)
        self.price = catalogue.price
        self.sold_today = np.zeros(spec.items, np.int64)
        self._pools = self._search_pools()
        self._launch(0)

    def open_day(self, day: int) -> np.ndarray:
        """Settle what was sold yesterday; return the items whose listing is new or has changed."""
        catalogue, had, cost = self._catalogue, self.stock > 0, self.price
        self.stock = self.stock - self.sold_today
        delivered = (np.arange(self._spec.items) + day) % 7 == 0
        self.stock[delivered] = np.maximum(self.stock, self._full)[delivered]
        self._recent = _REMEMBERED * self._recent + self.sold_today
        self.sold_today = np.zeros(self._spec.items, np.int64)
        most = np.argsort(-self._recent, kind="stable")[: max(round(_BESTSELLERS * len(cost)), 1)]
        self.bestseller = np.zeros(len(cost), bool)
        self.bestseller[most[self._recent[most] > 0]] = True
        if day % 7 == 0 or catalogue.shocks.changes_prices(day):
            items = np.arange(self._spec.items)
            self.price = catalogue.price_on(items, np.full_like(items, day))
        launched = catalogue.launch_day == day
        if launched.any():
            self._launch(day)
        changed = launched | (self.price != cost) | (had != (self.stock > 0))
        return np.flatnonzero(changed & (catalogue.launch_day <= day))

    def page(self, user: np.ndarray, visit: np.ndarray, turn: np.ndarray) -> np.ndarray:
        """Candidates of home pages, shape (n, candidates), ascending within a row."""
        return self._home.draw(np.zeros_like(user), self._chance(user, visit, turn))

    def found(self, query, user: np.ndarray, visit: np.ndarray, turn: np.ndarray) -> np.ndarray:
        """Candidates of searches, shape (n, candidates), ascending within a row."""
        return self._search.draw(self._pool[query], self._chance(user, visit, turn))

    def sell(self, item: np.ndarray) -> None:
        """Count what was paid for; it leaves the shelf at midnight."""
        np.add.at(self.sold_today, item, 1)

    def _chance(self, user, visit, turn) -> np.ndarray:
        page = (visit * TURNS + turn)[:, None]
        number = np.arange(self._spec.candidates)
        return self._catalogue.luck.uniform("candidate", user[:, None], page, number)

    def _search_pools(self) -> np.ndarray:
        """The distinct meanings of queries, shape (pools, 2), padded with -1."""
        nouns = self._catalogue.language.queries.nouns
        meanings, self._pool = np.unique(nouns, axis=0, return_inverse=True)
        self._pool = self._pool.ravel()
        return meanings

    def _launch(self, day: int) -> None:
        catalogue, count = self._catalogue, self._spec.candidates
        there = np.flatnonzero(catalogue.launch_day <= day)
        weight = np.where(catalogue.launch_day <= day, catalogue.popularity, 0.0)
        self._home = Strata([(there, weight[there])], count)
        self._search = Strata([self._pool_of(each, there, weight) for each in self._pools], count)

    def _pool_of(self, nouns: np.ndarray, there: np.ndarray, weight: np.ndarray):
        catalogue = self._catalogue
        nouns = nouns[nouns >= 0]
        near = np.isin(catalogue.category[there], catalogue.language.noun_category[nouns])
        items = there[near] if near.sum() >= self._spec.candidates else there
        meant = np.isin(catalogue.noun[items], nouns)
        close = np.isin(catalogue.category[items], catalogue.language.noun_category[nouns])
        share = np.where(meant, 1.0, np.where(close, _SAME_CATEGORY, _ANYTHING))
        return items, weight[items] * share


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
