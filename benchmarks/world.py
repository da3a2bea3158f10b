"""A marketplace at three sizes, on one core, its log written too; and how much memory a day takes.

Every contender runs in a process of its own that is held to one core and one Polars thread; only
its work is timed, not its start and imports. The peer is the same kind of shop as people write it
with SimPy, the discrete-event library: a process for each visit, a slate, clicks in order of
position, a checkout, and a Parquet file for each kind at the end; it makes as many events, of
poorer people (no tastes, no stock, no frauds). The limit writes events that lie ready in memory as
bare Parquet files, in the codec of the log, one for each kind and day: no simulation, no checks, no
commit.

The memory row plays one day of a million people and a hundred thousand items, with a commit every
four hours. Beside it: the day's events held as pandas frames, and as Polars frames.
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import polars as pl

from benchmarks.harness import Row, is_met, measure

__all__ = ["run"]

SIZES = {1: 28, 10: 4, 100: 1}  # scale -> days
QUICK = {0.2: 7, 1: 2, 4: 1}


def run(quick: bool = False) -> list[Row]:
    """Events a second at three sizes, and the memory of a large day."""
    sizes = QUICK if quick else SIZES
    return [one_size(scale, days, quick) for scale, days in sizes.items()] + [memory(quick)]


def one_size(scale: float, days: int, quick: bool) -> Row:
    with tempfile.TemporaryDirectory(prefix="workbench-bench-") as folder:
        log = Path(folder, "first")
        events = apart(partial(play, spec_of(scale, days), log))()
        return measure(
            "world",
            f"{scale:g} x the default shop, {days} days: {events:,} events, with the log",
            ours=contender(partial(fresh, partial(play, spec_of(scale, days)), folder)),
            peer=contender(partial(fresh, partial(simpy_shop, events), folder)),
            limit=contender(partial(ready_files, log, folder)),
            peer_name="a shop in SimPy, Parquet at the end",
            unit="events/s",
            count=events,
            target="ours >= 300000",
            repeats=1 if quick or scale == 100 else 3,
            quick=quick,
        )


def spec_of(scale: float, days: int):
    from workbench.marketplace import MarketplaceSpec

    return MarketplaceSpec(days=days, shock_day=days).at(scale=scale)


def play(spec, path: Path, commit_minutes: int = 1440) -> int:
    """The marketplace with its log; how many events it wrote."""
    from workbench.events import EventLog
    from workbench.marketplace import Marketplace
    from workbench.policy import Rank, Threshold

    world = Marketplace(spec)
    log = EventLog(path, clock=world.clock)
    policies = {"home": Rank("price", 5), "search": Rank("price", 10)}
    policies["checkout"] = Threshold("amount", 300.0)
    world.run(policies, log=log, commit_minutes=commit_minutes)
    return sum(log.scan(kind).select(pl.len()).collect().item() for kind in log.kinds)


def simpy_shop(events: int, path: Path) -> int:
    """So many events of a shop written with SimPy."""
    import random

    import simpy

    rng, environment = random.Random(0), simpy.Environment()
    kinds = {name: [] for name in ("request", "decision", "impression", "click", "payment")}
    done = environment.event()

    def write(kind: str, **row) -> None:
        kinds[kind].append({"event": rng.getrandbits(53), "time": environment.now, **row})

    def visit(user: int):
        request = rng.getrandbits(53)
        write("request", request=request, user=user)
        slate = rng.sample(range(2_000), 7)
        for position, item in enumerate(slate, start=1):
            seen = {"request": request, "user": user, "item": item, "position": position}
            write("decision", policy="page", propensity=1.0, **seen)
            write("impression", **seen)
        for position, item in enumerate(slate, start=1):
            if rng.random() < 0.25 * position**-0.7:
                yield environment.timeout(3 + rng.expovariate(1 / 20))
                write("click", request=request, user=user, item=item, position=position)
                if rng.random() < 0.5:
                    yield environment.timeout(60 * rng.lognormvariate(1.6, 0.8))
                    write("payment", user=user, item=item, amount=rng.lognormvariate(3.2, 0.9))

    def people():
        while sum(map(len, kinds.values())) < events:
            yield environment.timeout(rng.expovariate(1 / 25))
            environment.process(visit(rng.randrange(5_000)))
        done.succeed()

    environment.process(people())
    environment.run(until=done)
    path.mkdir()
    for kind, rows in kinds.items():
        pl.DataFrame(rows).write_parquet(path / f"{kind}.parquet", compression="lz4")
    return sum(map(len, kinds.values()))


def bare_files(log: Path, path: Path) -> Callable[[], int]:
    """Write the events of a log as bare files; they are read before the clock runs."""
    from workbench.events import EventLog

    source = EventLog(log)
    frames = [
        (f"{kind}-{number}", day)
        for kind in source.kinds
        for number, day in enumerate(
            source.scan(kind).with_columns(day=pl.col("known_at").dt.date()).collect()
            .partition_by("day", include_key=False)
        )
    ]  # fmt: skip

    def write() -> int:
        path.mkdir()
        for name, frame in frames:
            frame.write_parquet(path / f"{name}.parquet", compression="lz4")
        return sum(frame.height for _, frame in frames)

    return write


def memory(quick: bool) -> Row:
    """Peak memory of one day with a million people and a hundred thousand items, in GiB."""
    from workbench.marketplace import MarketplaceSpec

    users = 50_000 if quick else 1_000_000
    spec = MarketplaceSpec(
        users=users, items=users // 10, sellers=users // 100, days=1, shock_day=1
    )
    with tempfile.TemporaryDirectory(prefix="workbench-bench-") as folder:
        log = Path(folder, "log")
        peak = apart(partial(peak_gib, partial(play, spec, log, 240)))()
        held = apart(partial(held_gib, log))()
    figures = {"ours": peak, "peer": held[0], "limit": held[1]}
    figures |= {"ratio_to_peer": peak / held[0], "ratio_to_limit": peak / held[1]}
    figures = {name: float(f"{value:.4g}") for name, value in figures.items()}
    target = "ours <= 4"
    return Row(
        area="world", work=f"{users:,} people x {users // 10:,} items x 1 day: peak memory",
        unit="GiB", peer_name="its events as pandas frames", target=target,
        met=None if quick else is_met(target, figures), quick=quick, **figures,
    )  # fmt: skip


def peak_gib(work: Callable[[], int]) -> float:
    work()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def held_gib(path: Path) -> tuple[float, float]:
    """What the log's events take as pandas frames and as Polars frames."""
    from workbench.events import EventLog

    log, pandas, polars = EventLog(path), 0, 0
    for kind in log.kinds:
        frame = log.scan(kind).collect()
        polars += frame.estimated_size()
        pandas += int(frame.to_pandas().memory_usage(deep=True).sum())
    return pandas / 2**30, polars / 2**30


