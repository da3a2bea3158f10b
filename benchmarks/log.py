"""The log under load: a million payments into ten million, as-of scans, and the journal.

Ten days hold a million payments each. The append brings a million rows with 1 % that the log
already has, into the last two days (the usual case) or into all ten (the worst). Ids are random,
so no statistics of a file can rule out that it holds one. Each round works on a fresh copy (data
files are hard links); files are in the page cache and nothing is synced to the disk, for nobody.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import numpy as np
import polars as pl

from benchmarks import journal
from benchmarks.harness import Row, measure

__all__ = ["run"]

DAYS, FIRST_DAY = 10, datetime(2025, 6, 1, tzinfo=UTC)
CODEC = "lz4"  # of the log's new files
CODECS = ("zstd", CODEC)  # so that everybody sees what a ratio owes to the codec
KNOWN_BEFORE = FIRST_DAY + timedelta(days=7, hours=12)
WANTED = ("user", "time", "amount")


def run(quick: bool = False) -> list[Row]:
    """Append and as-of scan at ten million rows, and the journal."""
    rows = 50_000 if quick else 1_000_000
    with tempfile.TemporaryDirectory(prefix="workbench-bench-") as folder:
        shop = Shop(Path(folder), rows)
        rows = [
            *(append(shop, days, codec, quick=quick) for days in (2, DAYS) for codec in CODECS),
            *scans(shop, quick=quick),
        ]
    return rows + journal.run(quick)


class Shop:
    """Ten days of payments, kept four ways: our log, bare Parquet, DuckDB and plain Delta."""

    def __init__(self, folder: Path, rows_a_day: int):
        from workbench import EventLog

        self.folder, self.rows = folder, rows_a_day
        self.log, self.bare = folder / "log", folder / "bare"
        self.duck, self.delta = folder / "shop.duckdb", folder / "delta"
        self.bare.mkdir()
        log = EventLog(self.log)
        with duckdb.connect(str(self.duck)) as duck:
            for day in range(DAYS):
                frame = payments(rows_a_day, day)
                log.append(payment=frame)
                frame.write_parquet(self.bare / f"day={day}.parquet", compression=CODEC)
                if day == 0:
                    duck.execute("CREATE TABLE payment AS SELECT * FROM frame LIMIT 0")
                    duck.execute("ALTER TABLE payment ADD PRIMARY KEY (event)")
                duck.execute("INSERT INTO payment SELECT * FROM frame")

    def new_rows(self, days: int) -> pl.DataFrame:
        """One append: fresh payments of the last `days` days, and 1 % that are in already."""
        fresh = self.rows * 99 // 100 // days
        again = self.rows // 100 // days
        parts = []
        for day in range(DAYS - days, DAYS):
            known = pl.read_parquet(self.bare / f"day={day}.parquet")
            parts += [payments(fresh, day, part=1), known.sample(again, seed=day)]
        return pl.concat(parts).sort("time")

    def scratch(self) -> Path:
        """A new name in the folder."""
        return Path(tempfile.mkdtemp(dir=self.folder)) / "copy"


def append(shop: Shop, days: int, codec: str, *, quick: bool) -> Row:
    """Append with contracts and de-duplication, into the last `days` days.

    The bare write is taken in both codecs: zstd is what Polars writes unless told otherwise, lz4 is
    what the log writes.
    """
    from workbench import EventLog

    frame = shop.new_rows(days)
    duplicates = frame.height - shop.rows * 99 // 100 // days * days

    def ours() -> Iterator:
        copy = shop.scratch()
        shutil.copytree(shop.log, copy, copy_function=link_data)
        log, reports = EventLog(copy), []
        yield lambda: reports.append(log.append(payment=frame))
        if reports[0].duplicates != duplicates or reports[0].quarantined:
            raise ValueError(f"expected {duplicates} duplicates, got {reports[0]}")
        shutil.rmtree(copy.parent)

    def duckdb_peer() -> Iterator:
        copy = shop.scratch()
        shutil.copy(shop.duck, copy)
        with duckdb.connect(str(copy)) as duck:
            duck.register("frame", frame)
            yield lambda: duck.execute("INSERT OR IGNORE INTO payment SELECT * FROM frame")
        shutil.rmtree(copy.parent)

    def bare_write() -> Iterator:
        copy = shop.scratch()
        yield lambda: frame.write_parquet(copy, compression=codec)
        shutil.rmtree(copy.parent)

    return measure(
        "log",
        f"append {shop.rows:,} rows to {DAYS * shop.rows:,}, {days} days, bare write in {codec}",
        ours=ours,
        peer=duckdb_peer,
        limit=bare_write,
        peer_name="DuckDB INSERT OR IGNORE, no contract",
        target="ratio_to_limit <= 3",
        repeats=3 if quick else 5,
        quick=quick,
    )


def scans(shop: Shop, *, quick: bool) -> Iterator[Row]:
    """Read what was known at a moment: three columns of the rows, and one sum per user."""
    from workbench import EventLog

    log = EventLog(shop.log)
    bare = str(shop.bare / "*.parquet")
    duck = duckdb.connect()
    known = f"FROM read_parquet('{bare}') WHERE known_at < TIMESTAMPTZ '{KNOWN_BEFORE.isoformat()}'"

    def columns(rows: pl.LazyFrame) -> pl.DataFrame:
        return rows.select(WANTED).collect()

    def sums(rows: pl.LazyFrame) -> pl.DataFrame:
        return rows.group_by("user").agg(pl.sum("amount")).collect()

    for words, question, query in (
        ("3 columns", columns, f"SELECT {', '.join(WANTED)} {known}"),
        ("sum per user", sums, f"SELECT user, sum(amount) {known} GROUP BY user"),
    ):
        yield measure(
            "log",
            f"as-of scan of {DAYS * shop.rows:,} rows, {words}",
            ours=lambda: question(log.as_of(KNOWN_BEFORE).scan("payment")),  # noqa: B023
            peer=lambda: duck.sql(query).to_arrow_table(),  # noqa: B023
            limit=lambda: question(  # noqa: B023
                pl.scan_parquet(bare).filter(pl.col("known_at") < KNOWN_BEFORE)
            ),
            peer_name="DuckDB on the bare Parquet",
            target="ratio_to_limit <= 1.3",
            repeats=5 if quick else 11,
            quick=quick,
        )


def link_data(source: str, target: str) -> None:
    """Link what never changes, copy the rest."""
    (os.link if source.endswith(".parquet") else shutil.copy2)(source, target)


def payments(rows: int, day: int, *, part: int = 0) -> pl.DataFrame:
    """Payments of one day in order of time, known an hour later on average, with random ids."""
    rng = np.random.default_rng([day, part])
    time = np.sort(rng.integers(0, 86_400_000_000, rows)) + day * 86_400_000_000
    places = [f"place {number}" for number in range(50)]
    moment = pl.lit(FIRST_DAY).cast(pl.Datetime("us", "UTC"))
    return pl.DataFrame(
        {
            "event": rng.integers(0, 2**62, rows),
            "time": time,
            "known_at": time + rng.exponential(3.6e9, rows).astype(np.int64),
            "request": rng.integers(0, 2**62, rows),
            "user": rng.integers(0, 200_000, rows),
            "item": rng.integers(0, 50_000, rows),
            "seller": rng.integers(0, 5_000, rows),
            "device": rng.integers(0, 300_000, rows),
            "place": pl.Series(places).gather(rng.integers(0, len(places), rows)),
            "amount": rng.lognormal(3.5, 1.0, rows).round(2),
        }
    ).with_columns(
        time=moment + pl.duration(microseconds="time"),
        known_at=moment + pl.duration(microseconds="known_at"),
    )
