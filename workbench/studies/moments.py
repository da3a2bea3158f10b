"""Statistics of grouped rows, each with its resamples: what the lines of a validity card are.

    rows and who they belong to ──► Groups ──► the statistic, computed 1 + draws times

The first time every user (or day) weighs 1: that is the statistic. The other times each weighs as
often as a resample drew it: the spread of those says how sure the statistic is. A simulated log and
a real one go through the same code.

Users are what is independent of each other, days for hours and weekdays (B. Efron & R. Tibshirani
1993, "An Introduction to the Bootstrap", chapters 6 and 8). Intervals are 1.96 standard deviations
of the resamples on either side (their chapter 13): a percentile interval would be off, because a
resample of people makes popularity look steeper than it is.
"""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import polars as pl

__all__ = ["Groups", "Moments", "calendar_moments", "shares", "top_shares", "zipf_exponents"]

Moments = dict[str, np.ndarray]  # (1 + draws,) numbers, (1 + draws, k) profiles

_BLOCKS = 2_000


class Groups:
    """Who is independent of whom, and how often each resample draws them.

    Parameters
    ----------
    labels : pl.Series, shape (n,)
        The user or the day of each row, without nulls.
    draws : int
        Resamples.
    seed : int

    Attributes
    ----------
    weights : np.ndarray, shape (1 + draws, groups)
        The first row is all ones.

    Examples
    --------
    >>> users = Groups(pl.Series([7, 7, 9]), draws=50, seed=0)
    >>> users.mean(np.array([1.0, 2.0, 6.0]))[0].item()
    3.0
    >>> users.quantiles(np.array([1.0, 2.0, 6.0]), 0.5)[0].tolist()
    [2.0]
    """

    def __init__(self, labels: pl.Series, *, draws: int, seed: int):
        self.code = (labels.rank("dense").cast(pl.Int64) - 1).to_numpy()
        count = int(self.code.max()) + 1
        drawn = np.random.default_rng([seed, count]).multinomial(
            count, np.full(count, 1 / count), size=draws
        )
        self.weights = np.vstack([np.ones(count), drawn]).astype(np.float32)

    def sums(self, values: np.ndarray) -> np.ndarray:
        """The weighted sum of values of shape (n,); shape (1 + draws,)."""
        each = np.bincount(self.code, values, self.weights.shape[1])
        return self.weights.astype(float) @ each

    def mean(self, values: np.ndarray) -> np.ndarray:
        """The mean over rows, shape (1 + draws,); the mean of True and False is a share."""
        return self.sums(values) / self.sums(np.ones(len(self.code)))

    def deviation(self, values: np.ndarray) -> np.ndarray:
        """The standard deviation over rows, shape (1 + draws,)."""
        centred = values - np.mean(values)
        return np.sqrt(np.maximum(self.mean(centred**2) - self.mean(centred) ** 2, 0))

    def quantiles(self, values: np.ndarray, *levels: float) -> np.ndarray:
        """Lower quantiles over rows, shape (1 + draws, levels); an empty resample gives NaN.

        The first is exact. Resamples of many rows are counted in 2,000 blocks of equal size, and
        the place within a block is interpolated.
        """
        order = np.argsort(values, kind="stable")
        n, ordered = len(order), values[order]
        block = np.empty(n, np.int64)
        block[order] = np.arange(n) * min(n, _BLOCKS) // n
        edges = np.searchsorted(block[order], np.arange(block.max() + 2))
        passed = np.cumsum(self.counts(block, block.max() + 1), axis=1, dtype=float)
        found = np.full((len(passed), len(levels)), np.nan)
        found[0] = ordered[np.ceil(np.array(levels) * n).astype(int) - 1]
        for row, upto in enumerate(passed[1:], start=1):
            if upto[-1] > 0:
                place = np.interp(np.array(levels) * upto[-1], np.append(0, upto), edges)
                found[row] = ordered[np.ceil(place).astype(int).clip(1) - 1]
        return found

    def counts(self, column: np.ndarray, width: int) -> np.ndarray:
        """Weighted rows in each of the columns 0 to width - 1; shape (1 + draws, width)."""
        from scipy.sparse import coo_array

        shape = (self.weights.shape[1], width)
        ones = np.ones(len(column), np.float32)
        return np.asarray(self.weights @ coo_array((ones, (self.code, column)), shape).tocsr())


def top_shares(counts: np.ndarray, share: float) -> np.ndarray:
    """What the largest `share` of those who have any hold of all, shape (rows,).

    Parameters
    ----------
    counts : np.ndarray, shape (rows, n)
        At least 0: sales of items, spending of customers. At least one of n counts as the top.
    share : float
        In (0, 1].

    Examples
    --------
    >>> top_shares(np.array([[6, 1, 1, 1, 1, 0]]), 0.2).tolist()
    [0.6]
    """
    ordered = -np.sort(-np.asarray(counts, float), axis=1)
    top = np.maximum(np.round((ordered > 0).sum(axis=1) * share), 1).astype(int)
    passed = np.cumsum(ordered, axis=1)
    with np.errstate(invalid="ignore"):  # a resample without any is NaN, here and below
        return passed[np.arange(len(counts)), top - 1] / passed[:, -1]


