"""The words that a consumer of a group exchanges with Redis, and when it must not go on.

Redis forgets what is trimmed without telling the group. It does count, though: entries ever added,
entries that the group has read, entries there. So each reading comes in one transaction with the
counts, and where they do not add up, entries were lost: a `StreamGap`, marked in Redis until a
restart is asked for.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from workbench.features.redis_entries import Entry

__all__ = ["RedisGroup", "StreamGap"]

TAKE_ENTRIES = 500
IDLE_SECONDS = 5.0  # a consumer that has been silent for so long loses its entries to another
TIMEOUT_SECONDS = 5.0  # to connect, and for one answer
_COUNTS = """
local found = {}
local info = redis.call('XINFO', 'STREAM', KEYS[1])
for place = 1, #info, 2 do found[info[place]] = info[place + 1] end
local first = found['first-entry']
return {found['length'], found['entries-added'] or -1, first and first[1] or ''}
"""  # without the entries themselves, which XINFO would send, too


class StreamGap(ValueError):
    """Entries that this group had not finished are no longer in the stream."""


class RedisGroup:
    """One consumer of a group on some streams; every call may raise one of `gone`."""

    def __init__(
        self, address: str, streams: str | Sequence[str], group: str, consumer: str
    ) -> None:
        import redis

        self.streams = [streams] if isinstance(streams, str) else list(streams)
        if not self.streams or len(set(self.streams)) < len(self.streams):
            raise ValueError(f"streams must name one or more different streams, got {streams!r}")
        self.group, self.consumer = group, consumer
        self._redis = redis.Redis.from_url(
            address, socket_timeout=TIMEOUT_SECONDS, socket_connect_timeout=TIMEOUT_SECONDS
        )
        self.gone = (redis.exceptions.ConnectionError, redis.exceptions.TimeoutError)
        self._refusal = redis.exceptions.ResponseError
        self._forgive = False
        self._own = dict.fromkeys(self.streams, "0")  # unfinished from an earlier life, from here
        self._claim_from = dict.fromkeys(self.streams, "0-0")
        self._claimed = 0.0

    def open(self, *, begun: bool, forgive: bool) -> None:
        """Make the group where it is missing; StreamGap if it should be there, or had a gap."""
        self._forgive = forgive
        for stream in self.streams:
            if forgive:
                self._redis.delete(self._mark(stream))
            elif (mark := self._redis.get(self._mark(stream))) is not None:
                raise StreamGap(mark.decode())
            if not self._exists(stream):
                if begun:
                    raise StreamGap(
                        f"the group {self.group!r} of {stream!r} is gone from Redis, and with it "
                        f"what had been read; {_way_out()}"
                    )
                self._create(stream)

    def take(self, wait_seconds: float) -> tuple[list[Entry], bool]:
        """Entries to work on, and whether there may be more at once.

        First those that this consumer left unfinished, then those of others that are silent, then
        new ones.
        """
        try:
            if self._own:
                if found := self._left_unfinished():
                    return self._there(found), True
                self._own = {}
            if time.monotonic() - self._claimed > IDLE_SECONDS / 2 and (found := self._claim()):
                return self._there(found), True
            found, more, last = self._new()
            if not found and self._wait(last, wait_seconds):
                found, more, _last = self._new()
            return found, more
        except self._refusal as error:
            if "NOGROUP" in str(error) or "no such key" in str(error):
                raise StreamGap(
                    f"the group {self.group!r} of {self.streams} went from Redis while it was "
                    f"read: Redis was emptied, or lost its memory in a restart; {_way_out()}"
                ) from error
            raise

    def acknowledge(self, entries: Sequence[Entry]) -> None:
        """These are finished for good."""
        pipeline = self._redis.pipeline(transaction=False)
        for stream in self.streams:
            if ids := [each.id for each in entries if each.stream == stream]:
                pipeline.xack(stream, self.group, *ids)
        pipeline.execute()

    def put_aside(self, refused: Sequence[tuple[Entry, str]]) -> None:
        """Keep entries that hold no events in `<stream>:aside`, with the reason."""
        pipeline = self._redis.pipeline(transaction=True)
        for entry, reason in refused:
            fields = {**entry.fields, b"entry": entry.id, b"reason": reason}
            pipeline.xadd(f"{entry.stream}:aside", fields)
        pipeline.execute()

    def close(self) -> None:
        """Let go of the connection."""
        self._redis.close()

    def _exists(self, stream: str) -> bool:
        try:
            groups = self._redis.xinfo_groups(stream)
        except self._refusal:  # no such key
            return False
        return any(each["name"].decode() == self.group for each in groups)

    def _create(self, stream: str) -> None:
        """Begin at the oldest entry, as one that has read all that was trimmed before."""

        def create(pipeline):
            trimmed = 0
            if pipeline.exists(stream):
                length, added, _first = pipeline.eval(_COUNTS, 1, stream)
                if added < 0:
                    raise ValueError("streams need Redis 7 or later: this one does not count them")
                trimmed = added - length
            pipeline.multi()
            pipeline.xgroup_create(stream, self.group, "0", mkstream=True, entries_read=trimmed)

        try:
            self._redis.transaction(create, stream)
        except self._refusal as error:
            if "BUSYGROUP" not in str(error):  # another consumer was quicker
                raise

    def _left_unfinished(self) -> list[Entry]:
        answer = self._redis.xreadgroup(self.group, self.consumer, self._own, count=TAKE_ENTRIES)
        found = _entries(answer)
        self._own |= {each.stream: each.id for each in found}
        return found

    def _claim(self) -> list[Entry]:
        """What others took and have not finished; deleted ones come without fields."""
        found, again = [], False
        for stream in self.streams:
            following, entries, deleted = self._redis.xautoclaim(
                stream,
                self.group,
                self.consumer,
                min_idle_time=int(IDLE_SECONDS * 1000),
                start_id=self._claim_from[stream],
                count=TAKE_ENTRIES,
            )
            self._claim_from[stream] = following.decode()
            again |= self._claim_from[stream] != "0-0"
            found += [Entry(stream, id.decode(), fields) for id, fields in entries]
            found += [Entry(stream, id.decode(), None) for id in deleted]
        if not again:
            self._claimed = time.monotonic()
        return found

    def _new(self) -> tuple[list[Entry], bool, dict[str, str]]:
        """New entries, whether more are there, and the last one that each stream's group read."""
        pipeline = self._redis.pipeline(transaction=True)
        for stream in self.streams:
            pipeline.eval(_COUNTS, 1, stream)
            pipeline.xinfo_groups(stream)
        pipeline.xreadgroup(
            self.group, self.consumer, dict.fromkeys(self.streams, ">"), count=TAKE_ENTRIES
        )
        *counts, answer = pipeline.execute()
        last = {}
        for stream, there, groups in zip(self.streams, counts[::2], counts[1::2], strict=True):
            group = next(each for each in groups if each["name"].decode() == self.group)
            last[stream] = group["last-delivered-id"].decode()
            self._check(stream, there, group)
        found = _entries(answer)
        last |= {each.stream: each.id for each in found}
        return found, len(found) >= TAKE_ENTRIES, last

    def _check(self, stream: str, there: list, group: dict) -> None:
        """StreamGap if the counts say that entries went before the group read them."""
        (length, added, first), read = there, group["entries-read"]
        if read is None or (first and _order(first) <= _order(group["last-delivered-id"])):
            return
        lost = added - read - length
        if lost > 0 and not self._forgive:
            self._gap(stream, f"{lost:,} entries of {stream!r} were trimmed before they were read")

    def _wait(self, last: dict[str, str], seconds: float) -> bool:
        milliseconds = max(1, int(seconds * 1000))
        return bool(self._redis.xread(last, count=1, block=milliseconds))

    def _there(self, entries: list[Entry]) -> list[Entry]:
        """Entries that can be read; StreamGap if some are gone."""
        lost = [each for each in entries if each.fields is None]
        if lost:
            self.acknowledge(lost)
        if lost and not self._forgive:
            self._gap(
                lost[0].stream,
                f"{len(lost):,} entries of {lost[0].stream!r} were trimmed after they were read "
                f"and before they were finished, {lost[0].id} first",
            )
        return [each for each in entries if each.fields is not None]

    def _gap(self, stream: str, what: str) -> None:
        message = f"{what}; {_way_out()}"
        self._redis.set(self._mark(stream), message)
        raise StreamGap(message)

    def _mark(self, stream: str) -> str:
        return f"{stream}:{self.group}:gap"


def _way_out() -> str:
    return "bring the store up to date from the log, then read on with restart=True"


def _entries(answer) -> list[Entry]:
    """The entries of an answer to XREADGROUP, oldest first within each stream."""
    pairs = answer.items() if isinstance(answer, dict) else answer or []
    return [
        Entry(stream.decode(), id.decode(), fields or None)
        for stream, found in pairs
        for id, fields in found
    ]


def _order(entry_id: bytes) -> tuple[int, int]:
    milliseconds, number = entry_id.decode().split("-")
    return int(milliseconds), int(number)
