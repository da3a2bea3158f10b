"""Kernels on several threads: each takes a range of entities, or of rows, and nobody else's."""

from __future__ import annotations

import functools
import itertools
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import polars as pl

__all__ = ["on_threads", "one_ahead", "plain", "split_by_work"]

_SMALL = 20_000  # below that a thread costs more than it brings


def on_threads(kernel: Callable, pieces: np.ndarray, *arguments) -> list:
    """What `kernel(first, last, *arguments)` returns for each piece, in order."""
    ranges = [(int(a), int(b)) for a, b in itertools.pairwise(pieces)]
    if len(ranges) == 1:
        return [kernel(*ranges[0], *arguments)]
    pool = _pool(os.getpid(), pl.thread_pool_size())
    return list(pool.map(lambda piece: kernel(*piece, *arguments), ranges))


def one_ahead(calls: Iterable[Callable]) -> Iterator:
    """What the calls return, in order; while one answer is used, the next is made.

    >>> list(one_ahead([lambda: 1, lambda: 2, lambda: 3]))
    [1, 2, 3]
    """
    pool, waiting = _pool(os.getpid(), pl.thread_pool_size()), None
    for call in calls:
        made = pool.submit(call)
        if waiting is not None:
            yield waiting.result()
        waiting = made
    if waiting is not None:
        yield waiting.result()


@functools.lru_cache(1)
def _pool(_process: int, threads: int) -> ThreadPoolExecutor:
    """Kept: starting threads beside busy ones took a tenth of a training frame."""
    return ThreadPoolExecutor(threads, thread_name_prefix="features")


def split_by_work(work: np.ndarray | int, each: int = 2) -> np.ndarray:
    """Where to cut a range in pieces of about the same work, `each` for each thread.

    `work` is cumulative, shape (n + 1,), or n for equal parts.

    >>> split_by_work(np.array([0, 1, 2])).tolist()
    [0, 2]
    """
    total, n = (work, work) if isinstance(work, int) else (int(work[-1]), len(work) - 1)
    threads = pl.thread_pool_size()
    if threads == 1 or total < _SMALL:
        return np.array([0, n])
    shares = np.linspace(0, total, threads * each + 1)
    cuts = shares if isinstance(work, int) else np.searchsorted(work, shares)
    return np.unique(np.concatenate([[0], cuts.astype(np.int64)[1:-1], [n]]))


def plain(values: np.ndarray | pl.Series, dtype=None) -> np.ndarray:
    """An array as the kernels know them: contiguous, not marked as read-only, copied if it must.

    Polars lends its memory read-only, which is another type to numba: kernels would compile twice.
    They write only to what they are given for that.
    """
    array = values.to_numpy() if isinstance(values, pl.Series) else values
    array = np.ascontiguousarray(array, dtype)
    return array if array.flags.writeable else np.asarray(_Lent(array))


class _Lent:
    """The same memory without the mark; keeps its owner alive."""

    def __init__(self, array: np.ndarray):
        self.owner = array
        self.__array_interface__ = {
            **array.__array_interface__,
            "data": (array.ctypes.data, False),
        }
