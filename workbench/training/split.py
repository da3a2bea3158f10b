"""Train on the past, test on what came after, and leave a gap where labels were not yet known."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl

from workbench.tables import is_pandas, one_frame

__all__ = ["time_split"]


def time_split(frame, *, at: datetime, gap_days: float, train_days=None, test_days=None):
    """Rows to train on and rows to test on, apart in time.

    A random split trains on the neighbours of its test rows and asks for labels that nobody had
    yet. Here the model is made at `at` and is asked from then on; rows younger than `gap_days`
    at that moment have no label yet and are left out.

    Parameters
    ----------
    frame : polars.DataFrame, pandas.DataFrame or pyarrow.Table
        Has `time`, with time zone.
    at : datetime
        When the model is made; with time zone.
    gap_days : float
        The label delay. 0 says openly that labels are known at once.
    train_days, test_days : float, optional
        Length of the two stretches; all there is when missing.

    Returns
    -------
    train, test : same type as `frame`
        time in [at - gap - train_days, at - gap) and [at, at + test_days). Rows keep their order.

    Raises
    ------
    ValueError
        If a clock has no zone, a length is negative, or one side has no rows.

    Examples
    --------
    >>> import polars as pl
    >>> from datetime import UTC
    >>> days = [datetime(2024, 5, d, tzinfo=UTC) for d in range(1, 11)]
    >>> train, test = time_split(pl.DataFrame({"time": days}), at=days[7], gap_days=3)
    >>> train["time"].dt.day().to_list(), test["time"].dt.day().to_list()
    ([1, 2, 3, 4], [8, 9, 10])
    """
    for name, days in (
        ("gap_days", gap_days),
        ("train_days", train_days),
        ("test_days", test_days),
    ):
        if days is not None and days < 0:
            raise ValueError(f"{name} must not be negative, got {days}")
    if at.tzinfo is None:
        raise ValueError(f"at must have a time zone, got {at}")
    if isinstance(frame, pl.LazyFrame):
        frame = frame.collect()
    time = one_frame(frame, "frame", ["time"])["time"]
    if time.dtype != pl.Datetime or time.dtype.time_zone is None:
        raise ValueError(
            f"time must have a time zone, got {time.dtype}: rename(frame, tz=…) gives one"
        )
    time, at = time.dt.convert_time_zone("UTC"), at.astimezone(UTC)
    last = at - timedelta(days=gap_days)
    is_train, is_test = time < last, time >= at
    if train_days is not None:
        is_train &= time >= last - timedelta(days=train_days)
    if test_days is not None:
        is_test &= time < at + timedelta(days=test_days)
    for side, rows in (("train on", is_train), ("test on", is_test)):
        if not rows.any():
            raise ValueError(
                f"nothing to {side}: time runs from {time.min()} to {time.max()}, the model is "
                f"made at {at}"
            )
    return _rows(frame, is_train), _rows(frame, is_test)


def _rows(frame, chosen: pl.Series):
    """Some rows of a table of any kind; a null chooses none."""
    chosen = chosen.fill_null(False)
    if is_pandas(frame):
        return frame[chosen.to_numpy()]
    return frame.filter(chosen if isinstance(frame, pl.DataFrame) else chosen.to_arrow())
