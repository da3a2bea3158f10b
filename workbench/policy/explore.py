"""Show something else now and then, with a known chance: what makes a log useful to others."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass

import numpy as np

from workbench.assign import uniform
from workbench.policy.columns import Columns, Score, column, eligible_scores, ids, scores_of
from workbench.policy.decisions import fill_slates, in_request_order
from workbench.policy.groups import by_request
from workbench.policy.race import log_softmax, order_log_probability, position_probability

__all__ = ["Explore"]

_CELLS = 200_000  # of a rectangle: bounds the memory for propensities


@dataclass(frozen=True)
class Explore:
    """Rank by score, with chance: exactly one of `epsilon` and `temperature` says how much.

    epsilon
        With probability epsilon the whole slate is k candidates in random order, else the k best.
        Propensity at a position: (1 - epsilon) if the greedy slate has the item there, + epsilon/n.
    temperature
        Plackett-Luce: each position is drawn among the candidates left with weights
        exp(score / temperature), by the Gumbel trick [1]_; in units of the score. Propensity: the
        exact chance of that item at that position, whatever came before (see `race`).

    The choice hashes (salt, request, item). A candidate whose score is not finite is left out.

    References
    ----------
    .. [1] W. Kool, H. van Hoof, M. Welling (2019), "Stochastic beams and where to find them", ICML,
       section 3.

    Examples
    --------
    >>> requests = {"request": np.array([7, 7, 7]), "item": np.array([1, 2, 3]),
    ...             "score": np.array([0.1, 0.9, 0.5])}
    >>> answers = Explore("score", 2, epsilon=0.3, salt="home page").act(requests)
    >>> answers["item"].tolist(), answers["propensity"].round(2).tolist()
    ([2, 3], [0.8, 0.8])
    """

    score: Score
    k: int
    _: KW_ONLY
    salt: str
    epsilon: float | None = None
    temperature: float | None = None
    name: str = "explore"

    def __post_init__(self):
        if self.k < 1:
            raise ValueError(f"k must be at least 1, got {self.k}")
        if (self.epsilon is None) == (self.temperature is None):
            given = f"epsilon={self.epsilon}, temperature={self.temperature}"
            raise ValueError(f"give exactly one of epsilon and temperature, got {given}")
        if self.epsilon is not None and not 0 <= self.epsilon <= 1:
            raise ValueError(f"epsilon must be in [0, 1], got {self.epsilon}")
        if self.temperature is not None and not 0 < self.temperature < np.inf:
            raise ValueError(f"temperature must be positive, got {self.temperature}")

    def act(self, requests: Columns) -> dict[str, np.ndarray]:
        """The slates, in the order of the requests; at most k rows for each."""
        groups = by_request(requests)
        slates = []
        for which, items, scores in self._rectangles(requests, groups):
            request = groups.ids[which]
            slate = self._draw(request, items, scores)
            row = np.arange(len(slate))[:, None]
            chosen = np.zeros(scores.shape, bool)
            chosen[row, slate] = np.isfinite(scores[row, slate])
            chance = self._chances(scores, chosen)[row, slate, np.arange(slate.shape[1])]
            slates.append(
                fill_slates(request, self.name, items[row, slate], scores[row, slate], chance)
            )
        return in_request_order(slates, groups)

    def propensity(self, requests: Columns, decisions: Columns) -> np.ndarray:
        """Chance of each decision's item at its position; (len(decisions),), 0 where impossible."""
        result = np.zeros(len(column(decisions, "request")))
        position = np.asarray(decisions["position"])
        for decision, row, cell, scores in self._aligned(requests, decisions):
            there = (cell >= 0) & (position[decision] >= 1) & (position[decision] <= self.k)
            chosen = np.zeros(scores.shape, bool)
            chosen[row[there], cell[there]] = np.isfinite(scores[row[there], cell[there]])
            chances = self._chances(scores, chosen)
            place = position[decision[there]] - 1
            inside = place < chances.shape[2]
            hit = decision[there][inside]
            result[hit] = chances[row[there][inside], cell[there][inside], place[inside]]
            empty = ~np.isfinite(scores).any(axis=1)[row]
            result[decision[empty & (cell == -1) & (position[decision] == 1)]] = 1.0
        return result

    def log_prob(self, requests: Columns, decisions: Columns) -> np.ndarray:
        """Log chance of the whole slate that a decision is part of; (len(decisions),).

        Every row of a slate gets the slate's value. -inf for a slate that cannot be: an item twice
        or unknown, a gap, or fewer items than there were to show.
        """
        result = np.full(len(column(decisions, "request")), -np.inf)
        position = np.asarray(decisions["position"])
        for decision, row, cell, scores in self._aligned(requests, decisions):
            g = len(scores)
            wanted = np.minimum(self.k, np.isfinite(scores).sum(axis=1))
            width = max(int(wanted.max(initial=0)), 1)
            slate = np.full((g, width), -1)
            fits = (position[decision] >= 1) & (position[decision] <= width)
            slate[row[fits], position[decision][fits] - 1] = cell[fits]
            rows_given = np.bincount(row, minlength=g)
            filled = (slate >= 0) & np.isfinite(scores[np.arange(g)[:, None], slate])
            expected = np.arange(width) < wanted[:, None]
            whole = (filled == expected).all(axis=1) & (rows_given == np.maximum(wanted, 1))
            ordered = np.sort(np.where(slate >= 0, slate, -1 - np.arange(width)), axis=1)
            whole &= (ordered[:, 1:] != ordered[:, :-1]).all(axis=1)
            slate = np.where(filled, slate, -1)
            value = np.where(whole, self._slate_log_prob(scores, slate), -np.inf)
            result[decision] = value[row]
        return result

    def _rectangles(self, requests, groups):
        """(requests, items, scores), the candidates of each request in the order of their ids."""
        items = ids(requests, "item")
        scores = eligible_scores(scores_of(self.score, requests), items)
        for which, cut in groups.rectangles(_CELLS):
            order = np.argsort(cut(items), axis=1, kind="stable")
            ordered = np.take_along_axis(cut(items), order, 1)
            loss = np.take_along_axis(cut(scores), order, 1)
            twice = ((ordered[:, 1:] == ordered[:, :-1]) & np.isfinite(loss[:, 1:])).any(axis=1)
            if twice.any():
                request = groups.ids[which][twice].tolist()[0]
                raise ValueError(f"request {request!r} has an item more than once")
            yield which, ordered, loss

    def _draw(self, request, items, scores):
        """Column numbers of the slate of each request, shape (g, min(k, m))."""
        luck = uniform(self.salt, request[:, None], items) + 2.0**-54  # in (0, 1)
        if self.temperature is not None:
            arrival = np.log(-np.log(luck)) - log_softmax(scores / self.temperature)
            return np.argsort(arrival, axis=1, kind="stable")[:, : self.k]
        greedy = np.argsort(-scores, axis=1, kind="stable")[:, : self.k]
        luck[~np.isfinite(scores)] = np.inf
        shuffled = np.argsort(luck, axis=1, kind="stable")[:, : self.k]
        explores = uniform(f"{self.salt}/explores", request) < self.epsilon
        return np.where(explores[:, None], shuffled, greedy)

    def _chances(self, scores, chosen):
        """P(chosen candidate at position), shape (g, m, min(k, m)); 0 where not chosen."""
        g, m = scores.shape
        k = min(self.k, m)
        if self.temperature is not None:
            return position_probability(log_softmax(scores / self.temperature), chosen, k)
        eligible = np.isfinite(scores).sum(axis=1)[:, None, None]
        chances = np.zeros((g, m, k)) + self.epsilon / np.maximum(eligible, 1)
        greedy = np.argsort(-scores, axis=1, kind="stable")[:, :k]
        chances[np.arange(g)[:, None], greedy, np.arange(k)] += 1 - self.epsilon
        reachable = np.arange(k) < eligible
        return np.where(chosen[:, :, None] & reachable, chances, 0.0)

    def _slate_log_prob(self, scores, slate):
        if self.temperature is not None:
            return order_log_probability(log_softmax(scores / self.temperature), slate)
        eligible = np.isfinite(scores).sum(axis=1)[:, None]
        place = np.arange(slate.shape[1])
        inside = slate >= 0
        random = np.where(inside, 1 / np.maximum(eligible - place, 1), 1.0).prod(axis=1)
        greedy = np.argsort(-scores, axis=1, kind="stable")[:, : slate.shape[1]]
        is_greedy = ((greedy == slate) | ~inside).all(axis=1)
        with np.errstate(divide="ignore"):
            return np.log((1 - self.epsilon) * is_greedy + self.epsilon * random)

    def _aligned(self, requests, decisions):
        """(decision rows, their row in the rectangle, their column or -1, scores) per rectangle."""
        groups = by_request(requests)
        wanted = groups.locate(column(decisions, "request"))
        item = ids(decisions, "item")
        order = np.argsort(wanted, kind="stable")
        for which, items, scores in self._rectangles(requests, groups):
            row_of = np.full(len(groups.ids), -1)
            row_of[which] = np.arange(len(which))
            decision = order[row_of[wanted[order]] >= 0]
            if not len(decision):
                continue
            row = row_of[wanted[decision]]
            cell = (items[row] < item[decision, None]).sum(axis=1)
            found = cell < items.shape[1]
            found[found] = items[row[found], cell[found]] == item[decision[found]]
            found &= np.asarray(decisions["action"])[decision] == "show"
            yield decision, row, np.where(found, cell, -1), scores
