"""Features: joins, windows, the online store, streaming; what peers need for the same work.

features_join       point in time: Polars join_asof, Feast (DuckDB, Dask)
features_wrong      memory, unknown data, lost rows, unstable ties
features_windows    an hour, a day, a month: Polars, DuckDB, pandas
features_online     reads and materialising: raw LMDB, raw Redis, Feast (SQLite, Redis)
features_streaming  events a second, and how soon they can be read
"""

from __future__ import annotations

from benchmarks import (
    features_join,
    features_online,
    features_streaming,
    features_windows,
    features_wrong,
)
from benchmarks.harness import Row

__all__ = ["run"]

PARTS = (features_join, features_wrong, features_windows, features_online, features_streaming)


def run(quick: bool = False) -> list[Row]:
    """All rows, part by part."""
    return [row for part in PARTS for row in part.run(quick)]
