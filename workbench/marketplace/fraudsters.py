"""Who pays with other people's money: bursts, marks, second tries and complaints.

`techniques` says how each kind of thief works and when; this file plays them out. Choices:

- Frauds come in bursts: one thief, one victim, one or several payments. Everything is keyed by
  (victim, visit, step), and the slot of a visit tells the technique, so nothing is kept. The ids of
  requests hide the slot; sessions, ids and fractions of a second are made as for honest people.
- Victims are drawn alike from all users; of an account takeover, from people who come seldom (the
  least active of three), so that the account has mostly been quiet.
- Items are drawn by popularity, as in an honest direct visit; of a takeover, in the category that
  suits the victim's taste least of three; at a compromised seller, among its items. One seller in
  200 is compromised in each run of that technique, none of them with more than 3 % of sales.
- The volume is set against the honest payments of a page filled at random, so thieves do not grow
  with sales. A payment after the technique's stop does not happen.
- Complaints are log-normally late and a share never comes, both by technique; an honest buyer
  disputes a payment only where `spec.friendly_fraud_share` says so.

Not modelled: thieves who learn a model's weak points, rings of victims, stolen cards that are
abused after an honest payment at the compromised seller, a real look at when an account was used, a
stolen account's profile that is changed before it is used.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from workbench.marketplace.behaviour import Behaviour
from workbench.marketplace.luck import FIRST_BOT_SLOT, FIRST_THIEF_SLOT, SLOTS
from workbench.marketplace.people import DAY_US, HOURS, away_place, hour_to_clock
from workbench.marketplace.spec import MarketplaceSpec
from workbench.marketplace.techniques import (
    ACCOUNT_TAKEOVER,
    COMPROMISED_SELLER,
    TECHNIQUES,
    shares_by_day,
)
from workbench.marketplace.victims import LeastLiked, QuietUsers, Shelves, compromised_sellers

__all__ = ["ATTEMPT", "AT_THE_TILL", "Bursts", "Fraudsters", "technique_of"]

ATTEMPT = 1024  # added to the step of a payment that is tried again
_ATTEMPTS = 3
_SLOTS_EACH = (FIRST_BOT_SLOT - FIRST_THIEF_SLOT) // len(
    TECHNIQUES
)  # bursts a user, day and technique
_GIVES_UP = 0.5
_MORE_PAGES = 1.5  # sales of a visit over those of its first page; measured on the default world
_SMALLER = 0.5  # the amount of a second try
_RETRY_MINUTES = 4.0
_DELAY_SPREAD = 0.8  # of the log of the days until the complaint
_LONGEST_BURST = 60
_DRAWS = 4  # of an item, until one is launched
AT_THE_TILL = TECHNIQUES.index(COMPROMISED_SELLER)
_TAKEOVER, _SELLER = TECHNIQUES.index(ACCOUNT_TAKEOVER), AT_THE_TILL


@dataclass(frozen=True)
class Bursts:
    """Planned fraudulent checkouts; every array has shape (n,). `time` is in microseconds."""

    user: np.ndarray
    visit: np.ndarray
    step: np.ndarray
    time: np.ndarray
    item: np.ndarray
    technique: np.ndarray  # index into TECHNIQUES


@dataclass(frozen=True)
class Fraudsters:
    """The thieves of a world; every method is a pure function of its arguments."""

    spec: MarketplaceSpec
    behaviour: Behaviour

    @property
    def honest_per_day(self) -> float:
        """Honest checkouts of a usual day, if every page is filled at random."""
        spec = self.spec
        pages = (1 - spec.direct_share) * _MORE_PAGES
        return spec.users * spec.visits_per_day * (
            spec.direct_share + pages * self.behaviour.purchases_per_page
        )  # fmt: skip

    def frauds_per_day(self, day: np.ndarray) -> np.ndarray:
        """Planned frauds of each technique on a day, shape (n, techniques)."""
        share = self.spec.fraud_share
        return self.honest_per_day * share / (1 - share) * self.mix(day)

    def mix(self, day: np.ndarray) -> np.ndarray:
        """Share of each technique on a day, shape (n, techniques)."""
        return self._shares[np.clip(np.atleast_1d(day), 0, self.spec.days - 1)]

    def bursts_of(self, day: int) -> Bursts:
        """The bursts that begin on a day; a takeover goes on for days."""
        luck = self.behaviour.luck
        means = self.frauds_per_day(day)[0] / _each("payments")
        kinds = np.arange(len(TECHNIQUES))
        counts = (means + luck.uniform("bursts", kinds, day)).astype(np.int64)
        technique = np.repeat(kinds, counts)
        rank = np.arange(technique.size) - np.repeat(np.cumsum(counts) - counts, counts)
        chance = luck.uniform("victim", day, technique, rank)
        victim = self._victims(technique, chance)
        late = np.flatnonzero(self.behaviour.people.first_day[victim] > day)
        again = luck.uniform("victim again", day, technique[late], rank[late])
        victim[late] = self._victims(technique[late], again)
        nth = _rank_among_equals(victim * len(TECHNIQUES) + technique)
        fits = (nth < _SLOTS_EACH) & (self.behaviour.people.first_day[victim] <= day)
        technique, victim, nth = technique[fits], victim[fits], nth[fits]
        visit = day * SLOTS + FIRST_THIEF_SLOT + technique * _SLOTS_EACH + nth

        length = 1 + luck.poisson(
            _each("payments")[technique] - 1, "burst length", victim, visit, most=_LONGEST_BURST
        )
        start = int(self.spec.start.timestamp()) * 1_000_000 + day * DAY_US
        time = start + self._clock(victim, visit, technique)
        first = np.cumsum(length) - length
        step = np.arange(length.sum()) - np.repeat(first, length)
        user, visit, technique, time = (
            np.repeat(column, length) for column in (victim, visit, technique, time)
        )
        gap = _each("gap_minutes")[technique] * 60e6
        wait = (gap * luck.exponential("burst gap", user, visit, step)).astype(np.int64)
        passed = np.cumsum(np.where(step == 0, 0, wait))
        time += passed - np.repeat(passed[first], length)
        on = (time - start) // DAY_US + day
        goes_on = self.mix(on)[np.arange(len(on)), technique] > 0
        user, visit, step, time, technique = (
            column[goes_on] for column in (user, visit, step, time, technique)
        )
        item = self.item(user, visit, step)
        found = item >= 0
        columns = user, visit, step, time, item, technique
        return Bursts(*(column[found] for column in columns))

    def item(self, user, visit, step) -> np.ndarray:
        """What a thief pays for, -1 where nothing of that kind is launched yet, shape (n,)."""
        launch_day, day = self.behaviour.catalogue.launch_day, visit // SLOTS
        item = self._item(user, visit, step)
        for again in range(1, _DRAWS):
            early = np.flatnonzero(launch_day[item] > day)
            item[early] = self._item(user[early], visit[early], step[early], again)
        return np.where(launch_day[item] > day, -1, item)

    def _item(self, user, visit, step, *again: int) -> np.ndarray:
        catalogue, luck = self.behaviour.catalogue, self.behaviour.luck
        technique, day = technique_of(visit), visit // SLOTS
        item = catalogue.direct(user, visit, step)
        chance = luck.uniform("thief's item", user, visit, step, *again)
        theirs = technique == _TAKEOVER
        if theirs.any():
            about = user[theirs], visit[theirs], step[theirs]
            category = self.disliked.draw(about[0], luck.uniform("thief's category", *about))
            item[theirs] = self.categories.draw(category, chance[theirs])
        for (first, stop, _), shelves in zip(self.sellers, self.tills, strict=True):
            theirs = (technique == _SELLER) & (day >= first) & (day < stop)
            item[theirs] = shelves.draw(np.ones(theirs.sum(), np.int64), chance[theirs])
        return item

    def device(self, user, visit, step) -> np.ndarray:
        """The device behind each payment: one a burst, unless a second try changes it."""
        people, technique = self.behaviour.people, technique_of(visit)
        share = _each("other_device_share")[technique]
        other = people.luck.uniform("thief's device", user, visit) < share
        device = np.where(other, people.devices.of(user, visit, 2), people.main_device(user, visit))
        changes = people.luck.uniform("thief changes device", user, visit, step)
        changes = (step >= ATTEMPT) & (changes < _each("changes_device_share")[technique])
        return np.where(changes, people.devices.of(user, visit, 2 + step // ATTEMPT), device)

    def place(self, user, visit) -> np.ndarray:
        """Where a burst seems to come from, as an index into PLACES."""
        people = self.behaviour.people
        share = _each("away_share")[technique_of(visit)]
        away = people.luck.uniform("thief away", user, visit) < share
        abroad = away_place(people.home[user], people.luck.uniform("thief's place", user, visit))
        return np.where(away, abroad, people.home[user])

    def log_amount(self, user, visit, step, log_price) -> np.ndarray:
        """Log of the amount of each fraudulent checkout; a second try asks for half."""
        technique, basket = technique_of(visit), self.behaviour.people.basket[user]
        means = np.stack([how.log_amount_mean(log_price, basket) for how in TECHNIQUES])
        planned, attempt = step % ATTEMPT, step // ATTEMPT
        noise = self.behaviour.luck.normal("thief's amount", user, visit, planned)
        mean = means[technique, np.arange(len(technique))] + attempt * np.log(_SMALLER)
        return mean + _each("spread")[technique] * noise

    def gives_up(self, user, visit, step) -> np.ndarray:
        """Whether a thief who was just blocked stops the burst."""
        return self.behaviour.luck.uniform("gives up", user, visit, step) < _GIVES_UP

    def tries_again(self, user, visit, step) -> np.ndarray:
        """Whether a blocked thief who has not given up tries that purchase again, as `step + 1024`.

        At most three times, see `log_amount` and `device` for what changes.
        """
        chance = self.behaviour.luck.uniform("tries again", user, visit, step)
        share = _each("tries_again_share")[technique_of(visit)]
        return (chance < share) & (step // ATTEMPT < _ATTEMPTS)

    def retry_us(self, user, visit, step) -> np.ndarray:
        """Microseconds from a blocked try to the next: a second and an exponential of 4 minutes."""
        wait = self.behaviour.luck.exponential("retry", user, visit, step)
        return (1e6 + _RETRY_MINUTES * 60e6 * wait).astype(np.int64)

    def complains(self, user, visit, step) -> np.ndarray:
        """Whether the owner of the card ever disputes an approved payment, honest or not."""
        technique, spec = technique_of(visit), self.spec
        share = np.minimum(_each("never_factor") * spec.never_complained_share, 1.0)
        share = np.append(share, 1 - spec.friendly_fraud_share)[technique]  # -1 is the last: honest
        complains = np.zeros(len(user), bool)
        may = np.flatnonzero(share < 1)
        chance = self.behaviour.luck.uniform("complains", user[may], visit[may], step[may])
        complains[may] = chance >= share[may]
        return complains

    def delay_us(self, user, visit, step) -> np.ndarray:
        """Microseconds from the payment to the complaint, log-normal, by technique."""
        noise = self.behaviour.luck.normal("complaint", user, visit, step)
        relative = np.exp(_DELAY_SPREAD * noise - _DELAY_SPREAD**2 / 2)  # mean 1
        factor = np.append(_each("delay_factor"), 1.0)[technique_of(visit)]
        return (self.spec.chargeback_delay_days * factor * relative * DAY_US).astype(np.int64)

    def _victims(self, technique: np.ndarray, chance: np.ndarray) -> np.ndarray:
        anybody = (chance * self.spec.users).astype(np.int64)
        return np.where(technique == _TAKEOVER, self.quiet.draw(chance), anybody)

    def _clock(self, user, visit, technique) -> np.ndarray:
        """Microseconds after midnight at which a burst begins."""
        chance, clock = self.behaviour.luck.uniform("burst time", user, visit), np.empty(len(user))
        for kind, how in enumerate(TECHNIQUES):
            mine = technique == kind
            clock[mine] = hour_to_clock(np.array(how.hours or HOURS), chance[mine])
        return clock.astype(np.int64)

    @cached_property
    def quiet(self) -> QuietUsers:
        """Users as an account thief picks them."""
        return QuietUsers(self.behaviour.people.visits_per_day)

    @cached_property
    def categories(self) -> Shelves:
        """The items of each category."""
        return Shelves(self.behaviour.catalogue.category, self.behaviour.catalogue.popularity)

    @cached_property
    def disliked(self) -> LeastLiked:
        """Categories as an account thief picks them."""
        return LeastLiked.of(self.behaviour.people, self.behaviour.catalogue)

    @cached_property
    def sellers(self) -> list[tuple[int, int, np.ndarray]]:
        """First day, stop day and sellers of each run with compromised sellers."""
        return compromised_sellers(self.spec, self.behaviour.catalogue)

    @cached_property
    def tills(self) -> list[Shelves]:
        """For each of `sellers`: shelf 1 has the items that are sold there, shelf 0 the others."""
        seller, popularity = self.behaviour.catalogue.seller, self.behaviour.catalogue.popularity
        return [
            Shelves(np.isin(seller, sellers).astype(np.int64), popularity)
            for *_, sellers in self.sellers
        ]

    @cached_property
    def _shares(self) -> np.ndarray:
        return shares_by_day(self.spec.fraud_schedule, self.spec.days)


def technique_of(visit: np.ndarray) -> np.ndarray:
    """Index into TECHNIQUES of the thief whose visit it is, -1 for all others, shape (n,).

    >>> technique_of(np.array([7 * 64 + 3, 7 * 64 + 32, 7 * 64 + 55, 7 * 64 + 60])).tolist()
    [-1, 0, 3, -1]
    """
    slot = np.asarray(visit) % SLOTS
    thief = (slot >= FIRST_THIEF_SLOT) & (slot < FIRST_BOT_SLOT)
    return np.where(thief, (slot - FIRST_THIEF_SLOT) // _SLOTS_EACH, -1)


def _each(name: str) -> np.ndarray:
    """One figure of every technique, shape (techniques,)."""
    return np.array([getattr(how, name) for how in TECHNIQUES])


def _rank_among_equals(values: np.ndarray) -> np.ndarray:
    """0 for the first of each value, 1 for the second and so on."""
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    first = np.searchsorted(ordered, ordered, side="left")
    rank = np.empty(len(values), np.int64)
    rank[order] = np.arange(len(values)) - first
    return rank
