"""Does the logger ever do what the target does? Asked of the policies, before there is a log."""

from __future__ import annotations

from typing import Any

import numpy as np

from workbench.experiments.replay.logged import as_columns

__all__ = ["unsupported_share"]


def unsupported_share(
    target: Any, logger: Any, requests: Any, *, chance_at_most: float = 0.0
) -> float:
    """Share of the target's decisions that the logger makes with no more than this chance.

    Exact where the log can only estimate (`WeightSummary.unsupported_share`); of a target that
    draws by chance, for one draw of each request.

    Parameters
    ----------
    target : Policy
    logger : policy with `propensity(requests, decisions)`
    requests : Polars, pandas or Arrow table
        Candidates, with what both policies look at.
    chance_at_most : float, default 0
        0 asks for what is impossible; 0.001 also for what one decision in a thousand is.

    Raises
    ------
    ValueError
        If the logger cannot say its chances, or `chance_at_most` is not in [0, 1].

    Examples
    --------
    >>> import polars as pl
    >>> from workbench.policy import Explore, Rank
    >>> requests = pl.DataFrame({"request": [7, 7, 8, 8], "item": [1, 2, 1, 2],
    ...                          "old": [0.1, 0.9, 0.9, 0.1], "new": [0.2, 0.8, 0.3, 0.7]})
    >>> target = Rank("new", 1)
    >>> unsupported_share(target, Rank("old", 1), requests)
    0.5
    >>> unsupported_share(target, Explore("old", 1, epsilon=0.1, salt="a"), requests)
    0.0
    """
    if not 0 <= chance_at_most <= 1:
        raise ValueError(f"chance_at_most must be in [0, 1], got {chance_at_most}")
    if not hasattr(logger, "propensity"):
        raise ValueError(f"{type(logger).__name__} has no propensity(requests, decisions)")
    columns = as_columns(requests, "requests")
    chances = np.asarray(logger.propensity(columns, target.act(columns)), float)
    return float((chances <= chance_at_most).mean())
