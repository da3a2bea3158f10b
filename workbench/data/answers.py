"""Decisions on recorded requests: checked, compared with what the people got, made events."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from workbench.assign import fingerprint
from workbench.data.recorded import Surface
from workbench.policy import DECISION_COLUMNS, NO_ITEM, Columns

__all__ = ["decision_events", "judged"]

_PER_REQUEST = ("time", "user", "session", "device")


def judged(surface: Surface, decisions: Columns, asked: Columns) -> dict[str, np.ndarray]:
    """The decisions as they are logged, with `answered`, and not `live` where that is false.

    `asked` are the open requests, one row each. Raises ValueError if a decision is for none of
    them, or one has no live decision.
    """
    columns = {name: np.asarray(decisions[name]) for name in DECISION_COLUMNS if name in decisions}
    for name in ("request", "action"):
        if name not in columns:
            raise ValueError(f"{surface.name} decisions have no column {name}, only {[*decisions]}")
    n = len(columns["request"])
    columns.setdefault("policy", np.full(n, "by hand"))
    columns.setdefault("position", np.ones(n, np.int64))
    live = columns.setdefault("live", np.ones(n, bool))

    order = np.argsort(asked["request"])
    place = np.searchsorted(asked["request"], columns["request"], sorter=order)
    row = order[np.minimum(place, len(order) - 1)]
    strange = asked["request"][row] != columns["request"]
    if strange.any():
        raise ValueError(f"{surface.name}: request {columns['request'][strange][0]} is not open")
    left = np.ones(len(order), bool)
    left[row[live]] = False
    if left.any():
        raise ValueError(
            f"{surface.name}: request {asked['request'][left][0]} has no live decision"
        )

    columns |= {name: asked[name][row] for name in _PER_REQUEST if name in asked}
    answered = surface.answered(columns)
    return (
        columns if answered is None else columns | {"answered": answered, "live": live & answered}
    )


def decision_events(surface: str, parts: Sequence[Columns]) -> pl.DataFrame:
    """Judged decisions of several waves as events of kind `decision`, known at once."""
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    key = [columns[name] for name in ("request", "policy", "position")]
    if columns["request"].dtype.kind == "i":  # the same ids as `decide` gives
        event = (fingerprint("decision", *key) >> np.uint64(1)).astype(np.int64)
    else:
        event = ["/".join(map(str, row)) for row in zip(*key, strict=True)]
    frame = pl.DataFrame({"event": event} | {name: _series(each) for name, each in columns.items()})
    time = pl.col("time").cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    return frame.with_columns(time=time, known_at=time, surface=pl.lit(surface))


def _series(values: np.ndarray) -> pl.Series:
    """One column; missing ids, words and numbers become nulls."""
    if values.dtype.kind in "UO":
        if len(values) and (values == values[0]).all():
            return pl.repeat(values[0] or None, len(values), dtype=pl.String, eager=True)
        return pl.Series([word or None for word in values.tolist()], dtype=pl.String)
    if values.dtype.kind == "f":
        return pl.Series(values).fill_nan(None)
    if values.dtype.kind == "i":
        return pl.Series(values).replace(NO_ITEM, None)
    return pl.Series(values)
