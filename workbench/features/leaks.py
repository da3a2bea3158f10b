"""The ways in which a definition is read wrongly, each as the same definition of another request.

Somebody who joins on the day computes our feature, exactly, for a request at midnight; somebody who
writes `<=` for `<` computes it one microsecond later; somebody who forgets that labels come late
computes it on a log where everything was known at once. So a wrong reading costs one more call of
`training_frame`, and whoever's values it reproduces has been read.

    reading = what becomes of   the time asked for · the window · what was known when
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache

import polars as pl

from workbench.features.circumstances import Circumstances, leaf_values
from workbench.features.composed import Calendar, Definition
from workbench.features.definition import Feature
from workbench.features.moments import rest_of, with_the_rest

__all__ = ["Reading", "compute", "readings", "values_under"]

_US = timedelta(microseconds=1)
_DAY = timedelta(days=1)
_UNITS = {"hour": "1h", "day": "1d", "week": "1w", "month": "1mo"}


@dataclass(frozen=True, kw_only=True)
class Reading:
    """One wrong way to read a definition.

    Parameters
    ----------
    name : str
        What the certificate calls it.
    kind : str
        "future", "stale" or "other".
    moment : callable or None
        Makes the time that is asked for out of the column `time`.
    leaf : callable or None
        Makes another aggregate out of each one in the definition; None where it does not apply.
    known : str
        "kept", or whose `known_at` becomes its `time`: of events without an earlier version
        ("backfilled"), of those with one ("restated"), of all ("ignored").
    added : bool
        Whether the window keeps its old end and goes on to that moment.
    from_request : bool
        Whether `time_since` is still counted up to the request.
    """

    name: str
    kind: str
    moment: Callable[[pl.Expr], pl.Expr] | None = None
    leaf: Callable[[Feature], Feature | None] | None = None
    known: str = "kept"
    added: bool = False
    from_request: bool = True


def readings(definition: Definition, *, tz: str, ends: Mapping[str, datetime]) -> list[Reading]:
    """Return every reading that could apply, the simplest first.

    `ends` names moments at which a table may have been frozen ("the log ends"), `tz` is where days
    begin.

    >>> from workbench import features
    >>> feature = features.count("payment", per="user", days=7)
    >>> [each.name for each in readings(feature, tz="UTC", ends={})][:2]
    ['<= instead of <', 'backfilled: known_at ignored']
    """
    leaves = definition.leaves
    made = [
        Reading(name="<= instead of <", kind="future", moment=_later(_US), leaf=_one_longer),
        Reading(name="backfilled: known_at ignored", kind="future", known="backfilled"),
        Reading(name="restated: later corrections", kind="future", known="restated"),
        Reading(name="known_at ignored", kind="future", known="ignored"),
        _both("<= instead of <, known_at ignored", moment=_later(_US), leaf=_one_longer),
    ]
    if any(leaf.lag for leaf in leaves):
        made += [
            Reading(name="the lag left out", kind="future", leaf=_no_lag),
            _both("the lag left out, known_at ignored", leaf=_no_lag),
            _both("the label of the row itself", moment=_later(_US), leaf=_no_lag_one_longer),
        ]
    made += _joined(tz)
    made += _frozen(definition, ends)
    made += _late(tz)
    if any(leaf.window for leaf in leaves):
        made.append(Reading(name="no time-to-live", kind="stale", leaf=_unbounded))
        made.append(_both("no time-to-live, known_at ignored", leaf=_unbounded))
    made += _shifted({tz} | ({definition.tz} if isinstance(definition, Calendar) else set()))
    if any(leaf.where for leaf in leaves):
        made.append(
            Reading(name="where= left out", kind="other", leaf=lambda f: replace(f, where=None))
        )
    if any(leaf.window for leaf in leaves):
        for days in (1 / 24, 1, 7, 14, 28, 30, 60, 90, 365):
            words = f"a window of {days:g} days" if days >= 1 else "a window of 1 hour"
            made.append(Reading(name=words, kind="other", leaf=_window(timedelta(days=days))))
    if any(leaf.aggregate == "time_since" for leaf in leaves):
        made += [replace(each, from_request=False) for each in made if each.moment is not None]
    return made


def compute(definitions: list[Definition], asked: pl.DataFrame, log) -> dict[Definition, pl.Series]:
    """Return the values of each definition, by `training_frame`, whatever they are called."""
    leaves = list(dict.fromkeys(leaf for each in definitions for leaf in each.leaves))
    values = leaf_values(leaves, asked, log)
    return {each: each.combine(values, asked) for each in definitions}


def values_under(
    reading: Reading, definition: Definition, circumstances: Circumstances
) -> pl.Series | None:
    """Return what a definition gives under a reading; None where nothing would change.

    None also before `circumstances` have run: then this writes down what it wants of them.
    """
    leaves = {leaf: leaf for leaf in definition.leaves}
    if reading.leaf is not None:
        other = {leaf: reading.leaf(leaf) for leaf in leaves}
        if not any(other.values()):
            return None
        leaves = {leaf: other[leaf] or leaf for leaf in leaves}
    known = {leaf: circumstances.known(leaf, reading.known) for leaf in leaves}
    if reading.known != "kept" and set(known.values()) == {"kept"}:
        return None
    asked = circumstances.asked
    then = asked.with_columns(time=circumstances.time(reading.moment))
    if reading.added:
        wanted = {leaf: rest_of(leaf, reading.moment, known[leaf]) for leaf in leaves}
        if not all(wanted.values()):
            return None
        found = circumstances.values([each for parts in wanted.values() for each in parts])
        if found is None:
            return None
        values = {leaf: with_the_rest(leaf, parts, found) for leaf, parts in wanted.items()}
        return definition.combine(values, then)
    wanted = {leaf: (other, reading.moment, known[leaf]) for leaf, other in leaves.items()}
    found = circumstances.values([*wanted.values()])
    if found is None:
        return None
    values = {leaf: found[each] for leaf, each in wanted.items()}
    if reading.from_request and reading.moment is not None:
        more = (asked["time"] - then["time"]).dt.total_microseconds() / (_DAY / _US)
        values |= {leaf: values[leaf] + more for leaf in leaves if leaf.aggregate == "time_since"}
    return definition.combine(values, then)


def _both(name: str, **rest) -> Reading:
    return Reading(name=name, kind="future", known="ignored", **rest)


def _joined(tz: str) -> list[Reading]:
    """All of the calendar day (hour, week, month) counted: its end is asked for."""
    made = []
    for word in ("day", "hour", "week", "month"):
        end = _end_of(_UNITS[word], tz)
        longer = _longer(timedelta(days={"day": 1, "week": 7, "month": 31}.get(word, 1 / 24)))
        for name, known in ((f"joined on the {word}", "kept"), ("known_at ignored", "ignored")):
            words = name if known == "kept" else f"joined on the {word}, known_at ignored"
            rest = {"kind": "future", "moment": end, "known": known}
            made.append(Reading(name=words, **rest))
            if word != "month":
                made.append(Reading(name=words, leaf=longer, **rest))
            made.append(Reading(name=words, added=True, **rest))
    return made


def _frozen(definition: Definition, ends: Mapping[str, datetime]) -> list[Reading]:
    """The value of one late moment on every row: a table joined as it stands at the end."""
    latest = {leaf.aggregate for leaf in definition.leaves} == {"latest"}
    made = []
    for words, end in ends.items():
        name = f"restated: the version when {words}" if latest else f"the value when {words}"
        at = _at(end)
        made.append(Reading(name=name, kind="future", moment=at))
        made.append(Reading(name=name, kind="future", moment=at, leaf=_unbounded))
    return made


def _late(tz: str) -> list[Reading]:
    """A batch that ran at the start of the day (hour, week), or some days before."""
    made = [
        Reading(name=f"stale: of the start of the {word}", kind="stale", moment=_start(unit, tz))
        for word, unit in _UNITS.items()
    ]
    for days in (1, 2, 3, 7, 14, 30):
        back = timedelta(days=days)
        words = f"stale: {days} day{'s' if days > 1 else ''} old"
        made.append(Reading(name=words, kind="stale", moment=_later(-back)))
        if days < 8:
            words = f"stale: of {days} day{'s' if days > 1 else ''} before the day began"
            made.append(Reading(name=words, kind="stale", moment=_start("1d", tz, back)))
    return made


def _shifted(zones: set[str]) -> list[Reading]:
    """The request's clock read in another zone, or simply ahead or behind."""
    made = []
    for zone in sorted(zones - {"UTC"}):
        local, utc = _wall_clock(zone)
        made.append(Reading(name=f"time zone: {zone} read as UTC", kind="future", moment=local))
        made.append(Reading(name=f"time zone: UTC read as {zone}", kind="stale", moment=utc))
    for hours in (*range(1, 15), 5.5, *range(-1, -13, -1), -3.5):
        kind = "future" if hours > 0 else "stale"
        moment = _later(timedelta(hours=hours))
        made.append(Reading(name=f"time zone: {hours:+g} h", kind=kind, moment=moment))
    for days in (1, 7, 30):
        words = f"{days} day{'s' if days > 1 else ''} ahead"
        made.append(Reading(name=words, kind="future", moment=_later(timedelta(days=days))))
    return made


