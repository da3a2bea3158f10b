"""Off-policy estimators, each as one number per decision whose mean is the estimate.

With the numbers apart, one interval fits all: the mean of numbers that are independent from user
to user. `weights` are those of `weights.py`; q is a model of the reward.

    ips                  w r                      unbiased; variance grows with the weights
    self_normalised      w r / mean w             a little bias for much less variance
    direct               q(target)                as good as the model
    doubly_robust        q(target) + w (r - q)    unbiased if either weights or model are right
    switch               as doubly_robust, the model alone where w is large
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

__all__ = ["doubly_robust", "ips", "self_normalised", "switch"]


def ips(weights: ArrayLike, rewards: ArrayLike) -> np.ndarray:
    """Inverse propensity scoring, w r; Horvitz & Thompson (1952), J. Am. Stat. Assoc. 47.

    >>> ips([2.0, 0.0, 2.0], [1.0, 1.0, 0.0]).mean().round(2)
    np.float64(0.67)
    """
    weights, rewards = _equally_long(weights, rewards)
    return weights * rewards


def self_normalised(
    weights: ArrayLike, rewards: ArrayLike, strata: ArrayLike | None = None
) -> np.ndarray:
    """Self-normalised inverse propensity scoring: sum w r / sum w, shape (n,).

    Parameters
    ----------
    weights, rewards : array-like, shape (n,)
    strata : array-like of int, shape (n,), optional
        Numbers from 0: the weights are normalised within each. Positions of a slate, say, because
        each position's mean weight is 1 by itself.

    Returns
    -------
    ndarray, shape (n,)
        t + w (r - t) / mean w, where t is the stratum's estimate: the mean of these numbers is the
        estimate, their spread its variance by the delta method. NaN in a stratum without weight.

    Notes
    -----
    Swaminathan & Joachims (2015), "The self-normalized estimator for counterfactual learning",
    NeurIPS, section 4; its variance: Owen (2013), "Monte Carlo theory", equation 9.9.

    Examples
    --------
    >>> self_normalised([2.0, 0.0, 2.0], [1.0, 1.0, 0.0]).mean().round(2)
    np.float64(0.5)
    """
    weights, rewards = _equally_long(weights, rewards)
    code = np.zeros(len(weights), np.int64) if strata is None else np.asarray(strata)
    rows = np.bincount(code)
    total = np.bincount(code, weights)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = np.bincount(code, weights * rewards) / total
        scale = rows / total
        return value[code] + weights * scale[code] * (rewards - value[code])


def doubly_robust(
    weights: ArrayLike, rewards: ArrayLike, predicted: ArrayLike, target_predicted: ArrayLike
) -> np.ndarray:
    """The model's value of the target, corrected by the weighted errors of the model, shape (n,).

    Parameters
    ----------
    weights, rewards : array-like, shape (n,)
    predicted : array-like, shape (n,)
        The model's reward of what was decided. Fitted on other rows: see `cross_fitted`.
    target_predicted : array-like, shape (n,)
        Its expected reward under the target: sum over what can be decided of chance x prediction.

    Notes
    -----
    Dudík, Langford & Li (2011), "Doubly robust policy evaluation and learning", ICML, equation 2.

    Examples
    --------
    >>> doubly_robust([2.0, 0.0], [1.0, 1.0], [0.5, 0.8], [0.5, 0.4]).tolist()
    [1.5, 0.4]
    """
    weights, rewards, predicted, target_predicted = _equally_long(
        weights, rewards, predicted, target_predicted
    )
    return target_predicted + weights * (rewards - predicted)


def switch(
    weights: ArrayLike,
    rewards: ArrayLike,
    predicted: ArrayLike,
    target_predicted: ArrayLike,
    *,
    above: float,
) -> np.ndarray:
    """Doubly robust, but the model alone where the weight is `above`, shape (n,).

    Wang, Agarwal & Dudík (2017), "Optimal and adaptive off-policy evaluation in contextual
    bandits", ICML, section 4, in its doubly robust form.

    >>> switch([2.0, 90.0], [1.0, 1.0], [0.5, 0.5], [0.5, 0.5], above=10.0).tolist()
    [1.5, 0.5]
    """
    weights = np.asarray(weights, float)
    trusted = np.where(weights <= above, weights, 0.0)
    return doubly_robust(trusted, rewards, predicted, target_predicted)


def _equally_long(*columns: ArrayLike) -> list[np.ndarray]:
    arrays = [np.asarray(each, float) for each in columns]
    if len({each.shape for each in arrays}) > 1 or arrays[0].ndim != 1:
        raise ValueError(
            f"all columns must have the same shape (n,), got {[each.shape for each in arrays]}"
        )
    return arrays
