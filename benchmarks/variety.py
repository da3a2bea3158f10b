"""Better on paper, better in production? A ranker that knows tastes, in three kinds of shops.

    python -m benchmarks.variety             # full: kept in results/ and docs/scorecards/
    python -m benchmarks.variety --quick     # two shops of a kind: printed, not kept

Kinds differ in how many categories there are and how many candidates a page is chosen from: with
four categories and forty candidates a page can be of one kind, with twenty and twenty hardly.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import polars as pl

from benchmarks.broken_worlds import workers_map
from benchmarks.harness import HERE
from workbench.marketplace import Marketplace, MarketplaceSpec
from workbench.studies.variety import TRUE_METRICS, Variety, variety

__all__ = ["KINDS", "SPEC", "main", "run", "text"]

SPEC = MarketplaceSpec(users=2_000, items=1_000, days=63, shock_day=63)
KINDS = {
    "4 categories, 40 candidates": {"categories": 4, "candidates": 40},
    "6 categories, 60 candidates": {"categories": 6, "candidates": 60},
    "20 categories, 20 candidates": {"categories": 20, "candidates": 20},
}
WORLDS = 10


def run(quick: bool = False, *, workers: int = 1) -> dict[str, Variety]:
    """One table for each kind of shop."""
    found = {}
    with workers_map(workers) as each:
        for kind, dials in KINDS.items():
            specs = [replace(SPEC, seed=s, **dials) for s in range(2 if quick else WORLDS)]
            found[kind] = variety([partial(Marketplace, one) for one in specs], map=each)
    return found


def text(found: dict[str, Variety]) -> str:
    """All tables, and the intervals over worlds of what the new model does."""
    parts = []
    for kind, each in found.items():
        gains = [
            f"    {what:<10} {_percent(each.mean(what, arm))}"
            for arm in ("new", "varied")
            for what in (("ndcg", *TRUE_METRICS) if arm == "new" else TRUE_METRICS)
        ]
        cut = 1 + len(TRUE_METRICS)
        new, varied = gains[:cut], gains[cut:]
        lines = [f"{kind}: {each!r}", "new over old, 95 % over worlds", *new]
        parts.append("\n".join([*lines, "varied over old, 95 % over worlds", *varied]))
    return "\n\n".join(parts)


def _percent(gain) -> str:
    return f"{gain.estimate:+.1%} [{gain.low:+.1%}, {gain.high:+.1%}]"


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.variety", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two shops of a kind; not kept")
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args(argv)
    found = run(options.quick, workers=options.workers)
    if not options.quick:
        tables = [each.table.with_columns(kind=pl.lit(kind)) for kind, each in found.items()]
        pl.concat(tables).write_csv(HERE / "results" / "variety.csv", float_precision=4)
        kept = f"$ python -m benchmarks.variety\n{text(found)}\n"
        (HERE.parent / "docs" / "scorecards" / "variety.txt").write_text(kept, encoding="utf-8")
    print(text(found))


if __name__ == "__main__":
    main()
