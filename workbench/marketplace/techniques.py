"""How thieves work, and which technique runs when.

Four techniques, each with a signature of its own, so that what a model has learnt about one says
little about the next. The frame is that of the Fraud Detection Handbook (Le Borgne et al. 2022,
"Reproducible machine learning for credit card fraud detection", chapter 3), whose three scenarios
plant an odd amount (1), a compromised terminal (2) and a victim whose habits change (3):

- *Stolen cards*: a burst on one victim, twice within the hour, mostly on a device that the victim
  never used, often from another country, rather late at night, at some two times the price. The
  velocity features of Bahnsen et al. 2016, "Feature engineering strategies for credit card fraud
  detection", Expert Systems with Applications 51, are made for it.
- *Account takeover*: the thief works inside the account of somebody who comes seldom: another
  device, often another place, several purchases over one to three days, above what the victim
  usually spends and in the categories that suit the victim's taste least (scenario 3; account
  hijackers are manual workers who look for what an account is worth: Bursztein et al. 2014,
  "Handcrafted fraud and extortion: manual account hijacking in the wild", IMC).
- *Compromised seller*: in a window, somebody charges cards through a seller's own till. Each victim
  is charged once; device, place and hour are those of honest customers, so only the seller's
  history tells (scenario 2, where every payment of a terminal is fraudulent for 28 days; here the
  honest customers go on buying there). Chosen above "cards abused elsewhere after a payment at the
  seller", because who paid where depends on the policy, and these thieves must not.
- *Card testing*: many small amounts within minutes, to see which cards work, from a device and a
  place that look right; payment companies describe it so (Stripe's documentation on card testing).

All figures are ours: chosen so that history features find the first techniques with an AUC of about
0.9 and the last one has to be learnt anew. A thief who is blocked gives up half of the time;
otherwise the burst goes on, and sometimes the same purchase is tried again: smaller, and maybe from
another device. Complaints come log-normally late; small amounts are noticed late or never.

    spec.techniques = (TechniqueRun("card testing", start_day=40, share=0.85), …)  or None: default
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

__all__ = [
    "ACCOUNT_TAKEOVER",
    "CARD_TESTING",
    "COMPROMISED_SELLER",
    "STOLEN_CARDS",
    "TECHNIQUES",
    "Technique",
    "TechniqueRun",
    "check_schedule",
    "default_schedule",
    "shares_by_day",
]


@dataclass(frozen=True, kw_only=True)
class Technique:
    """How one kind of thief works. Shares are in [0, 1].

    >>> STOLEN_CARDS.payments, CARD_TESTING.payments
    (2.0, 6.0)
    """

    name: str
    payments: float  # mean of a burst
    gap_minutes: float  # mean between two of them
    hours: tuple[int, ...] | None = None  # weight of each hour; None: those of honest people
    other_device_share: float = 0.06  # a device that the victim never used; as honest people's
    away_share: float = 0.06  # another country than the victim's home; as honest people's
    log_amount: float  # mean of log(amount) for an item that costs 1
    follows_price: bool = True  # log(price) is added to it
    follows_basket: bool = False  # and the victim's own mean of log(amount / price)
    spread: float  # standard deviation of the log amount
    delay_factor: float = 1.0  # times the spec's chargeback_delay_days
    never_factor: float = 1.0  # times the spec's never_complained_share
    tries_again_share: float = 0.5  # of blocked payments whose thief has not given up
    changes_device_share: float = 0.5  # of the second tries

    def log_amount_mean(self, log_price: np.ndarray, basket: np.ndarray) -> np.ndarray:
        """Mean of the log amount, given the log price and the victim's basket, shape (n,)."""
        return self.log_amount + self.follows_price * log_price + self.follows_basket * basket


STOLEN_CARDS = Technique(
    name="stolen cards",
    payments=2.0,
    gap_minutes=50.0,
    hours=(5, 5, 5, 5, 5, 4, 4, 4, 4, 4, 4, 4, 5, 5, 5, 5, 5, 6, 7, 8, 9, 9, 8, 6),
    other_device_share=0.65,
    away_share=0.45,
    log_amount=0.8,
    spread=0.6,
)
ACCOUNT_TAKEOVER = Technique(
    name="account takeover",
    payments=4.0,
    gap_minutes=12 * 60.0,
    hours=(1,) * 24,  # and with such gaps it stays flat
    other_device_share=0.9,
    away_share=0.5,
    log_amount=0.7,
    follows_basket=True,
    spread=0.5,
    delay_factor=0.7,  # who is locked out notices
    never_factor=0.5,
)
COMPROMISED_SELLER = Technique(
    name="compromised seller",
    payments=1.0,
    gap_minutes=60.0,
    log_amount=0.3,
    spread=0.6,
    delay_factor=1.2,  # the statement names a shop that the victim may know
    never_factor=1.5,
    tries_again_share=0.0,
)
CARD_TESTING = Technique(
    name="card testing",
    payments=6.0,
    gap_minutes=3.0,
    hours=(1,) * 24,
    log_amount=1.6,  # about 5
    follows_price=False,
    spread=0.7,
    delay_factor=1.2,
    never_factor=2.5,
    changes_device_share=0.0,  # it would give the game away
)
TECHNIQUES = (STOLEN_CARDS, ACCOUNT_TAKEOVER, COMPROMISED_SELLER, CARD_TESTING)
_NAMES = [technique.name for technique in TECHNIQUES]


