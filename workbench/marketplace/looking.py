"""How far down a page people look: by position on the home page, in a cascade in a search.

Choices, with their sources:

- Home page: a position-based model, P(click) = P(examined | position) * P(attractive | user, item)
  with P(examined) = 1 / position ** eta (Joachims et al. 2005, "Accurately interpreting
  clickthrough data as implicit feedback", SIGIR; Craswell et al. 2008, "An experimental comparison
  of click position-bias models", WSDM). Items do not compete with each other.
- Search: a cascade. People read from the top; after each result they go on with probability 0.9,
  and after a click that satisfied them they stop (Craswell et al. 2008; with satisfaction: Chapelle
  & Zhang 2009, "A dynamic Bayesian network click model", WWW). A good result on top takes clicks
  away from all below it.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from workbench.marketplace.luck import FIRST_BOT_SLOT, SLOTS, TURNS

__all__ = ["READS_ON", "Shown", "cascade", "examined_in_cascade", "logistic"]

READS_ON = 0.9  # after a result of a search


@dataclass(frozen=True)
class Shown:
    """What is on the pages, one row per (page, item); every array has shape (n,)."""

    user: np.ndarray
    visit: np.ndarray
    turn: np.ndarray  # which page of the visit, from 0
    item: np.ndarray
    position: np.ndarray  # 1 is the top
    bestseller: np.ndarray  # bool
    grade: np.ndarray  # relevance for what is wanted, 0 to 3; in a search only
    key: np.ndarray  # of the luck about (user, page, item)

    @property
    def page(self) -> np.ndarray:
        """A number for each page of a user."""
        return self.visit * TURNS + self.turn

    @property
    def bots(self) -> np.ndarray:
        """Whether a program looks at it."""
        return self.visit % SLOTS >= FIRST_BOT_SLOT

    def take(self, rows: np.ndarray) -> Shown:
        """Some of the rows."""
        return Shown(*(getattr(self, field.name)[rows] for field in fields(self)))


def cascade(
    shown: Shown, attracted: np.ndarray, satisfied: np.ndarray, patience: np.ndarray
) -> np.ndarray:
    """Which results are clicked by people who read from the top, bool, shape (n,).

    Parameters
    ----------
    attracted, satisfied : ndarray of bool, shape (n,)
        Whether the person would click if it was read, and stop if it was clicked.
    patience : ndarray of float in [0, 1), shape (n,)
        Goes on where it is below READS_ON.

    Examples
    --------
    >>> one, places = np.zeros(3, int), np.array([1, 2, 3])
    >>> shown = Shown(one, one, one, places, places, one > 0, one, one)
    >>> yes, no = np.ones(3, bool), np.zeros(3, bool)
    >>> cascade(shown, yes, np.array([False, True, True]), np.zeros(3)).tolist()
    [True, True, False]
    """
    stops = (attracted & satisfied) | (patience >= READS_ON)
    order, first = _from_the_top(shown)
    passed = np.cumsum(stops[order]) - stops[order]  # stops before each result
    read = np.empty(len(order), bool)
    read[order] = passed == passed[first]
    return read & attracted


def examined_in_cascade(shown: Shown, attraction: np.ndarray, satisfied: np.ndarray) -> np.ndarray:
    """P(read) of each result, given what is above it, shape (n,).

    >>> one, places = np.zeros(2, int), np.array([1, 2])
    >>> shown = Shown(one, one, one, places, places, one > 0, one, one)
    >>> examined_in_cascade(shown, np.array([0.5, 0.5]), np.array([0.4, 0.4])).round(2).tolist()
    [1.0, 0.72]
    """
    passes = np.log(READS_ON * (1 - attraction * satisfied))
    order, first = _from_the_top(shown)
    above = np.cumsum(passes[order]) - passes[order]
    read = np.empty(len(order))
    read[order] = np.exp(above - above[first])
    return read


def logistic(log_odds: np.ndarray) -> np.ndarray:
    """Probabilities from log-odds."""
    return 1 / (1 + np.exp(-log_odds))


def _from_the_top(shown: Shown) -> tuple[np.ndarray, np.ndarray]:
    """Rows page by page and from the top; and for each of them where its page begins."""
    order = np.lexsort((shown.position, shown.page, shown.user))
    user, page = shown.user[order], shown.page[order]
    starts = np.append(True, (user[1:] != user[:-1]) | (page[1:] != page[:-1]))[: len(order)]
    return order, np.maximum.accumulate(np.where(starts, np.arange(len(order)), 0))
