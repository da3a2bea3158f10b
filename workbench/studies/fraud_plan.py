"""When what happens in the fraud loop, and what the shop knows when it starts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from workbench import fraud
from workbench.features import Feature, Ratio
from workbench.policy import Policy, Rank
from workbench.training import TrainSpec

__all__ = ["CARDS", "FraudPlan"]

Days = tuple[float, float]

_DEAREST = Rank("price", k=5, name="page@1")
_PAGES = MappingProxyType({"home": _DEAREST, "search": _DEAREST})


@dataclass(frozen=True, kw_only=True, slots=True)
class FraudPlan:
    """Days are counted from the world's first midnight; a stretch ends before its second day.

    The defaults fit a marketplace of 84 days with a shock on day 42 and complaints that take six
    days on average; `CARDS` fits the Handbook's card transactions.

    Parameters
    ----------
    horizon_days : float
        How long a complaint is waited for before a payment counts as honest.
    usual_days, next_days : pair
        The table that the usual way is trained on; the week that then follows.
    train_days, judge_days : pair
        Training and judging of the first model, on labels that are final on `model_day`.
    model_day, ab_days, read_day
        The model is made; a week of A/B follows; its labels are final and it is read out.
    watch_days : pair
        Normal days that the alarm learns from; it watches from their end to `retrain_day`.
    retrain_day, retrain_train_days, last_days
        The second model, the days it learns from, and the week on which both are marked.
    watch : sequence of sequences of str
        Columns to watch together; `score` is the first model's.
    rule_cutoff : float
        Yesterday's rule blocks amounts from here on; infinite: it approves all.
    history : sequence of Feature or Ratio
        What is looked up about each payment.
    cards_a_day : int, optional
        Judge by the Handbook's protocol: card precision for a team that looks at so many cards,
        and cards that are known to be stolen when a day begins are left out of that day.
    commit_minutes : int
        How often the log is written during the A/B, so how old what a decision reads may be.
    margin : float
        Share of an honest amount that stays with the shop.
    costs : Costs
        What the two mistakes cost; they choose the cutoff.
    others : mapping of surface to Policy
        Who answers the world's other surfaces.
    """

    horizon_days: float = 14.0
    usual_days: Days = (0, 28)
    next_days: Days = (28, 35)
    train_days: Days = (0, 14)
    judge_days: Days = (14, 21)
    model_day: float = 35
    ab_days: Days = (35, 42)
    read_day: float = 56
    watch_days: Days = (7, 42)
    retrain_day: float = 63
    retrain_train_days: Days = (0, 49)
    last_days: Days = (63, 70)
    watch: Sequence[Sequence[str]] = (
        ("user_payments_1h",),
        ("amount",),
        ("score",),
        ("user_payments_1h", "amount", "score"),
    )
    rule_cutoff: float = 300.0
    history: Sequence[Feature | Ratio] = field(
        default_factory=lambda: fraud.history(("user", "device", "place"), label_delay_days=14)
    )
    cards_a_day: int | None = None
    commit_minutes: int = 240
    margin: float = 0.1
    costs: fraud.Costs = field(default_factory=fraud.Costs)
    spec: TrainSpec = field(default_factory=lambda: TrainSpec(threads=1))
    others: Mapping[str, Policy] = field(default_factory=lambda: _PAGES)
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("usual_days", "next_days", "train_days", "judge_days", "ab_days"):
            first, last = getattr(self, name)
            if not 0 <= first < last:
                raise ValueError(f"{name} must be a stretch of days from 0 on, got {first}, {last}")
        for sooner, later in (
            ("usual_days", "next_days"), ("train_days", "judge_days"), ("judge_days", "model_day"),
            ("next_days", "model_day"), ("model_day", "ab_days"), ("ab_days", "read_day"),
            ("read_day", "retrain_day"), ("retrain_train_days", "retrain_day"),
            ("retrain_day", "last_days"),
        ):  # fmt: skip
            ends, begins = _last(getattr(self, sooner)), _first(getattr(self, later))
            # labels of these days must be final when they are used
            wait = self.horizon_days if later in ("model_day", "read_day", "retrain_day") else 0.0
            wait = 0.0 if sooner in ("next_days", "read_day") else wait
            if ends + wait > begins:
                raise ValueError(
                    f"{later} must be day {ends + wait:g} or later: {sooner} ends on day {ends:g}"
                    + (f" and its labels are final {wait:g} days later" if wait else "")
                    + f"; got {begins:g}"
                )

    @property
    def end_day(self) -> float:
        """The day on which the labels of `last_days` are final."""
        return self.last_days[1] + self.horizon_days


def _first(days: Days | float) -> float:
    return days[0] if isinstance(days, tuple) else days


def _last(days: Days | float) -> float:
    return days[1] if isinstance(days, tuple) else days


CARDS = FraudPlan(
    horizon_days=8.0,  # more than the seven after which the set's frauds are known
    usual_days=(24, 52),
    next_days=(52, 59),
    train_days=(37, 44),  # the Handbook's protocol: train a week, wait, test a week
    judge_days=(52, 59),
    model_day=67,
    ab_days=(67, 74),
    read_day=82,
    watch_days=(44, 74),
    retrain_day=82,
    retrain_train_days=(67, 74),
    last_days=(82, 89),
    watch=(("user_payments_1d",), ("amount",), ("score",)),
    rule_cutoff=math.inf,
    history=tuple(fraud.card_history(label_delay_days=7.0)),
    cards_a_day=100,
)
