"""Chances in a race of exponential clocks: who is first, second, third?

A softmax draw without replacement (Plackett-Luce) is such a race: candidate i arrives after an
exponential time with rate w_i, and the slate is the order of arrival. So the chance that i comes
in at position p is an integral over the time t of its arrival

    P(i at p) = ∫ w_i exp(-w_i t) P(exactly p - 1 of the others have arrived by t) dt

whose last factor is a Poisson-binomial probability: n(n-1)… orders become one small recursion.
"""

from __future__ import annotations

import numpy as np

__all__ = ["log_softmax", "order_log_probability", "position_probability"]

_EARLY = -11.0  # log time before which two arrivals are as good as impossible (rates sum to 1)
_LATE = np.log(25.0)  # in units of the k-th largest rate: by then k have arrived, but for 1e-10


def log_softmax(values: np.ndarray) -> np.ndarray:
    """Logarithm of each value's share of exp(values), along the last axis; -inf stays -inf.

    >>> np.exp(log_softmax(np.array([[0.0, np.log(3.0), -np.inf]]))).round(2)
    array([[0.25, 0.75, 0.  ]])
    """
    highest = values.max(axis=-1, keepdims=True, initial=-np.inf)
    shifted = values - np.where(np.isfinite(highest), highest, 0.0)
    with np.errstate(divide="ignore"):
        total = np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return shifted - np.where(np.isfinite(total), total, 0.0)


