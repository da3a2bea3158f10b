"""What fresh features are worth: true AUC and money by their age, in two kinds of shops, on cards.

    python -m benchmarks.freshness             # full: kept in results/ and docs/scorecards/
    python -m benchmarks.freshness --quick     # one small shop of each kind: printed, not kept

In the first kind thieves use stolen cards and take accounts over, in the second they test cards
many times in an hour. The card transactions are real data's stand-in: recorded, without a truth.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial

import polars as pl

from benchmarks.broken_worlds import events_and_truth, workers_map
from benchmarks.harness import HERE
from workbench import features, fraud
from workbench.data import public
from workbench.marketplace import MarketplaceSpec
from workbench.studies.freshness import AsReported, FreshnessPlan, freshness
from workbench.studies.freshness_table import Freshness

__all__ = ["CARD_PLAN", "SPEC", "main", "run"]

SPEC = MarketplaceSpec(
    users=1_200, items=400, days=48, shock_day=48, fraud_share=0.04, chargeback_delay_days=4.0,
    wave_minutes=1440,
)  # fmt: skip
KINDS = {"stolen cards": 48, "card testing": 10}  # the day from which cards are tested
CARD_PLAN = FreshnessPlan(
    train_days=(30, 51), model_day=59, mark_days=(59, 69), user_share=0.2, draws=200
)
WORLDS = 6
SHIFTS = (0, 10, 20)  # days; three windows of the cards, one model and ten marked days in each


def cards(shift_days: int):
    """The card transactions from a day on, and who was reported in the end."""
    events = public.events("cards")
    start = events["payment"]["time"].min() + timedelta(days=shift_days)
    kept = {kind: frame.filter(pl.col("time") >= start) for kind, frame in events.items()}
    return kept, AsReported(kept["chargeback"])


def card_features() -> list:
    """Four histories of a customer, and three of a terminal."""
    count, per = features.count, {"of": "payment", "per": "user"}
    return [
        count(**per, hours=1, name="user_payments_1h"),
        count(**per, days=1, name="user_payments_1d"),
        features.mean("amount", **per, days=30, name="user_usual_amount"),
        features.time_since(**per, name="user_days_since_payment"),
        count("payment", per="seller", days=1, name="seller_payments_1d"),
        count("chargeback", per="seller", days=30, name="seller_frauds_30d"),
        count("chargeback", per="user", days=30, name="user_frauds_30d"),
    ]


def run(quick: bool = False, *, workers: int = 1) -> dict[str, Freshness]:
    """One table for each kind of shop, and one for the cards."""
    wanted, found = fraud.history(("user", "device", "place")), {}
    spec = replace(SPEC, users=600) if quick else SPEC
    with workers_map(workers) as each:
        for kind, day in KINDS.items():
            specs = [replace(spec, seed=s, shock_day=day) for s in range(1 if quick else WORLDS)]
            worlds = [partial(events_and_truth, one) for one in specs]
            found[kind] = freshness(worlds, wanted, map=each)
    if not quick:
        windows = [partial(cards, shift) for shift in SHIFTS]
        found["cards"] = freshness(windows, card_features(), CARD_PLAN)
    return found


def text(found: dict[str, Freshness]) -> str:
    """All tables, for people."""
    parts = [
        f"{kind}: {each.text(trained)}"
        for kind, each in found.items()
        for trained in ("as served", "on fresh")
    ]
    return "\n\n".join(parts)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.freshness", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one small shop each; not kept")
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args(argv)
    found = run(options.quick, workers=options.workers)
    if not options.quick:
        tables = [each.table.with_columns(kind=pl.lit(kind)) for kind, each in found.items()]
        pl.concat(tables).write_csv(HERE / "results" / "freshness.csv", float_precision=4)
        kept = f"$ python -m benchmarks.freshness\n{text(found)}\n"
        (HERE.parent / "docs" / "scorecards" / "freshness.txt").write_text(kept, encoding="utf-8")
    print(text(found))


if __name__ == "__main__":
    main()
