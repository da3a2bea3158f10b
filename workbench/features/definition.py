"""A feature, defined once, as a value.

    features.mean("amount", of="payment", per="user", days=30)
             │     │            │             │        └ window [t - 30 days, t)
             │     │            │             └ entity: a key column, or several
             │     │            └ event kind in the log
             │     └ the column that is aggregated
             └ what is done with it

Equal definitions are equal values, have the same version, and give the same numbers, whichever
path computes them: from the log for training, from the online store for serving, event by event in
a stream. Conditions are short SQL expressions ("amount > 100 AND place = 'CH'"), because text can
be compared, hashed, stored beside a model and read by a person.

**What is seen.** A request at t sees an event if it had happened and was known: `time < t` and
`known_at < t`. Of those, with a = t - lag,

    window      time >= a - window           no window: ever
    lag         time < a                     the youngest are kept out, for labels that come late
    step        tile(time) >= tile(a - window), and with a lag tile(time) < tile(a), where
                tile(x) is x rounded down to a multiple of the step since 1970, UTC: the old end of
                the window moves in steps, so a window is a bounded number of tiles
    session     the events of the window, from the youngest back to the first silence longer than
                the gap; the silence up to the request counts too

**Ties.** Of two events at one time the one known later is the younger one; of those the one with
the greater `event` (numbers by size, texts by their fingerprint); without ids the later row.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field
from datetime import timedelta

import polars as pl

__all__ = ["AGGREGATES", "Feature", "digest", "expression"]

AGGREGATES = {  # what it is when there is nothing to aggregate
    "count": 0,
    "sum": 0.0,
    "distinct": 0,
    "mean": None,
    "min": None,
    "max": None,
    "std": None,
    "share": None,
    "latest": None,
    "last": None,
    "values": None,
    "time_since": None,
}
_WORDS = (
    (">=", " at least "),
    ("<=", " at most "),
    ("!=", " not "),
    ("<>", " not "),
    (">", " over "),
    ("<", " under "),
    ("=", " is "),
)
_US = timedelta(microseconds=1)
_NONE = timedelta(0)


@dataclass(frozen=True, kw_only=True)
class Feature:
    """One aggregate over the past of one entity; the functions in `aggregates` make it.

    Parameters
    ----------
    aggregate : str
        One of `AGGREGATES`.
    of : str
        Event kind.
    per : tuple of str
        Key columns that name the entity. They are in the requests and in the events.
    column : str or None
        What is aggregated; for `share` a condition or a column of zeros and ones.
    window, lag, step, session : timedelta
        See the module. `window` None is unbounded; `step` and `session` None is none of that.
    where : str or None
        SQL condition on the events' columns; only events that meet it count.
    most : int or None
        At most so many elements, for `last` and `values`.
    missing : float, int, str or None
        What it reads where it would be null.
    name : str
        Column name in the training frame. Not part of the definition.
    """

    aggregate: str
    of: str
    per: tuple[str, ...]
    column: str | None = None
    window: timedelta | None = None
    lag: timedelta = _NONE
    where: str | None = None
    step: timedelta | None = None
    session: timedelta | None = None
    most: int | None = None
    missing: float | int | str | None = None
    name: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        if self.aggregate not in AGGREGATES:
            raise ValueError(f"aggregate must be one of {[*AGGREGATES]}, got {self.aggregate!r}")
        if not self.per or len(set(self.per)) < len(self.per):
            raise ValueError(f"per must name one or more different key columns, got {self.per}")
        if self.window is not None and self.window <= _NONE:
            raise ValueError(f"the window of {self.of} must be longer than zero, got {self.window}")
        if self.lag < _NONE:
            raise ValueError(f"lag_days must not be negative (that is the future), got {self.lag}")
        if self.step is not None:
            self._check_step()
        if self.session is not None:
            self._check_session()
        if self.most is not None and self.most < 1:
            raise ValueError(f"the number of elements must be at least 1, got {self.most}")
        if self.missing is not None and self.aggregate in ("last", "values"):
            raise ValueError(f"{self.aggregate} is a list, it has no value for missing, only []")
        for condition in (self.where, self.column):
            if condition is not None:
                expression(condition)
        object.__setattr__(self, "name", self.name or _name(self))

    def _check_step(self) -> None:
        if self.step <= _NONE:
            raise ValueError(f"step_minutes must be longer than zero, got {self.step}")
        if self.window is None or self.step > self.window:
            raise ValueError(
                f"a step rounds the old end of a window, so it is at most as long as the window; "
                f"got step {self.step} and window {self.window}"
            )

    def _check_session(self) -> None:
        if self.session <= _NONE:
            raise ValueError(f"session_minutes must be longer than zero, got {self.session}")
        if self.window is None or self.step is not None or self.lag:
            raise ValueError(
                "a session ends at the request and is at most one window long: give it a window "
                f"(days, hours), no lag and no step; got {self.window}, {self.lag}, {self.step}"
            )

    @property
    def version(self) -> str:
        """Eight hex digits of the definition; a changed definition has another one."""
        return digest(self.definition)

    @property
    def definition(self) -> dict:
        """Everything that decides the values, ready for JSON; times in microseconds."""
        made = {
            "aggregate": self.aggregate,
            "of": self.of,
            "per": list(self.per),
            "column": self.column,
            "window_us": None if self.window is None else self.window // _US,
            "lag_us": self.lag // _US,
            "where": self.where,
        }
        later = {  # words that came later: left out where unused, so that versions stay
            "step_us": self.step and self.step // _US,
            "session_us": self.session and self.session // _US,
            "most": self.most,
            "missing": self.missing,
        }
        return made | {word: value for word, value in later.items() if value is not None}

    @property
    def columns(self) -> frozenset[str]:
        """Columns of the events that the feature reads, besides the two clocks."""
        parts = [part for part in (self.column, self.where) if part is not None]
        return frozenset(self.per).union(*(expression(part).meta.root_names() for part in parts))

    @property
    def leaves(self) -> tuple[Feature, ...]:
        """The aggregates to compute: itself."""
        return (self,)

    @property
    def inputs(self) -> frozenset[str]:
        """Columns of the request that it reads: its keys and the time."""
        return frozenset(("time", *self.per))

    def combine(self, leaves: dict[Feature, pl.Series], _requests: pl.DataFrame) -> pl.Series:
        """The feature from its leaves: itself, under its own name."""
        return leaves[self].alias(self.name)


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


def digest(definition: dict) -> str:
    """Eight hex digits of anything that JSON can hold.

    >>> digest({"aggregate": "count"})
    '821c3d71'
    """
    text = json.dumps(definition, sort_keys=True, separators=(",", ":"))
    return hashlib.blake2b(text.encode(), digest_size=4).hexdigest()


def _name(feature: Feature) -> str:
    column = "" if feature.column is None else f"_{_slug(feature.column)}_of"
    verb = "days_since" if feature.aggregate == "time_since" else feature.aggregate
    if feature.most is not None:
        verb += f"_{feature.most}"
    parts = [f"{verb}{column}_{feature.of}_per_{'_'.join(feature.per)}"]
    if feature.session is not None:
        parts.append(f"session_{_length(feature.session)}")
    if feature.window is not None:
        parts.append(_length(feature.window))
    if feature.lag:
        parts.append(f"lag_{_length(feature.lag)}")
    if feature.step is not None:
        parts.append(f"step_{_length(feature.step)}")
    if feature.where is not None:
        parts.append(f"where_{_slug(feature.where)}")
    if feature.missing is not None:
        parts.append(f"or_{_slug(str(feature.missing))}")
    return "_".join(parts)


def _length(span: timedelta) -> str:
    """A duration in the largest unit that divides it.

    >>> _length(timedelta(days=2)), _length(timedelta(hours=25)), _length(timedelta(minutes=5))
    ('2d', '25h', '5m')
    """
    for unit, letter in ((timedelta(days=1), "d"), (timedelta(hours=1), "h")):
        if span % unit == _NONE:
            return f"{span // unit}{letter}"
    return f"{span / timedelta(minutes=1):g}m"


def _slug(condition: str) -> str:
    for sign, word in _WORDS:
        condition = condition.replace(sign, word)
    return re.sub(r"\W+", "_", condition).strip("_").lower()
