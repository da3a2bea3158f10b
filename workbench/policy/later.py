"""Work that may wait: done in the background, dropped when there is too much of it.

    act ──► live answer, at once
      └───► queue (bounded; full: dropped and counted) ──► thread ──► sink(decisions, requests)

The caller never waits: not for the work, and not for room in the queue.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections import Counter
from collections.abc import Callable

from workbench.policy.columns import Columns

__all__ = ["Later"]

_LOG = logging.getLogger(__name__)


class Later:
    """One background thread and a bounded queue before it; a context manager.

    Parameters
    ----------
    sink : callable
        Takes the decisions of a shadow and the requests that they answer, in that thread: an
        append to a list, a journal, a lake (`decision_table(decisions, requests)`).
    size : int, default 100
        Batches that may wait. The next one is dropped, and counted.

    Attributes
    ----------
    counts : Counter
        `done`, `dropped` (queue full or closed), `failed` (the sink raised) batches.

    Notes
    -----
    The thread shares the interpreter: a shadow that computes in pure Python still takes turns with
    the live policy (5 ms each by default, `sys.setswitchinterval`); NumPy, XGBoost, networks and
    sleeping let go of it. Work that must not take turns belongs in another process: give that
    one the journal.

    Examples
    --------
    >>> seen = []
    >>> with Later(lambda decisions, requests: seen.append(len(decisions["request"]))) as later:
    ...     later.put(lambda: ({"request": [7, 8]}, {}))
    True
    >>> seen, dict(later.counts)
    ([2], {'done': 1})
    """

    def __init__(self, sink: Callable[[Columns, Columns], object], *, size: int = 100):
        if size < 1:
            raise ValueError(f"size must be at least 1, got {size}")
        self.sink, self.counts = sink, Counter()
        self._waiting: queue.Queue = queue.Queue(size)
        self._guard, self._closed, self._thread = threading.Lock(), False, None

    def put(self, work: Callable[[], tuple[Columns, Columns] | None]) -> bool:
        """Leave work to be done later; False if it was dropped. Never waits, never raises."""
        with self._guard:
            if not self._closed:
                self._start()
                try:
                    self._waiting.put_nowait(work)
                    return True
                except queue.Full:
                    pass
            self.counts["dropped"] += 1
            return False

    def close(self, timeout_seconds: float | None = None) -> bool:
        """Take no more work and wait for what is there; False if it took too long."""
        with self._guard:
            first, self._closed, thread = not self._closed, True, self._thread
        if thread is None:
            return True
        if first:
            try:
                self._waiting.put(None, timeout=timeout_seconds)
            except queue.Full:
                self._closed = False  # so that the next close asks again
                return False
        thread.join(timeout_seconds)
        return not thread.is_alive()

    def __enter__(self) -> Later:
        return self

    def __exit__(self, *_error) -> None:
        self.close()

    def _start(self) -> None:
        if self._thread is None:
            # a daemon: a shadow that hangs does not keep the process from ending
            self._thread = threading.Thread(target=self._run, name="later", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while (work := self._waiting.get()) is not None:
            try:
                result = work()
                if result is not None:
                    self.sink(*result)
                    self.counts["done"] += 1
            except BaseException as error:  # the thread lives as long as its owner
                self.counts["failed"] += 1
                _LOG.warning("later: %r", error, exc_info=error)
