"""The only door to what nobody in the shop can know.

Everything is computed from the ids of the requests, which the truth alone can read, and from the
world's own laws: nothing is collected while the world runs, so the truth of a request can be asked
before, during and after.

Tests, studies and notebooks may open this door; a library module never does.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import polars as pl

from workbench.marketplace.fraud_truth import Checkouts, FraudTruth
from workbench.marketplace.fraudsters import Fraudsters
from workbench.marketplace.looking import Shown, examined_in_cascade
from workbench.marketplace.luck import FIRST_BOT_SLOT, SLOTS, TURN_STEPS, Ids
from workbench.marketplace.techniques import shares_by_day

__all__ = ["Truth"]


class Truth:
    """What is really so in one world. Tables are frames or mappings of columns.

    >>> from workbench.marketplace import Marketplace, MarketplaceSpec
    >>> world = Marketplace(MarketplaceSpec(users=500, days=2))
    >>> page = world.next_requests()["home"]
    >>> world.truth.click_probability(page)[:3].round(3).tolist()
    [0.137, 0.245, 0.115]
    """

    def __init__(self, world, fraudsters: Fraudsters):
        self._world, self._spec, self._fraudsters = world, world.spec, fraudsters
        self._behaviour = fraudsters.behaviour
        self._ids, self._frauds = Ids(world.spec.seed, "request"), FraudTruth(fraudsters)

    # shocks

    @property
    def shocks(self) -> pl.DataFrame:
        """All shocks of people and prices: kind, start, stop (UTC), segment, category, size."""
        rows = [
            (
                shock.kind,
                self._moment(shock.day),
                self._moment(min(shock.day + (shock.days or self._spec.days), self._spec.days)),
                shock.segment,
                shock.category,
                shock.size,
            )
            for shock in self._spec.all_shocks
        ]
        moment = pl.Datetime("us", "UTC")
        schema = {"kind": pl.String, "start": moment, "stop": moment, "segment": pl.String}
        schema |= {"category": pl.Int64, "size": pl.Float64}
        return pl.DataFrame(rows, schema, orient="row")

    @property
    def shock_days(self) -> list[int]:
        """Days on which something jumps at midnight, counted from 0.

        Shocks of people and prices, and techniques that gain at least half of the frauds overnight.
        """
        shares = shares_by_day(self._spec.fraud_schedule, self._spec.days)
        taken_over = 1 + np.flatnonzero((np.diff(shares, axis=0) >= 0.5).any(axis=1))
        return sorted({shock.day for shock in self._spec.all_shocks} | set(taken_over.tolist()))

    @property
    def shock_times(self) -> list[datetime]:
        """The same as moments, UTC."""
        return [self._moment(day) for day in self.shock_days]

    @property
    def shock_segment(self) -> str:
        """The people whose tastes move, if nothing else was said."""
        return self._spec.shock_segment

    # pages

    def examination(self, position: np.ndarray) -> np.ndarray:
        """P(a user looks at this position of a home page), shape (n,)."""
        return self._behaviour.examined(position)

    def click_probability(self, requests) -> np.ndarray:
        """P(click) of `item` for the user of `request`, shape (n,).

        Without a column `position`: if it is looked at, as on top. With one: as shown there. In a
        search (column `surface` or `query`) the results above decide what is read, so the table
        must hold whole slates. A column `bestseller` counts; without one no item is one.
        """
        user, visit, step, item = self._pairs(requests)
        names = _names(requests)
        best = (
            _column(requests, "bestseller") if "bestseller" in names else np.zeros(len(item), bool)
        )
        behaviour, searched = self._behaviour, self._searched(requests, len(item))
        chance, rows = behaviour.attraction(user, visit, item, best), np.flatnonzero(searched)
        position = _column(requests, "position") if "position" in names else np.ones(len(item), int)
        grade = behaviour.relevance(behaviour.wanted(user, visit), item)
        turn = step // TURN_STEPS
        slate = Shown(user, visit, turn, item, position, best, grade, grade).take(rows)
        chance[rows] = behaviour.attraction_found(slate)
        if "position" not in names:
            return chance
        looked = self.examination(position)
        looked[rows] = examined_in_cascade(slate, chance[rows], behaviour.satisfied(slate))
        return chance * looked

    def purchase_probability(self, requests) -> np.ndarray:
        """P(goes to the checkout | clicked on `item`, in stock), shape (n,)."""
        return self._behaviour.purchase(*self._take(self._pairs(requests), 0, 1, 3))

    def relevance(self, requests) -> np.ndarray:
        """Grade of `item` for what the user of `request` wants, whatever was typed: 0 to 3, (n,).

        3 the thing itself, 2 a substitute or companion, 1 the same category, 0 anything else.
        """
        user, visit, _, item = self._pairs(requests)
        return self._behaviour.relevance(self._behaviour.wanted(user, visit), item)

    def wanted(self, requests) -> np.ndarray:
        """What the user of each `request` would search for on that visit, as a word, shape (n,)."""
        user, visit, _ = self._parts(requests)
        return self._behaviour.catalogue.language.noun_name[self._behaviour.wanted(user, visit)]

    def is_bot(self, requests) -> np.ndarray:
        """Whether a program made the request, bool, shape (n,). A table or an array of ids."""
        return self._parts(requests)[1] % SLOTS >= FIRST_BOT_SLOT

    # people

    def mood(self, user: np.ndarray) -> np.ndarray:
        """The moods of users at the world's present moment, 0 is even, shape (n,)."""
        user = np.asarray(user)
        now = round(self._world.now.timestamp() * 1e6)
        return self._world.loyalty.mood(user, np.full(len(user), now))

    def has_left(self, user: np.ndarray) -> np.ndarray:
        """Who has left for good by now, bool, shape (n,)."""
        return self._world.loyalty.gone[np.asarray(user)]

    def sentiment(self, ratings) -> np.ndarray:
        """What the authors of ratings (event, item, score) truly felt, in [-1, 1]; NaN for spam."""
        return self._world.opinions.sentiment(ratings)

    def is_spam(self, ratings) -> np.ndarray:
        """Whether a rating is an advertisement, bool, shape (n,)."""
        return self._world.opinions.spam(_column(ratings, "event").astype(np.int64))

    # payments

    @property
    def fraud_schedule(self) -> pl.DataFrame:
        """Which technique of fraud runs when: technique, start, stop (UTC), share of the frauds."""
        return self._frauds.schedule()

    @property
    def compromised_sellers(self) -> pl.DataFrame:
        """Sellers whose till thieves use, and when: seller, start, stop (UTC)."""
        return self._frauds.compromised_sellers()

    def is_fraud(self, requests) -> np.ndarray:
        """Whether a thief made the request, bool, shape (n,). A table or an array of ids."""
        return self._frauds.is_fraud(self._parts(requests)[1])

    def technique(self, requests) -> np.ndarray:
        """How the thief works, or "honest", str, shape (n,). A table or an array of ids."""
        return self._frauds.technique(self._parts(requests)[1])

    def never_complained(self, requests) -> np.ndarray:
        """Whether it is a fraud whose victim never complains, bool, shape (n,)."""
        return self._frauds.never_complained(*self._parts(requests))

    def friendly_fraud(self, requests) -> np.ndarray:
        """Whether it is an honest payment that its buyer would dispute, bool, shape (n,)."""
        return self._frauds.friendly_fraud(*self._parts(requests))

    def label(self, requests):
        """The same table with the true `label`: 1.0 for fraud, 0.0 for honest."""
        label = self.is_fraud(requests).astype(float)
        if isinstance(requests, pl.DataFrame):
            return requests.with_columns(label=pl.Series(label))
        if hasattr(requests, "assign"):  # pandas
            return requests.assign(label=label)
        return {**requests, "label": label}

    def fraud_probability(self, requests) -> np.ndarray:
        """P(fraud) given what one checkout shows, by the laws of this world, shape (n,).

        Parameters
        ----------
        requests : table
            Checkouts or payments: request, item, amount, device, place, time.

        Notes
        -----
        Bayes' rule over the marks of this one request: hour, whether a page led to it, device,
        place, amount given the price and the user's basket, user, seller and category; the mixture
        is written out in `fraud_truth`. What the user did before (repetition above all) is left
        out, so a model with history features may rank better than this.
        """
        return self._frauds.probability(self._checkouts(requests))

    def technique_probability(self, requests) -> np.ndarray:
        """P(technique) likewise, in the order of `TECHNIQUES`, shape (n, techniques)."""
        return self._frauds.technique_probability(self._checkouts(requests))

    def _moment(self, day: int) -> datetime:
        return self._spec.start + timedelta(days=day)

    def _searched(self, requests, rows: int) -> np.ndarray:
        names = _names(requests)
        if "surface" in names:
            return _column(requests, "surface") == "search"
        return np.full(rows, "query" in names)

    def _checkouts(self, requests) -> Checkouts:
        user, visit, step, item = self._pairs(requests)
        return Checkouts(
            user, visit, step, item, _column(requests, "device"), _column(requests, "place"),
            _column(requests, "amount").astype(float), _microseconds(_column(requests, "time")),
        )  # fmt: skip

    def _pairs(self, requests) -> tuple[np.ndarray, ...]:
        item = _column(requests, "item").astype(np.int64)
        if len(item) and not 0 <= item.min() <= item.max() < self._spec.items:
            raise ValueError(f"items must be in [0, {self._spec.items}), got {item.max()}")
        return *self._parts(requests), item

    def _parts(self, requests) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """User, visit and step behind the ids of requests."""
        alone = isinstance(requests, (np.ndarray, pl.Series, list))
        ids = np.asarray(requests) if alone else _column(requests, "request")
        user, visit, step = self._ids.parts(ids.astype(np.int64))
        strange = (user >= self._spec.users) | (visit >= self._spec.days * SLOTS) | (ids < 0)
        if strange.any():
            raise ValueError(f"request {ids[strange][0]} was not made by this world")
        return user, visit, step

    @staticmethod
    def _take(values, *which):
        return tuple(values[each] for each in which)


def _names(table) -> list[str]:
    return list(getattr(table, "columns", table))


def _column(table, name: str) -> np.ndarray:
    if name not in _names(table):
        raise ValueError(f"the truth needs a column {name}, got {_names(table)}")
    return np.asarray(table[name])


def _microseconds(time: np.ndarray) -> np.ndarray:
    """Microseconds since 1970 from datetime64 of any unit, or from aware datetimes."""
    if time.dtype == object:  # pandas or Python datetimes with a zone
        return np.array([round(moment.timestamp() * 1e6) for moment in time], np.int64)
    return time.astype("datetime64[us]").astype(np.int64)
