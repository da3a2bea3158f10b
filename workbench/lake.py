"""One Delta table, partitioned by kind and day: what is in it, and how files get into it.

A `Snapshot` is one version of the table: its files with their statistics. It picks the files
that a question needs, so that a scan opens no others. `Lake` reads snapshots and commits files.
Each commit takes the next number of a transaction named `workbench`: of two writers who read the
same snapshot, Delta lets one commit and fails the other, which reads again and tries again.

    lake/
      _delta_log/00000000000000000007.json      version 7: which files are in
      kind=click/day=2026-03-01/<uuid>.parquet  only the columns that clicks have
"""

import json
import os
import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

try:
    import fcntl
except ImportError:  # not on Windows: there writers may have to try more often
    fcntl = None

import polars as pl
from deltalake import CommitProperties, DeltaTable, Schema, Transaction
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError
from deltalake.transaction import AddAction, RemoveAction

__all__ = ["CommitFailedError", "Lake", "Snapshot"]

PARTITIONS = ["kind", "day"]
STATISTICS = ("event", "time", "known_at")
EMPTY_SCHEMA = {
    "kind": pl.String,
    "day": pl.Date,
    "time": pl.Datetime("us", "UTC"),
    "known_at": pl.Datetime("us", "UTC"),
}
PROPERTIES = {  # history is kept: a version that a run names can always be read again
    "delta.enableExpiredLogCleanup": "false",
    "delta.logRetentionDuration": "interval 36500 days",
    "delta.deletedFileRetentionDuration": "interval 36500 days",
    "delta.dataSkippingNumIndexedCols": "-1",
}


@dataclass(frozen=True, eq=False)
class Snapshot:
    """One version of the table. `version` is -1 and `files` empty while there is none.

    `files` has one row per data file: path, kind, day, rows, bytes, the smallest and largest of
    `event`, `time` and `known_at`, and `columns`, the names of those it has.
    """

    root: str
    storage_options: Mapping[str, str] | None
    version: int
    schema: Mapping[str, pl.DataType]
    files: pl.DataFrame
    table: DeltaTable | None

    def transaction(self, name: str) -> int | None:
        """Return the last number committed under this transaction name."""
        return None if self.table is None else self.table.transaction_version(name)

    def columns(self, kind: str) -> list[str]:
        """Return the columns that rows of this kind have: `event`, then in order of arrival."""
        used = set(self.select(kind)["columns"].explode())
        return [name for name in dict.fromkeys(["event", *self.schema]) if name in used]

    def select(self, kind: str, *conditions: pl.Expr) -> pl.DataFrame:
        """Return the files of one kind that meet conditions on their statistics."""
        return self.files.filter(pl.col("kind") == kind, *conditions)

    def scan(self, files: pl.DataFrame, columns: Sequence[str]) -> pl.LazyFrame:
        """Return the rows of these files; a column that a file lacks is null there."""
        schema = {name: self.schema[name] for name in columns}
        if files.is_empty():
            return pl.LazyFrame(schema=schema)
        uris = [f"{self.root}/{path}" for path in files["path"]]
        if "://" not in self.root:
            for uri in uris:
                if not os.path.exists(uri):
                    raise ValueError(
                        f"data file {uri} is gone, and version {self.version} of the log at "
                        f"{self.root} needs it: bring it back from a copy of that folder"
                    )
        return pl.scan_parquet(
            uris,
            schema=schema,
            missing_columns="insert",
            extra_columns="ignore",
            hive_partitioning=False,
            glob=False,
            storage_options=dict(self.storage_options) if self.storage_options else None,
        )


