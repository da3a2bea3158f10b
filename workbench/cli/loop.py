"""`workbench loop`: the whole loop headless, from a log to a scorecard.

Bars go to stderr, the scorecard to stdout. What was done stays in a lab: the log, and the runs with
their models.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace

from workbench.lab import Lab

__all__ = ["main"]

SETS = ("marketplace", "cards", "online-retail")


def main(argv: Sequence[str]) -> None:
    """Run the loop on one world and print what came of it."""
    parser = argparse.ArgumentParser(
        prog="workbench loop",
        description="Once around: log, checks, features as of, late labels, model, champion, "
        "decisions, alarm, retraining. Prints a scorecard: what, measured, interval, baseline, "
        "truth where it is known.",
    )
    parser.add_argument("--data", choices=SETS, default="marketplace", help="[marketplace]")
    parser.add_argument("--scale", type=float, default=1.0, help="size of the marketplace [1.0]")
    parser.add_argument("--seed", type=int, default=0, help="names the world and its luck [0]")
    parser.add_argument("--lab", metavar="NAME", help="where it is kept [loop-DATA, emptied first]")
    parser.add_argument("--json", action="store_true", help="the scorecard as a JSON list")
    options = parser.parse_args(argv)
    if options.scale != 1.0 and options.data != "marketplace":
        parser.error(f"--scale is for the marketplace: {options.data} is as large as its record")
    if not options.scale > 0:
        parser.error(f"--scale must be above zero, got {options.scale:g}")
    run = {"marketplace": _marketplace, "cards": _cards, "online-retail": _online_retail}
    with Lab(options.lab or f"loop-{options.data}", fresh=options.lab is None) as lab:
        if lab.log.kinds:
            raise ValueError(
                f"the lab {lab.name!r} has a log already: give --lab another name, or leave it out"
            )
        try:
            scorecard = run[options.data](lab, options)
        except KeyboardInterrupt:
            print(f"\nstopped; what was done until here is in {lab.path}", file=sys.stderr)
            raise
        print(scorecard.to_json() if options.json else scorecard)
        print(f"log and runs are in {lab.path}", file=sys.stderr)


def _marketplace(lab: Lab, options):
    from workbench.marketplace import Marketplace, MarketplaceSpec
    from workbench.studies.fraud_loop import fraud_loop
    from workbench.studies.fraud_plan import FraudPlan

    spec = MarketplaceSpec(seed=options.seed, days=84, shock_day=42, chargeback_delay_days=6.0)
    world = Marketplace(spec.at(scale=options.scale))
    return fraud_loop(world, lab, FraudPlan(seed=options.seed), progress=True)


def _cards(lab: Lab, options):
    from workbench.data.replay import Replay
    from workbench.studies.fraud_loop import fraud_loop
    from workbench.studies.fraud_plan import CARDS

    return fraud_loop(Replay("cards"), lab, replace(CARDS, seed=options.seed), progress=True)


def _online_retail(lab: Lab, options):
    from workbench.data import public
    from workbench.studies.purchase_loop import PurchasePlan, purchase_loop

    record = public.events("online-retail")
    return purchase_loop(record, lab, PurchasePlan(seed=options.seed), progress=True)
