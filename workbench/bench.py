"""`workbench bench NAME`: run one area of the benchmarks of this checkout.

The benchmarks are no part of the installed package; they are found beside it. Full runs are kept
in benchmarks/results/NAME.json, quick ones (1/20 of the size) are only printed.
"""

from __future__ import annotations

import importlib
import sys
from dataclasses import asdict
from pathlib import Path

__all__ = ["bench", "find_benchmarks"]


def bench(name: str, *, quick: bool = False, as_json: bool = False) -> str:
    """Measure one area and return its rows as a table, or as a JSON list.

    Parameters
    ----------
    name : str
        An area: "log", "import" or "policy".
    quick : bool
        1/20 of the size, under 50 s: a regression check that is neither judged nor kept.
    as_json : bool
        A JSON list of rows instead of a table.

    Raises
    ------
    ValueError
        Outside a checkout, for an area that there is not, or when a peer is not installed.
    """
    benchmarks = find_benchmarks(Path(__file__).resolve().parent.parent)
    if name not in benchmarks.AREAS:
        raise ValueError(f"no area is called {name!r}; there are {', '.join(benchmarks.AREAS)}")
    harness = importlib.import_module("benchmarks.harness")
    try:
        area = importlib.import_module(f"benchmarks.{benchmarks.AREAS[name]}")
    except ModuleNotFoundError as error:
        raise ValueError(
            f"{name} is measured against {error.name}, which is not installed: "
            'pip install "mlsys-workbench[peers]"'
        ) from error
    rows = area.run(quick)
    if not quick:
        harness.save(rows)
    return harness.as_json([asdict(row) for row in rows]) if as_json else harness.table(rows)


def find_benchmarks(checkout: Path):
    """Return the package `benchmarks` of a checkout.

    Raises ValueError if the folder is none: the installed package comes without benchmarks.
    """
    if not (checkout / "benchmarks" / "harness.py").is_file():
        raise ValueError(
            "the benchmarks are in the repository, not in the installed package: clone it and run "
            "`workbench bench` from an environment made there"
        )
    if str(checkout) not in sys.path:
        sys.path.insert(0, str(checkout))
    found = importlib.import_module("benchmarks")
    if Path(found.__file__).resolve().parent != checkout / "benchmarks":
        raise ValueError(f"another package called benchmarks is in the way: {found.__file__}")
    return found
