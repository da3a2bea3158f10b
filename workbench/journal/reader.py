"""Follow a journal while it is written, from this process or another.

    Journal ──► segment files ──► JournalReader ──► frames, and the place behind them
                      │                                (segment, bytes)
                      └──────────► drain

A reader takes whole frames that are on the disk for certain: bytes that a crash could still take
back (a torn tail, a group not synced yet) are left for later. Drain keeps segments for readers that
registered; see `kept`.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import NamedTuple

from workbench.journal import frames, kept
from workbench.journal.frames import HEADER, DamagedJournal, Frame
from workbench.journal.kept import JournalGap, Synced

__all__ = ["JournalReader", "Place"]

CHUNK_BYTES = 2**20
_POLL_SECONDS = 0.002
_WAY_OUT = (
    "rebuild what this reader fed from the log (it holds all that was drained), then read on from "
    "the oldest segment there is"
)


class Place(NamedTuple):
    """Everything before `offset` of `segment`, and all segments before, has been read.

    Segments are numbered from 1; segment 0 is before the oldest there is. Bytes are counted anew in
    a segment that was salvaged.
    """

    segment: int
    offset: int = 0
    salvaged: bool = False


class JournalReader:
    """Reads a journal's frames in order, each once.

    Parameters
    ----------
    path : path
        The journal's folder.
    name : str
        Who reads. Segments are kept for this name from the first time on, until it has passed them.

    Raises
    ------
    ValueError
        If there is no such folder, or a reader of that name is reading.

    Examples
    --------
    >>> import tempfile
    >>> from workbench.journal import Journal
    >>> with Journal(tempfile.mkdtemp()) as journal:
    ...     _ = journal.write("click", user=42, item=7)
    ...     journal.sync()
    ...     with JournalReader(journal.path, "counter") as reader:
    ...         found, place = reader.read(None)
    >>> [frame.events for frame in found], place.segment
    ([1], 1)
    """

    def __init__(self, path: str | Path, name: str) -> None:
        self.path, self.name = Path(path), name
        if not self.path.is_dir():
            raise ValueError(f"there is no journal at {self.path}: Journal({str(path)!r}) makes it")
        self._registered = kept.register(self.path, name)
        self._needs = 0
        self._synced: Synced | None = None
        self._id: str | None = None

    @property
    def id(self) -> str | None:
        """The journal's id, None while nobody has written it."""
        place = self._believed()
        if self._id is None and place is not None:
            self._id = self._read_id(place.segment)
        return self._id

    def read(self, place: Place | None, max_events: int = 5_000) -> tuple[list[Frame], Place]:
        """The next frames with events, all of one segment, and the place behind. Never waits.

        At most `max_events`, but a frame is never cut (50,000 events at most). None begins at the
        oldest segment there is.

        Raises
        ------
        JournalGap
            If segments behind the place are gone.
        DamagedJournal
            If what was on the disk does not read.
        """
        place = place if place is not None and place.segment else self.first()
        found: list[Frame] = []
        while not found:
            believed = self._believed()
            if believed is None or place is None or place >= believed:
                break
            sealed = place.segment < believed.segment
            some, place = self._frames(place, None if sealed else believed.offset, max_events)
            found = [frame for frame in some if frame.events]
            if some:
                continue
            if sealed:
                place = Place(place.segment + 1)
            else:
                break
        return found, place or Place(0)

    def wait(self, place: Place, seconds: float) -> bool:
        """Whether there is more to read behind a place; waits for it, at most so long."""
        until = time.monotonic() + seconds
        while (believed := self._believed()) is None or place >= believed:
            if (left := until - time.monotonic()) <= 0:
                self._look_anew()
                return False
            time.sleep(min(_POLL_SECONDS, left))
        return True

    def first(self) -> Place | None:
        """The beginning of the oldest segment there is; None while there is none."""
        oldest = kept.oldest(self.path)
        return None if oldest is None else Place(oldest)

    def done(self, place: Place) -> None:
        """Everything before this place is safe elsewhere: drain may delete it."""
        if place.segment > self._needs:
            kept.needs(self._registered, place.segment)
            self._needs = place.segment

    def forget(self) -> None:
        """Close, and have no more segments kept for this name."""
        self.close()
        kept.forget(self.path, self.name)

    def close(self) -> None:
        """Let go of the name. Segments are kept for it still."""
        if self._registered is not None:
            os.close(self._registered)
            self._registered = None
        self._look_anew()

    def __enter__(self) -> JournalReader:
        return self

    def __exit__(self, *_error) -> None:
        self.close()

    def _believed(self) -> Place | None:
        """How far what is on the disk may be read."""
        if self._registered is None:
            raise ValueError(f"the reader {self.name!r} of {self.path} is closed")
        if self._synced is None:
            try:
                self._synced = Synced(self.path)
            except FileNotFoundError:
                return None
        told = self._synced.read()
        return None if told is None else Place(*told)

    def _look_anew(self) -> None:
        """Let go of the writer's file: another journal may have been put into its place."""
        if self._synced is not None:
            self._synced.close()
        self._synced = self._id = None

    def _read_id(self, segment: int) -> str | None:
        path = kept.kept_or_live(self.path, segment)
        if path is not None:
            with path.open("rb") as file:
                for frame in frames.whole_frames(file.read(CHUNK_BYTES), 0):
                    if frame.type == HEADER:
                        return json.loads(frame.payload)["journal"]
        return None

    def _frames(self, place: Place, end: int | None, max_events: int) -> tuple[list[Frame], Place]:
        """Frames behind a place up to `end`, or to the end of the file, and where they end."""
        file, salvaged = self._open(place)
        try:
            end = os.fstat(file).st_size if end is None else end
            if place.offset > end:
                raise DamagedJournal(
                    f"the journal {self.path} was read up to byte {place.offset} of segment "
                    f"{place.segment}, which has {end}: it was changed; {_WAY_OUT}"
                )
            size = CHUNK_BYTES
            while True:
                data = os.pread(file, min(size, end - place.offset), place.offset)
                found, events, at = [], 0, place.offset
                for frame in frames.whole_frames(data, 0):
                    start, at = at, place.offset + frame.end
                    found.append(frame._replace(start=start, end=at))
                    events += frame.events
                    if events >= max_events:
                        break
                if found or not data:
                    return found, Place(place.segment, at, salvaged)
                if place.offset + len(data) >= end:
                    raise DamagedJournal(
                        f"segment {place.segment} of {self.path} does not read at byte "
                        f"{place.offset}, which was on the disk; Journal(path, salvage=True) keeps "
                        f"what still reads, and this reader must begin anew: {_WAY_OUT}"
                    )
                size *= 2  # a frame longer than the chunk
        finally:
            os.close(file)

    def _open(self, place: Place) -> tuple[int, bool]:
        """The segment's file, and whether it was salvaged."""
        for _again in range(2):  # drain may rename it between the look and the opening
            path = kept.kept_or_live(self.path, place.segment)
            if path is None:
                break
            salvaged = path.with_suffix(".damaged").exists()
            if place.offset and place.salvaged != salvaged:
                raise JournalGap(
                    f"segment {place.segment} of {self.path} was salvaged while {self.name!r} was "
                    f"in the midst of it: {_WAY_OUT}"
                )
            try:
                return os.open(path, os.O_RDONLY | os.O_CLOEXEC), salvaged
            except FileNotFoundError:
                continue
        raise JournalGap(
            f"segment {place.segment} of {self.path} is gone, the oldest left is "
            f"{kept.oldest(self.path)}: {self.name!r} was away for longer than "
            f"{kept.KEPT_BYTES / 2**30:g} GiB of events are kept for readers, or its position is "
            f"not of this journal; {_WAY_OUT}"
        )