def zipf_exponents(counts: np.ndarray) -> np.ndarray:
    """The exponent s of P(rank r) ~ r**-s that makes the counts likeliest, shape (rows,).

    Parameters
    ----------
    counts : np.ndarray, shape (rows, n)
        Sales per item, in any order. Ranks are those of the counts; items without sales are left
        out. NaN where fewer than two items have sales.

    Notes
    -----
    Maximum likelihood: the s at which the mean log rank is what it is in the data (A. Clauset,
    C. Shalizi, M. Newman 2009, "Power-law distributions in empirical data", SIAM Review 51, with
    a finite number of ranks), by Newton's method. A fitted exponent does not say that the law fits.

    Examples
    --------
    >>> ranks = np.arange(1, 501)
    >>> zipf_exponents(np.stack([1e6 * ranks**-0.8, 1e6 / ranks])).round(3).tolist()
    [0.8, 1.0]
    """
    ordered = -np.sort(-np.asarray(counts, float), axis=1)
    log_rank = np.log(np.arange(1, ordered.shape[1] + 1))
    seen, observed = ordered > 0, shares(ordered) @ log_rank
    exponent = np.full(len(ordered), 0.5)
    for _ in range(20):
        likely = shares(np.exp(-exponent[:, None] * log_rank) * seen)
        mean = likely @ log_rank
        variance = likely @ log_rank**2 - mean**2
        with np.errstate(invalid="ignore", divide="ignore"):
            step = np.where(variance > 1e-12, (mean - observed) / variance, np.nan)
        exponent = np.clip(exponent + np.clip(step, -0.5, 0.5), -2, 8)
        if not (np.abs(step) > 1e-9).any():
            break
    return exponent


def shares(counts: np.ndarray) -> np.ndarray:
    """Each row divided by its sum, shape as given; NaN where that is 0.

    >>> shares(np.array([[1, 3]])).tolist()
    [[0.25, 0.75]]
    """
    with np.errstate(invalid="ignore"):
        return counts / counts.sum(axis=1, keepdims=True)


def calendar_moments(rows: pl.DataFrame, of: str, *, draws: int, seed: int) -> Moments:
    """Hours, weekdays, months, weeks and closed days of rows; whole days (or weeks) are resampled.

    Parameters
    ----------
    rows : pl.DataFrame, shape (n, ...)
        `time`, in the zone whose hours are meant, and `day`, counted from 0.
    of : str
        What the rows are, for the names.
    draws, seed : int

    Returns
    -------
    dict of str to np.ndarray
        A weekday's or month's share is that of its mean day, so a span need not be whole weeks or
        years; months only if at least 360 days were seen, the spread of weeks if at least 28.

    Examples
    --------
    >>> start, end = pl.datetime(2024, 1, 1, 12), pl.datetime(2024, 1, 31)
    >>> time = pl.datetime_range(start, end, "2d", eager=True)
    >>> rows = pl.DataFrame({"time": time, "day": range(0, 30, 2)})
    >>> found = calendar_moments(rows, "visits", draws=20, seed=0)
    >>> found["hours of visits"][0, 12].item()
    1.0
    >>> found["days without visits, share"][0].round(2).item()
    0.48
    """
    span, day = int(rows["day"].max()) + 1, rows["day"].to_numpy()
    moment = pl.col("time").dt
    hour, weekday, month = (
        rows.select(part).to_series().to_numpy()
        for part in (moment.hour(), moment.weekday() - 1, moment.month() - 1)
    )
    days = _all_of(span, draws, seed)
    of_day = np.eye(7)[(np.arange(span) + int(weekday[0]) - int(day[0])) % 7]
    by_weekday = days @ _table(day, weekday, span, 7) / np.maximum(days @ of_day, 1)
    moments = {
        f"hours of {of}": shares(days @ _table(day, hour, span, 24)),
        f"weekdays of {of}": shares(by_weekday),
        f"days without {of}, share": days @ (np.bincount(day, minlength=span) == 0) / span,
    }
    if span >= 360:
        start = rows["time"][0].date() - timedelta(days=int(day[0]))
        dates = pl.date_range(start, start + timedelta(days=span - 1), eager=True)
        in_month = np.eye(12)[dates.dt.month().to_numpy() - 1]
        by_month = days @ _table(day, month, span, 12) / np.maximum(days @ in_month, 1)
        moments[f"months of {of}"] = shares(by_month)
    if span >= 28:
        counts = np.bincount(day // 7, minlength=span // 7)[: span // 7]
        weeks = _all_of(len(counts), draws, seed)[:, counts > 0]
        log = np.log(counts[counts > 0])
        weeks = shares(weeks)
        variance = weeks @ log**2 - (weeks @ log) ** 2
        moments[f"weekly {of}, log-sd"] = np.sqrt(np.maximum(variance, 0))
    return moments


def _all_of(count: int, draws: int, seed: int) -> np.ndarray:
    """Weights of `count` groups, shape (1 + draws, count)."""
    return Groups(pl.int_range(count, eager=True), draws=draws, seed=seed).weights.astype(float)


def _table(row: np.ndarray, column: np.ndarray, height: int, width: int) -> np.ndarray:
    flat = row.astype(np.int64) * width + column
    return np.bincount(flat, minlength=height * width).reshape(height, width).astype(float)
