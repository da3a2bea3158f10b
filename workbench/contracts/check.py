"""Split a table by a contract: rows that keep it, and rows that do not, with the reason."""

from datetime import datetime

import polars as pl

from workbench.contracts.contract import (
    CLOCKS,
    OWN_COLUMNS,
    Column,
    Contract,
    grow,
)
from workbench.contracts.lossless import lossless

__all__ = ["check"]


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
    >>> from workbench.contracts import CONTRACTS
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
            remedy = f'workbench.rename(table, {name}="{name}", tz="Europe/Zurich")'
            if name not in CLOCKS:
                remedy = (
                    f'table["{name}"].dt.tz_localize("Europe/Zurich") in pandas, '
                    ".dt.replace_time_zone(…) in Polars; or leave the column out"
                )
            raise ValueError(
                f"{kind}.{name} has no time zone, so its hours could be anywhere's: say where, "
                f"{remedy}; first rows: {[str(value) for value in frame[name].drop_nulls()[:3]]}"
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
