"""Is the world still the one that the model was trained in, and does anybody have to get up?

    reference days ──► how different is a normal day? ──► rule with a stated false-alarm rate
                                                            │
    live days ────────────────────────────────────────────► alarm, on which day, in which column

`drift` watches inputs and scores, which need no labels; `performance` watches AUC, once labels
have come. Both learn from the reference what a normal day looks like, instead of a fixed 0.25.
"""

from workbench.monitoring.alarm import Watch
from workbench.monitoring.drift import drift
from workbench.monitoring.performance import auc_and_error, performance

__all__ = ["Watch", "auc_and_error", "drift", "performance"]
