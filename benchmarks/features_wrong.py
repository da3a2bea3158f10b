"""What the joins need, and how many rows are right: memory, unknown data, ties, lost rows.

Memory is the highest mark of a process of its own (VmHWM), set back after the inputs were made and
both had run once on a few rows; "beyond the inputs" is what it rose from there. Ties: times are
whole days, so a user has several events at many a time; the events come once in the order they have
and once shuffled, on one thread, two and four. A row is right if all six agree.
"""

from __future__ import annotations

import multiprocessing
import os
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import polars as pl

from benchmarks.feast_peer import feast
from benchmarks.features_data import AREA, COLUMNS, TTL, arrays, history
from benchmarks.features_join import POLARS, TTL_US, as_of, ours
from benchmarks.harness import Row
from benchmarks.rounds import row

__all__ = ["run"]

DAY_US = 86_400_000_000
POLARS_CALLS = {"ours": ours, "peer": as_of}


def run(quick: bool = False) -> list[Row]:
    """Four kinds of rows; only memory takes the size of the joins."""
    events, requests = (500_000, 50_000) if quick else (10_000_000, 1_000_000)
    rows = memory(events, requests, repeats=1 if quick else 3, quick=quick)
    return [*rows, unknown(events, requests, quick), ties(quick), lost(quick)]


def memory(events: int, requests: int, *, repeats: int, quick: bool) -> list[Row]:
    rounds = [
        {
            name: apart(partial(peak_gib, name, events, requests))
            for name in (*POLARS_CALLS, "limit")
        }
        for _ in range(repeats)
    ]
    work = f"join {events / 1e6:g} M events, {requests / 1e6:g} M requests: peak memory"
    word = {"peer_name": POLARS, "target": "ratio_to_peer <= 1.1", "quick": quick}
    whole, beyond = (
        [{name: peak[which] for name, peak in each.items()} for each in rounds] for which in (0, 1)
    )
    return [
        row(AREA, work, "GiB", whole, **word),
        row(AREA, f"{work} beyond the inputs", "GiB", beyond, **word),
    ]


def peak_gib(name: str, events: int, requests: int) -> tuple[float, float]:
    """The highest mark of one join in this process, and what it is beyond its inputs."""
    asked, happened = history(events, requests)
    if name == "limit":
        from benchmarks.features_limits import merged

        users, given = int(happened["user"].max()) + 1, (arrays(happened), arrays(asked))
        del asked, happened
        few = [[part[..., :1000] for part in each] for each in given]
        call = partial(merged, *given, TTL_US, users)
        merged(*few, TTL_US, users)
    else:
        call = partial(POLARS_CALLS[name], asked, happened)
        for each in POLARS_CALLS.values():
            each(asked.head(1000), happened.head(10_000))
    Path("/proc/self/clear_refs").write_text("5")  # sets the highest mark back
    before = _mark("VmRSS")
    call()
    return _mark("VmHWM"), _mark("VmHWM") - before


def unknown(events: int, requests: int, quick: bool) -> Row:
    """In which share of rows the value was known at the request, or there is none."""
    asked, happened = history(events, requests, late=0.01)
    asked = asked.with_row_index("row")
    known_at = pl.col("known_at").cast(pl.Int64).cast(pl.Float64).alias(COLUMNS[0])
    happened = happened.with_columns(known_at)  # the value *is* when it was known
    shares = {
        name: call(asked, happened)
        .select((pl.col(COLUMNS[0]) < pl.col("time").cast(pl.Int64)).fill_null(True).mean())
        .item()
        for name, call in POLARS_CALLS.items()
    }
    return row(
        AREA,
        f"join {events / 1e6:g} M events, 1 % known late: rows that used known data only",
        "share of rows",
        [shares | {"limit": 1.0}],
        peer_name=POLARS,
        target="ours >= 1",
        quick=quick,
    )


def ties(quick: bool) -> Row:
    """The share of rows that stay the same on any number of threads, in any order of the events."""
    events, requests = (100_000, 20_000) if quick else (2_000_000, 200_000)
    found = {
        name: [
            apart(partial(answers, name, events, requests, shuffled), threads)
            for threads in (1, 2, 4)
            for shuffled in (False, True)
        ]
        for name in POLARS_CALLS
    }
    same = {
        name: sum(len(set(values)) == 1 for values in zip(*runs, strict=True)) / requests
        for name, runs in found.items()
    }
    return row(
        AREA,
        f"join {events / 1e6:g} M events with ties: rows that stay on any threads, in any order",
        "share of rows",
        [same | {"limit": 1.0}],
        peer_name=POLARS,
        target="ours >= 1",
        quick=quick,
    )


def answers(name: str, events: int, requests: int, shuffled: bool) -> list:
    """The first column for each request, in the order of the requests."""
    asked, happened = history(events, requests, tie_us=DAY_US)
    if shuffled:
        happened = happened.sample(fraction=1.0, shuffle=True, seed=1)
    asked = asked.with_row_index("row")
    return POLARS_CALLS[name](asked, happened).sort("row")[COLUMNS[0]].to_list()


def lost(quick: bool) -> Row:
    """The share of requests that come back, when each shares key and time with another."""
    asked, happened = history(20_000, 2_000)
    asked = pl.concat([asked, asked])
    with (
        feast(happened.drop("event"), COLUMNS, offline="dask", ttl_days=TTL.days) as peer,
        tempfile.NamedTemporaryFile(suffix=".parquet") as file,
    ):
        asked.write_parquet(file.name)
        peer("load", requests=file.name)
        back = {"ours": len(ours(asked, happened)), "peer": peer("join")["rows"]}
    return row(
        AREA,
        "join 20,000 events, 4,000 requests, each twice: rows that come back",
        "share of rows",
        [{name: rows / len(asked) for name, rows in back.items()} | {"limit": 1.0}],
        peer_name="Feast (Dask)",
        target="ours >= 1",
        quick=quick,
    )


def apart(work: Callable, threads: int | None = None):
    """What it returns in a process of its own, with so many Polars threads."""
    context = multiprocessing.get_context("spawn")
    before = os.environ.get("POLARS_MAX_THREADS")
    if threads is not None:
        os.environ["POLARS_MAX_THREADS"] = str(threads)  # read when the child imports Polars
    here, there = context.Pipe()
    process = context.Process(target=_send, args=(there, work))
    try:
        process.start()
    finally:
        os.environ.pop("POLARS_MAX_THREADS", None)
        if before is not None:
            os.environ["POLARS_MAX_THREADS"] = before
    there.close()
    try:
        return here.recv()
    finally:
        process.join()


def _send(pipe, work: Callable) -> None:
    pipe.send(work())


def _mark(name: str) -> float:
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) / 2**20
    raise ValueError(f"this system does not tell {name}")
