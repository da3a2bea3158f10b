"""Chances for slates: what the reward at a position is taken to depend on.

    interaction   chance in the weights                    assumes that the reward at a position
    none          of the item at its position              depends on that item alone
    cascade       of the slate down to the position        on what stands above it too
    whole         of the whole slate                       on everything; always right

Fewer assumptions, larger weights: the whole slate of ten is hardly ever shown twice. With the
chances of `slate_chances` in the two columns, `replay_outcomes` with `per="request"` is IIPS for
`none` (Li et al. 2018, "Offline evaluation of ranking policies with click models", KDD), RIPS for
`cascade` (McInerney et al. 2020, "Counterfactual evaluation of slate recommendations with
sequential reward interactions", KDD, section 4) and IPS of slates for `whole`.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import polars as pl

from workbench.experiments.replay.logged import as_columns, policy_chances
from workbench.policy.columns import take
from workbench.tables import one_frame

__all__ = ["INTERACTIONS", "prefix_chances", "slate_chances"]

INTERACTIONS = ("none", "cascade", "whole")


def slate_chances(log: Any, logger: Any, target: Any, requests: Any, *, interaction: str):
    """The log with `propensity` and `target_propensity` under one of the assumptions.

    Parameters
    ----------
    log : Polars, pandas or Arrow table
        Whole slates: every row of every request that is in it.
    logger, target : policy
        With `propensity`; with `log_prob` for `cascade` and `whole`, and for `cascade` with a depth
        `k` that can be made smaller, as `Explore` has.
    requests : table
        The candidates that the slates were made from.
    interaction : {"none", "cascade", "whole"}

    Returns
    -------
    pl.DataFrame

    Raises
    ------
    ValueError
        If the interaction is unknown, or a policy cannot say such a chance.

    Examples
    --------
    >>> from workbench.policy import Explore, decide
    >>> requests = pl.DataFrame({"request": [7, 7, 7], "item": [1, 2, 3], "score": [0.1, 0.9, 0.5]})
    >>> logger = Explore("score", 2, epsilon=0.6, salt="a")
    >>> target = Explore("score", 2, epsilon=0.0, salt="b")
    >>> log = decide(logger, requests)
    >>> for interaction in INTERACTIONS:
    ...     slate = slate_chances(log, logger, target, requests, interaction=interaction)
    ...     print(interaction, slate["propensity"].round(2).to_list())
    none [0.6, 0.6]
    cascade [0.6, 0.5]
    whole [0.5, 0.5]
    """
    if interaction not in INTERACTIONS:
        raise ValueError(f"interaction must be one of {INTERACTIONS}, got {interaction!r}")
    frame = one_frame(log, "log")
    chances = {
        name: _chances(policy, requests, frame, interaction)
        for name, policy in (("propensity", logger), ("target_propensity", target))
    }
    return frame.with_columns(**{name: pl.Series(each) for name, each in chances.items()})


def prefix_chances(policy: Any, requests: Any, log: Any) -> np.ndarray:
    """The policy's chance of the slate down to each row's position, shape (len(log),).

    The first p of a slate of k are taken to be a slate of p by the same policy: so it is for
    whatever fills a slate from the top, as `Explore` does.

    >>> from workbench.policy import Explore
    >>> requests = pl.DataFrame({"request": [7, 7, 7], "item": [1, 2, 3], "score": [0.0, 0.0, 0.0]})
    >>> shown = pl.DataFrame({"request": [7, 7], "item": [3, 1], "position": [1, 2],
    ...                       "action": ["show", "show"]})
    >>> at_random = Explore("score", 2, epsilon=1.0, salt="a")
    >>> prefix_chances(at_random, requests, shown).round(3).tolist()
    [0.333, 0.167]
    """
    if not (dataclasses.is_dataclass(policy) and hasattr(policy, "k")):
        raise ValueError(f"cascade needs a policy whose depth k can change, got {policy!r}")
    _has_log_prob(policy)
    candidates, decisions = as_columns(requests, "requests"), as_columns(log, "log")
    position = np.asarray(decisions["position"])
    result = np.zeros(len(position))
    for depth in np.unique(position).tolist():
        reaching = np.isin(decisions["request"], decisions["request"][position == depth])
        rows = np.flatnonzero(reaching & (position <= depth))
        cut = dataclasses.replace(policy, k=int(depth))
        value = np.exp(cut.log_prob(candidates, take(decisions, rows)))
        last = position[rows] == depth
        result[rows[last]] = value[last]
    return result


def _chances(policy, requests, log, interaction) -> np.ndarray:
    if interaction == "none":
        return policy_chances(policy, requests, log)
    if interaction == "cascade":
        return prefix_chances(policy, requests, log)
    _has_log_prob(policy)
    return np.exp(policy.log_prob(as_columns(requests, "requests"), as_columns(log, "log")))


def _has_log_prob(policy) -> None:
    if not hasattr(policy, "log_prob"):
        raise ValueError(
            f"{type(policy).__name__} has no log_prob(requests, decisions): nobody can say how "
            "likely it would have shown the same slate"
        )
