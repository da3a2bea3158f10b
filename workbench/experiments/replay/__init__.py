"""Replay of outcomes: what a challenger would have earned, estimated from the champion's log.

Possible only where the champion sometimes did what the challenger would do, with a chance that is
known: an exploring champion (`workbench.policy.Explore`), or a split. Where not, the answer is a
refusal and not a number.

    replay_outcomes      the report: IPS, SNIPS, doubly robust, clip sensitivity, refusals
    slate_chances        for slates: position by position, in a cascade, or whole
    cross_fitted         a reward model for the doubly robust estimates
    value_bounds         where blocked payments have no outcome: the worst and the best case
    propensity_check     are the logged chances what happens?
    unsupported_share    does the logger ever do what the target does?
"""

from workbench.experiments.replay.censored import ValueBounds, value_bounds
from workbench.experiments.replay.frequencies import PropensityCheck, propensity_check
from workbench.experiments.replay.logged import policy_chances
from workbench.experiments.replay.outcomes import Replayed, replay_outcomes
from workbench.experiments.replay.overlap import unsupported_share
from workbench.experiments.replay.plan import ReplayPlan
from workbench.experiments.replay.reward_model import cross_fitted, mean_reward
from workbench.experiments.replay.slates import slate_chances
from workbench.experiments.replay.support import Limits

__all__ = [
    "Limits",
    "PropensityCheck",
    "ReplayPlan",
    "Replayed",
    "ValueBounds",
    "cross_fitted",
    "mean_reward",
    "policy_chances",
    "propensity_check",
    "replay_outcomes",
    "slate_chances",
    "unsupported_share",
    "value_bounds",
]
