"""The very events behind one value, and what was left out for which reason.

    features.why({"user": 7, "time": t}, spend, log)
        .value      what the feature reads
        .seen       the events that make it, youngest first, each with its weight
        .unseen     the others of that user, each with the reason
        .parts      for a ratio or a formula: the same for each feature in it

It shares no code with the engine that computes training frames: plain filters over the log.
"""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import polars as pl

from workbench.features.composed import Definition
from workbench.features.definition import Feature
from workbench.features.reading import read_requests
from workbench.features.seen import SEEN, look
from workbench.tables import one_frame

__all__ = ["Why", "why"]

_SHOWN = 5


@dataclass(frozen=True, repr=False)
class Why:
    """One value and what it is made of; made by `why`.

    Parameters
    ----------
    feature : Feature, Ratio, Formula or Calendar
    request : dict
        The row it was computed for.
    value : number, text, list or None
    seen : pl.DataFrame
        `time known_at event value tile weight`, youngest first. The weight says how the value
        enters: 1/n in a mean, 0 for a null that was skipped or an event that an extreme passed by.
    unseen : pl.DataFrame
        `time known_at event value tile reason`.
    parts : mapping of name to Why
        What a composed feature is made of.
    """

    feature: Definition
    request: dict
    value: Any
    seen: pl.DataFrame
    unseen: pl.DataFrame
    parts: Mapping[str, Why] = field(default_factory=dict)

    def __repr__(self) -> str:
        keys = [key for key in sorted(self.feature.inputs) if key != "time"]
        asked = ", ".join(f"{key}={_short(self.request[key])}" for key in keys)
        at = f"{asked} at {_clock(self.request['time'])}".strip()
        lines = [f"{self.feature.name} = {_short(self.value)}"[:88], f"  asked for {at}"]
        if self.parts or not getattr(self.feature, "per", ()):
            for part in self.parts.values():
                lines += ["  " + line for line in repr(part).splitlines()]
            return "\n".join(lines)
        if any(self.request[key] is None for key in self.feature.per):
            return "\n".join([*lines, "  a key is null: nobody to look up, so null"])
        lines.append(f"  {_many(len(self.seen))} seen")
        for row in self.seen.head(_SHOWN).iter_rows(named=True):
            lines.append(f"    {_event(row)}  weight {row['weight']:.3g}"[:88])
        if len(self.seen) > _SHOWN:
            lines.append(f"    and {len(self.seen) - _SHOWN:,} older ones")
        for reason, number in Counter(self.unseen["reason"].to_list()).most_common():
            first = self.unseen.filter(pl.col("reason") == reason).row(0, named=True)
            lines += [f"  {_many(number)} not seen: {reason}"[:88], f"    {_event(first)}"[:88]]
        return "\n".join(lines)


def why(row, feature: Definition, log) -> Why:
    """Return one value of a feature with the events that make it and those that do not.

    Parameters
    ----------
    row : mapping, pandas Series, or table of one row
        The request: `time` (with time zone) and what else the feature reads of it.
    feature : Feature, Ratio, Formula or Calendar
    log : EventLog, or mapping of kind to table

    Raises
    ------
    ValueError
        If the row is not one row, lacks a column that the feature reads, or a key has another type
        than in the events.

    Examples
    --------
    >>> from datetime import datetime, UTC
    >>> from workbench import features
    >>> day = lambda d: datetime(2024, 5, d, tzinfo=UTC)
    >>> paid = pl.DataFrame({"user": [1, 1], "amount": [10.0, 30.0], "time": [day(1), day(2)],
    ...                      "known_at": [day(1), day(9)]})         # the second is known late
    >>> mean = features.mean("amount", of="payment", per="user", days=30, name="usual")
    >>> why({"user": 1, "time": day(3)}, mean, {"payment": paid})
    usual = 10.0
      asked for user=1 at 2024-05-03 00:00:00
      1 event seen
        2024-05-01 00:00:00  10.0  weight 1
      1 event not seen: not yet known
        2024-05-02 00:00:00, known 2024-05-09 00:00:00  30.0
    """
    frame = _one_row(row)
    absent = sorted(feature.inputs - set(frame.columns))
    if absent:
        raise ValueError(f"the row has no column {absent[0]!r}; it has {frame.columns}")
    keys = sorted({key for leaf in feature.leaves for key in leaf.per})
    asked = frame.with_columns(read_requests(frame, keys))
    if isinstance(feature, Feature):
        return _of_leaf(feature, asked, log)
    made = {leaf: _of_leaf(leaf, asked, log) for leaf in feature.leaves}
    series = {leaf: _series(leaf, each.value) for leaf, each in made.items()}
    value = feature.combine(series, asked).to_list()[0]
    parts = {leaf.name: each for leaf, each in made.items()}
    seen, unseen = (
        pl.concat([_texts(getattr(each, word), name) for name, each in parts.items()])
        if parts
        else pl.DataFrame()
        for word in ("seen", "unseen")
    )
    return Why(feature, asked.to_dicts()[0], value, seen, unseen, parts)


