"""Twelve challengers of one home page: better ones, twins, slightly worse ones, broken ones.

    clicks on random pages ─► how often each item is clicked ─► champion
                                     │
              a sample of the people ├─► twin        the same, on another scale ─► rescaled
              without the first week ├─► recounted   the first days only ────────► stale
              … and this person's    ├─► taste       … and two of a kind ────────► varied taste
              at most two of a kind  ├─► varied      rough guesses ──────────────► noisy
              of the next item       ├─► mixed up    always one category ────────► one kind
              the same for all       └─► collapsed   nothing for newcomers ──────► starved

Which of them is better is not decided here: it depends on the shop, and its truth says so. Scores
are logarithms of click rates, and all policies explore at one temperature with the same luck, so
that a challenger differs from the champion by its scores alone. One more twin is the noise floor.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import polars as pl

from workbench.assign import uniform
from workbench.policy import Columns, Explore, Rank
from workbench.studies.click_rankers import ClickCounts, fit_clicks

__all__ = ["AGAIN", "CHAMPION", "ZOO", "HomeCounts", "played", "zoo"]

CHAMPION, AGAIN = "old", "again"
ZOO = (
    "twin", "rescaled", "recounted", "taste", "varied taste", "varied",
    "noisy", "stale", "mixed up", "one kind", "collapsed", "starved",
)  # fmt: skip
SLOTS = 5
_LUCK = "home page"
_FIRST = 10.0  # in log units, more than rates differ by: what has it comes first
_MOST_OF_A_KIND, _NOISE = 2, 0.5  # noise: a factor of 1.6 up or down
_NEWCOMER_ITEMS = 10  # seen fewer than two pages of five

Score = Callable[[Columns], np.ndarray]


@dataclass(frozen=True)
class HomeCounts:
    """What the zoo learns from: rows of `shown_and_clicked`, and the size of the shop.

    `learn_from` splits counting from learning for the one model that learns; `recount_from` and
    `stale_until` bound the windows of two challengers.
    """

    shown: pl.DataFrame
    users: int
    items: int
    learn_from: datetime
    recount_from: datetime
    stale_until: datetime

    @property
    def newcomers(self) -> np.ndarray:
        """Who has seen fewer than two pages, bool, shape (users,)."""
        return np.bincount(self.shown["user"].to_numpy(), minlength=self.users) < _NEWCOMER_ITEMS

    def of_category(self, category: str) -> np.ndarray:
        """Which items are of it, bool, shape (items,)."""
        mine = self.shown.filter(pl.col("category") == category)["item"].to_numpy()
        return np.bincount(mine, minlength=self.items) > 0

    def resampled(self, salt: str) -> pl.DataFrame:
        """Rows of as many users, drawn with replacement (Poisson bootstrap)."""
        from scipy.stats import poisson

        times = poisson.ppf(uniform(salt, self.shown["user"].to_numpy()), 1)
        drawn = self.shown.with_columns(_times=pl.Series(times.astype(np.int64)))
        most = range(1, int(times.max()) + 1)
        return pl.concat([drawn.filter(pl.col("_times") >= n) for n in most]).drop("_times")

    def rates(self, rows: pl.DataFrame) -> np.ndarray:
        """Log click rate of each item, shape (items,); that of all where it was never shown."""
        counts = ClickCounts.of(rows)
        rates = np.full(self.items, counts.mean)
        rates[counts.items["item"].to_numpy()] = counts.items["item_rate"].to_numpy()
        return np.log(rates)

    def tastes(self) -> np.ndarray:
        """Log click rate of each item for each user, by a model that knows tastes too."""
        past = ClickCounts.of(self.shown, self.learn_from)
        learnt = past.add(self.shown.filter(pl.col("time") >= self.learn_from))
        grid = {"user": np.repeat(np.arange(self.users), self.items)}
        grid["item"] = np.tile(np.arange(self.items), self.users)
        served = ClickCounts.of(self.shown).add(pl.DataFrame(grid))
        scores = fit_clicks(learnt, "new").score(served)
        return np.log(scores).astype(np.float32).reshape(self.users, self.items)


def zoo(counts: HomeCounts, *, temperature: float) -> dict[str, Explore]:
    """The champion, its twin "again", and the twelve; each signs its decisions as "name@1".

    Raises ValueError if the counts have no impressions in one of their windows.
    """
    time, shown = pl.col("time"), counts.shown
    rates, tastes = counts.rates(shown), counts.tastes()
    old, newcomers = _of_item(rates), counts.newcomers
    kind = counts.of_category(shown["category"].min())  # what index 0 stands for
    scores: dict[str, Score] = {
        CHAMPION: old,
        AGAIN: _of_item(counts.rates(counts.resampled("again"))),
        "twin": _of_item(counts.rates(counts.resampled("twin"))),
        "rescaled": _of_item(rates - np.log(2)),
        "recounted": _of_item(counts.rates(shown.filter(time >= counts.recount_from))),
        "taste": _of_user(tastes),
        "varied taste": _varied(_of_user(tastes)),
        "varied": _varied(old),
        "noisy": lambda rows: old(rows) + _NOISE * _normal(rows),
        "stale": _of_item(counts.rates(shown.filter(time < counts.stale_until))),
        "mixed up": _of_item(np.roll(rates, -1)),
        "one kind": _of_item(rates + _FIRST * kind),
        "collapsed": _of_item(np.full(counts.items, rates.mean())),
        "starved": lambda rows: np.where(newcomers[rows["user"]], -np.inf, old(rows)),
    }
    return {
        name: Explore(score, SLOTS, salt=_LUCK, temperature=temperature, name=f"{name}@1")
        for name, score in scores.items()
    }


def played(policy: Explore) -> Rank:
    """A policy that shows the very slates of `policy`, and does not work out their chances.

    The Gumbel trick, see `Explore`: an order by score / temperature plus Gumbel noise.
    """

    def score(requests: Columns) -> np.ndarray:
        luck = uniform(policy.salt, requests["request"], requests["item"]) + 2.0**-54
        return policy.score(requests) / policy.temperature - np.log(-np.log(luck))

    return Rank(score, policy.k, policy.name)


def _of_item(table: np.ndarray) -> Score:
    return lambda rows: table[rows["item"]]


def _of_user(table: np.ndarray) -> Score:
    return lambda rows: table[rows["user"], rows["item"]].astype(float)


def _varied(score: Score) -> Score:
    """The third of a category and later ones come after all others."""

    def varied(rows: Columns) -> np.ndarray:
        scores, n = score(rows), len(rows["item"])
        order = np.lexsort((rows["item"], -scores, rows["category"], rows["request"]))
        request, category = (rows[name][order] for name in ("request", "category"))
        first = np.ones(n, bool)
        first[1:] = (request[1:] != request[:-1]) | (category[1:] != category[:-1])
        place = np.arange(n) - np.maximum.accumulate(np.where(first, np.arange(n), 0))
        late = np.empty(n, bool)
        late[order] = place >= _MOST_OF_A_KIND
        return scores - _FIRST * late

    return varied


def _normal(rows: Columns) -> np.ndarray:
    """A standard normal number for each user and item, always the same."""
    from scipy.special import ndtri

    return ndtri(uniform("rough guess", rows["user"], rows["item"]) + 2.0**-54)
