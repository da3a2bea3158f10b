"""Features made of features and of the request itself, computed when both are there.

    Ratio      one feature over another
    Formula    SQL over the request's columns and some features: amount / usual, a distance
    Calendar   the hour or weekday of the request, in a named zone

They have a version like any other feature, and the same few lines compute them for a training
frame and for one request.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

import polars as pl

from workbench.features.definition import Feature, digest, expression

__all__ = ["Calendar", "Definition", "Formula", "Ratio"]

_PARTS = {"hour": pl.Int64, "weekday": pl.Int64}


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
        return digest(self.definition)

    @property
    def definition(self) -> dict:
        """Everything that decides the values, ready for JSON."""
        return {"over": self.over.definition, "under": self.under.definition}

    @property
    def leaves(self) -> tuple[Feature, ...]:
        """The two aggregates to compute."""
        return (self.over, self.under)

    @property
    def inputs(self) -> frozenset[str]:
        """Columns of the request that it reads."""
        return self.over.inputs | self.under.inputs

    def combine(self, leaves: dict[Feature, pl.Series], _requests: pl.DataFrame) -> pl.Series:
        """The quotient, Float64, shape (n,)."""
        under = leaves[self.under].cast(pl.Float64)
        under = under.set(under == 0, None)
        return (leaves[self.over].cast(pl.Float64) / under).alias(self.name)


@dataclass(frozen=True, kw_only=True)
class Formula:
    """SQL over the request's columns and features that stand in it under names of their own.

    Parameters
    ----------
    text : str
        The expression. Words that are no part's name are columns of the request.
    parts : tuple of (str, Feature or Ratio)
        What the other words mean.
    """

    text: str
    parts: tuple[tuple[str, Feature | Ratio], ...] = ()
    name: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        words = set(expression(self.text).meta.root_names())
        unused = sorted({word for word, _ in self.parts} - words)
        if unused:
            raise ValueError(f"{unused[0]} does not occur in the formula {self.text!r}")
        if not self.name:
            raise ValueError(f"give the formula {self.text!r} a name=")

    @property
    def version(self) -> str:
        """Eight hex digits of the definition; a changed part changes it too."""
        return digest(self.definition)

    @property
    def definition(self) -> dict:
        """Everything that decides the values, ready for JSON."""
        return {"formula": self.text, "parts": {word: p.definition for word, p in self.parts}}

    @property
    def leaves(self) -> tuple[Feature, ...]:
        """The aggregates to compute."""
        return tuple(leaf for _, part in self.parts for leaf in part.leaves)

    @property
    def inputs(self) -> frozenset[str]:
        """Columns of the request that it reads."""
        words = set(expression(self.text).meta.root_names()) - {word for word, _ in self.parts}
        return frozenset(words).union(*(part.inputs for _, part in self.parts))

    def combine(self, leaves: dict[Feature, pl.Series], requests: pl.DataFrame) -> pl.Series:
        """The expression for each request, shape (n,); null where it is not finite."""
        made = {word: part.combine(leaves, requests) for word, part in self.parts}
        try:
            (values,) = requests.with_columns(**made).select(expression(self.text)).get_columns()
        except pl.exceptions.PolarsError as error:
            raise ValueError(f"the formula {self.text!r} cannot be computed: {error}") from error
        if values.dtype.is_float():
            values = values.set(~values.is_finite(), None)
        return values.alias(self.name)


@dataclass(frozen=True, kw_only=True)
class Calendar:
    """The hour (0 to 23) or the weekday (1 is Monday) of the request, where the clock hangs.

    >>> from datetime import datetime, UTC
    >>> asked = pl.DataFrame({"time": [datetime(2024, 3, 31, 1, 30, tzinfo=UTC)]})
    >>> Calendar(part="hour", tz="Europe/Zurich").combine({}, asked).to_list()     # summer by then
    [3]
    """

    part: str
    tz: str
    name: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        if self.part not in _PARTS:
            raise ValueError(f"part must be one of {[*_PARTS]}, got {self.part!r}")
        try:
            ZoneInfo(self.tz)
        except (KeyError, ValueError) as error:
            raise ValueError(f"tz={self.tz!r} is no time zone; one is Europe/Zurich") from error
        object.__setattr__(self, "name", self.name or self.part)

    @property
    def version(self) -> str:
        """Eight hex digits of the definition."""
        return digest(self.definition)

    @property
    def definition(self) -> dict:
        """Everything that decides the values, ready for JSON."""
        return {"calendar": self.part, "tz": self.tz}

    @property
    def leaves(self) -> tuple[Feature, ...]:
        """None: the request has all."""
        return ()

    @property
    def inputs(self) -> frozenset[str]:
        """Columns of the request that it reads."""
        return frozenset({"time"})

    def combine(self, _leaves: dict[Feature, pl.Series], requests: pl.DataFrame) -> pl.Series:
        """Int64, shape (n,)."""
        there = requests["time"].dt.convert_time_zone(self.tz).dt
        return getattr(there, self.part)().cast(pl.Int64).alias(self.name)

    def at(self, moment: datetime) -> int:
        """The same for one moment.

        >>> Calendar(part="weekday", tz="UTC").at(datetime.fromisoformat("2024-03-31T23:00Z"))
        7
        """
        there = moment.astimezone(ZoneInfo(self.tz))
        return there.hour if self.part == "hour" else there.isoweekday()


Definition = Feature | Ratio | Formula | Calendar
