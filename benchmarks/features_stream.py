"""Event written to the journal to value readable: how long, at a steady rate.

A process of its own writes the events one by one, each at the moment it is due; this one streams
them into the store. What counts is the time from when an event was *due* (so that a writer that
falls behind does not flatter us) to the end of the commit that made it readable, for every event.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

__all__ = ["journal_to_store"]

USERS = 100_000
TICKS_A_SECOND = 1_000


def journal_to_store(
    store: Any,
    folder: Path,
    *,
    events_a_second: int = 25_000,
    seconds: float = 10.0,
    warm_up_seconds: float = 3.0,
    batch_ms: float = 20.0,
) -> dict[str, float]:
    """Latencies in milliseconds, and how many events a second were written and applied.

    `store` is an empty `OnlineStore` over payments (user, amount); `folder` is for the journal.
    """
    from workbench import features

    path = Path(folder) / "journal"
    path.mkdir(parents=True)
    timed = _Timed(store)
    source = features.JournalSource(path)
    total = round(events_a_second * (warm_up_seconds + seconds))
    with features.Streaming(source, timed, batch_ms=batch_ms) as running:
        command = [sys.executable, "-m", "benchmarks.features_stream", str(path)]
        writer = subprocess.Popen([*command, str(events_a_second), str(total)])
        assert writer.wait(60 + total / events_a_second) == 0
        report = running.catch_up()
    assert report.events == total, f"{total} events written, {report!r}"
    came = pl.concat(timed.batches)
    first = came["due"].min()
    late = came.filter(pl.col("due") >= first + warm_up_seconds)
    milliseconds = 1000 * (late["readable"] - late["due"]).to_numpy()
    p50, p99, worst = np.quantile(milliseconds, [0.5, 0.99, 1.0])
    span = late["readable"].max() - late["due"].min()
    busy = sum(timed.seconds) / (came["readable"].max() - first)
    return {
        "p50_ms": p50,
        "p99_ms": p99,
        "max_ms": worst,
        "events_a_second": len(late) / span,
        "batches": report.batches,
        "apply_share": busy,
    }


class _Timed:
    """A store that notes when each event became readable."""

    def __init__(self, store: Any) -> None:
        self._store = store
        self.batches: list[pl.DataFrame] = []
        self.seconds: list[float] = []

    def position(self, source: str) -> str | None:
        """As the store's."""
        return self._store.position(source)

    def apply(self, tables: dict[str, pl.DataFrame], position: tuple[str, str]) -> Any:
        """As the store's, with a look at the clock behind it."""
        began = time.perf_counter()
        report = self._store.apply(tables, position=position)
        self.seconds.append(time.perf_counter() - began)
        due = pl.col("known_at").dt.epoch("us") / 1e6
        for table in tables.values():
            self.batches.append(table.select(due=due, readable=pl.lit(time.time())))
        return report


def _write(path: Path, events_a_second: int, total: int) -> None:
    """Write payments, each when it is due; never ahead of time."""
    from workbench.journal import Journal
    from workbench.journal.rows import Moment

    rng = np.random.default_rng(0)
    users = rng.integers(0, USERS, total).tolist()
    amounts = rng.lognormal(3, 1, total).round(2).tolist()
    a_tick = events_a_second / TICKS_A_SECOND
    with Journal(path) as journal:
        began, number, tick = time.time(), 0, 0
        while number < total:
            due = began + tick / TICKS_A_SECOND
            if (left := due - time.time()) > 0:
                time.sleep(left)
            tick += 1
            known = Moment(int(due * 1e6))
            for number in range(number, min(total, int(tick * a_tick))):  # noqa: B020
                journal.write(
                    "payment",
                    event=number,
                    user=users[number],
                    amount=amounts[number],
                    time=known,
                    known_at=known,
                )
            number = min(total, int(tick * a_tick))


if __name__ == "__main__":
    _write(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
