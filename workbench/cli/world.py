"""`workbench world`: let a simulated marketplace run for some days into a log of one's own."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

__all__ = ["main"]


def main(argv: Sequence[str]) -> None:
    """Write a marketplace's log into a folder and print what is in it."""
    parser = argparse.ArgumentParser(
        prog="workbench world",
        description="Simulate a marketplace and write its log: pages show the dearest five items, "
        "payments of 300 and more are blocked.",
    )
    parser.add_argument("--out", metavar="FOLDER", required=True, help="a new folder for the log")
    parser.add_argument("--days", type=int, default=60, help="how long it runs [60]")
    parser.add_argument("--scale", type=float, default=1.0, help="1 is 5,000 users [1.0]")
    parser.add_argument("--seed", type=int, default=0, help="another seed, other people [0]")
    options = parser.parse_args(argv)

    from workbench.events import EventLog
    from workbench.marketplace import Marketplace, MarketplaceSpec
    from workbench.policy import Rank, Threshold

    spec = MarketplaceSpec(seed=options.seed, days=options.days).at(scale=options.scale)
    world = Marketplace(spec)
    log = EventLog(options.out, clock=world.clock)
    if log.kinds:
        raise ValueError(f"{options.out} holds a log already; give a new folder")
    policies = {
        "home": Rank("price", 5, "page@1"),
        "checkout": Threshold("amount", 300.0, "rule@1"),
    }
    world.run(policies, log=log, progress=True)
    print(log)
