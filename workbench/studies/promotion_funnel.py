"""The promotion funnel: every gate between a challenger and the shop, marked by the truth.

    a world ─► weeks of random pages ─► champion and twelve challengers
                                              │
        48 hours, all twelve in the shadow ───┼─► odd?  different?  NDCG?  replay?
        everybody dealt, one and two weeks ───┼─► A/B estimate, its interval
        everybody in each arm, four weeks ────┴─► true lift

A gate lets a challenger pass or not; the truth says whether it should have. The shadows decide on
the champion's own requests, replay reads the champion's exploring log of the same 48 hours, and A/B
tests are dealt from the stored outcomes of the same people (`potential`: no spill-over between
arms). Gates and marks are in `promotion_marks`.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cached_property, partial
from typing import Any

import numpy as np
import polars as pl

from workbench import experiments
from workbench.assign import uniform
from workbench.events import EventLog
from workbench.experiments.replay import replay_outcomes
from workbench.policy import Columns, Rank, Shadow, Threshold
from workbench.studies.click_rankers import shown_and_clicked
from workbench.studies.promotion_marks import Funnel
from workbench.studies.promotion_paper import log_gain
from workbench.studies.promotion_zoo import AGAIN, CHAMPION, SLOTS, ZOO, HomeCounts, played, zoo
from workbench.studies.replay_marks import PLAN, HomeLog, home_log

__all__ = [
    "FunnelPlan",
    "ShadowWeek",
    "evidence",
    "promotion_funnel",
    "shadow_days",
    "through_the_gates",
]

_LUCKS = 5  # slates drawn for each page when the truth of a page is asked
OTHERS = {
    "search": Rank("price", SLOTS, "dear@1"),
    "checkout": Threshold("amount", np.inf, "all@1"),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class FunnelPlan:
    """Days of random pages, of shadow, and of play; looks of the A/B test; what counts as better.

    The last `fresh_days` of the random pages are learnt from, the days before counted. `margin` is
    a share of the champion's metric: above it is better, below its negative worse, between the
    same. `deals` A/B tests are dealt for each challenger and look, `ab_share` of the people to it.

    Raises ValueError if a number of days is not above zero, or a look is after the last played day.
    """

    learn_days: int = 21
    fresh_days: int = 7
    stale_days: int = 3
    shadow_days: int = 2
    play_days: int = 28
    ab_days: tuple[int, ...] = (7, 14)
    ab_share: float = 0.5
    deals: int = 20
    metric: str = "clicks"
    margin: float = 0.01
    temperature: float = 0.25

    def __post_init__(self) -> None:
        for name in (
            each for each in self.__slots__ if each.endswith("_days") and each != "ab_days"
        ):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be above zero, got {getattr(self, name)}")
        if not self.ab_days or not 0 < min(self.ab_days) <= max(self.ab_days) <= self.play_days:
            raise ValueError(f"ab_days must be in [1, {self.play_days}], got {self.ab_days}")
        if not 0 < self.ab_share < 1:
            raise ValueError(f"ab_share must be in (0, 1), got {self.ab_share}")
        if self.fresh_days >= self.learn_days or self.stale_days >= self.learn_days:
            raise ValueError(
                f"fresh_days and stale_days must be below the {self.learn_days} learn_days, got "
                f"{self.fresh_days} and {self.stale_days}"
            )

    @property
    def days(self) -> int:
        """Of the world."""
        return self.learn_days + self.shadow_days + self.play_days


def promotion_funnel(
    worlds: Sequence[Callable[[], Any]],
    plan: FunnelPlan | None = None,
    *,
    map: Callable = map,
) -> Funnel:
    """Send the zoo through every gate in each world, and mark the gates.

    Parameters
    ----------
    worlds : sequence of callables
        Each returns a world at its beginning, with at least the days of the plan, surfaces home,
        search and checkout, `truth.potential_outcomes` and `truth.click_probability`.
    plan : FunnelPlan, optional
    map : callable
        A map over worlds: the built-in, or that of an executor.

    Raises
    ------
    ValueError
        If there is no world, or one is too short for the plan.
    """
    if not worlds:
        raise ValueError("worlds must be one or more, got none")
    plan = plan or FunnelPlan()
    pieces = map(partial(one_world, plan=plan), range(len(worlds)), worlds)
    return Funnel(pl.concat(list(pieces)), plan.ab_days, plan.margin)


def one_world(number: int, make: Callable[[], Any], *, plan: FunnelPlan) -> pl.DataFrame:
    """The rows of one world."""
    return through_the_gates(shadow_days(make(), plan)).select(
        pl.lit(number).alias("world"), pl.all()
    )


def through_the_gates(week: ShadowWeek) -> pl.DataFrame:
    """One row per challenger: what the shadow, replay and A/B tests say, and the truth."""
    arms = {name: {"home": played(week.policies[name]), **OTHERS} for name in (CHAMPION, *ZOO)}
    outcomes = week.world.truth.potential_outcomes(arms, until=week.plan.days, by_day=True)
    return pl.DataFrame([evidence(week, name) | _ab(week, outcomes, name) for name in ZOO])


@dataclass(frozen=True)
class ShadowWeek:
    """What is known after the shadow, and the world at that moment.

    `decisions` are those of champion, shadows and the champion's twin, with `user` and `seen`
    ("new" or "known"); `items` has each item's category.
    """

    plan: FunnelPlan
    world: Any
    counts: HomeCounts
    policies: Mapping[str, Any]
    home: HomeLog
    decisions: pl.DataFrame
    items: pl.DataFrame

    def pairs(self, name: str) -> pl.DataFrame:
        """Champion, challenger and the champion's twin side by side."""
        names = {"live": f"{CHAMPION}@1", "shadow": f"{name}@1", "twin": f"{AGAIN}@1"}
        return experiments.pairs(self.decisions, **names)

    def true_gain(self, name: str) -> float:
        """What replay claims to estimate, on these very requests: clicks per page, as a share."""
        return self._true_clicks(name) / self._champion_clicks - 1

    @cached_property
    def _champion_clicks(self) -> float:
        return self._true_clicks(CHAMPION)

    def _true_clicks(self, name: str) -> float:
        """True clicks per page.

        The chances of a click are exact; of the slates that the policy could draw, some are drawn.
        """
        requests, clicks = self.home.requests, 0.0
        columns = {
            each: requests[each].to_numpy() for each in ("request", "user", "item", "category")
        }
        for luck in range(_LUCKS):
            policy = played(replace(self.policies[name], salt=f"luck {luck}"))
            shown = policy.act(columns)
            there = shown["item"] >= 0
            rows = pl.DataFrame(
                {each: shown[each][there] for each in ("request", "item", "position")}
            )
            rows = rows.with_columns(surface=pl.lit("home"))
            clicks += self.world.truth.click_probability(rows).sum()
        return float(clicks) / _LUCKS / requests["request"].n_unique()


