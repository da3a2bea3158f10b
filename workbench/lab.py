"""A folder of one's own: where a notebook's or a command's log, journal and runs live.

    Lab("00_the_loop")     data/lab/00_the_loop in the checkout, ./.workbench/00_the_loop elsewhere,
                           $WORKBENCH_HOME/00_the_loop above both

A lab's folder carries a marker file, and nothing is ever deleted in a folder without one. A live
lab holds a lock, so a notebook opened twice works in two folders: the second `00_the_loop-2`.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from workbench.events import EventLog
    from workbench.journal import Journal

__all__ = ["Clock", "Lab"]

MARKER, LOCK = "lab.json", "lab.lock"
OURS = {MARKER, LOCK, f"{MARKER}.new"}
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")

_held: dict[Path, Lab] = {}  # the labs that this process holds, for the cell that is run again


class Clock:
    """The lab's time: the machine's, until it is set; then it stands until it is set again.

    >>> clock = Clock()
    >>> clock.now = datetime(2026, 3, 1, tzinfo=UTC)
    >>> clock.advance(hours=6)
    >>> clock()
    datetime.datetime(2026, 3, 1, 6, 0, tzinfo=datetime.timezone.utc)
    """

    def __init__(self) -> None:
        self._set_to: datetime | None = None

    def __call__(self) -> datetime:
        """The time now, in UTC."""
        return self.now

    @property
    def now(self) -> datetime:
        """The time now, in UTC. Set it to a datetime with a zone, or None: the machine's time."""
        return self._set_to or datetime.now(UTC)

    @now.setter
    def now(self, time: datetime | None) -> None:
        if time is None:
            self._set_to = None
            return
        if not isinstance(time, datetime) or time.tzinfo is None:
            raise ValueError(f"the clock needs a datetime with a time zone, got {time!r}")
        self._set_to = time.astimezone(UTC)

    @property
    def simulated(self) -> bool:
        """Whether the clock was set by hand."""
        return self._set_to is not None

    def advance(self, **duration: float) -> None:
        """Set the clock forward by `timedelta(**duration)`, from wherever it stands."""
        self.now = self.now + timedelta(**duration)

    def __repr__(self) -> str:
        return f"Clock({self.now:%Y-%m-%d %H:%M} UTC)" if self.simulated else "Clock(wall)"


class Lab:
    """One folder with a log, a journal, a place for runs and a clock.

    Parameters
    ----------
    name : str
        Letters, digits, `.`, `_` and `-`, at most 100, beginning with a letter or digit.
    home : path, optional
        The folder that holds the labs. Default: see the top of this file.
    fresh : bool, default False
        Begin with an empty folder. Only what a lab made is ever deleted.

    Attributes
    ----------
    path : Path
        The lab's folder.
    clock : Clock
        The time that `log` goes by; set `clock.now` to simulate.

    Raises
    ------
    ValueError
        If the name is not one, or the folder holds files that no lab made.
    OSError
        If the folder cannot be made or written.

    Examples
    --------
    >>> import tempfile
    >>> with Lab("fraud", home=tempfile.mkdtemp(), fresh=True) as lab:
    ...     lab
    Lab('fraud')
    """

    def __init__(self, name: str, *, home: str | Path | None = None, fresh: bool = False) -> None:
        if not isinstance(name, str) or not NAME.fullmatch(name):
            raise ValueError(
                f"a lab's name is letters, digits, '.', '_' or '-', at most 100, beginning with "
                f"a letter or digit; got {name!r}"
            )
        folder = _home(home)
        self.clock = Clock()
        copy, self._lock = 1, None
        while self._lock is None:
            self.name = name if copy == 1 else f"{name}-{copy}"
            self.path = folder / self.name
            self._lock = _claim(self.path)
            copy += 1
        try:
            if fresh:
                _empty(self.path)
            _mark(self.path, self.name)
        except BaseException:
            os.close(self._lock)
            raise
        _held[self.path] = self

    @cached_property
    def log(self) -> EventLog:
        """The lab's event log, on the lab's clock."""
        from workbench.events import EventLog

        return EventLog(self.path / "log", clock=self.clock)

    @cached_property
    def journal(self) -> Journal:
        """The lab's journal, for `journal.drain(lab.log)`."""
        from workbench.journal import Journal

        return Journal(self.path / "journal", name=self.name, clock=self.clock)

    @property
    def tracking(self) -> str:
        """The address of the lab's runs, for `workbench.tracking`."""
        return f"sqlite:///{self.path / 'tracking' / 'mlflow.db'}"

    def close(self) -> None:
        """Close the journal and let go of the folder. The files stay."""
        if "journal" in self.__dict__:
            self.journal.close()
        if self._lock is not None:
            os.close(self._lock)  # which also ends the lock
            self._lock = None
            _held.pop(self.path, None)

    def __enter__(self) -> Lab:
        return self

    def __exit__(self, *_error) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Lab({self.name!r})" if self._lock is not None else f"Lab({self.name!r}, closed)"


def _home(home: str | Path | None) -> Path:
    if home is None:
        home = os.environ.get("WORKBENCH_HOME") or None
    if home is None:
        checkout = Path(__file__).resolve().parent.parent
        here = _is_ours(checkout)
        home = checkout / "data" / "lab" if here else Path.cwd() / ".workbench"
    return Path(home).expanduser().resolve()


def _is_ours(checkout: Path) -> bool:
    project = checkout / "pyproject.toml"
    return (
        (checkout / "notebooks").is_dir()
        and project.is_file()
        and 'name = "mlsys-workbench"' in project.read_text(encoding="utf-8")
    )


def _claim(path: Path) -> int | None:
    """Take the folder: its locked file, or None when another live process has it."""
    earlier = _held.get(path)
    if earlier is not None:  # the same cell again: this lab takes over from the earlier one
        earlier.close()
    try:
        path.mkdir(parents=True, exist_ok=True)
        foreign = {entry.name for entry in os.scandir(path)} - OURS
    except OSError as error:
        raise type(error)(
            error.errno, f"no lab can be made here ({error.strerror}); give home= or set "
            "WORKBENCH_HOME to a folder that can be written", str(path)
        ) from error  # fmt: skip
    if foreign and not _marked(path):
        raise ValueError(
            f"{path} holds {sorted(foreign)[0]!r} and no {MARKER}: not a lab's folder, so it is "
            "left alone; choose another name or home"
        )
    lock = os.open(path / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    return lock


def _marked(path: Path) -> bool:
    try:
        return json.loads((path / MARKER).read_bytes())["lab_of"] == "mlsys-workbench"
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return False


def _mark(path: Path, name: str) -> None:
    if _marked(path):
        return
    new = path / f"{MARKER}.new"
    new.write_text(json.dumps({"lab_of": "mlsys-workbench", "name": name, "format": 1}) + "\n")
    os.replace(new, path / MARKER)  # whole or absent, whenever we die


def _empty(path: Path) -> None:
    """Delete all but the marker and the lock: a half-emptied folder is still a lab's."""
    for entry in list(os.scandir(path)):
        if entry.name in OURS:
            continue
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path)
        else:
            os.unlink(entry.path)
