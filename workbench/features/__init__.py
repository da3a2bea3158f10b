"""What was known about this user, this item, this pair, at the moment of the request?

A feature is a value: what is aggregated, of which events, per whom, over which window. The same
value computes training rows today and serving rows later, so the two cannot drift apart.

    requests ──┐
    features ──┼──► training_frame ──► the requests, in order, one column per feature
    log ───────┘      only events that had happened *and* were known before each request

`definition` says what a feature is and what it sees, `aggregates` which there are, `composed` how
they combine; `offline` computes them from the log, `lookup` does the same for a policy.
"""

from workbench.features.aggregates import (
    calendar,
    count,
    distance_km,
    distinct,
    formula,
    last,
    latest,
    max,
    mean,
    min,
    ratio,
    share,
    std,
    sum,
    time_since,
    values,
)
from workbench.features.composed import Calendar, Formula, Ratio
from workbench.features.definition import Feature
from workbench.features.layout import Layout, lay_out
from workbench.features.lookup import LogLookup
from workbench.features.offline import training_frame
from workbench.features.online import OnlineStore

__all__ = [
    "Calendar",
    "Feature",
    "Formula",
    "Layout",
    "LogLookup",
    "OnlineStore",
    "Ratio",
    "calendar",
    "count",
    "distance_km",
    "distinct",
    "formula",
    "last",
    "latest",
    "lay_out",
    "max",
    "mean",
    "min",
    "ratio",
    "share",
    "std",
    "sum",
    "time_since",
    "training_frame",
    "values",
]
