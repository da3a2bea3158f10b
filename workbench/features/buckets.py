"""Training rows larger than memory, or on a cluster: entities in buckets, one after the other.

    log ─► read once, in pieces ─► one file per bucket ─┐
    requests ─► split by bucket ────────────────────────┴─► columns, bucket by bucket ─► in order

An entity's bucket is a fixed hash of its key, so all its events meet all its requests, and what
is computed for it does not depend on who else is in the bucket, or on who computes it.
"""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from workbench.assign import fingerprint
from workbench.features.definition import Feature
from workbench.features.past import columns_of
from workbench.features.reading import check_keys, plan_events, without_nan

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["bucket_of", "by_bucket"]

_PIECE_ROWS = 100_000
_CLOCK = pl.Datetime("us", "UTC")


def by_bucket(
    asked: pl.DataFrame, wanted: list[Feature], log, buckets: int | None, client: Client | None
) -> dict[Feature, pl.Series]:
    """The columns of all leaves, computed in buckets, here or by the workers of a cluster.

    The workers must see the folder for temporary files of this process, as those of
    `workbench.cluster.connect()` do; it is emptied in the end.
    """
    if buckets is None:
        buckets = 4 * max(len(client.scheduler_info(n_workers=-1)["workers"]), 1)
    if not isinstance(buckets, int) or buckets < 1:
        raise ValueError(f"buckets must be a whole number of at least 1, got {buckets!r}")
    leaves: dict[Feature, pl.Series] = {}
    with tempfile.TemporaryDirectory(prefix="features-") as folder:
        for number, kind in enumerate(dict.fromkeys(leaf.of for leaf in wanted)):
            of_kind = [leaf for leaf in wanted if leaf.of == kind]
            pers = list(dict.fromkeys(leaf.per for leaf in of_kind))
            place = Path(folder) / str(number)
            _spill(log, kind, of_kind, asked, [(per, buckets) for per in pers], place)
            for per in pers:
                features = [leaf for leaf in of_kind if leaf.per == per]
                leaves |= _computed(features, asked, place / "_".join(per), buckets, client)
    return leaves


def bucket_of(table: pl.DataFrame, per: tuple[str, ...], buckets: int) -> np.ndarray:
    """Bucket of each row's entity, shape (n,); a null in the key counts as 0.

    >>> bucket_of(pl.DataFrame({"user": [1, 2, 1], "device": ["a", "b", "a"]}), ("user",), 8)
    array([7, 3, 7])
    """
    words = [_words(table[key]) for key in per]
    return (fingerprint("", *words) % np.uint64(buckets)).astype(np.int64)


def _words(keys: pl.Series) -> np.ndarray:
    if keys.dtype == pl.Null or keys.dtype.is_integer():
        return keys.cast(pl.Int64).fill_null(0).to_numpy()
    texts = keys.cast(pl.String).fill_null("").alias("text")
    known = texts.unique()
    hashed = fingerprint("", known.to_numpy()).view(np.int64)
    book = pl.DataFrame({"text": known, "word": hashed})
    return (
        texts.to_frame().join(book, on="text", how="left", maintain_order="left")["word"].to_numpy()
    )


def _spill(log, kind: str, features, asked: pl.DataFrame, splits, place: Path) -> None:
    """Write the events of a kind into one file per bucket; rows keep their order."""
    lazy = plan_events(log, kind, features, asked)
    if lazy is None:
        lazy = pl.LazyFrame(schema={"time": _CLOCK, "known_at": _CLOCK})
    writers = {per: _Writers(place / "_".join(per), buckets) for per, buckets in splits}
    for piece in _pieces(lazy):
        check_keys(kind, features, asked, piece)
        piece = without_nan(piece, features)
        for per, buckets in splits:
            writers[per].write(piece, bucket_of(piece, per, buckets) if len(piece) else None)
    for each in writers.values():
        each.close()


def _pieces(lazy: pl.LazyFrame) -> Iterator[pl.DataFrame]:
    """The rows in order, a few at a time; first none of them, for the schema."""
    yield lazy.clear().collect()
    yield from lazy.collect_batches(chunk_size=_PIECE_ROWS, maintain_order=True)


class _Writers:
    """One Arrow file per bucket, open from the first piece to `close`."""

    def __init__(self, folder: Path, buckets: int):
        folder.mkdir(parents=True)
        self.paths = [folder / f"{bucket}.arrow" for bucket in range(buckets)]
        self.open: list = []

    def write(self, piece: pl.DataFrame, bucket: np.ndarray | None) -> None:
        """Append each row to the file of its bucket."""
        import pyarrow as pa

        if not self.open:
            schema = piece.clear().to_arrow(compat_level=pl.CompatLevel.oldest()).schema
            self.open = [pa.ipc.new_file(path, schema) for path in self.paths]
        if bucket is None:
            return
        order = np.argsort(bucket, kind="stable")
        bounds = np.searchsorted(bucket[order], np.arange(len(self.paths) + 1))
        sorted_piece = piece[order].to_arrow(compat_level=pl.CompatLevel.oldest())
        for writer, start, stop in zip(self.open, bounds[:-1], bounds[1:], strict=True):
            if stop > start:
                writer.write_table(sorted_piece.slice(start, stop - start))

    def close(self) -> None:
        """Finish the files."""
        for writer in self.open:
            writer.close()


def _computed(features: list[Feature], asked: pl.DataFrame, place: Path, buckets: int, client):
    """The columns of features that share kind and entity, put together from all buckets."""
    per = features[0].per
    bucket = bucket_of(asked, per, buckets)
    order = np.argsort(bucket, kind="stable")
    bounds = np.searchsorted(bucket[order], np.arange(buckets + 1))
    sorted_asked = asked.select("time", *(key for key in per if key != "time"))[order]
    tasks = [
        (features, sorted_asked[int(start) : int(stop)], str(place / f"{number}.arrow"))
        for number, (start, stop) in enumerate(itertools.pairwise(bounds))
    ]
    if client is None:
        parts = [_one_bucket(*task) for task in tasks]
    else:
        parts = client.gather([client.submit(_one_bucket, *task, pure=False) for task in tasks])
    whole = pl.concat(parts, how="vertical_relaxed")
    back = np.empty(len(order), np.int64)
    back[order] = np.arange(len(order))
    return {feature: whole[str(number)].gather(back) for number, feature in enumerate(features)}


def _one_bucket(features: list[Feature], asked: pl.DataFrame, path: str) -> pl.DataFrame:
    """The columns of one bucket, named by number; runs on a worker."""
    import pyarrow as pa

    with pa.memory_map(path) as source:
        events = pl.from_arrow(pa.ipc.open_file(source).read_all())
    found = columns_of(features, events, asked)
    return pl.DataFrame({str(number): found[each] for number, each in enumerate(features)})
