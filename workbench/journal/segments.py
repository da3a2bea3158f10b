"""The folder of segments: one process appends to the last and deletes from the front.

    0000000006.journal   closed: waits to be drained
    0000000007.journal   open: appended to, always the highest number
    journal.lock         locked by the process that has the journal
    *.kept, readers/     for those who read along: see `kept`

A segment is closed by a MARK that is on the disk before the next segment exists.
"""

from __future__ import annotations

import fcntl
import json
import os
import uuid
from contextlib import suppress
from pathlib import Path

from workbench.journal import frames
from workbench.journal.frames import frame, read_segment
from workbench.journal.kept import Synced, let_go

__all__ = ["Segments"]

SEGMENT_BYTES = 16 * 2**20  # some 150,000 small events: one commit of a fraction of a second
_sync_file = getattr(os, "fdatasync", os.fsync)


class Segments:
    """Opens, repairs and appends. Not for several threads at once: `Journal` holds a lock.

    Attributes
    ----------
    id : str
        The journal's name in the log's transactions, made once for the folder.
    waiting : dict of int to int
        Events on the disk in each segment.
    """

    def __init__(self, path: Path, *, name: str, salvage: bool) -> None:
        self.path = path
        self._lock = _lock(path)
        try:
            self._open(name, salvage)
        except BaseException:
            os.close(self._lock)
            raise

    def append(self, records: list[tuple[bytes, bytes, int]]) -> None:
        """Write (type, payload, events) and sync, or raise OSError and leave the file as it was."""
        if not records:
            return
        data = b"".join(
            frame(type, payload, events=events, synced=self._end)
            for type, payload, events in records
        )
        try:
            _write(self._file, data, self._end)
        except OSError as error:
            os.ftruncate(self._file, self._end)
            raise type(error)(
                error.errno,
                f"the journal could not write ({error.strerror}); what it took is still in memory, "
                "and the next call tries again",
                str(self.file(self._active)),
            ) from error
        self._end += len(data)
        self._synced.tell(self._active, self._end)
        self.waiting[self._active] += sum(events for _type, _payload, events in records)

    @property
    def full(self) -> bool:
        """Whether it is time for the next segment."""
        return self._end >= SEGMENT_BYTES

    def close_active(self) -> None:
        """Seal the open segment, if it holds events, and begin the next."""
        if self.waiting[self._active]:
            self.append([(frames.MARK, b"", 0)])
            self._begin(self._active + 1)

    def closed(self) -> list[int]:
        """The numbers of the closed segments, in order."""
        return sorted(set(self.waiting) - {self._active})

    def read(self, number: int) -> list[frames.Frame]:
        """The frames of a closed segment."""
        found, _end = read_segment(self.file(number), sealed=True)
        return found

    def delete(self, number: int) -> None:
        """Remove a closed segment for good, as soon as no reader needs it."""
        let_go(self.path, number)
        frames.sync_folder(self.path)
        self.waiting.pop(number)

    def file(self, number: int) -> Path:
        """Where a segment is."""
        return self.path / f"{number:010d}.journal"

    def close(self) -> None:
        """Let go of the files and the lock, after a mark that says how much was synced."""
        if self.waiting[self._active]:
            with suppress(OSError):  # a full disk: all events are safe without the mark
                self.append([(frames.MARK, b"", 0)])
        self._synced.close()
        os.close(self._file)
        os.close(self._lock)

    def _open(self, name: str, salvage: bool) -> None:
        numbers = sorted(int(path.stem) for path in self.path.glob("[0-9]" * 10 + ".journal"))
        self.id, self.waiting, self.found = None, {}, []
        found, end, salvaged = [], 0, False
        for number in numbers:
            path, sealed = self.file(number), number != numbers[-1]
            try:
                found, end = read_segment(path, sealed=sealed)
            except frames.DamagedJournal:
                if not salvage:
                    raise
                frames.salvage(path)
                found, end = read_segment(path, sealed=True)
                salvaged = not sealed
            for each in found:
                if each.type == frames.HEADER:
                    self.id = json.loads(each.payload)["journal"]
            self.waiting[number] = sum(each.events for each in found)
            self.found += [each for each in found if each.events]
        self.id = self.id or f"{name}-{uuid.uuid4().hex}"
        self._synced = Synced(self.path, write=True)
        last = numbers[-1] if numbers else 1
        if salvaged:
            self._begin(last + 1)
        elif not found:  # no segment at all, or one that died before its header was whole
            self._begin(last)
        else:
            self._active, self._end = last, end
            self._file = os.open(self.file(last), os.O_RDWR | os.O_CLOEXEC)
            os.ftruncate(self._file, end)  # the torn tail
            os.fsync(self._file)
            self._synced.tell(last, end)

    def _begin(self, number: int) -> None:
        header = frame(frames.HEADER, json.dumps({"journal": self.id, "format": 1}).encode())
        path = self.file(number)
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
        try:
            _write(file, header, 0)
            frames.sync_folder(self.path)
        except OSError:
            os.close(file)
            path.unlink()
            raise
        if hasattr(self, "_file"):
            os.close(self._file)
        self._active, self._file, self._end = number, file, len(header)
        self._synced.tell(number, len(header))
        self.waiting[number] = 0


def _write(file: int, data: bytes, at: int) -> None:
    done = 0
    while done < len(data):
        done += os.pwrite(file, data[done:], at + done)
    _sync_file(file)


def _lock(path: Path) -> int:
    lock = os.open(path / "journal.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        owner = os.pread(lock, 20, 0).decode() or "unknown"
        os.close(lock)
        whose = "this process" if owner == str(os.getpid()) else f"process {owner}"
        raise ValueError(
            f"the journal {path} is open in {whose}: one writer has a journal at a time; close "
            "that one, or give this one a folder of its own"
        ) from None
    os.ftruncate(lock, 0)
    os.pwrite(lock, str(os.getpid()).encode(), 0)
    return lock
