"""The k best candidates by one score."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from workbench.policy.columns import Columns, Score, eligible_scores, ids, scores_of
from workbench.policy.decisions import fill_slates, in_request_order, same_decision
from workbench.policy.groups import by_request

__all__ = ["Rank"]


@dataclass(frozen=True)
class Rank:
    """Show the k candidates with the highest score; ties go to the smaller item id.

    A candidate whose score is not finite is left out (-inf hides one on purpose); a request left
    without candidates gets an empty slate.

    >>> requests = {"request": np.array([7, 7, 7]), "item": np.array([1, 2, 3]),
    ...             "score": np.array([0.1, 0.9, 0.9])}
    >>> Rank("score", 2).act(requests)["item"].tolist()
    [2, 3]
    """

    score: Score
    k: int
    name: str = "rank"

    def __post_init__(self):
        if self.k < 1:
            raise ValueError(f"k must be at least 1, got {self.k}")

    def act(self, requests: Columns) -> dict[str, np.ndarray]:
        """The slates, in the order of the requests; at most k rows for each."""
        groups, items = by_request(requests), ids(requests, "item")
        scores = eligible_scores(scores_of(self.score, requests), items)
        slates = []
        for which, cut in groups.rectangles():
            shown, shown_scores = _best(cut(scores), cut(items), self.k)
            _check_no_item_twice(groups.ids[which], shown, shown_scores)
            slates.append(fill_slates(groups.ids[which], self.name, shown, shown_scores, 1.0))
        return in_request_order(slates, groups)

    def propensity(self, requests: Columns, decisions: Columns) -> np.ndarray:
        """1 where this policy shows the same item at the same position, else 0."""
        return same_decision(self.act(requests), decisions).astype(float)


def _best(scores: np.ndarray, items: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Items and scores of the k best of each row, best first, ties by item; (g, m) -> (g, k)."""
    g, m = scores.shape
    row = np.arange(g)[:, None]
    loss = -scores
    if k < m:
        kept = np.argpartition(loss, k - 1, axis=1)[:, :k]
        kept_loss = loss[row, kept]
        last = kept_loss.max(axis=1)[:, None]
        inside = loss <= last
        if np.count_nonzero(inside) > g * k:
            # a tie across the boundary: which of the equals stay is decided by item id
            tied = np.flatnonzero(inside.sum(axis=1) > k)
            kept[tied] = np.lexsort((items[tied], loss[tied]), axis=1)[:, :k]
            kept_loss = loss[row, kept]
        kept_items = items[row, kept]
    else:
        kept_items, kept_loss = items, loss
    order = np.lexsort((kept_items, kept_loss), axis=1)
    return kept_items[row, order], -kept_loss[row, order]


def _check_no_item_twice(request: np.ndarray, items: np.ndarray, scores: np.ndarray) -> None:
    """Raise ValueError when a slate would show one item twice."""
    ordered = items.copy()
    ordered.sort(axis=1)
    twice = ordered[:, 1:] == ordered[:, :-1]
    if not twice.any():
        return
    for row in np.flatnonzero(twice.any(axis=1)):
        shown = items[row][np.isfinite(scores[row])]
        if len(np.unique(shown)) < len(shown):
            raise ValueError(
                f"request {request[row].tolist()!r} has an item more than once: {shown.tolist()}"
            )
