"""A feature, defined once, as a value.

    features.mean("amount", of="payment", per="user", days=30)
             │     │            │             │        └ window [t - 30 days, t)
             │     │            │             └ entity: a key column, or several
             │     │            └ event kind in the log
             │     └ the column that is aggregated
             └ what is done with it

Equal definitions are equal values, have the same version, and give the same numbers. Conditions
are short SQL expressions ("amount > 100 AND place = 'CH'"), because text can be compared, hashed,
stored beside a model and read by a person.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field
from datetime import timedelta

import polars as pl

__all__ = ["Feature", "Ratio", "expression"]

_WORDS = (
    (">=", " at least "),
    ("<=", " at most "),
    ("!=", " not "),
    ("<>", " not "),
    (">", " over "),
    ("<", " under "),
    ("=", " is "),
)


@dataclass(frozen=True, kw_only=True)
class Feature:
    """One aggregate over the past of one entity; the functions in `aggregates` make it.

    For a request at t it reads the events with time in [t - lag - window, t - lag) and
    known_at < t. No window means "ever".

    Parameters
    ----------
    aggregate : str
        count, sum, mean, share, distinct or time_since.
    of : str
        Event kind.
    per : tuple of str
        Key columns that name the entity. They are in the requests and in the events.
    column : str or None
        What is aggregated; for `share` a condition or a column of zeros and ones.
    window, lag : timedelta
        `window` None is unbounded; `lag` keeps the youngest events out, for labels that come late.
    where : str or None
        SQL condition on the events' columns; only events that meet it count.
    name : str
        Column name in the training frame. Not part of the definition.
    """

    aggregate: str
    of: str
    per: tuple[str, ...]
    column: str | None = None
    window: timedelta | None = None
    lag: timedelta = timedelta(0)
    where: str | None = None
    name: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        if not self.per or len(set(self.per)) < len(self.per):
            raise ValueError(f"per must name one or more different key columns, got {self.per}")
        if self.window is not None and self.window <= timedelta(0):
            raise ValueError(f"the window of {self.of} must be longer than zero, got {self.window}")
        if self.lag < timedelta(0):
            raise ValueError(f"lag_days must not be negative (that is the future), got {self.lag}")
        for condition in (self.where, self.column):
            if condition is not None:
                expression(condition)
        object.__setattr__(self, "name", self.name or _name(self))

    @property
    def version(self) -> str:
        """Eight hex digits of the definition; a changed definition has another one."""
        return _digest(self.definition)

    @property
    def definition(self) -> dict:
        """Everything that decides the values, ready for JSON; windows in microseconds."""
        return {
            "aggregate": self.aggregate,
            "of": self.of,
            "per": list(self.per),
            "column": self.column,
            "window_us": None if self.window is None else self.window // _US,
            "lag_us": self.lag // _US,
            "where": self.where,
        }

    @property
    def columns(self) -> frozenset[str]:
        """Columns of the events that the feature reads, besides the two clocks."""
        parts = [part for part in (self.column, self.where) if part is not None]
        return frozenset(self.per).union(*(expression(part).meta.root_names() for part in parts))

    @property
    def leaves(self) -> tuple[Feature, ...]:
        """The aggregates to compute: itself."""
        return (self,)


@dataclass(frozen=True, kw_only=True)
class Ratio:
    """One feature over another; null where the lower one is null or zero."""

    over: Feature
    under: Feature
    name: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        name = self.name or f"{self.over.name}_over_{self.under.name}"
        object.__setattr__(self, "name", name)

    @property
    def version(self) -> str:
        """Eight hex digits of the definition; a changed part changes it too."""
        return _digest(self.definition)

    @property
    def definition(self) -> dict:
        """Everything that decides the values, ready for JSON."""
        return {"over": self.over.definition, "under": self.under.definition}

    @property
    def leaves(self) -> tuple[Feature, ...]:
        """The two aggregates to compute."""
        return (self.over, self.under)


_US = timedelta(microseconds=1)


def expression(text: str) -> pl.Expr:
    """A column or a condition as a Polars expression; ValueError if it is neither.

    >>> expression("amount > 100 AND place = 'CH'").meta.root_names()
    ['amount', 'place']
    """
    if text.isidentifier():  # also user, which SQL keeps for itself
        return pl.col(text)
    try:
        return pl.sql_expr(text)
    except pl.exceptions.PolarsError as error:
        raise ValueError(
            f'{text!r} is neither a column nor a condition: {error} (write "user", with its '
            "quotes, where SQL has another meaning for a word)"
        ) from error


def _digest(definition: dict) -> str:
    text = json.dumps(definition, sort_keys=True, separators=(",", ":"))
    return hashlib.blake2b(text.encode(), digest_size=4).hexdigest()


def _name(feature: Feature) -> str:
    column = "" if feature.column is None else f"_{_slug(feature.column)}_of"
    verb = "days_since" if feature.aggregate == "time_since" else feature.aggregate
    parts = [f"{verb}{column}_{feature.of}_per_{'_'.join(feature.per)}"]
    if feature.window is not None:
        parts.append(_length(feature.window))
    if feature.lag:
        parts.append(f"lag_{_length(feature.lag)}")
    if feature.where is not None:
        parts.append(f"where_{_slug(feature.where)}")
    return "_".join(parts)


def _length(span: timedelta) -> str:
    """A duration in the largest unit that divides it.

    >>> _length(timedelta(days=2)), _length(timedelta(hours=25)), _length(timedelta(minutes=5))
    ('2d', '25h', '5m')
    """
    for unit, letter in ((timedelta(days=1), "d"), (timedelta(hours=1), "h")):
        if span % unit == timedelta(0):
            return f"{span // unit}{letter}"
    return f"{span / timedelta(minutes=1):g}m"


def _slug(condition: str) -> str:
    for sign, word in _WORDS:
        condition = condition.replace(sign, word)
    return re.sub(r"\W+", "_", condition).strip("_").lower()
