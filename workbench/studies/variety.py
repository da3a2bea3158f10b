"""Better on paper, better in production? A ranker that knows a person's taste, and what it does.

    a world ─► weeks of random pages ─► two models ─┬► NDCG on later pages             on paper
                                                    └► everybody in each arm: visits,    true
                                                       clicks, purchases, revenue

The second model knows what the first knows, and how often a person clicks each category. It orders
better, fills pages with one kind, and people who see one kind come less often. Whether the gain or
the loss is larger depends on how much of one kind there is to show, so worlds of several kinds are
marked. A third arm has the second model and a rule: at most two of a category.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

import numpy as np
import polars as pl

from workbench import metrics
from workbench.assign import uniform
from workbench.events import EventLog
from workbench.metrics import Interval
from workbench.policy import Columns, Policy, Rank, Threshold
from workbench.studies.click_rankers import (
    INPUTS,
    ClickCounts,
    fit_clicks,
    page_score,
    shown_and_clicked,
)

__all__ = ["ARMS", "Variety", "VarietyPlan", "variety"]

ARMS = ("old", "new", "varied")
SLOTS = 5
TRUE_METRICS = ("visits", "clicks", "purchases", "revenue")


@dataclass(frozen=True, kw_only=True, slots=True)
class VarietyPlan:
    """Days of random pages that are counted, learnt from and judged on; days that arms are played.

    Raises ValueError if a number of days is not above zero.
    """

    count_days: int = 21
    learn_days: int = 7
    judge_days: int = 7
    play_days: int = 28

    def __post_init__(self) -> None:
        for name in self.__slots__:
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be above zero, got {getattr(self, name)}")


@dataclass(frozen=True)
class Variety:
    """`table` has one row per world and arm: `world arm ndcg alike`, and true relative effects.

    `alike` is the share of pairs of one page that are of one category; effects are against "old",
    as shares of it, over all users and all played days.
    """

    table: pl.DataFrame

    def mean(self, what: str, arm: str) -> Interval:
        """Over worlds, with a t interval: their luck is in it.

        For `ndcg` the relative gain over "old". Raises ValueError with fewer than two worlds.
        """
        from scipy import stats

        values = self.gains.filter(pl.col("arm") == arm)[what].to_numpy()
        if len(values) < 2:
            raise ValueError(f"an interval over worlds needs two of them, got {len(values)}")
        middle = values.mean()
        half = stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
        return Interval(float(middle), float(middle - half), float(middle + half), 0.95)

    @property
    def gains(self) -> pl.DataFrame:
        """`table` with `ndcg` as the relative gain over "old" of the same world."""
        old = pl.col("ndcg").filter(pl.col("arm") == "old").first().over("world")
        return self.table.with_columns(ndcg=pl.col("ndcg") / old - 1)

    def __repr__(self) -> str:
        head = f"{'arm':<8}" + "".join(f"{name:>11}" for name in ("NDCG", "alike", *TRUE_METRICS))
        lines = [f"{self.table['world'].n_unique()} worlds; gains over old, mean", head]
        for arm in ARMS:
            rows = self.gains.filter(pl.col("arm") == arm)
            ndcg, alike = rows["ndcg"].mean(), rows["alike"].mean()
            effects = "".join(f"{rows[name].mean():>+11.1%}" for name in TRUE_METRICS)
            paper = f"{ndcg:>+11.2%}" if arm in INPUTS else f"{'-':>11}"
            lines.append(f"{arm:<8}{paper}{alike:>11.2f}{effects}")
        return "\n".join(lines)


def variety(
    worlds: Sequence[Callable[[], Any]],
    plan: VarietyPlan | None = None,
    *,
    map: Callable = map,
) -> Variety:
    """Play each world with random pages, learn, judge on paper, then let the truth judge.

    Parameters
    ----------
    worlds : sequence of callables
        Each returns a world at its beginning, with at least the days of the plan, surfaces home,
        search and checkout, and `truth.potential_outcomes`.
    plan : VarietyPlan, optional
    map : callable
        A map over worlds: the built-in, or that of an executor.

    Raises
    ------
    ValueError
        If there is no world, or one is too short for the plan.
    """
    if not worlds:
        raise ValueError("worlds must be one or more, got none")
    pieces = map(partial(one_world, plan=plan or VarietyPlan()), range(len(worlds)), worlds)
    return Variety(pl.concat(list(pieces)))


def one_world(number: int, make: Callable[[], Any], *, plan: VarietyPlan) -> pl.DataFrame:
    """The rows of one world."""
    world = make()
    counted = plan.count_days
    learnt, judged = counted + plan.learn_days, counted + plan.learn_days + plan.judge_days
    if world.spec.days < judged + plan.play_days:
        needed = judged + plan.play_days
        raise ValueError(f"a world needs the plan's {needed} days, got {world.spec.days}")
    others = {
        "search": Rank("price", SLOTS, "dear@1"),
        "checkout": Threshold("amount", np.inf, "all@1"),
    }
    with tempfile.TemporaryDirectory() as folder:
        log = EventLog(folder)
        pages = Rank(_anything, SLOTS, "random@1")
        world.run({"home": pages, **others}, until=judged, log=log, commit_minutes=7 * 1440)
        shown = shown_and_clicked(log)
    day = lambda days: world.spec.start + timedelta(days=days)  # noqa: E731
    time = pl.col("time")
    past, later = ClickCounts.of(shown, day(counted)), ClickCounts.of(shown, day(learnt))
    learn = past.add(shown.filter(time >= day(counted), time < day(learnt)))
    judge = later.add(shown.filter(time >= day(learnt)))
    refit = past.add(shown.filter(time >= day(counted)))
    served, ndcg, seen = ClickCounts.of(shown), {}, {}
    for name in INPUTS:
        scores = fit_clicks(learn, name).score(judge)
        ndcg[name] = metrics.ndcg(judge["request"], judge["clicked"], scores)
        seen[name] = _Watched(page_score(fit_clicks(refit, name), served), name, served)
    tasteful = page_score(fit_clicks(refit, "new"), served, varied=True)
    seen["varied"] = _Watched(tasteful, "varied", served)
    arms = {name: {"home": policy, **others} for name, policy in seen.items()}
    outcomes = world.truth.potential_outcomes(arms, until=judged + plan.play_days)
    rows = [
        {"world": number, "arm": arm, "ndcg": ndcg.get(arm), "alike": seen[arm].alike}
        | {name: outcomes.effect(name, arm, "old").relative for name in TRUE_METRICS}
        for arm in ARMS
    ]
    return pl.DataFrame(rows, schema_overrides={"ndcg": pl.Float64})


def _anything(requests: Columns) -> np.ndarray:
    """A random order, by hash: the same for the same page whoever asks."""
    return uniform("random page", requests["request"], requests["item"])


class _Watched:
    """A ranker that counts how alike its pages are."""

    def __init__(self, score: Callable, name: str, counts: ClickCounts):
        self._rank: Policy = Rank(score, SLOTS, f"{name}@1")
        self._counts, self._alike, self._pairs = counts, 0, 0

    def act(self, requests: Columns):
        answers = self._rank.act(requests)
        shown = pl.DataFrame({name: answers[name] for name in ("request", "item")})
        shown = shown.join(self._counts.categories, on="item", how="left", maintain_order="left")
        of_a_kind = shown.group_by("request", "category").len()["len"]
        page = shown.group_by("request").len()["len"]
        self._alike += (of_a_kind * (of_a_kind - 1)).sum()
        self._pairs += (page * (page - 1)).sum()
        return answers

    @property
    def alike(self) -> float:
        """Share of pairs of one page that are of one category."""
        return self._alike / max(self._pairs, 1)
