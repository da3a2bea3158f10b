"""Who lives here and when they come: tastes, money, homes, devices, arrivals.

Choices, with their sources:

- Taste is a vector; an item's appeal to a person is an inner product (Koren, Bell & Volinsky 2009,
  "Matrix factorization techniques for recommender systems", Computer 42). A third of the people
  share a segment's centre, so segments differ and people within one differ too.
- Activity is log-normal over people: a few come daily, most weekly. Visits are an inhomogeneous
  Poisson process: a person's rate times a weekday factor, spread over the day by a curve of hours
  (Lewis & Shedler 1979, "Simulation of nonhomogeneous Poisson processes by thinning").
- Price sensitivity is log-normal; homes follow a Zipf law over a dozen countries.
- One main device, replaced once at some day for half of the people; on 6 % of visits another one (a
  friend's, a cleared browser). Whole weeks away from home, 6 % of them: honest people look odd too.
- A wrongly blocked person comes back less often for about a week. Not modelled yet: new people,
  people who leave for good, seasons.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from workbench.marketplace.luck import FIRST_THIEF_SLOT, SLOTS, Ids, Luck
from workbench.marketplace.spec import SEGMENTS, MarketplaceSpec

__all__ = [
    "DAY_US",
    "OTHER_DEVICE_SHARE",
    "PLACES",
    "TASTES",
    "TRIP_SHARE",
    "People",
    "Visits",
    "away_place",
    "hour_to_clock",
    "people_of",
]

DAY_US = 86_400_000_000
TASTES = 8  # dimensions
PLACES = np.array(["DE", "FR", "GB", "IT", "ES", "NL", "PL", "SE", "CH", "AT", "PT", "IE"])
TRIP_SHARE = 0.06  # of weeks
OTHER_DEVICE_SHARE = 0.06  # of visits
HOURS = np.array([2, 1, 1, 1, 1, 2, 4, 6, 7, 8, 9, 9, 10, 9, 8, 8, 9, 10, 12, 14, 15, 13, 9, 5])
WEEKDAYS = np.array([0.95, 0.92, 0.94, 0.97, 1.0, 1.12, 1.10])  # Monday first
FORGIVEN_DAYS = 7.0  # time constant of the annoyance
ANNOYED_SHARE = 0.5  # of the visits right after a wrong block, lost
_UPGRADED, _VISIT_BITS = 0.5, 2**17


@dataclass(frozen=True)
class Visits:
    """Visits in no particular order; every array has shape (n,).

    `visit` is `day * SLOTS + slot`, `time` is in microseconds since 1970, `direct` visits go
    straight to a checkout.
    """

    user: np.ndarray
    visit: np.ndarray
    time: np.ndarray
    direct: np.ndarray


@dataclass(frozen=True)
class People:
    """Everybody, one row per user id from 0; arrays of shape (users,) unless said.

    >>> people = people_of(MarketplaceSpec(users=1_000), Luck(0))
    >>> people.taste.shape, people.visits_per_day.mean().round(2).item()
    ((1000, 8), 0.74)
    """

    luck: Luck
    devices: Ids
    segment: np.ndarray  # index into SEGMENTS
    centres: np.ndarray  # (segments, TASTES)
    taste: np.ndarray  # (users, TASTES), before any shock
    price_sensitivity: np.ndarray  # log-odds of a click lost per unit of log price
    visits_per_day: np.ndarray
    basket: np.ndarray  # mean log of amount / price
    home: np.ndarray  # index into PLACES
    upgrade_day: np.ndarray  # the day a new main device comes; beyond the end for half of them

    def visits_of(self, spec: MarketplaceSpec, day: int) -> Visits:
        """Every visit that people would make on this day if nobody annoyed them."""
        users = np.arange(spec.users)
        weekday = (spec.start.weekday() + day) % 7
        counts = self.luck.poisson(
            self.visits_per_day * WEEKDAYS[weekday] / WEEKDAYS.mean(),
            "visits", users, day, most=FIRST_THIEF_SLOT - 1,
        )  # fmt: skip
        user = np.repeat(users, counts)
        slot = np.arange(user.size) - np.repeat(np.cumsum(counts) - counts, counts)
        visit = day * SLOTS + slot
        clock = hour_to_clock(HOURS, self.luck.uniform("visit time", user, visit))
        time = int(spec.start.timestamp()) * 1_000_000 + day * DAY_US + clock
        direct = self.luck.uniform("direct", user, visit) < spec.direct_share
        return Visits(user, visit, time, direct)

    def main_device(self, user: np.ndarray, visit: np.ndarray) -> np.ndarray:
        """The device that is the user's own on the day of the visit, Int64 ids."""
        upgraded = visit // SLOTS >= self.upgrade_day[user]
        return self.devices.of(user, np.full(len(user), _VISIT_BITS - 1), upgraded)

    def device(self, user: np.ndarray, visit: np.ndarray) -> np.ndarray:
        """The device of an honest visit: the main one, now and then one never seen before."""
        other = self.luck.uniform("other device", user, visit) < OTHER_DEVICE_SHARE
        return np.where(other, self.devices.of(user, visit, 2), self.main_device(user, visit))

    def place(self, user: np.ndarray, day: np.ndarray) -> np.ndarray:
        """Where an honest user is on a day, as an index into PLACES: home, or away for a week."""
        week = day // 7
        away = self.luck.uniform("trip", user, week) < TRIP_SHARE
        abroad = away_place(self.home[user], self.luck.uniform("destination", user, week))
        return np.where(away, abroad, self.home[user])

    def comes(self, user, visit, time, annoyed_at) -> np.ndarray:
        """Whether a visit happens, given when the user was last wrongly blocked."""
        lost = ANNOYED_SHARE * np.exp((annoyed_at - time) / (FORGIVEN_DAYS * DAY_US))
        return self.luck.uniform("comes", user, visit) >= lost


