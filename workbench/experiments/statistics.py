"""Sufficient statistics: per group the users, means and covariances, in one pass over the data.

Sums are of values less a provisional mean (of the first rows), which keeps the digits that sums of
squares lose (Chan, Golub & LeVeque 1983, "Algorithms for computing the sample variance", Am. Stat.
37). Where the first rows told too little, a second pass takes the mean of each group.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement

import numpy as np
import polars as pl

from workbench.experiments.metric import Metric, as_metrics, columns_of
from workbench.experiments.users import PerUser, per_user, raise_faults

__all__ = ["Sample", "Statistics", "statistics"]

_HEAD_ROWS = 1_000
_LOST = 1e4  # (mean - shift)**2 / variance: four of sixteen digits are gone


@dataclass(frozen=True, slots=True)
class Sample:
    """Users, means (..., k) and covariances (..., k, k) of k columns; leading axes are elements."""

    columns: tuple[str, ...]
    users: np.ndarray
    means: np.ndarray
    covariance: np.ndarray

    def of(self, columns: Sequence[str]) -> Sample:
        """Only these columns, in this order."""
        at = [self.columns.index(name) for name in columns]
        return Sample(
            tuple(columns),
            self.users,
            self.means[..., at],
            self.covariance[..., at, :][..., at],
        )

    def __add__(self, other: Sample) -> Sample:
        """Both samples together (Chan et al. 1983, equation 1.5)."""
        n0, n1 = np.asarray(self.users, float), np.asarray(other.users, float)
        n, apart = n0 + n1, other.means - self.means
        with np.errstate(divide="ignore", invalid="ignore"):
            means = (n0[..., None] * self.means + n1[..., None] * other.means) / n[..., None]
            between = apart[..., :, None] * apart[..., None, :] * (n0 * n1 / n)[..., None, None]
            within = (n0 - 1)[..., None, None] * self.covariance
            within = within + (n1 - 1)[..., None, None] * other.covariance
            covariance = (within + between) / (n - 1)[..., None, None]
        return Sample(self.columns, n, means, covariance)


@dataclass(frozen=True, slots=True)
class Statistics:
    """One sample per group. `groups` has a row for each: `variant` and the segments, if any."""

    groups: pl.DataFrame
    samples: Sample
    crossed: int

    def sample(self, **group) -> Sample | None:
        """The sample of one group; None if nobody is in it."""
        same = [pl.col(name).eq_missing(pl.lit(value)) for name, value in group.items()]
        rows = self.groups.with_row_index("_row").filter(*same)["_row"]
        if not len(rows):
            return None
        at, samples = rows[0], self.samples
        picked = samples.users[at], samples.means[at], samples.covariance[at]
        return Sample(samples.columns, *picked)

    @property
    def table(self) -> pl.DataFrame:
        """Groups with `users`, and the mean and variance of each column."""
        columns = {"users": self.samples.users}
        for at, name in enumerate(self.samples.columns):
            columns[f"{name} mean"] = self.samples.means[:, at]
            columns[f"{name} variance"] = self.samples.covariance[:, at, at]
        return self.groups.with_columns(pl.Series(k, v) for k, v in columns.items())


def statistics(
    table,
    metrics: str | Metric | Sequence[str | Metric],
    *,
    segments: Sequence[str] = (),
    one_row_per: str | None = None,
) -> Statistics:
    """Users, means and covariances per arm (and segment) of all that the metrics need.

    Parameters
    ----------
    table : polars, pandas or Arrow table, or polars.LazyFrame
        See `analyse`. A LazyFrame is read once, in pieces.
    metrics : sequence of str or Metric
        A name is a Mean.
    segments : sequence of str
        Groups are then arms within each combination of these.
    one_row_per : {None, "user"}
        "user" declares one row per user; see `per_user`.

    Raises
    ------
    ValueError
        If the table is not as it must be: see `per_user`; or it has NaN or infinite values.

    Examples
    --------
    >>> table = pl.DataFrame({"user": [1, 2, 3, 4], "variant": ["a", "a", "b", "b"]})
    >>> table = table.with_columns(revenue=pl.Series([1.0, 3.0, 5.0, 5.0]))
    >>> statistics(table, "revenue").table.row(0)
    ('a', 2, 2.0, 2.0)
    """
    metrics = as_metrics(metrics)
    columns = dict.fromkeys(column for metric in metrics for column in columns_of(metric))
    users = per_user(table, list(columns), segments=segments, one_row_per=one_row_per)
    return of_users(users, metrics, segments)


def of_users(users: PerUser, metrics: Sequence[Metric], segments: Sequence[str]) -> Statistics:
    """The statistics of users who are counted already."""
    names = list(dict.fromkeys(c.key for metric in metrics for c in columns_of(metric)))
    pairs = _pairs(names, metrics)
    by = ["variant", *segments]
    head = users.frame.head(_HEAD_ROWS).select(pl.col(names).mean()).collect()
    shift = {name: head[name].item() for name in names}
    shift |= {name: 0.0 for name in names if name.startswith("any|")}  # sums of 0 and 1 are exact
    shift = {k: v if v is not None and np.isfinite(v) else 0.0 for k, v in shift.items()}
    sums = _sums(users.frame, by, names, pairs, shift, users.faults)
    raise_faults({rule: sums[rule].sum() for rule in users.faults})
    samples, lost = _samples(sums, names, pairs, np.array([*shift.values()], float))
    if lost:
        means = pl.DataFrame(samples.means, schema=[f"shift|{name}" for name in names])
        groups = sums.select(by).hstack(means)
        frame = users.frame.join(groups.lazy(), on=by, nulls_equal=True)
        shift = {name: pl.col(f"shift|{name}") for name in names}
        again = _sums(frame, by, names, pairs, shift, {})
        again = groups.join(again, on=by, how="left", nulls_equal=True, maintain_order="left")
        samples, _ = _samples(again, names, pairs, means.to_numpy())
    return Statistics(sums.select(by), samples, users.crossed)


def _pairs(names: list[str], metrics) -> list[tuple[str, str]]:
    """The covariances that some metric needs."""
    made = {}
    for metric in metrics:
        keys = sorted((column.key for column in columns_of(metric)), key=names.index)
        made |= dict.fromkeys(combinations_with_replacement(keys, 2))
    return list(made)


def _sums(frame: pl.LazyFrame, by, names, pairs, shift, faults) -> pl.DataFrame:
    moved = {name: pl.col(name) - shift[name] for name in names}
    return (
        frame.group_by(by, maintain_order=True)  # adds in the order of the rows: the same digits
        .agg(
            pl.len().alias("_users"),
            *(moved[name].sum().alias(name) for name in names),
            *((moved[a] * moved[b]).sum().alias(f"{a} x {b}") for a, b in pairs),
            *(expression.alias(rule) for rule, expression in faults.items()),
        )
        .collect()
        .sort(by)
    )


def _samples(sums: pl.DataFrame, names, pairs, shift) -> tuple[Sample, bool]:
    """The sample of each group, and whether digits were lost."""
    users = sums["_users"].to_numpy().astype(float)
    first = sums.select(names).to_numpy().reshape(len(users), len(names))
    offset = first / users[:, None]
    covariance = np.full((len(users), len(names), len(names)), np.nan)
    for a, b in pairs:
        i, j = names.index(a), names.index(b)
        second = sums[f"{a} x {b}"].to_numpy()
        if not np.isfinite(second).all():
            which = a if not np.isfinite(sums[a].to_numpy()).all() else b
            name = which.split("|")[1]
            raise ValueError(f"metric {name!r} has NaN or infinite values, or too large ones")
        with np.errstate(divide="ignore", invalid="ignore"):
            value = (second - users * offset[:, i] * offset[:, j]) / (users - 1)
        covariance[:, i, j] = covariance[:, j, i] = value
    at = np.arange(len(names))
    variance, means = covariance[:, at, at], shift + offset
    noise = (8 * np.finfo(float).eps * means) ** 2  # a constant column has no variance
    variance = np.where(variance <= noise, 0.0, variance)
    covariance[:, at, at] = variance
    far = np.abs(offset) > 1e-12 * np.abs(means)  # not by rounding alone
    lost = bool(np.any(far & (offset**2 > _LOST * variance)))
    return Sample(tuple(names), sums["_users"].to_numpy(), means, covariance), lost
