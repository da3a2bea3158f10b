"""The procedure arena: 12 cells and one with shared shelves, every procedure against the truth.

python -m benchmarks.arena             # full: kept in results/ and docs/scorecards/
python -m benchmarks.arena --quick     # a smaller shop, fewer experiments: printed, not kept
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import polars as pl

from benchmarks.arena_world import METRIC, cells, outcomes_and_before, split_world
from benchmarks.broken_worlds import workers_map
from benchmarks.harness import HERE
from workbench.assign import uniform
from workbench.studies.arena import Arena, ArenaSpec, arena
from workbench.studies.arena_verdicts import peeking, verdicts
from workbench.studies.interference import Interference, interference
from workbench.studies.shipped_lift import ShippedLift, shipped_lift

__all__ = ["Results", "main", "run"]

SPEC = ArenaSpec(horizon_users=1_000_000, money=0.1, ship_cost=20_000)
CALM = ("clean", "heavy tail", "heavy tail, winsorised")  # where the users are dealt as planned


@dataclass(frozen=True)
class Results:
    """All that one run measured; the repr is the scorecard."""

    users: int
    arena: Arena
    verdicts: pl.DataFrame
    peeking: pl.DataFrame
    ledger: ShippedLift
    shelves: dict[float, Interference]  # days of stock -> what a split says
    seconds: dict[str, float]

    def __repr__(self) -> str:
        spec = self.arena.spec
        took = ", ".join(f"{what} {value:.0f} s" for what, value in self.seconds.items())
        lines = [
            f"{self.users:,} users, {spec.looks} looks, {spec.experiments:,} experiments with each "
            f"of {self.arena.rows['arm'].n_unique() - 1} arms, {spec.twins:,} A/A",
            f"regret: a tenth of revenue over {spec.horizon_users:,} users, "
            f"{spec.ship_cost:,.0f} to ship",
            f"took: {took}", "", repr(self.arena), "",
            f"promises, bands corrected for {self.verdicts.height} looked at",
            *map(_verdict, self.verdicts.iter_rows(named=True)), "",
            "A/A peeked at", f"{'looks':>5} {'claimed':>8}  {'95 %':<16}{'published':>9}",
            *map(_peeked, self.peeking.iter_rows(named=True)), "",
            "shipped-lift ledger", repr(self.ledger),
        ]  # fmt: skip
        for days, each in self.shelves.items():
            lines += ["", f"{days:,.0f} days of stock: {each!r}"]
        return "\n".join(lines)


def run(quick: bool = False, *, workers: int = 1) -> Results:
    """Play the shop, deal and mark; then the ledger, and the small worlds that are split."""
    users, many = (20_000, 100) if quick else (100_000, 2_000)
    spec = ArenaSpec(100, 200, horizon_users=200_000, money=0.1) if quick else SPEC
    clock, seconds = time.perf_counter, {}

    def timed(what: str, work: Callable, *args, **options):
        began = clock()
        made = work(*args, **options)
        seconds[what] = clock() - began
        print(f"{what}: {seconds[what]:.0f} s", file=sys.stderr, flush=True)
        return made

    outcomes, before = timed("world", outcomes_and_before, users)
    worlds = cells(outcomes, before)
    with workers_map(workers) as each:
        marked = timed("arena", arena, worlds, spec, map=each)
        peeked = timed("peeking", peeking, worlds[0], experiments=many, map=each)
        ledger = timed(
            "ledger", shipped_lift, outcomes, METRIC, before, challengers(50 if quick else 1_000),
            map=each,
        )  # fmt: skip
        shelves = timed("split worlds", met_on_shelves, 4 if quick else 30, each)
    promised = verdicts(marked, CALM)
    return Results(users, marked, promised, peeked, ledger, shelves, seconds)


def met_on_shelves(worlds: int, each: Callable) -> dict[float, Interference]:
    """Split worlds with shelves that sell out, and with shelves that never do."""
    halves, found = {"old": 0.5, "new": 0.5}, {}
    for days in (2.0, 1_000.0):
        played = each(partial(split_world, stock_days=days), range(worlds))
        found[days] = interference(played, "purchases", shares=halves, salt="shelves")
    return found


def challengers(count: int, *, spread: float = 0.08) -> dict[str, float]:
    """Shares of people who see the cheap page: normal around the control's half."""
    from scipy.stats import norm

    luck = norm.ppf(uniform("challengers", np.arange(count)) * 0.998 + 0.001)
    return {f"challenger {number}": 0.5 + spread * z for number, z in enumerate(luck)}


def save(results: Results, workers: int) -> None:
    """Keep the marks, and the text that people read."""
    folder = HERE / "results"
    results.arena.table.write_csv(folder / "arena.csv", float_precision=6)
    results.arena.by_arm.write_csv(folder / "arena_arms.csv", float_precision=6)
    results.verdicts.write_csv(folder / "arena_verdicts.csv", float_precision=6)
    text = f"$ python -m benchmarks.arena --workers {workers}\n{results!r}\n"
    (HERE.parent / "docs" / "scorecards" / "arena.txt").write_text(text, encoding="utf-8")


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.arena", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small and few; not kept")
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    options = parser.parse_args(argv)
    results = run(options.quick, workers=options.workers)
    if not options.quick:
        save(results, options.workers)
    print(results)


def _verdict(row: dict) -> str:
    return (
        f"{row['cell']:<23}{row['procedure']:<17}CUPED {'on' if row['cuped'] else 'off':<4}"
        f"{row['what']:<9}{row['observed']:.4f} in [{row['low']:.4f}, {row['high']:.4f}]  "
        f"{'ok' if row['ok'] else 'NOT'}"
    )


def _peeked(row: dict) -> str:
    between = f"[{row['low']:.3f}, {row['high']:.3f}]"
    return f"{row['looks']:>5} {row['claimed']:>8.3f}  {between:<16}{row['published']:>9.3f}"


if __name__ == "__main__":
    main()
