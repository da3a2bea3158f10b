"""Decisions as the world receives them: whose they are, which are live, and how they are logged."""

from __future__ import annotations

import numpy as np

from workbench.assign import fingerprint
from workbench.marketplace.ledger import Ledger
from workbench.policy import DECISION_COLUMNS, Columns

__all__ = ["rows_answered", "write_decisions"]


def rows_answered(
    surface: str, decisions: Columns, request: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """For each decision, the index of its request in `request`, and whether it is live.

    Raises ValueError if a column is missing, a decision is for no open request, or a request has
    no live decision.

    >>> rows, live = rows_answered("checkout", {"request": np.array([9, 7]),
    ...     "action": np.array(["block", "approve"])}, np.array([7, 9]))
    >>> rows.tolist(), live.tolist()
    ([1, 0], [True, True])
    """
    for name in ("request", "action", *(("item", "position") if surface == "home" else ())):
        if name not in decisions:
            raise ValueError(f"{surface} decisions have no column {name}, only {[*decisions]}")
    asked = np.asarray(decisions["request"])
    order = np.argsort(request)
    place = np.minimum(np.searchsorted(request, asked, sorter=order), len(request) - 1)
    row = order[place]
    strange = request[row] != asked
    if strange.any():
        raise ValueError(f"{surface}: request {asked[strange][0]} is not open")
    live = np.asarray(decisions.get("live", np.ones(len(asked), bool)))
    answered = np.zeros(len(request), bool)
    answered[row[live]] = True
    if not answered.all():
        raise ValueError(f"{surface}: request {request[~answered][0]} has no live decision")
    return row, live


def write_decisions(
    ledger: Ledger, surface: str, decisions: Columns, time: np.ndarray, user: np.ndarray
) -> None:
    """Log every decision, live or not, with the time and user of its request, shape (n,)."""
    columns = {name: np.asarray(decisions[name]) for name in DECISION_COLUMNS if name in decisions}
    columns.setdefault("policy", np.full(len(time), "by hand"))
    columns.setdefault("position", np.ones(len(time), np.int64))
    policy = columns["policy"]
    if (policy == policy[0]).all():
        policy = policy[:1]  # the same event ids, hashed once
    key = fingerprint("decision", columns["request"], policy, columns["position"])  # as in `decide`
    event = (key >> np.uint64(1)).astype(np.int64)
    ledger.write("decision", {"surface": surface}, event=event, time=time, user=user, **columns)
