import pickle
import subprocess
import sys
from dataclasses import dataclass

import numpy as np

from workbench.policy import (
    Fallback,
    Rank,
    Shadow,
    Split,
    Threshold,
    tree,
)


def slate(*scores, request=7, first_item=1):
    """One request whose items 1, 2, … have these scores."""
    n = len(scores)
    return {
        "request": np.full(n, request),
        "user": np.full(n, 1),
        "item": np.arange(first_item, first_item + n),
        "score": np.array(scores, float),
    }


@dataclass(frozen=True)
class Raises:
    name: str = "raises"

    def act(self, requests):
        raise KeyError("feature 'age' is gone")


def test_the_tree_shows_every_child():
    policy = Shadow(
        Fallback([Split({"a": Rank("score", 1, "x@1")}, {"a": 1.0}, salt="s"), Raises()]),
        {"next": Threshold("score", 0.5, "y@2")},
    )
    assert tree(policy).split("\n") == [
        "Shadow",
        "  live: Fallback",
        "    1: Split",
        "      a 100 %: Rank x@1",
        "    2: Raises raises",
        "  shadow next: Threshold y@2",
    ]


def test_policies_travel_to_other_processes():
    policy = Fallback([Split({"a": Rank("score", 1)}, {"a": 1.0}, salt="s")])
    again = pickle.loads(pickle.dumps(policy))
    assert again == policy
    assert again.act(slate(0.1))["item"].tolist() == [1]


def test_importing_policies_imports_neither_polars_nor_pandas():
    code = "import sys, workbench.policy; print('polars' in sys.modules, 'pandas' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["False", "False"]
