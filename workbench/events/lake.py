"""The Delta table under the log: rows become files, and files become part of it at once.

Each commit takes the next number of a transaction named `workbench`: of two writers who read the
same snapshot, Delta lets one commit and fails the other. A crash leaves at most files that no
commit names, and nobody reads those.
"""

import json
import os
import re
import shutil
import time
import uuid
from collections.abc import Iterable, Mapping
from contextlib import contextmanager, suppress
from datetime import date, datetime
from pathlib import Path

import polars as pl
from deltalake import CommitProperties, DeltaTable, Schema, Transaction
from deltalake.exceptions import CommitFailedError, DeltaError
from deltalake.transaction import AddAction, RemoveAction

from workbench.events.snapshot import EMPTY_SCHEMA, PARTITIONS, STATISTICS, Snapshot, read_snapshot

try:
    import fcntl
except ImportError:  # not on Windows: there a writer may have to try more often
    fcntl = None

__all__ = ["CommitFailedError", "Lake"]

PROPERTIES = {  # history is kept: a version that a run names can always be read again
    "delta.enableExpiredLogCleanup": "false",
    "delta.logRetentionDuration": "interval 36500 days",
    "delta.deletedFileRetentionDuration": "interval 36500 days",
    "delta.dataSkippingNumIndexedCols": "-1",
}


class Lake:
    """The Delta table at a path or address. Nothing is written before the first commit."""

    def __init__(self, path: str | Path, storage_options: Mapping[str, str] | None = None):
        self.is_local = "://" not in str(path)
        self.root = os.path.abspath(Path(path).expanduser()) if self.is_local else str(path)
        self.root = self.root.rstrip("/")
        self.storage_options = dict(storage_options) if storage_options else None
        self._newest: Snapshot | None = None
        if self.is_local:
            _refuse_foreign_folder(self.root)

    def reading(self, version: int | None = None) -> Snapshot:
        """Return the same as `snapshot` for a reader: the newest is kept until there is a newer.

        A writer needs one of its own, because a commit moves the snapshot's table on.
        """
        kept = self._newest
        if version is not None:
            return self.snapshot(version)
        if kept is None or not self._is_newest(kept.version):
            self._newest = kept = self.snapshot()
        return kept

    def snapshot(self, version: int | None = None) -> Snapshot:
        """Return that version of the table, by default the newest."""
        written = self._last_written()
        snapshot = read_snapshot(self.root, self.storage_options, version)
        if version is None and snapshot.version < written:
            raise ValueError(
                f"the newest entries of {self.root}/_delta_log are gone: version {written} was "
                f"written, version {snapshot.version} is there; bring them back from a copy, or "
                f"delete {self._turn_file} to go on without them"
            )
        return snapshot

    def widen(self, snapshot: Snapshot, columns: Mapping[str, pl.DataType]) -> None:
        """Add columns to the table's schema; make the table if there is none."""
        try:
            if snapshot.table is not None:
                snapshot.table.alter.add_columns(_delta_schema(columns).fields)
                return
            DeltaTable.create(
                self.root,
                _delta_schema({**EMPTY_SCHEMA, **columns}),
                partition_by=PARTITIONS,
                configuration=PROPERTIES,
                storage_options=self.storage_options,
            )
        except CommitFailedError:
            raise
        except (DeltaError, OSError) as error:
            if self.snapshot().version == snapshot.version:  # else somebody was faster: fine
                raise self._refusal(error) from error

    def commit(
        self,
        snapshot: Snapshot,
        rows: Iterable[tuple[str, pl.DataFrame]],
        transactions: Mapping[str, int],
        replacing: pl.DataFrame | None = None,
    ) -> int:
        """Write rows of several kinds as files and make them part of the table at once.

        With `replacing`, files of the snapshot that hold the same rows, these leave the table;
        older versions still have them. Returns the version that has the new files.

        Raises CommitFailedError if somebody else took one of the transaction numbers, OSError if
        the disk or the object store refuses.
        """
        paths, adds = [], []
        codec = "lz4" if replacing is None else "zstd"  # fast when new, small once merged
        try:
            for kind, frame in rows:
                for day, part in _by_day(frame):
                    name = f"{snapshot.version + 1:012}-{len(paths):06}-{uuid.uuid4().hex}"
                    paths.append(f"kind={kind}/day={day.isoformat()}/{name}.parquet")
                    size = self._write(paths[-1], part, codec)
                    adds.append(_addition(paths[-1], size, kind, day, part, replacing is None))
            removes = [] if replacing is None else [_removal(row) for row in replacing.to_dicts()]
            numbers = [Transaction(*each) for each in transactions.items()]
            snapshot.table.create_write_transaction(
                adds + removes,
                mode="append",
                schema=snapshot.table.schema(),
                partition_by=PARTITIONS,
                commit_properties=CommitProperties(app_transactions=numbers),
            )
        except (DeltaError, OSError, pl.exceptions.PolarsError) as error:
            # it can be in all the same: the answer got lost, or a checkpoint after it failed
            if not _is_in(self.snapshot(), paths, transactions):
                self._discard(paths)
                if isinstance(error, CommitFailedError):
                    raise
                raise self._refusal(error) from error
        snapshot.table.update_incremental()
        version = snapshot.table.version()
        self._note_written(version)
        return version

    def _is_newest(self, version: int) -> bool:
        """Return whether a folder shows that; of an object store nothing is known."""
        there, next_one = (
            os.path.exists(f"{self.root}/_delta_log/{each:020}.json")
            for each in (version, version + 1)
        )
        return self.is_local and there and not next_one

    @contextmanager
    def turn(self):
        """Wait for the other writers on this machine, so that none starves.

        The transactions alone keep the log right, also across machines; this keeps it fair.
        """
        if not self.is_local or fcntl is None:
            yield
            return
        try:
            os.makedirs(f"{self.root}/_delta_log", exist_ok=True)
            file = open(self._turn_file, "a")  # noqa: SIM115
        except OSError as error:
            raise self._refusal(error) from error
        with file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    @property
    def _turn_file(self) -> str:
        return f"{self.root}/_delta_log/.last_written"

    def _last_written(self) -> int:
        """Return the version that a writer on this machine last saw committed, -1 if unknown."""
        try:
            with open(self._turn_file) as file:
                return int(file.read() or -1)
        except (OSError, ValueError):  # a hint for finding damage, never needed to be right
            return -1

    def _note_written(self, version: int) -> None:
        if self.is_local and fcntl is not None:
            with suppress(OSError), open(self._turn_file, "r+") as file:
                file.write(f"{version:020}")

    def _write(self, path: str, frame: pl.DataFrame, codec: str) -> int:
        """Write one Parquet file; return its bytes."""
        if self.is_local:
            os.makedirs(os.path.dirname(f"{self.root}/{path}"), exist_ok=True)
            frame.write_parquet(f"{self.root}/{path}", compression=codec)
            return os.path.getsize(f"{self.root}/{path}")
        from deltalake.fs import DeltaStorageHandler

        uri = f"{self.root}/{path}"
        frame.write_parquet(uri, compression=codec, storage_options=self.storage_options)
        store = DeltaStorageHandler(self.root, self.storage_options)
        return store.get_file_info([path])[0].size

    def _discard(self, paths: Iterable[str]) -> None:
        """Delete files that no commit names. In object stores they stay; nobody reads them."""
        for path in paths if self.is_local else ():
            Path(self.root, path).unlink(missing_ok=True)

    def _refusal(self, error: Exception) -> OSError:
        where, words = self.root, " ".join(re.sub(r"\x1b\[\d+m|↳", "", str(error)).split())
        if self.is_local:
            folder = next(each for each in (Path(where), *Path(where).parents) if each.exists())
            where += f" ({shutil.disk_usage(folder).free:,} bytes free on that disk)"
        return OSError(f"could not write to the log at {where}, so nothing was added: {words}")


