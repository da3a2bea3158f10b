"""Which code, data and settings made this model, and which model is the champion?

    with tracking.start("fraud", uri=lab.tracking, data=log.as_of(t), params=spec) as run:
        model = training.fit(...)
        run.metrics({"auc": 0.81})
        run.model(model)

    tracking.promote(run, alias="champion")
    tracking.load("fraud", uri=lab.tracking)           # the champion, for a policy
    tracking.find("fraud", uri=lab.tracking)           # its Run: what to repeat it with
    tracking.runs("fraud", uri=lab.tracking)           # all of them, as a table

MLflow keeps it all, in a SQLite file or on any server whose address is given as `uri`. Nothing is
sent anywhere else, and MLflow's own active run and address are left as they are.
"""

from workbench.tracking.registry import find, load, promote, runs
from workbench.tracking.run import Code, Data, Metric, Run
from workbench.tracking.start import OpenRun, start

__all__ = [
    "Code",
    "Data",
    "Metric",
    "OpenRun",
    "Run",
    "find",
    "load",
    "promote",
    "runs",
    "start",
]