class Lake:
    """The Delta table at a path or address. Nothing is written before the first commit."""

    def __init__(self, path: str | Path, storage_options: Mapping[str, str] | None = None):
        self.root = str(path) if "://" in str(path) else os.path.abspath(Path(path).expanduser())
        self.root = self.root.rstrip("/")
        self.is_local = "://" not in self.root
        self.storage_options = dict(storage_options) if storage_options else None
        if self.is_local:
            _refuse_foreign_folder(self.root)

    def snapshot(self, version: int | None = None) -> Snapshot:
        """Return that version of the table, by default the newest."""
        try:
            table = DeltaTable(self.root, version=version, storage_options=self.storage_options)
        except TableNotFoundError:
            if version is not None:
                raise ValueError(
                    f"the log at {self.root} has no version {version}: it is empty"
                ) from None
            return Snapshot(self.root, self.storage_options, -1, EMPTY_SCHEMA, _NO_FILES, None)
        except (DeltaError, OSError) as error:
            raise ValueError(f"the log at {self.root} cannot be read: {error}") from error
        if table.metadata().partition_columns != PARTITIONS:
            raise ValueError(
                f"{self.root} is a Delta table, but no event log: it is not partitioned "
                f"by {PARTITIONS}"
            )
        schema = dict(pl.Schema(table.schema().to_arrow()))
        files = _files(pl.DataFrame(table.get_add_actions(flatten=True)), schema)
        return Snapshot(self.root, self.storage_options, table.version(), schema, files, table)

    def widen(self, snapshot: Snapshot, columns: Mapping[str, pl.DataType]) -> None:
        """Add columns to the table's schema; make the table if there is none."""
        schema = Schema.from_arrow(pl.DataFrame(schema=columns).to_arrow().schema)
        if snapshot.table is not None:
            snapshot.table.alter.add_columns(schema.fields)
            return
        everything = Schema.from_arrow(
            pl.DataFrame(schema={**EMPTY_SCHEMA, **columns}).to_arrow().schema
        )
        DeltaTable.create(
            self.root,
            everything,
            partition_by=PARTITIONS,
            configuration=PROPERTIES,
            storage_options=self.storage_options,
        )

    def commit(
        self,
        snapshot: Snapshot,
        rows: Iterable[tuple[str, pl.DataFrame]],
        transactions: Mapping[str, int],
        replacing: pl.DataFrame | None = None,
    ) -> int:
        """Write rows of several kinds as files and make them part of the table at once.

        Raises CommitFailedError if somebody else committed since the snapshot was read.
        """
        adds = []
        try:
            for kind, frame in rows:
                adds += [self._write(kind, *part, new=replacing is None) for part in _by_day(frame)]
        except (OSError, pl.exceptions.PolarsError) as error:
            self._discard(adds)
            raise OSError(
                f"could not write to the log at {self.root}, so nothing was added: {error}"
            ) from error
        removes = [] if replacing is None else [_removal(row) for row in replacing.to_dicts()]
        numbers = [Transaction(*each) for each in transactions.items()]
        try:
            snapshot.table.create_write_transaction(
                adds + removes,
                mode="append",
                schema=snapshot.table.schema(),
                partition_by=PARTITIONS,
                commit_properties=CommitProperties(app_transactions=numbers),
            )
        except CommitFailedError:
            self._discard(adds)
            raise
        except (DeltaError, OSError) as error:
            raise OSError(
                f"could not commit to the log at {self.root}: {error}. Append again: what got in "
                "all the same is not added twice"
            ) from error
        snapshot.table.update_incremental()
        return snapshot.table.version()

    @contextmanager
    def turn(self):
        """Wait for the other writers on this machine, so that none starves.

        The transactions alone keep the log right, also across machines; this keeps it fair.
        """
        if not self.is_local or fcntl is None:
            yield
            return
        os.makedirs(f"{self.root}/_delta_log", exist_ok=True)
        with open(f"{self.root}/_delta_log/.turn", "w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _write(self, kind: str, day: date, frame: pl.DataFrame, new: bool) -> AddAction:
        path = f"kind={kind}/day={day.isoformat()}/{uuid.uuid4().hex}.parquet"
        target = f"{self.root}/{path}"
        if self.is_local:
            os.makedirs(os.path.dirname(target), exist_ok=True)
        frame.write_parquet(target, storage_options=self.storage_options)
        size = os.path.getsize(target) if self.is_local else int(frame.estimated_size())
        partition = {"kind": kind, "day": day.isoformat()}
        return AddAction(path, size, partition, int(time.time() * 1000), new, _statistics(frame))

    def _discard(self, adds: Sequence[AddAction]) -> None:
        """Delete files that no commit names. Not in object stores: there a commit whose answer
        got lost looks like a failed one."""
        for add in adds if self.is_local else []:
            os.unlink(f"{self.root}/{add.path}")


_NO_FILES = pl.DataFrame(
    schema={
        "path": pl.String,
        "kind": pl.String,
        "day": pl.Date,
        "rows": pl.Int64,
        "bytes": pl.Int64,
        "columns": pl.List(pl.String),
        **{
            f"{end}_{name}": pl.Datetime("us", "UTC")
            for name in ("time", "known_at")
            for end in ("min", "max")
        },
    }
)


def _files(actions: pl.DataFrame, schema: Mapping[str, pl.DataType]) -> pl.DataFrame:
    if actions.is_empty():
        return _NO_FILES
    counted = [name for name in schema if f"null_count.{name}" in actions.columns]
    used = [
        pl.when(pl.col(f"null_count.{name}").is_not_null()).then(pl.lit(name)) for name in counted
    ]
    ends = {
        f"{end}_{name}": pl.col(f"{end}.{name}")
        for name in STATISTICS
        for end in ("min", "max")
        if f"{end}.{name}" in actions.columns
    }
    return actions.select(
        path="path",
        kind="partition.kind",
        day="partition.day",
        rows="num_records",
        bytes="size_bytes",
        columns=pl.concat_list(used).list.drop_nulls(),
        **ends,
    )


def _by_day(frame: pl.DataFrame) -> list[tuple[date, pl.DataFrame]]:
    day = frame["time"].dt.date()
    if day.min() == day.max():
        return [(day.min(), frame)]
    parts = frame.with_columns(day=day).partition_by("day", as_dict=True, include_key=False)
    return [(key[0], part) for key, part in parts.items()]


def _statistics(frame: pl.DataFrame) -> str:
    """Return Delta's statistics of one file: rows, nulls per column, ends of the key columns."""
    ends = {"min": {}, "max": {}}
    for name in STATISTICS:
        if name in frame.columns and frame[name].null_count() < frame.height:
            ends["min"][name], ends["max"][name] = (
                _text(frame[name].min()),
                _text(frame[name].max()),
            )
    counts = {name: frame[name].null_count() for name in frame.columns}
    return json.dumps(
        {
            "numRecords": frame.height,
            "minValues": ends["min"],
            "maxValues": ends["max"],
            "nullCount": counts,
        }
    )


def _text(value):
    return value.strftime("%Y-%m-%dT%H:%M:%S.%fZ") if isinstance(value, datetime) else value


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
