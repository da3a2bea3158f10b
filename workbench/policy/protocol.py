"""What a policy is, and what a tree of policies looks like."""

from __future__ import annotations

from typing import Protocol

from workbench.policy.columns import Columns

__all__ = ["Policy", "tree"]


class Policy(Protocol):
    """Anything with an `act` method. No base class to inherit.

    It may also offer `propensity(requests, decisions)`, the probability that it would have made
    each of these decisions, and `children`, a mapping of name to policy.
    """

    def act(self, requests: Columns) -> Columns:
        """Decisions for every request, in the columns of DECISION_COLUMNS."""
        ...


def tree(policy: Policy) -> str:
    """The policy and its children, one a line, indented.

    >>> from workbench.policy import Rank, Split
    >>> arms = {"old": Rank("popularity", 10, "popular@1"), "new": Rank("score", 10, "xgb@3")}
    >>> print(tree(Split(arms, {"old": 0.9, "new": 0.1}, salt="home page test")))
    Split
      old 90 %: Rank popular@1
      new 10 %: Rank xgb@3
    """
    return "\n".join(_lines(policy))


def _lines(policy: Policy) -> list[str]:
    lines = [" ".join(filter(None, [type(policy).__name__, getattr(policy, "name", "")]))]
    shares = getattr(policy, "shares", {})
    for name, child in getattr(policy, "children", {}).items():
        label = f"{name} {shares[name] * 100:.3g} %" if name in shares else name
        first, *rest = _lines(child)
        lines += [f"  {label}: {first}", *(f"  {line}" for line in rest)]
    return lines
