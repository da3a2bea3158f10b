"""One commit: all rows of an append get in at once, or none, however many write at a time.

Nobody holds a lock that matters. A writer reads the newest snapshot, works out its rows, and
commits them under the next number. If somebody else took that number in between, it starts again
from the newer snapshot, so that de-duplication has always seen everything that is in.
"""

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from workbench.events.intake import Intake, watermark
from workbench.events.lake import CommitFailedError, Lake
from workbench.events.snapshot import Snapshot

__all__ = ["Appended", "aware", "commit", "refuse_wrong_arguments", "until_done"]

ATTEMPTS = 60  # with the pauses between them about half a minute
OWN_NUMBERS = ("workbench", "complete_until", "compaction")  # transactions of the log itself


@dataclass(frozen=True)
class Appended:
    """What one append did. The repr is the report.

    >>> Appended(version=3, added={"click": 41}, duplicates=2, quarantined={"click.item: null": 1})
    version 3: 41 click, 2 duplicates dropped, 1 row in quarantine (1 click.item: null)
    """

    version: int
    added: Mapping[str, int] = field(default_factory=dict)
    duplicates: int = 0
    quarantined: Mapping[str, int] = field(default_factory=dict)
    late: int = 0
    new_columns: Mapping[str, list[str]] = field(default_factory=dict)
    skipped: bool = False

    def __repr__(self):
        if self.skipped:
            return f"version {self.version}: this batch is in already"
        parts = [f"{rows:,} {kind}" for kind, rows in self.added.items()] or ["nothing new"]
        if self.duplicates:
            parts.append(f"{_count(self.duplicates, 'duplicate')} dropped")
        if self.late:
            parts.append(f"{self.late:,} late")
        if self.quarantined:
            reasons = ", ".join(f"{rows:,} {why}" for why, rows in self.quarantined.items())
            rows = _count(sum(self.quarantined.values()), "row")
            parts.append(f"{rows} in quarantine ({reasons})")
        for kind, names in self.new_columns.items():
            parts.append(f"new in {kind}: {', '.join(names)}")
        return f"version {self.version}: {', '.join(parts)}"


def until_done(lake: Lake, attempt: Callable[[Snapshot], Any]) -> Any:
    """Return what `attempt` makes of the newest snapshot.

    It is called again if somebody else commits in between (CommitFailedError), and if it
    returns None: then it has prepared the table and wants to see the next snapshot.

    Raises OSError after 60 attempts.
    """
    failure = None
    for number in range(ATTEMPTS):
        with lake.turn():
            try:
                done = attempt(lake.snapshot())
            except CommitFailedError as error:
                failure, done = error, None
        if done is not None:
            return done
        time.sleep(random.uniform(0, min(1.0, 0.01 * number)))
    raise OSError(
        f"gave up after {ATTEMPTS} attempts: others commit to the log at {lake.root} all the time "
        f"({failure}); nothing was added, try again"
    )


def commit(
    lake: Lake,
    snapshot: Snapshot,
    intake: Intake,
    batch: tuple[str, int] | None = None,
    complete_until: datetime | None = None,
) -> Appended | None:
    """Commit these rows. None if the table had to be made or widened first."""
    numbers = dict([batch] if batch else [])
    line = watermark(snapshot)
    if complete_until is not None and (line is None or complete_until > line):
        since_epoch = complete_until - datetime(1970, 1, 1, tzinfo=UTC)
        numbers["complete_until"] = since_epoch // timedelta(microseconds=1)
    version = snapshot.version
    if intake.rows or numbers:
        missing = intake.columns_beyond(snapshot.schema)
        if missing or snapshot.table is None:
            lake.widen(snapshot, missing)
            return None
        numbers["workbench"] = (snapshot.transaction("workbench") or 0) + 1
        version = lake.commit(snapshot, intake.rows.items(), numbers)
    return Appended(
        version=version,
        added=intake.added,
        duplicates=intake.duplicates,
        quarantined=dict(intake.quarantined),
        late=intake.late,
        new_columns=intake.new_columns,
    )


def refuse_wrong_arguments(batch: Any, complete_until: datetime | None, now: datetime) -> None:
    """Raise ValueError for a batch or watermark that cannot be."""
    if batch is not None:
        name, number = batch
        if name in OWN_NUMBERS or not isinstance(number, int) or number < 1:
            raise ValueError(
                "batch must be (name, number), with number >= 1 and a name other than "
                f"{', '.join(OWN_NUMBERS)}, got {batch!r}"
            )
    if complete_until is not None and aware(complete_until, "complete_until") > now:
        raise ValueError(
            f"complete_until must not lie after the clock ({now:%Y-%m-%d %H:%M:%S %Z}), "
            f"got {complete_until}: more can become known until then"
        )


def aware(moment: datetime, name: str) -> datetime:
    """Return a moment in UTC; ValueError if it has no time zone."""
    if not isinstance(moment, datetime) or moment.tzinfo is None:
        raise ValueError(
            f"{name} must be a datetime with a time zone, such as "
            f"datetime(2026, 3, 1, tzinfo=UTC), got {moment!r}"
        )
    return moment.astimezone(UTC)


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
