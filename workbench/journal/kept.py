"""What a journal keeps for those who read it while it is written, in its own folder.

    journal.synced        how far the newest segment is on the disk: readers go no further
    readers/model-a       the first segment that this reader still needs; locked while it reads
    0000000006.kept       drained, but a reader is not through with it

Readers that fall away do not fill the disk: beyond `KEPT_BYTES` the oldest kept segments go, and a
reader that comes back for them gets a `JournalGap`.
"""

from __future__ import annotations

import fcntl
import os
import re
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

__all__ = ["JournalGap", "Synced", "forget", "kept_or_live", "let_go", "oldest", "register"]

KEPT_BYTES = 2**30  # of drained segments, for all readers together
_SMALLEST = 2**16  # what a file counts at least, so that there are some 16,000 at most
_PLACE, _CRC = struct.Struct("<QQ"), struct.Struct("<I")


class JournalGap(ValueError):
    """Events between a reader's position and what is left of the journal are gone."""


class Synced:
    """The number of the newest segment, and how many of its bytes are on the disk.

    The writer tells it after each sync, so it is never ahead of the disk.

    >>> import tempfile
    >>> synced = Synced(Path(tempfile.mkdtemp()), write=True)
    >>> synced.tell(7, 1024)
    >>> synced.read()
    (7, 1024)
    """

    def __init__(self, folder: Path, *, write: bool = False) -> None:
        flags = os.O_RDWR | os.O_CREAT if write else os.O_RDONLY
        self._file = os.open(folder / "journal.synced", flags | os.O_CLOEXEC, 0o644)

    def tell(self, segment: int, end: int) -> None:
        """Let readers go so far. On a full disk they wait for the next time."""
        place = _PLACE.pack(segment, end)
        with suppress(OSError):
            os.pwrite(self._file, place + _CRC.pack(zlib.crc32(place)), 0)

    def read(self) -> tuple[int, int] | None:
        """(segment, bytes), or None while nothing whole is there."""
        data = os.pread(self._file, _PLACE.size + _CRC.size, 0)
        place = data[: _PLACE.size]
        if data[_PLACE.size :] != _CRC.pack(zlib.crc32(place)) or not place:
            return None
        return _PLACE.unpack(place)

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._file)


def register(folder: Path, name: str) -> int:
    """Have segments kept for a reader from now on; returns its locked file.

    Raises
    ------
    ValueError
        If the name cannot be a file's, or a reader of that name is reading.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", name):
        raise ValueError(
            f"a reader's name is letters, digits and . _ - (100 at most), got {name!r}"
        )
    with _alone(folder):
        path = folder / "readers" / name
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            raise ValueError(
                f"a reader called {name!r} reads the journal {folder} already: give each reader a "
                "name of its own, so that segments are kept until the slowest is through"
            ) from None
        if not os.pread(file, 1, 0):
            needs(file, oldest(folder) or 0)
    return file


def needs(file: int, segment: int) -> None:
    """Note the first segment that a registered reader still needs."""
    os.pwrite(file, b"%020d\n" % segment, 0)


def forget(folder: Path, name: str) -> None:
    """Keep nothing more for a reader; what only it needed goes with the next drain."""
    with suppress(FileNotFoundError):
        (folder / "readers" / name).unlink()


def let_go(folder: Path, number: int) -> None:
    """Put a drained segment out of the journal's way, and delete what no reader needs."""
    with _alone(folder):
        needed = min((_needed(path) for path in _readers(folder)), default=None)
        live = folder / f"{number:010d}.journal"
        live.rename(live.with_suffix(".kept"))
        kept = sorted(folder.glob("[0-9]" * 10 + ".kept"), reverse=True)
        room = KEPT_BYTES
        for path in kept:
            room -= max(path.stat().st_size, _SMALLEST)
            if needed is None or int(path.stem) < needed or room < 0:
                path.unlink()


def kept_or_live(folder: Path, number: int) -> Path | None:
    """Where a segment is now, or None."""
    live = folder / f"{number:010d}.journal"
    for path in (live, live.with_suffix(".kept")):  # in this order: drain renames live to kept
        if path.exists():
            return path
    return None


def oldest(folder: Path) -> int | None:
    """The lowest number of a segment that is still there."""
    names = (path for path in folder.iterdir() if path.suffix in (".journal", ".kept"))
    return min((int(path.stem) for path in names if path.stem.isdigit()), default=None)


def _readers(folder: Path) -> list[Path]:
    return [path for path in (folder / "readers").iterdir() if path.name != ".lock"]


def _needed(path: Path) -> int:
    text = path.read_bytes()
    return int(text) if re.fullmatch(rb"\d{20}\n", text) else 0  # in doubt it needs everything


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Drain and registrations one at a time: no segment goes while a reader looks for it."""
    (folder / "readers").mkdir(exist_ok=True)
    lock = os.open(folder / "readers" / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)