def _of_leaf(feature: Feature, asked: pl.DataFrame, log) -> Why:
    (request,) = asked.to_dicts()
    events = look(asked, feature, log)
    unseen = events.filter(pl.col("status") != SEEN).rename({"status": "reason"})
    seen = events.filter(pl.col("status") == SEEN).drop("status")
    if any(request[key] is None for key in feature.per):
        return Why(feature, request, None, seen.with_columns(weight=0.0), unseen)
    value, weights = _aggregate(feature, request["time"], seen)
    value = feature.missing if value is None else value
    seen = seen.with_columns(weight=pl.Series(weights, dtype=pl.Float64))
    return Why(feature, request, value, seen, unseen)


def _aggregate(feature: Feature, t: datetime, seen: pl.DataFrame) -> tuple[Any, list[float]]:
    """The value, and the weight of each event seen; events come youngest first."""
    values, n = seen["value"].to_list(), len(seen)
    there = [place for place in range(n) if values[place] is not None]
    numbers = [values[place] for place in there]
    match feature.aggregate:
        case "count":
            return n, [1.0] * n
        case "time_since":
            since = (t - seen["time"][0]) / timedelta(days=1) if n else None
            return since, _at(n, range(1 if n else 0))
        case "latest":
            return (values[0] if n else None), _at(n, range(1 if n else 0))
        case "sum":
            return math.fsum(numbers), _at(n, there)
        case "mean" | "share":
            value = math.fsum(numbers) / len(numbers) if numbers else None
            return value, _at(n, there, 1 / max(len(numbers), 1))
        case "min" | "max":
            value = {"min": min, "max": max}[feature.aggregate](numbers, default=None)
            return value, _at(n, [place for place in there if values[place] == value])
        case "std":
            return statistics.stdev(numbers) if len(numbers) > 1 else None, _at(n, there)
        case "distinct":
            return len(set(numbers)), _at(n, there)
        case "values":
            kept = [*dict.fromkeys(numbers)][: feature.most]
            return sorted(kept), _at(n, [p for p in there if values[p] in set(kept)])
        case "last":
            return numbers[: feature.most][::-1], _at(n, there[: feature.most])
    raise ValueError(f"no such aggregate: {feature.aggregate!r}")


def _at(n: int, places, weight: float = 1.0) -> list[float]:
    chosen = set(places)
    return [weight if place in chosen else 0.0 for place in range(n)]


def _series(leaf: Feature, value) -> pl.Series:
    if isinstance(value, bool | str | list | datetime):
        return pl.Series([value])
    counts = leaf.aggregate in ("count", "distinct")
    return pl.Series([value], dtype=pl.Int64 if counts else pl.Float64)


def _texts(frame: pl.DataFrame, part: str) -> pl.DataFrame:
    """The same columns whatever the part: values as they are written."""
    value = pl.Series("value", [_short(value) for value in frame["value"]], dtype=pl.String)
    clocks = frame.select("time", "known_at", value, "tile", frame.columns[-1])
    return clocks.insert_column(0, pl.Series("part", [part] * len(frame), dtype=pl.String))


def _one_row(row) -> pl.DataFrame:
    if isinstance(row, Mapping):
        return pl.DataFrame({name: [value] for name, value in row.items()})
    if not hasattr(row, "columns") and hasattr(row, "to_frame"):  # a pandas Series
        row = row.to_frame().T.infer_objects()
    frame = one_frame(row, "the row")
    if len(frame) != 1:
        raise ValueError(f"row must be one row, got {len(frame):,}")
    return frame


def _event(row: dict) -> str:
    late = "" if row["known_at"] == row["time"] else f", known {_clock(row['known_at'])}"
    value = "" if row["value"] is None else f"  {_short(row['value'])}"
    return f"{_clock(row['time'])}{late}{value}"


def _clock(moment: datetime | None) -> str:
    return "never" if moment is None else f"{moment:%Y-%m-%d %H:%M:%S.%f}".removesuffix(".000000")


def _short(value) -> str:
    if isinstance(value, float) and math.isfinite(value):
        return repr(round(value, 6 - math.ceil(math.log10(abs(value))))) if value else "0.0"
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}…"


def _many(events: int) -> str:
    return f"{events:,} event{'' if events == 1 else 's'}"
