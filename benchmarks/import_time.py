"""How long until the first line of one's own code runs.

Every call is a process of its own, from start to exit, with compiled bytecode and a warm page
cache; so the target is on the difference to the limit, which holds the interpreter's own start.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

from benchmarks.harness import Row, measure

__all__ = ["run"]


def run(quick: bool = False) -> list[Row]:
    """`import workbench` against bare Python, and `EventLog` against what it stands on."""
    repeats = 3 if quick else 21
    package = measure(
        "import",
        "import workbench",
        ours=process("import workbench"),
        peer=process("import polars"),
        limit=process("pass"),
        peer_name="import polars",
        target="ours - limit <= 0.1",
        repeats=repeats,
        quick=quick,
    )
    log = measure(
        "import",
        "from workbench import EventLog",
        ours=process("from workbench import EventLog"),
        peer=process("import pandas, pyarrow.parquet"),
        limit=process("import polars, deltalake"),
        peer_name="import pandas, pyarrow.parquet",
        target="ours - limit <= 0.1",
        repeats=repeats,
        quick=quick,
    )
    return [package, log]


def process(line: str) -> Callable[[], None]:
    """Run one line in a fresh Python, without the current folder on its path."""
    return lambda: subprocess.run([sys.executable, "-P", "-c", line], check=True)
