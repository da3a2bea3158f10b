"""The damage ledger: what each fault cost, in true AUC and in money, over worlds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from workbench.metrics import Interval

__all__ = ["ROWS", "DamageLedger", "mean_interval"]

ROWS = {
    "world": pl.Int64, "task": pl.String, "unit": pl.String, "fault": pl.String,
    "when": pl.String, "refused": pl.Int64, "auc_clean": pl.Float64, "cost_clean": pl.Float64,
    "auc": pl.Float64, "cost": pl.Float64,
}  # fmt: skip


@dataclass(frozen=True)
class DamageLedger:
    """What came of it. The repr is the table.

    Attributes
    ----------
    rows : DataFrame
        One row per world, task, fault and `when` it struck. `auc` and `cost` are true, on the same
        later days with and without the fault (`_clean`); null where no model could be trained.
    """

    rows: pl.DataFrame

    @property
    def table(self) -> pl.DataFrame:
        """The worst first: task, fault, when, worlds, untrained (share of worlds without a model),
        auc_lost and cost_more with 95 % intervals over worlds (Student's t), and whether each is
        surely not zero.
        """
        made = []
        keys = ["task", "unit", "fault", "when"]
        for (task, unit, fault, when), rows in self.rows.group_by(keys, maintain_order=True):
            trained = rows.drop_nulls("auc")
            lost = mean_interval(trained["auc_clean"] - trained["auc"])
            more = mean_interval(trained["cost"] - trained["cost_clean"])
            made.append(
                {
                    "task": task, "unit": unit, "fault": fault, "when": when,
                    "worlds": rows.height, "untrained": 1 - trained.height / rows.height,
                    "refused": (rows["refused"] > 0).mean(),
                    "auc_lost": lost.estimate, "auc_low": lost.low, "auc_high": lost.high,
                    "cost_more": more.estimate, "cost_low": more.low, "cost_high": more.high,
                }
            )  # fmt: skip
        if not made:
            return pl.DataFrame(schema=dict.fromkeys(keys, pl.String))
        table = pl.DataFrame(made, infer_schema_length=None)
        hurts = (pl.col("auc_low") > 0) | (pl.col("cost_low") > 0)
        return table.with_columns(hurts=hurts.fill_null(False)).sort(
            "task", "cost_more", descending=[True, True], nulls_last=True, maintain_order=True
        )

    def beside(self, found: pl.DataFrame, detector: str, level: str = "large") -> pl.DataFrame:
        """The table with what a detector of the mutation tests found of each fault.

        `found` is that of a `Scoreboard`: share of worlds, right column, median days.
        """
        theirs = found.filter(pl.col("detector") == detector, pl.col("level") == level)
        theirs = theirs.select("fault", "found", "named", days_until_found="days")
        return self.table.join(theirs, on="fault", how="left", maintain_order="left")

    def text(self, table: pl.DataFrame | None = None) -> str:
        """The table as text; with the columns of `beside` if it is given."""
        table = self.table if table is None else table
        worlds = self.rows["world"].n_unique()
        lines = []
        for (task, unit), rows in table.group_by("task", "unit", maintain_order=True):
            usual = self.rows.filter(pl.col("task") == task).unique("world")
            more = f"more {unit.split()[0]}"
            lines += [
                f"{task}, {worlds} worlds: clean AUC {usual['auc_clean'].mean():.3f}, "
                f"{unit} {usual['cost_clean'].mean():,.0f}",
                f"{'':<29}{'true AUC lost':>24}{more:>25}{'found':>6}{'days':>5}",
            ]
            lines += [_line(row) for row in rows.iter_rows(named=True)]
            lines.append("")
        return "\n".join(lines[:-1])

    def __repr__(self):
        return self.text()


def mean_interval(values: pl.Series) -> Interval:
    """A mean over worlds and its 95 % interval by Student's t; NaN with fewer than two.

    >>> mean_interval(pl.Series([1.0, 2.0, 3.0, 4.0]))
    2.5 [0.446, 4.55]
    """
    from scipy.stats import t

    known = values.drop_nulls().to_numpy()
    if not len(known):
        return Interval(float("nan"), float("nan"), float("nan"))
    mean = float(known.mean())
    if len(known) < 2:
        return Interval(mean, float("nan"), float("nan"))
    half = float(t.ppf(0.975, len(known) - 1) * np.std(known, ddof=1) / np.sqrt(len(known)))
    return Interval(mean, mean - half, mean + half)


def _line(row: dict) -> str:
    words = f"{row['fault']:<20}{row['when']:<9}"
    if row["untrained"] == 1:
        words += f"{'no model: too few labelled rows come in':>49}"
    else:
        auc = f"{row['auc_lost']:+.3f} [{row['auc_low']:+.3f}, {row['auc_high']:+.3f}]"
        cost = f"{row['cost_more']:+,.0f} [{row['cost_low']:+,.0f}, {row['cost_high']:+,.0f}]"
        words += f"{auc:>24}{cost:>25}"
    found, days = row.get("found"), row.get("days_until_found")
    seen = "-" if found is None else f"{found:.2f}"
    return words + f"{seen:>6}" + ("    -" if days is None else f"{days:>5.3g}")
