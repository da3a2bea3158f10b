"""What people do with a page: look, click, stay, buy, go on, and what they then pay.

Choices, with their sources:

- Attraction and purchase given a click are logistic in affinity, quality, log price and whether the
  item is a bestseller; in a search what the item is counts most (grades 0 to 3, see `language`).
  How far down people look is in `looking`.
- Dwell time is log-normal, longer on better items: it hints at satisfaction and does not prove it
  (Kim et al. 2014, "Modeling dwell time to predict click-level satisfaction", WSDM).
- The amount is the price times a log-normal basket factor (quantity, extras), with a level per
  person. Seven of ten buyers check out within minutes, the others sleep on it; both log-normal.
- A visit goes on for up to four pages, the rather the less was found (Markov, our choice).
- What a person searches for belongs to the visit: a category by affinity (softmax), a noun in it.
- A program (bot) clicks at the top of every page, whatever is there, and never buys.

The two intercepts are set so that an average (person, candidate) pair of a home page is attractive
with probability 0.25, and an average click leads to a checkout with probability 0.5.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from workbench.marketplace.catalogue import Catalogue
from workbench.marketplace.looking import Shown, cascade, logistic
from workbench.marketplace.luck import SLOTS, TURNS, Luck
from workbench.marketplace.people import HOME, SEARCH, People
from workbench.marketplace.shocks import TASTES
from workbench.marketplace.spec import MarketplaceSpec

__all__ = ["AMOUNT_SPREAD", "REFERENCE_SLOTS", "Behaviour", "behaviour_of"]

AMOUNT_SPREAD = 0.3  # of log(amount / price) of one person
REFERENCE_SLOTS = 5  # the page that fraud volumes and stocks are set by, filled at random
_ATTRACTIVE, _BUYS = 0.25, 0.5
_PAIRS = 4_000
_MINUTE_US = 60_000_000
_BY_GRADE = np.array([-4.0, -2.2, -1.0, 0.3])  # log-odds of a click on a usual item in a search
_USUAL = np.log(_ATTRACTIVE / (1 - _ATTRACTIVE))
_FOUND_WEIGHT = 0.6  # in a search, of what an item has beside being the right thing
_SATISFIED = np.array([0.1, 0.2, 0.4, 0.7])  # reads no further after a click, by grade
_BESTSELLER = 0.3  # log-odds
_CHOOSY = 1.5  # softmax of the affinity to categories
_BOT_CLICKS, _BOT_DEPTH = 0.7, 3  # share of what a program sees, down to this position
_GOES_ON = np.array([0.25, 0.15, 0.05])  # to another page: nothing clicked, clicked, will pay
_TURNS_TO = {HOME: SEARCH, SEARCH: HOME}
_OTHER_SURFACE = 0.3


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
    position_bias: float
    click_intercept: float = 0.0
    purchase_intercept: float = 0.0
    purchases_per_page: float = 0.0  # of REFERENCE_SLOTS random candidates

    def examined(self, position: np.ndarray) -> np.ndarray:
        """P(a person looks at this position of a home page), 1 at the top, shape (n,)."""
        return np.asarray(position, float) ** -self.position_bias

    def wanted(self, user: np.ndarray, visit: np.ndarray) -> np.ndarray:
        """What the person of a visit searches for, an index into the nouns, shape (n,)."""
        language, luck = self.catalogue.language, self.luck
        taste = self.people.shocks.taste(self.people, user, visit)
        affinity = taste @ self.catalogue.centres.T / (1.5 * TASTES**0.5)
        likely, key = np.cumsum(np.exp(_CHOOSY * affinity), axis=1), luck.key(user, visit)
        chance = luck.uniform("wanted category", key)[:, None] * likely[:, -1:]
        category = (likely[:, :-1] <= chance).sum(axis=1)
        return language.nouns.draw(category, luck.uniform("wanted noun", key))

    def query(self, user, page: np.ndarray, wanted: np.ndarray) -> np.ndarray:
        """What is typed on a page of a visit, an index into the queries, shape (n,)."""
        chance = self.luck.uniform("query", user, page)
        return self.catalogue.language.queries.query_for(wanted, chance)

    def relevance(self, wanted: np.ndarray, item: np.ndarray) -> np.ndarray:
        """Grade of an item for a noun that is wanted, 0 to 3, shape (n,)."""
        return self.catalogue.language.relevance(wanted, self.catalogue.noun[item])

    def attraction(self, user, visit, item, bestseller=False) -> np.ndarray:
        """P(click | examined) on a home page, shape (n,)."""
        return logistic(self._log_odds(user, visit, item, bestseller))

    def attraction_found(self, shown: Shown) -> np.ndarray:
        """P(click | examined) in a search, shape (n,)."""
        about = (shown.user, shown.visit, shown.item)
        beside = self._log_odds(*about, shown.bestseller) - _USUAL
        return logistic(_BY_GRADE[shown.grade] + _FOUND_WEIGHT * beside)

    def satisfied(self, shown: Shown) -> np.ndarray:
        """P(reads no further | clicked in a search), shape (n,)."""
        return _SATISFIED[shown.grade]

    def purchase(self, user, visit, item) -> np.ndarray:
        """P(goes to the checkout | clicked, in stock), shape (n,)."""
        return logistic(self.purchase_intercept + self._appeal(user, visit, item, 0.6, 0.4))

    def clicks(self, surface: int, shown: Shown) -> np.ndarray:
        """Who clicks: the luck belongs to (user, page, item), whatever the policy."""
        law = self._clicks_found if surface == SEARCH else self._clicks_home
        clicked = law(shown)
        bots = np.flatnonzero(shown.bots)
        if bots.size:
            seen = shown.take(bots)
            chance = self.luck.uniform("click", seen.key)
            clicked[bots] = (chance < _BOT_CLICKS) & (seen.position <= _BOT_DEPTH)
        return clicked

    def buys(self, clicked: Shown) -> np.ndarray:
        """Which clicks lead to the checkout."""
        chance = self.luck.uniform("buy", clicked.key)
        return ~clicked.bots & (chance < self.purchase(clicked.user, clicked.visit, clicked.item))

    def turns_to(self, surface: int, key, page, found: np.ndarray) -> np.ndarray:
        """The surface of the next page of a visit, -1 if there is none, shape (n,).

        `key` is about (user, page); `found` is 0 where nothing was clicked, 1 after a click, 2 on
        the way to the checkout.
        """
        other = self.luck.uniform("other surface", key) < _OTHER_SURFACE
        goes_on = self.luck.uniform("goes on", key) < _GOES_ON[found]
        goes_on &= page % TURNS < TURNS - 1
        return np.where(goes_on, np.where(other, _TURNS_TO[surface], surface), -1)

    def reading_us(self, key: np.ndarray) -> np.ndarray:
        """Microseconds from the page to the click: 3 s plus an exponential of mean 20 s."""
        return (3e6 + 20e6 * self.luck.exponential("reading", key)).astype(np.int64)

    def dwell_seconds(self, key, item) -> np.ndarray:
        """How long a click keeps the person, to a tenth of a second: about 20 s."""
        noise = self.luck.normal("dwell", key)
        return np.round(np.exp(3.0 + 0.5 * self.catalogue.quality[item] + 0.8 * noise), 1)

    def thinking_us(self, key: np.ndarray) -> np.ndarray:
        """Microseconds from the click to the checkout: minutes for most, hours or days else."""
        spread = self.luck.normal("thinking", key)
        soon = self.luck.uniform("sleeps on it", key) < 0.7
        minutes = np.where(soon, 5 * np.exp(0.8 * spread), 14 * 60 * np.exp(spread))
        return (minutes * _MINUTE_US).astype(np.int64)

    def log_basket(self, user, visit, item) -> np.ndarray:
        """log(amount / price) of an honest checkout."""
        noise = self.luck.normal("amount", user, visit, item)
        return self.people.basket[user] + AMOUNT_SPREAD * noise

    def _clicks_home(self, shown: Shown) -> np.ndarray:
        chance = self.luck.uniform("click", shown.key)
        clicked = np.zeros(len(chance), bool)
        likely = np.flatnonzero(chance < self.examined(shown.position))
        some = shown.take(likely)
        attractive = self.attraction(some.user, some.visit, some.item, some.bestseller)
        clicked[likely] = chance[likely] < attractive * self.examined(some.position)
        return clicked

    def _clicks_found(self, shown: Shown) -> np.ndarray:
        attracted = self.luck.uniform("click", shown.key) < self.attraction_found(shown)
        satisfied = np.zeros(len(attracted), bool)
        some = np.flatnonzero(attracted)
        chance = self.luck.uniform("satisfied", shown.key[some])
        satisfied[some] = chance < self.satisfied(shown.take(some))
        patience = self.luck.uniform("reads on", shown.user, shown.page, shown.position)
        return cascade(shown, attracted, satisfied, patience)

    def _log_odds(self, user, visit, item, bestseller) -> np.ndarray:
        appeal = self._appeal(user, visit, item, 1.2, 0.6)
        return self.click_intercept + appeal + _BESTSELLER * np.asarray(bestseller)

    def _appeal(self, user, visit, item, by_affinity, by_quality) -> np.ndarray:
        catalogue, people = self.catalogue, self.people
        taste = people.shocks.taste(people, user, visit)
        affinity = np.einsum("nd,nd->n", taste, catalogue.vector[item]) / (1.5 * TASTES**0.5)
        dear = people.price_sensitivity[user] * catalogue.log_price_on(item, visit // SLOTS)
        return by_affinity * affinity + by_quality * catalogue.quality[item] - dear


def behaviour_of(spec: MarketplaceSpec, people: People, catalogue: Catalogue) -> Behaviour:
    """The behaviour of a world, its intercepts set on a fixed sample of people and candidates."""
    luck = people.luck
    pair = np.arange(_PAIRS)
    user = (luck.uniform("calibration user", pair) * spec.users).astype(np.int64)
    visit = pair % SLOTS  # before any shock, unless it comes on day 0
    shares = np.cumsum(np.where(catalogue.launch_day == 0, catalogue.popularity, 0.0))
    chance = luck.uniform("calibration item", pair) * shares[-1]
    item = np.minimum(np.searchsorted(shares, chance, side="right"), spec.items - 1)

    plain = Behaviour(luck, people, catalogue, spec.position_bias)
    click = _intercept(plain._appeal(user, visit, item, 1.2, 0.6), np.ones(_PAIRS), _ATTRACTIVE)
    attractive = logistic(click + plain._appeal(user, visit, item, 1.2, 0.6))
    buy = _intercept(plain._appeal(user, visit, item, 0.6, 0.4), attractive, _BUYS)
    bought = attractive * logistic(buy + plain._appeal(user, visit, item, 0.6, 0.4))
    looks = plain.examined(np.arange(1, min(REFERENCE_SLOTS, spec.candidates) + 1)).sum()
    return Behaviour(luck, people, catalogue, spec.position_bias, click, buy, looks * bought.mean())


def _intercept(appeal: np.ndarray, weight: np.ndarray, mean: float) -> float:
    """The intercept at which the weighted mean probability is `mean`, by bisection."""
    low, high = -20.0, 20.0
    for _ in range(40):
        middle = (low + high) / 2
        if np.average(logistic(middle + appeal), weights=weight) < mean:
            low = middle
        else:
            high = middle
    return low
