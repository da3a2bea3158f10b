"""A policy that others watch: they see the same requests, and nobody acts on what they say."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from workbench.assign import uniform
from workbench.policy.columns import Columns, concatenate
from workbench.policy.groups import Requests
from workbench.policy.protocol import Policy

__all__ = ["Shadow"]

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Shadow:
    """Answer with `live`; let the shadows answer too, with `live` False in their decisions.

    A shadow that raises leaves the live answer as it is: the failure is logged, and counted in
    `failures` by shadow and kind of error. Live and shadow policies need different names, because
    (request, policy, position) is the key of a decision.

    >>> from workbench.policy import Threshold
    >>> both = Shadow(Threshold("score", 0.5, "xgb@3"), {"next": Threshold("score", 0.4, "xgb@4")})
    >>> answers = both.act({"request": np.array([7]), "score": np.array([0.45])})
    >>> [answers[name].tolist() for name in ("policy", "action", "live")]
    [['xgb@3', 'xgb@4'], ['approve', 'block'], [True, False]]
    """

    live: Policy
    shadows: Mapping[str, Policy]
    sample: float = 1.0  # share of requests that the shadows see
    salt: str = "shadow"
    failures: Counter = field(default_factory=Counter, init=False, repr=False, compare=False)

    def __post_init__(self):
        if not 0 <= self.sample <= 1:
            raise ValueError(f"sample must be in [0, 1], got {self.sample}")
        names = [_names(self.live), *map(_names, self.shadows.values())]
        shared = {
            name for i, one in enumerate(names) for other in names[:i] for name in one & other
        }
        if shared:
            raise ValueError(f"live and shadow policies need different names, got {shared} twice")

    @property
    def children(self) -> dict[str, Policy]:
        """The live policy and the shadows by name."""
        return {"live": self.live, **{f"shadow {name}": p for name, p in self.shadows.items()}}

    def act(self, requests: Columns) -> dict[str, np.ndarray]:
        """The live decisions, then those of each shadow."""
        requests = Requests.of(requests)
        parts = [self.live.act(requests)]
        seen = self._sampled(requests)
        for name, child in self.shadows.items():
            try:
                answers = child.act(seen)
            except Exception as error:  # whatever a shadow does, the live answer stands
                self.failures[name, type(error).__name__] += 1
                _LOG.warning("shadow %s raised %r", name, error, exc_info=error)
            else:
                parts.append({**answers, "live": np.zeros(len(answers["request"]), bool)})
        return concatenate(parts)

    def propensity(self, requests: Columns, decisions: Columns) -> np.ndarray:
        """That of the live policy: the shadows decide nothing."""
        return self.live.propensity(requests, decisions)

    def _sampled(self, requests: Requests) -> Requests:
        if self.sample == 1:
            return requests
        groups = requests.groups
        chosen = uniform(self.salt, groups.ids) < self.sample
        return (
            requests if chosen.all() else Requests(requests, np.flatnonzero(groups.spread(chosen)))
        )


def _names(policy: Policy) -> set[str]:
    """Names of the policies in this tree that sign decisions."""
    children = getattr(policy, "children", {})
    own = {policy.name} if hasattr(policy, "name") and not children else set()
    return own.union(*map(_names, children.values()))
