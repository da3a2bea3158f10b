"""What was known about this user, this item, this pair, at the moment of the request?

A feature is a value: what is aggregated, of which events, per whom, over which window. The same
value computes training rows today and serving rows later, so the two cannot drift apart.

    requests ──┐
    features ──┼──► training_frame ──► the requests, in order, one column per feature
    log ───────┘      only events that had happened *and* were known before each request

`definition` says what a feature is, `aggregates` which there are, `offline` computes them
from the log, `lookup` does the same for a policy, `stabbing` and `exact` are the numbers.
"""

from workbench.features.aggregates import count, distinct, mean, ratio, share, sum, time_since
from workbench.features.definition import Feature, Ratio
from workbench.features.lookup import LogLookup
from workbench.features.offline import training_frame

__all__ = [
    "Feature",
    "LogLookup",
    "Ratio",
    "count",
    "distinct",
    "mean",
    "ratio",
    "share",
    "sum",
    "time_since",
    "training_frame",
]
