"""Were the users dealt as planned? The test that comes before every other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Real

from workbench.assign import check_shares

__all__ = ["SampleRatio", "sample_ratio"]


@dataclass(frozen=True, slots=True)
class SampleRatio:
    """Users per arm against the plan; `ok` is False when chance is no explanation."""

    counts: Mapping[str, int]
    expected: Mapping[str, float]
    p_value: float
    alpha: float

    @property
    def ok(self) -> bool:
        """Whether the read-out may go on."""
        return self.p_value >= self.alpha

    def __repr__(self) -> str:
        total = max(sum(self.counts.values()), 1)
        arms = ", ".join(
            f"{arm} {self.counts[arm]:,} ({self.counts[arm] / total:.1%}, plan {share:.1%})"
            for arm, share in self.expected.items()
        )
        return f"users: {arms}; p = {self.p_value:.2g}, {'as dealt' if self.ok else 'NOT AS DEALT'}"


def sample_ratio(
    counts: Mapping[str, int], expected: Mapping[str, float], *, alpha: float = 0.001
) -> SampleRatio:
    """Chi-square test of users per arm against planned shares.

    Parameters
    ----------
    counts : mapping of arm to int
        Users seen. An arm that is missing has none.
    expected : mapping of arm to float
        Planned shares, in (0, 1], summing to 1.
    alpha : float, default 0.001
        Chance of a false alarm. Small, because the test runs on every experiment and a real
        mismatch is rarely subtle (Fabijan et al. 2019, KDD, section 2).

    Raises
    ------
    ValueError
        If there are no users, an arm was not planned, or the shares do not add up.

    Examples
    --------
    >>> sample_ratio({"old": 8_950, "new": 1_050}, {"old": 0.9, "new": 0.1})
    users: old 8,950 (89.5%, plan 90.0%), new 1,050 (10.5%, plan 10.0%); p = 0.096, as dealt
    """
    from scipy.stats import chi2

    counts = counts_as_planned(counts, expected)
    total = sum(counts.values())
    distance = sum(
        (counts[arm] - total * share) ** 2 / (total * share) for arm, share in expected.items()
    )
    p_value = float(chi2.sf(distance, len(expected) - 1)) if len(expected) > 1 else 1.0
    return SampleRatio(counts, dict(expected), p_value, alpha)


def counts_as_planned(counts: Mapping[str, int], expected: Mapping[str, float]) -> dict[str, int]:
    """Users of every planned arm, in the order of the plan; an arm that is missing has none.

    Raises ValueError as `sample_ratio`.

    >>> counts_as_planned({"new": 3}, {"old": 0.5, "new": 0.5})
    {'old': 0, 'new': 3}
    """
    words = [share for share in expected.values() if not isinstance(share, Real)]
    if words:
        raise ValueError(f"shares must be numbers, got {words[0]!r}")
    check_shares(expected)
    if not all(expected.values()):
        raise ValueError(f"every arm needs a share above 0, got {dict(expected)}")
    unplanned = sorted(set(counts) - set(expected), key=str)
    if unplanned:
        raise ValueError(f"arm {unplanned[0]!r} was not planned; expected has {list(expected)}")
    found = {arm: int(counts.get(arm, 0)) for arm in expected}
    if not sum(found.values()):
        raise ValueError("there are no users in any arm")
    return found
