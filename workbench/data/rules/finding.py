"""What a check says, and the thresholds and helpers that all of them share."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import polars as pl

from workbench.contracts import VOCABULARY

__all__ = ["FEW", "SIGMAS", "Finding"]

SIGMAS = 4.0  # beyond chance: one false alarm in 30,000 looks if rows were independent
FEW = 10  # fewer rows than this are a warning at most
ENOUGH = 30  # fewer values than this are not judged by their distribution
MOST_CATEGORIES = 200  # a column with more is an id or free text


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong.

    Attributes
    ----------
    check : str
        One of `workbench.data.checks.CHECKS`.
    severity : {"error", "warning"}
    evidence : str
        What was before and what is now.
    rows : int
        How many live rows it is about.
    column : str, optional
        Which column it is about; None for the table as a whole.
    where : Polars expression, optional
        Which live rows; None for all of them.
    kind : str, optional
        Which kind of the log, in a report on all of them.
    """

    check: str
    severity: str
    evidence: str
    rows: int
    column: str | None = None
    where: pl.Expr | None = field(default=None, compare=False, repr=False)
    kind: str | None = None


def is_id(name: str) -> bool:
    """Whether a column says who or what, not how much."""
    return name == "event" or VOCABULARY.get(name) == "id"


def clock_of(frame: pl.DataFrame) -> str | None:
    """The clock that rows go by: when they arrived, else when they happened."""
    schema = frame.schema
    return next((name for name in ("known_at", "time") if schema.get(name) == pl.Datetime), None)


def by_day(frame: pl.DataFrame, *aggregates: pl.Expr) -> pl.DataFrame:
    """Aggregates of each day with at least ENOUGH rows; of the whole, without a clock."""
    clock = clock_of(frame)
    day = pl.lit(0, pl.Int32) if clock is None else pl.col(clock).dt.date().cast(pl.Int32)
    days = frame.lazy().group_by(day.alias("_day")).agg(pl.len().alias("_rows"), *aggregates)
    return days.filter(pl.col("_rows") >= ENOUGH).sort("_day").collect()


def numbers(series: pl.Series) -> np.ndarray:
    """The finite values of a column, as floats."""
    values = series.drop_nulls().cast(pl.Float64).to_numpy()
    return values[np.isfinite(values)]


def has_number(name: str) -> pl.Expr:
    """Which rows have a finite number in a column."""
    return pl.col(name).cast(pl.Float64).is_finite().fill_null(False)


def is_counter(name: str, reference: pl.DataFrame) -> bool:
    """Whether a whole-number column names rows or counts them up: an id under another name."""
    values = reference[name]
    if not values.dtype.is_integer() or not len(values):
        return False
    if values.n_unique() > 0.9 * max(len(values) - values.null_count(), ENOUGH):
        return True
    middles = by_day(reference, pl.col(name).median().alias("middle"))["middle"].drop_nulls()
    return len(middles) >= 5 and bool((middles.diff().drop_nulls() > 0).all())


def percent(share: float) -> str:
    """A share in words.

    >>> percent(0.0312), percent(1.0)
    ('3.1 %', '100 %')
    """
    return f"{share * 100:.2g} %" if share < 0.995 else "100 %"
