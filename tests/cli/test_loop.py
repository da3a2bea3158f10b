"""`workbench loop` and `workbench world`, as people run them."""

import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime
from functools import partial

import polars as pl
import pytest

from workbench import tracking
from workbench.cli import main
from workbench.events import EventLog
from workbench.lab import Lab
from workbench.studies import fraud_plan
from workbench.studies.fraud_plan import FraudPlan

START = datetime(2024, 5, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("WORKBENCH_HOME", str(tmp_path))
    return tmp_path


def test_the_loop_runs_headless_and_the_scorecard_is_json(home, capsys, monkeypatch):
    short = partial(
        FraudPlan, horizon_days=5, usual_days=(0, 14), next_days=(14, 17), train_days=(0, 7),
        judge_days=(7, 12), model_day=17, ab_days=(19, 23), read_day=28, watch_days=(2, 23),
        retrain_day=29, retrain_train_days=(0, 24), last_days=(29, 33), commit_minutes=1440,
    )  # fmt: skip
    monkeypatch.setattr(fraud_plan, "FraudPlan", short)  # half as many days as people get
    assert main(["loop", "--scale", "0.3", "--seed", "3", "--json"]) == 0
    out, err = capsys.readouterr()
    rows = json.loads(out)
    assert {"study", "what", "measured", "low", "high", "baseline", "truth"} == set(rows[0])
    names = [row["what"] for row in rows]
    assert names[0] == "AUC the usual way, random split"
    assert names[-1] == "AUC gained by retraining"
    assert "step" in err
    assert str(home / "loop-marketplace") in err
    assert "payment" in EventLog(home / "loop-marketplace" / "log").kinds
    uri = f"sqlite:///{home / 'loop-marketplace' / 'tracking' / 'mlflow.db'}"
    assert len(tracking.runs("fraud", uri=uri)) == 2


def test_without_the_public_data_it_says_so(home, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("WORKBENCH_PUBLIC_DATA", str(tmp_path / "nothing"))
    for name in ("cards", "online-retail"):
        assert main(["loop", "--data", name]) == 1
        said = capsys.readouterr().err
        assert said.startswith("workbench loop: ")
        assert str(tmp_path / "nothing") in said


def test_a_lab_that_somebody_uses_is_not_emptied(home, capsys):
    with Lab("mine") as lab:
        shown = pl.DataFrame({"event": [1], "request": [1], "item": [1], "time": [START]})
        lab.log.append(click=shown.with_columns(user=1, position=1), known_at="time")
    before = EventLog(home / "mine" / "log").version
    capsys.readouterr()
    assert main(["loop", "--lab", "mine"]) == 1
    assert "the lab 'mine' has a log already" in capsys.readouterr().err
    assert EventLog(home / "mine" / "log").version == before


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["--data", "cards", "--scale", "0.5"], "--scale is for the marketplace"),
        (["--scale", "0"], "--scale must be above zero"),
        (["--data", "criteo"], "invalid choice"),
    ],
)
def test_options_that_cannot_be_are_named(argv, said, capsys):
    with pytest.raises(SystemExit) as leaving:
        main(["loop", *argv])
    assert leaving.value.code == 2
    assert said in capsys.readouterr().err


def test_ctrl_c_leaves_a_lab_that_can_be_read(home):
    code = "from workbench.cli import main; raise SystemExit(main(['loop', '--scale', '0.1']))"
    running = subprocess.Popen(
        [sys.executable, "-c", code], stderr=subprocess.PIPE, text=True, env=dict(os.environ)
    )
    log = home / "loop-marketplace" / "log"
    deadline = time.monotonic() + 60
    while len(list(log.glob("_delta_log/*.json"))) < 3 and time.monotonic() < deadline:
        time.sleep(0.05)
    running.send_signal(2)
    said = running.communicate(timeout=60)[1]
    assert running.returncode == 130
    assert f"stopped; what was done until here is in {home / 'loop-marketplace'}" in said
    assert "Traceback" not in said
    kept = EventLog(log)
    assert kept.scan("payment").collect().height > 0
    assert kept.quarantine().is_empty()


def test_a_world_is_written_and_its_log_shown(home, capsys):
    out = home / "shop"
    argv = ["world", "--out", str(out), "--days", "2", "--scale", "0.05"]
    assert main(argv) == 0
    shown = capsys.readouterr().out
    assert shown.startswith(f"EventLog at {out}, version ")
    assert "payment" in shown
    assert main(argv) == 1
    assert "holds a log already" in capsys.readouterr().err
