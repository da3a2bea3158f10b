"""Where do two models part, and who was right? Slices by any column.

Pure functions of the table of `pairs`, quick enough to stand behind a slider: a widget asks, shows,
and asks again. The map of score against score is in `cells`.
"""

from __future__ import annotations

import itertools

import numpy as np
import polars as pl

__all__ = ["differs", "slices", "who_was_right"]

_RIGHT = ("both", "live", "shadow", "neither")


def who_was_right(pairs: pl.DataFrame, *, positive: str = "block") -> pl.Series:
    """For each row "both", "live", "shadow" or "neither"; null without a label or an answer.

    Right is `positive` where the label is 1 and anything else where it is 0.

    >>> both = pl.DataFrame({"live_action": ["block", "block"], "label": [1, 0],
    ...                      "shadow_action": ["block", "approve"]})
    >>> who_was_right(both).to_list()
    ['both', 'shadow']
    """
    for name in ("live_action", "shadow_action", "label"):
        if name not in pairs.columns:
            raise ValueError(f"pairs have no column {name!r}; they have {pairs.columns}")
    label = pl.col("label").cast(pl.Boolean)
    live, shadow = ((pl.col(f"{who}_action") == positive) == label for who in ("live", "shadow"))
    both, only_live, only_shadow, neither = map(pl.lit, _RIGHT)
    either = pl.when(live).then(only_live).when(shadow).then(only_shadow).otherwise(neither)
    known = live.is_not_null() & shadow.is_not_null()
    right = pl.when(known).then(pl.when(live & shadow).then(both).otherwise(either))
    return pairs.select(right=right.cast(pl.Enum(_RIGHT)))["right"]


def slices(
    pairs: pl.DataFrame, by: str, *, bins: int = 5, positive: str = "block", most: int = 50
) -> pl.DataFrame:
    """One row for each value of a column: how many rows, how often the models part, who was right.

    Parameters
    ----------
    pairs : polars.DataFrame
        From `pairs`.
    by : str
        Any column. Numbers with more than `most` values are cut into `bins` of equal size; times
        are put together by day, week, month or year, whichever first leaves `most` of them; of
        words the `most` frequent are kept and the others put together as "(others)".
    bins, positive, most

    Returns
    -------
    polars.DataFrame
        `value rows` and, as far as there are columns for it: `disagree` (share of rows with another
        action or item), `mean_live mean_shadow` (scores), `labelled rate`, `both live shadow
        neither` (shares of labelled rows). In the order of numbers, or most rows first.

    Raises
    ------
    ValueError
        If there is no such column.

    Examples
    --------
    >>> both = pl.DataFrame({"live_action": ["block", "block", "approve"], "country": ["ch"] * 3,
    ...                      "shadow_action": ["block", "approve", "approve"]})
    >>> slices(both, "country").row(0)
    ('ch', 3, 0.3333333333333333)
    """
    if by not in pairs.columns:
        raise ValueError(f"pairs have no column {by!r}; they have {pairs.columns}")
    wanted = [pl.len().alias("rows")]
    apart = differs(pairs)
    if apart is not None:
        wanted.append(apart.mean().alias("disagree"))
    for who in ("live", "shadow"):
        if f"{who}_score" in pairs.columns:
            wanted.append(pl.col(f"{who}_score").mean().alias(f"mean_{who}"))
    frame = pairs.with_columns(_value=slice_values(pairs[by], bins=bins, most=most))
    if "label" in pairs.columns:
        label = pl.col("label").cast(pl.Float64)
        wanted += [label.count().alias("labelled"), label.mean().alias("rate")]
        if {"live_action", "shadow_action"} <= set(pairs.columns):
            frame = frame.with_columns(_right=who_was_right(pairs, positive=positive))
            wanted += [(pl.col("_right") == word).mean().alias(word) for word in _RIGHT]
    found = frame.group_by("_value").agg(wanted).rename({"_value": "value"})
    ordered = pairs[by].dtype.is_numeric() or pairs[by].dtype.is_temporal()
    if ordered and frame["_value"].dtype == pl.Enum:
        return found.sort("value").with_columns(pl.col("value").cast(pl.String))
    return found.sort("rows", "value", descending=[True, False], nulls_last=True)


