"""The event that each request reads for `latest` and `time_since`; events stay unsorted."""

from __future__ import annotations

import numpy as np

from workbench.features.definition import Feature
from workbench.features.history import Asked, words_of
from workbench.features.threads import on_threads, split_by_work

__all__ = ["latest_rows"]


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
