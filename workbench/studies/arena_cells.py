"""The cells of the arena: what may go wrong with an experiment's data, each with a known truth.

    potential outcomes ──┬── clean ............ as they are
                         ├── SRM bug .......... the treatment loses busy users before it logs them
                         └── heavy tail ....... a few users are worth a thousand others
                                └─ winsorised . the same, cut off at a high value

A cell is made from outcomes that are given, so its true effect is still the mean over everybody, a
number without error. What is changed is changed by luck keyed by the user, the same in all arms.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from workbench.assign import uniform

__all__ = ["Cell", "clean", "heavy_tail", "shown_to", "srm_bug", "winsorised", "with_twin"]

Metric = str | Mapping[str, float]


@dataclass(frozen=True)
class Cell:
    """One world of the arena.

    Attributes
    ----------
    outcomes : PotentialOutcomes
        Every user in every arm; the first arm is the control.
    metric : str or mapping of str to float
        What the experiments are read by.
    covariate : ndarray of shape (users,)
        The metric of each user before the experiments, for CUPED.
    truth : mapping of arm to float
        True effect per user of each other arm over the control.
    lost : ndarray of bool, shape (users,), optional
        Who is never logged when dealt to the treatment.
    """

    name: str
    outcomes: object
    metric: Metric
    covariate: np.ndarray
    truth: Mapping[str, float]
    lost: np.ndarray | None = None

    @property
    def control(self) -> str:
        """The first arm."""
        return self.outcomes.arms[0]


def clean(outcomes, metric: Metric, covariate: np.ndarray) -> Cell:
    """The outcomes as they are; every arm but the first is a challenger.

    Raises
    ------
    ValueError
        If there is no challenger, or the covariate is not one finite number per user.
    """
    covariate = np.asarray(covariate, float)
    if len(outcomes.arms) < 2:
        raise ValueError(f"outcomes must have a control and a challenger, got {outcomes.arms}")
    if covariate.shape != outcomes.users.shape or not np.isfinite(covariate).all():
        raise ValueError(
            f"covariate must be a finite number for each of {len(outcomes.users):,} users, "
            f"got shape {covariate.shape}"
        )
    return Cell("clean", outcomes, metric, covariate, _truth(outcomes, metric))


def srm_bug(cell: Cell, *, lost_share: float = 0.025, busy_share: float = 0.05) -> Cell:
    """The treatment loses users before they are logged: a share of all, the busiest among them.

    Busy is who stood highest in the covariate; of those, a keyed `lost_share / busy_share` crash.
    Such a loss fails the sample-ratio test of a large experiment (Fabijan et al. 2019, KDD, section
    4, tells of real ones), and what is left of the treatment is poorer than the control.

    Raises
    ------
    ValueError
        Unless 0 < lost_share <= busy_share <= 1.
    """
    if not 0 < lost_share <= busy_share <= 1:
        raise ValueError(
            f"need 0 < lost_share <= busy_share <= 1, got {lost_share} and {busy_share}"
        )
    users = cell.outcomes.users
    order = np.lexsort((uniform("arena busy", users), -cell.covariate))
    busy = np.zeros(len(users), bool)
    busy[order[: round(len(users) * busy_share)]] = True
    lost = busy & (uniform("arena lost", users) < lost_share / busy_share)
    return replace(cell, name="SRM bug", lost=lost)


def heavy_tail(cell: Cell, *, index: float = 2.1) -> Cell:
    """What each user does, times a Pareto number of their own: few users are most of the sum.

    The number has P(> x) = x ** -index, so a variance that exists barely or, at 2 and below, not
    in the limit; it multiplies the covariate as well, and all arms alike.

    Raises
    ------
    ValueError
        Unless index > 1: below, there is no mean.
    """
    if not index > 1:
        raise ValueError(f"index must be above 1 for the mean to exist, got {index}")
    factor = (1 - uniform("arena tail", cell.outcomes.users)) ** (-1 / index)
    values = {arm: rows * factor[:, None] for arm, rows in cell.outcomes.values.items()}
    return _changed(cell, "heavy tail", values, cell.covariate * factor)


def winsorised(cell: Cell, *, share: float = 0.001) -> Cell:
    """The metric cut off where the control's highest `share` of users begins.

    One fixed cut for all arms and experiments, as if read off last month's log. The truth stays
    that of the metric before the cut: what winsorising costs in bias is marked too.

    Raises
    ------
    ValueError
        Unless 0 < share < 1.
    """
    if not 0 < share < 1:
        raise ValueError(f"share must be in (0, 1), got {share}")
    outcomes = cell.outcomes
    cut = np.quantile(outcomes.of(cell.metric, cell.control), 1 - share)
    values = {}
    for arm, rows in outcomes.values.items():
        metric = outcomes.of(cell.metric, arm)
        factor = np.divide(cut, metric, out=np.ones(len(metric)), where=metric > cut)
        values[arm] = rows * factor[:, None]
    covariate = np.minimum(cell.covariate, np.quantile(cell.covariate, 1 - share))
    changed = _changed(cell, f"{cell.name}, winsorised", values, covariate)
    return replace(changed, truth=cell.truth)


def shown_to(outcomes, shares: Mapping[str, float], *, base: str, other: str, salt: str):
    """New arms out of two: in each a share of the users lives under `other`, the rest under `base`.

    A change that touches 10 % of the people has a tenth of the effect, of which the truth is known
    as well. Shares are nested: who is touched at 10 % is touched at 20 % too.

    Parameters
    ----------
    outcomes : PotentialOutcomes
        Has the arms `base` and `other`.
    shares : mapping of new arm to share in [0, 1]
    salt : str
        Names the luck of who is touched.

    Returns
    -------
    PotentialOutcomes
        With the new arms only, in the order given.

    Raises
    ------
    ValueError
        If an arm has no outcomes or a share is outside [0, 1].
    """
    for arm in (base, other):
        if arm not in outcomes.values:
            raise ValueError(f"arm must be one of {outcomes.arms}, got {arm!r}")
    strange = {name: share for name, share in shares.items() if not 0 <= share <= 1}
    if strange:
        raise ValueError(f"shares must be in [0, 1], got {strange}")
    luck = uniform(salt, outcomes.users)[:, None]
    first, second = outcomes.values[base], outcomes.values[other]
    values = {name: np.where(luck < share, second, first) for name, share in shares.items()}
    return replace(outcomes, values=values)


def with_twin(cell: Cell) -> Cell:
    """The cell with one more arm, `same`: the control again, for A/A experiments."""
    if "same" in cell.outcomes.values:
        return cell
    values = {**cell.outcomes.values, "same": cell.outcomes.values[cell.control]}
    outcomes = replace(cell.outcomes, values=values)
    return replace(cell, outcomes=outcomes, truth={**cell.truth, "same": 0.0})


def _changed(cell: Cell, name: str, values: Mapping, covariate: np.ndarray) -> Cell:
    outcomes = replace(cell.outcomes, values=values)
    truth = _truth(outcomes, cell.metric)
    return replace(cell, name=name, outcomes=outcomes, covariate=covariate, truth=truth)


def _truth(outcomes, metric: Metric) -> dict[str, float]:
    control, *others = outcomes.arms
    return {arm: outcomes.effect(metric, arm, control).per_user for arm in others}
