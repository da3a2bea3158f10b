"""Once around with fraud: from the log of yesterday's rule to a retrained champion.

    rule runs ─► log ─► checks ─► as-of features ─► matured labels ─► model ─► champion
                                                                                  │
    retrained, better? ◄─ new labels ◄─ back to the rule ◄─ alarm ◄─ A/B against the rule

The world comes as an argument: the marketplace, which knows the truth of every line, or a recorded
log played back, which does not. The stages do the work; this file only keeps their order, and the
scorecard has one line for each thing in the order in which the shop learns it.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from workbench import fraud, metrics, tracking, training
from workbench.data import checks
from workbench.events import EventLog
from workbench.lab import Lab
from workbench.policy import Policy, Shadow, Split, Threshold
from workbench.studies.both_worlds import true_value_per_user
from workbench.studies.fraud_evidence import Evidence
from workbench.studies.fraud_marks import judge, kept, live, value_per_user
from workbench.studies.fraud_plan import Days, FraudPlan
from workbench.studies.fraud_watch import auc_watch, drift_watch, watch_scores
from workbench.studies.scorecard import Score, Scorecard

__all__ = ["FraudLoop", "fraud_loop"]

NAME = "fraud"  # of the runs and the model
SHARES = {"old": 0.5, "new": 0.5}
_USUAL_AUC = "AUC the usual way, random split"
USUAL = ["amount", "user_payments", "user_amount", "user_frauds"]


def fraud_loop(
    world: Any, lab: Lab, plan: FraudPlan | None = None, *, progress: bool = False
) -> Scorecard:
    """Play the whole loop; the scorecard is what came of it.

    Parameters
    ----------
    world : a world, not yet played
        The marketplace, or a replay of recorded payments and chargebacks. Its record or its days
        reach to `plan.end_day`.
    lab : Lab
        An empty one: its log and its runs are written.
    plan : FraudPlan, optional
        Days and settings; the default fits a marketplace of 84 days.
    progress : bool
        Show a bar for the steps and one for the days.

    Raises
    ------
    ValueError
        If the lab's log has events already, the checks of the payments fail, or the sample ratio
        of the A/B is off.
    """
    from tqdm import tqdm

    loop = FraudLoop(world, lab, plan, progress)
    steps = tqdm(loop.steps, disable=not progress, unit="step")
    for step in steps:
        steps.set_description(step.__doc__.split(".")[0].lower())
        step()
    return loop.scorecard


class FraudLoop:
    """The steps of the loop, to be taken in the order of `steps`; `scorecard` grows with them."""

    def __init__(self, world: Any, lab: Lab, plan: FraudPlan | None = None, progress: bool = False):
        if lab.log.kinds:
            raise ValueError(f"the log of {lab!r} has events already: the loop begins with none")
        self.world, self.lab, self.plan = world, lab, plan or FraudPlan()
        self.progress, self.start = progress, world.now
        truth = getattr(world, "truth", None)
        self.evidence = Evidence(
            lab.log,
            self.plan.history,
            timedelta(days=self.plan.horizon_days),
            truth,
            np.random.default_rng(self.plan.seed),
        )
        self.rule = Threshold("amount", self.plan.rule_cutoff, name="rule@1")
        self.scores: dict[str, Score] = {}

    @property
    def steps(self) -> tuple:
        """What is done, in order."""
        return self.collect, self.the_usual_way, self.train, self.compare, self.watch, self.retrain

    @property
    def scorecard(self) -> Scorecard:
        """All that has been measured so far."""
        known = "truth known" if self.evidence.truth is not None else "no truth"
        title = f"fraud, once around on {type(self.world).__name__} ({known})"
        return Scorecard(title, tuple(self.scores.values()))

    def collect(self) -> None:
        """Run yesterday's rule. The log is checked before anybody learns from it."""
        self._run(self.rule, self.plan.usual_days[1])
        checks.report(self.lab.log, "payment").raise_if_failed()

    def the_usual_way(self) -> None:
        """Train the usual way. One table, sums over all of it, a random split; then next week."""
        plan, (first, last) = self.plan, self._days(self.plan.usual_days)
        seen = self.lab.log.as_of(last)
        frauds = seen.scan("chargeback").select("request", label=1.0)
        table = seen.scan("payment", start=first, end=last).join(frauds, on="request", how="left")
        table = table.with_columns(pl.col("label").fill_null(0.0)).collect().sort("time", "event")
        self.sums = table.group_by("user").agg(
            user_payments=pl.len(), user_amount=pl.mean("amount"), user_frauds=pl.sum("label")
        )
        table = self._with_sums(table).sample(fraction=1, shuffle=True, seed=plan.seed)
        test, rest = table[: len(table) // 4], table[len(table) // 4 :]
        self.usual = training.fit(rest, features=USUAL, label="label", spec=plan.spec)
        test = test.with_columns(stolen=self.evidence.stolen(test))
        mark = self.evidence.mark
        claimed = mark(_USUAL_AUC, metrics.auc, test, self.usual.score(test))
        self._run(self.rule, plan.model_day)
        # what that AUC claims to be: next week's
        self._add(replace(claimed, truth=self._usual_next_week(at=None).truth))

    def train(self) -> None:
        """Train on what was knowable. Features as of each payment, labels that are final."""
        plan, day = self.plan, self._day(self.plan.model_day)
        inputs = fraud.inputs(plan.history)
        (first, split), (opens, last) = self._days(plan.train_days), self._days(plan.judge_days)
        rows = self.evidence.rows(first, last, at=day)
        past, time = rows.filter(pl.col("time") < split), pl.col("time")
        model = training.fit(past, features=inputs, label="label", spec=plan.spec)
        rows = rows.with_columns(score=pl.Series(model.score(rows)))
        final = rows.filter(time >= opens).drop_nulls("label")
        found = fraud.choose_cutoff(
            final["score"], final["label"], final["amount"], costs=plan.costs
        )
        self.cutoff = found.cutoff
        marks = judge(self.evidence, final, found.cutoff, plan, self._unknown(rows))
        self._add(*marks.values())
        settings = {"train": plan.spec, "cutoff": found.cutoff, "train_days": plan.train_days}
        seen = self.lab.log.as_of(day)
        with tracking.start(
            NAME, uri=self.lab.tracking, data=seen, features=inputs, params=settings
        ) as run:
            run.metrics(kept(marks))
            run.model(model)
        # the model that was judged, with the cutoff that was chosen on its scores, and no other
        tracking.promote(run)
        self.champion = tracking.load(NAME, uri=self.lab.tracking, read=training.Model.load)

    def compare(self) -> None:
        """Split a week against the rule. In the half of the rule the model only watches."""
        plan, log, until = self.plan, self.lab.log, self._day(self.plan.ab_days[1])
        self._run(self.rule, plan.ab_days[0])
        true_effect = None
        if self.evidence.truth is not None:
            old, new = (
                true_value_per_user(
                    self.world,
                    log,
                    policies,
                    until=until,
                    margin=plan.margin,
                    commit_minutes=plan.commit_minutes,
                )
                for policies in (
                    lambda copied: self._policies(self.rule),
                    lambda copied: self._policies(self._blocking(copied)),
                )
            )
            true_effect = new - old
        new = self._blocking(log)
        arms = {"old": Shadow(self.rule, {"new": new}), "new": new}
        split = Split(arms, SHARES, salt=f"{NAME}-{plan.seed}")
        self._run(split, plan.ab_days[1], plan.commit_minutes)
        self._run(self.rule, plan.read_day)
        self._read_out(new, true_effect)

    def watch(self) -> None:
        """Watch without labels. The rule decides again; nobody tells the shop what has changed."""
        plan, evidence = self.plan, self.evidence
        self._run(self.rule, plan.retrain_day)
        split, at = self._day(plan.watch_days[1]), self._day(plan.retrain_day)
        rows = evidence.rows(self._day(plan.watch_days[0]), at, at=at)
        rows = rows.with_columns(score=pl.Series(self.champion.score(rows)))
        shocks = None if evidence.truth is None else evidence.truth.shock_times
        watches = drift_watch(rows, split, plan.watch)
        watches |= auc_watch(rows, split, since=self._day(plan.judge_days[0]))
        for name, watch in watches.items():
            self._add(*watch_scores(name, watch, self.start, shocks))

    def retrain(self) -> None:
        """Retrain and mark both. Labels that have become final since; the next week tells."""
        plan, evidence, day = self.plan, self.evidence, self._day(self.plan.retrain_day)
        rows = evidence.rows(*self._days(plan.retrain_train_days), at=day)
        inputs = fraud.inputs(plan.history)
        after = training.fit(rows, features=inputs, label="label", spec=plan.spec)
        self._run(self.rule, plan.end_day)
        week = evidence.rows(*self._days(plan.last_days), at=self._day(plan.end_day))
        first, second = self.champion.score(week), after.score(week)
        self._add(evidence.mark("AUC of the old model, last week", metrics.auc, week, first))
        mark = evidence.mark("AUC of the retrained model", metrics.auc, week, second)
        self._add(mark)
        gained = evidence.gain("AUC gained by retraining", metrics.auc, week, first, second)
        self._add(gained)
        final = week.with_columns(score=pl.Series(second)).drop_nulls("label")
        found = fraud.choose_cutoff(
            final["score"], final["label"], final["amount"], costs=plan.costs
        )
        with tracking.start(
            NAME, uri=self.lab.tracking, data=self.lab.log.as_of(day), features=inputs,
            params={
                "train": plan.spec, "cutoff": found.cutoff, "train_days": plan.retrain_train_days
            },
        ) as run:  # fmt: skip
            run.metrics(kept({"auc": mark}))
            run.model(after)
        if gained.low is not None and gained.low > 0:
            tracking.promote(run)  # only when it is surely better

    def _read_out(self, new: Threshold, true_effect: float | None) -> None:
        """What the A/B week says, now that its labels are final; and what was claimed before."""
        plan, at = self.plan, self._day(self.plan.read_day)
        self._add(self._usual_next_week(at))
        week = self.evidence.rows(*self._days(plan.ab_days), at=at)
        week = week.with_columns(score=pl.Series(self.champion.score(week)))
        if self.evidence.truth is not None:
            # all checkouts of the week of use: also large amounts, which the rule had censored
            whole = week.with_columns(label="stolen")
            for claim in judge(self.evidence, whole, self.cutoff, plan).values():
                self._true(claim.what, claim.measured)
        logged = self.evidence.decided(*self._days(plan.ab_days))
        self._add(*live(self.evidence, week, logged, new.name, plan.commit_minutes))
        arms = {"old": self.rule.name, "new": new.name}
        effect = value_per_user(self.evidence, week, logged, arms, SHARES, at, plan.margin)
        self._add(replace(effect, truth=true_effect))

    def _unknown(self, rows: pl.DataFrame) -> pl.DataFrame | None:
        """The judged rows by the Handbook's protocol: cards known to be stolen are left out."""
        (first, split), (opens, last) = self.plan.train_days, self.plan.judge_days
        if self.plan.cards_a_day is None:
            return None
        days = {"train_days": split - first, "delay_days": opens - split, "test_days": last - opens}
        return fraud.handbook_split(rows.drop_nulls("label"), start=self._day(first), **days)[1]

    def _usual_next_week(self, at: datetime | None) -> Score:
        week = self._with_sums(self.evidence.rows(*self._days(self.plan.next_days), at=at))
        if at is None:  # nothing is known yet but the truth
            week = week.with_columns(label=pl.col("stolen"))
            if self.evidence.truth is None:
                return Score(what="", measured=None)
        name = "AUC the usual way, next week"
        return self.evidence.mark(name, metrics.auc, week, self.usual.score(week))

    def _with_sums(self, rows: pl.DataFrame) -> pl.DataFrame:
        return rows.join(self.sums, on="user", how="left", maintain_order="left")

    def _blocking(self, log: EventLog) -> Threshold:
        return fraud.blocking(
            self.champion, self.plan.history, log, cutoff=self.cutoff, name="xgb@1"
        )

    def _policies(self, checkout: Policy) -> dict[str, Policy]:
        return {**self.plan.others, "checkout": checkout}

    def _run(self, checkout: Policy, until: float, commit_minutes: int = 1440) -> None:
        self.world.run(
            self._policies(checkout), until=self._day(until), log=self.lab.log,
            commit_minutes=commit_minutes, progress=self.progress,
        )  # fmt: skip

    def _day(self, day: float) -> datetime:
        return self.start + timedelta(days=day)

    def _days(self, days: Days) -> tuple[datetime, datetime]:
        return self._day(days[0]), self._day(days[1])

    def _add(self, *scores: Score) -> None:
        self.scores |= {score.what: score for score in scores}

    def _true(self, what: str, truth: float) -> None:
        self.scores[what] = replace(self.scores[what], truth=truth)
