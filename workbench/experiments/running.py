"""Users, means and variances day by day, in one pass over rows with times."""

from __future__ import annotations

from datetime import timedelta

import polars as pl

from workbench.tables import one_frame

__all__ = ["running_moments"]


def running_moments(table, metric: str, *, every: timedelta = timedelta(days=1)) -> pl.DataFrame:
    """Users, mean and variance of each arm up to each look, in one pass.

    Parameters
    ----------
    table : polars, pandas or Arrow table, or polars.LazyFrame
        Columns `user variant time` and the metric; any number of rows per user, the first of which
        is the exposure. At a look a user counts with the sum of the rows until then.
    metric : str
        Numbers.
    every : timedelta
        Between looks, from the midnight (UTC) before the first row.

    Returns
    -------
    polars.DataFrame
        `look variant users mean variance`; `look` is the moment, rows before it are in.

    Raises
    ------
    ValueError
        If a column is missing or null, the metric is not finite numbers, or a user is in two arms.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> day = lambda d: datetime(2026, 3, d, tzinfo=UTC)
    >>> rows = {"user": [1, 2, 1, 3], "variant": "old", "time": [day(1), day(1), day(2), day(2)],
    ...         "spent": [2.0, 4.0, 6.0, 0.0]}
    >>> running_moments(pl.DataFrame(rows), "spent").select("users", "mean", "variance").rows()
    [(2, 3.0, 2.0), (3, 4.0, 16.0)]
    """
    names = ["user", "variant", "time", metric]
    if isinstance(table, pl.LazyFrame):
        table = table.select(names).collect()
    frame = one_frame(table, "table", names).select(names)
    _check_rows(frame, metric)
    time = pl.col("time").dt.convert_time_zone("UTC").dt.cast_time_unit("us")
    first = frame.select(time.min().dt.truncate("1d")).item()
    look = (time - first).dt.total_microseconds() // (every // timedelta(microseconds=1))
    per_day = (
        frame.with_columns(_look=look, _value=pl.col(metric).cast(pl.Float64))
        .group_by("user", "_look")
        .agg(
            pl.col("variant").first(), pl.col("variant").n_unique().alias("_arms"), pl.sum("_value")
        )
        .sort("user", "_look")
    )
    arms = per_day.group_by("user").agg(pl.col("variant").n_unique())["variant"].max()
    if per_day["_arms"].max() > 1 or arms > 1:
        raise ValueError("a user is in two arms: leave crossed users out first, see `exposed`")
    so_far = pl.col("_value").cum_sum().over("user")
    centre = frame[metric].mean()  # squares of small numbers keep their digits
    changes = per_day.with_columns(
        new=pl.col("user").is_first_distinct().cast(pl.Float64), after=so_far
    ).with_columns(before=pl.col("after") - pl.col("_value"))
    # a user who is new brings (after - c), one who is known changes (before - c) to (after - c)
    old = (1 - pl.col("new")) * (pl.col("before") - centre)
    changes = changes.with_columns(
        first=pl.col("after") - centre - old, second=(pl.col("after") - centre) ** 2 - old**2
    )
    order = frame["variant"].unique(maintain_order=True)
    grid = pl.DataFrame({"_look": pl.int_range(changes["_look"].max() + 1, eager=True)})
    sums = changes.group_by("variant", "_look").agg(pl.sum("new", "first", "second"))
    whole = grid.join(pl.DataFrame({"variant": order}), how="cross")
    whole = whole.join(sums, on=["variant", "_look"], how="left", maintain_order="left")
    running = pl.col("new", "first", "second").fill_null(0).cum_sum().over("variant")
    n, total, squares = pl.col("new"), pl.col("first"), pl.col("second")
    spread = (squares - total**2 / n).clip(lower_bound=0) / (n - 1)
    return whole.with_columns(running).select(
        look=first + (pl.col("_look") + 1) * every,
        variant="variant",
        users=n.cast(pl.Int64),
        mean=pl.when(n > 0).then(centre + total / n),
        variance=pl.when(n > 1).then(spread),
    )


def _check_rows(frame: pl.DataFrame, metric: str) -> None:
    for name in frame.columns:
        if frame[name].null_count():
            raise ValueError(f"{name!r} is null in {frame[name].null_count():,} rows")
    column, time = frame[metric], frame.schema["time"]
    if not isinstance(time, pl.Datetime) or time.time_zone is None:
        raise ValueError(f"time must have a time zone, got {time}")
    if not (column.dtype.is_numeric() or column.dtype == pl.Boolean):
        raise ValueError(f"metric {metric!r} must be numbers, got {column.dtype}")
    if column.dtype.is_float() and not column.is_finite().all():
        raise ValueError(f"metric {metric!r} has NaN or infinite values")
    if not len(frame):
        raise ValueError("the table has no rows")