def position_probability(log_weights: np.ndarray, chosen: np.ndarray, k: int) -> np.ndarray:
    """Exact chance that each chosen candidate arrives at each position 1..k.

    Parameters
    ----------
    log_weights : ndarray, shape (g, m)
        Log of the candidates' shares of the total rate (see `log_softmax`); -inf never arrives.
    chosen : ndarray of bool, shape (g, m)
        Whose chances are wanted. Cost grows with m x k, and with the square of the number chosen.
    k : int
        Positions wanted, from the top.

    Returns
    -------
    ndarray, shape (g, m, k)
        0 where not chosen.

    Notes
    -----
    Trapezoids in log t: the integrand falls off at both ends, so the error is exponentially small
    in the step [1]_. All terms are positive: nothing cancels.

    References
    ----------
    .. [1] L. Trefethen, J. Weideman (2014), "The exponentially convergent trapezoidal rule",
       SIAM Review 56, 385-458, section 5.

    Examples
    --------
    >>> shares = np.log([[0.5, 0.3, 0.2]])
    >>> position_probability(shares, np.ones((1, 3), bool), 2).round(3).tolist()
    [[[0.5, 0.339], [0.3, 0.375], [0.2, 0.286]]]
    """
    g, m = log_weights.shape
    result = np.zeros((g, m, k))
    result[:, :, 0] = np.where(chosen, np.exp(log_weights), 0.0)
    if k == 1:
        return result
    log_weights = _closer(log_weights)
    kth = -np.sort(-log_weights, axis=1)[:, : min(k, m)]
    slowest = np.where(np.isfinite(kth), kth, np.inf).min(axis=1, initial=np.inf)
    slowest = np.where(np.isfinite(slowest), slowest, 0.0)
    # the grid of a request depends on that request alone, so its batch cannot change its answer
    nodes = np.ceil((_LATE - slowest - _EARLY) / _step(k) / 16).astype(int) * 16
    for count in np.unique(nodes).tolist():
        same = np.flatnonzero(nodes == count)
        step = max(1, 40_000 // (count * k))  # rows at once: what stays in the cache
        log_time = _EARLY + _step(k) * np.arange(count)
        for start in range(0, len(same), step):
            rows = same[start : start + step]
            _fill_positions(result, rows, log_weights[rows], chosen[rows], log_time)
    return np.minimum(result, 1.0)  # rounding


def order_log_probability(log_weights: np.ndarray, slate: np.ndarray) -> np.ndarray:
    """Log of the chance that the race ends in this order, shape (g,).

    `slate` is (g, k): column numbers of `log_weights` in order of arrival, -1 where a slate ends.

    >>> shares = np.log([[0.5, 0.3, 0.2]])
    >>> np.exp(order_log_probability(shares, np.array([[1, 0]]))).round(4)   # .3 x .5 / .7
    array([0.2143])
    """
    g, k = slate.shape
    row = np.arange(g)[:, None]
    picked = np.where(slate >= 0, log_weights[row, slate], -np.inf)
    rest = log_weights.copy()
    rest[np.nonzero(slate >= 0)[0], slate[slate >= 0]] = -np.inf
    running = np.logaddexp.reduce(rest, axis=1)
    total = np.zeros(g)
    for place in reversed(range(k)):
        running = np.logaddexp(running, picked[:, place])
        here = slate[:, place] >= 0
        total[here] += picked[here, place] - running[here]
    return total


def _closer(log_weights: np.ndarray) -> np.ndarray:
    """The weights with gaps of more than 40 nats made 40: as sure an order, on a shorter grid."""
    order = np.argsort(-log_weights, axis=1)
    ordered = np.take_along_axis(log_weights, order, 1)
    with np.errstate(invalid="ignore"):  # -inf minus -inf
        gaps = np.maximum(np.diff(ordered, axis=1), -40.0)
    closer = np.concatenate([ordered[:, :1], ordered[:, :1] + np.cumsum(gaps, axis=1)], axis=1)
    result = np.empty_like(log_weights)
    np.put_along_axis(result, order, np.where(np.isfinite(ordered), closer, -np.inf), 1)
    return result


def _step(k: int) -> float:
    """Step of log time that keeps the error of position k near 1e-9.

    The worst case is equal weights: log time of the k-th arrival is a log-gamma variable, and the
    error is its characteristic function at 2 pi / step, |Gamma(k + 2 pi i / step)| / Gamma(k).
    """
    return 1 / (1.6 + 0.8 * k**0.5)


def _fill_positions(result, rows, log_weights, chosen, log_time):
    """Positions 2..k of some rows of the result, by the recursion over candidates."""
    k = result.shape[2]
    g, m = log_weights.shape
    # (m, g, q): expected arrivals of each candidate by each time
    expected = np.exp(np.minimum(log_weights.T[:, :, None] + log_time, 50.0))
    waiting, arrived = np.exp(-expected), -np.expm1(-expected)
    order = np.argsort(~chosen, axis=1, kind="stable")[:, : chosen.sum(axis=1).max(initial=0)]
    is_chosen = chosen.T[:, :, None]
    others = np.zeros((k, g, len(log_time)))  # P(exactly p of those not chosen have arrived)
    others[0] = 1.0
    for j in range(m):
        if not chosen[:, j].all():
            runs = ~is_chosen[j]
            _one_more(others, np.where(runs, waiting[j], 1.0), np.where(runs, arrived[j], 0.0))
    cells = order.T, np.arange(g)
    real = np.take_along_axis(chosen, order, 1).T[:, :, None]  # rows with fewer chosen are padded
    runners = np.where(real, waiting[cells], 1.0), np.where(real, arrived[cells], 0.0)
    density = np.where(real, expected[cells] * waiting[cells] * _step(k), 0.0)
    for slot, counts in _each_left_out(others, *runners):
        chance = (counts[1:] * density[slot]).sum(axis=2).T  # (g, k - 1)
        here = real[slot, :, 0]
        result[rows[here], order[here, slot], 1:] = chance[here]


def _each_left_out(counts, waiting, arrived, slots=None):
    """For each slot, the distribution when all other slots run too: halves that run each other."""
    slots = range(len(waiting)) if slots is None else slots
    if len(slots) == 1:
        yield slots[0], counts
    elif len(slots):
        middle = len(slots) // 2
        for stay, run in ((slots[:middle], slots[middle:]), (slots[middle:], slots[:middle])):
            more = counts.copy()
            for slot in run:
                _one_more(more, waiting[slot], arrived[slot])
            yield from _each_left_out(more, waiting, arrived, stay)


def _one_more(counts: np.ndarray, waiting: np.ndarray, arrived: np.ndarray) -> None:
    """One more candidate runs: change the distribution of arrivals, (k, g, q), in place."""
    more = counts[:-1] * arrived
    counts *= waiting
    counts[1:] += more
