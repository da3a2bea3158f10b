"""Have the columns moved? The stability index of each day against the reference."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from workbench.metrics import population_stability_index
from workbench.monitoring.alarm import Watch, by_day, judge

__all__ = ["drift"]

_MISSING = " missing"  # after a column's name: its share of nulls, watched as a column of its own
_WORDS_KEPT = 20  # the rest of a column of words is one value


def drift(
    reference,
    live,
    *,
    columns: Sequence[str],
    false_alarm_rate: float = 0.05,
    bins: int = 10,
) -> Watch:
    """Alarm on the days when some column looks like on no day of the reference.

    Parameters
    ----------
    reference, live : polars.DataFrame, pandas.DataFrame or pyarrow.Table
        `time` and the columns: inputs, or the model's score. The reference is a stretch of days
        when all was well, at least 1 / false_alarm_rate - 1 of them.
    columns : sequence of str
        Numbers, truth values or words. Nulls are watched as a column of their own.
    false_alarm_rate : float, default 0.05
        Share of normal days with an alarm in any of the columns.
    bins : int, default 10
        Of the population stability index.

    Returns
    -------
    Watch
        `days` has the loudest column of each day and its index, `detail` all of them.

    Raises
    ------
    ValueError
        If a column is missing, a clock has no zone, or there are too few reference days.

    Notes
    -----
    Each reference day is compared with the other reference days, which shows how far a normal
    day lies. A column counts by the number of its own standard deviations (of log index) above
    its own mean; the loudest column speaks for the day; a live day alarms when it is louder than
    all but a share `false_alarm_rate` of the days. So noisy columns, weekends and the number of
    columns are allowed for. Days should have similar numbers of rows: the index of a thin day
    is large by chance.

    Examples
    --------
    >>> from datetime import datetime, timedelta, UTC
    >>> rng = np.random.default_rng(0)
    >>> time = pl.Series([datetime(2024, 5, 1, tzinfo=UTC) + timedelta(hours=h / 10)
    ...                   for h in range(300 * 24)])
    >>> rows = pl.DataFrame({"time": time, "amount": rng.lognormal(3, 1, len(time))})
    >>> doubled = pl.when(pl.col("time").dt.day() > 26).then(2.0).otherwise(1.0)   # of ten days
    >>> rows = rows.with_columns(pl.col("amount") * doubled)
    >>> watch = drift(rows[:20 * 240], rows[20 * 240:], columns=["amount"])
    >>> watch.days.filter("alarm")["day"].dt.day().to_list()
    [27, 28, 29, 30]
    """
    columns = [columns] if isinstance(columns, str) else list(columns)
    if not columns:
        raise ValueError("columns must name at least one column")
    normal_days = by_day(reference, "reference", columns)
    live_days = by_day(live, "live", columns)
    ranks = {name: _ranks(pl.concat(day[name] for day in normal_days.values())) for name in columns}
    normal = {day: _numeric(rows, ranks) for day, rows in normal_days.items()}
    detail = []
    for day, today in normal.items():
        others = [values for other, values in normal.items() if other != day] or [today]
        detail += _indices(day, _pool(others), today, bins, is_live=False)
    everything = _pool(list(normal.values()))
    for day, rows in live_days.items():
        detail += _indices(day, everything, _numeric(rows, ranks), bins, is_live=True)
    table = _standardised(pl.DataFrame(detail, schema=_SCHEMA, orient="row"))
    loudest = table.sort("loudness", descending=True, nulls_last=True).group_by("day", "live")
    loudest = loudest.agg(pl.all().first()).sort("day")
    seen = loudest.filter("live")
    p_value = judge(
        loudest.filter(~pl.col("live"))["loudness"].to_numpy(),
        seen["loudness"].to_numpy(),
        false_alarm_rate,
    )
    rows = pl.Series("rows", [len(live_days[day]) for day in seen["day"]])
    days = seen.select("day", rows, "column", "index", p_value=pl.Series(p_value))
    days = days.with_columns(alarm=pl.col("p_value").fill_nan(1.0) <= false_alarm_rate + 1e-12)
    return Watch(", ".join(columns), days, table, false_alarm_rate, len(normal_days))


_SCHEMA = {
    "day": pl.Date,
    "live": pl.Boolean,
    "rows": pl.Int64,
    "column": pl.String,
    "index": pl.Float64,
}


def _indices(day, reference: dict, today: dict, bins: int, *, is_live: bool) -> list[tuple]:
    """The index of each column on one day; NaN where there is nothing to compare."""
    found = []
    for name, values in today.items():
        known, before = (x[~np.isnan(x)] for x in (values, reference[name]))
        index = float("nan")
        if len(known) and len(before) and np.ptp(known) == 0 and (before == known[0]).all():
            index = 0.0  # a constant: what the index makes of the two sizes is no news
        elif len(known) and len(before):
            index = population_stability_index(before, known, bins=bins)
        found.append((day, is_live, len(values), name, index))
    return found


def _standardised(table: pl.DataFrame) -> pl.DataFrame:
    """`loudness`: standard deviations of log index above the column's mean over the reference.

    One value missing in a month must not make its day the loudest that there can be: an index
    below what about one row makes counts as that, and a spread below that of chance as chance.
    """
    log_index = pl.max_horizontal(pl.col("index").fill_nan(None), 4 / pl.col("rows")).log()
    log_index = pl.when(pl.col("index").is_not_nan()).then(log_index)
    normal = log_index.filter(~pl.col("live"))
    spread = normal.std().over("column").clip(0.3)  # of log chi-square: sqrt(2 / (bins - 1))
    return table.with_columns(loudness=(log_index - normal.mean().over("column")) / spread)


def _pool(days: list[dict]) -> dict[str, np.ndarray]:
    return {name: np.concatenate([day[name] for day in days]) for name in days[0]}


def _numeric(rows: pl.DataFrame, ranks: dict) -> dict[str, np.ndarray]:
    """Columns of one day as floats, and which are missing."""
    values = {}
    for name, rank in ranks.items():
        column = rows[name]
        if rank is not None:  # words that the reference did not have are one value, the last
            code = column.cast(pl.String).replace_strict(rank, default=len(rank))
            column = code.set(column.is_null(), None)
        is_number = column.dtype.is_numeric() or column.dtype == pl.Boolean
        if not is_number and column.null_count() < len(column):
            raise ValueError(f"{name} was numbers in the reference and is {column.dtype} on a day")
        values[name] = column.cast(pl.Float64).fill_null(float("nan")).to_numpy()
        values[name + _MISSING] = column.is_null().cast(pl.Float64).to_numpy()
    return values


def _ranks(column: pl.Series) -> dict[str, int] | None:
    """Words by how often the reference has them; None for numbers."""
    if column.dtype.is_numeric() or column.dtype == pl.Boolean:
        return None
    if column.dtype.is_nested():
        raise ValueError(f"{column.name} holds {column.dtype}: drift takes numbers or words")
    words = column.cast(pl.String).alias("word").drop_nulls().to_frame().group_by("word").len()
    words = words.sort("len", "word", descending=[True, False])["word"].head(_WORDS_KEPT)
    return {word: place for place, word in enumerate(words)}