def fresh(work: Callable[[Path], int], folder: str) -> Callable[[], int]:
    """The same work, into a new folder."""
    return partial(work, new_path(folder))


def new_path(folder: str) -> Path:
    return Path(tempfile.mkdtemp(dir=folder)) / "out"


def ready_files(log: Path, folder: str) -> Callable[[], int]:
    """`bare_files` into a new folder."""
    return bare_files(log, new_path(folder))


def contender(prepare: Callable[[], Callable[[], int]]) -> Callable[[], Iterator]:
    """Prepare in a process of its own, yield what is timed, and end the process."""

    def stages() -> Iterator:
        with Child(prepare) as child:
            yield child.work

    return stages


def apart(work: Callable):
    """A call that runs in a process of its own, on one core, and hands the result over."""

    def call():
        with Child(partial(_as_it_is, work)) as child:
            return child.work()

    return call


def _as_it_is(work: Callable) -> Callable:
    return work


class Child:
    """A process on one core with one Polars thread that has prepared its work and waits."""

    def __init__(self, prepare: Callable[[], Callable]):
        context = multiprocessing.get_context("spawn")
        self._here, there = context.Pipe()
        threads = os.environ.get("POLARS_MAX_THREADS")
        os.environ["POLARS_MAX_THREADS"] = "1"  # read when the child first imports Polars
        try:
            self._process = context.Process(target=_serve, args=(there, prepare))
            self._process.start()
        finally:
            os.environ.pop("POLARS_MAX_THREADS")
            if threads is not None:
                os.environ["POLARS_MAX_THREADS"] = threads
        there.close()
        self._here.recv()

    def work(self):
        """Do the work once; its result."""
        self._here.send("go")
        return self._here.recv()

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_) -> None:
        self._here.close()
        self._process.join()


def _serve(pipe, prepare: Callable[[], Callable]) -> None:
    import deltalake  # noqa: F401
    import simpy  # noqa: F401

    import workbench.events
    import workbench.marketplace  # noqa: F401

    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    work = prepare()
    pipe.send("ready")
    pipe.recv()
    pipe.send(work())
