"""Decisions as columns: made, put into order, compared."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from workbench.policy.columns import NO_ITEM, Columns, column, concatenate, take
from workbench.policy.groups import Groups

__all__ = ["DECISION_COLUMNS", "decided", "fill_slates", "in_request_order", "same_decision"]

DECISION_COLUMNS = (
    *("request", "policy", "position", "action", "item", "score"),
    *("propensity", "variant", "variant_share", "live"),
)

_NO_VARIANT, _NO_SHARE, _LIVE = np.array([""]), np.array([np.nan]), np.array([True])


def decided(
    request: np.ndarray,
    policy: str,
    *,
    action: str | np.ndarray,
    item: np.ndarray,
    score: np.ndarray,
    propensity: np.ndarray | float = 1.0,
    position: np.ndarray | int = 1,
) -> dict[str, np.ndarray]:
    """Decisions with every column of the vocabulary, live and without a variant, n rows.

    >>> decided(np.array([7]), "rule@1", action="block", item=np.array([NO_ITEM]),
    ...         score=np.array([0.9]))["policy"].tolist()
    ['rule@1']
    """
    n = len(request)
    return {
        "request": request,
        "policy": np.array([policy]).repeat(n),
        "position": position if isinstance(position, np.ndarray) else np.full(n, position),
        "action": action if isinstance(action, np.ndarray) else np.array([action]).repeat(n),
        "item": item,
        "score": score,
        "propensity": propensity if isinstance(propensity, np.ndarray) else np.ones(n) * propensity,
        "variant": _NO_VARIANT.repeat(n),
        "variant_share": _NO_SHARE.repeat(n),
        "live": _LIVE.repeat(n),
    }


def fill_slates(
    request: np.ndarray, policy: str, items: np.ndarray, scores: np.ndarray, propensity
) -> dict[str, np.ndarray]:
    """Decisions from slates: `items` and `scores` (g, k) in the order shown, propensity alike.

    A cell whose score is not finite is no decision; a request without any gets a row without item.
    """
    g, k = items.shape
    position = np.arange(1, k + 1)[None, :].repeat(g, 0)
    request = request[:, None].repeat(k, 1)
    if not isinstance(propensity, np.ndarray):
        propensity = np.full(items.shape, propensity)
    shown = np.isfinite(scores)
    if shown.all():
        cells = (request, position, items, scores, propensity)
        request, position, items, scores, propensity = (cell.reshape(-1) for cell in cells)
    else:
        empty = ~shown.any(axis=1)
        items, scores, propensity = items.copy(), scores.copy(), propensity.copy()
        items[empty, 0] = NO_ITEM if items.dtype.kind in "iu" else ""
        scores[empty, 0], propensity[empty, 0], shown[empty, 0] = np.nan, 1.0, True
        cells = (request, position, items, scores, propensity)
        request, position, items, scores, propensity = (cell[shown] for cell in cells)
    return decided(
        request,
        policy,
        action="show",
        item=items,
        score=scores,
        propensity=propensity,
        position=position,
    )


def in_request_order(parts: Sequence[Columns], groups: Groups) -> dict[str, np.ndarray]:
    """The decisions of all parts, in the order in which the requests came.

    >>> groups = Groups(np.array([7, 8]), np.array([1, 1]), None)
    >>> parts = [{"request": np.array([8])}, {"request": np.array([7])}]
    >>> in_request_order(parts, groups)["request"].tolist()
    [7, 8]
    """
    together = concatenate(parts)
    if len(parts) == 1:
        return together
    return take(together, np.argsort(groups.locate(together["request"]), kind="stable"))


def same_decision(own: Columns, decisions: Columns) -> np.ndarray:
    """Whether `own` has a row of the same request, position, action and item; (len(decisions),).

    >>> own = {"request": np.array([7]), "position": np.array([1]), "action": np.array(["show"]),
    ...        "item": np.array([3])}
    >>> same_decision(own, own | {"item": np.array([4])}).tolist()
    [False]
    """
    position = column(decisions, "position")
    both = np.concatenate([own["request"], column(decisions, "request")])
    deepest = max(own["position"].max(initial=1), position.max(initial=1))
    code = np.unique(both, return_inverse=True)[1] * (deepest + 1)
    own_key, key = code[: len(own["request"])] + own["position"], code[len(own["request"]) :]
    key = key + position
    order = np.argsort(own_key, kind="stable")
    if not len(order):
        return np.zeros(len(key), bool)
    place = np.minimum(np.searchsorted(own_key, key, sorter=order), len(order) - 1)
    found = order[place]
    return (
        (own_key[found] == key)
        & (own["action"][found] == decisions["action"])
        & (own["item"][found] == decisions["item"])
    )
