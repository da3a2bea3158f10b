"""The scoreboard of the mutation tests: what was found, how soon, and what rang for nothing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from workbench.data.fault import LEVELS
from workbench.metrics import Interval, interval, share_interval

__all__ = ["CLEAN", "INJECTED", "Scoreboard"]

INJECTED = {
    "world": pl.Int64, "detector": pl.String, "fault": pl.String, "kind": pl.String,
    "level": pl.String, "magnitude": pl.Float64, "touched": pl.Int64, "refused": pl.Int64,
    "left": pl.Boolean, "door_day": pl.Int64, "any_day": pl.Int64, "new_day": pl.Int64,
    "named_day": pl.Int64, "error_day": pl.Int64,
}  # fmt: skip
CLEAN = {
    "world": pl.Int64, "detector": pl.String, "kind": pl.String, "day": pl.Int64,
    "errors": pl.Int64, "warnings": pl.Int64,
}  # fmt: skip
ANY, NEW = "recall, any alarm", "recall, a new alarm"
FIRST, NAMED, ERROR = (
    f"{NEW} on the first day", f"{NEW} with kind and column", f"{NEW}, an error"
)  # fmt: skip
FALSE, FALSE_OR_WARNING = "false errors a clean day", "false alarms a clean day"


@dataclass(frozen=True)
class Scoreboard:
    """What came of the mutations. The repr is the table.

    Attributes
    ----------
    injected : DataFrame
        One row per world, detector, fault and level. `touched` rows the fault changed, `refused`
        rows the door did not take; `left`: something wrong came in. Days from the start until:
        `door_day` the door refused something; `any_day` any alarm; `new_day` one that the clean
        twin has not; `named_day` a new one about the right kind and column; `error_day` a new
        error. Null is never.
    clean : DataFrame
        One row per world, detector, kind and clean day: errors and warnings that rang.
    """

    injected: pl.DataFrame
    clean: pl.DataFrame

    @property
    def found(self) -> pl.DataFrame:
        """By detector, fault and level: shares of the worlds in which something was left.

        Columns: detector fault level worlds refused found low high named error days (median of
        those found); `low` and `high` are the 95 % Wilson interval of `found`.
        """
        keys = ["detector", "fault", "level"]
        groups = self.injected.group_by(keys, maintain_order=True).agg(
            worlds=pl.col("left").sum().cast(pl.Int64),
            refused=(pl.col("refused") > 0).mean(),
            hits=(pl.col("left") & pl.col("new_day").is_not_null()).sum().cast(pl.Int64),
            named=_share("named_day"),
            error=_share("error_day"),
            days=pl.col("new_day").filter("left").median(),
        )
        wilson = [
            share_interval(hits, worlds) if worlds else None
            for hits, worlds in groups.select("hits", "worlds").iter_rows()
        ]
        bounds = {
            name: pl.Series([each and getattr(each, field) for each in wilson], dtype=pl.Float64)
            for name, field in (("found", "estimate"), ("low", "low"), ("high", "high"))
        }
        return groups.with_columns(**bounds).select(
            *keys, "worlds", "refused", "found", "low", "high", "named", "error", "days"
        )

    @property
    def quiet(self) -> pl.DataFrame:
        """By detector and kind: how many clean days, shares with an error and with any alarm.

        Columns: detector kind days errors low high alarms; the interval is Wilson's, of `errors`.
        """
        rung = pl.col("errors") + pl.col("warnings") > 0
        rows = []
        for (detector, kind), days in self.clean.group_by("detector", "kind", maintain_order=True):
            wrong = share_interval((days["errors"] > 0).sum(), days.height)
            alarms = days.select(rung.mean()).item()
            rows.append((detector, kind, days.height, *_three(wrong), alarms))
        names = ["detector", "kind", "days", "errors", "low", "high", "alarms"]
        return pl.DataFrame(rows, schema=names, orient="row")

    @property
    def detectors(self) -> list[str]:
        """Their names, in the order in which they were given."""
        return self.clean["detector"].unique(maintain_order=True).to_list()

    def recall(
        self,
        detector: str,
        by: str = "new_day",
        *,
        level: str | None = None,
        within_days: int | None = None,
    ) -> Interval:
        """Share of the injections, of those that left something, that were found.

        `by` is any_day, new_day, named_day or error_day. The interval draws whole worlds;
        where all are alike it is Wilson's over worlds. Raises ValueError for an unknown detector.
        """
        rows = self._of(self.injected, detector).filter("left")
        if level is not None:
            rows = rows.filter(pl.col("level") == level)
        found = rows[by].is_not_null()
        if within_days is not None:
            found = (rows[by] <= within_days).fill_null(False)
        return _mean(found, rows["world"], rows["world"].n_unique())

    def false_alarms(self, detector: str, *, warnings: bool = False) -> Interval:
        """Share of the clean days of a kind on which an error rang (or a warning, if asked).

        The interval draws whole worlds; where all days are alike it is Wilson's over days.
        """
        rows = self._of(self.clean, detector)
        rung = rows["errors"] + (rows["warnings"] if warnings else 0)
        return _mean(rung > 0, rows["world"], rows.select("world", "day").n_unique())

    @property
    def summary(self) -> pl.DataFrame:
        """By detector: recall in several readings, and false alarms, each with its interval.

        A new alarm is one that the clean twin does not ring on that day; a clean day is one of one
        kind.

        Columns: detector, measure, estimate, low, high.
        """
        rows = []
        for name in self.detectors:
            measures = {
                ANY: self.recall(name, "any_day"),
                NEW: self.recall(name),
                **{
                    f"{NEW}, {level} faults": self.recall(name, level=level)
                    for level in self.levels
                },
                FIRST: self.recall(name, within_days=1),
                NAMED: self.recall(name, "named_day"),
                ERROR: self.recall(name, "error_day"),
                FALSE: self.false_alarms(name),
                FALSE_OR_WARNING: self.false_alarms(name, warnings=True),
            }
            rows += [(name, what, *_three(each)) for what, each in measures.items()]
        names = ["detector", "measure", "estimate", "low", "high"]
        return pl.DataFrame(rows, schema=names, orient="row")

    @property
    def levels(self) -> list[str]:
        """The levels that were tried, from small to large."""
        return [level for level in LEVELS if level in set(self.injected["level"])]

    def __repr__(self):
        worlds = self.clean["world"].n_unique()
        faults = self.injected["fault"].n_unique()
        lines = [f"{faults} faults x {len(self.levels)} levels x {worlds} worlds", ""]
        head = ("any alarm", "a new alarm", "day 1", "named", "error", "false errors")
        lines.append(_cells("share found by", *head))
        table = {(name, what): (one, low, high) for name, what, one, low, high in
                 self.summary.iter_rows()}  # fmt: skip
        for name in self.detectors:
            share = {what: cells for (who, what), cells in table.items() if who == name}
            looked = self._of(self.clean, name)["world"].n_unique()
            who = name if looked == worlds else f"{name} ({looked})"
            lines.append(_cells(
                who, f"{share[ANY][0]:.2f}", _ranged(share[NEW], 2), f"{share[FIRST][0]:.2f}",
                f"{share[NAMED][0]:.2f}", f"{share[ERROR][0]:.2f}", _ranged(share[FALSE], 3),
            ))  # fmt: skip
        lines += [
            "any alarm: rang at all; a new alarm: one that the clean twin does not ring;",
            "named: about the right kind and column; false errors: share of clean days of a kind;",
            "(n): in n worlds only",
        ]
        return "\n".join([*lines, "", *self._faults(self.detectors[0])])

    def _faults(self, detector: str) -> list[str]:
        """One line per fault: what the first detector found at each level, and the door."""
        table = self.found.filter(pl.col("detector") == detector)
        head = "".join(f"{level:>9}" for level in self.levels)
        lines = [f"found by {detector}, share of worlds (d: the door refuses or drops rows;",
                 "- : nothing is left behind the door)",
                 f"{'':<24}{head}   named  error   days (large)"]  # fmt: skip
        whole = "".join(f"{self.recall(detector, level=level).estimate:>8.2f} "
                        for level in self.levels)  # fmt: skip
        lines.append(f"{'all of them':<24}{whole}".rstrip())
        for fault in table["fault"].unique(maintain_order=True):
            rows = {row["level"]: row for row in table.filter(fault=fault).iter_rows(named=True)}
            cells = ""
            for level in self.levels:
                share = rows[level]["found"]
                text = "-" if share is None else f"{share:.2f}"
                cells += f"{text + ('d' if rows[level]['refused'] else ' '):>9}"
            last = rows[self.levels[-1]]
            ends = [last[name] for name in ("named", "error", "days")]
            texts = ["-" if each is None else f"{each:.3g}" for each in ends]
            lines.append(f"{fault:<24}{cells}{texts[0]:>8}{texts[1]:>7}{texts[2]:>7}")
        lines += ["", f"clean days on which {detector} rang: errors, any alarm"]
        for row in self.quiet.filter(pl.col("detector") == detector).iter_rows(named=True):
            lines.append(f"{row['kind']:<24}{row['errors']:>9.3f}{row['alarms']:>9.3f}"
                         f"   of {row['days']} days")  # fmt: skip
        return lines

    def _of(self, rows: pl.DataFrame, detector: str) -> pl.DataFrame:
        if detector not in self.detectors:
            raise ValueError(f"no detector is called {detector!r}; there are {self.detectors}")
        return rows.filter(pl.col("detector") == detector)


def _cells(name: str, *cells: str) -> str:
    wide = (10, 19, 7, 7, 7, 22)
    return f"{name:<15}" + "".join(f"{each:>{n}}" for each, n in zip(cells, wide, strict=True))


def _ranged(three: tuple[float, float, float], digits: int) -> str:
    one, low, high = (f"{each:.{digits}f}" for each in three)
    return f"{one} [{low}, {high}]"


def _three(found: Interval) -> tuple[float, float, float]:
    return found.estimate, found.low, found.high


def _share(day: str) -> pl.Expr:
    """Share of the worlds with something left in which that day came."""
    return pl.col(day).is_not_null().filter("left").mean()


def _mean(hits: pl.Series, worlds: pl.Series, units: int) -> Interval:
    """A share and its interval over whole worlds; where all are alike Wilson's, of `units`."""
    values = hits.cast(pl.Float64).to_numpy()
    if not len(values):
        return Interval(float("nan"), float("nan"), float("nan"))
    if values.min() == values.max():
        wilson = share_interval(units if values[0] else 0, units)
        return Interval(float(values[0]), wilson.low, wilson.high)
    rng = np.random.default_rng(0)
    return interval(np.mean, values, rng=rng, groups=worlds.to_numpy())
