"""What is for sale: a tree of categories, brands, prices, quality, sellers, launches, texts.

Choices, with their sources:

- Popularity is a Zipf-Mandelbrot law of the rank, (rank + 0.24 items) ** -3 (Mandelbrot 1953, "An
  informational theory of the statistical structure of language"): a flat head and a fast tail, as
  a real gift shop has it, where the pure law of Zipf would sell a quarter of everything from one
  item in a hundred. Better items tend to rank higher, with noise.
- Prices are log-normal with a level per category; better items are a little dearer. In a week one
  item in fourteen gets another price, by some 8 % up or down. Sales and inflation come on top.
- An item vector is its category's centre plus its own part, in the space of the people's tastes. A
  seller owns many items, a brand several sellers'; sellers are Zipf too.
- Items launched later come on Mondays of the run; until then nobody can find them.
- Nouns, brands, titles and descriptions come from the shop's language; an item's noun (a "sofa" in
  the category "living room") is what a search is about, and is not listed.

What changes by what people do, stock and bestsellers, is in `store`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from workbench.marketplace.language import Language, language_of
from workbench.marketplace.luck import SLOTS, Luck
from workbench.marketplace.shocks import TASTES, Shocks
from workbench.marketplace.spec import MarketplaceSpec
from workbench.marketplace.words import DEPARTMENTS

__all__ = ["POPULARITY_EXPONENT", "POPULARITY_OFFSET", "Catalogue", "catalogue_of"]

POPULARITY_EXPONENT, POPULARITY_OFFSET = 3.0, 0.24  # the offset is a share of the items
_REPRICED, _REPRICING = 1 / 14, 0.08  # share of items a week; standard deviation of the log


@dataclass(frozen=True)
class Catalogue:
    """Every item, one row per item id from 0; arrays of shape (items,) unless said.

    >>> catalogue = catalogue_of(MarketplaceSpec(), Luck(0), Shocks((), Luck(0)))
    >>> catalogue.price_on(np.array([7]), np.array([0])) == catalogue.price[7]
    array([ True])
    """

    luck: Luck
    shocks: Shocks
    language: Language
    category: np.ndarray
    noun: np.ndarray  # index into the language's nouns
    brand: np.ndarray
    seller: np.ndarray
    price: np.ndarray  # on the first day, whole cents, in francs, euros or what you like
    log_price: np.ndarray  # centred on the mean of the catalogue
    repricing: np.ndarray  # (weeks, items), what has been added to the log price until then
    quality: np.ndarray
    vector: np.ndarray  # (items, TASTES)
    centres: np.ndarray  # (categories, TASTES)
    popularity: np.ndarray  # shares, sum to 1
    shares: np.ndarray  # the same, cumulative
    first_shares: np.ndarray  # of what is there from the first day
    launch_day: np.ndarray
    sponsored: np.ndarray  # bool

    def log_price_on(self, item: np.ndarray, day: np.ndarray) -> np.ndarray:
        """Log prices relative to the first day's mean, shape (n,)."""
        log_price = self.log_price[item] + self.repricing[np.asarray(day) // 7, item]
        if self.shocks.of("sale", "inflation"):
            log_price = log_price + np.log(self.shocks.price_factor(day, self.category[item]))
        return log_price

    def price_on(self, item: np.ndarray, day: np.ndarray) -> np.ndarray:
        """Prices in whole cents on a day counted from 0, shape (n,)."""
        moved = self.log_price_on(item, day) - self.log_price[item]
        return np.maximum(np.round(self.price[item] * np.exp(moved), 2), 0.01)

    def direct(self, user: np.ndarray, visit: np.ndarray, step: np.ndarray) -> np.ndarray:
        """The item of a checkout that no page of ours led to, by popularity, shape (n,).

        What is not launched yet on the day of the visit is replaced by what was there from the
        first day.
        """
        chance = self.luck.uniform("direct item", user, visit, step)
        item = np.searchsorted(self.shares, chance, side="right")
        early = np.flatnonzero(self.launch_day[item] > visit // SLOTS)
        again = self.luck.uniform("direct item again", user[early], visit[early], step[early])
        item[early] = np.searchsorted(self.first_shares, again, side="right")
        return item

    def texts(self, item: np.ndarray) -> dict[str, np.ndarray]:
        """Title, description, brand, category and department of items, as text, shape (n,)."""
        language, noun, brand = self.language, self.noun[item], self.brand[item]
        tier = np.digitize(self.quality[item], (-0.5, 0.8))  # 0 simple, 1 usual, 2 fine
        about = (item, noun, brand, tier)
        return {
            "title": language.titles(*about),
            "description": language.descriptions(*about),
            "brand": language.brand_name[brand],
            "category_name": language.category_name[self.category[item]],
            "department": np.array(DEPARTMENTS, object)[language.noun_department[noun]],
        }


def catalogue_of(spec: MarketplaceSpec, luck: Luck, shocks: Shocks) -> Catalogue:
    """The catalogue of a world: a pure function of the spec."""
    items, dimensions = np.arange(spec.items), np.arange(TASTES)
    category = (luck.uniform("category", items) * spec.categories).astype(np.int64)
    kinds = np.arange(spec.categories)
    centres = luck.normal("category centre", kinds[:, None], dimensions[None, :])
    own = luck.normal("item vector", items[:, None], dimensions[None, :])
    quality = luck.normal("quality", items)
    level = np.log(spec.price_level) + 0.6 * luck.normal("category price", kinds)
    price = np.round(np.exp(level[category] + 0.6 * luck.normal("price", items)), 2)
    price = np.maximum(price, 0.01)
    rank = np.argsort(np.argsort(-(0.5 * quality + luck.normal("fame", items))))
    weight = (rank + 1.0 + POPULARITY_OFFSET * spec.items) ** -POPULARITY_EXPONENT
    owners = np.cumsum(1 / np.arange(1, spec.sellers + 1))
    seller = np.searchsorted(owners / owners[-1], luck.uniform("seller", items), side="right")
    language = language_of(spec.categories, luck)
    noun = language.nouns_of(items, category)
    launch_day = _launches(spec, luck)
    popularity = weight / weight.sum()
    return Catalogue(
        luck=luck,
        shocks=shocks,
        language=language,
        category=category,
        noun=noun,
        brand=language.brands_of(items, noun),
        seller=seller,
        price=price,
        log_price=np.log(price) - np.log(price).mean(),
        repricing=_repricing(spec, luck),
        quality=quality,
        vector=centres[category] + 0.6 * own,
        centres=centres,
        popularity=popularity,
        shares=_cumulative(popularity),
        first_shares=_cumulative(np.where(launch_day == 0, popularity, 0.0)),
        launch_day=launch_day,
        sponsored=luck.uniform("sponsored", items) < spec.sponsored_share,
    )


def _repricing(spec: MarketplaceSpec, luck: Luck) -> np.ndarray:
    weeks = np.arange(1, (spec.days - 1) // 7 + 1)[:, None]
    items = np.arange(spec.items)[None, :]
    moved = np.zeros((len(weeks) + 1, spec.items))
    if len(weeks):
        step = _REPRICING * luck.normal("repricing", weeks, items)
        step[luck.uniform("repriced", weeks, items) >= _REPRICED] = 0.0
        moved[1:] = np.cumsum(step, axis=0)
    return moved


def _launches(spec: MarketplaceSpec, luck: Luck) -> np.ndarray:
    """Launch days, multiples of 7; enough items are there from the first day to fill a page."""
    items, weeks = np.arange(spec.items), (spec.days - 1) // 7
    late = luck.uniform("late", items)
    day = 7 * (1 + (luck.uniform("launch", items) * weeks).astype(np.int64))
    day[(late >= spec.new_item_share) | (weeks == 0)] = 0
    day[np.argsort(late, kind="stable")[-spec.candidates :]] = 0
    return day


def _cumulative(weight: np.ndarray) -> np.ndarray:
    """Cumulative shares, 1 from the last item with a weight on: no draw falls off the end."""
    last = np.flatnonzero(weight)[-1]
    sums = np.cumsum(weight) / weight.sum()
    return np.append(sums[:last], np.ones(len(weight) - last))
