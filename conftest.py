"""For every test run: nothing is written outside a temporary folder, the fast tests come first.

    unit tests, doctests ──► apps ──► notebooks ──► browser ──► clock

`make test` runs all of it on two workers, but what reads the clock, which comes after the others,
alone; `pytest` alone leaves the notebooks' cells out, and
`pytest -m "not app and not notebook and not browser"` is the quick round while writing.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from time import perf_counter

import pytest

ROOT = Path(__file__).parent
ORDER = ["app", "notebook", "again", "browser", "clock"]  # after everything unmarked
QUIET = {"TQDM_DISABLE": "1", "DO_NOT_TRACK": "true", "MLFLOW_DISABLE_TELEMETRY": "true"}


def pytest_configure(config):
    os.environ.update(QUIET)
    config.labs = Path(tempfile.mkdtemp(prefix="workbench-test-"))
    os.environ["WORKBENCH_HOME"] = str(config.labs / "shared")


def pytest_unconfigure(config):
    shutil.rmtree(config.labs, ignore_errors=True)


def pytest_collection_modifyitems(items):
    from _pytest.doctest import DoctestItem

    items[:] = [
        item
        for item in items
        if not (isinstance(item, DoctestItem) and not item.path.is_relative_to(ROOT / "workbench"))
    ]
    for item in items:
        if item.path.suffix == ".ipynb":
            item.add_marker("notebook")
    items.sort(key=_rank)


def _rank(item) -> int:
    return max(
        (ORDER.index(mark.name) for mark in item.iter_markers() if mark.name in ORDER), default=-1
    )


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    """Every notebook begins with an empty home of its own: its kernel inherits this."""
    home = item.path.stem if item.path.suffix == ".ipynb" else "shared"
    parent = item.path.parent.name if home != "shared" else ""
    home = item.config.labs / parent / home
    home.mkdir(parents=True, exist_ok=True)
    os.environ["WORKBENCH_HOME"] = str(home)


@pytest.fixture
def fastest():
    """Seconds that a piece of work takes, the best of some tries: what it can do, not what it met.

    For tests marked `clock`.
    """

    def seconds(work, tries: int = 3) -> float:
        took = []
        for _ in range(tries):
            start = perf_counter()
            work()
            took.append(perf_counter() - start)
        return min(took)

    return seconds


def pytest_xdist_make_scheduler(config, log):
    """One file, one worker; a notebook's second run on the worker of its first, after it."""
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            file, _, rest = nodeid.partition("::")
            return rest[rest.index("[") + 1 : -1] if ".ipynb]" in rest else file

    return ByFile(config, log)
