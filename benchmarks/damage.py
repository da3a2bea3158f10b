"""The damage ledger: what each large fault costs when nobody finds it, over 20 worlds.

    python -m benchmarks.damage             # full: kept in results/ and docs/scorecards/
    python -m benchmarks.damage --quick     # two worlds, four faults: printed, not kept

What the checks find of each fault is read from the last full run of `benchmarks.mutation`.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import polars as pl

from benchmarks.broken_worlds import events_and_truth, workers_map
from benchmarks.harness import HERE
from workbench.marketplace import MarketplaceSpec
from workbench.studies.damage import DamagePlan, damage
from workbench.studies.damage_ledger import DamageLedger
from workbench.studies.damage_tasks import ClickTask, FraudTask

__all__ = ["SPEC", "main", "run"]

SPEC = MarketplaceSpec(
    users=1_000, items=300, days=48, shock_day=48, fraud_share=0.03, chargeback_delay_days=4.0,
    wave_minutes=1440,
)  # fmt: skip
QUICK = DamagePlan(
    faults=("amount in cents", "doubled", "wrong chargebacks", "wrong join"),
    train_days=(3, 18), model_day=24, mark_days=(24, 30),
)  # fmt: skip
WORLDS = 20


def run(quick: bool = False, *, workers: int = 1) -> DamageLedger:
    """Play the worlds, train on what is broken and on what is not, and mark both."""
    spec = replace(SPEC, users=400, days=30, shock_day=30, fraud_share=0.08) if quick else SPEC
    tasks = [FraudTask(horizon_days=6.0 if quick else 10.0), ClickTask()]
    seeds = range(2 if quick else WORLDS)
    worlds = [partial(events_and_truth, replace(spec, seed=seed)) for seed in seeds]
    with workers_map(workers) as each:
        return damage(worlds, tasks, QUICK if quick else DamagePlan(), map=each)


def beside_the_checks(ledger: DamageLedger) -> pl.DataFrame:
    """The table with what the checks found of each fault, by the last full run."""
    found = pl.read_csv(HERE / "results" / "mutation_faults.csv")
    return ledger.beside(found, "checks")


def save(ledger: DamageLedger) -> None:
    """Keep the table, and the text that people read."""
    table = beside_the_checks(ledger)
    table.write_csv(HERE / "results" / "damage.csv", float_precision=4)
    text = f"$ python -m benchmarks.damage\n{ledger.text(table)}\n"
    (HERE.parent / "docs" / "scorecards" / "damage.txt").write_text(text, encoding="utf-8")


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.damage", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two worlds, four faults; not kept")
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    options = parser.parse_args(argv)
    ledger = run(options.quick, workers=options.workers)
    if options.quick:
        print(ledger)
        return
    save(ledger)
    print(ledger.text(beside_the_checks(ledger)))


if __name__ == "__main__":
    main()
