"""Whom and what thieves pick: quiet accounts, categories that do not suit, sellers to break into.

Each choice is a draw whose probabilities are known exactly, so that the truth can weigh it: "the
least of three" of things with a weight is drawn by one number, and its probability is a difference
of cubes (order statistics: David & Nagaraja 2003, "Order Statistics", section 2.1).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from workbench.marketplace.catalogue import Catalogue
from workbench.marketplace.people import People
from workbench.marketplace.spec import MarketplaceSpec
from workbench.marketplace.techniques import COMPROMISED_SELLER

__all__ = ["LeastLiked", "QuietUsers", "Shelves", "compromised_sellers"]

_OF = 3  # the least of three
_LARGEST_SHARE = 0.03  # of sales, for a seller that can be compromised
_SELLERS_PER_VICTIM = 200  # one seller in so many


class Shelves:
    """Items by group, drawn by their weight within it.

    Parameters
    ----------
    group : ndarray of int, shape (items,)
    weight : ndarray of float, shape (items,)
        Not negative.

    Examples
    --------
    >>> shelves = Shelves(np.array([0, 1, 0]), np.array([0.1, 0.6, 0.3]))
    >>> shelves.draw(np.array([0, 0, 1]), np.array([0.2, 0.3, 0.9])).tolist()
    [0, 2, 1]
    """

    def __init__(self, group: np.ndarray, weight: np.ndarray):
        self.share = np.bincount(group, weights=weight)
        self._order = np.argsort(group, kind="stable")
        edges = np.searchsorted(group[self._order], np.arange(len(self.share) + 1))
        self._first, self._last = edges[:-1], edges[1:] - 1
        self._sums = np.cumsum(weight[self._order])

    def draw(self, group: np.ndarray, chance: np.ndarray) -> np.ndarray:
        """One item of each group, which must not be empty, shape (n,)."""
        first, last = self._first[group], self._last[group]
        sought = self._sums[last] - (1 - chance) * self.share[group]
        drawn = np.searchsorted(self._sums, sought, side="right")
        return self._order[np.clip(drawn, first, last)]


class QuietUsers:
    """Users drawn as the least active of three.

    >>> quiet = QuietUsers(np.array([0.5, 0.1, 2.0, 1.0]))
    >>> quiet.draw(np.array([0.0, 0.5, 0.99])).tolist(), quiet.relative(np.array([1, 2])).tolist()
    ([1, 1, 2], [2.3125, 0.0625])
    """

    def __init__(self, visits_per_day: np.ndarray):
        self._order = np.argsort(visits_per_day, kind="stable")
        self._rank = np.empty_like(self._order)
        self._rank[self._order] = np.arange(len(self._order))

    def draw(self, chance: np.ndarray) -> np.ndarray:
        """A user for each number in [0, 1), shape (n,)."""
        users = len(self._order)
        return self._order[np.minimum((_least(chance) * users).astype(np.int64), users - 1)]

    def relative(self, user: np.ndarray) -> np.ndarray:
        """P(this user) in units of 1 / users, shape (n,)."""
        users = len(self._order)
        rank = self._rank[user]
        return ((1 - rank / users) ** _OF - (1 - (rank + 1) / users) ** _OF) * users


@dataclass(frozen=True)
class LeastLiked:
    """Categories drawn by popularity, the one of three that suits the victim's taste least.

    Tastes are those before any shock.
    """

    taste: np.ndarray  # (users, TASTES)
    centres: np.ndarray  # (categories, TASTES), popularity-weighted means of the items
    share: np.ndarray  # (categories,), of sales, sum to 1

    @classmethod
    def of(cls, people: People, catalogue: Catalogue) -> LeastLiked:
        """Those of a world."""
        weight, group = catalogue.popularity, catalogue.category
        share = np.bincount(group, weights=weight)
        sums = np.stack(
            [np.bincount(group, weights=weight * column) for column in catalogue.vector.T], axis=1
        )
        centres = sums / np.where(share > 0, share, 1)[:, None]
        return cls(people.taste, centres, share / share.sum())

    def draw(self, user: np.ndarray, chance: np.ndarray) -> np.ndarray:
        """A category for each user and number in [0, 1), shape (n,)."""
        order, below = self._by_liking(user)
        place = (below <= _least(chance)[:, None]).sum(axis=1)
        return order[np.arange(len(user)), np.minimum(place, order.shape[1] - 1)]

    def relative(self, user: np.ndarray, category: np.ndarray) -> np.ndarray:
        """P(this category) in units of its share of sales, shape (n,)."""
        order, below = self._by_liking(user)
        row = np.arange(len(user))
        place = (order == category[:, None]).argmax(axis=1)
        share = self.share[category]
        up_to = below[row, place]
        return ((1 - up_to + share) ** _OF - (1 - up_to) ** _OF) / share

    def _by_liking(self, user: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Categories that sell, the least liked first, and their summed shares, (n, categories)."""
        sells = np.flatnonzero(self.share)
        order = sells[np.argsort(self.taste[user] @ self.centres[sells].T, axis=1)]
        return order, np.cumsum(self.share[order], axis=1)


def compromised_sellers(
    spec: MarketplaceSpec, catalogue: Catalogue
) -> list[tuple[int, int, np.ndarray]]:
    """First day, stop day and sellers of each run of the technique.

    One seller in 200 and at least one, by sales without replacement (exponential race), among
    those with at most 3 % of sales; among all that sell where there is none.
    """
    sales = np.bincount(catalogue.seller, weights=catalogue.popularity, minlength=spec.sellers)
    may = (sales > 0) & (sales <= _LARGEST_SHARE)
    may = np.flatnonzero(may if may.any() else sales > 0)
    count = min(max(round(spec.sellers / _SELLERS_PER_VICTIM), 1), len(may))
    runs = [run for run in spec.fraud_schedule if run.technique == COMPROMISED_SELLER.name]
    return [
        (
            run.start_day,
            spec.days if run.stop_day is None else run.stop_day,
            np.sort(may[np.argsort(race / sales[may])[:count]]),
        )
        for run in runs
        for race in [catalogue.luck.exponential("compromised seller", run.start_day, may)]
    ]


def _least(chance: np.ndarray) -> np.ndarray:
    """The least of three uniform numbers, by inversion."""
    return 1 - (1 - chance) ** (1 / _OF)
