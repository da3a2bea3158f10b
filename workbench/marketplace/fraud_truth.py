"""What is really so about frauds: who, how, when, where, and how likely from what is seen.

`Truth` is the door; this file knows the answers. P(fraud) is Bayes' rule over the marks of one
request, a mixture of the honest and of four techniques:

    rate(technique)  frauds per user on that day  x hour x device x place x amount x user x item
    rate(honest)     direct visits of that user on that day x hour x device x place x amount

    P(fraud) = sum of rates(techniques) / (that sum + rate(honest))       0 if a page led to it

All densities of the item are relative to popularity, which honest direct visits follow. Left out,
so the probability is that of the best judge of one request alone: earlier payments (bursts), the
honest person's second device over time, what blocks did (annoyed people who stay away, thieves who
stop or try again with less), and that a takeover's payments fall on the days after it began.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import polars as pl

from workbench.marketplace.behaviour import AMOUNT_SPREAD
from workbench.marketplace.fraudsters import Fraudsters, technique_of
from workbench.marketplace.people import (
    DAY_US,
    HOURS,
    OTHER_DEVICE_SHARE,
    PLACES,
    TRIP_SHARE,
    WEEKDAYS,
    season,
)
from workbench.marketplace.techniques import (
    ACCOUNT_TAKEOVER,
    COMPROMISED_SELLER,
    TECHNIQUES,
    Technique,
)

__all__ = ["Checkouts", "FraudTruth"]

_NAMES = np.array([how.name for how in TECHNIQUES] + ["honest"])  # -1 is the last


@dataclass(frozen=True)
class Checkouts:
    """What checkouts show, and the three parts of their ids; every array has shape (n,)."""

    user: np.ndarray
    visit: np.ndarray
    step: np.ndarray
    item: np.ndarray
    device: np.ndarray
    place: np.ndarray  # words
    amount: np.ndarray
    time_us: np.ndarray  # microseconds since 1970


class FraudTruth:
    """The answers about the frauds of one world.

    >>> from workbench.marketplace import Marketplace, MarketplaceSpec
    >>> truth = Marketplace(MarketplaceSpec()).truth
    >>> truth.compromised_sellers["start"].dt.day().to_list(), truth.fraud_schedule.height
    ([13], 8)
    """

    def __init__(self, fraudsters: Fraudsters):
        self._fraudsters = fraudsters

    def is_fraud(self, visit: np.ndarray) -> np.ndarray:
        """Whether a thief made the visit, bool, shape (n,)."""
        return technique_of(visit) >= 0

    def technique(self, visit: np.ndarray) -> np.ndarray:
        """The technique's name, or "honest", shape (n,)."""
        return _NAMES[technique_of(visit)]

    def never_complained(self, user, visit, step) -> np.ndarray:
        """Whether it is a fraud whose victim never complains, bool, shape (n,)."""
        return self.is_fraud(visit) & ~self._fraudsters.complains(user, visit, step)

    def friendly_fraud(self, user, visit, step) -> np.ndarray:
        """Whether an honest buyer would dispute the payment, bool, shape (n,)."""
        return ~self.is_fraud(visit) & self._fraudsters.complains(user, visit, step)

    def schedule(self) -> pl.DataFrame:
        """Which technique runs from when to when: technique, start, stop, share."""
        spec = self._fraudsters.spec
        runs = sorted(spec.fraud_schedule, key=lambda run: run.start_day)
        rows = [
            (run.technique, *self._moments(run.start_day, run.stop_day), run.share) for run in runs
        ]
        return _frame(rows, technique=pl.String, start=None, stop=None, share=pl.Float64)

    def compromised_sellers(self) -> pl.DataFrame:
        """Who is compromised from when to when: seller, start, stop."""
        rows = [
            (seller, *self._moments(first, stop))
            for first, stop, sellers in self._fraudsters.sellers
            for seller in sellers.tolist()
        ]
        return _frame(rows, seller=pl.Int64, start=None, stop=None)

    def probability(self, rows: Checkouts) -> np.ndarray:
        """P(fraud) given what each checkout shows, shape (n,)."""
        honest, fraud = self._honest_rate(rows), self._technique_rates(rows).sum(axis=1)
        from_a_page = ~self.is_fraud(rows.visit) & (rows.step > 0)  # no thief comes from one
        return np.where(from_a_page, 0.0, fraud / (fraud + honest))

    def technique_probability(self, rows: Checkouts) -> np.ndarray:
        """P(technique) given what each checkout shows, shape (n, techniques)."""
        rates = self._technique_rates(rows)
        from_a_page = ~self.is_fraud(rows.visit) & (rows.step > 0)
        share = rates / (rates.sum(axis=1) + self._honest_rate(rows))[:, None]
        return np.where(from_a_page[:, None], 0.0, share)

    def _honest_rate(self, rows: Checkouts) -> np.ndarray:
        """Direct checkouts of the user a day, times the densities of the marks, shape (n,)."""
        spec, people = self._fraudsters.spec, self._fraudsters.behaviour.people
        day, hour, other, away, log_price = self._marks(rows)
        weekday = WEEKDAYS[(spec.start.weekday() + day) % 7] / WEEKDAYS.mean()
        rate = people.visits_per_day[rows.user] * spec.direct_share * weekday * season(spec, day)
        rate *= (HOURS / HOURS.sum())[hour]
        rate *= np.where(other, OTHER_DEVICE_SHARE, 1 - OTHER_DEVICE_SHARE)
        rate *= np.where(away, TRIP_SHARE, 1 - TRIP_SHARE)
        mean = log_price + people.basket[rows.user]
        return rate * _normal_density(np.log(rows.amount), mean, AMOUNT_SPREAD)

    def _technique_rates(self, rows: Checkouts) -> np.ndarray:
        """Frauds on the user a day, times the densities of the marks, shape (n, techniques)."""
        spec, people = self._fraudsters.spec, self._fraudsters.behaviour.people
        day, hour, other, away, log_price = self._marks(rows)
        basket, log_amount = people.basket[rows.user], np.log(rows.amount)
        rates = self._fraudsters.frauds_per_day(day) / spec.users
        for kind, how in enumerate(TECHNIQUES):
            hours = np.array(how.hours or HOURS)
            rate = (hours / hours.sum())[hour]
            rate *= np.where(other, how.other_device_share, 1 - how.other_device_share)
            rate *= np.where(away, how.away_share, 1 - how.away_share)
            mean = how.log_amount_mean(log_price, basket)
            rate *= _normal_density(log_amount, mean, how.spread)
            rates[:, kind] *= rate * self._choice(how, rows, day)
        return rates

    def _choice(self, how: Technique, rows: Checkouts, day: np.ndarray) -> np.ndarray:
        """P(this user, this item | technique) over that of drawing both alike, shape (n,)."""
        thieves = self._fraudsters
        if how is ACCOUNT_TAKEOVER:
            category = thieves.behaviour.catalogue.category[rows.item]
            return thieves.quiet.relative(rows.user) * thieves.disliked.relative(
                rows.user, category
            )
        if how is not COMPROMISED_SELLER:
            return np.ones(len(rows.user))
        choice, seller = np.zeros(len(rows.user)), thieves.behaviour.catalogue.seller[rows.item]
        for (first, stop, sellers), tills in zip(thieves.sellers, thieves.tills, strict=True):
            there = (day >= first) & (day < stop) & np.isin(seller, sellers)
            choice[there] = 1 / tills.share[1]
        return choice

    def _marks(self, rows: Checkouts) -> tuple[np.ndarray, ...]:
        """Day, hour, whether on another device and away from home, log price."""
        spec, behaviour = self._fraudsters.spec, self._fraudsters.behaviour
        since = rows.time_us - round(spec.start.timestamp()) * 1_000_000
        other = rows.device != behaviour.people.main_device(rows.user, rows.visit)
        away = rows.place != PLACES[behaviour.people.home[rows.user]]
        day = since // DAY_US
        log_price = np.log(behaviour.catalogue.price_on(rows.item, day))
        return day, since % DAY_US * 24 // DAY_US, other, away, log_price

    def _moments(self, first: int, stop: int | None) -> tuple:
        spec = self._fraudsters.spec
        return tuple(
            spec.start + timedelta(days=day) for day in (first, spec.days if stop is None else stop)
        )


def _frame(rows: list[tuple], **types) -> pl.DataFrame:
    """Rows as a frame; columns of type None hold moments."""
    moment = pl.Datetime("us", "UTC")
    return pl.DataFrame(rows, {name: kind or moment for name, kind in types.items()}, orient="row")


def _normal_density(value: np.ndarray, mean: np.ndarray, deviation: float) -> np.ndarray:
    return np.exp(-0.5 * ((value - mean) / deviation) ** 2) / deviation  # up to one constant
