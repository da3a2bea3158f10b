"""Why may an online value differ from the offline one? Each cause as a way to replay the read.

cause                 the store read
definition version    another definition of that name
null default          something else where there is nothing
late event            without an event that was known, but had not reached the store
tie                   another one of the events at one instant, or one at the read's instant
out-of-order write    the event written last, though an older one
time-to-live          a value that had expired, or none though it had not
clock                 at another time than the read's
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import polars as pl

from workbench.features.definition import Feature
from workbench.features.replay import Replay

__all__ = ["CAUSES", "guesses", "sure_causes"]

CAUSES = (
    "late event",
    "time-to-live",
    "out-of-order write",
    "tie",
    "definition version",
    "null default",
    "clock",
    "unexplained",
)
_US = timedelta(microseconds=1)
_SECONDS = (0.01, 0.1, 1, 2, 5, 10, 30, 60, 120, 300, 600, 900, 1800)
_ORDERED = ("latest", "last", "time_since")

Values = Callable[[], pl.Series | None]


def sure_causes(replay: Replay, as_of: pl.Series | None) -> list[tuple[str, str, Values]]:
    """Return cause, detail and how to compute the values, where it is known what the store had.

    `as_of`, shape (n,), is up to when the store of each read had its events, if that is known.
    """
    made = []
    if as_of is not None:
        made.append(("late event", "not in the store yet", lambda: _until(replay, as_of)))
    if any("arrived" in events.columns for events in replay.events):
        made.append(("late event", "arrived after the read", lambda: replay.values(_arrived)))
    return made


def guesses(replay: Replay, *, late: bool) -> list[tuple[str, str, Values]]:
    """The same for what is only known by its effect, the most likely of equals first.

    `late` is False where it is known what the store had.
    """
    leaves = replay.leaves
    made = [("tie", "an event at the read's very instant", lambda: _at_most(replay))]
    if any(leaf.aggregate in _ORDERED for leaf in leaves):
        other = [
            ("tie", "another event of that instant", _other_tie),
            ("out-of-order write", "the event known last", _written_last),
        ]
        made += [(*words, lambda by=change: replay.values(by)) for *words, change in other]
    if any(leaf.window is not None and leaf.session is None for leaf in leaves):
        made += [
            ("time-to-live", "the value had expired", lambda: replay.values(leaf=_for_ever)),
            ("time-to-live", "it expired early", lambda: replay.values(leaf=_half)),
            ("time-to-live", "counted from known_at", lambda: replay.values(_from_known)),
        ]
    for number in (1, 2, 3) if late else ():
        words = f"without the last {number} known" if number > 1 else "without the last one known"
        made.append(("late event", words, lambda k=number: replay.values(_without_last(k))))
    made.append(("tie", "one event of each instant", lambda: replay.values(_first_tie)))
    spans = [timedelta(seconds=each) for each in _SECONDS]
    spans += [timedelta(hours=each) for each in range(1, 15)]
    for span in [each for pair in zip(spans, [-s for s in spans], strict=True) for each in pair]:
        words = f"{_span(abs(span))} {'ahead' if span > timedelta(0) else 'behind'}"
        made.append(("clock", words, lambda by=span: replay.values(ahead=by)))
    return made


def _until(replay: Replay, as_of: pl.Series) -> pl.Series:
    known = pl.DataFrame({"_row": replay.asked["_row"], "_as_of": as_of})

    def change(events: pl.DataFrame, _leaf) -> pl.DataFrame:
        there = events.join(known, on="_row", how="left", maintain_order="left")
        return events.filter(
            (there["known_at"] < there["_as_of"]).fill_null(True)  # not said: it had everything
        )

    return replay.values(change)


def _arrived(events: pl.DataFrame, _leaf) -> pl.DataFrame:
    if "arrived" not in events.columns:
        return events
    return events.filter(pl.col("arrived") < pl.col("t"))


def _at_most(replay: Replay) -> pl.Series:
    """One microsecond later, with windows as old as before; see `leaks`."""
    longer = lambda f: f if f.window is None else replace(f, window=f.window + _US)  # noqa: E731
    values = replay.values(leaf=longer, ahead=_US)
    if getattr(replay.definition, "aggregate", "") == "time_since":
        return values - _US / timedelta(days=1)
    return values


def _seen(events: pl.DataFrame) -> pl.DataFrame:
    return events.filter(pl.col("time") < pl.col("t"), pl.col("known_at") < pl.col("t"))


def _other_tie(events: pl.DataFrame, _leaf) -> pl.DataFrame:
    """Ids decide the other way round, and who was known later decides nothing."""
    first = pl.col("known_at").min().over("_row", "time")
    return _seen(events).with_columns(event=-1 - pl.col("event"), known_at=first)


def _first_tie(events: pl.DataFrame, _leaf) -> pl.DataFrame:
    """Of equal times the first that was known stays."""
    return _seen(events).sort("known_at", "event").unique(["_row", "time"], keep="first")


def _written_last(events: pl.DataFrame, leaf: Feature) -> pl.DataFrame:
    """Whatever was known last is what is there: the order is that of `known_at`."""
    seen = _seen(events)
    if leaf.aggregate == "last":
        rank = pl.col("known_at").rank("ordinal").over("_row").cast(pl.Int64)
        newest = pl.col("time").max().over("_row")
        return seen.with_columns(
            time=newest - pl.duration(microseconds=1) * (pl.len().over("_row") - rank)
        )
    if leaf.aggregate in _ORDERED:
        return seen.sort("known_at", "event").unique("_row", keep="last")
    return seen


def _for_ever(leaf: Feature) -> Feature:
    return leaf if leaf.session else replace(leaf, window=None, step=None)


def _half(leaf: Feature) -> Feature:
    if leaf.window is None or leaf.session is not None:
        return leaf
    window = leaf.window / 2
    return replace(
        leaf, window=window, step=leaf.step if leaf.step and leaf.step <= window else None
    )


def _from_known(events: pl.DataFrame, _leaf) -> pl.DataFrame:
    return _seen(events).with_columns(time=pl.col("known_at"))


def _without_last(number: int):
    def change(events: pl.DataFrame, _leaf) -> pl.DataFrame:
        seen = _seen(events)
        rank = pl.col("known_at").rank("ordinal", descending=True).over("_row")
        return seen.filter(rank > number)

    return change


def _span(span: timedelta) -> str:
    seconds = span / timedelta(seconds=1)
    for unit, size in (("h", 3600), ("min", 60), ("s", 1)):
        if seconds >= size:
            return f"{seconds / size:g} {unit}"
    return f"{seconds * 1000:g} ms"
