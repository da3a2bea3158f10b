"""Moods: why people come back, come less, or leave for good.

    a page, a purchase, an empty shelf, a wrong block ──► mood ──► the next visit happens, or not

Choices, with their sources:

- A mood is a number, 0 when nothing happened, and fades with a time constant of ten days. A planned
  visit happens with probability logistic(1.1 + mood): 0.75 in an even mood.
- A page that got a click lifts it, one without a click lowers it. A page with three or more of
  five slots from one category lowers it (by the share of pairs that are alike: Simpson 1949,
  "Measurement of diversity", Nature 163), and more so if the page before was mostly of that
  category too: lists of one kind satisfy less although each item fits better (Ziegler et al. 2005,
  "Improving recommendation lists through topic diversification", WWW), and people who are shown
  less variety leave more often (Anderson et al. 2020, "Algorithmic effects on the diversity of
  consumption on Spotify", WWW). So a page can be more accurate and worse.
- A good purchase lifts it, a bad one lowers it; an empty shelf lowers it, and a wrong block lowers
  it most: those people come less often for about a week.
- After each visit a person may leave for good, the sooner the worse the mood (a discrete-time
  proportional hazard; Cox 1972). Sizes are our choice; that the loss from monotony outweighs the
  gain from accuracy within weeks is planted, so that a test can find it.
"""

from __future__ import annotations

import numpy as np

from workbench.marketplace.luck import Luck

__all__ = ["EVEN_MOOD_COMES", "Loyalty"]

_LOG_ODDS = 1.1
EVEN_MOOD_COMES = 1 / (1 + np.exp(-_LOG_ODDS))  # of the planned visits
_FADES_US = 10.0 * 86_400_000_000
_LEAVES, _LEAVES_BY_MOOD = 0.004, 1.5  # of the visits, in an even mood; per unit of mood
_CLICKED, _NOTHING, _ONE_KIND, _SAME_AGAIN = 0.06, 0.06, 1.5, 0.4
_VARIED = 0.2  # share of pairs of slots of one category up to which a page is varied enough
_GOOD_PURCHASE, _SOLD_OUT, _BLOCKED = 0.1, 0.15, 1.6
_WORST, _BEST = -3.0, 1.5


class Loyalty:
    """The moods of all people, and who has left. Times are in microseconds.

    >>> loyalty = Loyalty(Luck(0), users=2)
    >>> loyalty.blocked(np.array([1]), np.array([0]))
    >>> loyalty.mood(np.array([0, 1]), np.array([0, 0])).tolist()
    [0.0, -1.6]
    """

    def __init__(self, luck: Luck, users: int):
        self._luck = luck
        self._mood, self._at = np.zeros(users), np.zeros(users, np.int64)
        self._last_kind = np.full(users, -1, np.int64)  # main category of the last page
        self.gone = np.zeros(users, bool)

    def mood(self, user: np.ndarray, time: np.ndarray) -> np.ndarray:
        """The moods at these times, shape (n,)."""
        return self._mood[user] * np.exp((self._at[user] - time) / _FADES_US)

    def comes(self, user: np.ndarray, visit: np.ndarray, time: np.ndarray) -> np.ndarray:
        """Whether planned visits happen, bool, shape (n,); a user comes at most once in it."""
        mood = self.mood(user, time)
        happens = self._luck.uniform("comes", user, visit) < 1 / (1 + np.exp(-_LOG_ODDS - mood))
        happens &= ~self.gone[user]
        leaves = _LEAVES * np.exp(-_LEAVES_BY_MOOD * mood)
        self.gone[user] |= happens & (self._luck.uniform("leaves", user, visit) < leaves)
        return happens

    def page(self, user, time, clicked, main_category, alike) -> None:
        """One page each: whether it was clicked, its main category, its share of alike pairs."""
        one_kind = np.maximum(alike - _VARIED, 0)
        again = (main_category == self._last_kind[user]) & (one_kind > 0)
        self._last_kind[user] = main_category
        found = np.where(clicked, _CLICKED, -_NOTHING)
        self._move(user, time, found - _ONE_KIND * one_kind - _SAME_AGAIN * again)

    def bought(self, user: np.ndarray, time: np.ndarray, quality: np.ndarray) -> None:
        """One purchase each, of this quality (standard normal over the catalogue)."""
        self._move(user, time, _GOOD_PURCHASE * quality)

    def sold_out(self, user: np.ndarray, time: np.ndarray) -> None:
        """People who found the shelf empty."""
        self._move(user, time, -_SOLD_OUT)

    def blocked(self, user: np.ndarray, time: np.ndarray) -> None:
        """Honest people whose payment was refused."""
        self._move(user, time, -_BLOCKED)

    def _move(self, user, time, by) -> None:
        self._mood[user] = np.clip(self.mood(user, time) + by, _WORST, _BEST)
        self._at[user] = time
