"""Replay of outcomes: what a challenger would have earned, estimated from the champion's log.

Possible only where the champion sometimes did what the challenger would do, with a chance that is
known: an exploring champion (`workbench.policy.Explore`), or a split. Where not, the answer is a
refusal and not a number.
"""

from workbench.experiments.replay.outcomes import Replayed, ReplayPlan, replay_outcomes
from workbench.experiments.replay.support import Limits

__all__ = ["Limits", "ReplayPlan", "Replayed", "replay_outcomes"]