@dataclass(frozen=True)
class TechniqueRun:
    """One technique between two midnights, counted in days from the start of the world.

    Attributes
    ----------
    technique : str
        One of the names in `TECHNIQUES`.
    start_day, stop_day : int
        The first day, and the first day without it; None is the end of the world.
    share : float
        Of the world's frauds (`spec.fraud_share` of payments) on each of these days. Where the
        shares of a day sum to less than 1, there is so much less fraud.

    Raises
    ------
    ValueError
        If the name is unknown, the run stops before it starts or starts before the world, or the
        share is outside [0, 1].

    Examples
    --------
    >>> TechniqueRun("card testing", start_day=40, share=0.85).stop_day is None
    True
    """

    technique: str
    start_day: int = 0
    stop_day: int | None = None
    share: float = 1.0

    def __post_init__(self):
        if self.technique not in _NAMES:
            raise ValueError(f"technique must be one of {_NAMES}, got {self.technique!r}")
        for name in ("start_day", "stop_day"):
            day = getattr(self, name)
            if type(day) is not int and not (name == "stop_day" and day is None):
                raise ValueError(f"{name} of {self.technique} must be a whole day, got {day!r}")
        if self.start_day < 0:
            raise ValueError(
                f"start_day of {self.technique} must be at least 0, got {self.start_day}"
            )
        if self.stop_day is not None and self.stop_day <= self.start_day:
            raise ValueError(
                f"stop_day of {self.technique} must be after start_day {self.start_day}, "
                f"got {self.stop_day}"
            )
        if not 0 <= self.share <= 1:
            raise ValueError(f"share of {self.technique} must be in [0, 1], got {self.share}")


def default_schedule(days: int, shock_day: int) -> tuple[TechniqueRun, ...]:
    """Stolen cards, some takeovers and one compromised seller; from the shock on, card testing.

    The runs before the shock do not depend on when it comes.

    >>> for run in default_schedule(days=60, shock_day=40):
    ...     print(run.technique, run.start_day, run.stop_day, run.share)
    stolen cards 0 12 0.8
    stolen cards 12 24 0.6
    stolen cards 24 40 0.8
    account takeover 0 40 0.2
    compromised seller 12 24 0.2
    card testing 40 60 0.85
    stolen cards 40 60 0.1
    account takeover 40 60 0.05
    """
    opens, closes = (min(round(share * days), shock_day) for share in (0.2, 0.4))
    runs = [
        (STOLEN_CARDS, 0, opens, 0.8),
        (STOLEN_CARDS, opens, closes, 0.6),
        (STOLEN_CARDS, closes, shock_day, 0.8),
        (ACCOUNT_TAKEOVER, 0, shock_day, 0.2),
        (COMPROMISED_SELLER, opens, closes, 0.2),
        (CARD_TESTING, shock_day, days, 0.85),
        (STOLEN_CARDS, shock_day, days, 0.1),
        (ACCOUNT_TAKEOVER, shock_day, days, 0.05),
    ]
    return tuple(
        TechniqueRun(how.name, start, stop, share)
        for how, start, stop, share in runs
        if start < stop
    )


def check_schedule(schedule: Sequence[TechniqueRun], days: int) -> None:
    """Raise ValueError unless runs lie within `days`, sum to 1 at most, and none meets its like.

    >>> check_schedule([TechniqueRun("card testing", start_day=70)], days=60)
    Traceback (most recent call last):
    ValueError: start_day of card testing must be in [0, days) = [0, 60), got 70
    """
    for run in schedule:
        if not isinstance(run, TechniqueRun):
            raise ValueError(f"techniques must hold TechniqueRun, got {run!r}")
        if run.start_day >= days:
            raise ValueError(
                f"start_day of {run.technique} must be in [0, days) = [0, {days}), "
                f"got {run.start_day}"
            )
        if run.stop_day is not None and run.stop_day > days:
            raise ValueError(
                f"stop_day of {run.technique} must be at most days, {days}, got {run.stop_day}"
            )
        for other in schedule:
            if run is not other and run.technique == other.technique and _overlap(run, other):
                raise ValueError(
                    f"runs of {run.technique} must not overlap, got days {run.start_day} to "
                    f"{run.stop_day} and {other.start_day} to {other.stop_day}"
                )
    total = shares_by_day(schedule, days).sum(axis=1)
    if (total > 1 + 1e-9).any():
        day = int(np.argmax(total > 1 + 1e-9))
        raise ValueError(
            f"shares of the techniques must sum to at most 1, got {total[day]:.3g} on day {day}"
        )


def shares_by_day(schedule: Sequence[TechniqueRun], days: int) -> np.ndarray:
    """Share of the frauds by day and technique, shape (days, techniques).

    >>> shares_by_day([TechniqueRun("card testing", 1, share=0.5)], days=3).tolist()
    [[0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.5], [0.0, 0.0, 0.0, 0.5]]
    """
    shares = np.zeros((days, len(TECHNIQUES)))
    for run in schedule:
        shares[run.start_day : run.stop_day, _NAMES.index(run.technique)] += run.share
    return shares


def _overlap(one: TechniqueRun, two: TechniqueRun) -> bool:
    first, second = sorted((one, two), key=lambda run: run.start_day)
    return first.stop_day is None or first.stop_day > second.start_day
