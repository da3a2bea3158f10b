"""What a row must look like to enter the log: one vocabulary, one contract per kind.

Columns have one name everywhere: a user is `user`, whichever table it comes from
(`workbench.rename` is the door for other names). A contract says, for one kind of event,
which columns must be there and what they may hold. `check` splits a table by it:

    table ──► check ──► good   cast without loss, ready for the log
                  └───► bad    as it came, plus the `reason`: for the quarantine

What is wrong with single rows is a reason in `bad`. What is wrong with the table as a whole
(no clock, no time zone, ids that are neither whole numbers nor words) is an error.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from types import MappingProxyType

import polars as pl

from workbench.lossless import POLARS_TYPES, lossless, type_word

__all__ = ["CLOCKS", "CONTRACTS", "VOCABULARY", "Column", "Contract", "check", "grow"]

CLOCKS = ("time", "known_at")

VOCABULARY: Mapping[str, str] = MappingProxyType(
    dict.fromkeys(["event", "request", "user", "item", "seller", "session", "device"], "id")
    | dict.fromkeys(["time", "known_at", "claimed_known_at"], "time")
    | dict.fromkeys(["query", "surface", "place", "action", "policy"], "word")
    | dict.fromkeys(["variant", "candidate_source"], "word")
    | dict.fromkeys(["propensity", "variant_share", "score", "amount", "label"], "float")
    | {"position": "int", "live": "bool"}
)

OWN_COLUMNS = ("kind", "day", "reason")  # the log's own: no table may bring them


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


def check(
    frame: pl.DataFrame, contract: Contract, clock: datetime
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the rows that keep the contract and those that do not.

    Parameters
    ----------
    frame : DataFrame, n rows
        Events of one kind, with `event`, `time` and `known_at`.
    contract : Contract
        Columns it does not name are checked for what they are: times have a zone, floats are
        finite.
    clock : datetime, aware
        Now. Nothing may be known later than this.

    Returns
    -------
    good : DataFrame, <= n rows
        Cast to the log's types; only casts that lose nothing.
    bad : DataFrame
        The other rows as they came, with one more column, `reason`.

    Raises
    ------
    ValueError
        If the table as a whole cannot be read: a clock is missing or naive, an id is neither
        whole number nor text, a column bears a name or type that the log cannot keep.

    Examples
    --------
    >>> moment = datetime.fromisoformat("2026-01-01T12:00:00+00:00")
    >>> pay = pl.DataFrame({"event": [1, 2], "time": moment, "known_at": moment,
    ...                     "user": [7, 7], "amount": [9.5, float("nan")]})
    >>> good, bad = check(pay, CONTRACTS["payment"], clock=moment)
    >>> good["event"].to_list(), bad["reason"].to_list()
    ([1], ['payment.amount: NaN or infinite'])
    """
    frame = frame.drop(name for name, dtype in frame.schema.items() if dtype == pl.Null)
    _refuse_whole_tables(frame, contract.kind)
    casts, rules = {}, []
    for column in (*_KEYS, *grow(contract, frame).columns):
        name = column.name
        if name in frame.columns:
            casts[name], broken = lossless(name, frame.schema[name], column.dtype, contract.kind)
            rules += [(name, *rule) for rule in broken + _value_rules(column, casts[name])]
        elif column.required:
            rules.append((name, "missing", pl.lit(True)))
    rules.append(("known_at", "before time", casts["known_at"] < casts["time"]))
    rules.append(("known_at", "after the clock", casts["known_at"] > clock))

    lazy = frame.lazy()
    any_broken = pl.any_horizontal(rule.any() for _, _, rule in rules)
    if not lazy.select(any_broken).collect().item():
        return frame.select(**casts), frame.clear().with_columns(reason=pl.lit(""))
    reason = pl.coalesce(
        pl.when(rule).then(pl.lit(f"{contract.kind}.{name}: {words}"))
        for name, words, rule in rules
    )
    reasons = lazy.select(reason.alias("reason")).collect().to_series()
    bad = frame.with_columns(reasons).filter(reasons.is_not_null())
    return frame.filter(reasons.is_null()).select(**casts), bad


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

_KEYS = (
    Column(name="event", dtype="id", required=True),
    Column(name="time", dtype="time", required=True),
    Column(name="known_at", dtype="time", required=True),
)


def _refuse_whole_tables(frame: pl.DataFrame, kind: str) -> None:
    for name in OWN_COLUMNS:
        if name in frame.columns:
            raise ValueError(f"{kind}.{name}: the log uses this name itself, give it another")
    for name in ("event", *CLOCKS):
        if name not in frame.columns:
            raise ValueError(f"{kind} has no column {name}{_HOW_TO_GET[name]}")
    for name, dtype in frame.schema.items():
        if dtype == pl.Datetime and dtype.time_zone is None:
            argument = name if name in CLOCKS else "time"
            raise ValueError(
                f"{kind}.{name} has no time zone, so its hours could be anywhere's: say where, "
                f'workbench.rename(table, {argument}="{name}", tz="Europe/Zurich"); first rows: '
                f"{[str(value) for value in frame[name].head(3)]}"
            )
    for name in CLOCKS:
        if frame.schema[name] != pl.Datetime:
            raise ValueError(
                f"{kind}.{name} is {frame.schema[name]}, not a date with time and zone; first "
                f"rows: {frame[name].head(3).to_list()}. workbench.rename(table, {name}=…, tz=…) "
                "reads ISO text"
            )


_HOW_TO_GET = {
    "event": ', the id of each row: workbench.rename(table, event="your id") names it, or makes '
    "one from source and row number",
    "time": ', when it happened: workbench.rename(table, time="your column", tz="UTC") names it',
    "known_at": ', when we could know it: append(…, known_at="time") if that was at once',
}


def _value_rules(column: Column, value: pl.Expr):
    """Return (words, expression that is true where the rule is broken) for one column."""
    rules = []
    if column.required:
        rules.append(("null", value.is_null()))
    if column.dtype == "float":
        rules.append(("NaN or infinite", ~value.is_finite()))
    if column.low is not None:
        rules.append((f"below {column.low}", value < column.low))
    if column.high is not None:
        rules.append((f"above {column.high}", value > column.high))
    if column.allowed is not None:
        rules.append((f"not one of {', '.join(column.allowed)}", ~value.is_in(column.allowed)))
    if column.name == "time":
        rules.append((f"before the year {_FIRST_YEAR}", value.dt.year() < _FIRST_YEAR))
        rules.append((f"after the year {_LAST_YEAR}", value.dt.year() > _LAST_YEAR))
    return rules


_FIRST_YEAR, _LAST_YEAR = 1, 9999  # what a folder day=yyyy-mm-dd can name
