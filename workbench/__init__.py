"""A laboratory for machine-learning systems: the world asks, a policy decides, the log remembers.

    EventLog  rename  decide  outcomes  Lab      what every notebook begins with

    events contracts journal   the log             data         public sets, replays, checks
    policy assign              deciding            features     as they were knowable
    outcomes metrics           labels, figures     training     fit, and save without pickle
    lab cluster                where it runs       tracking     which run is the champion
    claims                     the ledger          experiments  split tests
    marketplace                the simulated shop  monitoring   has it moved?
    fraud recommender          whole policies      studies      once around the loop
    widgets                    views

Nothing is loaded before it is used: `import workbench` costs milliseconds, Polars comes with the
first log, XGBoost with the first model.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from workbench.events import EventLog
    from workbench.lab import Lab
    from workbench.outcomes import outcomes
    from workbench.policy import decide
    from workbench.rename import rename

__version__ = "0.1.0"
__all__ = ["EventLog", "Lab", "decide", "outcomes", "rename"]

_HOME = {
    "EventLog": "events",
    "Lab": "lab",
    "decide": "policy",
    "outcomes": "outcomes",
    "rename": "rename",
}
# fmt: off
_PARTS = [
    "assign", "claims", "cli", "cluster", "contracts", "data", "events", "experiments", "features",
    "fraud", "journal", "lab", "labeling", "marketplace", "metrics", "monitoring", "policy",
    "recommender", "search", "serving", "studies", "tracking", "training", "widgets",
]
# fmt: on


def __getattr__(name: str) -> Any:
    if name in _HOME:
        value = getattr(importlib.import_module(f"workbench.{_HOME[name]}"), name)
        globals()[name] = value
        return value
    if name in _PARTS:
        try:
            return importlib.import_module(f"workbench.{name}")
        except ModuleNotFoundError as error:
            if error.name != f"workbench.{name}":
                raise
    raise AttributeError(f"module 'workbench' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_PARTS})


class _Package(ModuleType):
    """Python sets `workbench.rename` to the file once it is loaded; here it stays the function."""

    def __setattr__(self, name: str, value: Any) -> None:
        if _HOME.get(name) == name and isinstance(value, ModuleType):
            value = getattr(value, name)
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
