"""What people type: a finite table of queries, and the draw of one for a wanted noun.

Choices, with their sources:

- A query is a surface form of the noun, with a wish in front ("cheap sofa", "Norrvika sofa") or
  without; a slip of two neighbouring letters now and then (the commonest kinds of slip: Damerau
  1964, "A technique for computer detection and correction of spelling errors", CACM 7(3)). Real
  shares of misspelt queries are nearer 10 % (Cucerzan & Brill 2004, EMNLP); here 5 % of the plain.
- A noun that has an ambiguous word is asked for by that word alone in `AMBIGUOUS_SHARE` of the
  plain queries: some 10 % of all queries are ambiguous in the default shop, against an estimate of
  16 % on the web (Song, Luo, Wen, Yu & Hon 2007, "Identifying ambiguous queries in web search",
  WWW). An ambiguous query has two meanings, in two departments, if both are sold.
- The share of a form falls with its rank in the list, as 1 / rank (Zipf).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from workbench.marketplace.luck import Luck
from workbench.marketplace.words import AMBIGUOUS, BRANDS, DEPARTMENTS, WISHES, Noun

__all__ = [
    "AMBIGUOUS_SHARE",
    "MISSPELT_SHARE",
    "WISH_SHARES",
    "Choices",
    "Queries",
    "choices_of",
    "queries_of",
]

AMBIGUOUS_SHARE = 0.35  # of the plain queries of a noun that has such a word
MISSPELT_SHARE = 0.05  # of the plain queries
WISH_SHARES = np.array([0.70, 0.14, 0.08, 0.08])  # in the order of WISHES; a modelling choice
_BRANDS_ASKED = 3  # the best known brands of a department


@dataclass(frozen=True)
class Choices:
    """Rows of things with their shares, and the draw of one thing from a row.

    >>> choices = choices_of([[7, 8], [9]], [[3, 1], [1]])
    >>> choices.draw(np.array([0, 0, 1]), np.array([0.7, 0.8, 0.99])).tolist()
    [7, 8, 9]
    """

    things: np.ndarray  # (m,), row after row
    starts: np.ndarray  # (rows + 1,)
    reach: np.ndarray  # (m,), number of the row plus the cumulative share

    def draw(self, row: np.ndarray, chance: np.ndarray) -> np.ndarray:
        """A thing from each row by its share; `chance` is in [0, 1)."""
        place = np.searchsorted(self.reach, row + chance, side="right")
        return self.things[np.clip(place, self.starts[row], self.starts[row + 1] - 1)]


def choices_of(rows: list[list[int]], weights: list[list[float]]) -> Choices:
    """Choices from non-empty rows of things and positive weights."""
    reach = [np.cumsum(row) / np.sum(row) + number for number, row in enumerate(weights)]
    starts = np.concatenate([[0], np.cumsum([len(row) for row in rows])])
    return Choices(np.concatenate(rows).astype(np.int64), starts, np.concatenate(reach))


@dataclass(frozen=True)
class Queries:
    """Every query of the shop, one row each; the row is the query's id."""

    text: np.ndarray  # (queries,), str, all different, lower case but for brands
    nouns: np.ndarray  # (queries, 2), meanings; the second is -1 unless the query is ambiguous
    wish: np.ndarray  # (queries,), index into WISHES: none, cheap, premium, brand
    brand: np.ndarray  # (queries,), the brand wished for or -1
    misspelt: np.ndarray  # (queries,), bool
    choices: Choices  # rows are noun * len(WISHES) + wish

    @property
    def ambiguous(self) -> np.ndarray:
        """Whether a query has two meanings, shape (queries,)."""
        return self.nouns[:, 1] >= 0

    def query_for(
        self, noun: np.ndarray, chance: np.ndarray, wish: np.ndarray | None = None
    ) -> np.ndarray:
        """The query that somebody who wants a noun types, as an index, shape (n,).

        Parameters
        ----------
        noun : ndarray of int, shape (n,)
            What is wanted.
        chance : ndarray of float, shape (n,)
            Luck in [0, 1).
        wish : ndarray of int, shape (n,), optional
            Index into `WISHES`. Without it the wish is drawn too, by `WISH_SHARES`.
        """
        if wish is None:
            ends = np.cumsum(WISH_SHARES)
            wish = np.minimum(np.searchsorted(ends, chance, side="right"), len(ends) - 1)
            chance = np.clip((chance - (ends - WISH_SHARES)[wish]) / WISH_SHARES[wish], 0, 1)
        return self.choices.draw(noun * len(WISHES) + wish, chance)


