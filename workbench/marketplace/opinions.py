"""Ratings: what honest buyers say some days later, and advertisements that look like it.

Choices, with their sources:

- One in five honest purchases is rated (`rating_share`), a day to weeks later. Stars follow the
  item's quality and how well it suits the buyer, with noise: most are good, as in real shops, where
  happy buyers write and the distribution is J-shaped (Hu, Pavlou & Zhang 2009, "Overcoming the
  J-shaped distribution of product reviews", CACM 52).
- One account in fifty belongs to a spammer and posts an advertisement on one day in five, on
  popular items. Spam is told from reviews by its text and because its author never bought the item.

The texts are made when a rating becomes known (`written`), from its id, item and stars alone, so
the truth can tell the sentiment of any of them.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from workbench.marketplace.behaviour import Behaviour
from workbench.marketplace.ledger import Ledger
from workbench.marketplace.luck import FIRST_BOT_SLOT, SLOTS, STEPS, Ids
from workbench.marketplace.people import DAY_US
from workbench.marketplace.reviews import SPAM_STARS, Written, review_texts, spam_texts
from workbench.marketplace.shocks import TASTES

__all__ = ["Opinions"]

_SPAMMERS, _SPAM_A_DAY = 0.02, 0.2  # share of accounts; advertisements of one of them a day
_STARS, _BY_QUALITY, _BY_AFFINITY, _NOISE = 3.7, 0.7, 0.6, 0.6
_RATED_AFTER_DAYS = 4.0  # mean, after the first


class Opinions:
    """Ratings of one world.

    >>> from workbench.marketplace import Marketplace, MarketplaceSpec
    >>> world = Marketplace(MarketplaceSpec(users=50, days=2))
    >>> world.opinions.is_spam(np.array([3 * SLOTS, 3 * SLOTS + FIRST_BOT_SLOT])).tolist()
    [False, True]
    """

    def __init__(self, behaviour: Behaviour, ledger: Ledger, *, rating_share: float):
        self._behaviour, self._ledger, self._rating_share = behaviour, ledger, rating_share
        self._luck, self._bought = behaviour.luck, []
        self._ids = Ids(behaviour.luck.seed, "rating")

    def of_buyers(self, entries: np.ndarray) -> None:
        """Some buyers will rate: `entries` has rows user, visit, step, item, time, shape (5, n)."""
        self._bought.append(entries)

    def settle(self) -> None:
        """Decide who of the buyers since the last time rates; before a day after they bought."""
        if not self._bought:
            return
        entries, self._bought = np.concatenate(self._bought, axis=1), []
        key = self._luck.key(*entries[:3])
        rates = self._luck.uniform("rates", key) < self._rating_share
        (user, visit, step, item, time), key = entries[:, rates], key[rates]
        catalogue, people = self._behaviour.catalogue, self._behaviour.people
        taste = people.shocks.taste(people, user, visit)
        affinity = np.einsum("nd,nd->n", taste, catalogue.vector[item]) / (1.5 * TASTES**0.5)
        felt = _BY_QUALITY * catalogue.quality[item] + _BY_AFFINITY * affinity
        felt += _STARS + _NOISE * self._luck.normal("stars", key)
        wait = 1 + _RATED_AFTER_DAYS * self._luck.exponential("rated after", key)
        self._ledger.write(
            "rating", event=self._ids.of(user, visit, step), user=user, item=item,
            time=time + (wait * DAY_US).astype(np.int64), score=_stars(felt),
        )  # fmt: skip

    def of_spammers(self, users: np.ndarray, day: int, midnight: int) -> None:
        """What the spammers among these users post on a day that begins at `midnight`."""
        users = users[self._luck.uniform("spammer", users) < _SPAMMERS]
        users = users[self._luck.uniform("spams", users, day) < _SPAM_A_DAY]
        visit = np.full_like(users, day * SLOTS + FIRST_BOT_SLOT)
        clock = self._luck.uniform("spam time", users, day)
        self._ledger.write(
            "rating", event=self._ids.of(users, visit, 0), user=users,
            item=self._behaviour.catalogue.direct(users, visit, np.zeros_like(users)),
            time=midnight + (clock * DAY_US).astype(np.int64),
            score=np.full(len(users), float(SPAM_STARS)),
        )  # fmt: skip

    def written(self, ratings: pl.DataFrame) -> pl.DataFrame:
        """The same ratings with their `text`."""
        user, visit, _ = self._ids.parts(ratings["event"].to_numpy())
        item, spam = ratings["item"].to_numpy(), self.is_spam(visit)
        text = np.empty(len(user), object)
        catalogue = self._behaviour.catalogue
        ads = user[spam], visit[spam], item[spam], catalogue.noun[item[spam]]
        text[spam] = spam_texts(catalogue.language, *ads)
        honest = self._reviews(ratings.filter(~spam))
        text[~spam] = honest.text
        return ratings.with_columns(text=pl.Series(text.tolist(), dtype=pl.String))

    def sentiment(self, ratings) -> np.ndarray:
        """What the buyers truly felt, in [-1, 1]; NaN for spam, shape (n,)."""
        table = pl.DataFrame(
            {name: np.asarray(ratings[name]) for name in ("event", "item", "score")}
        )
        spam = self.is_spam(self._ids.parts(table["event"].to_numpy())[1])
        felt = np.full(len(spam), np.nan)
        felt[~spam] = self._reviews(table.filter(~spam)).sentiment
        return felt

    def spam(self, events: np.ndarray) -> np.ndarray:
        """Which ratings are advertisements, by their event ids, bool, shape (n,)."""
        return self.is_spam(self._ids.parts(events)[1])

    @staticmethod
    def is_spam(visit: np.ndarray) -> np.ndarray:
        """Which visits behind ratings are a spammer's, bool, shape (n,)."""
        return visit % SLOTS >= FIRST_BOT_SLOT

    def _reviews(self, ratings: pl.DataFrame):
        catalogue = self._behaviour.catalogue
        user, visit, step = self._ids.parts(ratings["event"].to_numpy())
        item = ratings["item"].to_numpy()
        stars = ratings["score"].to_numpy().astype(np.int64)
        about = Written(user, visit * STEPS + step, item, catalogue.noun[item], stars)
        return review_texts(catalogue.language, about)


def _stars(felt: np.ndarray) -> np.ndarray:
    return np.clip(np.round(felt), 1.0, 5.0)
