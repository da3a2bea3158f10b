"""The promotion funnel: twelve challengers through every gate, in two kinds of shops.

    python -m benchmarks.promotion_funnel             # full: kept in results/ and docs/scorecards/
    python -m benchmarks.promotion_funnel --quick     # one small shop of a kind: printed, not kept

In a shop of ten categories a page that knows a person's taste can be of few kinds, and people tire
of it; with twenty categories and twenty candidates hardly.
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
from workbench.studies.promotion_funnel import FunnelPlan, promotion_funnel
from workbench.studies.promotion_marks import Funnel

__all__ = ["KINDS", "PLAN", "SPEC", "main", "run", "text"]

PLAN = FunnelPlan()
SPEC = MarketplaceSpec(users=4_000, items=500, days=PLAN.days, shock_day=PLAN.days)
KINDS = {
    "10 categories, 30 candidates": {"categories": 10, "candidates": 30},
    "20 categories, 20 candidates": {"categories": 20, "candidates": 20},
}
WORLDS, FIRST_SEED = 3, 10


def run(quick: bool = False, *, workers: int = 1) -> dict[str, Funnel]:
    """One funnel for each kind of shop."""
    users, worlds = (1_000, 1) if quick else (SPEC.users, WORLDS)
    specs = {
        kind: [
            replace(SPEC, seed=seed, users=users, **dials)
            for seed in range(FIRST_SEED, FIRST_SEED + worlds)
        ]
        for kind, dials in KINDS.items()
    }
    with workers_map(workers) as each:
        made = [partial(Marketplace, one) for kind in specs.values() for one in kind]
        table = promotion_funnel(made, PLAN, map=each).table  # of all, so that no worker waits
    found = {}
    for number, kind in enumerate(KINDS):
        mine = pl.col("world").is_between(number * worlds, (number + 1) * worlds - 1)
        found[kind] = Funnel(table.filter(mine), PLAN.ab_days, PLAN.margin)
    return found


def text(found: dict[str, Funnel]) -> str:
    """The scorecard of each kind of shop, and of all together."""
    everything = Funnel(
        pl.concat([each.table for each in found.values()]), PLAN.ab_days, PLAN.margin
    )
    parts = [f"{kind}: {each!r}" for kind, each in (found | {"all": everything}).items()]
    return "\n\n".join(parts)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.promotion_funnel", description=__doc__
    )
    parser.add_argument("--quick", action="store_true", help="one small shop of a kind; not kept")
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args(argv)
    found = run(options.quick, workers=options.workers)
    if not options.quick:
        tables = [each.table.with_columns(kind=pl.lit(kind)) for kind, each in found.items()]
        path = HERE / "results" / "promotion_funnel.csv"
        pl.concat(tables).write_csv(path, float_precision=5)
        kept = f"$ python -m benchmarks.promotion_funnel\n{text(found)}\n"
        (HERE.parent / "docs" / "scorecards" / "promotion.txt").write_text(kept, encoding="utf-8")
    print(text(found))


if __name__ == "__main__":
    main()
