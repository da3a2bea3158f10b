"""Users who are in no experiment: what all of them together are compared with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from workbench.assign import assign
from workbench.policy.columns import Columns
from workbench.policy.decisions import in_request_order
from workbench.policy.groups import Requests
from workbench.policy.protocol import Policy
from workbench.policy.split import Split, labelled, propensity_of_arms, unit_of

__all__ = ["Holdout"]


@dataclass(frozen=True)
class Holdout:
    """Keep a share of the units out of every experiment: `inside` decides for them alone.

    `outside` holds the experiments. Put one Holdout around all of them and keep its salt: the same
    units are held out whatever is tried, for as long as the salt lives, and a larger share keeps
    those who were in. Their decisions carry the variant "holdout" with its share; those of everyone
    else are what `outside` says, with the shares of its own splits, *given* that the unit is not
    held out. So an experiment's planned shares are those of its `Split`, with or without a Holdout.

    Raises ValueError if the share is not in (0, 1) or a split hides in `inside`.

    >>> from workbench.policy import Rank
    >>> old, new = Rank("popularity", 1, "old"), Rank("score", 1, "new")
    >>> test = Split({"old": old, "new": new}, {"old": 0.5, "new": 0.5}, salt="home page test")
    >>> policy = Holdout(inside=old, outside=test, share=0.2, salt="all of 2026")
    >>> requests = {"request": np.arange(4), "user": np.arange(4) + 20,
    ...             "item": np.array([3] * 4), "popularity": np.ones(4), "score": np.ones(4)}
    >>> policy.act(requests)["variant"].tolist()
    ['holdout', 'new', 'new', 'holdout']
    """

    inside: Policy
    outside: Policy
    share: float
    salt: str  # a new salt holds other units out
    unit: str = "user"

    def __post_init__(self):
        if not 0 < self.share < 1:
            raise ValueError(f"share of a holdout must be in (0, 1), got {self.share}")
        if _splits(self.inside):
            raise ValueError("inside must not split: who is held out is in no experiment")

    @property
    def arms(self) -> dict[str, Policy]:
        """The two policies, by the names of `shares`."""
        return {"holdout": self.inside, "experiments": self.outside}

    @property
    def shares(self) -> Mapping[str, float]:
        """How the units are dealt."""
        return {"holdout": self.share, "experiments": 1 - self.share}

    children = arms

    def act(self, requests: Columns) -> dict[str, np.ndarray]:
        """Each request answered by `inside` if its unit is held out, by `outside` if not."""
        requests = Requests.of(requests)
        groups = requests.groups
        dealt = assign(unit_of(requests, self.unit, groups), self.shares, salt=self.salt)
        held, parts = dealt == "holdout", []
        if held.any():
            rows = Requests(requests, np.flatnonzero(groups.spread(held)))
            parts.append(labelled(self.inside.act(rows), "holdout", self.share))
        if not held.all() or not len(held):
            rows = Requests(requests, np.flatnonzero(groups.spread(~held)))
            parts.append(self.outside.act(rows))
        return in_request_order(parts, groups)

    def propensity(self, requests: Columns, decisions: Columns) -> np.ndarray:
        """Chance of each decision, that of being held out included; (len(decisions),)."""
        return propensity_of_arms(self.arms, self.shares, requests, decisions)


def _splits(policy: Policy) -> bool:
    children = getattr(policy, "children", {})
    return isinstance(policy, (Split, Holdout)) or any(map(_splits, children.values()))