def people_of(spec: MarketplaceSpec, luck: Luck) -> People:
    """The people of a world: a pure function of the spec."""
    users = np.arange(spec.users)

    def normal(purpose):
        return luck.normal(purpose, users)

    centres = luck.normal("centre", np.arange(len(SEGMENTS))[:, None], np.arange(TASTES)[None, :])
    segment = (luck.uniform("segment", users) * len(SEGMENTS)).astype(np.int64)
    own = luck.normal("taste", users[:, None], np.arange(TASTES)[None, :])
    homes = np.cumsum(1 / np.arange(1, len(PLACES) + 1))
    home = np.searchsorted(homes / homes[-1], luck.uniform("home", users), side="right")
    day = (luck.uniform("upgrade day", users) * spec.days).astype(np.int64)
    upgrades = luck.uniform("upgrades", users) < _UPGRADED
    spread = 0.6  # of log activity
    return People(
        luck=luck,
        devices=Ids(luck.seed, "device"),
        segment=segment,
        centres=centres,
        taste=centres[segment] + 0.8 * own,
        price_sensitivity=0.5 * np.exp(0.5 * normal("price sensitivity") - 0.125),
        visits_per_day=spec.visits_per_day * np.exp(spread * normal("activity") - spread**2 / 2),
        basket=0.35 * normal("basket"),
        home=home,
        upgrade_day=np.where(upgrades, day, spec.days),
    )


def away_place(home: np.ndarray, chance: np.ndarray) -> np.ndarray:
    """Any place but home, all alike, as indices into PLACES."""
    others = len(PLACES) - 1
    return (home + 1 + (chance * others).astype(np.int64)) % len(PLACES)


def hour_to_clock(hours: np.ndarray, chance: np.ndarray) -> np.ndarray:
    """Microseconds after midnight from a curve of 24 hourly weights, by inversion.

    >>> (hour_to_clock(np.ones(24), np.array([0.0, 0.5])) / 3.6e9).tolist()
    [0.0, 12.0]
    """
    shares = np.concatenate([[0.0], np.cumsum(hours) / np.sum(hours)])
    return (np.interp(chance, shares, np.arange(25)) * 3.6e9).astype(np.int64)
