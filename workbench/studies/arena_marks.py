"""Marks of a procedure, against the truth: every one with its interval.

    type I        A/A experiments in which it claims something                     (Wilson)
    coverage      intervals at the stop that hold the true effect                  (Wilson)
    power         claims of the right sign, of all experiments with an effect      (Wilson)
    type S        wrong signs among the claims                                     (Wilson)
    type M        mean of |claimed| / |true| among the claims: exaggeration        (Student's t)
    bias          mean of estimate - truth at the stop                             (Student's t)
    blocked       failed sample ratios                                             (Wilson)
    days          looks until the stop                                             (Student's t)
    regret        money lost against knowing the truth from the start              (Student's t)

Type S and type M: Gelman & Carlin (2014), "Beyond power calculations", Perspectives on
Psychological Science 9, 641-651. Regret is a choice of ours: the value of the better arm for
everybody over the horizon, less what users brought during the test (part of them in the treatment)
and after it (all in the treatment if better was claimed, else in the control); shipping may cost.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from workbench.metrics import Interval, share_interval
from workbench.studies.damage_ledger import mean_interval

__all__ = ["band", "marks", "regret"]


def regret(
    truth: np.ndarray, shipped: np.ndarray, tested: np.ndarray, *, share: float, horizon: float,
    money: float = 1.0, ship_cost: float = 0.0,
) -> np.ndarray:  # fmt: skip
    """Money lost against the best choice, elementwise.

    Parameters
    ----------
    truth : ndarray
        True effect per user, in the metric's unit.
    shipped : ndarray of bool
        Whether everybody after the test gets the treatment.
    tested : ndarray
        Users in the test when it stopped.
    share : float
        Of the treatment in the test.
    horizon : float
        Users who come from the start of the test until the next change, those in the test included.
    money : float, default 1
        Of one unit of the metric.
    ship_cost : float, default 0
        What shipping costs once, in money: to build, to keep. An effect that does not earn it is
        best left away.

    Raises
    ------
    ValueError
        If more users were tested than the horizon has.

    Examples
    --------
    A better arm, 2 more per user: left away, and found after 100 of 1,000 users.

    >>> regret(2.0, np.array([False, True]), 100, share=0.5, horizon=1_000).tolist()
    [1900.0, 100.0]
    """
    if np.max(tested) > horizon:
        raise ValueError(f"horizon must be at least the {np.max(tested):,} tested, got {horizon:,}")
    had = share * tested + np.where(shipped, horizon - tested, 0.0)
    best = np.maximum(money * truth * horizon - ship_cost, 0)
    return best - money * truth * had + ship_cost * np.asarray(shipped)


def band(trials: int, share: float, *, bands: int = 1, level: float = 0.95) -> tuple[float, float]:
    """Where an observed share may lie when the true one is `share`: exact binomial quantiles.

    With several bands looked at, each is wide enough for all of them together to hold at `level`
    (Bonferroni).

    >>> [round(end, 4) for end in band(2_000, 0.05)]
    [0.0405, 0.06]
    >>> [round(end, 4) for end in band(2_000, 0.05, bands=16)]
    [0.036, 0.065]

    Raises ValueError unless 0 < share < 1 and there is a trial and a band.
    """
    from scipy.stats import binom

    if not 0 < share < 1 or trials < 1 or bands < 1:
        raise ValueError(f"need 0 < share < 1, trials and bands, got {share}, {trials}, {bands}")
    tail = (1 - level) / 2 / bands
    return tuple(float(binom.ppf(end, trials, share)) / trials for end in (tail, 1 - tail))


def marks(rows: pl.DataFrame) -> dict[str, Interval | None]:
    """The marks of some experiments: a cell's, under one procedure.

    Parameters
    ----------
    rows : DataFrame
        One per experiment: `arm truth claim estimate low high blocked look users regret`.

    Returns
    -------
    dict of str to Interval
        None where there is nothing to mark: no A/A, no effect, no claim. Days and regret are those
        of the experiments with an effect, if there are any: an A/A loses no money.
    """
    effect, claimed = pl.col("truth") != 0, pl.col("claim") != 0
    right = pl.col("claim") == pl.col("truth").sign()
    inside = (pl.col("low") <= pl.col("truth")) & (pl.col("truth") <= pl.col("high"))
    claims = rows.filter(effect & claimed)
    tests = rows.filter(effect) if rows.select(effect.any()).item() else rows
    exaggeration = claims["estimate"].abs() / claims["truth"].abs()
    return {
        "type_i": _share(rows.filter(~effect), claimed),
        "coverage": _share(rows, inside),
        "power": _share(rows.filter(effect), right),
        "type_s": _share(claims, ~right),
        "blocked": _share(rows, pl.col("blocked")),
        "type_m": mean_interval(exaggeration) if len(claims) else None,
        "bias": mean_interval(rows["estimate"] - rows["truth"]),
        "days": mean_interval(tests["look"] + 1.0),
        "regret": mean_interval(tests["regret"]),
    }


def _share(rows: pl.DataFrame, which: pl.Expr) -> Interval | None:
    if not rows.height:
        return None
    return share_interval(int(rows.select(which.sum()).item()), rows.height)
