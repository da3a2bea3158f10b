"""A ladder: whoever can answer does, the next takes what is left."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from workbench.policy.columns import Columns, column, is_missing, take
from workbench.policy.decisions import in_request_order
from workbench.policy.groups import Requests
from workbench.policy.holdout import Holdout
from workbench.policy.protocol import Policy
from workbench.policy.shadow import Shadow
from workbench.policy.split import Split

__all__ = ["Fallback"]

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Fallback:
    """Ask the first child; what it cannot answer goes to the next.

    A child that raises passes its whole batch on. A request passes on alone when it was left
    unanswered: no decision, an empty slate, or a score that is not finite. The last child's answers
    stand as they are, and its error is raised. Failures are logged and counted in `failures`, by
    child and reason; `policy` in the decisions says who answered. A request that a `Split` left
    unanswered keeps its variant: it was assigned, whoever served it.

    >>> from workbench.policy import Rank
    >>> ladder = Fallback([Rank("score", 1, "xgb@3"), Rank("popularity", 1, "popular@1")])
    >>> answers = ladder.act({"request": np.array([7, 8]), "item": np.array([1, 1]),
    ...                       "score": np.array([0.3, np.nan]), "popularity": np.array([5.0, 5.0])})
    >>> answers["policy"].tolist(), dict(ladder.failures)
    (['xgb@3', 'popular@1'], {('xgb@3', 'unanswered'): 1})
    """

    ladder: Sequence[Policy]
    failures: Counter = field(default_factory=Counter, init=False, repr=False, compare=False)

    def __post_init__(self):
        if not self.ladder:
            raise ValueError("a Fallback needs at least one policy, got none")

    @property
    def children(self) -> dict[str, Policy]:
        """The policies by the number of their rung, 1 first."""
        return {str(rung): child for rung, child in enumerate(self.ladder, 1)}

    def act(self, requests: Columns) -> dict[str, np.ndarray]:
        """Each request answered by the first child that can."""
        requests = Requests.of(requests)
        parts = [answers for _, _, answers in self._answers(requests)]
        return dict(parts[0]) if len(parts) == 1 else in_request_order(parts, requests.groups)

    def propensity(self, requests: Columns, decisions: Columns) -> np.ndarray:
        """Chance that the ladder makes each of these decisions; (len(decisions),).

        A `Split` or `Holdout` on a rung makes a split of ladders, one for each arm; splits on
        several rungs must have salts of their own.
        """
        ladder = _flat(self.ladder)
        for rung, child in enumerate(ladder):
            if isinstance(child, (Split, Holdout)):
                return sum(
                    child.shares[name]
                    * Fallback([*ladder[:rung], arm, *ladder[rung + 1 :]]).propensity(
                        requests, decisions
                    )
                    for name, arm in child.arms.items()
                )
        requests, wanted = Requests.of(requests), column(decisions, "request")
        requests.groups.locate(wanted)  # raises for a request that nobody asked about
        result = np.zeros(len(wanted))
        for child, rows, answers in Fallback(ladder)._answers(requests):
            mine = np.flatnonzero(np.isin(wanted, answers["request"]))
            if len(mine):
                result[mine] = child.propensity(rows, take(decisions, mine))
        return result

    def _answers(self, requests: Columns) -> Iterator[tuple[Policy, Columns, Columns]]:
        """(child, the requests it saw, its answers that stand), down the ladder."""
        rows, assigned = Requests.of(requests), None
        for rung, child in enumerate(self.ladder):
            last = rung == len(self.ladder) - 1
            name = getattr(child, "name", str(rung + 1))
            try:
                answers = child.act(rows)
            except Exception as error:
                self.failures[name, type(error).__name__] += 1
                _LOG.warning("policy %s raised %r", name, error, exc_info=error)
                if last:
                    raise
                continue
            answers = _keep_variant(answers, assigned)
            groups = rows.groups
            left = _unanswered(answers, groups.ids)
            if last or not left.any():
                yield child, rows, answers
                return
            self.failures[name, "unanswered"] += int(left.sum())
            _LOG.warning("policy %s left %d requests unanswered", name, left.sum())
            gone = np.isin(answers["request"], groups.ids[left])
            if not gone.all():
                yield child, rows, take(answers, ~gone)
            assigned = take(answers, gone & (answers["variant"] != "") & answers["live"])
            rows = Requests(rows, np.flatnonzero(groups.spread(left)))


def _flat(ladder: Sequence[Policy]) -> list[Policy]:
    """The rungs that decide: of a shadow its live policy, of a ladder in the ladder its rungs."""
    flat = []
    for child in ladder:
        if isinstance(child, Shadow):
            flat += _flat([child.live])
        elif isinstance(child, Fallback):
            flat += _flat(child.ladder)
        else:
            flat.append(child)
    return flat


def _unanswered(answers: Columns, request: np.ndarray) -> np.ndarray:
    """Which of these requests have no live decision, or one without item or score; (g,)."""
    live, scored = answers["live"], np.isfinite(answers["score"])
    missing = is_missing(answers["item"])
    if len(request) == 1 and len(live) and (scored & live & ~missing).all():
        return np.zeros(1, bool)
    good = (scored & (~missing | (answers["action"] != "show"))) | ~live
    return ~np.isin(request, answers["request"][live]) | np.isin(request, answers["request"][~good])


def _keep_variant(answers: Columns, assigned: Columns | None) -> Columns:
    """Write the variant that a request had on an earlier rung where it has none now."""
    if assigned is None or not len(assigned["request"]):
        return answers
    request, place = np.unique(assigned["request"], return_index=True)
    found = np.minimum(np.searchsorted(request, answers["request"]), len(request) - 1)
    carry = (request[found] == answers["request"]) & (answers["variant"] == "")
    source = place[found]
    return {
        **answers,
        "variant": np.where(carry, assigned["variant"][source], answers["variant"]),
        "variant_share": np.where(
            carry, assigned["variant_share"][source], answers["variant_share"]
        ),
    }
