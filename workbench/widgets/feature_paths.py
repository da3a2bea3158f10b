"""One feature on all three paths: the training frame, a nightly batch, and a stream.

The same definition each time; what differs is what each path knows by then. The stream knows what
was known before the request, as training does, so these two are equal; the nightly store knows
what was known when its job ran.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

from workbench.features import Feature, OnlineStore, training_frame

__all__ = ["PathValue", "last_midnight", "three_paths"]


@dataclass(frozen=True)
class PathValue:
    """What one path reads, and until when it knows.

    Attributes
    ----------
    path : str
        "training frame", "nightly batch" or "stream".
    value : number, text, list or None
    knows_until : datetime
        It has seen what was known before this moment.
    """

    path: str
    value: Any
    knows_until: datetime

    @property
    def words(self) -> str:
        """The value in a few letters."""
        if self.value is None:
            return "nothing"
        if isinstance(self.value, float):
            return f"{self.value:.4g}"
        if isinstance(self.value, list):
            return ", ".join(f"{x:.4g}" if isinstance(x, float) else str(x) for x in self.value)
        return str(self.value)


def three_paths(row: Mapping[str, Any], feature: Feature, log: Mapping) -> list[PathValue]:
    """The feature for one request, offline, from a nightly store, and from a stream.

    Parameters
    ----------
    row : mapping
        `time` (with time zone) and the feature's keys.
    feature : Feature
    log : mapping of kind to Polars table
        Of any number of entities; the two stores are given the row's entity alone.

    Examples
    --------
    >>> from workbench import features
    >>> hour = lambda h: datetime(2024, 5, 3, h, tzinfo=UTC)
    >>> paid = pl.DataFrame({"user": [1, 1], "time": [hour(0), hour(9)]}).with_columns(
    ...     known_at="time", event=pl.Series([1, 2]))
    >>> often = features.count("payment", per="user", days=1)
    >>> for each in three_paths({"user": 1, "time": hour(10)}, often, {"payment": paid}):
    ...     print(each.path, each.words, f"{each.knows_until:%H:%M}")
    training frame 2 10:00
    nightly batch 0 00:00
    stream 2 10:00
    """
    at, keys = row["time"], {key: row[key] for key in feature.per}
    asked = pl.DataFrame({"time": [at]} | {key: [value] for key, value in keys.items()})
    offline = training_frame(asked, feature, log)[feature.name].to_list()[0]
    mine = log[feature.of].filter(**keys)
    night = last_midnight(at)
    with tempfile.TemporaryDirectory() as folder:
        with OnlineStore(Path(folder, "batch"), [feature]) as batch:
            batch.materialise({feature.of: mine}, until=night)
            nightly = batch.read(keys, at=at)[feature.name]
        with OnlineStore(Path(folder, "stream"), [feature]) as stream:
            stream.apply({feature.of: mine.filter(pl.col("known_at") < at)})
            live = stream.read(keys, at=at)[feature.name]
    return [
        PathValue("training frame", offline, at),
        PathValue("nightly batch", nightly, night),
        PathValue("stream", live, at),
    ]


def last_midnight(moment: datetime) -> datetime:
    """The midnight (UTC) before a moment, or the moment itself."""
    return moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
