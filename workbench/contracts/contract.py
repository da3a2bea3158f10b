"""The words of the log, and what rows of each kind must look like."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from types import MappingProxyType

import polars as pl

from workbench.contracts.lossless import POLARS_TYPES, type_word

__all__ = [
    "CLOCKS",
    "CONTRACTS",
    "VOCABULARY",
    "Column",
    "Contract",
    "grow",
    "refuse_changed_types",
    "schema_of",
]

CLOCKS = ("time", "known_at")

VOCABULARY: Mapping[str, str] = MappingProxyType(
    dict.fromkeys(["event", "request", "user", "item", "seller", "session", "device"], "id")
    | dict.fromkeys(["time", "known_at", "claimed_known_at"], "time")
    | dict.fromkeys(["query", "surface", "place", "action", "policy"], "word")
    | dict.fromkeys(["variant", "candidate_source"], "word")
    | dict.fromkeys(["propensity", "variant_share", "score", "amount", "label"], "float")
    | {"position": "int", "live": "bool"}
)

OWN_COLUMNS = ("kind", "day", "reason", "fingerprint")  # the log's own: no table may bring them


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """What one column of one kind may hold.

    `dtype` is one of id (Int64 or String), time (UTC, microseconds), word (String), float
    (Float64, finite), int (Int64), bool, other (lists, dates, decimals: kept as they come).
    `low` and `high` are inclusive bounds, in the unit of the column.

    >>> Column(name="propensity", dtype="float", low=0, high=1).high
    1
    """

    name: str
    dtype: str
    required: bool = False
    low: float | None = None
    high: float | None = None
    allowed: tuple[str, ...] | None = None

    def __post_init__(self):
        known = [*POLARS_TYPES, "id", "other"]
        if self.dtype not in known:
            raise ValueError(
                f"column {self.name}: dtype must be one of {known}, got {self.dtype!r}"
            )
        expected = VOCABULARY.get(self.name, self.dtype)
        if self.dtype != expected:
            raise ValueError(f"column {self.name} is {expected} everywhere, got {self.dtype!r}")
        if self.name in OWN_COLUMNS:
            raise ValueError(f"column {self.name} belongs to the log itself: choose another name")
        if self.allowed is not None:
            object.__setattr__(self, "allowed", tuple(self.allowed))


@dataclass(frozen=True, slots=True)
class Contract:
    """The columns of one kind. Rows may bring more: then the contract grows.

    >>> sensor = Contract("sensor", (Column(name="celsius", dtype="float", low=-90, high=60),))
    >>> Contract.from_json(sensor.to_json()) == sensor
    True
    """

    kind: str
    columns: tuple[Column, ...] = ()

    def __post_init__(self):
        if not (self.kind.isidentifier() and self.kind == self.kind.lower()):
            raise ValueError(
                f"a kind is one lower-case word (letters, digits, _), got {self.kind!r}"
            )
        own = tuple(column for column in self.columns if column.name not in (*CLOCKS, "event"))
        object.__setattr__(self, "columns", own)
        names = [column.name for column in own]
        if len(set(names)) < len(names):
            raise ValueError(f"contract {self.kind} names a column twice: {sorted(names)}")

    def column(self, name: str) -> Column | None:
        """Return the column of that name, None if the contract does not know it."""
        return next((column for column in self.columns if column.name == name), None)

    def to_json(self) -> str:
        """Return the contract as text, the form in which the log keeps it."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Contract":
        """Read what `to_json` wrote."""
        content = json.loads(text)
        return cls(content["kind"], tuple(Column(**column) for column in content["columns"]))


def refuse_changed_types(old: Contract, new: Contract) -> None:
    """Raise ValueError if a column of the old contract has another type in the new one."""
    for column in old.columns:
        changed = new.column(column.name)
        if changed is not None and changed.dtype != column.dtype:
            raise ValueError(
                f"{old.kind}.{column.name} is {column.dtype} in this log and cannot become "
                f"{changed.dtype}: choose another name"
            )


def schema_of(contract: Contract, known: Mapping[str, pl.DataType]) -> dict[str, pl.DataType]:
    """Return the columns and types of a table without rows; `known` has types of ids."""
    types = {"event": "id", "time": "time", "known_at": "time"}
    types |= {column.name: column.dtype for column in contract.columns}
    return {
        name: known.get(name) or POLARS_TYPES.get(word, pl.Int64) for name, word in types.items()
    }


def grow(contract: Contract, frame: pl.DataFrame) -> Contract:
    """Return the contract with the columns that `frame` brings and it does not name.

    >>> contract = grow(CONTRACTS["click"], pl.DataFrame({"item": [1], "colour": ["red"]}))
    >>> contract.column("colour").dtype
    'word'
    """
    new = [
        Column(name=name, dtype=VOCABULARY.get(name) or type_word(dtype))
        for name, dtype in frame.schema.items()
        if name not in (*CLOCKS, "event") and contract.column(name) is None
    ]
    return replace(contract, columns=(*contract.columns, *new)) if new else contract


def _shipped(kind: str, required: str, optional: str) -> Contract:
    bounds = {"position": {"low": 1}}
    bounds |= {name: {"low": 0, "high": 1} for name in ("propensity", "variant_share")}
    must, may = required.split(), optional.split()
    return Contract(
        kind,
        tuple(
            Column(name=name, dtype=VOCABULARY[name], required=name in must, **bounds.get(name, {}))
            for name in must + may
        ),
    )


_WHO = "user session device"
_SHIPPED = [
    _shipped(
        "request", "request", f"{_WHO} item seller query surface place amount candidate_source"
    ),
    _shipped(
        "decision",
        "request policy action",
        f"{_WHO} item position surface score propensity variant variant_share live",
    ),
    _shipped("features", "request", "user item policy"),
    _shipped("impression", "item", f"request {_WHO} position surface"),
    _shipped("click", "item", f"request {_WHO} position surface"),
    _shipped("purchase", "user item", "request session device seller amount"),
    _shipped("payment", "user amount", "request item seller session device place"),
    _shipped("chargeback", "request", "user item seller amount"),
    _shipped("review", "", "request user item action label"),  # an analyst looked at it
    _shipped("vote", "label", "request user item"),  # one of several opinions
    _shipped("rating", "user item score", "request"),
    _shipped("listing", "item", "seller place amount"),  # the item, as it is from then on
    _shipped("profile", "user", "place device"),  # the user, as it is from then on
]
CONTRACTS: Mapping[str, Contract] = MappingProxyType({each.kind: each for each in _SHIPPED})
