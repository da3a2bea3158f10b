"""Are the logged chances what happens? Promised against shown, before anything is weighted by them.

    all that could be shown, with its chance ──► expected ──┐
                                                            ├──► further apart than luck?
    what was shown                           ──► counted ───┘

A propensity that was logged before a filter, rounded, or of another version of the policy shows
here. That it is the right one for each request and not only on average, no log can show.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from workbench.tables import one_frame

__all__ = ["PropensityCheck", "propensity_check"]


@dataclass(frozen=True)
class PropensityCheck:
    """One row per group of chances and per item: `kind group expected shown z p_value`.

    `ok` is False when the smallest p-value, times the number of groups, is below `alpha`.
    """

    table: pl.DataFrame
    alpha: float

    @property
    def p_value(self) -> float:
        """The smallest, corrected for the number of groups (Bonferroni)."""
        return min(1.0, float(self.table["p_value"].min()) * len(self.table))

    @property
    def ok(self) -> bool:
        """Whether chance explains the differences."""
        return self.p_value >= self.alpha

    def __repr__(self) -> str:
        worst = self.table.sort("p_value", "kind", "group").row(0, named=True)
        verdict = "as promised" if self.ok else "NOT AS PROMISED"
        return (
            f"propensities: {len(self.table)} groups, corrected p = {self.p_value:.2g}, {verdict}\n"
            f"worst: {worst['kind']} {worst['group']}, shown {worst['shown']:,.0f}, "
            f"expected {worst['expected']:,.1f}"
        )


def propensity_check(
    log: Any, offered: Any, *, bins: int = 10, alpha: float = 0.001
) -> PropensityCheck:
    """Compare how often things were shown with the chances that the logger gave them.

    Parameters
    ----------
    log : Polars, pandas or Arrow table
        What was shown: `request position item`.
    offered : table
        All that could have been: `request position item propensity`, for each request and position
        of the log. `policy_chances` of a policy on all cells gives it.
    bins : int
        Groups of alike chances, equally many cells each.
    alpha : float
        Chance of a false alarm of all groups together.

    Raises
    ------
    ValueError
        If something shown was not offered, or the chances at a place do not add up to 1.

    Notes
    -----
    Shown less expected over its standard deviation, normal. The variance is the larger of two: of
    places that are independent, where a group's count is 1 with the sum of its chances; and that
    between requests, because the places of a slate can be chosen together.
    Groups that expect fewer than 5, the usual rule of thumb for counts, are put together.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> log = pl.DataFrame({"request": np.arange(900), "position": 1,
    ...                     "item": rng.choice(2, 900, p=[0.7, 0.3])})
    >>> cells = pl.DataFrame({"item": [0, 1], "propensity": [0.6, 0.4]})   # so it says
    >>> propensity_check(log, log.select("request", "position").join(cells, how="cross"))
    propensities: 4 groups, corrected p = 2.8e-05, NOT AS PROMISED
    worst: chance 0.4 to 0.4, shown 294, expected 360.0
    """
    shown, cells = one_frame(log, "log"), one_frame(offered, "offered")
    if bins < 1:
        raise ValueError(f"bins must be at least 1, got {bins}")
    for name, frame, needed in (
        ("log", shown, _PLACE),
        ("offered", cells, (*_PLACE, "propensity")),
    ):
        missing = [column for column in needed if column not in frame.columns]
        if missing:
            raise ValueError(f"{name} has no column {missing[0]!r}; it has {frame.columns}")
    if not len(shown):
        raise ValueError("log must not be empty")
    place = ["request", "position"]
    cells = cells.join(shown.select(place).unique(), on=place, how="inner")
    cells = cells.join(shown.select(*_PLACE, shown=1.0), on=_PLACE, how="left")
    cells = cells.with_columns(pl.col("shown").fill_null(0.0))
    _check(shown, cells)
    edges = np.unique(np.quantile(cells["propensity"], np.linspace(0, 1, bins + 1)[1:-1]))
    code = pl.Series(np.searchsorted(edges, cells["propensity"].to_numpy(), side="right"))
    ends = (pl.min("propensity").round(3), pl.lit(" to "), pl.max("propensity").round(3))
    cells = cells.with_columns(
        chance=cells.select(pl.concat_str(*ends).over(code.alias("code"))).to_series(),
        item=pl.col("item").cast(pl.String),
    )
    table = pl.concat([_compared(cells, "chance"), _compared(cells, "item")])
    return PropensityCheck(table, alpha)


_PLACE = ("request", "position", "item")


def _compared(cells: pl.DataFrame, kind: str) -> pl.DataFrame:
    """Expected and shown for each value of a column; the rare ones together."""
    from scipy.stats import norm

    rare = pl.col("propensity").sum().over(kind) < 5
    cells = cells.with_columns(group=pl.when(rare).then(pl.lit("the rare")).otherwise(kind))
    impossible = (pl.col("shown") - pl.col("propensity")).abs() > 1 - 1e-9
    never = cells.filter(impossible)["group"].unique().to_list()  # or always, and was not
    at_place = cells.group_by("request", "position", "group").agg(pl.sum("propensity", "shown"))
    apart = (pl.col("propensity") * (1 - pl.col("propensity")).clip(0)).sum()
    of_request = at_place.group_by("request", "group").agg(
        pl.sum("propensity", "shown"), apart=apart
    )
    together = ((pl.col("shown") - pl.col("propensity")) ** 2).sum()
    table = of_request.group_by("group").agg(
        expected=pl.sum("propensity"),
        shown=pl.sum("shown"),
        variance=pl.max_horizontal(pl.sum("apart"), together),
    )
    off = (table["shown"] - table["expected"]).to_numpy()
    spread = np.sqrt(table["variance"].to_numpy())
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where(np.abs(off) < 1e-6, 0.0, off / spread)
    z[table["group"].is_in(never).to_numpy()] = np.inf
    table = table.with_columns(z=pl.Series(z), p_value=pl.Series(2 * norm.sf(np.abs(z))))
    return table.select(
        pl.lit(kind).alias("kind"), "group", "expected", "shown", "z", "p_value"
    ).sort("group")


def _check(shown: pl.DataFrame, cells: pl.DataFrame) -> None:
    found = int(cells["shown"].sum())
    if found != len(shown):
        raise ValueError(
            f"{len(shown):,} decisions were shown and {found:,} of them offered: offered must hold "
            "each (request, position, item) once, and all that was shown"
        )
    chances = cells["propensity"]
    if chances.null_count() or not ((chances >= 0) & (chances <= 1 + 1e-9)).all():
        raise ValueError("propensity of what was offered must be a number in [0, 1]")
    total = cells.group_by("request", "position").agg(pl.sum("propensity"))["propensity"]
    wrong = total.filter((total - 1).abs() > 1e-6)
    if len(wrong):
        raise ValueError(
            f"propensity of what was offered must add up to 1 at each place, got {wrong[0]:.6g} at "
            f"one of {len(wrong):,}"
        )