def differs(pairs: pl.DataFrame) -> pl.Expr | None:
    """Whether the two say otherwise in a row; None when there are neither actions nor items."""
    kinds = [
        kind
        for kind in ("action", "item")
        if {f"live_{kind}", f"shadow_{kind}"} <= set(pairs.columns)
    ]
    if not kinds:
        return None
    return pl.any_horizontal(
        *(pl.col(f"live_{kind}").ne_missing(pl.col(f"shadow_{kind}")) for kind in kinds)
    )


def slice_values(column: pl.Series, *, bins: int = 5, most: int = 50) -> pl.Series:
    """What each row of a column is put under: a word, a number, or the bin of a number or a time.

    >>> slice_values(pl.Series([1.0, 2.0, 3.0, 4.0]), bins=2, most=3).to_list()
    ['<= 2.5', '<= 2.5', '> 2.5', '> 2.5']
    """
    if column.dtype in (pl.Datetime, pl.Date):
        return _periods(column, most)
    if column.dtype == pl.Duration:
        column = column.dt.total_seconds(fractional=True)
    if column.dtype.is_numeric() and _has_more_than(most, column):
        known = (
            column.drop_nulls() if not column.dtype.is_float() else column.drop_nans().drop_nulls()
        )
        inner = np.unique(np.quantile(known.to_numpy(), np.linspace(0, 1, bins + 1)[1:-1]))
        code = np.searchsorted(inner, column.fill_null(0).to_numpy(), side="left")
        missing = column.is_null() | (column.is_nan() if column.dtype.is_float() else False)
        labels = pl.Series(_labels(inner), dtype=pl.Enum(_labels(inner)))
        return labels.gather(pl.Series(code, dtype=pl.UInt32).set(missing, None))
    if column.dtype.is_numeric() or column.dtype == pl.Boolean:
        return column
    words = column.cast(pl.String)
    if words.n_unique() <= most:
        return words
    kept = words.value_counts(sort=True)[words.name].head(most)
    return pl.select(
        pl.when(words.is_in(kept.implode())).then(words).otherwise(pl.lit("(others)"))
    ).to_series()


def _periods(column: pl.Series, most: int) -> pl.Series:
    """The first day of the day, week, month or year of each time."""
    ends = pl.Series([column.min(), column.max()], dtype=column.dtype)
    for every in ("1d", "1w", "1mo", "1y"):
        first, last = ends.dt.truncate(every).dt.date()
        if first is None or len(pl.date_range(first, last, every, eager=True)) <= most:
            break
    day = column.dt.truncate(every).dt.date()
    days = day.unique().drop_nulls().sort()
    code = np.searchsorted(days.to_physical(), day.to_physical().fill_null(0))
    words = days.cast(pl.String)
    code = pl.Series(code, dtype=pl.UInt32).set(day.is_null(), None)
    return words.cast(pl.Enum(words)).gather(code)


def _has_more_than(most: int, column: pl.Series) -> bool:
    """Whether a column has more values than that; the first rows mostly tell."""
    return column.head(10 * most).n_unique() > most or column.n_unique() > most


def _labels(inner: np.ndarray) -> list[str]:
    """Names of the bins between these edges, with as many digits as tell them apart."""
    for digits in (4, 8, 17):
        edges = [f"{edge:.{digits}g}" for edge in inner]
        if len(set(edges)) == len(edges):
            break
    between = [f"{low} to {high}" for low, high in itertools.pairwise(edges)]
    return [f"<= {edges[0]}", *between, f"> {edges[-1]}"]
