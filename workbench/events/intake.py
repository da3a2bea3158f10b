"""From the tables of one append to the rows of one commit.

    tables ─► check by contract ─► deduplicate ─► late rows ─► rows of the log
                   │                    │
                   └────────────────────┴─► rows of kind `quarantine`
    columns never seen ─► rows of kind `contract`

Nothing here writes: a snapshot and tables go in, rows and a report come out.
"""

import difflib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import polars as pl

from workbench.contracts import CONTRACTS, Contract, check, grow, refuse_changed_types
from workbench.events.deduplicate import deduplicate, unseen
from workbench.events.quarantine import EPOCH, quarantined
from workbench.events.snapshot import Snapshot
from workbench.tables import to_polars

__all__ = [
    "SYSTEM_KINDS",
    "Intake",
    "contract_of",
    "prepare",
    "prepare_contract",
    "prepare_replay",
    "read_tables",
    "watermark",
]

SYSTEM_KINDS = ("quarantine", "replayed", "contract")
RESERVED = (*SYSTEM_KINDS, "known_at", "batch", "complete_until", "kind", "day")
Tables = Mapping[str, Sequence[pl.DataFrame]]


@dataclass
class Intake:
    """The rows that one commit will write, by kind, and the counts for the report."""

    rows: dict[str, pl.DataFrame] = field(default_factory=dict)
    added: dict[str, int] = field(default_factory=dict)
    duplicates: int = 0
    quarantined: Counter = field(default_factory=Counter)
    late: int = 0
    new_columns: dict[str, list[str]] = field(default_factory=dict)
    refused_events: list = field(default_factory=list)

    def columns_beyond(self, schema: Mapping[str, pl.DataType]) -> dict[str, pl.DataType]:
        """Return the columns, with types, that these rows have and the schema lacks."""
        everything = {
            name: dtype for rows in self.rows.values() for name, dtype in rows.schema.items()
        }
        return {name: dtype for name, dtype in everything.items() if name not in schema}


def read_tables(kinds: Mapping[str, Any], known_at: str | None) -> Tables:
    """Return the tables of an append as Polars frames; `known_at` names a column to use as such.

    Raises ValueError for what is no table, and for a kind of the log's own.
    """
    tables = {}
    for kind, table in kinds.items():
        if kind in SYSTEM_KINDS:
            raise ValueError(f"{kind} is a kind of the log's own: nobody appends to it")
        tables[kind] = [_with_known_at(frame, kind, known_at) for frame in to_polars(table, kind)]
    return tables


def prepare(tables: Tables, snapshot: Snapshot, now: datetime) -> Intake:
    """Return what one append of these tables to this snapshot writes.

    Raises ValueError if a table as a whole cannot be read as its kind, or a column has another
    type than the log's.
    """
    intake, schema = Intake(), dict(snapshot.schema)
    known = contracts_of(snapshot)  # read once
    contracts = {kind: known.get(kind) or contract_of(kind, snapshot) for kind in tables}
    line = watermark(snapshot)
    refused, grown = [], []
    for kind, frames in tables.items():
        good, bad, contract = _checked(frames, contracts[kind], now)
        if good is None:
            continue
        _refuse_other_types(good, kind, schema)
        sorted_rows = deduplicate(good, kind, snapshot)
        new = sorted_rows.new
        intake.duplicates += sorted_rows.duplicates
        for rows in (*bad, sorted_rows.conflicts):
            if not rows.is_empty():
                refused.append(quarantined(rows, kind, schema["event"]))
                intake.refused_events += rows["event"].to_list()
        if line is not None:
            new, late = _held_to(line, new)
            intake.late += late
        if new.is_empty():
            continue
        intake.rows[kind], intake.added[kind] = new, new.height
        if contract != contracts[kind]:
            grown.append(contract)
            before = len(contracts[kind].columns)
            intake.new_columns[kind] = [column.name for column in contract.columns[before:]]
    if refused:
        _add_quarantine(intake, pl.concat(refused), snapshot, max(now, line or now))
    if grown:
        intake.rows["contract"] = contract_rows(grown, snapshot)
    return intake


def prepare_replay(
    frames: Sequence[pl.DataFrame], kind: str, snapshot: Snapshot, now: datetime
) -> Intake:
    """Return what repaired rows write: those that get in, and that they left the quarantine.

    `frames` have a column `quarantined`, the id under which each row waits there.
    """
    own = ("quarantined", "reason")
    intake = prepare({kind: [frame.drop(own, strict=False) for frame in frames]}, snapshot, now)
    intake.rows.pop("quarantine", None)  # what is refused again waits there already
    got_in = [
        frame.filter(~pl.col("event").is_in(intake.refused_events))["quarantined"]
        for frame in frames
    ]
    if sum(map(len, got_in)):
        moment = pl.lit(now).cast(snapshot.schema["time"])
        ids = pl.concat(got_in).unique().alias("event").to_frame()
        intake.rows["replayed"] = ids.with_columns(time=moment, known_at=moment)
    return intake


