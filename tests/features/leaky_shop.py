"""A small shop for the audit, and its features computed elsewhere: by hand, row by row, wrongly.

Nothing here uses the engine: each leak is the loop that somebody might have written.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from workbench import features

START = datetime(2024, 5, 1, tzinfo=UTC)
DAY = timedelta(days=1)
US = timedelta(microseconds=1)


def shop(seed: int = 0, n: int = 900) -> dict[str, pl.DataFrame]:
    """Payments, their chargebacks (known a week later), prices with corrections, late segments."""
    rng = np.random.default_rng(seed)
    seconds = np.sort(rng.integers(0, 40 * 86_400, n))
    user = rng.integers(0, 25, n)
    risky = rng.random(25) ** 3
    time = [START + timedelta(seconds=int(second)) for second in seconds]
    payment = pl.DataFrame(
        {
            "event": np.arange(n),
            "request": np.arange(n),
            "user": user,
            "item": rng.integers(0, 12, n),
            "amount": rng.lognormal(3, 1, n).round(2),
            "fraud": (rng.random(n) < 0.1 + 0.5 * risky[user]).astype(int),
            "time": time,
            "known_at": time,
        }
    )
    chargeback = payment.filter(pl.col("fraud") == 1).with_columns(
        event=pl.col("event") + n, known_at=pl.col("time") + 7 * DAY
    )
    price = pl.DataFrame(
        {
            "event": np.arange(240) + 10 * n,
            "item": np.arange(240) % 12,
            "amount": rng.lognormal(2, 1, 240).round(2),
            "time": [
                START + (i // 12) * 2 * DAY + (i % 12) * timedelta(hours=1) for i in range(240)
            ],
        }
    ).with_columns(known_at="time")
    corrected = price.sample(fraction=0.5, seed=seed).with_columns(
        event=pl.col("event") + 1_000, amount=pl.col("amount") + 1.11, known_at=pl.col("time") + DAY
    )
    segment = pl.DataFrame(
        {
            "event": np.arange(250) + 20 * n,
            "user": np.arange(250) % 25,
            "score": rng.normal(size=250),
            "time": [
                START + (i // 25) * 4 * DAY + (i % 25) * timedelta(minutes=7) for i in range(250)
            ],
        }
    ).with_columns(known_at=pl.col("time") + 1.5 * DAY)
    return {
        "payment": payment,
        "chargeback": chargeback.drop("fraud"),
        "price": pl.concat([price, corrected]),
        "segment": segment,
    }


MEAN = features.mean("amount", of="payment", per="user", name="mean")
WEEK = features.count("payment", per="user", days=7, name="week")
SPENT = features.sum("amount", of="payment", per="user", days=10, name="spent")
RISK = features.count("chargeback", per="user", days=30, name="risk")
DUE = features.count("chargeback", per="user", days=20, lag_days=8, name="due")
SINCE = features.time_since(of="payment", per="user", days=4, name="since")
PRICE = features.latest("amount", of="price", per="item", days=15, name="price")
SCORE = features.latest("score", of="segment", per="user", name="score")
ALL = [MEAN, WEEK, SPENT, RISK, DUE, SINCE, PRICE, SCORE]


def by_hand(feature, rows, events, sees) -> list:
    """The aggregate over the events that `sees(request, event)` lets through, row by row."""
    key, events = feature.per[0], events.sort("time", "known_at").to_dicts()
    made = []
    for row in rows.to_dicts():
        seen = [e for e in events if e[key] == row[key] and sees(row, e)]
        numbers = [e[feature.column] for e in seen] if feature.column else []
        made.append(
            {
                "count": lambda s=seen: len(s),
                "sum": lambda x=numbers: float(sum(x)),
                "mean": lambda x=numbers: sum(x) / len(x) if x else None,
                "latest": lambda x=numbers: x[-1] if x else None,
                "time_since": lambda s=seen, r=row: (
                    (r["time"] - s[-1]["time"]) / DAY if s else None
                ),
            }[feature.aggregate]()
        )
    return made


def rightly(feature):
    """What each request sees, as the definition says."""
    old = feature.window + feature.lag if feature.window else 1_000 * DAY
    return lambda r, e: (
        e["time"] < r["time"] - feature.lag
        and e["known_at"] < r["time"]
        and e["time"] >= r["time"] - old
    )


def within(feature, row, event) -> bool:
    """Whether an event is young enough."""
    old = feature.window + feature.lag if feature.window else 1_000 * DAY
    return event["time"] >= row["time"] - old


LEAKS = {  # name of the plant: feature, what the wrong code sees, the words that must name it
    "join on the day": (
        MEAN,
        lambda r, e: e["time"].date() <= r["time"].date(),
        "joined on the day",
    ),
    "join on the day, week": (
        WEEK,
        lambda r, e: within(WEEK, r, e) and e["time"].date() <= r["time"].date(),
        "joined on the day",
    ),
    "join on the day, whole days": (
        SPENT,
        lambda r, e: r["time"].date() - 10 * DAY <= e["time"].date() <= r["time"].date(),
        "joined on the day",
    ),
    "at most": (MEAN, lambda r, e: e["time"] <= r["time"], "<= instead of <"),
    "at most, week": (
        WEEK,
        lambda r, e: within(WEEK, r, e) and e["time"] <= r["time"],
        "<= instead of <",
    ),
    "labels known at once": (
        RISK,
        lambda r, e: within(RISK, r, e) and e["time"] < r["time"],
        "known_at ignored",
    ),
    "own label": (
        RISK,
        lambda r, e: within(RISK, r, e) and e["time"] <= r["time"],
        "<= instead of <, known_at ignored",
    ),
    "lag left out": (
        DUE,
        lambda r, e: e["known_at"] < r["time"] and e["time"] >= r["time"] - 20 * DAY,
        "lag left out",
    ),
    "backfilled": (SCORE, lambda r, e: e["time"] < r["time"], "backfilled"),
    "restated": (
        PRICE,
        lambda r, e: e["time"] < r["time"] and within(PRICE, r, e),
        "restated",
    ),
    "last version": (PRICE, lambda r, e: True, "restated: the version when the log ends"),
    "the log's end": (MEAN, lambda r, e: True, "whole table"),
    "batch of midnight": (
        MEAN,
        lambda r, e: e["time"].date() < r["time"].date(),
        "stale: of the start of the day",
    ),
    "yesterday's": (
        WEEK,
        lambda r, e: r["time"] - 8 * DAY <= e["time"] < r["time"] - DAY,
        "stale: 1 day old",
    ),
    "two hours ahead": (
        WEEK,
        lambda r, e: r["time"] - 7 * DAY <= e["time"] - 2 * DAY / 24 < r["time"],
        "time zone: +2 h",
    ),
    "no time-to-live": (SINCE, lambda r, e: e["time"] < r["time"], "no time-to-live"),
    "another window": (
        SPENT,
        lambda r, e: r["time"] - 30 * DAY <= e["time"] < r["time"],
        "a window of 30 days",
    ),
}
KINDS = {"stale": "stale", "no time": "stale", "a window": "other"}


def kind_of(words: str) -> str:
    """Which kind of value the leak of that name gives."""
    return next((kind for start, kind in KINDS.items() if words.startswith(start)), "future")
