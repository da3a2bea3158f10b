"""Who pays with other people's money, and how it shows.

Choices, with their sources:

- Frauds come in bursts: one thief, one victim, several payments in quick succession (the "scenario
  3" of Le Borgne et al. 2022, "Reproducible machine learning for credit card fraud detection",
  chapter 3, and the velocity features of Bahnsen et al. 2016, "Feature engineering strategies for
  credit card fraud detection", Expert Systems with Applications 51).
- *Stolen cards*: mostly a device that the victim never used, often another country, rather late
  at night, twice within the hour, for some two times what the victim would pay. *Card testing*,
  which takes over at the shock: small amounts, many repetitions within minutes, from a device and a
  country that look right. Amounts alone find the first with an AUC of about 0.73, gradient boosting
  on the user's history with about 0.94; trained before the shock it falls to 0.63-0.83 after it.
- A thief's item, checkout and ids are drawn like those of an honest direct visit, so the signature
  is in history and context, not in the form of the request.
- The volume is set against the honest payments of a page filled at random, so thieves do not grow
  with sales. A blocked thief gives up half of the time.

Chargebacks: log-normal delay; a share of the victims never complains. Honest people never do.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from workbench.marketplace.behaviour import Behaviour
from workbench.marketplace.luck import FIRST_THIEF_SLOT, SLOTS
from workbench.marketplace.people import DAY_US, away_place, hour_to_clock
from workbench.marketplace.spec import MarketplaceSpec

__all__ = ["CARD_TESTING", "STOLEN_CARDS", "TECHNIQUES", "Bursts", "Fraudsters", "Technique"]

_GIVES_UP = 0.5
_DELAY_SPREAD = 0.8  # of the log of the days until the complaint
_LONGEST_BURST = 60


@dataclass(frozen=True)
class Technique:
    """How one kind of thief works. Shares are in [0, 1].

    >>> STOLEN_CARDS.payments, CARD_TESTING.payments
    (2.0, 6.0)
    """

    name: str
    payments: float  # mean of a burst
    gap_minutes: float  # mean between two of them
    hours: tuple[int, ...]  # weight of each hour of the day
    other_device_share: float  # a device that the victim never used
    away_share: float  # another country than the victim's home
    dearer: float | None  # mean of log(amount / price), or None: amounts have nothing to do with it
    log_amount: float  # mean of log(amount) if `dearer` is None
    spread: float  # standard deviation of the log amount

    def log_amount_mean(self, log_price: np.ndarray) -> np.ndarray:
        """Mean of the log amount, given the log of the item's price."""
        if self.dearer is None:
            return np.full(np.shape(log_price), self.log_amount)
        return log_price + self.dearer


STOLEN_CARDS = Technique(
    name="stolen cards",
    payments=2.0,
    gap_minutes=50.0,
    hours=(5, 5, 5, 5, 5, 4, 4, 4, 4, 4, 4, 4, 5, 5, 5, 5, 5, 6, 7, 8, 9, 9, 8, 6),
    other_device_share=0.65,
    away_share=0.45,
    dearer=0.8,
    log_amount=0.0,
    spread=0.6,
)
CARD_TESTING = Technique(
    name="card testing",
    payments=6.0,
    gap_minutes=3.0,
    hours=(1,) * 24,
    other_device_share=0.06,
    away_share=0.06,
    dearer=None,
    log_amount=1.6,  # about 5
    spread=0.7,
)
TECHNIQUES = (STOLEN_CARDS, CARD_TESTING)
BEFORE, AFTER = (1.0, 0.0), (0.15, 0.85)  # shares of the frauds, by technique


@dataclass(frozen=True)
class Bursts:
    """Planned fraudulent checkouts; every array has shape (n,). `time` is in microseconds."""

    user: np.ndarray
    visit: np.ndarray
    step: np.ndarray
    time: np.ndarray
    technique: np.ndarray  # index into TECHNIQUES


