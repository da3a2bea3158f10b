"""Events from Redis Streams, for several machines; a consumer group remembers who has what.

    RedisPublisher ──XADD──► stream ──XREADGROUP──► RedisStreamSource ──► store ──XACK──► done
                                           ▲
                              XAUTOCLAIM: what a dead consumer had taken and not finished

An entry is acknowledged only after the store's commit. A consumer killed between the two leaves
entries that come again: the store's position names them, and should it not (another consumer wrote
in between), the store knows their events by `event` and drops them.

One store has one writer. To share the work, give each consumer streams and a store of its own, one
stream for each part of the users, say. A second consumer of the same streams is a stand-by.
"""

from __future__ import annotations

import json
import os
import socket
import time
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence

import polars as pl

from workbench.contracts import CONTRACTS, Contract
from workbench.features.redis_entries import Entry, fields_of, tables_of
from workbench.features.redis_group import RedisGroup, StreamGap
from workbench.features.sources import Batch, by_contract
from workbench.journal.tables import parts

__all__ = ["RedisStreamSource", "StreamGap"]

BATCH_EVENTS = 5_000
PATIENCE_SECONDS = 30.0
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.05, 1.0


class RedisStreamSource:
    """A consumer of one or more Redis Streams. Needs Redis 7 or later.

    Parameters
    ----------
    address : str
        For example "redis://127.0.0.1:6379/0".
    streams : str or sequence of str
        Keys of the streams.
    group : str, default "features"
        The consumer group, made if missing; it begins at the oldest entry.
    consumer : str, optional
        Names this consumer; by default the machine and the process. One that always has the same
        name goes on with its own unfinished entries at once; those of others wait
        `redis_group.IDLE_SECONDS`.
    restart : bool, default False
        Take what there is, whatever position the store has: after a gap, once the store has been
        brought up to date from the log.
    contracts : mapping of kind to Contract, optional
        What events must keep, as in a log; others are refused and kept in `<stream>:aside`.

    Raises
    ------
    StreamGap
        By `read`, if entries were trimmed or deleted before they were taken, or the group is gone.
    ConnectionError
        By `read`, if Redis stays away for `PATIENCE_SECONDS`.
    """

    def __init__(
        self,
        address: str,
        streams: str | Sequence[str],
        *,
        group: str = "features",
        consumer: str | None = None,
        restart: bool = False,
        contracts: Mapping[str, Contract] = CONTRACTS,
    ) -> None:
        self.address, self._contracts = address, contracts
        self.consumer = consumer or f"{socket.gethostname()}-{os.getpid()}"
        self._group = RedisGroup(address, streams, group, self.consumer)
        self._restart = restart
        self.name = f"redis {group} {' '.join(self._group.streams)}"
        self._opened = False
        self._ready: deque[tuple[dict, list[tuple[Entry, str]], list[Entry], bool]] = deque()
        self._in_hand: list[Entry] = []  # given out, not acknowledged
        self._refused: list[tuple[Entry, str]] = []
        self._away_since: float | None = None
        self._pause = _FIRST_PAUSE_SECONDS

    def read(self, position: str | None, wait_seconds: float) -> Batch | None:
        """The next entries that nobody has finished; see `Source`.

        While Redis is away, empty batches come, which change nothing.
        """
        try:
            if not self._opened:
                self._open(position)
            if not self._ready:
                self._fill(wait_seconds)
        except self._group.gone as error:
            self._bear(error, wait_seconds)
            return Batch({}, position or "[]")
        self._back()
        if not self._ready:
            return None
        tables, refused, entries, full = self._ready.popleft()
        self._in_hand += entries
        self._refused += refused
        unacknowledged = json.dumps([[each.stream, each.id] for each in self._in_hand])
        reasons = Counter()
        for entry, reason in refused:
            reasons[reason] += entry.events
        return Batch(tables, unacknowledged, full or bool(self._ready), reasons)

    def done(self, position: str) -> None:
        """Acknowledge what was given out; what could not be read goes to `<stream>:aside`."""
        try:
            if self._refused:
                self._group.put_aside(self._refused)
                self._refused = []
            if self._in_hand:
                self._group.acknowledge(self._in_hand)
                self._in_hand = []
        except self._group.gone as error:  # they stay in hand, and in the next position
            self._bear(error, _FIRST_PAUSE_SECONDS)

    def close(self) -> None:
        """Let go of the connection."""
        self._group.close()

    def __repr__(self) -> str:
        return f"RedisStreamSource({self.address!r}, {self._group.streams}, {self.consumer!r})"

    def _open(self, position: str | None) -> None:
        begun = position is not None and not self._restart
        self._group.open(begun=begun, forgive=self._restart)
        committed = [Entry(stream, id, None) for stream, id in json.loads(position or "[]")]
        self._group.acknowledge(committed)  # by the one before, who could not say so any more
        self._opened = True

    def _fill(self, wait_seconds: float) -> None:
        """Get entries and make batches of them."""
        entries, more = self._group.take(wait_seconds)
        given = {(each.stream, each.id) for each in self._in_hand}
        fresh = [each for each in entries if (each.stream, each.id) not in given]
        for chunk, last in _chunks(fresh):
            tables, refused = tables_of(chunk)
            levels = parts(tables) or [{}]
            for level in levels[:-1]:  # types differ: only the last one finishes the entries
                self._ready.append((*self._lawful(level, chunk[0]), [], True))
            good, broken = self._lawful(levels[-1], chunk[0])
            self._ready.append((good, refused + broken, chunk, more or not last))

    def _lawful(
        self, tables: Mapping[str, pl.DataFrame], first: Entry
    ) -> tuple[dict[str, pl.DataFrame], list[tuple[Entry, str]]]:
        """The events that keep their contracts; the others as entries, by reason."""
        good, broken = by_contract(tables, self._contracts)
        refused = [
            (Entry(first.stream, first.id, fields_of(kind, rows.drop("reason"))), reason)
            for kind, bad in broken.items()
            for (reason,), rows in bad.group_by("reason", maintain_order=True)
        ]
        return good, refused

    def _bear(self, error: Exception, wait_seconds: float) -> None:
        """Wait a little for a Redis that is away, longer each time, and not for ever."""
        now = time.monotonic()
        self._away_since = now if self._away_since is None else self._away_since
        if now - self._away_since >= PATIENCE_SECONDS:
            raise ConnectionError(
                f"Redis at {self.address} has not answered for {PATIENCE_SECONDS:g} s ({error}); "
                "nothing is lost: start again when it is back"
            ) from error
        time.sleep(min(self._pause, max(wait_seconds, _FIRST_PAUSE_SECONDS)))
        self._pause = min(2 * self._pause, _LONGEST_PAUSE_SECONDS)

    def _back(self) -> None:
        self._away_since, self._pause = None, _FIRST_PAUSE_SECONDS


def _chunks(entries: list[Entry]) -> Iterator[tuple[list[Entry], bool]]:
    """Entries in groups of about BATCH_EVENTS events, and whether it is the last group."""
    chunk, events = [], 0
    for place, entry in enumerate(entries, 1):
        chunk.append(entry)
        events += entry.events
        if events >= BATCH_EVENTS or place == len(entries):
            yield chunk, place == len(entries)
            chunk, events = [], 0
