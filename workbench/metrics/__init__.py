"""One log loss, one AUC, one NDCG for everybody, so that two numbers can be compared.

Arrays in, one float out. Metrics of a classifier take `(labels, scores)`, metrics of a ranking
`(queries, gains, scores)` with one row per item; `weights` count rows. Nothing is dropped silently:
a missing value is an error.
"""

from workbench.metrics.classification import auc, average_precision, log_loss
from workbench.metrics.interval import Interval, interval, share_interval
from workbench.metrics.ranking import ndcg, recall_at
from workbench.metrics.stability import population_stability_index

__all__ = [
    "Interval",
    "auc",
    "average_precision",
    "interval",
    "log_loss",
    "ndcg",
    "population_stability_index",
    "recall_at",
    "share_interval",
]
