"""Is the new arm at least not worse than we can bear?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from workbench.experiments.difference import (
    Moments,
    arrays,
    check_confidence,
    check_moments,
    plain,
    welch,
)

__all__ = ["NonInferiority", "non_inferiority"]


@dataclass(frozen=True, slots=True)
class NonInferiority:
    """The worst that the data allow, against the worst that is borne.

    `bound` is the one-sided limit of treatment minus control on the bad side, `margin` that which
    is borne (negative where less is worse), `p_value` that of the hypothesis "worse than that".
    """

    difference: float
    bound: float
    margin: float
    p_value: float
    confidence: float

    @property
    def ok(self) -> bool | np.ndarray:
        """Whether a loss beyond the margin is ruled out."""
        verdict = np.asarray(self.p_value) < 1 - self.confidence
        return bool(verdict) if verdict.ndim == 0 else verdict

    def __repr__(self) -> str:
        if np.ndim(self.p_value):
            return f"NonInferiority of {np.size(self.p_value)} comparisons"
        verdict = "not worse than that" if self.ok else "may be worse than that"
        return (
            f"difference {self.difference:+.3g}, at worst {self.bound:+.3g} ({self.confidence:.0%} "
            f"one-sided); borne {self.margin:+.3g}: {verdict}, p = {self.p_value:.2g}"
        )


def non_inferiority(
    control: Moments,
    treatment: Moments,
    *,
    margin: float | None = None,
    margin_share: float | None = None,
    higher_is_better: bool = True,
    confidence: float = 0.95,
) -> NonInferiority:
    """Test that the treatment is worse than the margin, one-sided, by Welch's statistic.

    Parameters
    ----------
    control, treatment : Moments
        Numbers, or arrays: element by element.
    margin : float, optional
        The loss that is borne, in the metric's unit, positive.
    margin_share : float, optional
        The same as a share of the control's mean (0.02: two per cent). The control's mean is an
        estimate too: what is tested is treatment less (1 - share) times control, with the variance
        of that. Give one of the two, before looking at the data.
    higher_is_better : bool, default True
        False for latency and errors: then a rise is the loss.
    confidence : float, default 0.95
        Of the one-sided bound.

    Returns
    -------
    NonInferiority
        Its repr is the report.

    Raises
    ------
    ValueError
        Unless exactly one margin is given and positive, or if an arm has fewer than two users.

    Notes
    -----
    Wellek (2010), "Testing statistical hypotheses of equivalence and noninferiority", section 6.1;
    a margin as share: Hasler, Vonk & Hothorn (2008), "Assessing non-inferiority of a new treatment
    in a three-arm trial in the presence of heteroscedasticity", Statistics in Medicine 27.

    Examples
    --------
    >>> non_inferiority(Moments(400, 10.0, 16.0), Moments(400, 9.9, 16.0), margin=0.5)
    difference -0.1, at worst -0.566 (95% one-sided); borne -0.5: may be worse than that, p = 0.079
    """
    from scipy.stats import t as student

    check_confidence(confidence)
    given = [each for each in (margin, margin_share) if each is not None]
    if len(given) != 1 or not np.all(np.isfinite(given[0])) or np.any(np.asarray(given[0]) <= 0):
        raise ValueError(f"give margin or margin_share, positive, got {margin} and {margin_share}")
    for arm, moments in (("control", control), ("treatment", treatment)):
        check_moments(arm, moments)
    (n0, mean0, var0), (n1, mean1, var1) = arrays(control), arrays(treatment)
    sign = 1.0 if higher_is_better else -1.0
    if margin_share is not None and np.any(mean0 <= 0):
        raise ValueError(f"margin_share needs a control mean above 0, got {np.min(mean0):.3g}")
    scale = 1.0 if margin_share is None else 1 - sign * np.asarray(margin_share, float)
    borne = -sign * (margin if margin_share is None else margin_share * mean0)
    with np.errstate(divide="ignore", invalid="ignore"):
        error, freedom = welch(scale**2 * var0 / n0, var1 / n1, n0, n1)
        above = sign * (mean1 - mean0 - borne)  # how far on the good side of what is borne
        certain = error == 0
        p_value = student.sf(above / np.where(certain, 1.0, error), freedom)
        p_value = np.where(certain, np.where(above > 0, 0.0, 1.0), p_value)
        half = np.where(certain, 0.0, student.ppf(confidence, freedom) * error)
        p_value = np.where((n0 < 2) | (n1 < 2), np.nan, p_value)
    bound = mean1 - mean0 - sign * half
    fields = np.broadcast_arrays(mean1 - mean0, bound, borne, p_value)
    return NonInferiority(*(plain(each) for each in fields), confidence)
