"""Frames with a checksum, and what to believe of a file after a crash.

    segment = 0000000007.journal = header frame, frame, frame, ...
    frame   = "WBJ" type | length u32 | events u32 | synced u64 | crc32 u32 | payload

`synced` is how many bytes of the file were known to be on the disk when the frame was written. It
tells two kinds of damage apart. Bytes that no later frame calls synced were never promised to
anybody: a torn tail, cut off when the journal is opened. Bytes that were promised and do not read
are a `DamagedJournal`.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

__all__ = [
    "DamagedJournal",
    "Frame",
    "frame",
    "read_segment",
    "salvage",
    "sync_folder",
    "whole_frames",
]

MAGIC = b"WBJ"
HEADER, ROWS, TABLE, MARK = b"h", b"r", b"t", b"m"  # MARK is empty: the end of a closed segment
_FIXED = struct.Struct("<3scIIQ")
_CRC = struct.Struct("<I")
_HEAD = _FIXED.size + _CRC.size


class DamagedJournal(ValueError):
    """Bytes that were on the disk no longer read as they were written."""


class Frame(NamedTuple):
    """One record of a segment; `start` and `end` are offsets in bytes."""

    start: int
    end: int
    type: bytes
    events: int
    synced: int
    payload: bytes


def frame(type: bytes, payload: bytes, *, events: int = 0, synced: int = 0) -> bytes:
    """The bytes of one frame.

    >>> len(frame(ROWS, b"[{}]"))
    28
    """
    fixed = _FIXED.pack(MAGIC, type, len(payload), events, synced)
    return fixed + _CRC.pack(zlib.crc32(payload, zlib.crc32(fixed))) + payload


def whole_frames(data: bytes, at: int) -> Iterator[Frame]:
    """Whole frames from `at` on, up to the first that does not read."""
    while (found := _frame_at(data, at)) is not None:
        yield found
        at = found.end


def read_segment(path: Path, *, sealed: bool) -> tuple[list[Frame], int]:
    """The frames of a file and where they end, in bytes; what follows is a torn tail.

    Parameters
    ----------
    path : Path
        The segment.
    sealed : bool
        Whether a later segment exists: then all of this one was synced, to its last MARK.

    Raises
    ------
    DamagedJournal
        If synced bytes do not read: names the file, the offset and what is left.
    """
    data = path.read_bytes()
    frames = list(whole_frames(data, 0))
    end = frames[-1].end if frames else 0
    later = list(_later_frames(data, end)) if end < len(data) else []
    promised = len(data) if sealed else max((frame.synced for frame in later), default=0)
    if promised > end:
        raise DamagedJournal(
            f"{path} is damaged at byte {end} of {len(data)}: {len(frames)} frames before it and "
            f"{len(later)} after it still read; Journal(path, salvage=True) keeps those and puts "
            "the damaged file aside"
        )
    if sealed and (not frames or frames[-1].type != MARK):
        raise DamagedJournal(
            f"{path} ends at byte {end} without its closing mark: it was cut after it was synced; "
            "Journal(path, salvage=True) keeps what is left and puts the damaged file aside"
        )
    return frames, end


def salvage(path: Path) -> None:
    """Put the file aside as `*.damaged` and write what still reads in its place."""
    data = path.read_bytes()
    kept = list(whole_frames(data, 0))
    kept += _later_frames(data, kept[-1].end if kept else 0)
    clean = b"".join(
        frame(old.type, old.payload, events=old.events) for old in kept if old.type != MARK
    )
    new = path.with_suffix(".new")
    with new.open("wb") as file:
        file.write(clean + frame(MARK, b"", synced=len(clean)))
        file.flush()
        os.fsync(file.fileno())
    aside = path.with_suffix(".damaged")
    if not aside.exists():
        os.link(path, aside)
    os.replace(new, path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make created, renamed and deleted names durable, too."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _frame_at(data: bytes, at: int) -> Frame | None:
    if at + _HEAD > len(data):
        return None
    magic, type, length, events, synced = _FIXED.unpack_from(data, at)
    start, end = at + _HEAD, at + _HEAD + length
    if magic != MAGIC or end > len(data):
        return None
    payload = data[start:end]
    (crc,) = _CRC.unpack_from(data, at + _FIXED.size)
    if crc != zlib.crc32(payload, zlib.crc32(data[at : at + _FIXED.size])):
        return None
    return Frame(at, end, type, events, synced, payload)


def _later_frames(data: bytes, damaged: int) -> Iterator[Frame]:
    """Every frame that reads behind a damaged place."""
    at = data.find(MAGIC, damaged + 1)
    while at >= 0:
        found = _frame_at(data, at)
        if found is not None:
            yield found
        at = data.find(MAGIC, found.end if found else at + 1)
