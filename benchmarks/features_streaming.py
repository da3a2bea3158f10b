"""Streaming: how many events a second on one core, and how soon each can be read.

Payments of a hundred thousand users, ten windowed features: count, sum and mean over an hour, a day
and a month, and the most over a month; the old ends of the windows move in steps of a minute, an
hour and a day, or exactly. Throughput is measured in a process that is held to one core and one
Polars thread: once from frames of 2,500 events, once from a journal in which they lie one by one,
with everything between. The peer is Feast's push of ten values that somebody else has computed (it
has no windows). The limit writes the frames as Arrow to LMDB, one commit each.

Soon: from when an event is due in the journal, which another process writes, to the end of the
commit that makes it readable, at 25,000 events a second. The peer keeps one sum a user, without
windows, in Redis, fed by a Redis stream; the limit reads the journal and forgets.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from io import BytesIO
from pathlib import Path
from time import perf_counter

import numpy as np
import polars as pl

from benchmarks.feast_peer import feast
from benchmarks.features_data import AREA, spending
from benchmarks.features_stream import journal_to_store
from benchmarks.features_wrong import apart
from benchmarks.harness import Row
from benchmarks.redis_server import redis_server
from benchmarks.redis_totals import stream_to_totals
from benchmarks.rounds import alternating, row

__all__ = ["run"]

BATCH = 2_500
PUSHED = [f"x{number}" for number in range(10)]
STEPS = {1: 1, 24: 60, 720: 1_440}  # hours -> minutes


def run(quick: bool = False) -> list[Row]:
    """Throughput three times, latency once."""
    events = 25_000 if quick else 500_000
    work = f"stream 10 windowed features, {events:,} payments, one core"
    with pushing(250 if quick else 5_000) as peer:
        return [
            throughput(f"{work}: frames, windows in steps", events, "frames", True, peer, quick),
            throughput(f"{work}: frames, exact windows", events, "frames", False, peer, quick),
            throughput(f"{work}: journal, windows in steps", events, "journal", True, peer, quick),
            latency(quick),
        ]


def wanted(stepped: bool) -> list:
    """The ten features."""
    from workbench import features

    made = []
    for hours, step in STEPS.items():
        word = {"of": "payment", "per": "user", "hours": hours}
        word |= {"step_minutes": step} if stepped else {}
        made += [features.count(**word), features.sum("amount", **word)]
        made += [features.mean("amount", **word)]
    return [*made, features.max("amount", **word)]


def throughput(work: str, events: int, source: str, stepped: bool, peer, quick: bool) -> Row:
    contenders = {
        "ours": lambda: apart(partial(ours, events, source, stepped), threads=1),
        "peer": peer,
        "limit": lambda: apart(partial(raw, events), threads=1),
    }
    return row(
        AREA,
        work,
        "events/s",
        alternating(contenders, 1 if quick else 3),
        peer_name="Feast push (SQLite) of ten values computed elsewhere",
        target="ours >= 50000",
        quick=quick,
    )


def ours(events: int, source: str, stepped: bool) -> float:
    """Events a second on one core, of a store that has seen as many before."""
    from workbench import features

    hold_to_one_core()
    with tempfile.TemporaryDirectory(prefix="workbench-bench-") as folder:
        store = features.OnlineStore(f"{folder}/store", wanted(stepped))
        before, after = batches(events)
        for table in before:
            store.apply({"payment": table})
        if source == "frames":
            start = perf_counter()
            for table in after:
                store.apply({"payment": table})
        else:
            write_journal(Path(folder, "journal"), after)
            start = perf_counter()
            with_source = features.JournalSource(f"{folder}/journal")
            report = features.stream(with_source, store, until="caught up")
            if report.events != events:
                raise ValueError(f"{events} events were written, {report!r}")
        seconds = perf_counter() - start
        check(store, [*before, *after], stepped)
        store.close()
    return events / seconds


def raw(events: int) -> float:
    """The frames as bytes, one commit each."""
    import lmdb

    hold_to_one_core()
    with tempfile.TemporaryDirectory(prefix="workbench-bench-") as folder:
        environment = lmdb.open(f"{folder}/raw", map_size=2**36)
        start = perf_counter()
        for number, table in enumerate(batches(events)[1]):
            content = BytesIO()
            table.write_ipc(content)
            with environment.begin(write=True) as transaction:
                transaction.put(str(number).encode(), content.getvalue())
        seconds = perf_counter() - start
        environment.close()
    return events / seconds


@contextmanager
def pushing(events: int) -> Iterator[Callable[[], float]]:
    """A function that pushes so many rows of ten values through Feast: rows a second."""
    paid = spending(events)
    values = {name: pl.Series(np.random.default_rng(1).normal(size=events)) for name in PUSHED}
    with feast(paid.drop("amount").with_columns(**values), PUSHED) as worker:
        yield lambda: events / worker("push", rows=events)["seconds"][0]


def batches(events: int) -> tuple[list[pl.DataFrame], list[pl.DataFrame]]:
    """As many before as after, in the order of time, with ids."""
    paid = spending(2 * events).with_row_index("event").cast({"event": pl.Int64})
    parts = [paid.slice(start, BATCH) for start in range(0, 2 * events, BATCH)]
    return parts[: len(parts) // 2], parts[len(parts) // 2 :]


def write_journal(path: Path, tables: list[pl.DataFrame]) -> None:
    """One event after the other."""
    from workbench.journal import Journal

    path.mkdir()
    with Journal(path) as journal:
        for table in tables:
            for event in table.iter_rows(named=True):
                journal.write("payment", **event)
        journal.sync()


def check(store, tables: list[pl.DataFrame], stepped: bool) -> None:
    """Whether a hundred users read the values of a training frame.

    Raises ValueError if not.
    """
    from workbench import features

    paid = pl.concat(tables)
    at = paid["known_at"].max() + timedelta(seconds=1)
    asked = pl.select(user=pl.int_range(100), time=at)
    offline = features.training_frame(asked, wanted(stepped), {"payment": paid})
    names = offline.columns[2:]
    online = store.read_many({"user": asked["user"].to_list()}, at=asked["time"][0])
    for one, other in zip(online.select(names).rows(), offline.select(names).rows(), strict=True):
        if not np.allclose(
            *([np.nan if x is None else x for x in each] for each in (one, other)), equal_nan=True
        ):
            raise ValueError(f"online and offline differ: {one} and {other}")


def hold_to_one_core() -> None:
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


class Nothing:
    """A store that forgets."""

    def position(self, source: str) -> None:
        """None yet."""

    def apply(self, tables, position=None):
        """Forget."""
        from workbench.features import StreamReport

        return StreamReport(events=sum(map(len, tables.values())))


def latency(quick: bool) -> Row:
    """The 99th percentile, in milliseconds."""
    from workbench import features

    seconds, rate = (2.0, 5_000) if quick else (10.0, 25_000)

    def streamed(store=None) -> float:
        with tempfile.TemporaryDirectory(prefix="workbench-bench-") as folder:
            opened = store or features.OnlineStore(f"{folder}/store", wanted(True))
            found = journal_to_store(
                opened, Path(folder, "source"), events_a_second=rate, seconds=seconds
            )
            if store is None:
                opened.close()
            return found["p99_ms"]

    def redis() -> float:
        with redis_server() as port:
            return stream_to_totals(port, events_a_second=rate, seconds=seconds)

    return row(
        AREA,
        f"stream 10 windowed features, {rate:,} events/s: written to readable, p99",
        "ms",
        alternating(
            {"ours": streamed, "peer": redis, "limit": lambda: streamed(Nothing())},
            1 if quick else 2,
        ),
        peer_name="one sum a user in Redis, by a Redis stream",
        target="ours <= 150",
        quick=quick,
    )
