"""Two fraud models on the same checkouts: a real shadow run in a small marketplace, to look at.

rule runs ─► labels ─► champion (who pays)  ─┬─ live
                       champion's twin       ├─ shadow   ─► pairs, with labels and the truth
                       challenger (+ device) ┴─ shadow
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import numpy as np
import polars as pl

from workbench import fraud
from workbench.events import EventLog
from workbench.experiments.pairs import pairs
from workbench.policy import Rank, Shadow, Threshold
from workbench.studies.fraud_evidence import Evidence
from workbench.training import TrainSpec, fit

__all__ = ["fraud_shadow"]

HORIZON_DAYS = 3
LEARN_DAY, MODELS_DAY, END_DAY = 3, 8, 12  # cutoffs chosen from; models made; shadows stop
_KEPT = ["time", "amount", "place", "night_utc", "user_payments_1d", "user_usual_amount",
         "device_users_1d", "user_had_device"]  # fmt: skip


def fraud_shadow(
    world: Any,
    log: EventLog,
    *,
    is_fraud: Callable[[pl.DataFrame], np.ndarray] | None = None,
    progress: bool = False,
) -> pl.DataFrame:
    """Pairs of a champion, its twin and a challenger on four days of checkouts.

    Parameters
    ----------
    world : a world of at least 15 days, not yet played
        Its complaints should mostly come within three days.
    log : EventLog
        An empty one, to be written.
    is_fraud : callable, optional
        What really was, if the world tells: `world.truth.is_fraud`.
    progress : bool

    Returns
    -------
    polars.DataFrame
        As from `experiments.pairs`: `label` is what became known three days after (null: blocked),
        `truth` what `is_fraud` says.
    """
    start, page = world.now, Rank("price", k=5, name="page@1")

    def day(number):
        return start + timedelta(days=number)

    def run(checkout, until):
        policies = {"home": page, "search": page, "checkout": checkout}
        world.run(policies, until=day(until), log=log, commit_minutes=1440, progress=progress)

    rule = Threshold("amount", 300.0, name="rule@1")
    run(rule, MODELS_DAY)
    history = fraud.history(("user", "device"), label_delay_days=HORIZON_DAYS)
    horizon = timedelta(days=HORIZON_DAYS)
    evidence = Evidence(log, history, horizon, None, np.random.default_rng(0))
    rows = evidence.rows(day(0), day(MODELS_DAY - HORIZON_DAYS), at=day(MODELS_DAY))
    rows = rows.drop_nulls("label")
    past, recent = (
        rows.filter((pl.col("time") < day(LEARN_DAY)) == early) for early in (True, False)
    )

    def policy(name, wanted, seed):
        spec = TrainSpec(rounds=60, bins=64, threads=1, row_share=0.7, seed=seed)
        model = fit(past, features=fraud.inputs(wanted), label="label", spec=spec)
        costs = fraud.Costs(wrong_block=25)
        found = fraud.choose_cutoff(
            model.score(recent), recent["label"], recent["amount"], costs=costs
        )
        return fraud.blocking(model, wanted, log, cutoff=found.cutoff, name=name)

    payer = [each for each in history if not {"device"} & set(each.name.split("_"))]
    live = policy("payer@1", payer, seed=0)
    shadows = {"twin": policy("payer@2", payer, seed=1), "new": policy("device@1", history, seed=0)}
    run(Shadow(live, shadows), END_DAY)
    run(rule, END_DAY + HORIZON_DAYS)  # until the last complaints are in
    seen = evidence.rows(day(MODELS_DAY), day(END_DAY), at=day(END_DAY + HORIZON_DAYS))
    decided = evidence.decided(day(MODELS_DAY), day(END_DAY)).drop("time", "surface")
    both = pairs(decided, live="payer@1", shadow="device@1", twin="payer@2")
    about = seen.select("request", "label", *_KEPT)
    if is_fraud is not None:
        about = about.with_columns(pl.Series("truth", is_fraud(seen)).cast(pl.Int8))
    both = both.drop(f"{who}_item" for who in ("live", "shadow", "twin"))
    return both.join(about, on="request", how="left", maintain_order="left")
