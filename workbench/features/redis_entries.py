"""What an entry of a Redis Stream holds, and how to put events there.

    kind      the events' kind
    table     an Arrow IPC stream of them, as `RedisPublisher` writes it, or
    json      one event, or a list of them, from anything that can write JSON: times are ISO 8601
              with a zone, or microseconds since 1970
    events    how many (with `table`)

Without `event` an event's id is its place in the stream, without `known_at` it was known when Redis
took it, without `time` it happened when it was known.
"""

from __future__ import annotations

import io
import itertools
import json
import os
from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

import polars as pl

from workbench.journal.frames import ROWS
from workbench.journal.rows import Encoder, Moment, decode
from workbench.journal.tables import TIME, check_table, table_of, unpack

__all__ = ["Entry", "RedisPublisher", "fields_of", "tables_of"]

ENTRY_ROWS = 10_000
_CLOCKS = ("time", "known_at")


class Entry(NamedTuple):
    """One entry as it came; `fields` is None where it has been deleted."""

    stream: str
    id: str
    fields: Mapping[bytes, bytes] | None

    @property
    def events(self) -> int:
        """How many events it says it holds."""
        said = (self.fields or {}).get(b"events", b"1")
        return int(said) if said.isdigit() else 1


class RedisPublisher:
    """Puts events into a Redis Stream.

    Parameters
    ----------
    address : str
        For example "redis://127.0.0.1:6379/0".
    stream : str
        Key of the stream.
    keep_entries : int, optional
        Let Redis trim the stream to about so many entries. A consumer that is further behind stops
        with a `StreamGap`. By default nothing is trimmed.
    """

    def __init__(self, address: str, stream: str, *, keep_entries: int | None = None) -> None:
        import redis

        if keep_entries is not None and keep_entries < 1:
            raise ValueError(f"keep_entries must be at least 1, got {keep_entries}")
        self.stream, self._keep = stream, keep_entries
        self._redis = redis.Redis.from_url(address, socket_timeout=5, socket_connect_timeout=5)
        self._session, self._numbers = os.urandom(6).hex(), itertools.count()

    def publish(self, kind: str, columns: Mapping[str, Any] | Any) -> list[str]:
        """Add events of one kind: arrays by column name, or a table. Returns the entries' ids.

        Missing `event`, `known_at` and `time` are filled, so that sending a table again after an
        error (with the ids it was given) changes nothing.

        Raises
        ------
        ValueError
            If it is no table of events, or an `event` is null.
        redis.exceptions.RedisError
            If Redis did not take it.
        """
        table = table_of(kind, columns)
        if "event" not in table.columns:
            numbers = pl.Series(itertools.islice(self._numbers, len(table)), dtype=pl.Int64)
            table = table.with_columns(event=f"{self._session}-" + numbers.cast(pl.String))
        if "known_at" not in table.columns:
            seconds, micros = self._redis.time()
            now = pl.lit(seconds * 1_000_000 + micros).cast(TIME)
            table = table.with_columns(known_at=now)
        if "time" not in table.columns:
            table = table.with_columns(time=pl.col("known_at"))
        check_table(kind, table, {})
        if table["event"].null_count():
            raise ValueError(f"event of {kind} is null in {table['event'].null_count()} rows")
        pipeline = self._redis.pipeline(transaction=False)
        for piece in table.iter_slices(ENTRY_ROWS):
            fields = fields_of(kind, piece)
            pipeline.xadd(self.stream, fields, maxlen=self._keep, approximate=True)
        return [entry.decode() for entry in pipeline.execute()]

    def close(self) -> None:
        """Let go of the connection."""
        self._redis.close()


def fields_of(kind: str, table: pl.DataFrame) -> dict[bytes, bytes]:
    """Events of one kind as the fields of an entry."""
    stream = io.BytesIO()
    table.write_ipc_stream(stream)
    return {
        b"kind": kind.encode(),
        b"events": b"%d" % len(table),
        b"table": stream.getvalue(),
    }


def tables_of(
    entries: Iterable[Entry],
) -> tuple[list[tuple[str, pl.DataFrame]], list[tuple[Entry, str]]]:
    """The events of some entries by kind, and the entries that hold none, with the reason."""
    encoder, tables, rows, refused = Encoder(), [], [], []
    for entry in entries:
        try:
            if b"kind" not in entry.fields or not {b"table", b"json"} & set(entry.fields):
                raise ValueError("an entry has the fields kind, and table or json")
            kind = entry.fields[b"kind"].decode()
            if b"table" in entry.fields:
                tables.append((kind, _from_arrow(kind, entry)))
            else:
                rows += _from_json(kind, entry, encoder)
        except (ValueError, TypeError, RecursionError, pl.exceptions.PolarsError) as error:
            refused.append((entry, f"{type(error).__name__}: {error}"))
        except BaseException as error:
            if (
                type(error).__name__ != "PanicException"
            ):  # Polars on bytes that only look like Arrow
                raise
            refused.append((entry, "the table cannot be read"))
    records = encoder.payloads(rows) if rows else []
    tables += decode(payload for type, payload, _events in records if type == ROWS)
    tables += [unpack(payload) for type, payload, _events in records if type != ROWS]
    return tables, refused


def _from_arrow(kind: str, entry: Entry) -> pl.DataFrame:
    table = table_of(kind, pl.read_ipc_stream(io.BytesIO(entry.fields[b"table"])))
    known = pl.lit(_milliseconds(entry) * 1000).cast(TIME)
    if "known_at" not in table.columns:
        table = table.with_columns(known_at=known)
    if "time" not in table.columns:
        table = table.with_columns(time=pl.col("known_at"))
    if "event" not in table.columns:
        place = pl.int_range(pl.len()).cast(pl.String)
        table = table.with_columns(event=f"{entry.stream}/{entry.id}/" + place)
    _check(kind, tuple(table.schema.items()))
    return table


@lru_cache(maxsize=1_000)
def _check(kind: str, schema: tuple) -> None:
    """ValueError unless a log could take tables like this."""
    check_table(kind, pl.DataFrame(schema=dict(schema)), {})


def _from_json(kind: str, entry: Entry, encoder: Encoder) -> list[list]:
    found = json.loads(entry.fields[b"json"])
    rows = []
    for place, event in enumerate(found if isinstance(found, list) else [found]):
        if not isinstance(event, dict):
            raise ValueError(f"an event is a JSON object, got {type(event).__name__}")
        event = dict(event)
        for clock in _CLOCKS:
            if event.get(clock) is not None:
                event[clock] = _moment(clock, event[clock])
        if event.get("known_at") is None:
            event["known_at"] = Moment(_milliseconds(entry) * 1000)
        if event.get("time") is None:
            event["time"] = event["known_at"]
        if event.get("event") is None:
            event["event"] = f"{entry.stream}/{entry.id}/{place}"
        rows.append(encoder.row(kind, event))
    return rows


def _moment(clock: str, value: Any) -> Moment:
    if isinstance(value, str):
        return Moment.of(datetime.fromisoformat(value))
    if type(value) is not int:
        raise ValueError(f"{clock} is ISO 8601 or whole microseconds, got {value!r}")
    return Moment(value)


def _milliseconds(entry: Entry) -> int:
    return int(entry.id.split("-")[0])
