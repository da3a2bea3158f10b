"""Who decides: anything that answers requests with decisions.

A policy is a model plus the rule that turns its scores into actions. It maps columns to columns, so
the same object serves thousands of requests a second and sits in a notebook; `decide` wraps it for
frames. Policies of policies (`Split`, `Holdout`, `Shadow`, `Fallback`) are policies and show their
`children`.

    requests    one row per (request, candidate): request, item, and what the score needs
    decisions   one row per (request, policy, position): DECISION_COLUMNS

`propensity` is P(this action and item at this position | request, the policy named in the row),
where chance is the salt. Under a `Split` it is given the arm, whose own probability is
`variant_share`; what a whole tree would have done is `policy.propensity(requests, decisions)`.
Stochastic choices hash (salt, request), so row order and batch size never matter.
"""

from workbench.policy.columns import NO_ITEM, Columns
from workbench.policy.decisions import DECISION_COLUMNS, decided
from workbench.policy.explore import Explore
from workbench.policy.fallback import Fallback
from workbench.policy.frames import decide, decision_table
from workbench.policy.holdout import Holdout
from workbench.policy.protocol import Policy, tree
from workbench.policy.rank import Rank
from workbench.policy.shadow import Shadow
from workbench.policy.split import Split
from workbench.policy.threshold import Threshold

__all__ = [
    "DECISION_COLUMNS",
    "NO_ITEM",
    "Columns",
    "Explore",
    "Fallback",
    "Holdout",
    "Policy",
    "Rank",
    "Shadow",
    "Split",
    "Threshold",
    "decide",
    "decided",
    "decision_table",
    "tree",
]
