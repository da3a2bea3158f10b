"""What changes suddenly, when, for whom, and by how much.

Each shock begins on a known midnight (UTC), lasts so many days, and strikes a slice: a segment of
the people, or a category of the items. The day before, nothing differs from a world without it.

    kind        size is                          what happens
    ──────────  ───────────────────────────────  ──────────────────────────────────────────────────
    tastes      share of the way, 1              the segment's tastes move to a new centre
    pandemic    share of visits more, 0.8        more visits, half of such a move, nobody travels
    sale        share off the price, 0.3         the category is cheaper
    inflation   rise in 30 days, 0.1             prices climb day by day, then stay
    bots        share of the accounts, 0.02      programs open pages and click at the top

A new technique of fraud is a shock too; it stands in the schedule of `techniques`. Broken pipes
(lost, doubled, renamed, mis-scaled events) do not change the world but what is heard of it: give
`Marketplace.run` a `workbench.data` pipe.

Concept drift on a slice: Gama et al. 2014, "A survey on concept drift adaptation", ACM Computing
Surveys 46. That a lockdown moves volume and categories at once: Bank for International Settlements
and card panels of 2020, here in two numbers; sizes are our choice.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from workbench.marketplace.luck import SLOTS, Luck

__all__ = ["SEGMENTS", "TASTES", "Shock", "Shocks"]

SEGMENTS = ("students", "families", "retired")
TASTES = 8  # dimensions of a taste
_KINDS = {  # kind: default size, largest size, slice it may have
    "tastes": (1.0, 10.0, "segment"),
    "pandemic": (0.8, 10.0, "segment"),
    "sale": (0.3, 0.95, "category"),
    "inflation": (0.1, 10.0, "category"),
    "bots": (0.02, 1.0, None),
}
_PANDEMIC_MOVE = 0.5  # of the way to the new centre


@dataclass(frozen=True, kw_only=True, slots=True)
class Shock:
    """One sudden change. `days` None lasts to the end; `size` None is the kind's usual one.

    Raises
    ------
    ValueError
        For an unknown kind, a day below 0, a stretch without days, a size out of its range, or a
        slice that this kind cannot have.

    Examples
    --------
    >>> Shock(kind="sale", day=10, days=3, category=4).size
    0.3
    """

    kind: str
    day: int
    days: int | None = None
    segment: str | None = None
    category: int | None = None
    size: float | None = None

    def __post_init__(self):
        if self.kind not in _KINDS:
            raise ValueError(f"shock kind must be one of {[*_KINDS]}, got {self.kind!r}")
        usual, most, sliced = _KINDS[self.kind]
        if self.size is None:
            object.__setattr__(self, "size", usual)
        if type(self.day) is not int or self.day < 0:
            raise ValueError(f"shock day must be a whole number from 0 on, got {self.day!r}")
        if self.days is not None and (type(self.days) is not int or self.days < 1):
            raise ValueError(f"shock days must be a whole number from 1 on, got {self.days!r}")
        if not 0 < self.size <= most:
            raise ValueError(
                f"size of a shock of kind {self.kind} must be in (0, {most:g}], got {self.size}"
            )
        if self.segment is not None and self.segment not in SEGMENTS:
            raise ValueError(f"shock segment must be one of {SEGMENTS}, got {self.segment!r}")
        for name in ("segment", "category"):
            if getattr(self, name) is not None and sliced != name:
                raise ValueError(f"a shock of kind {self.kind} has no {name}: leave it out")

    def strikes(self, day: np.ndarray) -> np.ndarray:
        """Whether it is on, for days counted from 0, bool, shape of `day`."""
        day = np.asarray(day)
        return (day >= self.day) & (self.days is None or day < self.day + (self.days or 0))


@dataclass(frozen=True)
class Shocks:
    """All shocks of a world, as factors on what would be without them.

    >>> shocks = Shocks((Shock(kind="sale", day=2, days=1, category=5),), Luck(0))
    >>> shocks.price_factor(np.array([1, 2, 2, 3]), np.array([5, 5, 6, 5])).tolist()
    [1.0, 0.7, 1.0, 1.0]
    """

    each: tuple[Shock, ...]
    luck: Luck

    def of(self, *kinds: str) -> list[Shock]:
        """The shocks of these kinds."""
        return [shock for shock in self.each if shock.kind in kinds]

    def taste(self, people, user: np.ndarray, visit: np.ndarray) -> np.ndarray:
        """Tastes as they are on the day of each visit, shape (n, TASTES)."""
        taste = people.taste[user]
        for shock in self.of("tastes", "pandemic"):
            struck = shock.strikes(visit // SLOTS) & self._in(shock, people.segment[user])
            if struck.any():
                way = shock.size if shock.kind == "tastes" else _PANDEMIC_MOVE
                taste[struck] += way * self._move(shock)[people.segment[user[struck]]]
        return taste

    def volume(self, day: int) -> np.ndarray:
        """Visits of each segment as a multiple of what they would be, shape (segments,)."""
        factor = np.ones(len(SEGMENTS))
        for shock in self.of("pandemic"):
            if shock.strikes(day):
                factor[self._in(shock, np.arange(len(SEGMENTS)))] *= 1 + shock.size
        return factor

    def stays_home(self, day: np.ndarray, segment: np.ndarray) -> np.ndarray:
        """Who does not travel, bool, shape (n,)."""
        home = np.zeros(np.broadcast(day, segment).shape, bool)
        for shock in self.of("pandemic"):
            home |= shock.strikes(day) & self._in(shock, segment)
        return home

    def price_factor(self, day: np.ndarray, category: np.ndarray) -> np.ndarray:
        """Prices as a multiple of what they would be, shape (n,)."""
        factor = np.ones(np.broadcast(day, category).shape)
        for shock in self.of("sale", "inflation"):
            sliced = shock.category is None or (np.asarray(category) == shock.category)
            if shock.kind == "sale":
                factor *= np.where(shock.strikes(day) & sliced, 1 - shock.size, 1.0)
            else:
                most = np.inf if shock.days is None else shock.days
                passed = np.clip(np.asarray(day) - shock.day, 0, most)
                factor *= np.where(sliced, (1 + shock.size) ** (passed / 30), 1.0)
        return factor

    def bot_share(self, day: int) -> float:
        """Share of the accounts that programs use on this day."""
        return max((shock.size for shock in self.of("bots") if shock.strikes(day)), default=0.0)

    def changes_prices(self, day: int) -> bool:
        """Whether a sale begins or ends, or prices climb, at this midnight."""
        on, before = (
            [bool(shock.strikes(each)) for shock in self.of("sale", "inflation")]
            for each in (day, day - 1)
        )
        climbing = any(shock.strikes(day) for shock in self.of("inflation"))
        return climbing or on != before

    def _in(self, shock: Shock, segment: np.ndarray) -> np.ndarray:
        if shock.segment is None:
            return np.ones(np.shape(segment), bool)
        return np.asarray(segment) == SEGMENTS.index(shock.segment)

    def _move(self, shock: Shock) -> np.ndarray:
        """From the old centre of every segment to a new one, shape (segments, TASTES)."""
        segment, dimension = np.arange(len(SEGMENTS))[:, None], np.arange(TASTES)[None, :]
        first = "centre after" if shock.kind == "tastes" else "centre of a pandemic"
        return self.luck.normal(first, segment, dimension) - self.luck.normal(
            "centre", segment, dimension
        )
