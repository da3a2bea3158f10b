"""One cutoff on one score: approve or block."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from workbench.policy.columns import NO_ITEM, Columns, Score, column, ids, scores_of
from workbench.policy.decisions import decided
from workbench.policy.groups import by_request

__all__ = ["Threshold"]


@dataclass(frozen=True)
class Threshold:
    """Block high scores, approve the rest. One row per request; every propensity is 1.

    A request whose score is not finite cannot be judged: it is answered by `unscored`, and a
    `Fallback` around hands it to its next child.

    >>> answers = Threshold("score", 0.5).act({"request": np.array([1, 2]),
    ...                                        "score": np.array([0.2, 0.9])})
    >>> answers["action"].tolist()
    ['approve', 'block']
    """

    score: Score
    cutoff: float
    name: str = "threshold"
    unscored: str = "block"  # as long as nobody can judge it, nobody pays with it

    def __post_init__(self):
        if np.isnan(self.cutoff):  # infinite is a number here: block nothing, or everything
            raise ValueError(f"cutoff must be a number, got {self.cutoff}")
        if self.unscored not in ("approve", "block"):
            raise ValueError(f"unscored must be 'approve' or 'block', got {self.unscored!r}")

    def act(self, requests: Columns) -> dict[str, np.ndarray]:
        """One decision per request, in the order of the rows."""
        groups = by_request(requests)
        if (groups.sizes > 1).any():
            twice = groups.ids[groups.sizes > 1].tolist()[0]
            raise ValueError(f"Threshold takes one row per request, got several for {twice!r}")
        score = scores_of(self.score, requests)
        action = np.where(score >= self.cutoff, "block", "approve")
        action = np.where(np.isfinite(score), action, self.unscored)
        item = ids(requests, "item") if "item" in requests else np.full(len(score), NO_ITEM)
        return decided(groups.ids, self.name, action=action, item=item, score=score)

    def propensity(self, requests: Columns, decisions: Columns) -> np.ndarray:
        """1 where this policy takes the same action, else 0; shape (len(decisions),)."""
        groups = by_request(requests)
        same = self.act(requests)["action"][groups.locate(column(decisions, "request"))]
        return ((same == decisions["action"]) & (column(decisions, "position") == 1)).astype(float)
