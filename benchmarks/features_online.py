"""The online store: twenty numbers a user, read for one user, for five hundred, and written.

A hundred thousand users (Feast has ten thousand of them: it writes so slowly). One user's values
come as a dict, five hundred as a frame (Feast: as a dict of lists), at one moment for all; the time
is the median over reads of users drawn at random, each contender in turns. The limit packs twenty
numbers under a key and reads them back, see `features_raw`. Materialising starts from a frame of a
million users in memory (Feast: a Parquet file; the limit: packed rows) and ends on the disk.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np
import polars as pl

from benchmarks.feast_peer import feast
from benchmarks.features_data import AREA
from benchmarks.features_raw import RawLmdb, packed, raw_lmdb, raw_redis
from benchmarks.harness import Row
from benchmarks.redis_server import redis_server
from benchmarks.rounds import alternating, row

__all__ = ["profiles", "run"]

NAMES = [f"x{number}" for number in range(20)]
AT = datetime(2024, 6, 1, tzinfo=UTC)
LMDB_TARGETS = ("ours <= 20", "ours <= 1.5")
REDIS_TARGETS = ("ratio_to_limit <= 1.3", "ratio_to_limit <= 1.5")


def run(quick: bool = False) -> list[Row]:
    """Reads from LMDB and Redis, and one materialisation."""
    users = 5_000 if quick else 100_000
    people = profiles(users)
    with tempfile.TemporaryDirectory(prefix="workbench-bench-") as folder, redis_server() as port:
        lmdb = partial(raw_lmdb, Path(folder, "raw"))
        redis = partial(raw_redis, port)
        address = f"redis://127.0.0.1:{port}/0"
        return [
            *reads("LMDB", f"{folder}/ours", lmdb, "sqlite", people, LMDB_TARGETS, quick),
            *reads("Redis", address, redis, f"127.0.0.1:{port},db=2", people, REDIS_TARGETS, quick),
            materialise(Path(folder), quick),
        ]


def profiles(users: int) -> pl.DataFrame:
    """One event a user, in no order."""
    rng = np.random.default_rng(7)
    seconds = rng.integers(0, 30 * 86_400, users)
    time = pl.lit(datetime(2024, 5, 1, tzinfo=UTC)).cast(pl.Datetime("us", "UTC"))
    return pl.DataFrame(
        {"user": rng.permutation(users), "event": np.arange(users)}
        | {name: rng.normal(size=users) for name in NAMES}
    ).with_columns(time=time + pl.duration(seconds=pl.Series(seconds))).with_columns(
        known_at="time"
    )  # fmt: skip


def wanted() -> list:
    """The twenty features."""
    from workbench import features

    return [features.latest(name, of="profile", per="user", name=name) for name in NAMES]


def reads(name: str, address: str, raw, online: str, people, targets, quick: bool) -> list[Row]:
    """Two rows: one user, five hundred."""
    from workbench import features

    few = people.sort("user").head(500 if quick else 10_000)
    with (
        raw(people, NAMES) as limit,
        feast(few.drop("event"), NAMES, online=online) as peer,
    ):
        peer("write")
        ours = features.OnlineStore(address, wanted())
        try:
            ours.materialise({"profile": people}, AT)
            check(ours, limit)
            return [
                one(name, ours, peer, limit, len(people), len(few), targets[0], quick),
                many(name, ours, peer, limit, len(people), len(few), targets[1], quick),
            ]
        finally:
            ours.close()


def one(name: str, ours, peer, limit, users: int, few: int, target: str, quick: bool) -> Row:
    draw = draws(1, 500 if quick else 5_000)
    contenders = {
        "ours": lambda: middle(lambda some: ours.read({"user": some[0]}, at=AT), draw(users)),
        "peer": lambda: median(peer("read", users=draw(few)[:500])["seconds"]),
        "limit": lambda: middle(lambda some: limit.one(some[0]), draw(users)),
    }
    return reading(name, "1 entity, as a dict: p50", "µs", 1e6, contenders, target, quick)


def many(name: str, ours, peer, limit, users: int, few: int, target: str, quick: bool) -> Row:
    draw = draws(500, 20 if quick else 200)
    contenders = {
        "ours": lambda: middle(lambda some: ours.read_many({"user": some}, at=AT), draw(users)),
        "peer": lambda: median(peer("read", users=draw(few)[:20])["seconds"]),
        "limit": lambda: middle(limit.many, draw(users)),
    }
    return reading(name, "500 entities, as a frame: p50", "ms", 1e3, contenders, target, quick)


def reading(name: str, what: str, unit: str, scale: float, contenders, target, quick) -> Row:
    rounds = alternating(contenders, 2 if quick else 7)
    return row(
        AREA,
        f"online {name}, 20 features, {what}",
        unit,
        [{each: seconds * scale for each, seconds in found.items()} for found in rounds],
        peer_name=f"Feast ({'SQLite' if name == 'LMDB' else 'Redis'})",
        target=target,
        quick=quick,
    )


def draws(some: int, times: int) -> Callable[[int], list[list[int]]]:
    """A function that draws `times` lists of `some` users of so many."""
    rng = np.random.default_rng(11)
    return lambda users: rng.integers(0, users, (times, some)).tolist()


def middle(read: Callable, drawn: list[list[int]]) -> float:
    """The median seconds of one read."""
    seconds = []
    for some in drawn:
        start = perf_counter()
        read(some)
        seconds.append(perf_counter() - start)
    return median(seconds)


def check(ours, limit) -> None:
    """Whether both read the same numbers.

    Raises ValueError if not.
    """
    users = draws(500, 1)(5_000)[0]
    if ours.read({"user": users[0]}, at=AT) != limit.one(users[0]):
        raise ValueError("ours and the limit read different values of one user")
    if not ours.read_many({"user": users}, at=AT).select(NAMES).equals(limit.many(users)):
        raise ValueError("ours and the limit read different frames")


def materialise(folder: Path, quick: bool) -> Row:
    """Rows a second, from what lies ready in memory; Feast has fewer users, in a file."""
    from workbench import features

    users, few = (50_000, 500) if quick else (1_000_000, 10_000)
    people = profiles(users)
    ready = list(packed(people, NAMES))

    def ours() -> float:
        with emptied(folder / "store") as place:
            start = perf_counter()
            store = features.OnlineStore(str(place), wanted())
            store.materialise({"profile": people}, AT)
            store.close()
            return users / (perf_counter() - start)

    def raw() -> float:
        with emptied(folder / "store") as place:
            start = perf_counter()
            store = RawLmdb(place, NAMES)
            store.write(ready)
            store.close()
            return users / (perf_counter() - start)

    with feast(people.head(few).drop("event"), NAMES) as worker:

        def peer() -> float:
            start = perf_counter()
            worker("write")
            return few / (perf_counter() - start)

        return row(
            AREA,
            f"materialise 20 features of {users / 1e6:g} M users (the peer: of {few:,})",
            "rows/s",
            alternating({"ours": ours, "peer": peer, "limit": raw}, 1 if quick else 3),
            peer_name="Feast (SQLite)",
            target="ours >= 500000",
            quick=quick,
        )


@contextmanager
def emptied(path: Path) -> Iterator[Path]:
    """A folder that is not there before and not after."""
    shutil.rmtree(path, ignore_errors=True)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
