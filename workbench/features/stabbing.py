"""The numbers behind a feature: which events does each request see, and what do they add up to?

With two clocks an event is seen by the requests inside one interval of time,

    max(time + lag, known_at)  <  t  <=  time + lag + window
      └ it had happened               └ it has not yet left the window
        and was known

so a count, a sum or a mean is what has begun before t minus what has ended before t: two prefix
sums. Begins are sorted by begin, ends by time, both within an entity; the place of t in each is
found by bisection, for all requests at once. No event is visited per request.

Everything here is NumPy: times are int64 microseconds, entities are codes 0 .. k-1.
"""

from __future__ import annotations

import numpy as np

from workbench.features.exact import ExactValues

__all__ = ["History"]

_NEVER = np.iinfo(np.int64).max


class History:
    """The events of one kind, by entity, and the requests that ask about them.

    Windows and lags are microseconds, a window of None is "ever". `valid` masks the events that
    take part, shape (n,); None is all. Places found once are kept for the next feature.

    Parameters
    ----------
    code, time, known_at : ndarray of int64, shape (n,)
        Entity of each event, and its two clocks; sorted by (code, time).
    asked_code, asked_time : ndarray of int64, shape (k,)
        Entity and time of each request.
    entities : int
        How many codes there are.
    """

    def __init__(self, code, time, known_at, asked_code, asked_time, entities: int):
        self.code, self.time, self.known_at = code, time, known_at
        self.asked = (asked_code, asked_time)
        self.bounds = np.concatenate([[0], np.cumsum(np.bincount(code, minlength=entities))])
        self.first = self.bounds[asked_code]
        self._begun: dict[int, tuple] = {}
        self._ended: dict[int, np.ndarray] = {}

    def __len__(self) -> int:
        return len(self.time)

    def count(self, window, lag, valid=None) -> np.ndarray:
        """Events seen by each request, shape (k,), int64."""
        valid = self._contributes(window, lag, valid)
        ones = np.ones(len(self), np.int64) if valid is None else valid.astype(np.int64)
        order, begun, ended = self._places(window, lag)
        by_begin = np.concatenate([[0], np.cumsum(ones if order is None else ones[order])])
        if ended is None:
            return by_begin[begun] - by_begin[self.first]
        by_end = np.concatenate([[0], np.cumsum(ones)])
        return by_begin[begun] - by_end[ended]

    def sum(self, window, lag, values, valid=None) -> np.ndarray:
        """Sum of `values` over the events seen, shape (k,); see `ExactValues` for its error."""
        valid = self._contributes(window, lag, valid)
        exact = ExactValues.of(values if valid is None else np.where(valid, values, 0.0))
        order, begun, ended = self._places(window, lag)
        by_begin = exact.prefix(order)
        by_end, ended = (by_begin, self.first) if ended is None else (exact.prefix(), ended)
        high, low = (begin[begun] - end[ended] for begin, end in zip(by_begin, by_end, strict=True))
        return exact.to_float(high, low)

    def latest(self, window, lag, valid=None) -> tuple[np.ndarray, np.ndarray]:
        """Time of the latest event seen, and whether there is one; shapes (k,)."""
        if valid is not None:
            return self._only(valid).latest(window, lag)
        if not len(self):
            return np.zeros(len(self.first), np.int64), np.zeros(len(self.first), bool)
        order, begun, _ = self._places(None, lag)
        newest = self.time  # sorted within an entity, so its own running maximum
        if order is not None:
            newest = _running_max(self.time[order], np.diff(self.code, prepend=-1) > 0)
        place = np.maximum(begun - 1, 0)
        found = begun > self.first
        latest = newest[place]
        if window is not None:
            found &= latest + lag + window >= self.asked[1]
        return latest, found

    def distinct(self, window, lag, value_code, valid=None) -> np.ndarray:
        """Different values among the events seen: intervals of equal values are merged first."""
        keep = self._contributes(window, lag, valid)
        history, values = self, value_code
        if keep is not None:
            history, values = self._only(keep), value_code[keep]
        begin = np.maximum(history.time + lag, history.known_at)
        end = np.full(len(begin), _NEVER) if window is None else history.time + lag + window
        order = np.lexsort((begin, values, history.code))
        entity, value = history.code[order], values[order]
        begin, end = begin[order], end[order]
        fresh = np.ones(len(order), bool)
        fresh[1:] = (entity[1:] != entity[:-1]) | (value[1:] != value[:-1])
        reach = _running_max(end, fresh)
        fresh[1:] |= begin[1:] > reach[:-1]
        last = np.append(fresh[1:], True)[: len(fresh)]
        entity, begin, end = entity[fresh], begin[fresh], reach[last]
        bounds = np.concatenate(
            [[0], np.cumsum(np.bincount(entity, minlength=len(self.bounds) - 1))]
        )
        return sum(
            sign * _first_at_least(times[np.lexsort((times, entity))], bounds, *self.asked)
            for sign, times in ((1, begin), (-1, end))
        )

    def _contributes(self, window, lag, valid):
        """`valid`, less the events that were known only after they had left the window."""
        if window is None:
            return valid
        too_late = self.known_at >= self.time + lag + window
        if not too_late.any():
            return valid
        return ~too_late if valid is None else valid & ~too_late

    def _places(self, window, lag):
        """Order of begin (None: as they are), how many have begun, how many have ended."""
        if lag not in self._begun:
            begin = np.maximum(self.time + lag, self.known_at)
            late = (begin[1:] < begin[:-1]) & (self.code[1:] == self.code[:-1])
            order = np.lexsort((begin, self.code)) if late.any() else None
            begin = begin if order is None else begin[order]
            self._begun[lag] = (order, _first_at_least(begin, self.bounds, *self.asked))
        if window is None:
            return *self._begun[lag], None
        span = lag + window
        if span not in self._ended:
            code, t = self.asked
            self._ended[span] = _first_at_least(self.time, self.bounds, code, t - span)
        return *self._begun[lag], self._ended[span]

    def _only(self, valid) -> History:
        kept = (column[valid] for column in (self.code, self.time, self.known_at))
        return History(*kept, *self.asked, entities=len(self.bounds) - 1)


def _first_at_least(times, bounds, code, t) -> np.ndarray:
    """For each (code, t): the first place in that entity's sorted run with times >= t.

    >>> _first_at_least(np.array([1, 5, 5, 2]), np.array([0, 3, 4]), np.array([0, 0, 1]),
    ...                 np.array([5, 6, 1])).tolist()
    [1, 3, 3]
    """
    low, high = bounds[code], bounds[code + 1]
    if not len(times):
        return low
    for _ in range(int((high - low).max(initial=0)).bit_length()):
        middle = (low + high) >> 1
        right = (low < high) & (times[np.minimum(middle, len(times) - 1)] < t)
        low = np.where(right, middle + 1, low)
        high = np.where(right, high, np.maximum(middle, low))
    return low


def _running_max(values, fresh) -> np.ndarray:
    """Running maximum that starts anew where `fresh`.

    >>> _running_max(np.array([3, 1, 2, 5]), np.array([True, False, True, False])).tolist()
    [3, 3, 2, 5]
    """
    levels, rank = np.unique(values, return_inverse=True)
    group = np.cumsum(fresh) - 1
    return levels[np.maximum.accumulate(group * len(levels) + rank) - group * len(levels)]
