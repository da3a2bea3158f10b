"""A log in memory: what an `EventLog` would take of a batch, without the disk.

A study breaks the same days many hundred times. The rows that a log keeps follow from its contracts
and ids alone (a test holds it against the real one), so the study keeps them as frames.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from workbench.contracts import CONTRACTS, Contract, check
from workbench.data.pipe import Pipe

__all__ = ["InMemoryLog", "broken_log", "door"]

DAY = timedelta(days=1)


@dataclass(frozen=True)
class InMemoryLog:
    """Frames that can be read like a log that is complete until a moment."""

    events: Mapping[str, pl.DataFrame]
    complete_until: datetime
    known_before: datetime | None = None

    @property
    def kinds(self) -> list[str]:
        """The kinds there are."""
        return [*self.events]

    def scan(self, kind: str) -> pl.LazyFrame:
        """All rows of a kind."""
        return self.events[kind].lazy()


def door(batch: pl.DataFrame, kind: str, clock: datetime) -> tuple[pl.DataFrame, int]:
    """What a log takes of a batch, by the shipped contracts, and how many rows it does not.

    Rows that break the contract are refused, and so are rows sent twice.

    >>> from datetime import UTC
    >>> noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
    >>> pay = pl.DataFrame({"event": [1, 1, 2], "time": noon, "known_at": noon, "user": 7,
    ...                     "amount": [9.5, 9.5, None]})
    >>> good, refused = door(pay, "payment", noon)
    >>> good["event"].to_list(), refused
    ([1], 2)
    """
    try:
        good, bad = check(batch, CONTRACTS.get(kind, Contract(kind)), clock)
    except ValueError:  # it cannot be read as that kind at all
        return batch.clear(), batch.height
    once = good.unique("event", keep="first", maintain_order=True)
    return once, bad.height + good.height - once.height


def broken_log(
    events: Mapping[str, pl.DataFrame], pipe: Pipe, first: datetime, last: datetime
) -> tuple[dict[str, pl.DataFrame], int]:
    """Clean events as a log has them if they come through the pipe from `first` to `last`.

    Batches of a day; before and after nothing is broken, and what is known later than `last` is
    left out. Returns the events and how many rows were refused.
    """
    known, kinds = pl.col("known_at"), {fault.kind for fault in pipe.faults}
    needs = {fault.mechanism.needs for fault in pipe.faults} & set(events)
    before = {kind: events[kind].filter(known < first) for kind in {*kinds, *needs} & set(events)}
    pipe({kind: frame for kind, frame in before.items() if frame.height}, first)
    kept: dict[str, list] = {kind: [before[kind]] for kind in kinds}
    refused, day = 0, first
    while day < last:
        until = min(day + DAY, last)
        batch = {kind: events[kind].filter(known >= day, known < until) for kind in before}
        arrived = pipe({kind: frame for kind, frame in batch.items() if frame.height}, until)
        for kind in kinds & set(arrived):
            good, bad = door(arrived[kind], kind, until)
            kept[kind].append(good)
            refused += bad
        day = until
    whole = {kind: pl.concat(parts, how="diagonal_relaxed") for kind, parts in kept.items()}
    return {
        **{kind: frame.filter(known < last) for kind, frame in events.items()},
        **whole,
    }, refused
