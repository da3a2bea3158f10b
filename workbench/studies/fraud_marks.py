"""How good is the fraud model: when it is judged, when it is live, and in money."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import numpy as np
import polars as pl

from workbench import experiments, fraud, metrics
from workbench.outcomes import outcomes
from workbench.studies.both_worlds import value_per_payment
from workbench.studies.fraud_evidence import Evidence
from workbench.studies.fraud_plan import FraudPlan
from workbench.studies.scorecard import Score

__all__ = ["cost_per_thousand", "judge", "kept", "live", "value_per_user"]


def cost_per_thousand(labels, scores, amounts, *, cutoff: float, costs: fraud.Costs) -> float:
    """What 1,000 payments cost when those from `cutoff` on are blocked.

    >>> labels, scores, amounts = [1, 0, 1, 0], [0.9, 0.8, 0.3, 0.1], [500, 20, 30, 40]
    >>> cost_per_thousand(labels, scores, amounts, cutoff=0.5, costs=fraud.Costs())
    10000.0
    """
    stolen, blocked = np.asarray(labels) == 1, np.asarray(scores) >= cutoff
    missed = np.asarray(amounts, float)[stolen & ~blocked].sum() * costs.lost_share
    return float(missed + costs.wrong_block * (blocked & ~stolen).sum()) / len(stolen) * 1_000


def judge(
    evidence: Evidence,
    rows: pl.DataFrame,
    cutoff: float,
    plan: FraudPlan,
    ranked: pl.DataFrame | None = None,
) -> dict[str, Score]:
    """Marks of the model on labelled rows with its `score`, by the name of the metric.

    The cost is that of `rows`; the order is marked on `ranked`, on `rows` if not given.
    """
    ranked = rows if ranked is None else ranked
    order = {"auc": metrics.auc, "average_precision": metrics.average_precision}
    names = {"auc": "AUC as of, split by time", "average_precision": "average precision as of"}
    marks = {
        name: evidence.mark(names[name], metric, ranked, ranked["score"])
        for name, metric in order.items()
    }
    if plan.cards_a_day is not None:
        k, days = plan.cards_a_day, ranked["time"].dt.date().n_unique()
        found = fraud.card_precision(ranked, k=k)
        by_amount = fraud.card_precision(ranked.with_columns(score="amount"), k=k)
        # each card that is looked at counts as one trial
        share = metrics.share_interval(round(found * k * days), k * days)
        marks[f"card_precision_{k}"] = Score(
            what=f"card precision@{k} as of", measured=found, low=share.low, high=share.high,
            baseline=by_amount,
        )  # fmt: skip

    def cost(labels, scores, amounts):
        return cost_per_thousand(labels, scores, amounts, cutoff=cutoff, costs=plan.costs)

    nothing = cost(rows["label"], np.full(len(rows), -np.inf), rows["amount"])
    name, columns = "cost per 1,000 payments, cutoff", (rows["score"], rows["amount"])
    marks["cost"] = evidence.score(name, cost, rows, *columns, baseline=nothing)
    return marks


def kept(marks: Mapping[str, Score]) -> dict[str, tuple]:
    """Marks as a run keeps them; what could not be measured is left out."""
    return {
        name: (mark.measured, mark.low, mark.high)
        for name, mark in marks.items()
        if mark.low is not None
    }


def live(
    evidence: Evidence, week: pl.DataFrame, logged: pl.DataFrame, policy: str, commit_minutes: int
) -> tuple[Score, Score]:
    """AUC of the scores that decided, and what they lost to a log that lags behind.

    `week` has the same model's `score` from features as of each request. The labels are those of
    the half that the rule decided: there the model only watched, so it censored nothing.
    """
    scored = logged.filter(pl.col("policy") == policy).select("request", "live", logged="score")
    rows = week.join(scored, on="request", how="inner", maintain_order="left")
    label = pl.when(~pl.col("live")).then("label")
    rows = rows.with_columns(label=label)
    lag = f"{commit_minutes / 60:g} h"
    return (
        evidence.mark("AUC live, scores as logged", metrics.auc, rows, rows["logged"]),
        evidence.gain(
            f"AUC lost to a log {lag} old", metrics.auc, rows, rows["logged"], rows["score"]
        ),
    )


def value_per_user(
    evidence: Evidence,
    week: pl.DataFrame,
    logged: pl.DataFrame,
    arms: Mapping[str, str],
    shares: Mapping[str, float],
    at: datetime,
    margin: float,
) -> Score:
    """The A/B: value per user under the new policy minus under the old one.

    Parameters
    ----------
    week, logged : pl.DataFrame
        The week's checkouts, and all decisions on them.
    arms : mapping of arm to the name of its policy
        The control first.
    shares, at, margin
        As planned; when it is read; as for `value_per_payment`.

    Raises
    ------
    ValueError
        If users are missing or doubled in an arm: then there is nothing to read.
    """
    ours = pl.any_horizontal(
        (pl.col("variant") == arm) & (pl.col("policy") == policy) for arm, policy in arms.items()
    )
    tried = logged.filter(ours).join(week.select("request", "amount"), on="request")
    due = outcomes(evidence.log.as_of(at), tried, horizon=evidence.horizon, at=at)
    worth = value_per_payment(due, margin=margin)
    read = experiments.analyse(worth, metrics=["value"], expected=shares)
    if not read.sample_ratio.ok:
        raise ValueError(f"the A/B cannot be read: {read!r}")
    effect = read["value"].effect
    return Score(
        what="value per user, new minus rule", measured=effect.difference, low=effect.low,
        high=effect.high, baseline=0.0,
    )  # fmt: skip
