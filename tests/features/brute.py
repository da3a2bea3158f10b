"""What a feature is, word for word: one request, every event, nothing clever.

The reference that every path is held to. Events are dicts with `time`, `known_at`, keys, columns
and mostly `event`; `holds` says whether an event meets the feature's `where`, `value` reads its
column (None: null). Both are given as Python, so that no expression engine is trusted either.
"""

from __future__ import annotations

import itertools
import math
import statistics
from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def brute_force(feature, request, events, *, value=None, holds=lambda _event: True):
    """The feature's value for one request, from a list of all events of its kind."""
    if any(request[key] is None for key in feature.per):
        return None
    t, step = request["time"], feature.step or timedelta(microseconds=1)
    tile = lambda moment: (moment - EPOCH) // step  # noqa: E731
    a = t - feature.lag
    young = [
        (event["time"], event["known_at"], event.get("event", place), event)
        for place, event in enumerate(events)
        if all(event[key] == request[key] for key in feature.per)
        and event["time"] < t
        and event["known_at"] < t
        and event["time"] < a
        and (not feature.lag or feature.step is None or tile(event["time"]) < tile(a))
        and (feature.window is None or tile(event["time"]) >= tile(a - feature.window))
        and holds(event)
    ]
    young.sort(key=lambda each: each[:3], reverse=True)
    if feature.session is not None:
        times = [t, *(each[0] for each in young)]
        gaps = [later - sooner > feature.session for later, sooner in itertools.pairwise(times)]
        young = young[: gaps.index(True)] if True in gaps else young
    seen = [each[3] for each in young]
    found = _aggregate(feature, t, seen, value)
    return feature.missing if found is None else found


def _aggregate(feature, t, seen, value):
    if feature.aggregate == "count":
        return len(seen)
    if feature.aggregate == "time_since":
        return (t - seen[0]["time"]) / timedelta(days=1) if seen else None
    if feature.aggregate == "latest":
        return value(seen[0]) if seen else None
    numbers = [value(event) for event in seen if value(event) is not None]
    match feature.aggregate:
        case "sum":
            return math.fsum(numbers)
        case "mean" | "share":
            return math.fsum(numbers) / len(numbers) if numbers else None
        case "min" | "max":
            return {"min": min, "max": max}[feature.aggregate](numbers, default=None)
        case "std":
            return statistics.stdev(numbers) if len(numbers) > 1 else None
        case "distinct":
            return len(set(numbers))
        case "values":
            return sorted([*dict.fromkeys(numbers)][: feature.most])
        case "last":
            return numbers[: feature.most][::-1]