def queries_of(
    nouns: list[Noun], departments: list[int], brands: np.ndarray, luck: Luck
) -> Queries:
    """The queries of a shop.

    Parameters
    ----------
    nouns : list of Noun
    departments : list of int
        The department of each noun.
    brands : ndarray of str
        Names of all brands, department after department, the best known first.
    luck : Luck
        Decides where the slips are.
    """
    words = {name: word for word, pair in AMBIGUOUS.items() for name in pair}
    table: dict[str, list] = {}  # text -> [noun, second noun, wish, brand, misspelt]
    rows, weights = [], []
    slips = luck.uniform("misspelling", np.arange(len(nouns)))
    firsts = np.cumsum([0] + [len(BRANDS[name].split()) for name in DEPARTMENTS])
    for number, noun in enumerate(nouns):
        word = words.get(noun.forms[0])
        said = [(text, 0, -1, False, weight) for text, weight in _plain(noun, word)]
        slip = _misspelt(noun.forms[0], slips[number], table)
        said.append((slip, 0, -1, True, MISSPELT_SHARE))
        clear = [form for form in noun.forms if form != word]
        for wish, fronts in enumerate(WISHES.values()):
            said += [
                (f"{front} {form}", wish, -1, False, 1 / rank)
                for front in fronts
                for rank, form in enumerate(clear, 1)
            ]
        for rank in range(_BRANDS_ASKED):
            brand = firsts[departments[number]] + rank
            said.append((f"{brands[brand]} {noun.forms[0]}", 3, brand, False, 1 / (rank + 1)))
        for text, wish, brand, misspelt, _ in said:
            entry = table.setdefault(text, [number, -1, wish, brand, misspelt])
            if entry[0] != number:
                entry[1] = number
        for wish in range(len(WISHES)):
            rows.append([text for text, kind, *_ in said if kind == wish])
            weights.append([line[-1] for line in said if line[1] == wish])
    places = {text: place for place, text in enumerate(table)}
    columns = zip(*table.values(), strict=True)
    first, second, wish, brand, misspelt = (np.array(column) for column in columns)
    return Queries(
        text=np.array(list(table), object),
        nouns=np.stack([first, second], axis=1),
        wish=wish,
        brand=brand,
        misspelt=misspelt,
        choices=choices_of([[places[text] for text in row] for row in rows], weights),
    )


def _plain(noun: Noun, word: str | None) -> list[tuple[str, float]]:
    """Forms without a wish and their shares, the ambiguous word too if the noun has one."""
    clear = [form for form in noun.forms if form != word]
    alone = 0.0 if word is None else AMBIGUOUS_SHARE
    shares = 1 / np.arange(1, len(clear) + 1)
    shares *= (1 - MISSPELT_SHARE - alone) / shares.sum()
    said = list(zip(clear, shares, strict=True))
    return said if word is None else [*said, (word, alone)]


def _misspelt(text: str, chance: float, known: dict) -> str:
    """Two neighbouring letters swapped, never into a text that is known."""
    first = int(chance * len(text))
    for step in range(len(text)):
        place = (first + step) % (len(text) - 1)
        one, two = text[place : place + 2]
        slip = text[:place] + two + one + text[place + 2 :]
        if one != two and " " not in (one, two) and slip not in known:
            return slip
    raise ValueError(f"no slip of {text!r} is new")
