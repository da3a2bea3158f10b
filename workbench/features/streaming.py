"""Features kept fresh: events from a source into a store, in small batches, until told to stop.

    source ──read──► batch ──apply──► store      the position is in the same commit
       ▲                                │
       └──────────────done──────────────┘        only then the source may let go

Killed at any moment, the next one goes on where the store's last commit ends: what was not
committed is read again, and what was committed is not, or is known by its `event` and dropped.
"""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Protocol

import polars as pl

from workbench.features.sources import Source
from workbench.features.stream_report import StreamReport

__all__ = ["Sink", "Streaming", "stream"]


class Sink(Protocol):
    """The half of an `OnlineStore` that a stream writes to."""

    def apply(self, tables: Mapping[str, pl.DataFrame], position: tuple[str, str] | None) -> Any:
        """Take a batch and the position behind it, in one commit.

        The answer has `events` (how many changed the state), `duplicates`, `ignored` (of kinds
        that no feature reads) and `aside`, a mapping of reason to count.
        """
        ...

    def position(self, source: str) -> str | None:
        """The position of the last commit from this source."""
        ...


def stream(
    source: Source,
    store: Sink,
    *,
    batch_ms: float = 20.0,
    until: datetime | str | None = None,
    progress: bool = False,
) -> StreamReport:
    """Apply what comes from a source to a store, until `until`, an interrupt or SIGTERM.

    Parameters
    ----------
    source : Source
        For example `JournalSource(path)`.
    store : OnlineStore
        What `features.OnlineStore` opens; anything with `apply` and `position`.
    batch_ms : float, default 20
        Events wait at most so long for their batch; a batch that is full does not wait. The first
        event after a silence is taken at once.
    until : datetime or "caught up", optional
        When to stop: at this time of this machine's clock, or once there is nothing more to read.
    progress : bool, default False
        Print a line every second.

    Returns
    -------
    StreamReport
        The batch in hand is finished first, also on an interrupt (a second one ends at once).

    Raises
    ------
    ValueError
        If the source has lost what it should give, or the store refuses a batch (a column has
        another type than before: the source's `contracts` can say which it must have, and sort
        out the others). The store stands at the last commit.
    """
    if batch_ms <= 0:
        raise ValueError(f"batch_ms must be positive, got {batch_ms}")
    if until is not None and until != "caught up" and getattr(until, "tzinfo", None) is None:
        raise ValueError(f'until must be "caught up" or a time with a zone, got {until!r}')
    stop, last = threading.Event(), StreamReport()
    with _signals(stop):
        printed = time.monotonic()
        for last in _batches(source, store, batch_ms / 1000, until, stop):
            if progress and time.monotonic() - printed >= 1:
                printed = time.monotonic()
                print(last, file=sys.stderr, flush=True)
    return last


class Streaming:
    """A `stream` in a thread, for notebooks and servers; a context manager.

    Parameters
    ----------
    source, store, batch_ms
        As for `stream`. The source is closed in the end, the store stays open.

    Attributes
    ----------
    report : StreamReport
        What has been done so far.

    Examples
    --------
    >>> import tempfile
    >>> from datetime import UTC
    >>> from workbench import features, journal
    >>> clicks = features.count("click", per="user", name="clicks")
    >>> store = features.OnlineStore(tempfile.mkdtemp(), clicks)
    >>> with journal.Journal(tempfile.mkdtemp()) as written:
    ...     with features.Streaming(features.JournalSource(written.path), store) as running:
    ...         _ = written.write("click", user=42, item=7)
    ...         written.sync()
    ...         _ = running.catch_up()        # all that was on the disk is readable now
    ...         store.read({"user": 42}, at=datetime.now(UTC))
    {'clicks': 1}
    >>> store.close()
    """

    def __init__(self, source: Source, store: Sink, *, batch_ms: float = 20.0) -> None:
        if batch_ms <= 0:
            raise ValueError(f"batch_ms must be positive, got {batch_ms}")
        self.report = StreamReport()
        self._source, self._store, self._pause = source, store, batch_ms / 1000
        self._stop, self._changed = threading.Event(), threading.Condition()
        self._idle_since: float | None = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="features", daemon=True)

    def start(self) -> Streaming:
        """Begin, in a thread of its own."""
        self._thread.start()
        return self

    def stop(self) -> StreamReport:
        """Finish the batch in hand, close the source; raise what went wrong, if anything did."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()
        self._source.close()
        if self._error is not None:
            raise self._error
        return self.report

    def catch_up(self, timeout_seconds: float = 30.0) -> StreamReport:
        """Wait until the source has nothing more to give, from now on looked at.

        Raises
        ------
        TimeoutError
            If there still is more after `timeout_seconds`.
        """
        asked = time.monotonic()
        with self._changed:
            self._changed.wait_for(
                lambda: self._error or (self._idle_since or 0) > asked, timeout_seconds
            )
            if self._error is not None:
                raise self._error
            if not (self._idle_since or 0) > asked:
                raise TimeoutError(f"not caught up after {timeout_seconds:g} s; {self.report!r}")
        return self.report

    def __enter__(self) -> Streaming:
        return self.start()

    def __exit__(self, *_error) -> None:
        self.stop()

    def __repr__(self) -> str:
        return repr(self.report)

    def _run(self) -> None:
        try:
            steps = _batches(self._source, self._store, self._pause, None, self._stop, self._idle)
            for report in steps:
                self.report = report
        except BaseException as error:
            with self._changed:
                self._error = error
                self._changed.notify_all()

    def _idle(self, since: float) -> None:
        with self._changed:
            self._idle_since = since
            self._changed.notify_all()


def _batches(
    source: Source,
    store: Sink,
    pause: float,
    until: datetime | str | None,
    stop: threading.Event,
    idle: Callable[[float], None] = lambda _since: None,
) -> Iterator[StreamReport]:
    """The loop: a report after each batch, and a last one that says why it ended."""
    began, report, why = time.monotonic(), StreamReport(), None
    pause = 0.0 if until == "caught up" else pause
    position = store.position(source.name)
    while why is None:
        if stop.is_set():
            why = "interrupted"
            break
        if isinstance(until, datetime) and time.time() >= until.timestamp():
            why = "its time was up"
            break
        looked = time.monotonic()
        batch = source.read(position, pause)
        took = time.monotonic()
        if batch is None:
            idle(looked)
            why = "caught up" if until == "caught up" else None
            continue
        done = None
        if batch.tables:
            done = store.apply(batch.tables, position=(source.name, batch.position))
        position = batch.position
        source.done(position)
        report = report.after(batch, done, seconds=time.monotonic() - began)
        yield report
        if not batch.full:  # what comes now waits for the next batch, at most so long
            stop.wait(max(0.0, took + pause - time.monotonic()))
    yield replace(report, stopped=why, seconds=time.monotonic() - began)


@contextlib.contextmanager
def _signals(stop: threading.Event) -> Iterator[None]:
    """Let SIGINT and SIGTERM end the loop after the batch in hand, a second one at once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def told(_number, _frame):
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    before = {number: signal.signal(number, told) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler or signal.SIG_DFL)
