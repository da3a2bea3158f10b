"""How faults break rows: one function a mechanism, from the rows that are hit to what they become.

A mechanism sees only the rows that its fault hits, and treats each by itself: luck is keyed by the
event's id (`workbench.assign.uniform`), so batches and workers never matter. What it returns takes
the place of those rows (`acts="change"`), is added behind them ("add"), or they are gone ("drop").

What a magnitude means (`unit`):

    share   of the rows that are hit, in [0, 1]; a larger share hits the same rows and more
    groups  the same for whole values of the column: all rows of that share of devices
    hours   how far a clock is moved, or how long nothing comes
    times   a factor; 1 changes nothing
    size    how coarse or noisy, in the unit that the mechanism names; 0 changes nothing
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import polars as pl

from workbench.assign import fingerprint, uniform

__all__ = ["MECHANISMS", "TYPES", "Mechanism"]

Frames = Mapping[str, pl.DataFrame]


@dataclass(frozen=True, slots=True)
class Mechanism:
    """A way to break rows. `takes` is what kind of column it needs, None if it needs none."""

    how: Callable[[pl.DataFrame, object, Frames], pl.DataFrame]
    unit: str = "share"
    takes: str | None = None
    acts: str = "change"
    needs: str | None = None  # another kind that it looks up


def gone(rows, fault, events):
    """The rows never arrive."""
    return rows.clear()


def again(rows, fault, events):
    """The rows come a second time: a producer that got no answer sends again."""
    return rows


def again_renamed(rows, fault, events):
    """The rows come a second time under new ids: a producer that makes an id for each attempt."""
    if rows.schema["event"].is_integer():
        bits = fingerprint(f"{fault.salt} copy", rows["event"].to_numpy()) >> np.uint64(1)
        return rows.with_columns(event=pl.Series(bits.astype(np.int64)))
    return rows.with_columns(event=pl.concat_str(pl.col("event").cast(pl.String), pl.lit("-2")))


def scaled(rows, fault, events):
    """Another unit: the number times `value`."""
    return _number(rows, fault, pl.col(fault.column) * fault.value)


def multiplied(rows, fault, events):
    """Another unit: the number times the magnitude, a currency for another."""
    return _number(rows, fault, pl.col(fault.column) * fault.magnitude)


def moved(rows, fault, events):
    """Counted from somewhere else: the number plus `value`."""
    return _number(rows, fault, pl.col(fault.column) + fault.value)


def noisy(rows, fault, events):
    """Times a log-normal factor of median 1; the magnitude is its sigma."""
    ids = rows["event"].to_numpy()
    first, second = (uniform(f"{fault.salt} {part}", ids) for part in ("radius", "angle"))
    normal = np.sqrt(-2 * np.log1p(-first)) * np.cos(2 * np.pi * second)  # Box & Muller 1958
    factor = pl.Series(np.exp(fault.magnitude * normal))
    return _number(rows, fault, pl.col(fault.column) * factor)


def rounded(rows, fault, events):
    """Rounded to multiples of the magnitude."""
    step = fault.magnitude
    return _number(rows, fault, (pl.col(fault.column) / step).round() * step)


def renamed(rows, fault, events):
    """The field has another name from now on: `value`, or its own with _v2 behind it."""
    return rows.rename({fault.column: fault.value or f"{fault.column}_v2"})


def as_text(rows, fault, events):
    """A number becomes text with a decimal comma: 12.5 is "12,5".

    A column has one type, so the rest of the batch is text too, with the same digits as before; a
    log refuses that whole batch.
    """
    text = pl.col(fault.column).cast(pl.Float64).cast(pl.String)
    return rows.with_columns(text.str.replace(".", ",", literal=True))


def missing(rows, fault, events):
    """Null."""
    return _put(rows, fault, pl.lit(None))


def constant(rows, fault, events):
    """The same value in every row: a default where nothing was known, or a sensor that is stuck."""
    return _put(rows, fault, pl.lit(fault.value))


def respelled(rows, fault, events):
    """The same words in another case: "DE" is "de", "de" is "DE"."""
    word, lower = pl.col(fault.column), pl.col(fault.column).str.to_lowercase()
    return _put(rows, fault, pl.when(word == lower).then(word.str.to_uppercase()).otherwise(lower))


def cut(rows, fault, events):
    """Only the first `value` letters of a text, the last `value` digits of a whole number."""
    word = pl.col(fault.column)
    integer = rows.schema[fault.column].is_integer()
    return _put(rows, fault, word % 10**fault.value if integer else word.str.slice(0, fault.value))


def swapped(rows, fault, events):
    """The column and the column `value` change places."""
    return rows.with_columns(
        pl.col(fault.value).alias(fault.column), pl.col(fault.column).alias(fault.value)
    )


def neighbours(rows, fault, events):
    """A join that is off by one: whole-number ids 0 and 1 change places, 2 and 3, and so on."""
    return _put(rows, fault, pl.col(fault.column) ^ 1)


def shifted(rows, fault, events):
    """A clock that is off by the magnitude; before or behind, as the sign of `value` says."""
    return _put(rows, fault, pl.col(fault.column) + fault.value * timedelta(hours=fault.magnitude))


def shifted_by_value(rows, fault, events):
    """A clock that is off by `value` hours."""
    return _put(rows, fault, pl.col(fault.column) + timedelta(hours=fault.value))


def local(rows, fault, events):
    """The wall clock of the zone `value`, written down as if it were UTC."""
    zone = rows.schema[fault.column].time_zone
    wall = pl.col(fault.column).dt.convert_time_zone(fault.value).dt.replace_time_zone("UTC")
    return _put(rows, fault, wall.dt.convert_time_zone(zone))


def flipped(rows, fault, events):
    """0 for 1 and 1 for 0."""
    return _put(rows, fault, 1 - pl.col(fault.column))


def of_the_one_before(rows, fault, events):
    """Attributed to the payment just before the right one, with all that both rows say of it."""
    donors = events["payment"].sort("time", "event")
    known = [
        name
        for name in ("request", "user", "item", "seller", "device", "place", "amount")
        if name in rows.columns and name in donors.columns
    ]
    donors = donors.select("time", pl.col(known).name.prefix("other_"))
    asked = rows.with_row_index("row").sort("time")
    found = asked.join_asof(donors, on="time", allow_exact_matches=False).sort("row")
    has = pl.col("other_request").is_not_null()
    return found.select(
        pl.when(has).then(f"other_{name}").otherwise(name).alias(name) if name in known else name
        for name in rows.columns
    )


def _number(rows, fault, value: pl.Expr) -> pl.DataFrame:
    integer = rows.schema[fault.column].is_integer()
    return _put(rows, fault, value.round() if integer else value)


def _put(rows, fault, value: pl.Expr) -> pl.DataFrame:
    return rows.with_columns(value.cast(rows.schema[fault.column]).alias(fault.column))


MECHANISMS: Mapping[str, Mechanism] = {
    "gone": Mechanism(gone, acts="drop"),
    "gone by group": Mechanism(gone, unit="groups", takes="key", acts="drop"),
    "gone for hours": Mechanism(gone, unit="hours", acts="drop"),
    "again": Mechanism(again, acts="add"),
    "again renamed": Mechanism(again_renamed, acts="add"),
    "scaled": Mechanism(scaled, takes="number"),
    "multiplied": Mechanism(multiplied, unit="times", takes="number"),
    "moved": Mechanism(moved, takes="number"),
    "noisy": Mechanism(noisy, unit="size", takes="number"),
    "rounded": Mechanism(rounded, unit="size", takes="number"),
    "renamed": Mechanism(renamed, takes="any"),
    "as text": Mechanism(as_text, takes="number"),
    "missing": Mechanism(missing, takes="any"),
    "constant": Mechanism(constant, takes="any"),
    "respelled": Mechanism(respelled, takes="word"),
    "cut": Mechanism(cut, takes="key"),
    "swapped": Mechanism(swapped, takes="any"),
    "neighbours": Mechanism(neighbours, takes="whole number"),
    "shifted": Mechanism(shifted, unit="hours", takes="time"),
    "shifted by value": Mechanism(shifted_by_value, takes="time"),
    "local": Mechanism(local, takes="time"),
    "flipped": Mechanism(flipped, takes="number"),
    "of the one before": Mechanism(of_the_one_before, takes="any", needs="payment"),
}

TYPES: Mapping[str, tuple[str, Callable]] = {  # what `takes` means: in words, and for a data type
    "any": ("of any type", lambda dtype: True),
    "number": ("a number", lambda dtype: dtype.is_numeric()),
    "whole number": ("a whole number", lambda dtype: dtype.is_integer()),
    "word": ("text", lambda dtype: dtype == pl.String),
    "key": ("an id or text", lambda dtype: dtype.is_integer() or dtype == pl.String),
    "time": (
        "a time with a zone",
        lambda dtype: isinstance(dtype, pl.Datetime) and dtype.time_zone is not None,
    ),
}
