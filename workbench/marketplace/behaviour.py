"""What people do with a page: look, click, buy, and what they then pay.

Choices, with their sources:

- Position-based click model: P(click) = P(examined | position) * P(attractive | user, item), with
  P(examined) = 1 / position ** eta (Joachims et al. 2005, "Accurately interpreting clickthrough
  data as implicit feedback", SIGIR; the model: Craswell et al. 2008, "An experimental comparison of
  click position-bias models", WSDM). Items on a page do not compete with each other.
- Attraction and purchase given a click are logistic in affinity, quality and log price.
- The amount is the price times a log-normal basket factor (quantity, extras), with a level per
  person. Seven of ten buyers check out within minutes, the others sleep on it; both log-normal.

The two intercepts are set so that an average (person, candidate) pair is attractive with
probability 0.25, and an average click leads to a checkout with probability 0.5.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from workbench.marketplace.catalogue import Catalogue
from workbench.marketplace.luck import SLOTS, Luck
from workbench.marketplace.people import TASTES, People
from workbench.marketplace.shocks import Shock
from workbench.marketplace.spec import MarketplaceSpec

__all__ = ["AMOUNT_SPREAD", "REFERENCE_SLOTS", "Behaviour", "behaviour_of"]

AMOUNT_SPREAD = 0.5  # of log(amount / price) of one person
REFERENCE_SLOTS = 5  # the page that fraud volumes are set by, filled at random
_ATTRACTIVE, _BUYS = 0.25, 0.5
_PAIRS = 4_000
_MINUTE_US = 60_000_000


@dataclass(frozen=True)
class Behaviour:
    """How this world's people act; every method is a pure function of its arguments.

    >>> from workbench.marketplace import Marketplace
    >>> Marketplace(MarketplaceSpec(users=100)).behaviour.examined(np.array([1, 2, 5])).round(2)
    array([1.  , 0.62, 0.32])
    """

    luck: Luck
    people: People
    catalogue: Catalogue
    shock: Shock
    position_bias: float
    click_intercept: float = 0.0
    purchase_intercept: float = 0.0
    purchases_per_page: float = 0.0  # of REFERENCE_SLOTS random candidates

    def examined(self, position: np.ndarray) -> np.ndarray:
        """P(the user looks at this position), 1 at the top, shape (n,)."""
        return np.asarray(position, float) ** -self.position_bias

    def attraction(self, user, visit, item) -> np.ndarray:
        """P(click | examined), shape (n,)."""
        return _logistic(self.click_intercept + self._appeal(user, visit, item, 1.2, 0.6))

    def purchase(self, user, visit, item) -> np.ndarray:
        """P(goes to the checkout | clicked), shape (n,)."""
        return _logistic(self.purchase_intercept + self._appeal(user, visit, item, 0.6, 0.4))

    def clicks(self, user, visit, item, position) -> np.ndarray:
        """Who clicks: the luck belongs to (user, visit, item), whatever the policy."""
        chance = self.luck.uniform("click", user, visit, item)
        likely = np.flatnonzero(chance < self.examined(position))
        clicked = np.zeros(len(chance), bool)
        user, visit, item = user[likely], visit[likely], item[likely]
        attractive = self.attraction(user, visit, item) * self.examined(position[likely])
        clicked[likely] = chance[likely] < attractive
        return clicked

    def buys(self, user, visit, item) -> np.ndarray:
        """Which clicks lead to the checkout."""
        return self.luck.uniform("buy", user, visit, item) < self.purchase(user, visit, item)

    def reading_us(self, user, visit, item) -> np.ndarray:
        """Microseconds from the page to the click: 3 s plus an exponential of mean 20 s."""
        return (3e6 + 20e6 * self.luck.exponential("reading", user, visit, item)).astype(np.int64)

    def thinking_us(self, user, visit, item) -> np.ndarray:
        """Microseconds from the click to the checkout: minutes for most, hours or days else."""
        spread = self.luck.normal("thinking", user, visit, item)
        soon = self.luck.uniform("sleeps on it", user, visit, item) < 0.7
        minutes = np.where(soon, 5 * np.exp(0.8 * spread), 14 * 60 * np.exp(spread))
        return (minutes * _MINUTE_US).astype(np.int64)

    def log_basket(self, user, visit, item) -> np.ndarray:
        """log(amount / price) of an honest checkout."""
        noise = self.luck.normal("amount", user, visit, item)
        return self.people.basket[user] + AMOUNT_SPREAD * noise

    def _appeal(self, user, visit, item, by_affinity, by_quality) -> np.ndarray:
        taste = self.shock.taste(self.people, user, visit)
        affinity = np.einsum("nd,nd->n", taste, self.catalogue.vector[item]) / (1.5 * TASTES**0.5)
        dear = self.people.price_sensitivity[user] * self.catalogue.log_price[item]
        return by_affinity * affinity + by_quality * self.catalogue.quality[item] - dear


def behaviour_of(
    spec: MarketplaceSpec, people: People, catalogue: Catalogue, shock: Shock
) -> Behaviour:
    """The behaviour of a world, its intercepts set on a fixed sample of people and candidates."""
    luck = people.luck
    pair = np.arange(_PAIRS)
    user = (luck.uniform("calibration user", pair) * spec.users).astype(np.int64)
    visit = pair % SLOTS  # before any shock, unless it comes on day 0
    page = catalogue.candidates(user, pair + 1, spec.candidates)
    item = page[pair, (luck.uniform("calibration item", pair) * spec.candidates).astype(np.int64)]

    plain = Behaviour(luck, people, catalogue, shock, spec.position_bias)
    click = _intercept(plain._appeal(user, visit, item, 1.2, 0.6), np.ones(_PAIRS), _ATTRACTIVE)
    attractive = _logistic(click + plain._appeal(user, visit, item, 1.2, 0.6))
    buy = _intercept(plain._appeal(user, visit, item, 0.6, 0.4), attractive, _BUYS)
    bought = attractive * _logistic(buy + plain._appeal(user, visit, item, 0.6, 0.4))
    looks = plain.examined(np.arange(1, min(REFERENCE_SLOTS, spec.candidates) + 1)).sum()
    return Behaviour(
        luck, people, catalogue, shock, spec.position_bias, click, buy, looks * bought.mean()
    )


def _intercept(appeal: np.ndarray, weight: np.ndarray, mean: float) -> float:
    """The intercept at which the weighted mean probability is `mean`, by bisection."""
    low, high = -20.0, 20.0
    for _ in range(40):
        middle = (low + high) / 2
        if np.average(_logistic(middle + appeal), weights=weight) < mean:
            low = middle
        else:
            high = middle
    return low


def _logistic(log_odds: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-log_odds))