def prepare_contract(contract: Contract, snapshot: Snapshot) -> Intake:
    """Return what registering a contract writes: nothing if it holds already.

    Raises ValueError for a reserved name, or if a column would change its type.
    """
    if contract.kind in RESERVED:
        raise ValueError(f"{contract.kind} is a name the log uses itself: choose another kind")
    old = contracts_of(snapshot).get(contract.kind, Contract(contract.kind))
    refuse_changed_types(old, contract)
    brought = [column for column in old.columns if contract.column(column.name) is None]
    new = Contract(contract.kind, (*contract.columns, *brought))
    return Intake() if new == old else Intake(rows={"contract": contract_rows([new], snapshot)})


def contract_of(kind: str, snapshot: Snapshot) -> Contract:
    """Return the contract of one kind; ValueError, with similar names, if nobody registered it."""
    contracts = contracts_of(snapshot)
    if kind not in contracts:
        close = difflib.get_close_matches(kind, contracts) or sorted({*contracts} - {*SYSTEM_KINDS})
        raise ValueError(
            f"no kind is called {kind!r} in the log at {snapshot.root}; did you mean "
            f"{' or '.join(close)}? A new kind needs a contract: "
            f'log.register(Contract("{kind}", (Column(name=…, dtype=…), …)))'
        )
    return contracts[kind]


def contracts_of(snapshot: Snapshot) -> dict[str, Contract]:
    """Return the contracts that hold in this version: shipped, registered, grown."""
    contracts = {**CONTRACTS, **{kind: Contract(kind) for kind in SYSTEM_KINDS}}
    files = snapshot.select("contract")
    if not files.is_empty():
        notes = [
            json.loads(text) for text in snapshot.scan(files, ["content"]).collect()["content"]
        ]
        for note in sorted(notes, key=lambda note: note["number"]):
            contracts[note["kind"]] = Contract.from_json(json.dumps(note["contract"]))
    return contracts


def contract_rows(contracts: Sequence[Contract], snapshot: Snapshot) -> pl.DataFrame:
    """Return the rows by which the log remembers contracts."""
    number = (snapshot.transaction("workbench") or 0) + 1
    notes = [
        {"number": number, "kind": each.kind, "contract": json.loads(each.to_json())}
        for each in contracts
    ]
    return pl.select(time=EPOCH, known_at=EPOCH).join(
        pl.DataFrame({"content": [json.dumps(note) for note in notes]}), how="cross"
    )


def watermark(snapshot: Snapshot) -> datetime | None:
    """Return the moment up to which `as_of` never changes, None if nobody set one."""
    microseconds = snapshot.transaction("complete_until")
    if microseconds is None:
        return None
    return pl.select(pl.lit(microseconds).cast(pl.Datetime("us", "UTC"))).item()


def _with_known_at(frame: pl.DataFrame, kind: str, column: str | None) -> pl.DataFrame:
    if column is None or "known_at" in frame.columns:
        return frame
    if column not in frame.columns:
        raise ValueError(f"known_at={column!r}: {kind} has no such column, but {frame.columns}")
    return frame.with_columns(known_at=column)


def _checked(frames: Sequence[pl.DataFrame], contract: Contract, now: datetime):
    goods, bads, types = [], [], {}
    for frame in frames:
        if frame.is_empty():
            continue
        good, bad = check(frame, contract, now)
        _refuse_other_types(good, contract.kind, types)
        contract = grow(contract, good)
        goods.append(good)
        bads.append(bad)
    return (pl.concat(goods, how="diagonal") if goods else None), bads, contract


def _refuse_other_types(rows: pl.DataFrame, kind: str, schema: dict[str, pl.DataType]) -> None:
    """Raise if a column has another type than the log's; note the types of new ones."""
    plain = {name.lower(): name for name in schema}
    for name, dtype in rows.schema.items():
        if plain.setdefault(name.lower(), name) != name:
            raise ValueError(
                f"{kind}.{name}: there is a column {plain[name.lower()]} already, and Delta Lake "
                "tells no capitals apart: give it another name"
            )
        ours = schema.setdefault(name, dtype)
        if dtype != ours:
            raise ValueError(
                f"{kind}.{name} is {dtype}, and {name} is {ours} in this log since it first came; "
                f"first rows: {rows[name].head(3).to_list()}. One column has one type in all kinds"
            )


def _held_to(line: datetime, rows: pl.DataFrame) -> tuple[pl.DataFrame, int]:
    """Return the rows with nothing known before the line, and how many claimed it was."""
    is_late = rows["known_at"] < line
    late = int(is_late.sum())
    if late == 0:
        return rows, 0
    claimed = pl.when(is_late).then("known_at")
    if "claimed_known_at" in rows.columns:
        claimed = pl.coalesce("claimed_known_at", claimed)
    known_at = (
        pl.when(is_late).then(pl.lit(line).cast(rows.schema["known_at"])).otherwise("known_at")
    )
    return rows.with_columns(known_at=known_at, claimed_known_at=claimed), late


def _add_quarantine(intake: Intake, rows: pl.DataFrame, snapshot: Snapshot, now: datetime) -> None:
    counts = rows["reason"].value_counts(sort=True)
    intake.quarantined.update(dict(counts.iter_rows()))
    known_at = pl.lit(now).cast(rows.schema["time"])
    new = unseen(rows.unique("event", keep="first", maintain_order=True), "quarantine", snapshot)
    if not new.is_empty():
        intake.rows["quarantine"] = new.with_columns(known_at=known_at)
