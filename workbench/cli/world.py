"""`workbench world`: let a simulated marketplace run for some days into a log of one's own.

With `--card` its validity card comes to stdout: how like real shops and cards it is, line by line.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence

__all__ = ["main"]


def main(argv: Sequence[str]) -> None:
    """Write a marketplace's log into a folder and print what is in it, or its validity card."""
    parser = argparse.ArgumentParser(
        prog="workbench world",
        description="Simulate a marketplace and write its log: pages and searches show the dearest "
        "five items, "
        "payments of 300 and more are blocked.",
    )
    parser.add_argument("--out", metavar="FOLDER", help="a new folder for the log")
    parser.add_argument("--days", type=int, default=60, help="how long it runs [60]")
    parser.add_argument("--scale", type=float, default=1.0, help="1 is 5,000 users [1.0]")
    parser.add_argument("--seed", type=int, default=0, help="another seed, other people [0]")
    parser.add_argument(
        "--card",
        action="store_true",
        help="print its validity card, beside Online Retail II and the Fraud Detection Handbook's "
        "cards; pages are filled at random and nothing is blocked; --out may be left out",
    )
    options = parser.parse_args(argv)
    if not (options.out or options.card):
        parser.error("the following arguments are required: --out")

    from workbench.marketplace import Marketplace, MarketplaceSpec
    from workbench.policy import Rank, Threshold

    spec = MarketplaceSpec(seed=options.seed, days=options.days).at(scale=options.scale)
    world = Marketplace(spec)
    if options.card:
        _print_card(world, options.out)
        return
    log = _new_log(options.out, world)
    page, rule = Rank("price", 5, "page@1"), Threshold("amount", 300.0, "rule@1")
    policies = {"home": page, "search": page, "checkout": rule}
    world.run(policies, log=log, progress=True)
    print(log)


def _new_log(folder: str, world):
    from workbench.events import EventLog

    log = EventLog(folder, clock=world.clock)
    if log.kinds:
        raise ValueError(f"{folder} holds a log already; give a new folder")
    return log


def _print_card(world, out: str | None) -> None:
    from workbench.studies.validity import world_card

    with tempfile.TemporaryDirectory() as folder:
        print(world_card(world, _new_log(out or folder, world), progress=True))
