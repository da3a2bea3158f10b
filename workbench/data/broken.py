"""Make it fail: for every check a small sound table and one that breaks in just that way.

sound  ─►  five weeks of payments, the same every week   ─►  the first four: reference
                                                         ─►  the last day, broken: live
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

__all__ = ["FAULTS", "example", "sound"]

START = datetime(2026, 3, 2, tzinfo=UTC)  # a Monday
DAYS, LIVE_DAY = 36, 35


def example(check: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """A reference and a live day that this check, and the fewest others, finds wrong.

    Parameters
    ----------
    check : str
        One of `workbench.data.checks.CHECKS`; "" for a live day that nothing is wrong with.

    Returns
    -------
    reference, live : pl.DataFrame
        35 days and one day of payments: `workbench.data.checks.compare` takes them.

    Raises
    ------
    ValueError
        If there is no such check.

    Examples
    --------
    >>> from workbench.data.checks import compare
    >>> compare(*example("completeness"), "payment")
    payment: 480 rows until 2026-04-07 00:00, against 18,000 before: FAILED
      error   completeness          96 rows  user: 0 % missing before, 20 % now
    >>> compare(*example(""), "payment").findings
    ()
    """
    if check and check not in FAULTS:
        raise ValueError(f"check must be one of {sorted(FAULTS)}, got {check!r}")
    rows = sound()
    if check == "label delay":  # what is late are complaints, a week after the payment
        rows = rows.with_columns(pl.col("time") - pl.duration(days=7))
    day = (pl.col("known_at") - START).dt.total_days()
    reference, live = rows.filter(day < LIVE_DAY), rows.filter(day == LIVE_DAY)
    return reference, FAULTS[check](live) if check else live


def sound(days: int = DAYS, per_day: int = 480, seed: int = 0) -> pl.DataFrame:
    """Payments of a quiet shop: open from 6 to 22, busier on Saturdays.

    >>> sound(days=8).group_by(pl.col("time").dt.weekday()).len().sort("time")["len"].to_list()
    [960, 480, 480, 480, 480, 720, 480]
    """
    parts = [_day(day, per_day * 3 // 2 if day % 7 == 5 else per_day, seed) for day in range(days)]
    rows = pl.concat(parts).sort("time")
    counted = pl.int_range(pl.len()).over("source") + 1
    return rows.with_columns(event=pl.int_range(pl.len()), sequence=counted)


def _day(day: int, rows: int, seed: int) -> pl.DataFrame:
    rng = np.random.default_rng([seed, day])
    seconds = np.sort(rng.uniform(6 * 3600, 22 * 3600, rows))
    times = [START + timedelta(days=day, seconds=second) for second in seconds.round(3).tolist()]
    known = pl.col("time") + pl.duration(milliseconds=pl.Series(rng.integers(100, 2_000, rows)))
    return pl.DataFrame(
        {
            "event": np.zeros(rows, np.int64),
            "time": times,
            "user": rng.integers(0, 5_000, rows),
            "source": pl.Series(["till 1", "till 2"]).gather(rng.integers(0, 2, rows)),
            "place": pl.Series(["Bern", "Basel", "Zug"]).gather(
                rng.choice(3, rows, p=[0.5, 0.3, 0.2])
            ),
            "amount": rng.lognormal(3.0, 0.8, rows).round(2),
        },
        schema_overrides={"time": pl.Datetime("us", "UTC")},
    ).with_columns(known_at=known)


def _one_in(count: int) -> pl.Expr:
    return pl.col("event") % count == 0


FAULTS: Mapping[str, Callable[[pl.DataFrame], pl.DataFrame]] = {
    "schema": lambda live: live.rename({"place": "city"}),
    "completeness": lambda live: live.with_columns(user=pl.when(~_one_in(5)).then("user")),
    "volume": lambda live: live.filter(_one_in(3)).with_columns(
        sequence=pl.int_range(pl.len()).over("source") + 100_000
    ),
    "freshness": lambda live: live.filter(pl.col("time").dt.hour() < 19),
    "duplicates": lambda live: pl.concat([live, live.filter(_one_in(10))]),
    "sequence gaps": lambda live: live.filter(~_one_in(8)),
    "units": lambda live: live.with_columns(pl.col("amount") * 100),
    "range": lambda live: live.with_columns(
        amount=pl.when(_one_in(12)).then(-pl.col("amount")).otherwise("amount")
    ),
    "new categories": lambda live: live.with_columns(
        place=pl.when(_one_in(4)).then(pl.lit("BERN")).otherwise("place")
    ),
    "distribution": lambda live: live.with_columns(
        amount=pl.when(_one_in(2)).then(pl.col("amount") * 0.4 + 12).otherwise("amount")
    ),
    "label delay": lambda live: live.with_columns(pl.col("time") - pl.duration(days=14)),
    "identity": lambda live: live.with_columns(user=10_000 + pl.col("user")),
    "clock skew": lambda live: live.with_columns(pl.col("time") - pl.duration(hours=1)),
}
