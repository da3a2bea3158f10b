"""Which model do these rows support? A table in, a model out that can be kept and asked.

    train, test = training.time_split(frame, at=day, gap_days=7)     # the labels' delay
    model = training.fit(train, features=["amount", "hour"], label="label")
    model.score(test)                                                # shape (n,)

The engine is XGBoost with every parameter pinned: its defaults change between versions and are no
baseline. Nothing here needs a log, a lab or a tracker; a model is one JSON file.
"""

from workbench.training.fit import TrainSpec, fit
from workbench.training.model import Model
from workbench.training.split import time_split

__all__ = ["Model", "TrainSpec", "fit", "time_split"]
