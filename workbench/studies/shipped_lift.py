"""The shipped-lift ledger: what winners were said to bring, and what they bring.

    many challengers ──► one experiment each ──► the winners are shipped ──► claimed lift
    (true effect known)                                                      true lift
                                                                             shrunk lift

Who is shipped for a high estimate was partly lucky, so the claims of winners are too high: the
winner's curse. Lee & Shen (2018), "Winner's curse: bias estimation for total effects of features in
online controlled experiments", KDD, met it in the sum of a quarter's launches. Shrinking each
estimate towards the mean of all challengers, losers included, takes most of it away.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from workbench.metrics import share_interval
from workbench.studies.arena_cells import clean, shown_to
from workbench.studies.arena_readings import read
from workbench.studies.damage_ledger import mean_interval

__all__ = ["ShippedLift", "shipped_lift", "shrunk"]


@dataclass(frozen=True)
class ShippedLift:
    """The ledger; its repr is the table.

    Attributes
    ----------
    rows : DataFrame
        One per challenger: `challenger true claimed error low high shipped shrunk shrunk_error
        shrunk_low shrunk_high`, in the metric's unit per user.
    """

    rows: pl.DataFrame

    @property
    def table(self) -> pl.DataFrame:
        """Winners as claimed and as shrunk: mean lift, mean truth, what is too much, coverage."""
        won = self.rows.filter(pl.col("shipped"))
        made = []
        for name, value, low, high in (
            ("claimed", "claimed", "low", "high"),
            ("shrunk", "shrunk", "shrunk_low", "shrunk_high"),
        ):
            row = {"lift": name, "challengers": self.rows.height, "winners": won.height}
            marks = {"mean": won[value], "true": won["true"], "excess": won[value] - won["true"]}
            for mark, values in marks.items():
                each = mean_interval(values)
                row |= {mark: each.estimate, f"{mark}_low": each.low, f"{mark}_high": each.high}
            if won.height:
                held = won.select(pl.col("true").is_between(low, high).sum()).item()
                share = share_interval(int(held), won.height)
                row |= {"coverage": share.estimate}
                row |= {"coverage_low": share.low, "coverage_high": share.high}
            made.append(row)
        return pl.DataFrame(made, infer_schema_length=None)

    def __repr__(self) -> str:
        won = self.rows.filter(pl.col("shipped"))
        lines = [f"{self.rows.height:,} challengers, {won.height:,} shipped as winners"]
        if not won.height:
            return f"{lines[0]}: nothing to mark"
        bad = won.filter(pl.col("true") < 0).height
        lines[0] += f", {bad:,} of them in truth worse"
        lines.append(
            f"{'lift':<10}{'mean':>8}{'true':>8}{'too much':>10}  {'95 %':<22}{'cover':>6}"
        )
        for row in self.table.iter_rows(named=True):
            between = f"[{row['excess_low']:+.3g}, {row['excess_high']:+.3g}]"
            lines.append(
                f"{row['lift']:<10}{row['mean']:>8.3g}{row['true']:>8.3g}{row['excess']:>+10.3g}"
                f"  {between:<22}{row['coverage']:>6.3f}"
            )
        return "\n".join(lines)


def shrunk(estimates: np.ndarray, errors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Estimates pulled towards their common mean, and the standard errors that are left.

    Parameters
    ----------
    estimates, errors : ndarray, shape (challengers,)
        Effects and their standard errors, of *all* challengers: the winners alone know too little.

    Returns
    -------
    tuple of ndarray
        Posterior means and standard deviations.

    Raises
    ------
    ValueError
        If there are fewer than three, a value is not finite, or an error is not positive.

    Notes
    -----
    Empirical Bayes, effects normal around their mean with a variance that is what the estimates
    vary beyond their errors: Morris (1983), "Parametric empirical Bayes inference", JASA 78, 47-55,
    section 1, with moments for the variance. That the posterior mean needs no correction
    for selection: Efron (2011), "Tweedie's formula and selection bias", JASA 106, 1602-1614. The
    errors are those of a known prior, a little too small with few challengers.

    Examples
    --------
    >>> means, errors = shrunk(np.array([-3.0, -1.0, 0.0, 1.0, 3.0]), np.ones(5))
    >>> means.round(2).tolist(), errors.round(2).tolist()[:1]
    ([-2.4, -0.8, 0.0, 0.8, 2.4], [0.89])
    """
    estimates, errors = np.asarray(estimates, float), np.asarray(errors, float)
    if estimates.shape != errors.shape or estimates.ndim != 1 or len(estimates) < 3:
        raise ValueError(
            f"need an error for each of at least three estimates, got shapes {estimates.shape} and "
            f"{errors.shape}"
        )
    if not (np.isfinite(estimates).all() and np.isfinite(errors).all() and (errors > 0).all()):
        raise ValueError("estimates must be finite, errors finite and above 0")
    middle = np.average(estimates, weights=errors**-2.0)
    beyond = max(((estimates - middle) ** 2).sum() / (len(estimates) - 1) - (errors**2).mean(), 0.0)
    weight = beyond / (beyond + errors**2)
    return middle + weight * (estimates - middle), np.sqrt(weight) * errors


def shipped_lift(
    outcomes, metric: str | Mapping[str, float], covariate: np.ndarray,
    challengers: Mapping[str, float], *, control_share: float = 0.5, alpha: float = 0.05,
    cuped: bool = True, salt: str = "shipped", map: Callable = map,
) -> ShippedLift:  # fmt: skip
    """Test every challenger once, ship the winners, and hold their claims against the truth.

    Parameters
    ----------
    outcomes : PotentialOutcomes
        Of two arms. A challenger shows the second to more of the users, or to fewer, than the
        control does: see `shown_to`.
    metric : str or mapping of str to float
    covariate : ndarray of shape (users,)
        For CUPED.
    challengers : mapping of name to share
        Who lives under the second arm when everybody has the challenger.
    control_share : float
        The same of the control.
    alpha : float
        Level of the two-sided test at the end; shipped is what is surely better.

    Raises
    ------
    ValueError
        If `outcomes` has not two arms, there are fewer than three challengers, or a share is
        outside [0, 1].
    """
    from scipy.stats import norm

    if len(outcomes.arms) != 2:
        raise ValueError(f"outcomes must have two arms, got {outcomes.arms}")
    tasks = [
        (outcomes, metric, covariate, {"control": control_share, name: share}, cuped, salt)
        for name, share in challengers.items()
    ]
    true, claimed, errors = np.array([*map(_one_test, tasks)]).reshape(-1, 3).T
    means, left = shrunk(claimed, errors)
    z = norm.isf(alpha / 2)
    return ShippedLift(
        pl.DataFrame(
            {
                "challenger": [*challengers], "true": true, "claimed": claimed, "error": errors,
                "low": claimed - z * errors, "high": claimed + z * errors,
                "shipped": claimed > z * errors, "shrunk": means, "shrunk_error": left,
                "shrunk_low": means - z * left, "shrunk_high": means + z * left,
            }
        )
    )  # fmt: skip


def _one_test(task) -> tuple[float, float, float]:
    """True effect, estimate, standard error of one challenger's one experiment."""
    outcomes, metric, covariate, shares, cuped, salt = task
    base, other = outcomes.arms
    name = [*shares][1]
    arms = shown_to(outcomes, shares, base=base, other=other, salt="challengers touch")
    cell = clean(arms, metric, covariate)
    seen = read(cell, name, range(1), looks=1, share=0.5, salt=f"{salt}/{name}")[cuped]
    return cell.truth[name], float(seen.estimate[0, 0]), float(np.sqrt(seen.variance[0, 0]))
