"""Your names in, the vocabulary out: the one place where columns are parameters.

    cust, ts, eur ──► rename(table, user="cust", time="ts", amount="eur", tz="Europe/Zurich")
                  ──► user, time, amount; times in UTC; an `event` id for each row

Pandas in, pandas out, with index and order kept; likewise Polars and Arrow. Columns that are not
named stay as they are. Everything else in this library reads the names of the vocabulary.
"""

from typing import Any

import polars as pl

from workbench.contracts import CLOCKS, VOCABULARY
from workbench.tables import is_pandas, to_polars

__all__ = ["rename"]


def rename(
    table: Any,
    *,
    time: str | None = None,
    known_at: str | None = None,
    tz: str | None = None,
    source: str = "rows",
    event: str | None = None,
    request: str | None = None,
    user: str | None = None,
    item: str | None = None,
    seller: str | None = None,
    session: str | None = None,
    device: str | None = None,
    query: str | None = None,
    surface: str | None = None,
    place: str | None = None,
    position: str | None = None,
    action: str | None = None,
    policy: str | None = None,
    propensity: str | None = None,
    variant: str | None = None,
    variant_share: str | None = None,
    live: str | None = None,
    candidate_source: str | None = None,
    score: str | None = None,
    amount: str | None = None,
    label: str | None = None,
) -> Any:
    """Return the same table with the vocabulary's names, clocks in UTC, and an `event`.

    Parameters
    ----------
    table : table, n rows
        Pandas, Polars or Arrow. It is not changed.
    time, known_at : str, optional
        Your columns with when it happened and when it was known: dates with time, or ISO text.
        Finer than a microsecond is cut off. `known_at="time"` says that it was known at once.
    tz : str, optional
        The zone of times that carry none, such as "Europe/Zurich".
    source : str, default "rows"
        If no column is the `event`, row r becomes event "source:r". Name the source when two
        tables go into one log: equal rows survive, and the same table twice changes nothing.
    event, request, user, item, … : str, optional
        Your column for that word of the vocabulary; in pandas an index level will do. Ids that
        pandas made floats because some are missing become whole numbers again.

    Returns
    -------
    table
        Of the type that came in, n rows in the same order.

    Raises
    ------
    ValueError
        If a column is not there or a name is taken, if a time has neither zone nor `tz`, if an id
        is neither whole number nor text.

    Examples
    --------
    >>> import pandas as pd
    >>> pay = pd.DataFrame({"cust": [7, 8], "ts": ["2026-07-01 09:30", "2026-07-01 10:00"]})
    >>> named = rename(pay, user="cust", time="ts", tz="Europe/Zurich", source="till")
    >>> named.columns.tolist(), str(named["time"][0]), named["event"][0]
    (['user', 'time', 'event'], '2026-07-01 07:30:00+00:00', 'till:0')
    """
    given = {
        name: value for name, value in locals().items() if name in VOCABULARY and value is not None
    }
    known_at_once = known_at == "time"
    if known_at_once:
        del given["known_at"]
    native = _renamed_pandas(table, given) if is_pandas(table) else _renamed(table, given)
    names = [str(name) for name in native.columns]

    changed = {}
    for name in CLOCKS:
        if name in names:
            changed[name] = _utc(_values(native, name), tz)
    if known_at_once:
        if "time" not in changed:
            raise ValueError('known_at="time" needs a time: rename(table, time="your column", …)')
        changed["known_at"] = changed["time"]
    for name, word in VOCABULARY.items():
        if word == "id" and name in names:
            changed[name] = _id(_values(native, name))
    if "event" not in names:
        rows = pl.int_range(len(native), eager=True).cast(pl.String)
        changed["event"] = f"{source}:" + rows
    if is_pandas(table):
        return native.assign(**{name: _to_pandas(values) for name, values in changed.items()})
    done = native.with_columns(**changed)
    if isinstance(table, pl.LazyFrame):
        return done.lazy()
    return done if isinstance(table, pl.DataFrame) else done.to_arrow()


def _renamed_pandas(table, given: dict[str, str]):
    if not hasattr(table, "columns") or table.columns.nlevels > 1:
        what = "columns of several levels" if hasattr(table, "columns") else type(table).__name__
        raise ValueError(f"rename takes a pandas DataFrame with plain column names, got {what}")
    levels = {name: table.index.get_level_values(name) for name in table.index.names if name}
    wanted = {
        name: table[column] if column in table.columns else levels.get(column)
        for name, column in given.items()
    }
    absent = [name for name, values in wanted.items() if values is None]
    _refuse_wrong_names(list(table.columns), given, absent)
    first = {column: name for name, column in reversed(given.items())}
    twice = {name: wanted[name] for name in given if first[given[name]] != name}
    from_index = {name: wanted[name] for name in given if given[name] not in table.columns}
    plain = {column: name for column, name in first.items() if column in table.columns}
    copies = {name: values.array for name, values in (twice | from_index).items()}
    return table.rename(columns=plain).assign(**copies)