# Moments are made once for equal arguments, so that equal ones are computed once.


@lru_cache
def _wall_clock(zone: str):
    local = lambda t: t.dt.convert_time_zone(zone).dt.replace_time_zone("UTC")  # noqa: E731
    utc = lambda t: (  # noqa: E731
        t.dt.replace_time_zone(None)
        .dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
        .dt.convert_time_zone("UTC")
    )
    return local, utc


@lru_cache
def _later(span: timedelta):
    return lambda t: t + pl.lit(span)


@lru_cache
def _at(moment: datetime):
    return lambda t: pl.lit(moment, pl.Datetime("us", "UTC")) + (t - t)


@lru_cache
def _start(unit: str, tz: str, back: timedelta = timedelta(0)):
    return lambda t: t.dt.convert_time_zone(tz).dt.truncate(unit).dt.convert_time_zone("UTC") - back


@lru_cache
def _end_of(unit: str, tz: str):
    return lambda t: (
        t.dt.convert_time_zone(tz).dt.truncate(unit).dt.offset_by(unit).dt.convert_time_zone("UTC")
    )


def _one_longer(leaf: Feature) -> Feature:
    """The window's old end stays where it is when the request moves by a microsecond."""
    return leaf if leaf.window is None else replace(leaf, window=leaf.window + _US)


def _longer(span: timedelta):
    return lambda leaf: None if leaf.window is None else replace(leaf, window=leaf.window + span)


def _window(span: timedelta):
    def other(leaf: Feature) -> Feature | None:
        if leaf.window in (None, span) or (leaf.step is not None and leaf.step > span):
            return None
        return replace(leaf, window=span)

    return other


def _unbounded(leaf: Feature) -> Feature | None:
    if leaf.window is None or leaf.session is not None:
        return None
    return replace(leaf, window=None, step=None)


def _no_lag(leaf: Feature) -> Feature | None:
    return replace(leaf, lag=timedelta(0)) if leaf.lag else None


def _no_lag_one_longer(leaf: Feature) -> Feature | None:
    return _one_longer(replace(leaf, lag=timedelta(0))) if leaf.lag else None
