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
- A year has a season: a cosine with its top late in November, and every day is a little busier or
  quieter than planned (log-normal, 10 %). A fifth of the people first come after the first day, on
  a day drawn alike from all.
- Of the visits planned here a quarter does not happen to a person in an even mood; how moods move,
  and who leaves for good, is in `loyalty`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from workbench.marketplace.loyalty import EVEN_MOOD_COMES
from workbench.marketplace.luck import FIRST_BOT_SLOT, FIRST_THIEF_SLOT, SLOTS, Ids, Luck
from workbench.marketplace.shocks import TASTES, Shocks
from workbench.marketplace.spec import SEGMENTS, MarketplaceSpec

__all__ = [
    "BASKET_SPREAD",
    "BOT_VISITS",
    "CHECKOUT",
    "DAY_US",
    "HOME",
    "OTHER_DEVICE_SHARE",
    "PLACES",
    "SEARCH",
    "TRIP_SHARE",
    "People",
    "Visits",
    "away_place",
    "hour_to_clock",
    "people_of",
]

DAY_US = 86_400_000_000
HOME, SEARCH, CHECKOUT = range(3)  # where a visit begins
PLACES = np.array(["DE", "FR", "GB", "IT", "ES", "NL", "PL", "SE", "CH", "AT", "PT", "IE"])
BASKET_SPREAD = 0.6  # of a person's mean log of amount / price
TRIP_SHARE = 0.06  # of weeks
OTHER_DEVICE_SHARE = 0.06  # of visits
HOURS = np.array([2, 1, 1, 1, 1, 2, 4, 6, 7, 8, 9, 9, 10, 9, 8, 8, 9, 10, 12, 14, 15, 13, 9, 5])
WEEKDAYS = np.array([0.95, 0.92, 0.94, 0.97, 1.0, 1.12, 1.10])  # Monday first
BOT_VISITS = SLOTS - FIRST_BOT_SLOT  # of one account on one day
_BUSIEST = 329  # day of the year, from 0
_DAY_SPREAD = 0.1  # of the log of a day's visits
_UPGRADED, _VISIT_BITS = 0.5, 2**17


@dataclass(frozen=True)
class Visits:
    """Visits in no particular order; every array has shape (n,).

    `visit` is `day * SLOTS + slot`, `time` is in microseconds since 1970, `kind` is where the
    visit begins: HOME, SEARCH or straight at a CHECKOUT.
    """

    user: np.ndarray
    visit: np.ndarray
    time: np.ndarray
    kind: np.ndarray


@dataclass(frozen=True)
class People:
    """Everybody, one row per user id from 0; arrays of shape (users,) unless said.

    >>> people = people_of(MarketplaceSpec(users=1_000), Luck(0))
    >>> people.taste.shape, people.visits_per_day.mean().round(2).item()
    ((1000, 8), 0.74)
    """

    luck: Luck
    shocks: Shocks
    devices: Ids
    segment: np.ndarray  # index into SEGMENTS
    centres: np.ndarray  # (segments, TASTES)
    taste: np.ndarray  # (users, TASTES), before any shock
    price_sensitivity: np.ndarray  # log-odds of a click lost per unit of log price
    visits_per_day: np.ndarray
    basket: np.ndarray  # mean log of amount / price
    home: np.ndarray  # index into PLACES
    upgrade_day: np.ndarray  # the day a new main device comes; beyond the end for half of them
    first_day: np.ndarray  # the day a person first comes

    def visits_of(self, spec: MarketplaceSpec, day: int, part: tuple[int, int] = (0, 1)) -> Visits:
        """Every visit that the people of one part could make on this day, and those of programs."""
        users = np.arange(part[0], spec.users, part[1])
        weekday = (spec.start.weekday() + day) % 7
        planned = self.visits_per_day[users] * WEEKDAYS[weekday] / WEEKDAYS.mean()
        planned *= busy(spec, self, day) * self.shocks.volume(day)[self.segment[users]]
        planned[self.first_day[users] > day] = 0.0
        counts = self.luck.poisson(
            planned / EVEN_MOOD_COMES, "visits", users, day, most=FIRST_THIEF_SLOT - 1
        )
        user, slot = _repeated(users, counts)
        visit = day * SLOTS + slot
        clock = hour_to_clock(HOURS, self.luck.uniform("visit time", user, visit))
        begins = self.luck.uniform("direct", user, visit)
        kind = np.where(begins < spec.direct_share, CHECKOUT, HOME)
        kind[begins >= 1 - spec.search_share] = SEARCH

        driven = users[self.luck.uniform("bot account", users) < self.shocks.bot_share(day)]
        bot, slot = _repeated(driven, np.full(len(driven), BOT_VISITS))
        slot = day * SLOTS + FIRST_BOT_SLOT + slot
        clock = np.append(clock, (self.luck.uniform("visit time", bot, slot) * DAY_US).astype(int))
        return Visits(
            np.append(user, bot),
            np.append(visit, slot),
            round(spec.start.timestamp()) * 1_000_000 + day * DAY_US + clock,
            np.append(kind, np.where(slot % 2, SEARCH, HOME)),
        )

    def main_device(self, user: np.ndarray, visit: np.ndarray) -> np.ndarray:
        """The device that is the user's own on the day of the visit, Int64 ids."""
        upgraded = visit // SLOTS >= self.upgrade_day[user]
        return self.main_devices[upgraded.astype(np.int64), user]

    @cached_property
    def main_devices(self) -> np.ndarray:
        """Everybody's first and second main device, shape (2, users)."""
        users = np.arange(len(self.segment))
        last = np.full(len(users), _VISIT_BITS - 1)
        return np.stack([self.devices.of(users, last, which) for which in (0, 1)])

    def device(self, user: np.ndarray, visit: np.ndarray) -> np.ndarray:
        """The device of an honest visit: the main one, now and then one never seen before."""
        other = self.luck.uniform("other device", user, visit) < OTHER_DEVICE_SHARE
        device = self.main_device(user, visit)
        device[other] = self.devices.of(user[other], visit[other], 2)
        return device

    def place(self, user: np.ndarray, day: np.ndarray) -> np.ndarray:
        """Where an honest user is on a day, as an index into PLACES: home, or away for a week."""
        week = day // 7
        away = self.luck.uniform("trip", user, week) < TRIP_SHARE
        if self.shocks.each:
            away &= ~self.shocks.stays_home(day, self.segment[user])
        abroad = away_place(self.home[user], self.luck.uniform("destination", user, week))
        return np.where(away, abroad, self.home[user])


