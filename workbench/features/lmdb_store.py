"""Keys and values in a folder, by LMDB: read by any number of processes, written by one.

Readers never wait and see whole commits only; a commit is on the disk when `write` returns. A
process killed at any moment leaves the last commit.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
from collections.abc import Callable, Iterable
from pathlib import Path

__all__ = ["LmdbStore"]

FILE = "data.mdb"
_MAP_BYTES = 2**38  # of addresses, not of disk or memory; the file grows as it is used
_open: dict[str, LmdbStore] = {}
_opening = threading.Lock()


class LmdbStore:
    """One folder; `LmdbStore.at` gives the same object to all that open it in a process."""

    def __init__(self, folder: Path):
        import lmdb

        self.folder, self._lmdb, self._pid = folder, lmdb, os.getpid()
        folder.mkdir(parents=True, exist_ok=True)
        self._locked, self._closed = None, False
        self._writing = threading.RLock()
        self._mapped = threading.Lock()  # nobody reads while the map moves
        self._env = self._opened()
        self._users = 0

    @staticmethod
    def at(folder: str | Path) -> LmdbStore:
        """The store in a folder, made if there is none."""
        path = os.path.realpath(folder)
        with _opening:
            there = _open.get(path)
            if there is None or there._pid != os.getpid():
                there = _open[path] = LmdbStore(Path(path))
            there._users += 1
            return there

    @property
    def where(self) -> str:
        """For messages: the file."""
        return str(self.folder / FILE)

    def read(self, keys: list[bytes]) -> list[bytes | None]:
        """The values of some keys, None for those there are not, all of one commit."""
        try:
            with self._mapped, self._env.begin() as transaction:  # one of before, renewed
                return [*map(transaction.get, keys)]
        except self._lmdb.MapResizedError:
            self._grow(0)  # as another process did
            return self.read(keys)
        except self._lmdb.Error as error:
            raise self._broken(error) from error

    @contextlib.contextmanager
    def exclusively(self):
        """Hold the right to write: of one thread at a time, and of this process from now on."""
        with self._writing:
            self._lock()
            yield

    def write(self, work: Callable[[_Writing], object]):
        """Do some work in one transaction, all of it or nothing; return what it returns.

        The work is done again, from the start, if the file's map had to grow meanwhile.
        """
        while True:
            try:
                with self._env.begin(write=True) as transaction:
                    return work(_Writing(transaction))
            except self._lmdb.MapFullError:
                self._grow(2 * self._env.info()["map_size"])
            except self._lmdb.MapResizedError:
                self._grow(0)
            except self._lmdb.Error as error:
                raise self._broken(error) from error

    def close(self) -> None:
        """Let go of it; the last user closes the files and gives up the right to write."""
        with _opening:
            self._users -= 1
            if self._users > 0:
                return
            _open.pop(str(self.folder), None)
            self._closed = True
            self._env.close()
            if self._locked is not None:
                os.close(self._locked)
                self._locked = None

    def _opened(self):
        lmdb, size = self._lmdb, _MAP_BYTES
        while True:
            try:
                env = lmdb.open(
                    str(self.folder), map_size=size, max_readers=1024, max_spare_txns=32
                )
                break
            except (lmdb.MemoryError, MemoryError):
                size //= 4
                if size < 2**28:
                    raise
            except lmdb.Error as error:
                raise self._broken(error) from error
        info, page = env.info(), env.stat()["psize"]
        needed, there = (info["last_pgno"] + 1) * page, os.path.getsize(self.where)
        if there < needed and info["last_txnid"] > 0:
            env.close()
            raise self._broken(f"it should have {needed} bytes and has {there}")
        env.reader_check()
        return env

    def _grow(self, size: int) -> None:
        with self._mapped:
            self._env.set_mapsize(size)

    def _lock(self) -> None:
        if self._locked is not None:
            return
        path = self.folder / "writer.lock"
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            other = os.read(handle, 20).decode() or "another one"
            os.close(handle)
            raise ValueError(
                f"the store {self.folder} has a writer already, process {other}: only one may "
                "write, any number may read"
            ) from error
        os.truncate(handle, 0)
        os.write(handle, str(os.getpid()).encode())
        self._locked = handle

    def _broken(self, error) -> ValueError:
        if self._closed:
            return ValueError(f"the store {self.folder} is closed")
        return ValueError(
            f"{self.where} cannot be read, it is damaged or no store ({error}): delete the folder "
            "and materialise from the log again"
        )


class _Writing:
    """What is being written; reads see it."""

    def __init__(self, transaction):
        self.get = transaction.get
        self._transaction = transaction

    def get_many(self, keys: Iterable[bytes]) -> list[bytes | None]:
        """Values of some keys, None for those there are not."""
        return [*map(self.get, keys)]

    def put_many(self, pairs: Iterable[tuple[bytes, bytes]]) -> None:
        """Set some keys."""
        self._transaction.cursor().putmulti(pairs)

    def delete(self, key: bytes) -> None:
        """Remove a key, if it is there."""
        self._transaction.delete(key)
