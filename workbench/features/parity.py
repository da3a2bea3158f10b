"""Did the online store read what training will see? And if not, why not, read by read.

reads (kind `features`) ──► replayed offline at their own time ──► equal?
                                                                    │ no
                  the read again, as each cause would have it  ──► which one gives this value?
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from workbench.features import whole_table
from workbench.features.agreement import agree
from workbench.features.causes import CAUSES, guesses, sure_causes
from workbench.features.comparing import (
    Compared,
    by_column,
    compare,
    requests_in,
    shown,
    whole_kinds,
)
from workbench.features.composed import Definition
from workbench.features.explain import defaults_of, of_entities
from workbench.features.leaks import compute
from workbench.features.reads import read_table
from workbench.features.replay import Replay, replays
from workbench.metrics.interval import share_interval

__all__ = ["Parity", "parity"]

_MOST_ROWS = 20_000  # mismatches of one feature that are looked into
_LEAST_SHARE = 0.02  # of what is left; what explains less does so by luck
_MOST_CLOCKS = 2  # a clock is wrong by one amount, or by two; more is fitting noise


@dataclass(frozen=True, repr=False)
class Parity:
    """Online against offline; made by `parity`. Its repr is the report.

    Parameters
    ----------
    table : pl.DataFrame
        A row per feature: `feature version reads equal`, the 95 % Wilson interval of `equal`, and a
        column per cause with the number of reads.
    mismatches : pl.DataFrame
        A row per read that differs: `row`, keys, `time`, `feature online offline cause detail`.
    """

    table: pl.DataFrame
    mismatches: pl.DataFrame

    def __repr__(self) -> str:
        reads, equal = self.table["reads"].sum(), 0
        wide = min(max(map(len, self.table["feature"]), default=7), 40)
        lines = []
        for row in self.table.iter_rows(named=True):
            equal += round(row["reads"] * row["equal"])
            share = f"{row['equal']:.4g} [{row['low']:.4g}, {row['high']:.4g}]"
            lines.append(f"{row['feature'][:wide]:{wide}}  {row['reads']:>9,}  {share}")
            mine = self.mismatches.filter(pl.col("feature") == row["feature"])
            details = Counter(zip(mine["cause"], mine["detail"], strict=True))
            for (cause, detail), number in details.most_common():
                words = f"{cause}: {detail}" if detail else cause
                lines.append(f"  {number:>7,}  {words}"[:90])
        head = f"{equal:,} of {reads:,} values are equal online and offline"
        return "\n".join([head, f"{'':{wide}}  {'reads':>9}  equal [95 % interval]", *lines])


def parity(
    reads,
    features: Mapping[str, Definition] | Iterable[Definition] | Definition,
    log,
    *,
    older: Iterable[Definition] = (),
) -> Parity:
    """Replay online reads offline and name the cause of every value that differs.

    Parameters
    ----------
    reads : EventLog, mapping of kind to table, or table
        The kind `features` as `log_reads` writes it, or any table with `time`, keys and a column
        per feature. `versions` (JSON: feature to version) and `as_of` (the store had what was known
        before) make causes certain that are otherwise inferred; so does a column `arrived` of the
        events, the time at which they reached the store.
    features : definitions, or mapping of column to definition
        What the columns should be now.
    log : EventLog, or mapping of kind to table
        Everything, with both clocks.
    older : definitions
        Earlier definitions of the same names, for reads that were made with them.

    Raises
    ------
    ValueError
        If there are no reads, a column is missing, or as for `training_frame`.

    Notes
    -----
    What a read says about itself comes first: its version, and what the store had. The other causes
    are only known by their effect, and two can give the same value (an event that came late, a
    clock that was behind): then the one that explains more of the column's reads is named.

    Examples
    --------
    >>> from datetime import datetime, timedelta, UTC
    >>> from workbench import features
    >>> noon = datetime(2024, 5, 1, 12, tzinfo=UTC)
    >>> clicks = pl.DataFrame({"user": [1, 1], "time": [noon, noon + timedelta(minutes=9)]})
    >>> seen = features.count("click", per="user", days=1, name="seen")
    >>> reads = pl.DataFrame({"user": [1, 1], "seen": [1, 1],         # the second should be 2
    ...                       "time": [noon + timedelta(minutes=m) for m in (1, 10)],
    ...                       "as_of": [noon + timedelta(minutes=m) for m in (1, 8)]})
    >>> parity(reads, [seen], {"click": clicks.with_columns(known_at="time")})
    1 of 2 values are equal online and offline
              reads  equal [95 % interval]
    seen          2  0.5 [0.09453, 0.9055]
            1  late event: not in the store yet
    """
    columns = by_column(features)
    table, versions = read_table(reads, columns)
    older = [each for each in older if hasattr(each, "leaves")]
    made, rows = [], []
    for name, definition in columns.items():
        there = (versions[name] != "").fill_null(True)
        if not there.any():
            raise ValueError(f"no read asked for {name!r}")
        mine, version = table.filter(there), versions[name].filter(there)
        asked = requests_in(mine, {name: definition})
        side = compare(mine, {name: definition}, asked, log)[name]
        cause, detail = _causes(definition, side, asked, mine, version, log, older)
        rows.append(_row(name, definition, side, cause))
        place = pl.Series(np.flatnonzero(there.to_numpy()), dtype=pl.Int64)
        made.append(_mismatches(name, side, asked, place, cause, detail))
    return Parity(pl.DataFrame(rows), pl.concat(_alike(made), how="diagonal"))


def _causes(definition, side: Compared, asked, reads, version, log, older):
    """Cause and detail of each read, shape (n,); "" where it is equal."""
    cause, detail = np.full((2, len(asked)), "", object)
    left = side.differs.copy()
    cause[left] = "unexplained"

    def settle(rows: np.ndarray, word: str, more: str) -> None:
        cause[rows], detail[rows] = word, more
        left[rows] = False

    for other in sorted(set(version.drop_nulls().to_list()) - {definition.version}):
        rows = np.flatnonzero(left & (version == other).fill_null(False).to_numpy())
        known = [each for each in older if each.version == other]
        if known and len(rows):
            values = compute(known, asked[rows], log)[known[0]]
            rows = rows[agree(side.given[rows], values, side.precision)]
        settle(rows, "definition version", f"{other}, not {definition.version}")
    for each in older:
        rows = np.flatnonzero(left & version.is_null().to_numpy())
        if each.name == definition.name and len(rows):
            values = compute([each], asked[rows], log)[each]
            rows = rows[agree(side.given[rows], values, side.precision)]
            settle(rows, "definition version", f"{each.version}, not {definition.version}")
    default = whole_table.default_of(side.given, side.honest, defaults_of(definition))
    if default is not None:
        given, honest = default.apply(side.given), default.apply(side.honest)
        rows = np.flatnonzero(left & agree(given, honest, side.precision))
        settle(rows, "null default", default.name)
        side = Compared(given, honest, side.precision, left)
    if left.any():
        tables = whole_kinds(log, [definition], asked)
        as_of = _clock(reads["as_of"]) if "as_of" in reads.columns else None
        rows = np.flatnonzero(left)[:_MOST_ROWS]
        tables = of_entities(tables, [definition], asked[rows])
        apply = (lambda values: values) if default is None else default.apply
        for part, replay in replays(definition, asked[rows], tables):
            mine = rows[part]
            store = None if as_of is None else as_of[mine]
            pick = Compared(side.given[mine], side.honest[mine], side.precision, left[mine])
            for hits, word, more in _explained(replay, pick, store, apply):
                settle(mine[hits], word, more)
        settle(np.flatnonzero(left)[_MOST_ROWS:], "unexplained", "not looked into")
    return cause, detail


def _explained(replay: Replay, side: Compared, as_of: pl.Series | None, apply):
    """Rows, cause and detail, until no cause explains more."""
    left = np.ones(len(side.given), bool)

    def hits(values: pl.Series) -> np.ndarray:
        values = apply(values)
        return agree(side.given, values, side.precision) & ~agree(values, side.honest)

    for word, more, values in sure_causes(replay, as_of):
        found = hits(values()) & left
        left &= ~found
        yield np.flatnonzero(found), word, more
        if not left.any():
            return
    certain = as_of is not None and not as_of.null_count()
    tried = [(hits(values()), *rest) for *rest, values in guesses(replay, late=not certain)]
    clocks = 0
    while left.any() and tried:
        best = max(range(len(tried)), key=lambda place: (tried[place][0] & left).sum())
        found, word, more = tried.pop(best)
        found = found & left
        if found.sum() < max(1, _LEAST_SHARE * left.sum()):
            return
        clocks += word == "clock"
        if word == "clock" and clocks > _MOST_CLOCKS:
            continue
        left &= ~found
        yield np.flatnonzero(found), word, more


def _clock(column: pl.Series) -> pl.Series:
    if not isinstance(column.dtype, pl.Datetime) or column.dtype.time_zone is None:
        raise ValueError(f"as_of of reads must be a time with a zone, got {column.dtype}")
    return column.dt.convert_time_zone("UTC").dt.cast_time_unit("us")


def _row(name: str, definition: Definition, side: Compared, cause: np.ndarray) -> dict:
    equal = share_interval(int((~side.differs).sum()), len(side.differs))
    row = {"feature": name, "version": definition.version, "reads": len(side.differs)}
    row |= {"equal": equal.estimate, "low": equal.low, "high": equal.high}
    return row | {each: int((cause == each).sum()) for each in CAUSES}


def _mismatches(name, side: Compared, asked, place, cause, detail) -> pl.DataFrame:
    rows = pl.Series(np.flatnonzero(side.differs), dtype=pl.Int64)
    return asked[rows].select(
        place[rows].alias("row"),
        *asked.columns,
        feature=pl.lit(name),
        online=shown(side.given[rows]),
        offline=shown(side.honest[rows]),
        cause=pl.Series(cause[side.differs].tolist(), dtype=pl.String),
        detail=pl.Series(detail[side.differs].tolist(), dtype=pl.String),
    )


def _alike(frames: list[pl.DataFrame]) -> list[pl.DataFrame]:
    """Values as numbers if all are numbers, otherwise all as text."""
    columns = ("online", "offline")
    if all(frame.schema[column] == pl.Float64 for frame in frames for column in columns):
        return frames
    return [frame.with_columns(pl.col(columns).cast(pl.String)) for frame in frames]
