"""Marks of the promotion funnel: who passed which gate, and who should have."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from workbench.experiments.clustered import cluster_means, share_interval
from workbench.metrics import Interval

__all__ = ["TRUTHS", "Funnel"]

TRUTHS = ("better", "same", "worse")


@dataclass(frozen=True)
class Funnel:
    """One row of `table` per world and challenger; the repr is the scorecard.

    Effects are shares of the champion's. `true` is over all users and all played days, `true_N`
    over the N days that the A/B test saw, `replay_true` on the requests of the log. `wins_N` and
    `covers_N` are shares of the A/B tests that were dealt.
    """

    table: pl.DataFrame
    ab_days: tuple[int, ...]
    margin: float

    @property
    def truths(self) -> pl.Series:
        """Of each row "better", "same" or "worse", by the margin."""
        true = pl.col("true")
        said = pl.when(true > self.margin).then(pl.lit("better"))
        said = said.when(true < -self.margin).then(pl.lit("worse")).otherwise(pl.lit("same"))
        return self.table.select(said.cast(pl.Enum(TRUTHS)).alias("truth"))["truth"]

    @property
    def passes(self) -> pl.DataFrame:
        """How surely each row passes each gate, 0 or 1; for A/B tests a share of the deals.

        A gate that looks for harm lets pass what it cannot tell, one that asks for proof does not.
        """
        alike = pl.col("excess_low") > 0
        paper = pl.col("ndcg_low") > 0
        harmless = (pl.col("replay_high") >= 0).fill_null(True)
        gates = {
            "nothing odd": ~pl.col("odd"),
            "differs": alike,
            "NDCG better": paper,
            "replay better": (pl.col("replay_low") > 0).fill_null(False),
            "replay not worse": harmless,
        }
        shadow = ~pl.col("odd") & alike & harmless
        gates["shadow"] = shadow
        for look in self.ab_days:
            gates[f"A/B {look} days"] = pl.col(f"wins_{look}")
        for look in self.ab_days:
            gates[f"shadow, A/B {look}"] = shadow * pl.col(f"wins_{look}")
        gates["all, NDCG too"] = (shadow & paper) * pl.col(f"wins_{self.ab_days[-1]}")
        return self.table.select(**{name: gate.cast(pl.Float64) for name, gate in gates.items()})

    @property
    def gates(self) -> pl.DataFrame:
        """One row per gate: what share of the better, the same and the worse passes.

        `false_promotion` is the share of what is not better that passes, `false_rejection` the
        share of the better that does not, with intervals over worlds (see `clustered`).
        """
        better = (self.truths == "better").to_numpy()
        made = []
        for gate in self.passes:
            passed, row = gate.to_numpy(), {"gate": gate.name}
            for truth in TRUTHS:
                mine = (self.truths == truth).to_numpy()
                row[truth] = float(passed[mine].mean()) if mine.any() else None
            for name, values, who in (
                ("false_promotion", passed, ~better),
                ("false_rejection", 1 - passed, better),
            ):
                share = self._share(values, who)
                row |= {name: share.estimate, f"{name}_low": share.low, f"{name}_high": share.high}
            made.append(row)
        return pl.DataFrame(made, infer_schema_length=None)

    @property
    def estimates(self) -> pl.DataFrame:
        """One row per estimate: rank correlation with the truth, error, coverage.

        `cover_own` is of what it estimates (the log's requests, the test's days), `cover` of the
        true lift.
        """
        rows = [self._estimate("replay", "replay", "replay_true", None)]
        for look in self.ab_days:
            rows.append(self._estimate(f"A/B {look} days", f"ab_{look}", f"true_{look}", look))
        ndcg = self._estimate("NDCG", "ndcg", None, None)
        return pl.DataFrame([ndcg, *rows], infer_schema_length=None)

    @property
    def challengers(self) -> pl.DataFrame:
        """One row per challenger: means over worlds of truth and estimates, worlds where it is odd,
        and where it is truly better and worse."""
        last, said = self.ab_days[-1], self.truths
        names = ("excess", "ndcg", "replay", "replay_true", f"ab_{last}", f"true_{last}", "true")
        return (
            self.table.with_columns(better=said == "better", worse=said == "worse")
            .group_by("challenger", maintain_order=True)
            .agg(
                *(pl.col(name).mean() for name in names),
                *(pl.col(name).sum() for name in ("odd", "refused", "better", "worse")),
            )
        )

    def __repr__(self) -> str:
        worlds, counts = self.table["world"].n_unique(), self.truths.value_counts()
        many = dict(counts.iter_rows())
        said = ", ".join(f"{many.get(name, 0)} {name}" for name in TRUTHS)
        last = self.ab_days[-1]
        lines = [
            f"{worlds} worlds, {len(self.table)} challengers: {said} (by {self.margin:.0%})", "",
            f"{'challenger':<13}{'excess':>7}{'NDCG':>7}{'replay':>8}{'(true)':>8}"
            f"{f'A/B {last}':>8}{'(true)':>8}{'truth':>8}{'odd':>5}{'+':>4}{'-':>4}",
        ]  # fmt: skip
        for row in self.challengers.iter_rows(named=True):
            effects = [
                row[k] for k in ("replay", "replay_true", f"ab_{last}", f"true_{last}", "true")
            ]
            lines.append(
                f"{row['challenger']:<13}{row['excess']:>+7.3f}{_percent(row['ndcg']):>7}"
                + "".join(f"{_percent(each):>8}" for each in effects)
                + f"{row['odd']:>5}{row['better']:>4}{row['worse']:>4}"
            )
        lines += ["", f"{'passes of the':<18}" + "".join(f"{name:>8}" for name in TRUTHS)]
        lines[-1] += f"  {'false promotion':<20}{'false rejection':<20}"
        for row in self.gates.iter_rows(named=True):
            shares = "".join(f"{_share(row[name]):>8}" for name in TRUTHS)
            wrong = [
                f"{_share(row[name])} [{_share(row[f'{name}_low'])}, {_share(row[f'{name}_high'])}]"
                for name in ("false_promotion", "false_rejection")
            ]
            lines.append(f"{row['gate']:<18}{shares}  {wrong[0]:<20}{wrong[1]:<20}".rstrip())
        lines += [
            "",
            "estimate         answers   rank corr.   error   covers its own   the true lift",
        ]
        for row in self.estimates.iter_rows(named=True):
            own, true = (_share(row[name]) for name in ("cover_own", "cover"))
            lines.append(
                f"{row['estimate']:<16}{row['answers']:>8}{_share(row['correlation']):>13}"
                f"{row['error']:>8.1%}{own:>17}{true:>16}"
            )
        return "\n".join(lines)

    def _estimate(self, name: str, column: str, own: str | None, look: int | None) -> dict:
        from scipy.stats import spearmanr

        rows = self.table.filter(pl.col(column).is_not_null())
        said, true = rows[column].to_numpy(), rows["true"].to_numpy()
        row = {"estimate": name, "answers": len(rows)}
        varied = len({*said}) > 1 and len({*true}) > 1
        row["correlation"] = float(spearmanr(said, true).statistic) if varied else None
        row["error"] = float(np.sqrt(np.mean((said - true) ** 2)))
        if look is not None:
            return row | {
                "cover_own": rows[f"covers_{look}"].mean(),
                "cover": rows[f"covers_{look}_truth"].mean(),
            }
        inside = lambda what: rows[what].is_between(rows[f"{column}_low"], rows[f"{column}_high"])  # noqa: E731
        row["cover_own"] = None if own is None else inside(own).mean()
        return row | {"cover": None if own is None else inside("true").mean()}

    def _share(self, values: np.ndarray, who: np.ndarray) -> Interval:
        """Share over the chosen rows; worlds are the witnesses."""
        if not who.any():
            return Interval(float("nan"), float("nan"), float("nan"), 0.95)
        worlds = self.table["world"].to_numpy()[who]
        codes = np.unique(worlds, return_inverse=True)[1]
        means = cluster_means(values[who], codes)
        low, high = share_interval(means)
        return Interval(float(means.mean[0]), float(low[0]), float(high[0]), 0.95)


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:+.1%}"


def _share(value: float | None) -> str:
    if value is None or value != value:
        return "-"
    return f"{value:.2f}".replace("0.", ".") if abs(value) < 1 else f"{value:.0f}"
