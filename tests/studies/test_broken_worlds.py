"""The worlds that the scoreboards break: the same in any process; and what is committed of them."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import polars as pl
import pytest

from workbench import lab
from workbench.bench import find_benchmarks
from workbench.data.faults import FAULTS
from workbench.marketplace import MarketplaceSpec
from workbench.studies.detectors import checks_of_a_kind
from workbench.studies.mutation import MutationPlan, mutation

ROOT = Path(lab.__file__).resolve().parent.parent
find_benchmarks(ROOT)  # puts them on the path

from benchmarks.broken_worlds import events_of, workers_map  # noqa: E402

RESULTS, CARDS = ROOT / "benchmarks" / "results", ROOT / "docs" / "scorecards"
SPEC = MarketplaceSpec(users=150, items=40, days=11, shock_day=11, wave_minutes=1440)
PLAN = MutationPlan(
    faults=("amount in cents", "lost chargebacks"), levels=("large",),
    kinds=("payment", "chargeback"), start_day=8, look_days=(1,), reference_days=7,
)  # fmt: skip


def test_two_processes_give_the_numbers_of_one():
    worlds = [partial(events_of, replace(SPEC, seed=seed, fraud_share=0.2)) for seed in (1, 2)]
    boards = []
    for workers in (1, 2):
        with workers_map(workers) as each:
            boards.append(mutation(worlds, {"checks": checks_of_a_kind}, PLAN, map=each))
    assert boards[0].injected.equals(boards[1].injected)
    assert boards[0].clean.equals(boards[1].clean)


@pytest.fixture(scope="module")
def found():
    return pl.read_csv(RESULTS / "mutation_faults.csv")


def test_the_committed_scoreboard_has_every_fault_at_three_sizes_in_twenty_worlds(found):
    ours = found.filter(pl.col("detector") == "checks")
    assert ours["fault"].n_unique() == len(FAULTS) - 1 >= 12  # no shop of ours has labels to flip
    assert ours.group_by("fault").len()["len"].unique().to_list() == [3]
    touched = ours.filter(pl.col("worlds") > 0)
    assert touched["worlds"].max() == 20
    assert ((touched["low"] <= touched["found"]) & (touched["found"] <= touched["high"])).all()


def test_the_committed_baselines_are_what_they_must_be():
    summary = pl.read_csv(RESULTS / "mutation.csv")
    table = {
        (who, what): share
        for who, what, share in summary.select("detector", "measure", "estimate").iter_rows()
    }
    assert table["always-fire", "recall, any alarm"] == 1
    assert table["always-fire", "false errors a clean day"] == 1
    assert table["never-fire", "recall, any alarm"] == 0
    assert table["never-fire", "false alarms a clean day"] == 0
    assert table["checks", "recall, a new alarm"] > table["never-fire", "recall, a new alarm"]
    line = next(
        row for row in (CARDS / "mutation.txt").read_text("utf-8").splitlines()
        if row.startswith("checks ")
    )  # fmt: skip
    assert f"{table['checks', 'recall, a new alarm']:.2f} [" in line


def test_the_committed_ledger_has_every_fault_of_its_models_and_its_text_says_the_same():
    ledger = pl.read_csv(RESULTS / "damage.csv")
    kinds = {"fraud": ("payment", "chargeback"), "clicks": ("impression", "click")}
    for task, theirs in kinds.items():
        faults = {name for name, fault in FAULTS.items() if fault.kind in theirs}
        assert set(ledger.filter(pl.col("task") == task)["fault"]) == faults
    text = (CARDS / "damage.txt").read_text("utf-8")
    worst = ledger.filter(pl.col("task") == "fraud").drop_nulls("cost_more")
    worst = worst.filter(pl.col("untrained") < 1).sort("cost_more", descending=True)
    assert f"{worst['cost_more'][0]:+,.0f} [" in text
    assert ledger["worlds"].unique().to_list() == [20]
