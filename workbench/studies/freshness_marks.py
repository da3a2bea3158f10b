"""AUC and cost of many models on the same rows, with one bootstrap over users for all of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from workbench import fraud

__all__ = ["Mark", "Marks", "worth"]


@dataclass(frozen=True)
class Mark:
    """AUC and cost per 1,000 payments; the first is of the rows, the others of resamples."""

    auc: np.ndarray  # shape (1 + draws,)
    cost: np.ndarray


class Marks:
    """Rows that are marked again and again, so that differences are paired.

    Whole users are drawn, the same ones for every model.

    Parameters
    ----------
    stolen, amounts, users : array-like, shape (n,)
    plan : anything with `draws`, `seed` and `costs`

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> plan = SimpleNamespace(draws=20, seed=0, costs=fraud.Costs())
    >>> marks = Marks([1, 0, 1, 0], [500, 20, 30, 40], [1, 2, 3, 4], plan)
    >>> mark = marks.of(np.array([0.9, 0.8, 0.3, 0.1]), cutoff=0.5)
    >>> float(mark.auc[0]), float(mark.cost[0])
    (0.75, 10000.0)
    """

    def __init__(self, stolen, amounts, users, plan: Any):
        self._stolen, self._amounts = np.asarray(stolen, bool), np.asarray(amounts, float)
        self._costs: fraud.Costs = plan.costs
        _, self._user = np.unique(np.asarray(users), return_inverse=True)
        many = int(self._user.max()) + 1
        rng = np.random.default_rng(plan.seed)
        drawn = rng.multinomial(many, np.full(many, 1 / many), size=plan.draws)
        self._times = np.concatenate([np.ones((1, many), int), drawn]).astype(np.float64)

    def of(self, scores: np.ndarray, cutoff: float) -> Mark:
        """The mark of a model that blocks from `cutoff` on."""
        blocked, stolen = scores >= cutoff, self._stolen
        cost = np.where(stolen & ~blocked, self._amounts * self._costs.lost_share, 0.0)
        cost += self._costs.wrong_block * (blocked & ~stolen)
        per_user = np.bincount(self._user, cost, minlength=self._times.shape[1])
        rows = np.bincount(self._user, minlength=self._times.shape[1])
        return Mark(self._auc(scores), 1_000 * (self._times @ per_user) / (self._times @ rows))

    def _auc(self, scores: np.ndarray) -> np.ndarray:
        """Mann-Whitney, ties half, of every resample at once; NaN where one kind is missing."""
        order = np.argsort(scores, kind="stable")
        starts = np.flatnonzero(np.diff(scores[order], prepend=np.nan) != 0)
        times = self._times[:, self._user[order]]
        stolen = np.add.reduceat(times * self._stolen[order], starts, axis=1)
        honest = np.add.reduceat(times * ~self._stolen[order], starts, axis=1)
        below = np.cumsum(honest, axis=1) - honest / 2
        pairs = stolen.sum(axis=1) * honest.sum(axis=1)
        with np.errstate(invalid="ignore"):
            return (stolen * below).sum(axis=1) / pairs


def worth(fresher: Mark, older: Mark) -> tuple[float, ...]:
    """AUC of both and what lies between them, cost of both and what is saved; 95 % intervals.

    In the order auc_fresh, auc_old, auc_low, auc_high, and the same of the cost.
    """
    made = []
    for fresh, old, sign in ((fresher.auc, older.auc, 1), (fresher.cost, older.cost, -1)):
        low, high = np.nanquantile(sign * (fresh - old)[1:], [0.025, 0.975])
        made += [fresh[0], old[0], low, high]
    return tuple(float(each) for each in made)
