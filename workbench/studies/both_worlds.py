"""What a change is really worth: the same people, the same luck, once under each policy.

An experiment deals people into arms and estimates. A world whose luck is keyed can be copied and
played twice, once with everybody in each arm: the difference is the true effect, the number that
the estimate is marked against. A world that only replays a record cannot do this.
"""

from __future__ import annotations

import copy
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import polars as pl

from workbench.events import EventLog

__all__ = ["true_value_per_user", "value_per_payment"]


def value_per_payment(labelled: pl.DataFrame, *, margin: float) -> pl.DataFrame:
    """What each checkout was worth: margin on honest payments, minus the amount of each fraud.

    Parameters
    ----------
    labelled : pl.DataFrame, shape (n, ...)
        One row per checkout: `action`, `amount`, `label` (1 fraud, 0 or null not known to be one).
    margin : float
        Share of an honest amount that stays, in [0, 1].

    Returns
    -------
    pl.DataFrame, shape (n, ...)
        The same rows with `value`, in the currency of the amounts; a blocked checkout is worth 0.

    Examples
    --------
    >>> rows = {"action": ["approve", "approve", "block"], "amount": [100.0] * 3}
    >>> rows = pl.DataFrame(rows | {"label": [0.0, 1.0, None]})
    >>> value_per_payment(rows, margin=0.1)["value"].to_list()
    [10.0, -100.0, 0.0]
    """
    if not 0 <= margin <= 1:
        raise ValueError(f"margin must be in [0, 1], got {margin}")
    value = (
        pl.when(pl.col("action") == "block")
        .then(0.0)
        .when(pl.col("label") == 1.0)
        .then(-pl.col("amount"))
        .otherwise(margin * pl.col("amount"))
    )
    return labelled.with_columns(value=value)


def true_value_per_user(
    world: Any,
    log: EventLog,
    policies: Callable[[EventLog], Mapping],
    *,
    until,
    margin: float,
    commit_minutes: int = 240,
) -> float:
    """Mean value per user who came to a checkout, with everybody under these policies.

    Parameters
    ----------
    world : a world with `truth`
        It is copied as it stands; neither it nor its log is changed.
    log : EventLog
        The local log the world has written so far; copied too, for policies that read it.
    policies : callable
        From the copied log to the policies, surface -> Policy.
    until : int or datetime
        How far to play.
    margin : float
        As for `value_per_payment`.
    commit_minutes : int
        How often the copied log is written, so how old what a policy reads may be.

    Raises
    ------
    ValueError
        If the world has no truth.
    """
    if getattr(world, "truth", None) is None:
        raise ValueError(f"{type(world).__name__} has no truth: it cannot be played twice")
    began, other = world.now, copy.deepcopy(world)
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(log.path, Path(folder, "log"))
        own = EventLog(Path(folder, "log"), clock=other.clock)
        other.run(policies(own), until=until, log=own, commit_minutes=commit_minutes)
        checkout = pl.col("surface") == "checkout"
        decided = own.scan("decision", start=began).filter(checkout, "live").collect()
        asked = own.scan("request", start=began).filter(checkout).collect()
    rows = decided.join(asked.select("request", "amount"), on="request", how="left")
    # a fraud that nobody complains about costs the shop nothing
    costs = other.truth.is_fraud(rows) & ~other.truth.never_complained(rows)
    rows = value_per_payment(
        rows.with_columns(label=pl.Series(costs).cast(pl.Float64)), margin=margin
    )
    return rows["value"].sum() / rows["user"].n_unique()
