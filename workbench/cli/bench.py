"""`workbench bench`: us, a peer and the raw limit, interleaved in one run."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from workbench.bench import bench, find_benchmarks

__all__ = ["main"]


def main(argv: Sequence[str]) -> None:
    """Measure the areas that are named, or all of them."""
    parser = argparse.ArgumentParser(
        prog="workbench bench",
        description="Measure us, a peer and the raw limit; full runs go into benchmarks/results/.",
    )
    parser.add_argument("name", nargs="*", help="log, import, policy … [all of them]")
    parser.add_argument("--quick", action="store_true", help="1/20 of the size, not judged or kept")
    parser.add_argument("--json", action="store_true", help="a JSON list of rows")
    options = parser.parse_args(argv)
    if options.json and len(options.name) != 1:
        parser.error("--json needs one NAME")
    areas = find_benchmarks(Path(__file__).resolve().parents[2]).AREAS
    for name in options.name or areas:
        print(bench(name, quick=options.quick, as_json=options.json))
