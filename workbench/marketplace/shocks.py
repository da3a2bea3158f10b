"""What changes suddenly, when, and for whom.

One shock for now, with two sides on one known day (`spec.first_shock_day`, midnight UTC): the
tastes of one segment jump to a new centre (concept drift on a slice; Gama et al. 2014, "A survey
on concept drift adaptation", ACM Computing Surveys 46), and most fraudsters switch technique. The
day before, nothing differs from a world without the shock.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from workbench.marketplace.luck import SLOTS, Luck
from workbench.marketplace.people import TASTES
from workbench.marketplace.spec import SEGMENTS, MarketplaceSpec

__all__ = ["Shock", "shock_of"]


@dataclass(frozen=True)
class Shock:
    """One shock: from `day` on, `segment` has other tastes and thieves another technique.

    >>> shock = shock_of(MarketplaceSpec(), Luck(0))
    >>> shock.day, SEGMENTS[shock.segment]
    (40, 'families')
    """

    day: int
    segment: int
    move: np.ndarray  # (TASTES,), added to the tastes of the segment

    def taste(self, people, user: np.ndarray, visit: np.ndarray) -> np.ndarray:
        """Tastes as they are on the day of each visit, shape (n, TASTES)."""
        taste = people.taste[user]
        struck = (visit >= self.day * SLOTS) & (people.segment[user] == self.segment)
        if struck.any():
            taste[struck] += self.move
        return taste


def shock_of(spec: MarketplaceSpec, luck: Luck) -> Shock:
    """The shock of a world; after the last day if it has none."""
    segment = SEGMENTS.index(spec.shock_segment)
    old = luck.normal("centre", np.full(TASTES, segment), np.arange(TASTES))
    new = luck.normal("centre after", np.full(TASTES, segment), np.arange(TASTES))
    return Shock(spec.first_shock_day, segment, new - old)
