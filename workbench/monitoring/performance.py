"""Does the model still rank fraud above the rest? AUC by day, on the labels that have come."""

from __future__ import annotations

import numpy as np
import polars as pl

from workbench.monitoring.alarm import Watch, by_day, judge

__all__ = ["auc_and_error", "performance"]


def performance(reference, live, *, false_alarm_rate: float = 0.05) -> Watch:
    """Alarm on the days when the model ranks worse than on any day of the reference.

    Parameters
    ----------
    reference, live : polars.DataFrame, pandas.DataFrame or pyarrow.Table
        `time`, `score` and `label`: 1, 0, or null where nobody knows yet (see
        `workbench.outcomes`). The reference is a stretch of days when all was well, at least
        1 / false_alarm_rate - 1 of them with both labels.
    false_alarm_rate : float, default 0.05
        Share of normal days with an alarm.

    Returns
    -------
    Watch
        `days`: `auc` with its 95 % interval `low`, `high`; null, and no alarm, where a day has
        fewer than two of one label.

    Raises
    ------
    ValueError
        If a column is missing, a label is not 0 or 1, a clock has no zone, or there are too few
        reference days.

    Notes
    -----
    A day counts by how many of its own standard errors its AUC lies below the mean of the
    reference days, so that days with few positives do not cry wolf. Use matured labels only:
    among the young ones just the positives are known.

    Examples
    --------
    >>> from datetime import datetime, timedelta, UTC
    >>> rng = np.random.default_rng(0)
    >>> time = pl.Series([datetime(2024, 5, 1, tzinfo=UTC) + timedelta(minutes=5 * m)
    ...                   for m in range(30 * 288)])
    >>> label = (rng.random(len(time)) < 0.1).astype(float)
    >>> score = rng.normal(label * np.where(time.dt.day() > 28, 0.2, 1.5))   # forgets at day 29
    >>> rows = pl.DataFrame({"time": time, "label": label, "score": score})
    >>> watch = performance(rows[:20 * 288], rows[20 * 288:])
    >>> watch.first_alarm.day
    29
    """
    columns = ["label", "score"]
    normal = _measure(by_day(reference, "reference", columns), is_live=False)
    seen = _measure(by_day(live, "live", columns), is_live=True)
    expected = normal["auc"].mean()
    table = pl.concat([normal, seen])
    table = table.with_columns(
        below=(pl.lit(expected, pl.Float64) - pl.col("auc")) / pl.col("error")
    )
    below = {
        is_live: table.filter(pl.col("live") == is_live)["below"].fill_null(float("nan")).to_numpy()
        for is_live in (False, True)
    }
    p_value = judge(below[False], below[True], false_alarm_rate)
    days = seen.select(
        "day",
        "rows",
        "auc",
        low=(pl.col("auc") - 1.96 * pl.col("error")).clip(0, 1),
        high=(pl.col("auc") + 1.96 * pl.col("error")).clip(0, 1),
        p_value=pl.Series(p_value).fill_nan(None),
    )
    days = days.with_columns(alarm=pl.col("p_value").fill_null(1.0) <= false_alarm_rate + 1e-12)
    return Watch("AUC", days, table, false_alarm_rate, normal["auc"].count())


def auc_and_error(labels, scores) -> tuple[float, float]:
    """Area under the ROC curve and its standard error; (NaN, NaN) below two of either label.

    Parameters
    ----------
    labels : array-like, shape (n,)
        0 or 1.
    scores : array-like, shape (n,)
        Finite; ties count half.

    Raises
    ------
    ValueError
        If a label is not 0 or 1 or a score is not finite.

    Notes
    -----
    DeLong, DeLong & Clarke-Pearson (1988), Biometrics 44, section 2: the variance of the placement
    of each positive among the negatives, and of each negative among the positives. O(n log n).

    Examples
    --------
    >>> auc, error = auc_and_error([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    >>> auc, round(error, 3)
    (0.75, 0.354)
    """
    labels, scores = np.asarray(labels, float), np.asarray(scores, float)
    if not np.isin(labels, (0, 1)).all() or not np.isfinite(scores).all():
        raise ValueError("labels must be 0 or 1 and scores finite")
    positive, negative = np.sort(scores[labels == 1]), np.sort(scores[labels == 0])
    if min(len(positive), len(negative)) < 2:
        return float("nan"), float("nan")
    above = _placement(positive, negative)
    below = 1 - _placement(negative, positive)
    error = np.sqrt(above.var(ddof=1) / len(positive) + below.var(ddof=1) / len(negative))
    return float(above.mean()), float(error)


def _placement(values: np.ndarray, among: np.ndarray) -> np.ndarray:
    """Share of `among` (sorted) that each value exceeds, ties half."""
    smaller = np.searchsorted(among, values, side="left")
    return (smaller + np.searchsorted(among, values, side="right")) / 2 / len(among)


def _measure(days: dict, *, is_live: bool) -> pl.DataFrame:
    rows = []
    for day, frame in days.items():
        known = frame.drop_nulls("label")
        if known["score"].null_count():
            raise ValueError(f"score is null in {known['score'].null_count()} rows of {day}")
        auc, error = auc_and_error(known["label"].to_numpy(), known["score"].to_numpy())
        # all pairs in order leave no error to measure by: a floor, so that AUC 0 is an alarm
        rows.append((day, is_live, len(known), auc, max(error, 1e-9) if error == error else error))
    table = pl.DataFrame(rows, schema=_SCHEMA, orient="row")
    return table.with_columns(pl.col("auc", "error").fill_nan(None))


_SCHEMA = {
    "day": pl.Date,
    "live": pl.Boolean,
    "rows": pl.Int64,
    "auc": pl.Float64,
    "error": pl.Float64,
}
