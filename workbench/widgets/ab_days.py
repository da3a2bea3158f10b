"""An experiment as sums by day: read the rows once, and every slider is arithmetic on small arrays.

    rows of users with times ─► one pass ─► sums per segment, arm and day ─► `Sample` of any day
                                            (n, x, x y of every metric and covariate)

At a day a user counts with the sum of the rows until then; the first row is the exposure. The
statistics themselves are `workbench.experiments`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import polars as pl

from workbench.experiments.cuped import Adjusted, adjust
from workbench.experiments.metric import Mean
from workbench.experiments.statistics import Sample
from workbench.tables import one_frame

__all__ = ["Days", "days_of"]

ALL = "all users"
_MOST_VALUES = 12  # of a segment column: the rest are "other"


@dataclass(frozen=True, slots=True, repr=False)
class Days:
    """Cumulative sums of an experiment, by segment, arm and day.

    Parameters
    ----------
    first : date
        The first day, UTC.
    metrics : tuple of str
    covariates : mapping of metric to covariates
    expected : mapping of arm to float
        Planned shares; the first arm is the control.
    segments : mapping of column to its values
        `ALL` has the one value of everybody.
    grams : mapping of column to ndarray, shape (values, arms, days, 1 + k, 1 + k)
        Sums of products of 1 and the k metrics and covariates, each less its centre.
    centres : ndarray, shape (k,)
    crossed_users : int
        Users seen in more than one arm; they are in none.
    """

    first: date
    metrics: tuple[str, ...]
    covariates: Mapping[str, tuple[str, ...]]
    expected: Mapping[str, float]
    segments: Mapping[str, tuple[str, ...]]
    grams: Mapping[str, np.ndarray]
    centres: np.ndarray
    crossed_users: int

    @property
    def days(self) -> int:
        """How many days there are, the first and the last included."""
        return self.grams[ALL].shape[2]

    @property
    def dates(self) -> list[date]:
        """Every day, UTC."""
        return [self.first + timedelta(days=number) for number in range(self.days)]

    @property
    def users(self) -> np.ndarray:
        """Users so far, shape (arms, days)."""
        return self.grams[ALL][0, :, :, 0, 0]

    def moments(
        self, metric: str, arm: str, *, cuped: bool = False, segment: str = ALL
    ) -> Adjusted:
        """Moments of the control and the arm, shape (values of the segment, days).

        Raises ValueError for an unknown metric, arm or segment, or for CUPED without covariates.
        """
        control, *others = self.expected
        for name, given, known in (
            ("metric", metric, self.metrics),
            ("arm", arm, others),
            ("segment", segment, self.segments),
        ):
            if given not in known:
                raise ValueError(f"{name} must be one of {[*known]}, got {given!r}")
        covariates = list(self.covariates.get(metric, ())) if cuped else []
        if cuped and not covariates:
            raise ValueError(f"{metric!r} has no covariate for CUPED; given: {self.covariates}")
        read = Mean(metric, covariates)
        sides = (self._sample(segment, name) for name in (control, arm))
        return adjust(*sides, read)

    def _sample(self, segment: str, arm: str) -> Sample:
        gram = self.grams[segment][:, [*self.expected].index(arm)]
        n, sums = gram[..., 0, 0], gram[..., 0, 1:]
        with np.errstate(divide="ignore", invalid="ignore"):
            means = sums / n[..., None]
            between = sums[..., :, None] * means[..., None, :]
            covariance = (gram[..., 1:, 1:] - between) / (n - 1)[..., None, None]
        covariance[n < 2] = np.nan
        k = covariance.shape[-1]
        covariance[..., range(k), range(k)] = covariance[..., range(k), range(k)].clip(min=0)
        known = _columns(self.metrics, self.covariates)
        keys = [f"sum|{each}" if each in self.metrics else f"first|{each}" for each in known]
        return Sample(tuple(keys), n, means + self.centres, covariance)

    def __repr__(self) -> str:
        counts = zip(self.expected, self.users[:, -1], strict=True)
        arms = ", ".join(f"{arm} {int(n):,}" for arm, n in counts)
        return f"<Days: {self.days} from {self.first}; users: {arms}>"


def days_of(
    table,
    metrics: str | Sequence[str],
    *,
    expected: Mapping[str, float],
    covariates: Mapping[str, str | Sequence[str]] | None = None,
    segments: Sequence[str] = (),
) -> Days:
    """Read an experiment's rows once.

    Parameters
    ----------
    table : polars, pandas or Arrow table
        `user variant time`, the metrics, and what else is named; any number of rows per user.
    metrics : sequence of str
        Numbers, summed per user.
    expected : mapping of arm to float
        Planned shares, adding up to 1; the first arm is the control.
    covariates : mapping of metric to columns, optional
        Known before the user was dealt; the value of a user's first row counts.
    segments : sequence of str
        Columns; the value of a user's first row counts. Beyond twelve values the rarer are "other".

    Raises
    ------
    ValueError
        If a column is missing, null or no finite numbers, time has no zone, an arm is unknown, the
        shares do not add up to 1, or there are no rows.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> when = [datetime(2026, 3, day, tzinfo=UTC) for day in (1, 1, 2, 2, 2)]
    >>> rows = {"user": [1, 2, 1, 3, 4], "variant": ["old", "new", "old", "new", "old"],
    ...         "time": when, "spent": [1.0, 5.0, 2.0, 3.0, 0.0]}
    >>> days = days_of(pl.DataFrame(rows), "spent", expected={"old": 0.5, "new": 0.5})
    >>> days, days.moments("spent", "new").treatment.mean
    (<Days: 2 from 2026-03-01; users: old 2, new 2>, array([[5., 4.]]))
    """
    metrics = (metrics,) if isinstance(metrics, str) else tuple(metrics)
    told = {
        name: (given,) if isinstance(given, str) else tuple(given)
        for name, given in (covariates or {}).items()
    }
    _check_names(metrics, expected, told)
    numbers, kinds = _columns(metrics, told), [*segments]
    frame = one_frame(table, "table", ["user", "variant", "time", *numbers, *kinds])
    frame = frame.select("user", "variant", "time", *numbers, *kinds)
    _check_rows(frame, numbers, expected)
    arms = pl.Enum([str(arm) for arm in expected])
    time = pl.col("time").dt.convert_time_zone("UTC")
    first = frame.select(time.min().dt.date()).item()
    before = [name for name in numbers if name not in metrics]
    frame = frame.with_columns(
        pl.col("variant").cast(pl.String).cast(arms),
        (time.dt.date() - pl.lit(first)).dt.total_days().cast(pl.Int32).alias("_day"),
        *(pl.col(name).cast(pl.Float64) for name in numbers),
        *(pl.col(name).cast(pl.String).fill_null("unknown") for name in kinds),
    )
    once = frame["user"].n_unique() == len(frame)
    crossed = 0
    if not once:
        frame, crossed = _by_day(frame, metrics, [*before, *kinds])
    wide = _gains(frame, metrics, before, once)
    days = int(frame["_day"].max()) + 1
    grams, values = {}, {}
    for kind in (ALL, *kinds):
        values[kind], grams[kind] = _sums(wide, kind, len(numbers), len(expected), days)
    centres = np.array([wide.centres[name] for name in numbers])
    expected = {str(arm): float(share) for arm, share in expected.items()}
    return Days(first, metrics, told, expected, values, grams, centres, crossed)


@dataclass(frozen=True, slots=True)
class _Wide:
    frame: pl.DataFrame
    centres: Mapping[str, float]


def _by_day(frame, metrics, firsts) -> tuple[pl.DataFrame, int]:
    """One row per user and day, in order; users of two arms left out."""
    arms = frame.group_by("user").agg(pl.col("variant").n_unique().alias("_arms"))
    crossed = arms.filter(pl.col("_arms") > 1)
    if len(crossed):
        frame = frame.join(crossed, on="user", how="anti")
    if not len(frame):
        raise ValueError("every user is in more than one arm: nothing is left to read")
    earliest = frame.sort("user", "time", maintain_order=True)
    earliest = earliest.unique("user", keep="first").select("user", "variant", *firsts)
    daily = frame.group_by("user", "_day").agg(pl.sum(*metrics)).sort("user", "_day")
    return daily.join(earliest, on="user", maintain_order="left"), len(crossed)


def _gains(frame, metrics, before, once) -> _Wide:
    """What each row adds to the sums of products: new users in full, known ones by the change."""
    numbers = [*metrics, *before]
    centres = dict(zip(numbers, frame.select(numbers).mean().row(0), strict=True))
    one = pl.lit(1.0) if once else pl.col("user").is_first_distinct().cast(pl.Float64)
    after = {}
    for name in numbers:
        total = pl.col(name) if once or name in before else pl.col(name).cum_sum().over("user")
        after[name] = total - centres[name]
    made = frame.with_columns(
        one.alias("_new"), *(value.alias(f"_after {name}") for name, value in after.items())
    )
    added = {name: pl.col(name) if name in metrics else pl.lit(0.0) for name in numbers}
    known = 1 - pl.col("_new")
    earlier = {name: known * (pl.col(f"_after {name}") - added[name]) for name in numbers}
    places = [("_0_0", pl.col("_new"))]
    for row, name in enumerate(numbers, 1):
        now = pl.col(f"_after {name}")
        places.append((f"_0_{row}", now - earlier[name]))
        for column, other in enumerate(numbers[:row], 1):
            then = earlier[name] * earlier[other]  # known * known = known
            places.append((f"_{column}_{row}", now * pl.col(f"_after {other}") - then))
    return _Wide(made.with_columns(value.alias(name) for name, value in places), centres)


def _sums(wide: _Wide, kind: str, k: int, arms: int, days: int) -> tuple[tuple, np.ndarray]:
    """Cumulative sums, shape (values, arms, days, 1 + k, 1 + k)."""
    frame = wide.frame
    if kind == ALL:
        frame = frame.with_columns(_value=pl.lit("all"))
    else:
        counted = frame.group_by(kind).agg(pl.sum("_new")).sort("_new", kind, descending=True)
        common = counted[kind].head(_MOST_VALUES).to_list()
        value = pl.when(pl.col(kind).is_in(common)).then(kind).otherwise(pl.lit("other"))
        frame = frame.with_columns(_value=value)
    names = [f"_{row}_{column}" for column in range(k + 1) for row in range(column + 1)]
    sums = frame.group_by("_value", "variant", "_day").agg(pl.sum(*names))
    sums = sums.sort("_value", "variant", "_day")
    values = tuple(sums["_value"].unique().sort().to_list())
    gram = np.zeros((len(values), arms, days, k + 1, k + 1))
    place = {value: number for number, value in enumerate(values)}
    at = (
        sums["_value"].replace_strict(place, return_dtype=pl.Int64).to_numpy(),
        sums["variant"].to_physical().to_numpy(),
        sums["_day"].to_numpy(),
    )
    for name in names:
        row, column = (int(number) for number in name[1:].split("_"))
        gram[(*at, row, column)] = gram[(*at, column, row)] = sums[name].to_numpy()
    return values, gram.cumsum(axis=2)


def _columns(metrics, covariates) -> list[str]:
    return [*dict.fromkeys([*metrics, *(name for each in covariates.values() for name in each)])]


def _check_names(metrics, expected, covariates) -> None:
    from workbench.assign import check_shares

    if not metrics:
        raise ValueError("metrics must name at least one column")
    if len(expected) < 2:
        raise ValueError(f"expected must plan two arms or more, got {dict(expected)}")
    check_shares(expected)
    strange = sorted({*covariates} - {*metrics})
    if strange:
        raise ValueError(f"covariates name {strange[0]!r}, which is no metric of {[*metrics]}")
    both = sorted({*metrics} & {name for each in covariates.values() for name in each})
    if both:
        raise ValueError(f"{both[0]!r} is a metric, so it cannot be known before: no covariate")


def _check_rows(frame: pl.DataFrame, numbers, expected) -> None:
    if not len(frame):
        raise ValueError("the table has no rows")
    zone = getattr(frame.schema["time"], "time_zone", None)
    if zone is None:
        raise ValueError(f"time must be moments with a time zone, got {frame.schema['time']}")
    for name in ("user", "variant", "time", *numbers):
        if frame[name].null_count():
            raise ValueError(f"{name!r} is null in {frame[name].null_count():,} rows")
    for name in numbers:
        column = frame[name]
        if not (column.dtype.is_numeric() or column.dtype == pl.Boolean):
            raise ValueError(f"{name!r} must be numbers, got {column.dtype}")
        if column.dtype.is_float() and not column.is_finite().all():
            raise ValueError(f"{name!r} has NaN or infinite values")
    seen = {str(arm) for arm in frame["variant"].unique().to_list()}
    unknown = sorted(seen - {str(arm) for arm in expected})
    if unknown:
        raise ValueError(f"arm {unknown[0]!r} was not planned; expected has {[*expected]}")
