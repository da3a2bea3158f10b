"""What an A/B test sees when the arms share a shelf: split worlds against the true all-on effect.

    a small world ──┬── everybody in the control ──┐
                    ├── everybody in the treatment ┴──► true effect of switching it on
                    └── split, on the same stock ─────► what the experiment says

Potential outcomes cannot hold this cell of the arena: a dealt user shows what they did in a world
of their own arm, with shelves that this arm left. So whole worlds are split, tens of small ones;
the same deal of the potential outcomes stands beside: same users, same arms, no shared stock.
Interference between buyers of one stock: Blake & Coey (2014), "Why marketplace experimentation is
harder than it seems", EC.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from workbench.assign import assign
from workbench.studies.damage_ledger import mean_interval

__all__ = ["Interference", "interference"]


@dataclass(frozen=True)
class Interference:
    """One row per world: `true dealt split error covered`, per user; the repr is the report."""

    metric: str
    rows: pl.DataFrame

    @property
    def table(self) -> pl.DataFrame:
        """Dealt and split: mean estimate, bias against the truth with its interval, coverage."""
        made = []
        for name in ("dealt", "split"):
            bias = mean_interval(self.rows[name] - self.rows["true"])
            inside = (self.rows[name] - self.rows["true"]).abs() <= 1.96 * self.rows[
                f"{name}_error"
            ]
            made.append(
                {
                    "experiment": name, "worlds": self.rows.height,
                    "estimate": self.rows[name].mean(), "true": self.rows["true"].mean(),
                    "bias": bias.estimate, "bias_low": bias.low, "bias_high": bias.high,
                    "coverage": inside.mean(),
                }
            )  # fmt: skip
        return pl.DataFrame(made)

    def __repr__(self) -> str:
        lines = [f"{self.metric} per user, {self.rows.height} worlds with shared stock"]
        lines.append(
            f"{'experiment':<12}{'says':>9}{'true':>9}{'bias':>10}  {'95 %':<22}{'cover':>6}"
        )
        for row in self.table.iter_rows(named=True):
            between = f"[{row['bias_low']:+.3g}, {row['bias_high']:+.3g}]"
            lines.append(
                f"{row['experiment']:<12}{row['estimate']:>9.3g}{row['true']:>9.3g}"
                f"{row['bias']:>+10.3g}  {between:<22}{row['coverage']:>6.2f}"
            )
        return "\n".join(lines)


def interference(
    worlds: Iterable, metric: str, *, shares: Mapping[str, float], salt: str, split: str = "split"
) -> Interference:
    """Read the A/B of each split world, and the same deal without a shared shelf.

    Parameters
    ----------
    worlds : iterable of PotentialOutcomes
        Each of one small world, with the arms of `shares` (the control first) and a third in which
        everybody met a `Split` with these shares; world i's has the salt `f"{salt}/{i}"`, so that
        each is dealt anew and the worlds are independent.
    metric : str
    shares : mapping of arm to share
    salt : str
        Names the series of splits.
    split : str
        Name of that third arm.

    Raises
    ------
    ValueError
        If a world lacks an arm, there is no world, or shares are not two that add up.
    """
    if len(shares) != 2:
        raise ValueError(f"shares must name a control and a treatment, got {dict(shares)}")
    control, treatment = shares
    made = []
    for number, outcomes in enumerate(worlds):
        new = assign(outcomes.users, shares, salt=f"{salt}/{number}") == treatment
        old, other, met = (outcomes.of(metric, arm) for arm in (control, treatment, split))
        row = {"true": outcomes.effect(metric, treatment, control).per_user}
        for name, shown in (("dealt", np.where(new, other, old)), ("split", met)):
            row[name] = float(shown[new].mean() - shown[~new].mean())
            parts = (shown[arm].var(ddof=1) / arm.sum() for arm in (new, ~new))
            row[f"{name}_error"] = float(np.sqrt(sum(parts)))
        made.append(row)
    if not made:
        raise ValueError("there must be at least one world, got none")
    return Interference(metric, pl.DataFrame(made))
