"""What a leak buys on paper and loses when it is served, in AUC.

train on   test on     what it is
frame      frame       the figure in the slides
frame      as known    the same model, given what serving will give it
as known   as known    what an honest model reaches
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from workbench.metrics import auc
from workbench.metrics.interval import Interval

__all__ = ["LeakCost", "both_labels", "leak_cost"]

_TRAIN_SHARE = 0.7  # the earlier rows; the later ones are the test
_RESAMPLES = 200


@dataclass(frozen=True, repr=False)
class LeakCost:
    """AUC with bootstrap intervals, on the same later rows; made by `leak_cost`.

    `paper`, `served` and `honest` are the three rows of the module; `lost` is paper less served,
    paired; `by_feature` is what the model loses when this feature alone is as serving sees it.
    """

    paper: Interval
    served: Interval
    honest: Interval
    lost: Interval
    by_feature: Mapping[str, float]
    train_rows: int
    test_rows: int

    def __repr__(self) -> str:
        worst = sorted(self.by_feature.items(), key=lambda each: -each[1])[:3]
        lines = [
            f"AUC on the later {self.test_rows:,} rows, trained on the {self.train_rows:,} before",
            f"  {self.paper!r:24} with the frame's values, as on paper",
            f"  {self.served!r:24} the same model with the values as known: online",
            f"  {self.honest!r:24} a model trained and served on values as known",
            f"  {self.lost!r:24} bought offline and lost online",
        ]
        if worst and worst[0][1] > 0.0005:
            parts = ", ".join(f"{name} {lost:.3f}" for name, lost in worst if lost > 0.0005)
            lines.append(f"  of it by feature: {parts}"[:90])
        return "\n".join(lines)


def leak_cost(
    given: np.ndarray,
    honest: np.ndarray,
    label: np.ndarray,
    time: np.ndarray,
    *,
    names: list[str],
    fit: Callable | None = None,
    seed: int = 0,
) -> LeakCost:
    """Return what the model of a frame is worth on paper and online.

    Parameters
    ----------
    given, honest : ndarray of float, shape (n, k)
        The frame's values, and the values as known then; NaN is missing.
    label : ndarray of 0 and 1, shape (n,)
    time : ndarray, shape (n,)
        Rows are split by it: the first 70 % train, the rest test.
    names : list of str
        Of the k columns.
    fit : callable, optional
        Takes `(values, labels)`, returns what has `predict_proba` or `predict`, or a function of
        values. Gradient-boosted trees of scikit-learn where none is given.

    Raises
    ------
    ValueError
        If the label has other values than 0 and 1, or one of them is not in both parts.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> label = rng.integers(0, 2, 400)
    >>> noise = rng.normal(size=(400, 1))
    >>> seen = leak_cost(noise + 9 * label[:, None], noise, label, np.arange(400), names=["sum"])
    >>> round(seen.paper.estimate, 2), seen.served.estimate < 0.7
    (1.0, True)
    """
    labels = np.asarray(label, float)
    if not np.isin(labels, (0.0, 1.0)).all():
        raise ValueError(f"label must be 0 or 1, got {np.unique(labels)[:5].tolist()}")
    train, test = _split(time)
    for part, rows in (("earlier", train), ("later", test)):
        if len(set(labels[rows].tolist())) < 2:
            raise ValueError(f"the {part} rows ({len(rows):,}) need both labels, 0 and 1")
    fit = fit or _trees
    leaky, fair = (fit(values[train], labels[train]) for values in (given, honest))
    paper, served = _scores(leaky, given[test]), _scores(leaky, honest[test])
    best, true = _scores(fair, honest[test]), labels[test]
    by_feature = {}
    for place, name in enumerate(names):
        mixed = given[test].copy()
        mixed[:, place] = honest[test, place]
        by_feature[name] = auc(true, paper) - auc(true, _scores(leaky, mixed))
    scores = {"paper": paper, "served": served, "honest": best}
    drawn = _bootstrap(true, [*scores.values()], np.random.default_rng(seed))
    made = {
        name: _interval(auc(true, each), sample)
        for (name, each), sample in zip(scores.items(), drawn, strict=True)
    }
    lost = made["paper"].estimate - made["served"].estimate
    return LeakCost(
        **made,
        lost=_interval(lost, drawn[0] - drawn[1]),
        by_feature=by_feature,
        train_rows=len(train),
        test_rows=len(test),
    )


def both_labels(labels: np.ndarray, time: np.ndarray) -> bool:
    """Whether the earlier and the later rows have two labels each, as `leak_cost` needs."""
    return all(len(set(labels[rows].tolist())) == 2 for rows in _split(time))


def _bootstrap(labels: np.ndarray, scores: list, rng: np.random.Generator) -> np.ndarray:
    """AUC of each score on the same resamples of the rows, shape (scores, resamples).

    Rows are counted, not copied: a score is sorted once, and a resample is a weight per row.
    """
    n, positive = len(labels), labels == 1
    ranked = [np.unique(each, return_inverse=True)[1] for each in scores]
    drawn = np.empty((len(scores), _RESAMPLES))
    for place in range(_RESAMPLES):
        weight = np.bincount(rng.integers(0, n, n), minlength=n).astype(float)
        for row, rank in enumerate(ranked):
            positives = np.bincount(rank, weight * positive)
            negatives = np.bincount(rank, weight * ~positive)
            below = np.cumsum(negatives) - negatives / 2  # a tie counts half
            pairs = positives.sum() * negatives.sum()
            drawn[row, place] = positives @ below / pairs if pairs else np.nan
    return drawn


def _interval(estimate: float, drawn: np.ndarray) -> Interval:
    low, high = np.nanquantile(drawn, [0.025, 0.975])
    return Interval(float(estimate), float(low), float(high))


def _split(time: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    order = np.argsort(time, kind="stable")
    train, test = np.split(order, [int(len(order) * _TRAIN_SHARE)])
    return train, test


def _trees(values: np.ndarray, labels: np.ndarray):
    try:
        from sklearn.ensemble import HistGradientBoostingClassifier
        from threadpoolctl import threadpool_limits
    except ImportError as error:
        raise ImportError(
            "the AUC of a leak needs scikit-learn (pip install scikit-learn), or a fit= of your own"
        ) from error
    trees = HistGradientBoostingClassifier(
        max_iter=60, max_leaf_nodes=15, early_stopping=False, random_state=0
    )
    with threadpool_limits(1):  # on a busy machine its threads wait for each other
        trees.fit(values, labels)

    def score(rows: np.ndarray) -> np.ndarray:
        with threadpool_limits(1):
            return trees.predict_proba(rows)[:, 1]

    return score


def _scores(model, values: np.ndarray) -> np.ndarray:
    if hasattr(model, "predict_proba"):
        return np.asarray(model.predict_proba(values))[:, 1]
    return np.asarray(model.predict(values) if hasattr(model, "predict") else model(values))