def _is_in(snapshot: Snapshot, paths: list[str], transactions: Mapping[str, int]) -> bool:
    """Return whether a commit of these files and numbers is part of the snapshot."""
    counted = all((snapshot.transaction(name) or 0) >= last for name, last in transactions.items())
    return counted and set(paths) <= set(snapshot.files["path"])


def _delta_schema(columns: Mapping[str, pl.DataType]) -> Schema:
    return Schema.from_arrow(pl.DataFrame(schema=columns).to_arrow().schema)


def _by_day(frame: pl.DataFrame) -> list[tuple[date, pl.DataFrame]]:
    days = frame["time"].dt.date()
    if not days.is_sorted():
        frame = frame.sort(days, maintain_order=True)
        days = days.sort()
    runs = days.rle().struct.unnest()
    starts = runs["len"].cum_sum() - runs["len"]
    return [
        (day, frame.slice(start, rows))
        for day, start, rows in zip(runs["value"], starts, runs["len"], strict=True)
    ]


def _addition(
    path: str, size: int, kind: str, day: date, frame: pl.DataFrame, is_new: bool
) -> AddAction:
    known = [name for name in STATISTICS if name in frame.columns and frame[name].count()]
    statistics = {
        "numRecords": frame.height,
        "minValues": {name: _as_json(frame[name].min()) for name in known},
        "maxValues": {name: _as_json(frame[name].max()) for name in known},
        "nullCount": {name: frame[name].null_count() for name in frame.columns},
    }
    partition = {"kind": kind, "day": day.isoformat()}
    now_ms = int(time.time() * 1000)
    return AddAction(path, size, partition, now_ms, is_new, json.dumps(statistics))


def _as_json(value):
    if isinstance(value, datetime):
        return value.isoformat(timespec="microseconds").replace("+00:00", "Z")
    return value


def _removal(file: Mapping) -> RemoveAction:
    return RemoveAction(
        file["path"],
        data_change=False,
        deletion_timestamp=int(time.time() * 1000),
        size=file["bytes"],
        partition_values={"kind": file["kind"], "day": file["day"].isoformat()},
    )


def _refuse_foreign_folder(root: str) -> None:
    if os.path.isfile(root):
        raise ValueError(f"{root} is a file, and an event log is a folder")
    found = sorted(os.listdir(root))[:3] if os.path.isdir(root) else []
    if found and not os.path.isdir(f"{root}/_delta_log"):
        raise ValueError(
            f"{root} is not an event log: it has no _delta_log but holds {', '.join(found)}; "
            "give an empty or new folder"
        )
