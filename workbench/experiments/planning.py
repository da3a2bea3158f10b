"""How many users, how long, how small an effect: the arithmetic before an experiment.

    the log ─► baseline: mean, variance, what CUPED saves ─┐
    a design: alpha, power, share, margin, looks ──────────┼─► sample_size, power,
    an effect ─────────────────────────────────────────────┘   minimum_detectable_effect
    the log ─► entries: new users a day ──────────────────────► duration_days

All of it is elementwise over arrays of effects, users and variances, by the normal approximation
(two-sample z; Chow, Shao & Wang 2008, "Sample size calculations in clinical research", section
3.2.1). Where that is in doubt, `power_by_simulation` asks the users themselves.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from workbench.experiments.boundaries import group_sequential
from workbench.experiments.crossing import crossing_probability, inflation_factor

__all__ = ["Design", "minimum_detectable_effect", "power", "sample_size"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Design:
    """How an experiment will be read.

    Parameters
    ----------
    alpha : float
        Two-sided. With a margin the test is one-sided at alpha / 2: the same interval is read.
    power : float
        Chance to find the effect that is planned for.
    treatment_share : float
        Of the users; the rest are control.
    margin : float, optional
        For non-inferiority: a loss smaller than this is no loss, in the metric's unit, above zero.
    looks : int
        Evenly spaced, at O'Brien-Fleming spending boundaries.
    reduction : float
        Share of the variance that covariates take away (CUPED), in [0, 1).

    >>> Design(looks=5).treatment_share
    0.5
    """

    alpha: float = 0.05
    power: float = 0.8
    treatment_share: float = 0.5
    margin: float | None = None
    looks: int = 1
    reduction: float = 0.0

    def __post_init__(self):
        for name in ("alpha", "treatment_share"):
            if not 0 < getattr(self, name) < 1:
                raise ValueError(f"{name} must be in (0, 1), got {getattr(self, name)}")
        if not self.alpha < self.power < 1:
            raise ValueError(f"power must be in (alpha, 1), got {self.power}")
        if not 0 <= self.reduction < 1:
            raise ValueError(f"reduction must be in [0, 1), got {self.reduction}")
        if self.margin is not None and not 0 < self.margin < np.inf:
            raise ValueError(f"margin must be above zero, got {self.margin}")
        if isinstance(self.looks, bool) or self.looks != int(self.looks) or self.looks < 1:
            raise ValueError(f"looks must be a whole number of at least 1, got {self.looks!r}")
        if self.margin is not None and self.looks > 1:
            raise ValueError("a margin with looks is not planned for here: give looks=1")

    @property
    def inflation(self) -> float:
        """Most users with these looks over the users of one look."""
        return inflation_factor(self.looks, alpha=self.alpha, power=self.power)


def power(
    effect: ArrayLike, users: ArrayLike, variance: ArrayLike, design: Design | None = None
) -> np.ndarray:
    """Chance to find an effect, shape of the arguments together.

    Parameters
    ----------
    effect : array-like
        Treatment less control, in the metric's unit.
    users : array-like
        Of both arms, in the end.
    variance : array-like
        Of one user's metric; for a ratio that of the delta method (`baseline` gives it).
    design : Design, optional

    Raises
    ------
    ValueError
        If a number is not finite, users are not above zero, or a variance is not above zero.

    Examples
    --------
    >>> power([0.0, 0.1], 3_140, 1.0).round(3).tolist()
    [0.05, 0.8]
    """
    from scipy.stats import norm

    design = design or Design()
    effect, users, variance = _checked(effect=effect, users=users, variance=variance)
    z = norm.isf(design.alpha / 2)
    if design.margin is not None:
        return norm.sf(z - (effect + design.margin) / _error(users, variance, design))[()]
    drift = effect / _error(users, variance, design)
    if design.looks == 1:
        return (norm.sf(z - drift) + norm.cdf(-z - drift))[()]
    share = np.arange(1, design.looks + 1) / design.looks
    return crossing_probability(group_sequential(share, design.alpha), share, drift)


def sample_size(effect: ArrayLike, variance: ArrayLike, design: Design | None = None) -> np.ndarray:
    """Users of both arms together that find an effect with the design's power, rounded up.

    Parameters
    ----------
    effect : array-like
        In the metric's unit; not zero (above minus the margin, with a margin).
    variance : array-like
        Of one user's metric.
    design : Design, optional

    Raises
    ------
    ValueError
        If the effect cannot be found by any number of users, or a number is not finite.

    Notes
    -----
    n = (z_{1 - alpha/2} + z_power)^2 variance / (share (1 - share) effect^2), which leaves out the
    chance to be significant on the wrong side, as is usual; times the inflation of the looks.

    Examples
    --------
    >>> sample_size([0.1, 0.05], 1.0).tolist()
    [3140.0, 12559.0]
    """
    design = design or Design()
    effect, variance = _checked(effect=effect, variance=variance)
    if design.margin is not None:
        effect = effect + design.margin
        if (effect <= 0).any():
            raise ValueError(f"an effect must be above minus the margin, {-design.margin}")
    if (effect == 0).any():
        raise ValueError("no number of users finds an effect of zero")
    unit = _error(1.0, variance, design) ** 2 * _distance(design) ** 2
    return np.ceil(np.round(unit / effect**2, 6))[()]


def minimum_detectable_effect(
    users: ArrayLike, variance: ArrayLike, design: Design | None = None
) -> np.ndarray:
    """Smallest effect that so many users find with the design's power, shape of the arguments.

    With a margin: the true effect at which non-inferiority is shown with that power; it may be
    negative.

    Parameters
    ----------
    users : array-like
        Of both arms, in the end.
    variance : array-like
        Of one user's metric.
    design : Design, optional

    Raises
    ------
    ValueError
        As `power`.

    Examples
    --------
    >>> minimum_detectable_effect([3_140, 12_559], 1.0).round(3).tolist()
    [0.1, 0.05]
    """
    design = design or Design()
    users, variance = _checked(users=users, variance=variance)
    return (_distance(design) * _error(users, variance, design) - (design.margin or 0.0))[()]


def _distance(design: Design) -> float:
    """Effect / standard error that has the power."""
    from scipy.stats import norm

    fixed = norm.isf(design.alpha / 2) + norm.ppf(design.power)
    return float(fixed * np.sqrt(design.inflation))


def _error(users, variance, design: Design) -> np.ndarray:
    """Standard error of the difference, with the variance of one user the same in both arms."""
    share = design.treatment_share
    return np.sqrt(variance * (1 - design.reduction) / (users * share * (1 - share)))


def _checked(**given) -> tuple[np.ndarray, ...]:
    made = {name: np.asarray(value, float) for name, value in given.items()}
    for name, value in made.items():
        if not np.isfinite(value).all():
            raise ValueError(f"{name} must be finite numbers, got {given[name]!r}")
        if name != "effect" and not (value > 0).all():
            raise ValueError(f"{name} must be above zero, got {given[name]!r}")
    return tuple(made.values())
