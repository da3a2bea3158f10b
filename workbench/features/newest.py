"""The event that each request reads for `latest` and `time_since`; events stay unsorted."""

from __future__ import annotations

import numpy as np

from workbench.features.definition import Feature
from workbench.features.history import Asked, words_of
from workbench.features.threads import on_threads, split_by_work

__all__ = ["latest_in_runs", "latest_rows"]


def latest_rows(feature: Feature, asked: Asked, code, time, known_at, tie):
    """Rows of the events, in the order of `asked`, -1 for none; and whether any of them tied."""
    from workbench.features import kernels_latest as kernels

    lag, reach, step, _ = words_of(feature)
    row = np.empty(len(asked), np.int64)
    events = (code, time, known_at, tie)
    pieces = split_by_work(asked.bounds, each=1)
    words = (lag, reach, step, row)
    ties = on_threads(kernels.latest_rows, pieces, asked.bounds, asked.time, *events, *words)
    return row, any(ties)


def latest_in_runs(feature: Feature, asked_code, asked_at, time, known_at, runs):
    """The same in the order of the requests, for events by entity and time; None if it gave up.

    `runs` are the entity and the start of each run, and how many entities are asked about.
    """
    from workbench.features import kernels_latest as kernels

    code, starts, entities = runs
    first, stop = np.zeros((2, entities), np.int64)
    wanted = code >= 0
    first[code[wanted]] = starts[wanted]
    stop[code[wanted]] = np.append(starts[1:], len(time))[wanted]
    lag, reach, step, _ = words_of(feature)
    row = np.empty(len(asked_code), np.int64)
    events = (first, stop, time, known_at)
    asked = (asked_code, asked_at)
    pieces = split_by_work(len(row))
    gave_up = on_threads(kernels.latest_in_runs, pieces, *asked, *events, lag, reach, step, row)
    return None if any(gave_up) else row
