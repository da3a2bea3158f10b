"""One fault: what breaks, how much of it, from when to when, and for whom.

    events ──► fault.apply ──► (events, touched)      the rest is as it was, bit by bit

A fault is a value: it can be printed, compared, sent to a worker, and undone by not applying it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from workbench.assign import uniform
from workbench.data.mechanisms import MECHANISMS, TYPES

__all__ = ["LEVELS", "Fault", "nothing_touched"]

LEVELS = ("small", "medium", "large")
SHARES = ("share", "groups")


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """A broken pipe. `workbench.data.faults.FAULTS` has one of each, ready to be placed.

    Parameters
    ----------
    name : str
        What the ledger calls it, and what its luck is keyed by.
    summary : str
        One line for people.
    how : str
        A key of `workbench.data.mechanisms.MECHANISMS`: what `magnitude` and `value` mean.
    kind, column : str
        What is broken; no column where whole rows are.
    magnitude : float
        In the unit of the mechanism; 0 (for a factor 1) changes nothing.
    levels : (float, float, float)
        Documented magnitudes: small, medium, large.
    value : optional
        What else the mechanism needs: a factor, another column, a name.
    start, end : datetime with time zone, optional
        Rows that arrive (`known_at`, else `time`) within [start, end) are hit; without, all.
    where : mapping of column to value, optional
        Only rows that have these values.

    Raises
    ------
    ValueError
        If the mechanism is unknown, a magnitude is out of range, `end` is not after `start`, or a
        clock has no time zone.

    Examples
    --------
    >>> cents = Fault(name="cents", summary="", how="scaled", kind="payment", column="amount",
    ...               magnitude=1.0, levels=(0.1, 0.5, 1.0), value=100, where={"place": "CH"})
    >>> pay = pl.DataFrame({"event": [1, 2], "place": ["CH", "DE"], "amount": [9.5, 20.0]})
    >>> broken, touched = cents.apply({"payment": pay})
    >>> broken["payment"]["amount"].to_list(), touched["event"].to_list()
    ([950.0, 20.0], [1])
    """

    name: str
    summary: str
    how: str
    kind: str
    column: str | None = None
    magnitude: float
    levels: tuple[float, float, float]
    value: Any = None
    start: datetime | None = None
    end: datetime | None = None
    where: Any = ()

    def __post_init__(self):
        if self.how not in MECHANISMS:
            raise ValueError(f"how must be one of {[*MECHANISMS]}, got {self.how!r}")
        if not (self.kind.isidentifier() and self.kind == self.kind.lower()):
            raise ValueError(f"a kind is one lower-case word, got {self.kind!r}")
        if (self.column is None) != (self.mechanism.takes is None):
            needs = "needs a column" if self.column is None else "breaks whole rows: no column"
            raise ValueError(f"{self.name} {needs}, got {self.column!r}")
        for magnitude in (self.magnitude, *self.levels):
            self._check_magnitude(magnitude)
        for name in ("start", "end"):
            moment = getattr(self, name)
            if moment is not None and (
                not isinstance(moment, datetime) or moment.utcoffset() is None
            ):
                raise ValueError(f"{name} must be a datetime with a time zone, got {moment!r}")
        if self.start is not None and self.end is not None and self.end <= self.start:
            raise ValueError(f"end must come after start, got {self.start} and {self.end}")
        pairs = self.where.items() if isinstance(self.where, Mapping) else self.where
        object.__setattr__(self, "where", tuple((str(name), value) for name, value in pairs))

    @property
    def mechanism(self):
        """How it breaks rows."""
        return MECHANISMS[self.how]

    @property
    def salt(self) -> str:
        """What its luck is keyed by, with the event's id."""
        return f"fault {self.name} {self.kind} {self.column}"

    @property
    def level(self) -> str | None:
        """small, medium or large, if the magnitude is one of the documented ones."""
        return next(
            (
                word
                for word, size in zip(LEVELS, self.levels, strict=True)
                if size == self.magnitude
            ),
            None,
        )

    def at(
        self, level: str, *, start: datetime | None = None, end: datetime | None = None
    ) -> Fault:
        """The same fault at a documented level, from `start` to `end`.

        Raises ValueError for another word than small, medium and large.
        """
        if level not in LEVELS:
            raise ValueError(f"level must be one of {LEVELS}, got {level!r}")
        return replace(self, magnitude=self.levels[LEVELS.index(level)], start=start, end=end)

    def on(self, kind: str, column: str | None = None, *, where: Mapping | None = None) -> Fault:
        """The same fault on another kind or column, or on a slice of its rows."""
        return replace(
            self, kind=kind, column=self.column if column is None else column, where=where or ()
        )

    def apply(
        self, events: Mapping[str, pl.DataFrame], *, known: Mapping[str, pl.DataFrame] | None = None
    ) -> tuple[dict[str, pl.DataFrame], pl.DataFrame]:
        """Break the events; nothing that is given is changed.

        Parameters
        ----------
        events : mapping of kind to DataFrame
            With `event`; with a clock if the fault has a start or an end.
        known : mapping of kind to DataFrame, optional
            All clean events so far, for a fault that looks up another kind (`mechanism.needs`);
            by default these events are all.

        Returns
        -------
        events : dict of kind to DataFrame
            Frames that are not hit are the same objects.
        touched : DataFrame
            fault, kind, event, time: one row for each row that is now other than it was, is gone,
            or is new, with the `time` it had before.

        Raises
        ------
        ValueError
            If there is no such kind or column, or the column is of another type than is needed.
        """
        if self.kind not in events:
            raise ValueError(f"{self.name}: events have no kind {self.kind!r}; got {[*events]}")
        frame = events[self.kind]
        self.check(frame)
        hit = self._hit(frame)
        if not hit.any():
            return dict(events), nothing_touched(frame)
        rows, rest = frame.filter(hit), frame.filter(~hit)
        made = self.mechanism.how(rows, self, self._known(events if known is None else known))
        if self.mechanism.acts == "drop":
            return {**events, self.kind: rest}, self._touched(rows)
        if self.mechanism.acts == "add":
            return {**events, self.kind: pl.concat([frame, made])}, self._touched(made)
        differs = _differs(rows, made)
        if not differs.any():
            return dict(events), nothing_touched(frame)
        order = np.argsort(np.concatenate([np.flatnonzero(~hit), np.flatnonzero(hit)]))
        parts = [part for part in (rest, made) if part.height]
        whole = pl.concat(parts, how="diagonal_relaxed")[order]
        return {**events, self.kind: whole}, self._touched(rows.filter(differs))

    def check(self, frame: pl.DataFrame) -> None:
        """Raise ValueError unless the fault can break such a frame; the message says why."""
        clock = [] if self.start is None and self.end is None else [_clock(frame)]
        other = [self.value] if self.how == "swapped" else []
        own = [] if self.column is None else [self.column]
        for name in ("event", *own, *other, *clock, *(name for name, _ in self.where)):
            if name not in frame.columns:
                raise ValueError(f"{self.name}: {self.kind} has no column {name!r}: it has "
                                 f"{', '.join(frame.columns)}")  # fmt: skip
        for name in clock:
            if getattr(frame.schema[name], "time_zone", None) is None:
                raise ValueError(f"{self.name}: {self.kind}.{name} has no time zone, it is "
                                 f"{frame.schema[name]}")  # fmt: skip
        takes, dtype = self.mechanism.takes, frame.schema.get(self.column)
        if takes is not None and not TYPES[takes][1](dtype):
            raise ValueError(f"{self.name} breaks a column that is {TYPES[takes][0]}; "
                             f"{self.kind}.{self.column} is {dtype}")  # fmt: skip
        if self.how == "constant" and not _holds(dtype, self.value):
            raise ValueError(
                f"{self.name} puts {self.value!r}; {self.kind}.{self.column} is {dtype}"
            )
        if other and frame.schema[self.value] != dtype:
            raise ValueError(f"{self.name}: {self.column} is {dtype} and {self.value} is "
                             f"{frame.schema[self.value]}: they cannot change places")  # fmt: skip

    def _hit(self, frame: pl.DataFrame) -> pl.Series:
        end = self.end
        unit = self.mechanism.unit
        if self.how == "gone for hours":
            if self.start is None:
                raise ValueError(f"{self.name} needs a start: nothing comes for hours from then on")
            end = self.start + timedelta(hours=self.magnitude)
            end = end if self.end is None else min(end, self.end)
        conditions = [pl.lit(self.magnitude != (1 if unit == "times" else 0))]
        if self.start is not None:
            conditions.append(pl.col(_clock(frame)) >= self.start)
        if end is not None:
            conditions.append(pl.col(_clock(frame)) < end)
        conditions += [pl.col(name) == value for name, value in self.where]
        whole = pl.repeat(True, pl.len())
        hit = frame.select(hit=whole & pl.all_horizontal(conditions).fill_null(False))["hit"]
        if unit in SHARES and self.magnitude < 1 and hit.any():
            column = "event" if unit == "share" else self.column
            keys = frame[column].filter(hit)
            chosen = np.zeros(frame.height, bool)
            named = keys.is_not_null().to_numpy()
            places = np.flatnonzero(hit.to_numpy())[named]
            chosen[places] = uniform(self.salt, _ids(keys.drop_nulls())) < self.magnitude
            hit = pl.Series(chosen)
        return hit

    def _known(self, events: Mapping[str, pl.DataFrame]) -> Mapping[str, pl.DataFrame]:
        needs = self.mechanism.needs
        if needs is not None and needs not in events:
            raise ValueError(f"{self.name} looks up {needs}: give its events too, got {[*events]}")
        return events

    def _touched(self, rows: pl.DataFrame) -> pl.DataFrame:
        names = [name for name in ("event", "time") if name in rows.columns]
        return rows.select(fault=pl.lit(self.name), kind=pl.lit(self.kind), **{n: n for n in names})

    def _check_magnitude(self, magnitude: float) -> None:
        unit = self.mechanism.unit
        if unit in SHARES and not 0 <= magnitude <= 1:
            raise ValueError(f"{self.name}: a share of rows must be in [0, 1], got {magnitude}")
        if not 0 <= magnitude < float("inf") or (unit == "times" and magnitude == 0):
            least = "above 0" if unit == "times" else "at least 0"
            raise ValueError(f"{self.name}: magnitude must be {least} {unit}, got {magnitude}")


def nothing_touched(frame: pl.DataFrame | None = None) -> pl.DataFrame:
    """The ledger before anything happened: fault, kind, and the frame's event and time."""
    own = {} if frame is None else frame.schema
    names = {name: own[name] for name in ("event", "time") if name in own}
    return pl.DataFrame(schema={"fault": pl.String, "kind": pl.String, **names})


def _differs(before: pl.DataFrame, after: pl.DataFrame) -> pl.Series:
    """Rows that are other than they were."""
    differs = np.zeros(before.height, bool)
    for name in before.columns:
        old = before[name]
        if name not in after.columns or after.schema[name] != old.dtype:
            differs |= old.is_not_null().to_numpy()
        elif after[name] is not old:
            differs |= old.ne_missing(after[name]).to_numpy()
    return pl.Series(differs)


def _holds(dtype: pl.DataType, value: Any) -> bool:
    try:
        pl.Series([value]).cast(dtype)
    except pl.exceptions.PolarsError:
        return False
    return True


def _clock(frame: pl.DataFrame) -> str:
    return "known_at" if "known_at" in frame.columns else "time"


def _ids(keys: pl.Series) -> np.ndarray:
    return keys.to_numpy() if keys.dtype.is_integer() else keys.cast(pl.String).to_numpy()
