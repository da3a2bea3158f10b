"""When recorded requests are asked again: in waves, at most one request per user in each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import polars as pl

from workbench.data.recorded import Surface, columns_of

__all__ = ["in_waves", "request_events"]

Waves = list[tuple[int, dict[str, slice]]]


def in_waves(
    surfaces: Mapping[str, Surface], start: int, span: int
) -> tuple[dict[str, dict[str, np.ndarray]], Waves]:
    """The requests of each surface as columns in the order of waves; and each wave.

    A wave takes the first request of every user within a window of `span` microseconds, the next
    wave the second, and so on; a request without a user is the first of somebody. A wave is the
    start of its window (microseconds since 1970) and its rows on each surface.
    """
    parts = []
    for number, surface in enumerate(surfaces.values()):
        frame = surface.requests
        user = pl.col("user") if "user" in frame.columns else pl.lit(None)
        parts.append(
            frame.select(
                pl.lit(number).alias("surface"),
                pl.int_range(pl.len(), dtype=pl.Int64).alias("row"),
                user.alias("user"),
                pl.col("time"),
                ((pl.col("time").dt.timestamp("us") - start) // span).alias("window"),
            )
        )
    turn = pl.int_range(pl.len(), dtype=pl.Int64).over("window", "user")
    plan = (
        pl.concat(parts, how="vertical_relaxed")
        .sort("time", maintain_order=True)
        .with_columns(turn=pl.when(pl.col("user").is_null()).then(0).otherwise(turn))
        .sort("window", "turn", "surface", maintain_order=True)
    )
    asked, first_row = {}, {}
    for number, (name, surface) in enumerate(surfaces.items()):
        rows = plan.filter(pl.col("surface") == number)["row"]
        asked[name], first_row[name] = columns_of(surface.requests[rows]), 0
    names, waves = [*surfaces], {}
    sizes = plan.group_by("window", "turn", "surface", maintain_order=True).len()
    for window, turn, number, size in sizes.iter_rows():
        name = names[number]
        rows = slice(first_row[name], first_row[name] + size)
        first_row[name] += size
        waves.setdefault((window, turn), (start + window * span, {}))[1][name] = rows
    return asked, [*waves.values()]


def request_events(surfaces: Iterable[Surface]) -> pl.DataFrame:
    """Events of kind `request` for surfaces whose requests the record only implies."""
    parts = [
        each.requests.with_columns(event="request", known_at="time", surface=pl.lit(each.name))
        for each in surfaces
    ]
    return pl.concat(parts, how="diagonal")
