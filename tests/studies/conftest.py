"""A small marketplace, played through the fraud loop once for all tests."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from workbench import lab
from workbench.bench import find_benchmarks
from workbench.data.sources import SOURCES
from workbench.features import count
from workbench.fraud import history
from workbench.lab import Lab
from workbench.marketplace import Marketplace, MarketplaceSpec
from workbench.studies.fraud_loop import FraudLoop
from workbench.studies.fraud_plan import FraudPlan
from workbench.training import TrainSpec

SPEC = MarketplaceSpec(
    users=600, items=100, days=40, shock_day=23, fraud_share=0.08, chargeback_delay_days=1.5,
    never_complained_share=0.05, wave_minutes=1440,
)  # fmt: skip
PLAN = FraudPlan(
    horizon_days=5, usual_days=(0, 10), next_days=(10, 14), train_days=(0, 4), judge_days=(4, 9),
    model_day=14, ab_days=(19, 23), read_day=28, watch_days=(2, 23), retrain_day=31,
    retrain_train_days=(0, 26), last_days=(31, 35), commit_minutes=1440,
    watch=(("user_payments_1h",), ("amount", "score")),
    history=(*history(("user", "device"), label_delay_days=5)[:6],
             count("payment", per=("user", "device"), name="user_had_device")),
    spec=TrainSpec(rounds=30, bins=64, threads=1),
)  # fmt: skip


@pytest.fixture(scope="session")
def play(tmp_path_factory):
    """Play the loop: the loop with its lab and scorecard."""

    def played(world=None, plan=PLAN):
        folder = Lab("studies", home=tmp_path_factory.mktemp("labs"))
        loop = FraudLoop(world or Marketplace(SPEC), folder, plan)
        for step in loop.steps:
            step()
        return loop

    return played


@pytest.fixture(scope="session")
def loop(play):
    return play()


@pytest.fixture(scope="session")
def replayed(play, loop):
    """The payments of that marketplace as a record, played back: the same loop without a truth."""
    from workbench.data.replay import Replay

    log = loop.lab.log
    record = {kind: log.scan(kind).collect() for kind in ("payment", "chargeback")}
    return play(Replay(record))


@pytest.fixture
def real_data(monkeypatch):
    """The mirror, or the sets downloaded before; without either skip, but fail in CI."""
    checkout = Path(lab.__file__).resolve().parent.parent
    home = Path(os.environ.get("WORKBENCH_PUBLIC_DATA") or checkout / "data" / "public")
    if all((home / SOURCES[name].folder).is_dir() for name in ("cards", "online-retail")):
        monkeypatch.setenv("WORKBENCH_PUBLIC_DATA", str(home))
        return
    words = (
        f"the public data is not in {home}: let WORKBENCH_PUBLIC_DATA name a mirror, or load each "
        "set once with workbench.data.public.table(name)"
    )
    if os.environ.get("CI") == "true":
        pytest.fail(words)
    pytest.skip(words)


@pytest.fixture(scope="session")
def broken_worlds():
    """Two small shops on random pages and open checkouts: events to break, and the truth."""
    find_benchmarks(Path(lab.__file__).resolve().parent.parent)  # puts them on the path
    from benchmarks.broken_worlds import events_and_truth

    spec = MarketplaceSpec(
        users=300, items=60, days=20, shock_day=20, fraud_share=0.1, chargeback_delay_days=1.5,
        wave_minutes=1440,
    )  # fmt: skip
    return [events_and_truth(replace(spec, seed=seed)) for seed in (1, 2)]
