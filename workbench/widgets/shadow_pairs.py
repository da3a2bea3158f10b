"""Somebody's pairs as the explorer needs them, or a clear word of what is wrong with them."""

from __future__ import annotations

import math
from collections.abc import Mapping

import polars as pl

__all__ = ["OUTCOMES", "checked", "decided"]

OUTCOMES = ("label", "truth")


def checked(frame: pl.DataFrame) -> pl.DataFrame:
    """With scores as finite floats or null, outcomes as 0, 1 or null, and requests."""
    for name in ("live_score", "shadow_score"):
        if name not in frame.columns:
            raise ValueError(f"pairs have no column {name!r}; they have {frame.columns}")
        if not frame[name].dtype.is_numeric():
            raise ValueError(f"{name} must be numbers, got {frame[name].dtype}")
        score = pl.col(name).cast(pl.Float64)
        frame = frame.with_columns(pl.when(score.is_finite()).then(score).alias(name))
    if frame.select("live_score", "shadow_score").drop_nulls().is_empty():
        raise ValueError("no row has both scores")
    for name in set(OUTCOMES) & set(frame.columns):
        kind = frame[name].dtype
        if not (kind.is_numeric() or kind in (pl.Boolean, pl.Null)):
            raise ValueError(f"{name} must be 0, 1 or null, got {kind}")
        values = frame[name].cast(pl.Float64).fill_nan(None)
        wrong = values.filter(~values.is_in([0.0, 1.0]))
        if len(wrong):
            raise ValueError(f"{name} must be 0, 1 or null, got {wrong[0]:g}")
        frame = frame.with_columns(values)
    if "request" in frame.columns:
        return frame
    return frame.with_columns(request=pl.int_range(pl.len(), dtype=pl.Int64))


def decided(frame: pl.DataFrame, cutoff, positive: str) -> pl.DataFrame:
    """With the actions that the scores ask for from a cutoff on."""
    if {"live_action", "shadow_action"} & set(frame.columns):
        raise ValueError("cutoff is for scores without actions: these pairs have theirs")
    if isinstance(cutoff, Mapping) and not {"live", "shadow"} <= set(cutoff):
        raise ValueError(f"cutoff must have 'live' and 'shadow', got {dict(cutoff)}")
    for at in cutoff.values() if isinstance(cutoff, Mapping) else [cutoff]:
        if not isinstance(at, int | float) or not math.isfinite(at):
            raise ValueError(f"cutoff must be a finite number, got {at!r}")
    made = {}
    for who in ("live", "shadow", "twin"):
        if f"{who}_score" in frame.columns:
            at = cutoff.get(who, cutoff["live"]) if isinstance(cutoff, Mapping) else cutoff
            act = pl.when(pl.col(f"{who}_score") >= at).then(pl.lit(positive))
            act = act.when(pl.col(f"{who}_score").is_not_null()).then(pl.lit("approve"))
            made[f"{who}_action"] = act
    return frame.with_columns(**made)
