"""Logs and tables as the validity card reads them, and what it measures on each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from workbench.studies.card_moments import card_moments
from workbench.studies.moments import Moments
from workbench.studies.shop_moments import shop_moments
from workbench.tables import one_frame

__all__ = ["curves_of", "moments_of", "read", "span_days"]

Log = dict[str, pl.DataFrame]

_READ = {  # kind -> columns that must be there, columns that may
    "purchase": (
        ("time", "user", "item"),
        ("event", "request", "session", "amount", "quantity", "guest"),
    ),
    "payment": (("time", "user", "amount"), ("event", "request", "item", "seller")),
    "chargeback": (("request",), ("time", "known_at")),
    "listing": (("time", "item"), ("event", "amount")),
    "refund": (("time",), ()),
}  # fmt: skip
_LEAST_DAYS = 14


def read(name: str, events: Any, zone: str) -> Log:
    """The kinds that the card looks at, with `time` in the zone and `day`, counted from 0.

    Parameters
    ----------
    name : str
        What to call the log in errors.
    events : EventLog or mapping of kind to table
        Kinds that are absent or empty are left out.
    zone : str

    Raises
    ------
    ValueError
        As `validity_card`.
    """
    if hasattr(events, "scan"):
        tables = {kind: events.scan(kind).collect() for kind in events.kinds if kind in _READ}
    elif isinstance(events, Mapping):
        tables = {kind: table for kind, table in events.items() if kind in _READ}
    else:
        kind = type(events).__name__
        raise ValueError(
            f"events of {name} must be a log or a mapping of kind to table, got {kind}"
        )
    log = {}
    for kind, table in tables.items():
        if len(table):
            must, may = _READ[kind]
            may = [column for column in may if column in table.columns]
            frame = one_frame(table, f"{kind} of {name}", [*must, *may])
            for column in must:
                if column != "user" and (rows := frame[column].null_count()):
                    raise ValueError(f"{column} of {kind} of {name} is missing in {rows} rows")
            log[kind] = _in_zone(frame, f"{kind} of {name}", zone)
    asked = [kind for kind in ("purchase", "payment") if kind in log]
    if not asked:
        raise ValueError(
            f"{name} has neither purchase nor payment events; it has {', '.join(tables) or 'none'}"
        )
    start = min(log[kind]["time"].dt.date().min() for kind in asked)
    day = (pl.col("time").dt.date() - start).dt.total_days().clip(0)
    for kind in asked:
        if (days := log[kind].select(day).to_series().max() + 1) < _LEAST_DAYS:
            raise ValueError(
                f"{kind} events of {name} span {days} days; a card needs {_LEAST_DAYS} or more"
            )
    return {kind: frame.with_columns(day=day) if "time" in frame.columns else frame
            for kind, frame in log.items()}  # fmt: skip


def span_days(rows: pl.DataFrame) -> int:
    """Days from the log's first to the last of these rows."""
    return int(rows["day"].max()) + 1


def moments_of(
    log: Log, windows: Mapping[str, int], *, draws: int, seed: int, truth: Any = None
) -> Moments:
    """All moments that a log allows; `windows` are the days to watch, by kind."""
    moments: Moments = {}
    if "purchase" in log:
        moments |= shop_moments(log, window_days=windows["purchase"], draws=draws, seed=seed)
    if "payment" in log:
        days = windows["payment"]
        moments |= card_moments(log, window_days=days, draws=draws, seed=seed, truth=truth)
    return moments


def curves_of(name: str, log: Log, windows: Mapping[str, int], moments: Moments) -> pl.DataFrame:
    """What a chart draws of a log: columns curve, of, x, y.

    Popularity is the share of lines (y) that the best-selling share x of the items sold has, in the
    first window; a profile is the share (y) of each hour, weekday or month (x).
    """
    parts = []
    if "purchase" in log:
        lines = log["purchase"].filter(pl.col("day") < windows["purchase"])
        sold = np.sort(lines.group_by("item").len()["len"].to_numpy())[::-1]
        x = np.geomspace(0.001, 1, 40)
        best = np.maximum(np.round(x * len(sold)).astype(int), 1)
        parts.append(("popularity", x, np.cumsum(sold)[best - 1] / sold.sum()))
    for curve, draws in moments.items():
        if draws.ndim == 2:
            parts.append((curve, np.arange(draws.shape[1]) + (draws.shape[1] != 24), draws[0]))
    frames = [pl.DataFrame({"x": x, "y": y}).select(
        pl.lit(curve).alias("curve"), pl.lit(name).alias("of"), pl.col("x", "y").cast(pl.Float64)
    ) for curve, x, y in parts]  # fmt: skip
    return pl.concat(frames)


def _in_zone(frame: pl.DataFrame, name: str, zone: str) -> pl.DataFrame:
    for column in ("time", "known_at"):
        if column not in frame.columns:
            continue
        dtype = frame.schema[column]
        if not isinstance(dtype, pl.Datetime) or dtype.time_zone is None:
            raise ValueError(
                f"{column} of {name} is {dtype}: times need a zone, see workbench.rename(…, tz=…)"
            )
    if "amount" in frame.columns:
        frame = frame.with_columns(pl.col("amount").cast(pl.Float64).fill_nan(None))
    clocks = [column for column in ("time", "known_at") if column in frame.columns]
    try:
        return frame.with_columns(pl.col(clocks).dt.convert_time_zone(zone))
    except pl.exceptions.PolarsError as error:
        raise ValueError(f"zone must be one such as Europe/London, got {zone!r}") from error