def shadow_days(world: Any, plan: FunnelPlan) -> ShadowWeek:
    """Random pages, the zoo learnt from them, and the shadow's hours under the champion.

    Raises ValueError if the world is too short for the plan.
    """
    if world.spec.days < plan.days:
        raise ValueError(f"a world needs the plan's {plan.days} days, got {world.spec.days}")
    with tempfile.TemporaryDirectory() as folder:
        log = EventLog(folder)
        pages = Rank(_anything, SLOTS, "random@1")
        until, commit = plan.learn_days, 7 * 1440
        world.run({"home": pages, **OTHERS}, until=until, log=log, commit_minutes=commit)
        shown = shown_and_clicked(log)
        listed = log.scan("listing").select("item", category="category_name")
        items = listed.unique("item").collect()
    day = lambda days: world.spec.start + timedelta(days=days)  # noqa: E731
    fresh = day(plan.learn_days - plan.fresh_days)
    counts = HomeCounts(
        shown, world.spec.users, world.spec.items, fresh, day(plan.fresh_days), day(plan.stale_days)
    )
    policies = zoo(counts, temperature=plan.temperature)
    shadows = {name: policy for name, policy in policies.items() if name != CHAMPION}
    kept = _Kept(Shadow(policies[CHAMPION], shadows))
    until = plan.learn_days + plan.shadow_days
    home = home_log(world, {"home": kept, **OTHERS}, until=until)
    asked = home.requests.select("request", "user").unique("request")
    seen = np.where(counts.newcomers[asked["user"].to_numpy()], "new", "known")
    decisions = pl.concat(kept.decisions).join(
        asked.with_columns(seen=pl.Series(seen)), on="request", how="left", maintain_order="left"
    )
    return ShadowWeek(plan, world, counts, policies, home, decisions, items)


