"""The world of the arena: a shop of 100,000 people, played once under each of two home pages."""

from __future__ import annotations

import numpy as np

from workbench.marketplace import Marketplace, MarketplaceSpec
from workbench.marketplace.potential import PotentialOutcomes
from workbench.policy import Rank, Split, Threshold
from workbench.studies.arena_cells import Cell, clean, heavy_tail, shown_to, srm_bug, winsorised

__all__ = ["HALVES", "METRIC", "POLICIES", "cells", "outcomes_and_before", "split_world"]

METRIC = "revenue"
HALVES = {"dear": 0.5, "cheap": 0.5}
TOUCHED = {"control": 0.5, "better": 0.25, "a little": 0.4, "worse": 0.75}  # see the cheap page


def cheap(rows):
    """Cheap things first."""
    return -rows["price"]


REST = {"search": Rank("price", 8, "dear"), "checkout": Threshold("amount", 300.0)}
POLICIES = {
    "dear": {"home": Rank("price", 5, "dear"), **REST},
    "cheap": {"home": Rank(cheap, 5, "cheap"), **REST},
}


def outcomes_and_before(
    users: int, *, seed: int = 0, before: int = 7, days: int = 7
) -> tuple[PotentialOutcomes, np.ndarray]:
    """What everybody does in `days` under each page, and their revenue in the days before."""
    spec = MarketplaceSpec(
        seed=seed, users=users, days=before + days, shock_day=before + days, stock_days=1_000.0,
        wave_minutes=1440,
    )  # fmt: skip
    world = Marketplace(spec)
    first = world.truth.potential_outcomes({"dear": POLICIES["dear"]}, until=before)
    world.play(POLICIES["dear"], until=before)
    return world.truth.potential_outcomes(POLICIES), first.of(METRIC, "dear")


def cells(outcomes: PotentialOutcomes, before: np.ndarray) -> list[Cell]:
    """Clean, with the SRM bug, with a heavy tail and the same winsorised."""
    arms = shown_to(outcomes, TOUCHED, base="dear", other="cheap", salt="arena touch")
    first = clean(arms, METRIC, before)
    tail = heavy_tail(first)
    return [first, srm_bug(first), tail, winsorised(tail)]


def split_world(seed: int, *, stock_days: float, salt: str = "shelves") -> PotentialOutcomes:
    """A small shop with few things on the shelf: all dear, all at its best, and split by user."""
    spec = MarketplaceSpec(
        seed=seed, users=400, items=100, days=6, visits_per_day=1.5, direct_share=0.1,
        stock_days=stock_days, wave_minutes=1440,
    )  # fmt: skip
    world = Marketplace(spec)
    best = Rank(world.truth.click_probability, 5, "best")
    dear = POLICIES["dear"]
    split = Split(
        {"old": dear["home"], "new": best}, {"old": 0.5, "new": 0.5}, salt=f"{salt}/{seed}"
    )
    homes = {"old": dear["home"], "new": best, "split": split}
    return world.truth.potential_outcomes(
        {name: dear | {"home": home} for name, home in homes.items()}
    )