def people_of(spec: MarketplaceSpec, luck: Luck) -> People:
    """The people of a world: a pure function of the spec."""
    users = np.arange(spec.users)

    def normal(purpose):
        return luck.normal(purpose, users)

    first_day = (luck.uniform("first day", users) * spec.days).astype(np.int64)
    first_day[luck.uniform("newcomer", users) >= spec.newcomer_share] = 0
    centres = luck.normal("centre", np.arange(len(SEGMENTS))[:, None], np.arange(TASTES)[None, :])
    segment = (luck.uniform("segment", users) * len(SEGMENTS)).astype(np.int64)
    own = luck.normal("taste", users[:, None], np.arange(TASTES)[None, :])
    homes = np.cumsum(1 / np.arange(1, len(PLACES) + 1))
    home = np.searchsorted(homes / homes[-1], luck.uniform("home", users), side="right")
    day = (luck.uniform("upgrade day", users) * spec.days).astype(np.int64)
    upgrades = luck.uniform("upgrades", users) < _UPGRADED
    spread = 1.0  # of log activity
    return People(
        luck=luck,
        shocks=Shocks(spec.all_shocks, luck),
        devices=Ids(luck.seed, "device"),
        segment=segment,
        centres=centres,
        taste=centres[segment] + 0.8 * own,
        price_sensitivity=0.5 * np.exp(0.5 * normal("price sensitivity") - 0.125),
        visits_per_day=spec.visits_per_day * np.exp(spread * normal("activity") - spread**2 / 2),
        basket=BASKET_SPREAD * normal("basket"),
        home=home,
        upgrade_day=np.where(upgrades, day, spec.days),
        first_day=first_day,
    )


def busy(spec: MarketplaceSpec, people: People, day: np.ndarray) -> np.ndarray:
    """Visits of a day as a multiple of the year's average: the season, and the day's own luck."""
    noise = people.luck.normal("busy day", np.asarray(day))
    return season(spec, day) * np.exp(_DAY_SPREAD * noise - _DAY_SPREAD**2 / 2)


def season(spec: MarketplaceSpec, day: np.ndarray) -> np.ndarray:
    """Visits as a multiple of the year's average.

    >>> float(np.round(season(MarketplaceSpec(days=365), 329), 2))
    1.2
    """
    of_year = spec.start.timetuple().tm_yday - 1 + day
    return 1 + spec.season * np.cos(2 * np.pi * (of_year - _BUSIEST) / 365.25)


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


def _repeated(users: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each user as often as counted, and a number from 0 on within the user."""
    user = np.repeat(users, counts)
    return user, np.arange(user.size) - np.repeat(np.cumsum(counts) - counts, counts)