def evidence(week: ShadowWeek, name: str) -> dict[str, Any]:
    """What the shadow and the log say about one challenger, and what is true on these pages."""
    both = week.pairs(name)
    odd = experiments.oddities(both, by="seen", items=week.items)
    apart = experiments.disagreement(both)["order"]
    gain = log_gain(week.home, week.policies[CHAMPION].score, week.policies[name].score)
    row = {
        "challenger": name, "odd": not odd.ok, "alarms": ", ".join(odd.alarms),
        **{key: apart[key] for key in ("disagreement", "floor", "excess", "excess_low")},
        "ndcg": gain.estimate, "ndcg_low": gain.low, "ndcg_high": gain.high,
    }  # fmt: skip
    target, requests = week.policies[name], week.home.requests
    replayed = replay_outcomes(week.home.log, target, requests=requests, plan=PLAN)
    logged = week.home.log["reward"].sum() / requests["request"].n_unique()
    row |= dict.fromkeys(("replay", "replay_low", "replay_high")) | {"refused": not replayed.ok}
    if replayed.ok:
        best = replayed.estimate
        named = {"replay": "difference", "replay_low": "difference_low"}
        named["replay_high"] = "difference_high"
        row |= {mine: best[theirs] / logged for mine, theirs in named.items()}
    return row | {"replay_true": week.true_gain(name)}


def _ab(week: ShadowWeek, outcomes, name: str) -> dict[str, Any]:
    """True lifts, the first A/B test's, and how many of all deals win and cover."""
    plan = week.plan
    row = {"true": outcomes.effect(plan.metric, name, CHAMPION).relative}
    shares = {CHAMPION: 1 - plan.ab_share, name: plan.ab_share}
    before = np.zeros(len(outcomes.users))
    np.add.at(before, week.counts.shown["user"].to_numpy(), week.counts.shown["clicked"].to_numpy())
    metric = experiments.Mean(plan.metric, covariates=["before"])
    for look in plan.ab_days:
        true = outcomes.effect(plan.metric, name, CHAMPION, look=look).relative
        lifts = []
        for deal in range(plan.deals):
            dealt = outcomes.deal(shares, salt=f"{name}/{look}/{deal}", look=look)
            table = dealt.with_columns(before=before)
            read = experiments.analyse(table, [metric], expected=shares)
            if read.comparisons:  # dealt as planned, as the sample ratio has it
                lifts.append([*read.table.select("lift", "lift_low", "lift_high").row(0)])
        lift, low, high = np.array(lifts).T
        row |= {f"true_{look}": true, f"ab_{look}": lift[0]}
        row |= {f"ab_{look}_low": low[0], f"ab_{look}_high": high[0]}
        row |= {
            f"wins_{look}": (low > 0).sum() / plan.deals,
            f"covers_{look}": ((low <= true) & (true <= high)).mean(),
            f"covers_{look}_truth": ((low <= row["true"]) & (row["true"] <= high)).mean(),
        }
    return row


def _anything(requests: Columns) -> np.ndarray:
    """A random order, by hash: the same for the same page whoever asks."""
    return uniform("random page", requests["request"], requests["item"])


class _Kept:
    """A policy that keeps what it and its shadows decided."""

    def __init__(self, policy: Shadow):
        self._policy, self.decisions = policy, []

    def act(self, requests: Columns):
        answers = self._policy.act(requests)
        table = pl.DataFrame({name: answers[name] for name in _SAID})
        self.decisions.append(table.with_columns(item=pl.when(pl.col("item") >= 0).then("item")))
        return answers


_SAID = ("request", "policy", "position", "action", "item", "score")
