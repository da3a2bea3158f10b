"""How the Fraud Detection Handbook judges a model, step by step."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import polars as pl

__all__ = ["card_precision", "handbook_split"]


def handbook_split(
    frame: pl.DataFrame,
    *,
    start: datetime,
    train_days: int = 7,
    delay_days: int = 7,
    test_days: int = 7,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """A week to train on, a week of waiting for labels, a week to test on.

    Cards that are known to be compromised at the beginning of a test day are dropped from that
    day: known are the frauds of the training stretch, and those at least `delay_days` old.

    Parameters
    ----------
    frame : polars.DataFrame
        Payments with `time`, `user`, `label` (1 fraud, 0 honest; the final truth).
    start : datetime
        First moment of training; with time zone.
    train_days, delay_days, test_days : int
        Lengths of the three stretches.

    Returns
    -------
    train, test : polars.DataFrame
        Rows in the order they came.

    Raises
    ------
    ValueError
        If `start` has no time zone or one of the two has no rows.

    Notes
    -----
    Le Borgne et al. (2022), chapter 5, "Validation strategies", function `get_train_test_set`.

    Examples
    --------
    >>> from datetime import UTC
    >>> start = datetime(2018, 5, 1, tzinfo=UTC)
    >>> days = pl.DataFrame({"time": [start + timedelta(days=d) for d in range(4)],
    ...                      "user": [1, 2, 1, 3], "label": [1.0, 0.0, 0.0, 0.0]})
    >>> train, test = handbook_split(days, start=start, train_days=1, delay_days=1, test_days=2)
    >>> train["user"].to_list(), test["user"].to_list()
    ([1], [3])
    """
    if start.tzinfo is None:
        raise ValueError(f"start must have a time zone, got {start}")
    day = timedelta(days=1)
    opens = start + (train_days + delay_days) * day
    train = _between(frame, start, start + train_days * day)
    tests = []
    for today in (opens + n * day for n in range(test_days)):
        # frauds of training, and one more day of them each day
        known = _between(frame, start, today - delay_days * day).filter(pl.col("label") == 1)
        tests.append(
            _between(frame, today, today + day).join(known, on="user", how="anti", **_IN_ORDER)
        )
    test = pl.concat(tests)
    for name, rows in (("training", train), ("test", test)):
        if not len(rows):
            raise ValueError(
                f"no rows for {name}: time runs from {frame['time'].min()} to "
                f"{frame['time'].max()}, training starts {start}"
            )
    return train, test


def card_precision(scored: pl.DataFrame, *, k: int = 100) -> float:
    """Share of frauds among the k most suspicious cards of a day, averaged over the days.

    What a team of analysts gets who can look at k cards a day. A card's suspicion is its highest
    score of the day; a compromised card that was found leaves the following days.

    Parameters
    ----------
    scored : polars.DataFrame
        `time`, `user`, `label`, `score`.
    k : int, default 100
        Cards a day, at least 1. Divided by k also on days with fewer cards.

    Notes
    -----
    Le Borgne et al. (2022), chapter 4, "Precision top-k metrics". Days are UTC. Ties: the smaller
    user id first.

    Examples
    --------
    >>> from datetime import UTC
    >>> day = datetime(2018, 5, 1, tzinfo=UTC)
    >>> card_precision(pl.DataFrame({"time": [day] * 3, "user": [1, 2, 2],
    ...                              "score": [0.9, 0.1, 0.8], "label": [0.0, 1.0, 0.0]}), k=2)
    0.5
    """
    if k < 1:
        raise ValueError(f"k must be at least 1, got {k}")
    day = pl.col("time").dt.convert_time_zone("UTC").dt.date().alias("day")
    cards = scored.group_by(day, "user").agg(pl.col("score").max(), pl.col("label").max())
    found = pl.DataFrame(schema={"user": cards.schema["user"]})
    precisions = []
    for _, today in sorted(cards.group_by("day"), key=lambda group: group[0]):
        left = today.join(found, on="user", how="anti")
        top = left.sort("score", "user", descending=[True, False]).head(k)
        hits = top.filter(pl.col("label") == 1).select("user")
        precisions.append(len(hits) / k)
        found = pl.concat([found, hits])
    return float(np.mean(precisions))


_IN_ORDER = {"maintain_order": "left"}


def _between(frame: pl.DataFrame, start: datetime, end: datetime) -> pl.DataFrame:
    return frame.filter(pl.col("time").is_between(start, end, closed="left"))
