"""How good are scores of yes or no? Log loss, area under the ROC curve, average precision."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

__all__ = ["auc", "average_precision", "log_loss"]


def log_loss(labels: ArrayLike, scores: ArrayLike, *, weights: ArrayLike | None = None) -> float:
    """Mean surprise at the labels, in nats per row: lower is better.

    Parameters
    ----------
    labels : array-like, shape (n,)
        0 or 1.
    scores : array-like, shape (n,)
        Probabilities of 1, in [0, 1]. Clipped to [eps, 1 - eps], eps = 2.2e-16, as scikit-learn
        does: a certain mistake costs 36 nats and not infinity.
    weights : array-like, shape (n,), optional

    Raises
    ------
    ValueError
        If a label is not 0 or 1, a score not in [0, 1], or there are no rows.

    References
    ----------
    I. Good (1952), "Rational decisions", J. R. Stat. Soc. B 14, 107-114, section 8.

    Examples
    --------
    >>> round(log_loss([1, 0, 0], [0.5, 0.5, 0.1]), 3)
    0.497
    """
    labels, scores, weights = _checked(labels, scores, weights)
    if ((scores < 0) | (scores > 1)).any():
        raise ValueError(
            f"scores must be probabilities in [0, 1], got {scores.min()} to {scores.max()}"
        )
    smallest = np.finfo(float).eps
    probability = np.clip(np.where(labels, scores, 1 - scores), smallest, 1 - smallest)
    return float(np.average(-np.log(probability), weights=weights))


def auc(labels: ArrayLike, scores: ArrayLike, *, weights: ArrayLike | None = None) -> float:
    """Chance that a random positive scores above a random negative; a tie counts half.

    Parameters
    ----------
    labels : array-like, shape (n,)
        0 or 1.
    scores : array-like, shape (n,)
        Any unit: only their order matters.
    weights : array-like, shape (n,), optional

    Returns
    -------
    float
        In [0, 1]; 0.5 for scores that know nothing. NaN when only one class is there.

    Raises
    ------
    ValueError
        If a label is not 0 or 1, a score is NaN, or there are no rows.

    References
    ----------
    J. Hanley, B. McNeil (1982), "The meaning and use of the area under a receiver operating
    characteristic (ROC) curve", Radiology 143, 29-36.

    Examples
    --------
    >>> auc([0, 1, 0, 1], [0.1, 0.4, 0.35, 0.35])
    0.875
    """
    positives, negatives = _by_score(*_checked(labels, scores, weights))
    pairs = positives.sum() * negatives.sum()
    below = np.cumsum(negatives) - negatives
    return float(positives @ (below + negatives / 2) / pairs) if pairs > 0 else float("nan")


def average_precision(
    labels: ArrayLike, scores: ArrayLike, *, weights: ArrayLike | None = None
) -> float:
    """Area under precision over recall, as a step function: sum of precision x gain in recall.

    Parameters
    ----------
    labels : array-like, shape (n,)
        0 or 1.
    scores : array-like, shape (n,)
        Any unit: only their order matters. Equal scores are one step.
    weights : array-like, shape (n,), optional

    Returns
    -------
    float
        In [0, 1]. Scores that know nothing reach the share of positives, so a number of one data
        set says little about another. NaN when there is no positive.

    Raises
    ------
    ValueError
        If a label is not 0 or 1, a score is NaN, or there are no rows.

    Notes
    -----
    No interpolation: linear interpolation between points is too optimistic (Davis & Goadrich 2006,
    "The relationship between Precision-Recall and ROC curves", ICML, section 4).

    Examples
    --------
    >>> round(average_precision([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]), 3)    # (1 + 2/3) / 2
    0.833
    """
    positives, negatives = (each[::-1] for each in _by_score(*_checked(labels, scores, weights)))
    found, taken = np.cumsum(positives), np.cumsum(positives + negatives)
    if not found[-1] > 0:
        return float("nan")
    precision = np.divide(found, taken, out=np.zeros_like(found), where=taken > 0)
    return float(positives @ precision / found[-1])


def _by_score(labels, scores, weights) -> tuple[np.ndarray, np.ndarray]:
    """Weight of positives and of negatives at each distinct score, lowest first."""
    weights = np.ones(len(scores)) if weights is None else weights
    order = np.argsort(scores, kind="stable")
    ordered = scores[order]
    new = np.concatenate([[True], ordered[1:] != ordered[:-1]])
    starts = np.flatnonzero(new)
    positive = np.where(labels, weights, 0.0)[order]
    negative = np.where(labels, 0.0, weights)[order]
    return np.add.reduceat(positive, starts), np.add.reduceat(negative, starts)


def _checked(labels, scores, weights) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    labels, scores = np.asarray(labels, float), np.asarray(scores, float)
    if labels.ndim != 1 or labels.shape != scores.shape or not labels.size:
        raise ValueError(
            "labels and scores must be non-empty and of the same shape (n,), "
            f"got {labels.shape} and {scores.shape}"
        )
    if not np.isin(labels, (0, 1)).all():
        wrong = labels[~np.isin(labels, (0, 1))][0]
        raise ValueError(f"labels must be 0 or 1, got {wrong}: leave out rows without a label")
    if np.isnan(scores).any():
        raise ValueError(f"scores must not be NaN, got {int(np.isnan(scores).sum())} of them")
    if weights is not None:
        weights = np.asarray(weights, float)
        if weights.shape != scores.shape or not (weights >= 0).all() or not weights.sum() > 0:
            raise ValueError(
                f"weights must be >= 0, not all 0 and of shape {scores.shape}, got {weights.shape}"
            )
    return labels == 1, scores, weights
