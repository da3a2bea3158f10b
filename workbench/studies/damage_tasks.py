"""Two models that a broken log can hurt: which payments are fraud, and which items are clicked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from workbench import fraud, metrics, training
from workbench.assign import uniform
from workbench.features import Feature, Ratio
from workbench.outcomes import outcomes
from workbench.studies.door import InMemoryLog
from workbench.studies.fraud_marks import cost_per_thousand
from workbench.training import TrainSpec

__all__ = ["ClickTask", "FraudTask"]

Frames = Mapping[str, pl.DataFrame]
Days = Mapping[str, datetime]


@dataclass(frozen=True, kw_only=True)
class FraudTask:
    """XGBoost on history features; the cutoff is chosen on the last third of its training days.

    A payment is a training row once its label is final, `horizon_days` later. The cost is what
    1,000 checkouts cost in missed frauds and wrong blocks, by the truth.
    """

    name: str = "fraud"
    unit: str = "cost per 1,000 checkouts"
    serves: bool = True  # history is looked up for every payment
    kinds: Sequence[str] = ("payment", "chargeback")
    horizon_days: float = 10.0
    history: Sequence[Feature | Ratio] = field(
        default_factory=lambda: fraud.history(("user", "device", "place"))
    )
    spec: TrainSpec = field(default_factory=lambda: TrainSpec(rounds=60, bins=256, threads=1))
    costs: fraud.Costs = field(default_factory=fraud.Costs)

    def fit(self, log: Frames, days: Days) -> tuple[training.Model, float] | None:
        """Model and cutoff; None where one of its two stretches has fewer than five of a label."""
        time = pl.col("time")
        rows = log["payment"].filter(time >= days["train_first"], time < days["train_last"])
        rows = rows.drop_nulls(("amount", "user"))
        if not rows.height:
            return None
        seen = InMemoryLog(log, days["model"])
        horizon = timedelta(days=self.horizon_days)
        rows = outcomes(seen, rows, horizon=horizon, at=days["model"]).drop_nulls("label")
        split = days["train_first"] + (days["train_last"] - days["train_first"]) * (2 / 3)
        past, late = rows.filter(time < split), rows.filter(time >= split)
        for part in (past, late):
            if min((part["label"] == 1).sum(), (part["label"] == 0).sum()) < 5:
                return None
        inputs = fraud.inputs(self.history)
        made = self._frame(past, log)
        model = training.fit(made, features=inputs, label="label", spec=self.spec)
        scores = model.score(self._frame(late, log))
        found = fraud.choose_cutoff(scores, late["label"], late["amount"], costs=self.costs)
        return model, found.cutoff

    def mark(self, model, clean: Frames, log: Frames, days: Days, truth: Any):
        """On all payments of the marked days; features come from `log`, the rest is clean."""
        booster, cutoff = model
        time = pl.col("time")
        rows = clean["payment"].filter(time >= days["mark_first"], time < days["mark_last"])
        scores = booster.score(self._frame(rows, log))
        stolen = truth.is_fraud(rows).astype(float)
        cost = cost_per_thousand(stolen, scores, rows["amount"], cutoff=cutoff, costs=self.costs)
        return metrics.auc(stolen, scores), cost

    def _frame(self, rows: pl.DataFrame, log: Frames) -> pl.DataFrame:
        """Features; a ratio over nothing is missing (training refuses infinities, rightly)."""
        made, ratio = fraud.frame(rows, self.history, log), pl.col("amount_over_usual")
        return made.with_columns(pl.when(ratio.is_finite()).then(ratio).alias("amount_over_usual"))


@dataclass(frozen=True, kw_only=True)
class ClickTask:
    """How often each item is clicked where it was shown, corrected for its place on the page.

    Clicks count for more at places that few look at (1 / examination, `position` ** `eta`), are
    joined to the impressions by request and item, and items with few impressions shrink to the
    mean. Marked by the true chance of a click of every user and item on some later pages: AUC with
    that chance as the label, and the true clicks lost on pages of five, against the best five of
    the candidates.
    """

    name: str = "clicks"
    unit: str = "clicks lost per 1,000 pages"
    serves: bool = False  # its scores are made once; the log is not read when pages are filled
    kinds: Sequence[str] = ("impression", "click")
    eta: float = 0.7
    pages: int = 400
    candidates: int = 20
    slate: int = 5
    shrink: float = 20.0  # impressions' worth of the mean

    def fit(self, log: Frames, days: Days) -> dict | None:
        """Score by item; None without a click that belongs to an impression."""
        time = pl.col("time")
        within = (time >= days["train_first"]) & (time < days["train_last"])
        shown = log["impression"].filter(within).select("request", "item")
        clicked = log["click"].filter(within).drop_nulls(("request", "item", "position"))
        clicked = clicked.group_by("request", "item").agg(pl.col("position").min())
        rows = shown.join(clicked, on=["request", "item"], how="left")
        weight = pl.col("position").cast(pl.Float64) ** self.eta
        rows = rows.with_columns(gain=weight.fill_null(0.0))
        if not rows["gain"].sum():
            return None
        mean, shrink = rows["gain"].mean(), self.shrink
        score = (pl.col("gain").sum() + shrink * mean) / (pl.len() + shrink)
        return dict(rows.group_by("item").agg(score).iter_rows()) | {None: mean}

    def mark(self, model, clean: Frames, log: Frames, days: Days, truth: Any):
        """On the first `pages` pages (by hash) of the marked days, with candidates by hash."""
        time = pl.col("time")
        shown = clean["impression"].filter(time >= days["mark_first"], time < days["mark_last"])
        pages = shown["request"].unique().sort()
        pages = pages.to_numpy()[np.argsort(uniform("pages", pages.to_numpy()))[: self.pages]]
        items = clean["impression"]["item"].unique().sort().to_numpy()
        draw = uniform("candidates", pages[:, None], np.arange(self.candidates))
        offered = items[(draw * len(items)).astype(int)]
        rows = {"request": pages.repeat(self.candidates), "item": offered.ravel()}
        chance = truth.click_probability(rows).reshape(offered.shape)
        scores = np.vectorize(lambda item: model.get(item, model[None]))(offered)
        auc = _soft_auc(chance.ravel(), scores.ravel())
        seen = truth.examination(np.arange(1, self.slate + 1))
        order = np.argsort(-scores, axis=1, kind="stable")[:, : self.slate]
        best = -np.sort(-chance, axis=1)[:, : self.slate]
        got = np.take_along_axis(chance, order, axis=1)
        return auc, float(((best - got) @ seen).mean() * 1_000)


def _soft_auc(chance: np.ndarray, scores: np.ndarray) -> float:
    """Chance that a random click scores above a random skip, where each pair clicks by chance."""
    both = np.concatenate([scores, scores])
    labels = np.repeat([1.0, 0.0], len(scores))
    return metrics.auc(labels, both, weights=np.concatenate([chance, 1 - chance]))