@dataclass(frozen=True)
class Fraudsters:
    """The thieves of a world; every method is a pure function of its arguments."""

    spec: MarketplaceSpec
    behaviour: Behaviour

    def frauds_per_day(self, day: np.ndarray) -> np.ndarray:
        """Planned frauds of each technique on a day, shape (n, techniques)."""
        spec = self.spec
        pages = 1 - spec.direct_share
        honest = spec.users * spec.visits_per_day * (
            spec.direct_share + pages * self.behaviour.purchases_per_page
        )  # fmt: skip
        mix = np.where(np.atleast_1d(day)[:, None] < spec.first_shock_day, BEFORE, AFTER)
        return honest * spec.fraud_share / (1 - spec.fraud_share) * mix

    def bursts_of(self, day: int) -> Bursts:
        """The bursts that begin on a day, on victims drawn alike from all users."""
        luck = self.behaviour.luck
        means = self.frauds_per_day(day)[0] / [technique.payments for technique in TECHNIQUES]
        kinds = np.arange(len(TECHNIQUES))
        counts = (means + luck.uniform("bursts", kinds, day)).astype(np.int64)
        technique = np.repeat(kinds, counts)
        burst = np.arange(technique.size)
        victim = (luck.uniform("victim", day, burst) * self.spec.users).astype(np.int64)
        slot = FIRST_THIEF_SLOT + _rank_among_equals(victim)
        fits = slot < SLOTS
        technique, victim, slot = technique[fits], victim[fits], slot[fits]
        visit = day * SLOTS + slot

        start, length, gap = (np.zeros(technique.size, np.int64) for _ in range(3))
        for kind, how in enumerate(TECHNIQUES):
            mine = technique == kind
            about = (victim[mine], visit[mine])
            start[mine] = hour_to_clock(np.array(how.hours), luck.uniform("burst time", *about))
            length[mine] = 1 + luck.poisson(
                np.array(how.payments - 1), "burst length", *about, most=_LONGEST_BURST
            )
            gap[mine] = int(how.gap_minutes * 60e6)
        start += int(self.spec.start.timestamp()) * 1_000_000 + day * DAY_US

        first = np.cumsum(length) - length
        step = np.arange(length.sum()) - np.repeat(first, length)
        user, visit, technique, start, gap = (
            np.repeat(column, length) for column in (victim, visit, technique, start, gap)
        )
        wait = (gap * luck.exponential("burst gap", user, visit, step)).astype(np.int64)
        passed = np.cumsum(np.where(step == 0, 0, wait))
        passed -= np.repeat(passed[first], length)
        return Bursts(user, visit, step, start + passed, technique)

    def device(self, user, visit, technique) -> np.ndarray:
        """The device of a burst, Int64 ids."""
        people = self.behaviour.people
        share = np.array([how.other_device_share for how in TECHNIQUES])[technique]
        other = people.luck.uniform("thief's device", user, visit) < share
        return np.where(other, people.devices.of(user, visit, 2), people.main_device(user, visit))

    def place(self, user, visit, technique) -> np.ndarray:
        """Where a burst seems to come from, as an index into PLACES."""
        people = self.behaviour.people
        share = np.array([how.away_share for how in TECHNIQUES])[technique]
        away = people.luck.uniform("thief away", user, visit) < share
        abroad = away_place(people.home[user], people.luck.uniform("thief's place", user, visit))
        return np.where(away, abroad, people.home[user])

    def log_amount(self, user, visit, step, technique, log_price) -> np.ndarray:
        """Log of the amount of each fraudulent checkout."""
        means = np.stack([how.log_amount_mean(log_price) for how in TECHNIQUES])
        spread = np.array([how.spread for how in TECHNIQUES])[technique]
        noise = self.behaviour.luck.normal("thief's amount", user, visit, step)
        return means[technique, np.arange(len(technique))] + spread * noise

    def gives_up(self, user, visit, step) -> np.ndarray:
        """Whether a thief who was just blocked stops the burst."""
        return self.behaviour.luck.uniform("gives up", user, visit, step) < _GIVES_UP

    def complains(self, user, visit, step) -> np.ndarray:
        """Whether the victim of a fraud ever complains."""
        chance = self.behaviour.luck.uniform("complains", user, visit, step)
        return chance >= self.spec.never_complained_share

    def delay_us(self, user, visit, step) -> np.ndarray:
        """Microseconds from the fraud to the complaint, log-normal around the spec's mean."""
        noise = self.behaviour.luck.normal("complaint", user, visit, step)
        relative = np.exp(_DELAY_SPREAD * noise - _DELAY_SPREAD**2 / 2)  # mean 1
        return (self.spec.chargeback_delay_days * relative * DAY_US).astype(np.int64)


def _rank_among_equals(values: np.ndarray) -> np.ndarray:
    """0 for the first of each value, 1 for the second and so on."""
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    first = np.searchsorted(ordered, ordered, side="left")
    rank = np.empty(len(values), np.int64)
    rank[order] = np.arange(len(values)) - first
    return rank
