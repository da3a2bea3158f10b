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

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from workbench.policy.columns import Columns, column, ids

__all__ = ["Groups", "by_request"]


@dataclass(frozen=True)
class Groups:
    """Which rows belong to which request, in order of first appearance."""

    ids: np.ndarray  # (g,) request ids
    sizes: np.ndarray  # (g,) rows of each
    rows: np.ndarray | None  # (n,) row numbers, request by request; None when they lie so already

    @property
    def first(self) -> np.ndarray:
        """Row number of the first row of each request, shape (g,)."""
        starts = np.cumsum(self.sizes) - self.sizes
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
        if not len(self.ids):
            return
        starts = np.cumsum(self.sizes) - self.sizes
        size = self.sizes[0]
        if cells is None and self.rows is None and (self.sizes == size).all():
            yield np.arange(len(self.ids)), lambda values: values.reshape(-1, size)
            return
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
                f"decision for request {unknown[0]!r}, which is not among the requests"
            )
        return found


def by_request(requests: Columns) -> Groups:
    """Group the rows by `request`; linear when the rows of each request lie together.

    >>> by_request({"request": np.array([7, 8, 7])}).rows.tolist()
    [0, 2, 1]
    """
    request = column(requests, "request")
    n = len(request)
    if request.dtype.kind not in "iuU":
        request = ids(requests, "request")
    starts = np.flatnonzero(request[1:] != request[:-1]) + 1
    starts = np.concatenate(([0] if n else [], starts)).astype(np.int64)
    found = request[starts]
    if len(found) < 2 or len(np.unique(found)) == len(found):
        return Groups(found, np.diff(starts, append=n), None)
    _, first, code, sizes = np.unique(
        request, return_index=True, return_inverse=True, return_counts=True
    )
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return Groups(request[first[order]], sizes[order], np.argsort(rank[code], kind="stable"))
