"""What is asked of a replay."""

from __future__ import annotations

from dataclasses import dataclass, field

from workbench.experiments.replay.support import Limits

__all__ = ["ReplayPlan"]


@dataclass(frozen=True)
class ReplayPlan:
    """What is estimated, and how.

    metric
        The column of the reward, by the log's own name.
    per
        The value is a mean per `decision`, or per `request` with the rewards of a slate summed.
    cluster
        The column of what is independent: `request`, or `user` when users come back.
    clip
        Above which the weights of all estimates are cut; None cuts none.
    clips
        The clips of the sensitivity table.
    """

    metric: str = "reward"
    per: str = "decision"
    cluster: str = "request"
    confidence: float = 0.95
    clip: float | None = None
    clips: tuple[float, ...] = (100.0, 50.0, 20.0, 10.0, 5.0, 2.0, 1.0)
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self):
        if not 0 < self.confidence < 1:
            raise ValueError(f"confidence must be in (0, 1), got {self.confidence}")
        wrong = [clip for clip in (self.clip, *self.clips) if clip is not None and not clip > 0]
        if wrong:
            raise ValueError(f"clip must be above 0, got {wrong[0]}")
