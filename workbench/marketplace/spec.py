"""Everything that decides what a simulated marketplace will do, in one frozen value.

Two equal specs give bit-identical worlds, in any number of waves and processes. (Another machine's
logarithm may differ in its last bit, which could move one event in 10**15.) The one dial is
`spec.at(scale=...)`: more people, more items, more fraud bursts, and the same shares of everything.

The defaults make a shop that a laptop simulates in seconds: 5,000 people, 60 days, more than a
hundred thousand payments. Its fraud share is several times that of real cards (about 0.1 % of
payments), so that a learner has a thousand positives, and its chargebacks arrive after two weeks
on average instead of four to eight, so that sixty days hold a whole turn of the loop.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime

from workbench.marketplace.luck import TURN_STEPS
from workbench.marketplace.shocks import SEGMENTS, Shock
from workbench.marketplace.techniques import TechniqueRun, check_schedule, default_schedule

__all__ = ["SEGMENTS", "MarketplaceSpec"]

_MOST_USERS, _MOST_DAYS, _MOST_CANDIDATES = 2**24, 2**11, TURN_STEPS - 1  # what a request id holds
_SHARES = (
    "direct_share", "search_share", "fraud_share", "never_complained_share", "friendly_fraud_share",
    "newcomer_share", "new_item_share", "sponsored_share", "rating_share", "season",
)  # fmt: skip
_LEAST = {  # the smallest value allowed
    "users": 1,
    "items": 2,
    "categories": 1,
    "sellers": 1,
    "candidates": 1,
    "days": 1,
    "wave_minutes": 1,
    "visits_per_day": 0.0,
    "position_bias": 0.0,
    "chargeback_delay_days": 0.0,
    "stock_days": 0.0,
    "price_level": 0.01,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class MarketplaceSpec:
    """The dials of a marketplace. Units live in the names, shares are in [0, 1].

    Attributes
    ----------
    seed : int
        Names the world. Another seed, other people.
    start : datetime
        The first midnight, UTC. The default is a Monday.
    candidates : int
        Items offered to the policy on each home page request; the policy ranks and cuts.
    wave_minutes : int
        A wave holds at most one open request per user from within one such span; it divides a day.
        In large worlds, and where `run` commits more often, waves are shorter. Policies without a
        memory of their own give the same events whatever it is.
    position_bias : float
        Eta in P(examined) = 1 / position ** eta.
    direct_share, search_share : float
        Visits that go straight to a checkout, from an advertisement or a bookmark; visits that
        begin with a search. The others begin on the home page.
    newcomer_share, new_item_share : float
        People who first come, and items that are launched, after the first day.
    stock_days : float
        How many days' usual sales of an item a delivery brings; deliveries come weekly.
    season : float
        How much more there is to do late in November, and less in May, than on average.
    friendly_fraud_share : float
        Honest payments that the buyer disputes all the same: labels that are wrong.
    techniques : tuple of TechniqueRun or None
        Which techniques of fraud run when. None means the default schedule around the shock.
    shock_day : int or None
        When fraudsters change technique and the tastes of `shock_segment` move. None means two
        thirds into the run; `days` means never.
    shocks : tuple of Shock, or None
        Other shocks instead of that move of tastes; an empty tuple for none.

    Raises
    ------
    ValueError
        If a value is outside its range; the message names the value and the rule.

    Examples
    --------
    >>> MarketplaceSpec().at(scale=0.1).users
    500
    >>> MarketplaceSpec(days=30).first_shock_day
    20
    """

    seed: int = 0
    start: datetime = datetime(2024, 1, 1, tzinfo=UTC)
    days: int = 60
    users: int = 5_000
    items: int = 2_000
    categories: int = 20
    sellers: int = 200
    visits_per_day: float = 0.73  # of one person, on average
    direct_share: float = 0.35  # of visits
    search_share: float = 0.2  # of visits
    newcomer_share: float = 0.2  # of people
    new_item_share: float = 0.1  # of items
    sponsored_share: float = 0.05  # of items
    rating_share: float = 0.2  # of purchases
    price_level: float = 25.0  # of the median item, in francs, euros or what you like
    stock_days: float = 14.0
    season: float = 0.2
    candidates: int = 20
    wave_minutes: int = 1440
    position_bias: float = 0.7  # Joachims et al. 2005 found about 1 on search pages
    fraud_share: float = 0.008  # of payments
    chargeback_delay_days: float = 14.0  # mean, times a factor of each technique
    never_complained_share: float = 0.1  # of frauds, times a factor of each technique
    friendly_fraud_share: float = 0.0  # of honest payments
    techniques: tuple[TechniqueRun, ...] | None = None
    shock_day: int | None = None
    shock_segment: str = "families"
    shocks: tuple[Shock, ...] | None = None

    def __post_init__(self):
        whole = [field.name for field in fields(self) if field.type == "int"]
        for name in whole:
            if type(getattr(self, name)) is not int:
                raise ValueError(f"{name} must be a whole number, got {getattr(self, name)!r}")
        for name in (field.name for field in fields(self) if field.type == "float"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                raise ValueError(f"{name} must be a number, got {value!r}")
        for name, part in (("shocks", Shock), ("techniques", TechniqueRun)):
            if isinstance(getattr(self, name), part):
                raise ValueError(f"{name} must be a tuple of {part.__name__}, got one alone")
            if getattr(self, name) is not None:  # a list will do; a spec is a value
                object.__setattr__(self, name, tuple(getattr(self, name)))
        for name, least in _LEAST.items():
            if not least <= getattr(self, name) < float("inf"):
                raise ValueError(f"{name} must be at least {least}, got {getattr(self, name)}")
        for name in _SHARES:
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must be in [0, 1], got {getattr(self, name)}")
        if self.direct_share + self.search_share > 1:
            raise ValueError(
                "direct_share and search_share must sum to 1 at most, got "
                f"{self.direct_share} + {self.search_share}"
            )
        if self.fraud_share > 0.5:
            raise ValueError(f"fraud_share must be at most 0.5, got {self.fraud_share}")
        for name, most in (("users", _MOST_USERS), ("days", _MOST_DAYS)):
            if getattr(self, name) > most:
                raise ValueError(f"{name} must be at most {most}, got {getattr(self, name)}")
        if self.candidates > min(self.items, _MOST_CANDIDATES):
            raise ValueError(
                f"candidates must be at most the {self.items} items and {_MOST_CANDIDATES}, "
                f"got {self.candidates}"
            )
        if self.visits_per_day > 5:
            raise ValueError(f"visits_per_day must be at most 5, got {self.visits_per_day}")
        if 1440 % self.wave_minutes:
            raise ValueError(f"wave_minutes must divide a day of 1440, got {self.wave_minutes}")
        if self.start.utcoffset() is None:
            raise ValueError(f"start must carry a time zone, got {self.start!r}")
        if self.start.astimezone(UTC).time() != datetime.min.time():
            raise ValueError(f"start must be a midnight in UTC, got {self.start}")
        if self.shock_day is not None and not 0 <= self.shock_day <= self.days:
            raise ValueError(
                f"shock_day must be in [0, days] = [0, {self.days}], got {self.shock_day}"
            )
        if self.shock_segment not in SEGMENTS:
            raise ValueError(f"shock_segment must be one of {SEGMENTS}, got {self.shock_segment!r}")
        for shock in self.shocks or ():
            if not isinstance(shock, Shock):
                raise ValueError(f"shocks must be a tuple of Shock, got {shock!r}")
            if shock.day >= self.days:
                raise ValueError(
                    f"a shock must begin before day {self.days}, the end; {shock.kind} begins on "
                    f"day {shock.day}"
                )
            if shock.category is not None and not 0 <= shock.category < self.categories:
                raise ValueError(
                    f"a shock's category must be in [0, {self.categories}), got {shock.category}"
                )
        check_schedule(self.fraud_schedule, self.days)

    @property
    def first_shock_day(self) -> int:
        """The day of the shock, counted from 0; equal to `days` if there is none."""
        return round(self.days * 2 / 3) if self.shock_day is None else self.shock_day

    @property
    def all_shocks(self) -> tuple[Shock, ...]:
        """The shocks of the people and prices: those given, or one move of tastes."""
        if self.shocks is not None:
            return self.shocks
        if self.first_shock_day >= self.days:
            return ()
        return (Shock(kind="tastes", day=self.first_shock_day, segment=self.shock_segment),)

    @property
    def fraud_schedule(self) -> tuple[TechniqueRun, ...]:
        """Which techniques of fraud run when: `techniques`, or the default around the shock."""
        if self.techniques is None:
            return default_schedule(self.days, self.first_shock_day)
        return tuple(self.techniques)

    def at(self, scale: float) -> MarketplaceSpec:
        """The same world with `scale` times as many people, items and sellers. The one dial.

        >>> MarketplaceSpec().at(scale=-1)
        Traceback (most recent call last):
        ValueError: scale must be positive, got -1
        """
        if not 0 < scale < float("inf"):
            raise ValueError(f"scale must be positive, got {scale}")
        items = max(round(self.items * scale), self.candidates, 2)
        return replace(
            self,
            users=max(round(self.users * scale), 1),
            items=items,
            sellers=max(round(self.sellers * scale), 1),
        )
