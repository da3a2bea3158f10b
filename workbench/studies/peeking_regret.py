"""When is it dear to claim too much? The regret of each procedure, by what shipping costs.

    experiments of an arena ──┬── arms with an effect ──┐ as often as such changes are tried
                              └── twins: no effect ─────┴──► regret, and that over daily peeking

`Arena.table` counts regret over arms with an effect, at the cost of its spec. There a false claim
costs nothing: who ships a twin loses no money. Most changes that teams try are twins or nearly so,
and what is shipped has to be built and kept; this is where a false claim is paid for.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from workbench.studies.arena import Arena
from workbench.studies.arena_marks import regret

__all__ = ["regret_by_cost"]

PEEK = "daily peek"
_Z = 1.959964  # of a 95 % interval


def regret_by_cost(
    result: Arena, costs: Sequence[float], *, twin_share: float, cell: str = "clean",
    cuped: bool = False,
) -> pl.DataFrame:  # fmt: skip
    """Mean money lost per experiment against knowing the truth, shipping at different costs.

    Parameters
    ----------
    result : Arena
        With all procedures; its horizon and money count.
    costs : sequence of float
        Of shipping once, in money. An effect that does not earn it is best left away.
    twin_share : float
        Of the changes that are tried and do nothing, in [0, 1]; the others are the arms with an
        effect, alike often.
    cell : str
    cuped : bool

    Returns
    -------
    DataFrame
        `ship_cost procedure regret low high over over_low over_high`, 95 % intervals; `over` is the
        regret less that of a daily peek at the same experiments: above 0, peeking is cheaper.

    Raises
    ------
    ValueError
        If the share is outside [0, 1], a cost is negative, the arena has no such cell, or its cell
        no arm with an effect.
    """
    spec, rows = result.spec, result.rows.filter(pl.col("cuped") == cuped, pl.col("cell") == cell)
    if not 0 <= twin_share <= 1:
        raise ValueError(f"twin_share must be in [0, 1], got {twin_share}")
    if not len(costs) or min(costs) < 0:
        raise ValueError(f"costs must be one or more, none below 0, got {[*costs]}")
    arms = rows.unique("arm", maintain_order=True).select("arm", "truth")
    effects = arms.filter(pl.col("truth") != 0)["arm"].to_list()
    if not effects:
        raise ValueError(f"cell must have an arm with an effect, got {cell!r} with {arms.rows()}")
    weights = {arm: twin_share for arm in arms["arm"] if arm not in effects}
    weights |= dict.fromkeys(effects, (1 - twin_share) / len(effects))
    names = rows["procedure"].unique(maintain_order=True).to_list()
    made = []
    for cost in costs:
        lost = {
            (name, arm): _lost(rows.filter(procedure=name, arm=arm), spec, cost)
            for name in names
            for arm in weights
        }
        for name in names:
            mean, low, high = _weighted({arm: lost[name, arm] for arm in weights}, weights)
            more = {arm: lost[name, arm] - lost[PEEK, arm] for arm in weights}
            made.append((float(cost), name, mean, low, high, *_weighted(more, weights)))
    columns = ["ship_cost", "procedure", "regret", "low", "high", "over", "over_low", "over_high"]
    return pl.DataFrame(made, columns, orient="row")


def _lost(rows: pl.DataFrame, spec, cost: float) -> np.ndarray:
    """Of each experiment of one arm under one procedure, in their order."""
    rows = rows.sort("experiment")
    return regret(
        rows["truth"].to_numpy(), rows["claim"].to_numpy() > 0, rows["users"].to_numpy(),
        share=spec.share, horizon=spec.horizon_users, money=spec.money, ship_cost=cost,
    )  # fmt: skip


def _weighted(values: dict[str, np.ndarray], weights: dict[str, float]) -> tuple[float, ...]:
    """A mean over arms by their weights, and its interval."""
    mean = sum(weights[arm] * each.mean() for arm, each in values.items())
    variance = sum(weights[arm] ** 2 * each.var(ddof=1) / len(each) for arm, each in values.items())
    half = _Z * float(np.sqrt(variance))
    return float(mean), float(mean) - half, float(mean) + half
