"""An A/B test is a policy of policies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from workbench.assign import assign, check_shares
from workbench.policy.columns import Columns, column, is_missing
from workbench.policy.decisions import in_request_order
from workbench.policy.groups import Groups, Requests
from workbench.policy.protocol import Policy

__all__ = ["Split"]


@dataclass(frozen=True)
class Split:
    """Give each unit one arm, always the same.

    Decisions carry the arm in `variant` and its share at that moment in `variant_share`: an
    analysis that weights by 1/variant_share survives a ramp from 1 % to 50 %. Splits inside an arm
    join their names ("new/large") and multiply their shares. `propensity` stays that of the arm's
    own policy, given the arm.

    An arm that raises takes the batch of both arms with it: put a `Fallback` inside the arm.

    >>> from workbench.policy import Rank
    >>> split = Split({"old": Rank("popularity", 1), "new": Rank("score", 1)},
    ...               {"old": 0.5, "new": 0.5}, salt="home page test")
    >>> requests = {"request": np.array([7, 8]), "user": np.array([1, 3]), "item": np.array([3, 3]),
    ...             "popularity": np.array([0.2, 0.1]), "score": np.array([0.7, 0.6])}
    >>> split.act(requests)["variant"].tolist()
    ['new', 'old']
    """

    arms: Mapping[str, Policy]
    shares: Mapping[str, float]
    salt: str  # a new salt deals the units anew
    unit: str = "user"

    def __post_init__(self):
        if set(self.arms) != set(self.shares):
            raise ValueError(f"arms {list(self.arms)} and shares {list(self.shares)} must agree")
        check_shares(self.shares)

    @property
    def children(self) -> dict[str, Policy]:
        """The arms by name."""
        return dict(self.arms)

    def act(self, requests: Columns) -> dict[str, np.ndarray]:
        """Each request answered by the arm of its unit."""
        requests = Requests.of(requests)
        groups = requests.groups
        arm = assign(unit_of(requests, self.unit, groups), self.shares, salt=self.salt)
        here = sorted(set(arm.tolist())) or [next(iter(self.arms))]
        parts = []
        for name in here:
            rows = requests
            if len(here) > 1:
                rows = Requests(requests, np.flatnonzero(groups.spread(arm == name)))
            parts.append(labelled(self.arms[name].act(rows), name, self.shares[name]))
        return in_request_order(parts, groups)

    def propensity(self, requests: Columns, decisions: Columns) -> np.ndarray:
        """Sum over arms of share x the arm's propensity: the chance includes the split itself."""
        return propensity_of_arms(self.arms, self.shares, requests, decisions)


def unit_of(requests: Columns, unit: str, groups: Groups) -> np.ndarray:
    """The unit of each request, shape (g,); error when a request has several, or none.

    All who have none would share one arm.
    """
    units = column(requests, unit)
    first = units[groups.first]
    differs = units != groups.spread(first)
    if differs.any():
        request = column(requests, "request")[differs].tolist()[0]
        raise ValueError(f"request {request!r} has several values of {unit!r}; a split needs one")
    if first.dtype.kind == "O":
        missing = np.array([value is None or value == "" for value in first.tolist()], bool)
    else:
        missing = is_missing(first)
    if missing.any():
        request = groups.ids[missing].tolist()[0]
        raise ValueError(
            f"request {request!r} has no {unit!r}: nobody can be dealt by a missing unit; split by "
            "another unit (session, device), or send such requests elsewhere"
        )
    return first


def propensity_of_arms(
    arms: Mapping[str, Policy], shares: Mapping[str, float], requests: Columns, decisions: Columns
) -> np.ndarray:
    """Sum over arms of share x the arm's propensity; (len(decisions),)."""
    total = np.zeros(len(column(decisions, "request")))
    for name, child in arms.items():
        if shares[name] > 0:
            total += shares[name] * child.propensity(requests, decisions)
    return total


def labelled(answers: Columns, name: str, share: float) -> dict[str, np.ndarray]:
    """The answers with the arm's name and share, joined with those of splits inside."""
    inner, n = answers["variant"], len(answers["request"])
    nested = inner != ""
    if not nested.any():
        return {
            **answers,
            "variant": np.array([name]).repeat(n),
            "variant_share": np.array([share]).repeat(n),
        }
    joined = np.where(nested, np.char.add(f"{name}/", inner), name)
    inner_share = np.where(nested, answers["variant_share"], 1.0)
    return {**answers, "variant": joined, "variant_share": share * inner_share}
