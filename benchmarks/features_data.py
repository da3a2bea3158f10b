"""Events and requests for the joins: five numbers of a user, with a month to live, in 90 days."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import polars as pl

__all__ = ["AREA", "COLUMNS", "TTL", "arrays", "history", "spending"]

AREA = "features"
COLUMNS = tuple(f"x{number}" for number in range(5))
TTL = timedelta(days=30)
START_US, SPAN_US = 1_700_000_000_000_000, 90 * 86_400_000_000


def history(
    events: int, requests: int, *, late: float = 0.0, tie_us: int = 1, seed: int = 7
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Requests and events in no order, a hundred events a user.

    `late` is the share of events that are known up to three days after; times are multiples of
    `tie_us`.
    """
    rng = np.random.default_rng(seed)
    users = max(events // 100, 1)
    time = START_US + rng.integers(0, SPAN_US // tie_us, events) * tie_us
    known_at = time.copy()
    if late:
        delayed = rng.random(events) < late
        known_at[delayed] += rng.integers(1, 3 * 86_400_000_000, delayed.sum())
    happened = pl.DataFrame(
        {
            "event": rng.permutation(events),
            "user": rng.integers(0, users, events),
            "time": _clock(time),
            "known_at": _clock(known_at),
            **{name: rng.normal(size=events) for name in COLUMNS},
        }
    )
    asked = START_US + rng.integers(0, SPAN_US // tie_us, requests) * tie_us
    return (
        pl.DataFrame({"user": rng.integers(0, users, requests), "time": _clock(asked)}),
        happened,
    )


def spending(events: int, seed: int = 7) -> pl.DataFrame:
    """Payments in the order of time, fifty a user, known at once."""
    rng = np.random.default_rng(seed)
    time = _clock(np.sort(START_US + rng.integers(0, SPAN_US, events)))
    return pl.DataFrame(
        {
            "user": rng.integers(0, max(events // 50, 1), events),
            "time": time,
            "known_at": time,
            "amount": rng.lognormal(3, 1, events).round(2),
        }
    )


def arrays(frame: pl.DataFrame) -> tuple[np.ndarray, ...]:
    """User, time in microseconds, and the numbers, shape (5, n), if there are any."""
    parts = frame["user"].to_numpy(), frame["time"].dt.epoch("us").to_numpy()
    if COLUMNS[0] not in frame.columns:
        return parts
    return *parts, np.stack([frame[name].to_numpy() for name in COLUMNS])


def _clock(micros: np.ndarray) -> pl.Series:
    return pl.Series(micros).cast(pl.Datetime("us", "UTC"))
