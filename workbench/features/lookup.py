"""Features at the moment of a decision: the same definitions, for the columns a policy is given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from workbench.features.composed import Definition
from workbench.features.offline import training_frame
from workbench.policy import NO_ITEM, Columns

__all__ = ["LogLookup"]


@dataclass(frozen=True)
class LogLookup:
    """A feature function that reads the log: requests in, requests with features out.

    The simplest there can be, and by construction equal to training. It scans the log for each
    batch (tens of milliseconds), which suits waves and notebooks; an online store is faster.

    Parameters
    ----------
    features : tuple of Feature, Ratio, Formula or Calendar
        What to look up.
    log : EventLog or mapping of kind to frame
        Where. It must hold what had happened by now; `time` of the requests decides what is seen.

    Examples
    --------
    >>> from datetime import datetime, UTC
    >>> from workbench import features
    >>> paid = pl.DataFrame({"user": [1], "time": [datetime(2024, 5, 1, tzinfo=UTC)]})
    >>> log = {"payment": paid.with_columns(known_at="time")}
    >>> look_up = LogLookup((features.count("payment", per="user", days=7, name="recent"),), log)
    >>> asked = {"user": np.array([1, 2]), "time": np.array(["2024-05-03"] * 2, "datetime64[us]")}
    >>> look_up(asked)["recent"].tolist()
    [1, 0]
    """

    features: tuple[Definition, ...]
    log: Any

    def __call__(self, requests: Columns) -> dict[str, np.ndarray]:
        """The columns of the requests and one more per feature, each shape (n,)."""
        keys = sorted({key for each in self.features for leaf in each.leaves for key in leaf.per})
        others = sorted({name for each in self.features for name in each.inputs} - {"time", *keys})
        absent = [name for name in ("time", *keys, *others) if name not in requests]
        if absent:
            raise ValueError(f"requests have no column {absent[0]!r}; they have {list(requests)}")
        time = pl.Series(np.asarray(requests["time"]).astype("datetime64[us]"))
        asked = pl.DataFrame(
            {"time": time.dt.replace_time_zone("UTC")}
            | {key: _ids(np.asarray(requests[key])) for key in keys}
            | {name: pl.Series(np.asarray(requests[name])) for name in others}
        )
        found = training_frame(asked, self.features, self.log)
        return dict(requests) | {each.name: found[each.name].to_numpy() for each in self.features}


def _ids(values: np.ndarray) -> pl.Series:
    """Ids as Polars keeps them; a policy's marks for missing ones become null."""
    if values.dtype.kind in "iu":
        return pl.Series(values).replace(NO_ITEM, None)
    return pl.Series([value or None for value in values.tolist()], dtype=pl.String)
