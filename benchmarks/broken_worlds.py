"""Worlds to break: small marketplaces, told apart by their seed, played clean to their last day.

Pages are filled at random and every checkout is approved, so that nothing is censored.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from multiprocessing import get_context
from typing import Any

import numpy as np
import polars as pl

from workbench.assign import uniform
from workbench.marketplace import Marketplace, MarketplaceSpec
from workbench.policy import Rank, Threshold

__all__ = ["events_and_truth", "events_of", "workers_map"]

Frames = dict[str, pl.DataFrame]


def _at_random(rows):
    return uniform("broken worlds", rows["request"], rows["item"])


def _nothing(rows):
    return np.zeros(len(rows["request"]))


PAGE = Rank(_at_random, 5, "random")
POLICIES = {"home": PAGE, "search": PAGE, "checkout": Threshold(_nothing, 0.5, "all")}


def events_and_truth(spec: MarketplaceSpec) -> tuple[Frames, Any]:
    """All events of a world by kind, and its truth."""
    world = Marketplace(spec)
    while (requests := world.next_requests()) is not None:
        world.react(
            {
                surface: POLICIES.get(surface, POLICIES["home"]).act(rows)
                for surface, rows in requests.items()
            }
        )
    return world.events(), world.truth


def events_of(spec: MarketplaceSpec) -> Frames:
    """The events alone."""
    return events_and_truth(spec)[0]


@contextmanager
def workers_map(workers: int) -> Iterator[Callable]:
    """A map that keeps the order, over so many processes of one Polars thread each."""
    if workers == 1:
        yield map
        return
    threads = os.environ.get("POLARS_MAX_THREADS")
    os.environ["POLARS_MAX_THREADS"] = "1"  # read by a process when it first imports Polars
    try:
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            yield partial(pool.map, chunksize=1)
    finally:
        if threads is None:
            del os.environ["POLARS_MAX_THREADS"]
        else:
            os.environ["POLARS_MAX_THREADS"] = threads
