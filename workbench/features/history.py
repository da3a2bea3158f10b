"""The events of one kind by entity and time, the requests likewise, and what each request sees.

    code, clocks ──► History: events by (entity, time), ties by rule; requests by (entity, time)
                        │
                        ├─ places(feature)   where what is seen begins and ends, shared by features
                        └─ kernels           count, sums, extremes, lists: by ranges of entities

Answers are in the order of the requests by entity and time; `Asked.in_order` brings them back.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from workbench.features.definition import Feature
from workbench.features.threads import on_threads, split_by_work

__all__ = ["Asked", "History", "Seen", "words_of"]

_US = timedelta(microseconds=1)
_NONE = np.empty(0, np.int64)


def words_of(feature: Feature) -> tuple[int, int, int, int]:
    """Lag, lag + window (-1: ever), step (1: none) and session (0: none) in microseconds."""
    lag = feature.lag // _US
    reach = -1 if feature.window is None else lag + feature.window // _US
    step, session = (word // _US if word else 0 for word in (feature.step, feature.session))
    return lag, reach, step or 1, session


@dataclass(frozen=True)
class Seen:
    """What each request sees: all of `order[:begun]` whose place is at least `low`."""

    begin: np.ndarray
    order: np.ndarray
    begun: np.ndarray
    low: np.ndarray


class Asked:
    """The requests by entity and time.

    Parameters
    ----------
    code, time : ndarray of int64, shape (k,)
        Entity (-1: null key) and time of each request.
    entities : int
        How many codes there are.
    """

    def __init__(self, code: np.ndarray, time: np.ndarray, entities: int):
        from workbench.features import kernels_order as kernels

        self.entities = entities
        self.requests = len(code)
        self.bounds, self.rows = kernels.group(code, entities)
        self.time = np.empty(len(self.rows), np.int64)
        clocks = (time, time, _NONE, self.time, self.time)  # one clock, twice
        pieces = split_by_work(self.bounds)
        on_threads(kernels.sort_runs, pieces, self.bounds, self.rows, *clocks)

    def __len__(self) -> int:
        return len(self.rows)

    def in_order(self, values: np.ndarray, nothing=0) -> np.ndarray:
        """From the order by entity to that of the requests; `nothing` where the key is null."""
        from workbench.features.kernels_order import scatter

        whole = len(self.rows) == self.requests
        out = (
            np.empty(self.requests, values.dtype)
            if whole
            else np.full(self.requests, nothing, values.dtype)
        )
        on_threads(scatter, split_by_work(len(self.rows)), self.rows, values, out)
        return out


class History:
    """Events and requests by entity and time.

    Parameters
    ----------
    code, time, known_at : ndarray of int64, shape (n,)
        Entity of each event, -1 for none that is asked about, and its two clocks.
    tie : ndarray of int64, shape (n,) or (0,)
        What decides between events of equal clocks, before their rows do.
    asked : Asked
        Who asks.
    """

    def __init__(self, code, time, known_at, tie, asked: Asked):
        from workbench.features import kernels_order as kernels

        self.asked, self.asked_time, self.asked_bounds = asked, asked.time, asked.bounds
        self.bounds, self.rows = kernels.group(code, asked.entities)
        self.pieces = split_by_work(self.bounds + self.asked_bounds)
        self.time, self.known_at = np.empty((2, len(self.rows)), np.int64)
        clocks = (time, known_at, tie, self.time, self.known_at)
        ties = on_threads(kernels.sort_runs, self.pieces, self.bounds, self.rows, *clocks)
        self.has_ties = any(ties)
        self._kept: dict = {}
        self._begins: dict[tuple, tuple] = {}
        self._seen: dict[tuple, Seen] = {}

    def seen(self, feature: Feature) -> Seen:
        """What each request sees of the events, by the feature's window, lag, step and session."""
        words = words_of(feature)
        if words not in self._seen:
            self._seen[words] = self._places(*words)
        return self._seen[words]

    def keep(self, key, make: Callable):
        """What `make` gives, made once for all features that ask for it."""
        if key not in self._kept:
            self._kept[key] = make()
        return self._kept[key]

    def count(self, seen: Seen, valid: np.ndarray) -> np.ndarray:
        """Events seen by each request, int64; `valid` empty is all."""
        from workbench.features.kernels_running import running_counts

        number = np.empty(len(self.asked_time), np.int64)
        self._run(running_counts, *self._moving(seen), valid, number)
        return number

    def sums(self, seen: Seen, values: np.ndarray, valid: np.ndarray):
        """Sum of the values seen, float64, and how many they are."""
        from workbench.features.exact import exact_layout
        from workbench.features.kernels_running import running_sums

        bits = values.view(np.int64)
        layout = self.keep(("layout", id(values)), lambda: exact_layout(bits, len(bits)))
        total = np.empty(len(self.asked_time))
        number = np.empty(len(total), np.int64)
        self._run(running_sums, *self._moving(seen), bits, valid, *layout, total, number)
        return total, number

    def distinct(self, seen: Seen, value: np.ndarray, different: int) -> np.ndarray:
        """Different codes seen, int64; -1 is null."""
        from workbench.features.kernels_running import running_distinct

        number = np.empty(len(self.asked_time), np.int64)
        self._run(running_distinct, *self._moving(seen), value, different, number)
        return number

    def extremes(self, seen: Seen, values, valid, sign: float) -> np.ndarray:
        """Greatest (sign 1) or smallest (sign -1) value seen; infinite where there is none."""
        from workbench.features.kernels_tree import extremes

        out = np.empty(len(self.asked_time))
        self._run(extremes, *self._chained(seen), values, valid, sign, out)
        return out

    def spreads(self, seen: Seen, values, valid) -> np.ndarray:
        """Standard deviation of the values seen, with n - 1; NaN for fewer than two."""
        from workbench.features.exact import exact_layout
        from workbench.features.kernels_spread import running_spreads

        bits = values.view(np.int64)
        layout = self.keep(("layout", id(values)), lambda: exact_layout(bits, len(bits)))
        out = np.empty(len(self.asked_time))
        self._run(running_spreads, *self._moving(seen), bits, valid, *layout, out)
        return out

    def latest(self, seen: Seen) -> np.ndarray:
        """Place of the youngest event seen, -1 for none."""
        from workbench.features.kernels_lists import latest_events

        place = np.empty(len(self.asked_time), np.int64)
        self._run(latest_events, *self._chained(seen), place)
        return place

    def last(self, seen: Seen, valid: np.ndarray, most: int):
        """Offsets, shape (k + 1,), and the places of the last valid events, oldest first."""
        from workbench.features.kernels_lists import last_events

        return self._listed(last_events, *self._chained(seen), valid, most)

    def values(self, seen: Seen, value: np.ndarray, different: int, most: int):
        """Offsets, shape (k + 1,), and the codes of the values seen last, sorted."""
        from workbench.features.kernels_lists import values_seen

        return self._listed(values_seen, *self._chained(seen), value, different, most)

    def _listed(self, kernel, *arguments):
        """Twice over the events: how long the lists are, then what is in them."""
        lengths = np.empty(len(self.asked_time), np.int64)
        self._run(kernel, *arguments, lengths, _NONE, _NONE)
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        content = np.empty(offsets[-1], np.int64)
        self._run(kernel, *arguments, lengths, offsets, content)
        return offsets, content

    def _run(self, kernel, *arguments) -> list:
        return on_threads(kernel, self.pieces, self.bounds, self.asked_bounds, *arguments)

    def _moving(self, seen: Seen) -> tuple:
        return seen.begin, seen.order, self.asked_time, seen.begun, seen.low

    def _chained(self, seen: Seen) -> tuple:
        return seen.order, seen.begun, seen.low

    def _places(self, lag, reach, step, session) -> Seen:
        from workbench.features import kernels_seen as kernels

        begin, order = self._begin(lag, step)
        begun, low = np.empty((2, len(self.asked_time)), np.int64)
        clocks = (self.time, begin, order, self.asked_time)
        self._run(kernels.places, *clocks, reach, step, begun, low)
        if session:
            clocks = (self.time, order, self.asked_time)
            self._run(kernels.session_places, *clocks, session, begun, low)
        return Seen(begin, order, begun, low)

    def _begin(self, lag: int, step: int):
        """From after when each event counts, and the places by that."""
        from workbench.features import kernels_order, kernels_seen

        key = (lag, step if lag else 1)
        if key not in self._begins:
            begin, order = np.empty((2, len(self.time)), np.int64)
            rows = split_by_work(len(self.time))
            clocks = (self.time, self.known_at)
            on_threads(kernels_seen.begins, rows, *clocks, lag, step, begin)
            on_threads(kernels_order.begin_order, self.pieces, self.bounds, begin, order)
            self._begins[key] = begin, order
        return self._begins[key]
