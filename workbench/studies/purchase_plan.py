"""When what happens in the purchase loop."""

from __future__ import annotations

from dataclasses import dataclass, field

from workbench.recommender import ShelfSpec
from workbench.training import TrainSpec

__all__ = ["PurchasePlan"]


@dataclass(frozen=True, kw_only=True, slots=True)
class PurchasePlan:
    """Days are counted from the record's first midnight.

    The defaults fit the first year of Online Retail II: a model of 4 October 2010, and the weeks
    before Christmas, from 8 November on, as the later month.

    Parameters
    ----------
    model_day : int
        The record up to here is history; from here on it is played back.
    train_weeks, judge_weeks : int
        How far back a model learns; the last weeks of history judge a first one.
    live_weeks : int
        The champion answers, beside the two simple policies.
    later_day, later_weeks : int
        From here on a new model each week answers, beside the frozen champion.
    k : int
        Places on a slate.
    shelf_days : int
        How often what sells and what sells together is counted anew.
    """

    model_day: int = 307
    train_weeks: int = 6
    judge_weeks: int = 2
    live_weeks: int = 2
    later_day: int = 342
    later_weeks: int = 4
    k: int = 10
    shelf_days: int = 7
    shelf: ShelfSpec = field(default_factory=ShelfSpec)
    spec: TrainSpec = field(
        default_factory=lambda: TrainSpec(
            rounds=120, depth=6, learning_rate=0.1, min_child_weight=10.0, bins=256, threads=1
        )
    )
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("train_weeks", "judge_weeks", "live_weeks", "later_weeks", "k", "shelf_days"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        history = 7 * (self.train_weeks + self.judge_weeks)
        if self.model_day <= history:
            raise ValueError(
                f"model_day must come after the {history} days that are trained and judged on, "
                f"got {self.model_day}"
            )
        if self.later_day < self.model_day + 7 * self.live_weeks:
            raise ValueError(
                f"later_day must be {self.model_day + 7 * self.live_weeks} or later, when the live "
                f"weeks are over; got {self.later_day}"
            )