def _renamed(table, given: dict[str, str]) -> pl.DataFrame:
    (table,) = to_polars(table)
    absent = [name for name, column in given.items() if column not in table.columns]
    _refuse_wrong_names(table.columns, given, absent)
    first = {column: name for name, column in reversed(given.items())}
    twice = {name: first[column] for name, column in given.items() if first[column] != name}
    return table.rename(first).with_columns(**twice)


def _refuse_wrong_names(columns: list, given: dict[str, str], absent: list[str]) -> None:
    if absent:
        raise ValueError(
            f"{absent[0]}={given[absent[0]]!r}: the table has no such column, but {columns}"
        )
    for name, column in given.items():
        if name in columns and name != column and name not in given.values():
            raise ValueError(
                f"{name}={column!r}: the table has a column {name} already; drop it or give it "
                "another name first"
            )


def _values(table, name: str) -> pl.Series:
    if isinstance(table, pl.DataFrame):
        return table[name]
    frames = to_polars(table[[name]], name)
    if len(frames) > 1:
        examples = ", ".join(f"{frame[name][0]!r} ({frame.schema[name]})" for frame in frames[:3])
        raise ValueError(
            f"{name} mixes types: {examples}, …; make them all one, such as whole numbers or text"
        )
    return frames[0][name]


def _utc(values: pl.Series, tz: str | None) -> pl.Series:
    """Return times in UTC and microseconds."""
    name = values.name
    if values.dtype == pl.String:
        values = _parsed(values)
    if values.dtype == pl.Date:
        values = values.cast(pl.Datetime("us"))
    if values.dtype != pl.Datetime:
        raise ValueError(
            f"{name} is {values.dtype}, not a date with time or ISO text; first rows: "
            f"{values.head(3).to_list()}. Numbers need a unit first, as in "
            'pandas.to_datetime(…, unit="s")'
        )
    values = values.dt.cast_time_unit("us")
    if values.dtype.time_zone is None:
        if tz is None:
            raise ValueError(
                f"{name} has no time zone, so its hours could be anywhere's: say where, "
                f'rename(table, …, tz="Europe/Zurich") or tz="UTC"; first rows: '
                f"{[str(value) for value in values.head(3)]}"
            )
        values = _in_zone(values, tz)
    return values.dt.convert_time_zone("UTC")


def _parsed(values: pl.Series) -> pl.Series:
    has_zone = values.str.contains(r"(Z|[+-]\d\d:?\d\d)$").any()
    zone = "UTC" if has_zone else None
    try:
        parsed = values.str.to_datetime(time_unit="us", time_zone=zone, strict=False)
    except pl.exceptions.ComputeError:  # not even the first looks like a time
        parsed = pl.repeat(None, len(values), dtype=pl.Datetime("us", zone), eager=True)
    is_iso = values.str.contains(r"^\d{4}[-/]\d\d")  # 03/04/2026 is in March or in April
    unread = values.filter((parsed.is_null() | ~is_iso) & values.is_not_null())
    if len(unread):
        raise ValueError(
            f"{values.name} holds {len(unread):,} texts that are no ISO dates with time, such as "
            f"{unread.head(3).to_list()}; parse them first"
        )
    return parsed


def _in_zone(values: pl.Series, tz: str) -> pl.Series:
    try:
        there = values.dt.replace_time_zone(tz, ambiguous="null", non_existent="null")
    except pl.exceptions.PolarsError as error:
        raise ValueError(f"tz={tz!r} is no time zone; one is Europe/Zurich, another UTC") from error
    unclear = values.filter(there.is_null() & values.is_not_null())
    if len(unclear):
        raise ValueError(
            f"{values.name} has {len(unclear):,} times that come twice or never in {tz}, where "
            f"clocks were changed, such as {[str(value) for value in unclear.head(3)]}: give them "
            "a zone before (pandas: tz_localize(…, ambiguous=…, nonexistent=…))"
        )
    return there


def _id(values: pl.Series) -> pl.Series:
    """Return ids as Int64 or String."""
    dtype = values.dtype
    if dtype in (pl.Categorical, pl.Enum):
        return values.cast(pl.String)
    if dtype.is_integer():
        return values.cast(pl.Int64)
    if dtype == pl.String or dtype == pl.Null:
        return values
    if dtype.is_float() or dtype == pl.Decimal:
        whole = values.cast(pl.Int64, strict=False)
        exact = (whole.cast(dtype) == values) & (whole.abs() <= 2**53)
        lost = values.filter(~exact.fill_null(False) & values.is_not_null())
        if lost.is_empty():
            return whole
        why = f"and not all are whole numbers, such as {lost.head(3).to_list()}"
    else:
        why = f"such as {values.head(3).to_list()}"
    raise ValueError(
        f"{values.name} is {dtype}, {why}; an id is a whole number or text (Int64 or String)"
    )


def _to_pandas(values: pl.Series):
    """Return an array for a pandas column: whole numbers stay whole where some are missing."""
    if values.dtype == pl.Int64 and values.null_count():
        import pandas as pd

        return pd.array(values.to_list(), dtype="Int64")
    return values.to_pandas().array
