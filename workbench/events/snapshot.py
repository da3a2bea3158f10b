"""One version of the log's table: its files, with statistics, so that a scan opens no others.

lake/
  _delta_log/00000000000000000007.json      version 7: which files are in
  kind=click/day=2026-03-01/<version>-<number>-<uuid>.parquet
                                            with only the columns that clicks have

Files are read by kind, day, version and number, so equal logs give equal rows in equal order.
"""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError, TableNotFoundError

__all__ = ["EMPTY_SCHEMA", "HIDDEN", "PARTITIONS", "STATISTICS", "Snapshot", "read_snapshot"]

PARTITIONS = ["kind", "day"]
HIDDEN = ("fingerprint",)  # columns that are the log's own business
STATISTICS = ("event", "time", "known_at")  # columns whose ends are known for each file
EMPTY_SCHEMA = {
    "kind": pl.String,
    "day": pl.Date,
    "time": pl.Datetime("us", "UTC"),
    "known_at": pl.Datetime("us", "UTC"),
}


@dataclass(frozen=True, eq=False)
class Snapshot:
    """One version of the table. `version` is -1 and `files` empty while there is none.

    `files` has one row per data file: path, kind, day, rows, bytes, `columns` (the names of those
    it has), and the smallest and largest `event`, `time` and `known_at` (min_time, max_time, …).
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

    def columns(self, files: pl.DataFrame) -> list[str]:
        """Return the columns that these files have: `event`, then in order of arrival."""
        used = set(files["columns"].explode())
        return [name for name in dict.fromkeys(["event", *self.schema]) if name in used]

    def select(self, kind: str, *conditions: pl.Expr) -> pl.DataFrame:
        """Return the files of one kind that meet conditions on their statistics."""
        return self.files.filter(pl.col("kind") == kind, *conditions)

    def scan(self, files: pl.DataFrame, columns: Sequence[str]) -> pl.LazyFrame:
        """Return the rows of these files, lazily; a column that a file lacks is null there.

        Raises ValueError for a data file that is gone or cut short.
        """
        schema = {name: self.schema[name] for name in columns}
        if files.is_empty():
            return pl.LazyFrame(schema=schema)
        if "://" not in self.root:
            self._refuse_damaged(files)
        return pl.scan_parquet(
            [f"{self.root}/{path}" for path in files["path"]],
            schema=schema,
            missing_columns="insert",
            extra_columns="ignore",
            hive_partitioning=False,
            glob=False,
            storage_options=dict(self.storage_options) if self.storage_options else None,
        )

    def _refuse_damaged(self, files: pl.DataFrame) -> None:
        for path, size in files.select("path", "bytes").iter_rows():
            try:
                found = os.stat(f"{self.root}/{path}").st_size
            except FileNotFoundError:
                found = None
            if found != size:
                what = "is gone" if found is None else f"has {found:,} bytes instead of {size:,}"
                raise ValueError(
                    f"data file {self.root}/{path} {what}, and version {self.version} of the log "
                    "needs it: bring it back from a copy of that folder"
                )


def read_snapshot(
    root: str, storage_options: Mapping[str, str] | None, version: int | None = None
) -> Snapshot:
    """Return one version of the table at a folder or address, by default the newest.

    Raises ValueError if the table is damaged or none of ours, or has no such version.
    """
    try:
        table = DeltaTable(root, version=version, storage_options=storage_options)
    except TableNotFoundError:
        if version is not None:
            raise ValueError(f"the log at {root} is empty: it has no version {version}") from None
        return Snapshot(root, storage_options, -1, EMPTY_SCHEMA, _files(None, {}), None)
    except (DeltaError, OSError) as error:
        what = _missing_entry(root) or str(error).splitlines()[0]
        raise ValueError(f"the log at {root} cannot be read: {what}") from error
    if table.metadata().partition_columns != PARTITIONS:
        raise ValueError(
            f"{root} is a Delta table but no event log: it is not partitioned by {PARTITIONS}"
        )
    schema = dict(pl.Schema(table.schema().to_arrow()))
    files = _files(pl.DataFrame(table.get_add_actions(flatten=True)), schema)
    return Snapshot(root, storage_options, table.version(), schema, files, table)


def _files(actions: pl.DataFrame | None, schema: Mapping[str, pl.DataType]) -> pl.DataFrame:
    """Return Delta's list of files in our words; statistics that no file has are null."""
    moment = pl.Datetime("us", "UTC")
    ends = {"min_time": moment, "max_time": moment, "min_known_at": moment, "max_known_at": moment}
    ends |= dict.fromkeys(["min_event", "max_event"], schema.get("event", pl.Int64))
    texts = {"path": pl.String, "kind": pl.String, "day": pl.Date, "rows": pl.Int64}
    if actions is None or actions.is_empty():
        return pl.DataFrame(
            schema={**texts, "bytes": pl.Int64, "columns": pl.List(pl.String), **ends}
        )
    known = [name for name in schema if f"null_count.{name}" in actions.columns]
    has = {name: pl.col(f"null_count.{name}").is_not_null() for name in known}
    theirs = {name: name.replace("_", ".", 1) for name in ends}
    return actions.sort("path").select(
        path="path",
        kind="partition.kind",
        day="partition.day",
        rows="num_records",
        bytes="size_bytes",
        columns=pl.concat_list(
            pl.when(there).then(pl.lit(name)) for name, there in has.items()
        ).list.drop_nulls(),
        **{
            name: pl.col(theirs[name]) if theirs[name] in actions.columns else pl.lit(None, dtype)
            for name, dtype in ends.items()
        },
    )


def _missing_entry(root: str) -> str | None:
    """Return which entry of the history is gone, if a folder shows it."""
    if not os.path.isdir(f"{root}/_delta_log"):
        return None
    names = os.listdir(f"{root}/_delta_log")
    versions = {int(name[:-5]) for name in names if re.fullmatch(r"\d{20}\.json", name)}
    gone = sorted(set(range(max(versions, default=0))) - versions)
    if not gone:
        return None
    entry = f"{root}/_delta_log/{gone[0]:020}.json"
    return f"{entry} is gone, an entry of its history: bring it back from a copy of that folder"
