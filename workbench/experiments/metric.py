"""What is measured on a user: a mean, a share of users, or a ratio of two sums.

    Mean("revenue")                                 sum per user, mean over users
    Mean("revenue", covariates=["revenue_before"])  the same by CUPED
    Mean("revenue", winsorise=0.999)                the largest thousandth capped
    Proportion("bought")                            share of users with any 1
    Ratio("clicks", "views")                        sum of clicks / sum of views

Users were dealt, so users are what is counted: rows of one user are summed first (for a proportion:
any; covariates, which must be known before the experiment: one value per user).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

__all__ = ["Column", "Mean", "Metric", "Proportion", "Quantity", "Ratio", "as_metrics"]


@dataclass(frozen=True, slots=True)
class Column:
    """One number per user: a column, and how the rows of one user become that number."""

    name: str
    how: str = "sum"  # or "any" or "first"
    cap: tuple[float, float] | None = None  # quantiles of the users of all arms

    @property
    def key(self) -> str:
        """A name no other column of the read-out has."""
        cap = "" if self.cap is None else f"|{self.cap[0]}|{self.cap[1]}"
        return f"{self.how}|{self.name}{cap}"


@dataclass(frozen=True, slots=True)
class Quantity:
    """A mean of one column, or the ratio of the means of two."""

    numerator: Column
    denominator: Column | None = None

    @property
    def columns(self) -> tuple[Column, ...]:
        """The one or two columns."""
        return (self.numerator,) if self.denominator is None else (self.numerator, self.denominator)


@dataclass(frozen=True, slots=True)
class Mean:
    """The sum of a column per user, averaged over users.

    Parameters
    ----------
    column : str
        Numbers; 0 where nothing happened.
    covariates : sequence of str
        For CUPED: columns known before the user was dealt, one value per user.
    winsorise : float or pair of floats, optional
        Quantiles, of the users of all arms pooled, beyond which sums are set to the quantile. One
        number is the upper one. It trades bias for variance: the mean is then of capped sums.

    >>> Mean("revenue", covariates=["revenue_before"], winsorise=0.99).name
    'revenue, capped, CUPED'
    """

    column: str
    covariates: Sequence[str] = ()
    winsorise: float | tuple[float, float] | None = None

    def __post_init__(self):
        object.__setattr__(self, "covariates", _covariates(self.covariates))
        if self.winsorise is not None:
            object.__setattr__(self, "winsorise", _quantiles(self.winsorise))
        _named(self.column, "column")

    @property
    def name(self) -> str:
        """What it is called in the read-out."""
        capped = "" if self.winsorise is None else ", capped"
        return f"{self.column}{capped}{', CUPED' if self.covariates else ''}"

    @property
    def quantity(self) -> Quantity:
        """What is averaged."""
        return Quantity(Column(self.column, cap=self.winsorise))


@dataclass(frozen=True, slots=True)
class Proportion:
    """The share of users with a 1 in any row of a column of 0 and 1.

    >>> Proportion("bought").name
    'bought'
    """

    column: str

    def __post_init__(self):
        _named(self.column, "column")

    @property
    def covariates(self) -> tuple:
        """None: for CUPED on 0 and 1, take `Mean`."""
        return ()

    @property
    def name(self) -> str:
        """What it is called in the read-out."""
        return self.column

    @property
    def quantity(self) -> Quantity:
        """What is averaged."""
        return Quantity(Column(self.column, "any"))


@dataclass(frozen=True, slots=True)
class Ratio:
    """A sum over a sum, when users are dealt but clicks, views or sessions are counted.

    Its variance is that of the delta method (Deng, Knoblich & Lu 2018, KDD, equation 3).

    Parameters
    ----------
    numerator, denominator : str
        Columns of numbers.
    covariates : sequence of str or of pairs of str
        For CUPED; a pair is a ratio itself, such as clicks per view of the weeks before.

    >>> Ratio("clicks", "views", covariates=[("clicks_before", "views_before")]).name
    'clicks / views, CUPED'
    """

    numerator: str
    denominator: str
    covariates: Sequence[str | tuple[str, str]] = ()

    def __post_init__(self):
        object.__setattr__(self, "covariates", _covariates(self.covariates))
        _named(self.numerator, "numerator")
        _named(self.denominator, "denominator")
        if self.numerator == self.denominator:
            raise ValueError(f"a ratio needs two columns, got {self.numerator!r} twice")

    @property
    def name(self) -> str:
        """What it is called in the read-out."""
        return f"{self.numerator} / {self.denominator}{', CUPED' if self.covariates else ''}"

    @property
    def quantity(self) -> Quantity:
        """What is divided."""
        return Quantity(Column(self.numerator), Column(self.denominator))


Metric = Mean | Proportion | Ratio


def as_metrics(metrics: str | Metric | Sequence[str | Metric]) -> tuple[Metric, ...]:
    """Metrics from names and metrics: a name is a Mean.

    >>> as_metrics(["revenue", Proportion("bought")])
    (Mean(column='revenue', covariates=(), winsorise=None), Proportion(column='bought'))

    Raises ValueError if there are none, or two have one name.
    """
    alone = isinstance(metrics, (str, Mean, Proportion, Ratio)) or not isinstance(metrics, Iterable)
    given = [metrics] if alone else list(metrics)
    made = tuple(Mean(each) if isinstance(each, str) else each for each in given)
    strange = [each for each in made if not isinstance(each, (Mean, Proportion, Ratio))]
    names = [each.name for each in made if each not in strange]
    if not made or strange or len({*names}) < len(names):
        raise ValueError(
            "metrics must be one or more different columns of numbers, Mean, Proportion or Ratio, "
            f"got {strange or given}"
        )
    return made


def covariates_of(metric: Metric) -> tuple[Quantity, ...]:
    """What is adjusted for: columns, or ratios of two."""
    return tuple(
        Quantity(Column(each, "first"))
        if isinstance(each, str)
        else Quantity(*(Column(name, "first") for name in each))
        for each in metric.covariates
    )


def columns_of(metric: Metric) -> tuple[Column, ...]:
    """Every column that a metric needs, each once."""
    quantities = (metric.quantity, *covariates_of(metric))
    return tuple(dict.fromkeys(column for each in quantities for column in each.columns))


def _named(name: str, what: str) -> None:
    if not isinstance(name, str) or not name:
        raise ValueError(f"{what} must be the name of a column, got {name!r}")


def _covariates(given) -> tuple:
    if isinstance(given, str):
        raise ValueError(f"covariates must be a sequence of columns, got {given!r}: [{given!r}]")
    made = tuple(each if isinstance(each, str) else tuple(each) for each in given)
    for each in made:
        if not isinstance(each, str) and len(each) != 2:
            raise ValueError(f"a covariate is a column or a pair of columns, got {each}")
    return made


def _quantiles(given) -> tuple[float, float]:
    low, high = (0.0, given) if isinstance(given, (int, float)) else given
    if not 0 <= low < high <= 1:
        raise ValueError(f"winsorise must be quantiles, 0 <= low < high <= 1, got {given}")
    return float(low), float(high)
