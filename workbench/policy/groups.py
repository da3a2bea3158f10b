"""Which rows belong to which request, and requests cut into rectangles.

Requests have one row per (request, candidate), in any row order. Policies work on rectangles: all
requests with m candidates at once, as (g, m) arrays. When the rows of a request lie together and
all requests are equally long, as serving sends them, a rectangle is a reshape: nothing is copied.

    request  item  score            items (g, m)   scores (g, m)
       7      a     .2   ─┐            a  b           .2  .9
       7      b     .9    ├────►       a  c           .5  .1
       8      a     .5    │
       8      c     .1   ─┘
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from workbench.policy.columns import Columns, ids

__all__ = ["Groups", "Requests", "by_request"]

_ZERO = np.zeros(1, np.int64)


@dataclass(frozen=True)
class Groups:
    """Which rows belong to which request, in order of first appearance."""

    ids: np.ndarray  # (g,) request ids
    sizes: np.ndarray  # (g,) rows of each
    rows: np.ndarray | None  # (n,) row numbers, request by request; None when they lie so already

    @property
    def first(self) -> np.ndarray:
        """Row number of the first row of each request, shape (g,)."""
        starts = self.sizes.cumsum() - self.sizes
        return starts if self.rows is None else self.rows[starts]

    def spread(self, values: np.ndarray) -> np.ndarray:
        """One value per request, repeated on each of its rows, shape (n,)."""
        repeated = values.repeat(self.sizes)
        if self.rows is None:
            return repeated
        spread = np.empty_like(repeated)
        spread[self.rows] = repeated
        return spread

    def rectangles(self, cells: int | None = None) -> Iterator[tuple[np.ndarray, Callable]]:
        """For each number of rows: the requests that have so many, and how to cut a column.

        `cells` bounds the size of a rectangle.
        """
        size = self.sizes[0] if len(self.sizes) else 1
        small = cells is None or len(self.ids) * size <= cells
        if small and self.rows is None and (self.sizes == size).all():
            yield np.arange(len(self.ids)), lambda values: values.reshape(-1, size)
            return
        starts = self.sizes.cumsum() - self.sizes
        for size in np.unique(self.sizes).tolist():
            same = np.flatnonzero(self.sizes == size)
            step = len(same) if cells is None else max(1, cells // size)
            for start in range(0, len(same), step):
                which = same[start : start + step]
                index = starts[which, None] + np.arange(size)
                if self.rows is not None:
                    index = self.rows[index]
                yield which, lambda values, index=index: values[index]

    def locate(self, request: np.ndarray) -> np.ndarray:
        """Group number of each of these request ids, shape of `request`; error when unknown."""
        if not len(request):
            return np.zeros(0, np.int64)
        order = np.argsort(self.ids, kind="stable")
        place = np.searchsorted(self.ids, request, sorter=order)
        found = order[np.minimum(place, len(order) - 1)] if len(order) else None
        if found is None or (self.ids[found] != request).any():
            unknown = request if found is None else request[self.ids[found] != request]
            raise ValueError(
                f"decision for request {unknown.tolist()[0]!r}, which is not among the requests"
            )
        return found


class Requests(Mapping):
    """Requests that remember their groups, or some rows of others.

    A column is copied when somebody first asks for it: a child that looks at two columns of fifty
    pays for two.

    >>> some = Requests({"request": np.array([1, 1, 2])}, np.array([0, 2]))
    >>> some["request"].tolist(), some.groups.sizes.tolist()
    ([1, 2], [1, 1])
    """

    def __init__(self, requests: Columns, rows: np.ndarray | None = None):
        self._requests, self._rows, self._taken = requests, rows, {}

    @classmethod
    def of(cls, requests: Columns) -> Requests:
        """The same requests; wrapped once, however many policies they pass."""
        return requests if isinstance(requests, Requests) else cls(requests)

    @cached_property
    def groups(self) -> Groups:
        """Which rows belong to which request."""
        return _group(ids(self, "request"))

    def __getitem__(self, name):
        if self._rows is None:
            return self._requests[name]
        if name not in self._taken:
            self._taken[name] = np.asarray(self._requests[name])[self._rows]
        return self._taken[name]

    def __contains__(self, name):
        return name in self._requests

    def __iter__(self):
        return iter(self._requests)

    def __len__(self):
        return len(self._requests)


def by_request(requests: Columns) -> Groups:
    """Group the rows by `request`; linear when the rows of each request lie together.

    >>> by_request({"request": np.array([7, 8, 7])}).rows.tolist()
    [0, 2, 1]
    """
    return Requests.of(requests).groups


def _group(request: np.ndarray) -> Groups:
    n = len(request)
    changes = (request[1:] != request[:-1]).nonzero()[0]
    if not len(changes):
        return Groups(request[:1], np.array([n] if n else [], np.int64), None)
    starts = np.concatenate([_ZERO, changes + 1])
    found = request[starts]
    if len(np.unique(found)) == len(found):
        return Groups(found, np.concatenate([starts[1:], [n]]) - starts, None)
    _, first, code, sizes = np.unique(
        request, return_index=True, return_inverse=True, return_counts=True
    )
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return Groups(request[first[order]], sizes[order], np.argsort(rank[code], kind="stable"))
