"""The online store: features of one or many entities in microseconds, as fresh as what was applied.

    materialise(log, until) ──┐
    apply(tables, position) ──┴─► records, one an entity ─► read, read_many, lookup

Both ways in are the same code, so batch and stream leave the same state. A read at a moment after
all that was applied gives exactly what `training_frame` gives for a request of that moment.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from workbench.features.composed import Definition
from workbench.features.offline import read_features
from workbench.features.online_reads import Plan, read_frame, read_one
from workbench.features.reading import check_names
from workbench.features.tracks import groups_of
from workbench.features.viewing import Reader
from workbench.features.writing import Applied, Writer
from workbench.policy import NO_ITEM, Columns

__all__ = ["OnlineStore"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_US = timedelta(microseconds=1)


class OnlineStore:
    """Features kept ready to be read.

    Parameters
    ----------
    address : str or Path
        A folder (LMDB: one process writes, any number read), or "redis://host:port/number".
    features : Feature, Ratio, Formula, Calendar, or several of them
        What can be read. A store may hold more; a changed definition has values of its own.
    late_days : float, default 1.0
        Events that become known so much later than the youngest are exact, also when they come
        twice; later ones are kept aside.
    on_error : "raise" or "missing"
        What a read gives when the store cannot be reached: an error, or the features' nulls.
    timeout_seconds : float, default 1.0
        How long Redis may take to answer.

    Raises
    ------
    ValueError
        If the files are damaged or another process is the writer, by the method that notices.

    Notes
    -----
    A record holds tiles and entries, at most 65,536 for each track; where more would be needed the
    value is null and counted as truncated, never wrong. Windows without a step keep one tile an
    event. See `workbench.features.tracks`.

    Examples
    --------
    >>> import tempfile
    >>> from workbench import features
    >>> day = lambda d: datetime(2024, 5, d, tzinfo=UTC)
    >>> paid = pl.DataFrame({"event": [1, 2], "user": 7, "amount": [10.0, 30.0],
    ...                      "time": [day(1), day(2)], "known_at": [day(1), day(2)]})
    >>> spent = features.sum("amount", of="payment", per="user", days=30, name="spent_30d")
    >>> store = OnlineStore(tempfile.mkdtemp(), spent)
    >>> store.materialise({"payment": paid}, until=day(2)).events
    1
    >>> store.apply({"payment": paid}).duplicates                   # the first one, again
    1
    >>> store.read({"user": 7}, at=day(3))
    {'spent_30d': 40.0}
    >>> store.read({"user": 7}, at=day(31))
    {'spent_30d': 40.0}
    >>> store.close()
    """

    def __init__(
        self,
        address: str | Path,
        features: Iterable[Definition] | Definition,
        *,
        late_days: float = 1.0,
        on_error: str = "raise",
        timeout_seconds: float = 1.0,
    ):
        if not late_days > 0:
            raise ValueError(f"late_days must be positive, got {late_days}")
        if on_error not in ("raise", "missing"):
            raise ValueError(f'on_error must be "raise" or "missing", got {on_error!r}')
        self.features = read_features(features)
        check_names(self.features, pl.DataFrame())
        self.address, self.late_days, self.on_error = str(address), late_days, on_error
        leaves = [leaf for feature in self.features for leaf in feature.leaves]
        self._groups = groups_of(leaves)
        self._plan = Plan(self.features, self._groups)
        self._store = _open(self.address, timeout_seconds)
        self._reader = Reader(self._store, self._groups)
        self._writer = Writer(self._store, self._groups, timedelta(days=late_days) // _US)
        self._close = weakref.finalize(self, self._store.close)  # also when it is forgotten

    # writing

    def materialise(self, log, until: datetime) -> Applied:
        """Bring the store to what a log knew just before `until`, in one commit.

        The first time all of it is read; then what became known since, and where events have ids
        the `late_days` before, in case something came late. Doing it again changes nothing.

        Parameters
        ----------
        log : EventLog, or mapping of kind to table
        until : datetime
            With a time zone.
        """
        return self._writer.materialise(log, _microseconds(until, "until"))

    def apply(
        self, tables: Mapping[str, pl.DataFrame], position: tuple[str, str] | None = None
    ) -> Applied:
        """Take in a micro-batch, and in the same commit the position of its source behind it.

        Parameters
        ----------
        tables : mapping of kind to Polars, pandas or Arrow table
            With `time`, `known_at`, mostly `event`. A column that is not there is null.
        position : (source, text), optional
            `position(source)` gives the text back.

        Returns
        -------
        Applied
            How many events changed the state, how many had come before, how many were put aside
            and why. When it returns, a kill of the process loses nothing of it.

        Raises
        ------
        ValueError
            For a table that cannot be what it should; then nothing has changed.
        """
        return self._writer.apply(tables, position)

    def position(self, source: str) -> str | None:
        """The position of the last commit from this source."""
        content = self._store.read([b"p" + source.encode()])[0]
        return None if content is None else content.decode()

    def aside(self) -> pl.DataFrame:
        """Events that could not be used: kind, reason, event, time, known_at, content (JSON)."""
        return self._writer.aside()

    # reading

    def read(self, keys: Mapping[str, object], at: datetime | None = None) -> dict[str, object]:
        """Return the features of one request as Python values.

        Parameters
        ----------
        keys : mapping of column to value
            The request's keys and what formulas read. A key that is None has null features.
        at : datetime, optional
            The moment of the request; now if not given.

        Raises
        ------
        ValueError
            If a key is absent or of another type than in the events, a feature is not
            materialised, or `at` lies before what the store knows.
        """
        t = _now() if at is None else _microseconds(at, "at")
        return read_one(self, keys, t)

    def read_many(self, columns, at: datetime | None = None) -> pl.DataFrame:
        """Return the features of many requests, one row each, beside their columns.

        Parameters
        ----------
        columns : mapping of column to value or array, or a table, n rows
            Single values hold for all rows: `{"user": 7, "item": candidates}`. A column `time`
            gives each request its own moment.
        at : datetime, optional
            The moment of all requests; now if not given.
        """
        return read_frame(self, columns, at)

    def lookup(self, requests: Columns) -> dict[str, np.ndarray]:
        """The columns of the requests and one more per feature, as a policy wants them."""
        known = {name for feature in self.features for name in feature.inputs}
        absent = sorted((known | {"time"}) - set(requests))
        if absent:
            raise ValueError(f"requests have no column {absent[0]!r}; they have {list(requests)}")
        time = pl.Series(np.asarray(requests["time"]).astype("datetime64[us]"))
        keys = {key for group in self._groups for key in group.per}
        asked = {name: _ids(np.asarray(requests[name])) for name in sorted(keys)}
        asked |= {name: np.asarray(requests[name]) for name in known - keys - {"time"}}
        found = self.read_many(asked | {"time": time.dt.replace_time_zone("UTC")})
        return dict(requests) | {each.name: found[each.name].to_numpy() for each in self.features}

    def status(self) -> dict[str, object]:
        """What the store holds and how far it has come; counts of truncated reads are of here."""
        told = self._writer.status()
        return told | {"truncated": self._reader.truncated, "behind": self._reader.behind}

    def close(self) -> None:
        """Let go of files and connections, and of the right to write."""
        self._close()

    def __enter__(self) -> OnlineStore:
        return self

    def __exit__(self, *_error) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"OnlineStore({self.address!r}, {len(self.features)} features)"


def _open(address: str, timeout_seconds: float):
    if address.startswith(("redis://", "rediss://", "unix://")):
        from workbench.features.redis_store import RedisStore

        return RedisStore(address, timeout_seconds)
    if "://" in address:
        raise ValueError(f"address must be a folder or redis://host:port/number, got {address!r}")
    from workbench.features.lmdb_store import LmdbStore

    return LmdbStore.at(address)


def _microseconds(moment: datetime, name: str) -> int:
    if getattr(moment, "tzinfo", None) is None:
        raise ValueError(f"{name} must be a time with a zone, got {moment!r}")
    return (moment - _EPOCH) // _US


def _now() -> int:
    return _microseconds(datetime.now(UTC), "now")


def _ids(values: np.ndarray) -> pl.Series:
    """Ids as Polars keeps them; a policy's marks for missing ones become null."""
    if values.dtype.kind in "iu":
        return pl.Series(values).replace(NO_ITEM, None)
    return pl.Series([value or None for value in values.tolist()], dtype=pl.String)
