"""Two models that read a log as it arrives, day by day, and what their decisions cost by the truth.

fraud    XGBoost on history features, trained every week on labels as known; each payment is scored
         as it arrived. What never arrives is not scored, and approved.
clicks   which items are clicked where they are shown, over the last days, counted anew every
         midnight; fills the home page with the best five candidates.

Both costs are in the currency of the prices: frauds missed and honest people blocked; margin that
the page could have brought and did not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import numpy as np
import polars as pl

from workbench import fraud, metrics
from workbench.studies.damage_tasks import FraudTask
from workbench.training import TrainSpec

__all__ = ["DailyModels", "DaysPlan"]

Frames = Mapping[str, pl.DataFrame]
MARKS = {"day": pl.Int64, "task": pl.String, "auc": pl.Float64, "cost": pl.Float64}
SLATE, SHRINK = 5, 20.0  # items on a page; impressions' worth of the mean for an item


@dataclass(frozen=True, kw_only=True, slots=True)
class DaysPlan:
    """When one looks, and how the models learn.

    Parameters
    ----------
    first_day : int
        The first day that one can look at; what came before is what checks compare with.
    retrain_days : int
        How often the fraud model is trained anew, from `first_day` on.
    learn_days : int
        How many days of payments with final labels it learns from, and of clicks the page.
    margin_share : float
        Share of a price that is earned by a sale, in [0, 1].
    task : FraudTask
        The fraud model and its costs.

    Raises
    ------
    ValueError
        If days are not positive, the first day is too early to learn, or the margin is no share.
    """

    first_day: int = 28
    retrain_days: int = 7
    learn_days: int = 12
    margin_share: float = 0.2  # a retailer's rule of thumb
    task: FraudTask = field(
        default_factory=lambda: FraudTask(
            horizon_days=4.0, spec=TrainSpec(rounds=40, bins=64, threads=1)
        )
    )

    def __post_init__(self):
        if min(self.retrain_days, self.learn_days) < 1:
            raise ValueError(
                f"retrain_days and learn_days must be at least 1, got {self.retrain_days} and "
                f"{self.learn_days}"
            )
        if self.first_day < self.learn_days + self.task.horizon_days:
            raise ValueError(
                f"first_day must be at least learn_days and the horizon of labels, "
                f"{self.learn_days} + {self.task.horizon_days:g}, got {self.first_day}"
            )
        if not 0 <= self.margin_share <= 1:
            raise ValueError(f"margin_share must be in [0, 1], got {self.margin_share}")


class DailyModels:
    """The truth about every payment and page, looked up once, and marks for any log of them.

    Parameters
    ----------
    clean : mapping of kind to DataFrame
        impression, click, payment, chargeback.
    pages : pl.DataFrame
        Candidates of home pages: request, item, time, price, bestseller.
    truth : Truth
    plan : DaysPlan
    """

    def __init__(self, clean: Frames, pages: pl.DataFrame, truth: Any, plan: DaysPlan):
        self.plan = plan
        first = min(frame["known_at"].min() for frame in clean.values())
        last = max(frame["time"].max() for frame in clean.values())
        self.midnight = first.replace(hour=0, minute=0, second=0, microsecond=0)
        self.days = range(plan.first_day, (last - self.midnight).days + 1)
        paid = clean["payment"].with_columns(
            day=self._day("time"), stolen=pl.Series(truth.is_fraud(clean["payment"]))
        )
        paid = paid.filter(pl.col("day") >= plan.first_day)
        self._paid = paid.select("event", "day", "amount", "stolen")
        self._pages = self._look_up(pages, truth)
        self._seen = truth.examination(np.arange(1, SLATE + 1))
        self._trained = self._train(clean, plan.first_day)

    def marks(self, log: Frames, since: int | None = None) -> pl.DataFrame:
        """True AUC and true cost of both models, by day and task: MARKS.

        With `since`, only of the days from then on, in a log that differs from the clean one from
        that midnight on: what is trained later is trained on it.
        """
        models, first = self._trained, self.plan.first_day
        if since is not None:
            models, first = models | self._train(log, since + 1), since
        rows = [*self._fraud(log, first, models), *self._clicks(log, first)]
        return pl.DataFrame(rows, schema=MARKS, orient="row")

    def busy(self, clean: Frames) -> pl.DataFrame:
        """What went on in the shop: day, people, home, search, clicks, checkouts, frauds."""
        day, home = self._day("time").alias("day"), pl.col("surface") == "home"
        both = pl.concat([clean[kind].select(day, "user") for kind in ("impression", "payment")])
        people = both.group_by("day").agg(people=pl.col("user").n_unique())
        pages = pl.col("request")
        seen = clean["impression"].group_by(day)
        seen = seen.agg(home=pages.filter(home).n_unique(), search=pages.filter(~home).n_unique())
        clicks = clean["click"].group_by(day).agg(clicks=pl.len())
        paid = self._paid.group_by("day").agg(checkouts=pl.len(), frauds=pl.col("stolen").sum())
        busy = people.join(seen, on="day").join(clicks, on="day").join(paid, on="day")
        return busy.sort("day")

    def _fraud(self, log: Frames, since: int, models: Mapping[int, Any]):
        """The latest model on the payments of each day, as they have arrived."""
        task = self.plan.task
        made = log["payment"].drop_nulls(("amount", "user"))
        made = made.unique("event", keep="first", maintain_order=True)
        made = made.join(self._paid.select("event", arrived_day="day"), on="event")
        made = made.filter(pl.col("arrived_day") >= since)
        made = fraud.frame(made, task.history, log)
        ratio = pl.col("amount_over_usual")
        made = made.with_columns(pl.when(ratio.is_finite()).then(ratio).alias("amount_over_usual"))
        for day in range(since, self.days.stop):
            booster, cutoff = models[max(each for each in models if each <= day)]
            today = made.filter(pl.col("arrived_day") == day)
            scored = today.select("event", score=pl.Series(booster.score(today)))
            rows = self._paid.filter(pl.col("day") == day)
            rows = rows.join(scored, on="event", how="left", maintain_order="left")
            score = rows["score"].fill_null(0.0).to_numpy()
            stolen, amount = rows["stolen"].to_numpy(), rows["amount"].to_numpy()
            blocked = (rows["score"] >= cutoff).fill_null(False).to_numpy()
            missed = amount[stolen & ~blocked].sum() * task.costs.lost_share
            cost = missed + task.costs.wrong_block * (blocked & ~stolen).sum()
            yield day, "fraud", metrics.auc(stolen.astype(float), score), float(cost)

    def _train(self, log: Frames, since: int) -> dict[int, Any]:
        """A model and its cutoff for each day of training from `since` on, from what is known."""
        plan, made = self.plan, {}
        for day in self.days[:: plan.retrain_days]:
            if day < since:
                continue
            now = self.midnight + timedelta(days=day)
            last = now - timedelta(days=plan.task.horizon_days)
            days = {"train_first": last - timedelta(days=plan.learn_days), "train_last": last}
            known = {kind: log[kind].filter(pl.col("known_at") < now) for kind in plan.task.kinds}
            model = plan.task.fit(known, {**days, "model": now})
            if model is not None:  # else the last one stays
                made[day] = model
        if plan.first_day >= since and plan.first_day not in made:
            raise ValueError(f"too few labelled frauds by day {plan.first_day} to train a model")
        return made

    def _look_up(self, pages: pl.DataFrame, truth: Any) -> dict[int, tuple[np.ndarray, ...]]:
        """By day: item, true chance of a click if on top, and margin per click; (pages, m)."""
        time = pl.col("time").cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
        pages = pages.with_columns(time).with_columns(day=self._day("time"))
        pages = pages.filter(pl.col("day") >= self.plan.first_day)
        chance = truth.click_probability(pages)
        margin = truth.purchase_probability(pages) * pages["price"] * self.plan.margin_share
        pages = pages.with_columns(chance=pl.Series(chance), margin=margin)
        out = {}
        for (day,), rows in pages.sort("day", "request", "item").group_by(
            "day", maintain_order=True
        ):
            shape = (rows["request"].n_unique(), -1)
            out[day] = tuple(
                rows[name].to_numpy().reshape(shape) for name in ("item", "chance", "margin")
            )
        return out

    def _clicks(self, log: Frames, since: int):
        """The page of each day, by what was clicked in the days before."""
        shown, gain = self._by_day_and_item(log)
        for day in range(since, self.days.stop):
            window = slice(day - self.plan.learn_days, day)
            views, gains = shown[window].sum(axis=0), gain[window].sum(axis=0)
            mean = gains.sum() / max(views.sum(), 1.0)
            score = (gains + SHRINK * mean) / (views + SHRINK)
            item, chance, margin = self._pages[day]
            ranks = score[item]
            order = np.argsort(-ranks, axis=1, kind="stable")[:, :SLATE]
            worth = chance * margin
            best = -np.sort(-worth, axis=1)[:, :SLATE]
            got = np.take_along_axis(worth, order, axis=1)
            flat, both = chance.ravel(), np.concatenate([ranks.ravel()] * 2)
            clicked = np.repeat([1.0, 0.0], flat.size)  # each candidate is clicked with its chance
            auc = metrics.auc(clicked, both, weights=np.concatenate([flat, 1 - flat]))
            yield day, "clicks", auc, float(((best - got) @ self._seen).sum())

    def _by_day_and_item(self, log: Frames) -> tuple[np.ndarray, np.ndarray]:
        """Impressions, and clicks that belong to one, weighted for their place; (days, items)."""
        clicked = log["click"].drop_nulls(("request", "item", "position"))
        clicked = clicked.group_by("request", "item").agg(pl.col("position").min())
        rows = log["impression"].select("request", "item", day=self._day("known_at"))
        rows = rows.join(clicked, on=["request", "item"], how="left")
        gain = (pl.col("position").cast(pl.Float64) ** 0.7).fill_null(0.0)  # the shop's own eta
        rows = rows.group_by("day", "item").agg(views=pl.len(), gain=gain.sum())
        items = max(max(page[0].max() for page in self._pages.values()), rows["item"].max()) + 1
        shown, gains = np.zeros((2, max(self.days.stop, rows["day"].max() + 1), items))
        where = rows["day"].to_numpy(), rows["item"].to_numpy()
        shown[where], gains[where] = rows["views"].to_numpy(), rows["gain"].to_numpy()
        return shown, gains

    def _day(self, name: str) -> pl.Expr:
        return (pl.col(name) - self.midnight).dt.total_days()
