"""A pipe between a world and its log, with faults that can be switched on and off while it runs.

    world ──► events ──► pipe ──► log            world.run(policies, log=log, pipe=pipe)
                          │
                          └─► pipe.touched: which rows, since when, by which fault

Faults are applied one after the other, in the order in which they were given. The ledger is the
right answer about them: no check and no model may look at it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

import polars as pl

from workbench.contracts import CONTRACTS
from workbench.data.fault import Fault, nothing_touched

__all__ = ["Pipe"]


class Pipe:
    """Call it with each batch of events, in the order of their arrival.

    Parameters
    ----------
    faults : iterable of Fault
        Each breaks the rows that arrive from its start to its end.

    Raises
    ------
    ValueError
        If two faults bear the same name.

    Examples
    --------
    >>> from workbench.data.faults import FAULTS
    >>> pay = pl.DataFrame({"event": [1, 2], "amount": [9.5, 20.0]})
    >>> pipe = Pipe([FAULTS["amount in cents"].at("large")])
    >>> pipe({"payment": pay})["payment"]["amount"].to_list()
    [950.0, 2000.0]
    >>> pipe.off("amount in cents")
    >>> pipe({"payment": pay})["payment"]["amount"].to_list(), pipe.touched["event"].to_list()
    ([9.5, 20.0], [1, 2])
    """

    def __init__(self, faults: Iterable[Fault] = ()):
        self._given = tuple(faults)
        names = [each.name for each in self._given]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two faults are called {twice[0]!r}: replace(fault, name=…) one")
        self.reset()

    @property
    def faults(self) -> tuple[Fault, ...]:
        """The faults that are switched on, in the order in which they are applied."""
        return tuple(each for name, each in self._faults.items() if name not in self._off)

    @property
    def touched(self) -> pl.DataFrame:
        """The ledger: fault, kind, event, time; one row for each row that a fault has touched.

        `time` is the event's own, as it was before. Where kinds have ids of different types, all
        are text.
        """
        parts = [part for part in self._touched if part.height]
        if len({part.schema["event"] for part in parts}) > 1:
            parts = [part.with_columns(pl.col("event").cast(pl.String)) for part in parts]
        return pl.concat(parts, how="diagonal_relaxed") if parts else nothing_touched(_NO_EVENTS)

    @property
    def held_rows(self) -> int:
        """Rows that are late: they have come in and not gone out yet."""
        return sum(frame.height for frame in self._held.values())

    def on(self, fault: Fault | str) -> None:
        """Switch a fault on, by its name; or add one, in place of one of the same name."""
        if isinstance(fault, Fault):
            self._faults[fault.name] = fault
        name = self._known(fault if isinstance(fault, str) else fault.name)
        self._off.discard(name)

    def off(self, name: str) -> None:
        """Switch a fault off. What it has broken stays broken."""
        self._off.add(self._known(name))

    def reset(self) -> None:
        """As it was when it was made: an empty ledger, all that was given on, nothing held back."""
        self._faults = {each.name: each for each in self._given}
        self._off: set[str] = set()
        self._touched: list[pl.DataFrame] = []
        self._held: dict[str, pl.DataFrame] = {}
        self._seen: dict[str, pl.DataFrame] = {}
        self._kinds: set[str] = set()
        self._now: datetime | None = None

    def __call__(
        self, events: Mapping[str, pl.DataFrame], now: datetime | None = None
    ) -> dict[str, pl.DataFrame]:
        """The batch as it arrives: broken, without rows that are late, with those now due.

        Parameters
        ----------
        events : mapping of kind to DataFrame
            What a world's `events()` hands out.
        now : datetime with time zone, optional
            Rows known at this moment or later are held back. Without it: later than anything in
            this batch or before claims to be known.

        Raises
        ------
        ValueError
            If a fault that is on cannot break its kind: no such column, another type; or if its
            kind is neither a shipped one nor has come so far.
        """
        clean, broken = dict(events), dict(events)
        self._kinds |= set(clean)
        self._remember(clean)
        for fault in self.faults:
            if fault.kind not in clean:
                self._check_kind(fault.kind)
                continue
            fault.check(clean[fault.kind])
            if _fits(fault, broken[fault.kind]):  # another fault may have taken the column away
                broken, touched = fault.apply(broken, known=self._seen)
                self._touched.append(touched)
        return self._due(clean, broken, now)

    def __repr__(self):
        lines = [f"Pipe with {len(self.faults)} of {len(self._faults)} faults on"]
        counts = dict(self.touched["fault"].value_counts().iter_rows())
        for name, fault in self._faults.items():
            switch = "off" if name in self._off else "on"
            lines.append(f"  {switch:<4}{name:<22}{fault.kind:<12}{counts.get(name, 0):>9,} rows")
        return "\n".join(lines)

    def _known(self, name: str) -> str:
        if name not in self._faults:
            raise ValueError(f"the pipe has no fault {name!r}; it has {[*self._faults]}")
        return name

    def _check_kind(self, kind: str) -> None:
        if kind not in CONTRACTS and kind not in self._kinds:
            known = sorted(self._kinds | set(CONTRACTS))
            raise ValueError(f"no event of kind {kind!r} has come, and it is none of {known}")

    def _remember(self, events: Mapping[str, pl.DataFrame]) -> None:
        """Keep the kinds that a fault looks up, whether it is on or not."""
        for kind in {each.mechanism.needs for each in self._faults.values()} & set(events):
            parts = [self._seen[kind]] if kind in self._seen else []
            self._seen[kind] = pl.concat([*parts, events[kind]], how="diagonal_relaxed")

    def _due(self, clean, broken, now) -> dict[str, pl.DataFrame]:
        """Hold back what a fault has made late, and let go what is due."""
        self._now = _latest(clean, self._now) if now is None else now
        for kind, frame in self._held.items():
            parts = [part for part in (broken.get(kind), frame) if part is not None]
            broken[kind] = pl.concat(parts, how="diagonal_relaxed")
        self._held, out = {}, {}
        for kind, frame in broken.items():
            late = pl.lit(False)
            if self._now is not None and "known_at" in frame.columns:
                known = pl.col("known_at")
                late = known >= self._now if now is not None else known > self._now
            held, rest = frame.filter(late), frame.filter(~late)
            if held.height:
                self._held[kind] = held
            if rest.height:
                out[kind] = rest
        return dict(sorted(out.items()))


_NO_EVENTS = pl.DataFrame(schema={"event": pl.Int64, "time": pl.Datetime("us", "UTC")})


def _fits(fault: Fault, frame: pl.DataFrame) -> bool:
    try:
        fault.check(frame)
    except ValueError:
        return False
    return True


def _latest(events: Mapping[str, pl.DataFrame], so_far: datetime | None) -> datetime | None:
    last = [frame["known_at"].max() for frame in events.values() if "known_at" in frame.columns]
    return max((each for each in (so_far, *last) if each is not None), default=None)
