"""The mutation scoreboard: 28 faults x 3 sizes x 20 worlds, found or not, by us and by others.

    python -m benchmarks.mutation             # full: kept in results/ and docs/scorecards/
    python -m benchmarks.mutation --quick     # two worlds, four faults: printed, not kept

It measures no time, so it is no area of `workbench bench`. Any number of workers gives the same
numbers.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from benchmarks.broken_worlds import events_of, workers_map
from benchmarks.harness import HERE
from benchmarks.peer_checks import NAME, fired, peer_python
from workbench.marketplace import MarketplaceSpec
from workbench.studies.detectors import (
    OfPairs,
    Sparing,
    always_fire,
    checks_of_a_kind,
    checks_of_the_log,
    never_fire,
)
from workbench.studies.mutation import MutationPlan, mutation
from workbench.studies.mutation_board import Scoreboard

__all__ = ["SPEC", "main", "run"]

SPEC = MarketplaceSpec(
    users=1_000, items=300, days=63, shock_day=63, fraud_share=0.02, wave_minutes=1440
)
PLAN = MutationPlan(start_day=56, look_days=(1, 7))
QUICK = MutationPlan(
    faults=("outage", "amount in cents", "respelled", "swapped columns"), levels=("large",),
    start_day=28, look_days=(1, 2),
)  # fmt: skip


def _peer(pairs):
    """Which columns the peer rings for; its "" is our None, the table as a whole.

    It breaks off at a table without rows (somebody would notice, so that counts as found), and at a
    column of which the past has no value: such a column is taken for new.
    """
    asked = [
        (before.drop(each.name for each in before if each.null_count() == before.height), now)
        for before, now in pairs
        if now.height
    ]
    answers = iter(fired(asked))
    return [
        [column or None for column, rang in next(answers) if rang] if now.height else [None]
        for _, now in pairs
    ]


WORLDS = 20  # the peer takes half a second a table, so it looks on the first day only


def detectors(peer: bool = True) -> dict:
    """Us, the two that need no data; and, on first days, the peer.

    Beside the peer, on the same looks, our checks of one kind by itself: the peer sees no more.
    """
    ours = {"checks": checks_of_the_log, "always-fire": always_fire, "never-fire": never_fire}
    first_days = {"one kind": checks_of_a_kind, NAME: OfPairs(_peer, NAME)} if peer else {}
    return ours | {name: Sparing(each, worlds=WORLDS) for name, each in first_days.items()}


def run(quick: bool = False, *, workers: int = 1) -> Scoreboard:
    """Play the worlds, break them, and count; a quick run leaves the peer out."""
    spec = replace(SPEC, users=400, days=30, shock_day=30) if quick else SPEC
    seeds = range(2 if quick else WORLDS)
    worlds = [partial(events_of, replace(spec, seed=seed)) for seed in seeds]
    if not quick:
        peer_python()  # built once, before the workers ask for it
    with workers_map(workers) as each:
        return mutation(worlds, detectors(peer=not quick), QUICK if quick else PLAN, map=each)


def save(board: Scoreboard) -> None:
    """Keep the shares, and the table that people read."""
    results, cards = HERE / "results", HERE.parent / "docs" / "scorecards"
    board.found.write_csv(results / "mutation_faults.csv", float_precision=4)
    board.summary.write_csv(results / "mutation.csv", float_precision=4)
    head = "$ python -m benchmarks.mutation"
    (cards / "mutation.txt").write_text(f"{head}\n{board!r}\n", encoding="utf-8")


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mutation", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two worlds, four faults; not kept")
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    options = parser.parse_args(argv)
    board = run(options.quick, workers=options.workers)
    print(board)
    if not options.quick:
        save(board)


if __name__ == "__main__":
    main()
