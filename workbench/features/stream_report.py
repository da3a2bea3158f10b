"""How far a stream is, in numbers and in words."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from workbench.features.sources import Batch

__all__ = ["StreamReport"]

_MOST_REASONS = 5


@dataclass(frozen=True, kw_only=True)
class StreamReport:
    """What a stream has done so far.

    Parameters
    ----------
    events, duplicates : int
        Events that changed the state, and those that were in it already.
    aside : mapping of str to int
        Events that could not be applied, by reason; the store keeps them.
    refused : mapping of str to int
        What could not be read as events, by reason; the source keeps it.
    ignored : int
        Events of kinds that no feature reads.
    batches : int
        Commits.
    lag_seconds : float or None
        From the youngest `known_at` of the last batch to its commit, by this machine's clock.
    seconds : float
        Since the start.
    stopped : str or None
        Why it ended; None while it runs.

    Examples
    --------
    >>> StreamReport(events=1_200, batches=3, seconds=2.0, aside={"no user": 4})
    Stream: 1,200 events in 3 batches, 2 s (running)
      4 aside: no user
    """

    events: int = 0
    duplicates: int = 0
    ignored: int = 0
    aside: Mapping[str, int] = field(default_factory=dict)
    refused: Mapping[str, int] = field(default_factory=dict)
    batches: int = 0
    lag_seconds: float | None = None
    seconds: float = 0.0
    stopped: str | None = None

    def __repr__(self) -> str:
        lines = [
            f"Stream: {self.events:,} events in {self.batches:,} batches, {self.seconds:.3g} s"
            f" ({self.stopped or 'running'})"
        ]
        if self.duplicates:
            lines.append(f"  {self.duplicates:,} came again and changed nothing")
        if self.ignored:
            lines.append(f"  {self.ignored:,} are of kinds that no feature reads")
        for what, counts in (("aside", self.aside), ("unreadable", self.refused)):
            for reason, count in Counter(counts).most_common(_MOST_REASONS):
                lines.append(f"  {count:,} {what}: {reason}")
        return "\n".join(lines)

    def after(self, batch: Batch, applied: Any, *, seconds: float) -> StreamReport:
        """The report after one more batch; `applied` is the store's answer, None if not asked."""
        refused = dict(Counter(self.refused) + Counter(batch.refused))
        if applied is None:
            return replace(self, refused=refused, seconds=seconds)
        clocks = [table["known_at"].max() for table in batch.tables.values() if "known_at" in table]
        known = max((each.timestamp() for each in clocks if each is not None), default=None)
        return replace(
            self,
            events=self.events + applied.events,
            duplicates=self.duplicates + applied.duplicates,
            ignored=self.ignored + applied.ignored,
            aside=dict(Counter(self.aside) + Counter(applied.aside)),
            refused=refused,
            batches=self.batches + 1,
            lag_seconds=None if known is None else time.time() - known,
            seconds=seconds,
        )
