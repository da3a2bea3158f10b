"""The language of the shop: which noun and brand an item is, its title, its description.

Choices, with their sources:

- An item's noun is drawn within its category by a Zipf law of the noun's place in the list, and its
  brand within the noun's department likewise (Zipf 1949, "Human behavior and the principle of least
  effort"). A few things make most of what is offered, and a few makers too.
- Seller and searcher choose their words apart: each picks a surface form by itself, so an item
  titled "couch" is what somebody wants who typed "sofa" (Furnas et al. 1987, see `words`). A
  description picks its word anew and may hold the one that the title lacks.
- A title praises: its adjective belongs to the item's quality tier, but `BOAST_SHARE` of the
  sellers use that of another tier. A description may name a companion ("Goes well with: phone
  case."): a word match that is worth less than it looks.
- Relevance is graded 0 to 3 in the manner of TREC's graded judgements (Järvelin & Kekäläinen 2002,
  "Cumulated gain-based evaluation of IR techniques", ACM TOIS 20(4), used grades 0-3): 3 the noun,
  2 a substitute or companion (same group in `words`), 1 the same category, 0 anything else.

Text is made by looking whole columns of phrases up in small tables; no loop runs over items.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from workbench.marketplace.grammar import joined, phrases
from workbench.marketplace.luck import Luck
from workbench.marketplace.queries import Choices, Queries, choices_of, queries_of
from workbench.marketplace.words import (
    ADJECTIVES,
    ATTRIBUTES,
    BENEFITS,
    BRANDS,
    DEPARTMENTS,
    VERDICTS,
    category_of,
)

__all__ = ["BOAST_SHARE", "TIERS", "Language", "language_of"]

BOAST_SHARE = 0.15  # of titles, with an adjective of any tier
TIERS = 3  # of quality: low, middle, high
_NOUN_EXPONENT = 0.8
_COMPANION_SHARE = 0.3  # of descriptions
_MATERIALS, _SIZES = zip(*(ATTRIBUTES[name] for name in DEPARTMENTS), strict=True)
_BENEFITS = tuple(BENEFITS[name] for name in DEPARTMENTS)
_CAPITALISED = tuple(", ".join(w.capitalize() for w in row.split(", ")) for row in ADJECTIVES)


@dataclass(frozen=True)
class Language:
    """The nouns, brands and queries of one shop, and the texts of its items.

    >>> language = language_of(20, Luck(0))
    >>> item, category = np.arange(3), np.array([0, 1, 9])
    >>> noun = language.nouns_of(item, category)
    >>> brand = language.brands_of(item, noun)
    >>> for title in language.titles(item, noun, brand, np.array([0, 1, 2])):
    ...     print(title)
    superior silver screen protector, with cable
    luxury organic pear by Sunfolde
    Casalta standing light, velvet, set of two
    """

    luck: Luck
    category_name: np.ndarray  # (categories,), str
    category_department: np.ndarray  # (categories,), index into DEPARTMENTS
    noun_name: np.ndarray  # (nouns,), str, all different and unambiguous
    noun_category: np.ndarray  # (nouns,)
    noun_group: np.ndarray  # (nouns,), substitutes and companions share one
    companion: np.ndarray  # (nouns,), another noun of the group
    brand_name: np.ndarray  # (brands,), str
    brand_department: np.ndarray  # (brands,)
    form_text: np.ndarray  # (forms,), str
    form_noun: np.ndarray  # (forms,)
    nouns: Choices  # rows are categories
    brands: Choices  # rows are departments
    forms: Choices  # rows are nouns
    queries: Queries

    @property
    def noun_department(self) -> np.ndarray:
        """The department of each noun, index into DEPARTMENTS."""
        return self.category_department[self.noun_category]

    def nouns_of(self, item: np.ndarray, category: np.ndarray) -> np.ndarray:
        """What each item is: a noun of its category, shape (n,)."""
        return self.nouns.draw(category, self.luck.uniform("noun", item))

    def brands_of(self, item: np.ndarray, noun: np.ndarray) -> np.ndarray:
        """Who makes each item: a brand of its department, shape (n,)."""
        return self.brands.draw(self.noun_department[noun], self.luck.uniform("brand", item))

    def relevance(self, wanted: np.ndarray, noun: np.ndarray) -> np.ndarray:
        """Grade of an item's noun for a wanted one, 0 to 3, shape of the broadcast nouns.

        >>> language = language_of(20, Luck(0))
        >>> names = ["sofa", "armchair", "rug", "laptop"]
        >>> sofa, *others = [language.noun_name.tolist().index(name) for name in names]
        >>> language.relevance(sofa, np.array([sofa, *others])).tolist()
        [3, 2, 1, 0]
        """
        return (
            (self.noun_category[wanted] == self.noun_category[noun]).astype(np.int8)
            + (self.noun_group[wanted] == self.noun_group[noun])
            + np.equal(wanted, noun)
        )

    def titles(
        self, item: np.ndarray, noun: np.ndarray, brand: np.ndarray, tier: np.ndarray
    ) -> np.ndarray:
        """The title of each item, shape (n,), str.

        Parameters
        ----------
        item, noun, brand : ndarray of int, shape (n,)
        tier : ndarray of int, shape (n,)
            Quality tier in {0, 1, 2}: low, middle, high.
        """
        luck, department = self.luck, self.noun_department[noun]
        boasts = luck.uniform("boast", item) < BOAST_SHARE
        tier = np.where(boasts, _picked(luck.uniform("boast tier", item), TIERS), tier)
        pattern = _picked(luck.uniform("title pattern", item), 4)
        material, size = luck.uniform("material", item), luck.uniform("size", item)
        makers = self.brand_name
        return joined(
            ([f"{name} " for name in makers], brand, pattern % 2 == 0),
            (*phrases(ADJECTIVES, tier, luck.uniform("title word", item), "{} "), pattern != 2),
            (*phrases(_MATERIALS, department, material, "{} "), pattern != 2),
            (self.form_text, self.forms.draw(noun, luck.uniform("title form", item))),
            ([f" by {name}" for name in makers], brand, pattern == 1),
            (*phrases(_MATERIALS, department, material, ", {}"), pattern == 2),
            (*phrases(_SIZES, department, size, ", {}"), pattern >= 2),
        )

    def descriptions(
        self, item: np.ndarray, noun: np.ndarray, brand: np.ndarray, tier: np.ndarray
    ) -> np.ndarray:
        """The description of each item, shape (n,), str; parameters as for `titles`."""
        luck, department = self.luck, self.noun_department[noun]
        word, verdict = luck.uniform("description word", item), luck.uniform("verdict", item)
        companions = [f" Goes well with: {name}." for name in self.noun_name]
        accompanied = luck.uniform("accompanied", item) < _COMPANION_SHARE
        return joined(
            phrases(_CAPITALISED, tier, word, "{} "),
            (self.form_text, self.forms.draw(noun, luck.uniform("description form", item))),
            ([f" from {name}: " for name in self.brand_name], brand),
            phrases(_MATERIALS, department, luck.uniform("material", item), "{}, "),
            phrases(_SIZES, department, luck.uniform("size", item), "{}. "),
            phrases(_BENEFITS, department, luck.uniform("benefit", item)),
            phrases(VERDICTS, tier, verdict, " {}"),
            (companions, self.companion[noun], accompanied),
        )


def language_of(categories: int, luck: Luck) -> Language:
    """The language of a shop: a pure function of the number of categories and the seed.

    >>> language = language_of(20, Luck(0))
    >>> len(language.noun_name), len(language.queries.text), language.queries.ambiguous.sum().item()
    (152, 2243, 23)
    """
    if categories < 1:
        raise ValueError(f"categories must be at least 1, got {categories}")
    tree = [category_of(index) for index in range(categories)]
    nouns = [noun for _, _, inside in tree for noun in inside]
    category = np.repeat(np.arange(categories), [len(inside) for _, _, inside in tree])
    department = np.array([DEPARTMENTS.index(name) for name, _, _ in tree])
    most = 1 + max(noun.group for noun in nouns)
    group = category * most + [noun.group for noun in nouns]
    makers = [BRANDS[name].split() for name in DEPARTMENTS]
    brand_name = np.array([name for names in makers for name in names], object)
    brand_department = np.repeat(np.arange(len(makers)), [len(names) for names in makers])
    form_noun = np.repeat(np.arange(len(nouns)), [len(noun.forms) for noun in nouns])
    return Language(
        luck=luck,
        category_name=np.array([name for _, name, _ in tree], object),
        category_department=department,
        noun_name=np.array([noun.forms[0] for noun in nouns], object),
        noun_category=category,
        noun_group=group,
        companion=_companions(group),
        brand_name=brand_name,
        brand_department=brand_department,
        form_text=np.array([form for noun in nouns for form in noun.forms], object),
        form_noun=form_noun,
        nouns=_zipf(category, _NOUN_EXPONENT),
        brands=_zipf(brand_department, 1.0),
        forms=_zipf(form_noun, 1.0),
        queries=queries_of(nouns, department[category].tolist(), brand_name, luck),
    )


def _picked(chance: np.ndarray, count: int) -> np.ndarray:
    """One of `count`, all alike."""
    return (chance * count).astype(np.int64)


def _companions(group: np.ndarray) -> np.ndarray:
    """The next noun of the group, the first after the last."""
    numbers = np.arange(len(group))
    following = np.append(group[1:], -1) == group
    first = np.searchsorted(group, group)  # groups are in ascending order
    return np.where(following, numbers + 1, first)


def _zipf(row: np.ndarray, exponent: float) -> Choices:
    """Choices within ascending rows, by the rank in the row."""
    places = [np.flatnonzero(row == number) for number in range(row[-1] + 1)]
    weights = [(np.arange(len(place)) + 1.0) ** -exponent for place in places]
    return choices_of(places, weights)
