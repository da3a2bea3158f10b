"""Once around with recommendations: what will this customer buy next?

    record up to a day ─► log ─► checks ─► candidates ─► examples as of ─► ranker ─► champion
                                                                             │
    a model each week against the frozen one ◄─ alarm ◄─ two weeks, answered live

The rest of the record is played back. It says what was bought, not what was shown, so slates are
marked by what the visit ended in; whether another slate would have sold more, a record cannot tell.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, time, timedelta

import numpy as np
import polars as pl

from workbench import features, recommender, tracking, training
from workbench.data import checks
from workbench.data.recorded import columns_of
from workbench.data.replay import Replay
from workbench.events import EventLog
from workbench.lab import Lab
from workbench.policy import Columns, Policy, Rank, Shadow, decide
from workbench.studies.fraud_watch import drift_watch, watch_scores
from workbench.studies.purchase_evidence import PurchaseEvidence
from workbench.studies.purchase_plan import PurchasePlan
from workbench.studies.scorecard import Score, Scorecard

__all__ = ["PurchaseLoop", "purchase_loop"]

NAME = "next-purchase"  # of the runs and the model
WATCHED = (("score",), ("user_bought_90d",), ("days_since_user_bought",))


def purchase_loop(
    record: Mapping[str, pl.DataFrame],
    lab: Lab,
    plan: PurchasePlan | None = None,
    *,
    progress: bool = False,
) -> Scorecard:
    """Play the whole loop on a record of purchases; the scorecard is what came of it.

    Parameters
    ----------
    record : mapping of kind to frame
        `purchase` with `request` (the invoice), `user`, `item` and both clocks; rows with `guest`
        are sold like others, but nobody is asked what a guest buys next.
    lab : Lab
        An empty one: its log and its runs are written.
    plan : PurchasePlan, optional
        Days and settings; the default fits Online Retail II.
    progress : bool
        Show a bar for the steps and one for the days.

    Raises
    ------
    ValueError
        If the lab's log has events already, or the checks of the purchases fail.
    """
    from tqdm import tqdm

    loop = PurchaseLoop(record, lab, plan, progress)
    steps = tqdm(loop.steps, disable=not progress, unit="step")
    for step in steps:
        steps.set_description(step.__doc__.split(".")[0].lower())
        step()
    return loop.scorecard


class PurchaseLoop:
    """The steps of the loop, to be taken in the order of `steps`; `scorecard` grows with them."""

    def __init__(
        self,
        record: Mapping[str, pl.DataFrame],
        lab: Lab,
        plan: PurchasePlan | None = None,
        progress: bool = False,
    ):
        if lab.log.kinds:
            raise ValueError(f"the log of {lab!r} has events already: the loop begins with none")
        if "purchase" not in record:
            raise ValueError(
                f"the record has no purchases; it has {', '.join(record) or 'nothing'}"
            )
        self.lab, self.plan, self.progress = lab, plan or PurchasePlan(), progress
        self.record = record["purchase"]
        first = self.record["known_at"].min()
        self.start = datetime.combine(first.date(), time(), first.tzinfo)
        self.evidence = PurchaseEvidence(
            lab.log, self.plan.k, np.random.default_rng(self.plan.seed)
        )
        self.wanted = recommender.history()
        self.popular = Rank("item_sold_28d", self.plan.k, "popular@1")
        self.again = Rank(_bought_again, self.plan.k, "again@1")
        self.weeks: dict[datetime, pl.DataFrame] = {}
        self.scores: dict[str, Score] = {}

    @property
    def steps(self) -> tuple:
        """What is done, in order."""
        return self.collect, self.train, self.answer, self.refresh, self.watch

    @property
    def scorecard(self) -> Scorecard:
        """All that has been measured so far."""
        return Scorecard("what is bought next, once around on a record", (*self.scores.values(),))

    def collect(self) -> None:
        """Take the history. The log is checked before anybody learns from it."""
        now, known = self._day(self.plan.model_day), pl.col("known_at")
        self.lab.clock.now = now
        self.lab.log.append(purchase=self.record.filter(known < now), complete_until=now)
        checks.report(self.lab.log, "purchase", days=7).raise_if_failed()
        later = self.record.filter(known >= now)
        offer = Offer(self.lab.log, self.plan, self.wanted)
        # one wave a customer and day: the shop looks its log up once a day
        self.world = Replay({"purchase": later}, wave_minutes=1440, candidates=offer)

    def train(self) -> None:
        """Train and judge. Candidates and features as of each visit, judged on later weeks."""
        plan, day = self.plan, self.plan.model_day
        judged = day - 7 * plan.judge_weeks
        rows = self._examples(judged, day)
        trial = self._fit(judged)
        visits = self.evidence.visits(self._day(judged), self._day(day))
        slates = decide(recommender.ranking(trial, k=plan.k, name="trial"), rows)
        by_sales = decide(self.popular, rows)
        claims = {
            name: self.evidence.mean(
                f"{word}@{plan.k}, judged before",
                visits,
                self.evidence.each(visits, slates, name),
                baseline=float(self.evidence.each(visits, by_sales, name).mean()),
            )
            for name, word in (("recall", "recall"), ("ndcg", "NDCG"))
        }
        everything = PurchaseEvidence(self.lab.log, len(rows), self.evidence.rng)
        order = rows.with_columns(position=pl.int_range(pl.len()).over("request") + 1)
        reach = everything.each(visits, order, "recall")
        self._add(*claims.values(), everything.mean("recall of all candidates", visits, reach))
        seen, inputs = self.lab.log.as_of(self._day(day)), recommender.inputs(self.wanted)
        settings = {"train": plan.spec, "shelf": plan.shelf, "train_weeks": plan.train_weeks}
        with tracking.start(
            NAME, uri=self.lab.tracking, data=seen, features=inputs, params=settings
        ) as run:
            run.metrics({name: (m.measured, m.low, m.high) for name, m in claims.items()})
            run.model(self._fit(day))  # an order needs no cutoff: all weeks until today may teach
        tracking.promote(run)
        self.champion = self._champion("xgb@1")

    def answer(self) -> None:
        """Answer live. The champion decides; the two simple policies only watch."""
        plan, evidence = self.plan, self.evidence
        until = plan.model_day + 7 * plan.live_weeks
        simple = {"popular": self.popular, "again": self.again}
        self._run(Shadow(self.champion, simple), until)
        visits = evidence.visits(self._day(plan.model_day), self._day(until))
        for name, word in (("recall", "recall"), ("ndcg", "NDCG")):
            values = {
                policy: evidence.each(visits, evidence.slates(visits, policy), name)
                for policy in ("xgb@1", "again@1", "popular@1")
            }
            dumb = float(values["popular@1"].mean())
            gained = f"{word}@{plan.k} gained over buy again"
            for policy, title in (("xgb@1", "live"), ("again@1", "buy again")):
                what = f"{word}@{plan.k}, {title}"
                self._add(evidence.mean(what, visits, values[policy], baseline=dumb))
            self._add(
                evidence.mean(f"{word}@{plan.k}, most popular", visits, values["popular@1"]),
                evidence.mean(gained, visits, values["xgb@1"] - values["again@1"], baseline=0.0),
            )
        self._run(self.champion, plan.later_day)

    def refresh(self) -> None:
        """Train anew each week. The first champion is frozen and only watches."""
        plan, evidence, names = self.plan, self.evidence, []
        watching = {"frozen": self.champion, "popular": self.popular}
        for week in range(plan.later_weeks):
            day = plan.later_day + 7 * week
            with tracking.start(
                NAME, uri=self.lab.tracking, data=self.lab.log.as_of(self._day(day)),
                features=recommender.inputs(self.wanted), params={"train": plan.spec},
            ) as run:  # fmt: skip
                run.model(self._fit(day))
            tracking.promote(run)
            names.append(f"xgb@{week + 2}")
            self._run(Shadow(self._champion(names[-1]), watching), day + 7)
        visits = evidence.visits(self._day(plan.later_day), self._day(day + 7))
        frozen, fresh, dumb = (
            evidence.each(visits, evidence.slates(visits, *policies), "recall")
            for policies in (["xgb@1"], names, ["popular@1"])
        )
        kept, dumb = f"recall@{plan.k}, later month, ", float(dumb.mean())
        self._add(
            evidence.mean(f"{kept}frozen", visits, frozen, baseline=dumb),
            evidence.mean(f"{kept}weekly", visits, fresh, baseline=dumb),
            evidence.mean("recall gained by weekly training", visits, fresh - frozen, baseline=0.0),
        )

    def watch(self) -> None:
        """Watch without labels. Does the later month look like the weeks before?"""
        plan, split = self.plan, self._day(self.plan.later_day)
        last = plan.later_day + 7 * plan.later_weeks
        visits = self.evidence.visits(self._day(plan.model_day), self._day(last))
        first = self.evidence.slates(visits, "xgb@1").filter(pl.col("position") == 1)
        rows = visits.join(first.select("request", "score"), on="request", maintain_order="left")
        watched = [each for each in self.wanted if (each.name,) in WATCHED]
        rows = features.training_frame(rows, watched, self.lab.log)
        for name, watch in drift_watch(rows, split, WATCHED).items():
            self._add(*watch_scores(name, watch, self.start, None))

    def _examples(self, first: int, last: int) -> pl.DataFrame:
        """Examples of the visits of these days; each week is made once, it never changes."""
        weeks = [self._day(day) for day in range(first, last, 7)]
        for week in weeks:
            if week not in self.weeks:
                visits = self.evidence.visits(week, week + timedelta(days=7))
                self.weeks[week] = recommender.examples(
                    self.lab.log, visits, every_days=self.plan.shelf_days, spec=self.plan.shelf
                )
        return pl.concat(self.weeks[week] for week in weeks)

    def _fit(self, day: int) -> training.Model:
        rows = self._examples(day - 7 * self.plan.train_weeks, day)
        return recommender.fit_ranker(rows, spec=self.plan.spec)

    def _champion(self, name: str) -> Policy:
        model = tracking.load(NAME, uri=self.lab.tracking, read=training.Model.load)
        return recommender.ranking(model, k=self.plan.k, name=name)

    def _run(self, home: Policy, until: int) -> None:
        day = self._day(until)
        self.world.run({"home": home}, until=day, log=self.lab.log, progress=self.progress)

    def _day(self, day: float) -> datetime:
        return self.start + timedelta(days=day)

    def _add(self, *scores: Score) -> None:
        self.scores |= {score.what: score for score in scores}


class Offer:
    """What could be shown to visits: candidates with their features, looked up in the log."""

    def __init__(self, log: EventLog, plan: PurchasePlan, wanted):
        self.log, self.plan, self.wanted, self.shelf = log, plan, wanted, None

    def __call__(self, visits: Columns) -> Columns:
        """One row per visit and item, with all that the policies read."""
        moment = visits["time"].astype("datetime64[us]")
        asked = pl.DataFrame({name: visits[name] for name in ("request", "user")})
        asked = asked.with_columns(time=pl.Series(moment).dt.replace_time_zone("UTC"))
        today = datetime.combine(asked["time"].min().date(), time(), asked["time"].min().tzinfo)
        if self.shelf is None or today >= self.shelf.at + timedelta(days=self.plan.shelf_days):
            self.shelf = recommender.shelf(self.log, at=today, spec=self.plan.shelf)
        found = recommender.candidates(asked, self.log, self.shelf)
        return columns_of(features.training_frame(found, self.wanted, self.log))


def _bought_again(rows: Columns) -> np.ndarray:
    """What the user bought most often, the last first; then what sells."""
    often, since = rows["user_bought_item"], rows["days_since_user_bought_item"]
    return np.where(often > 0, often + 1 / (1 + np.nan_to_num(since)), rows["item_sold_28d"] / 1e6)
