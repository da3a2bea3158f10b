"""Should this payment go through?

    log ─► history ─► frame ─► training.fit ─► model ─┐
                                                      ├─► blocking: a policy
    costs ─► choose_cutoff(scores, labels, amounts) ──┘

`history` and `card_history` are lists of feature definitions, `frame` adds what the request itself
tells (night, weekend, amount against the usual). The cutoff is chosen by money, not by taste.
"""

from workbench.fraud.blocking import Costs, Cutoff, HistoryScore, blocking, choose_cutoff
from workbench.fraud.history import card_history, frame, history, inputs
from workbench.fraud.protocol import card_precision, handbook_split

__all__ = [
    "Costs",
    "Cutoff",
    "HistoryScore",
    "blocking",
    "card_history",
    "card_precision",
    "choose_cutoff",
    "frame",
    "handbook_split",
    "history",
    "inputs",
]
