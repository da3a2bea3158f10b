"""A run says what a model was made of, and gives the champion back without running foreign code."""

import contextlib
import io
import json
import logging
import os
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import xgboost

from workbench import tracking, training
from workbench.events import EventLog
from workbench.metrics import Interval
from workbench.tracking.run import code_now

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Spec:
    depth: int = 6
    rate: float = 0.1


@dataclass(frozen=True)
class Spend:
    name: str = "spend_30d"
    version: str = "a1b2c3"


@pytest.fixture(scope="module")
def uri(tmp_path_factory):
    """One store for tests with names of their own: making one takes seconds."""
    return f"sqlite:///{tmp_path_factory.mktemp('tracking') / 'mlflow.db'}"


@pytest.fixture(scope="module")
def booster():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(200, 2))
    data = xgboost.DMatrix(rows, rows[:, 0] > 0, feature_names=["a", "b"])
    return xgboost.train({"max_depth": 2, "objective": "binary:logistic"}, data, 3)


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    log = EventLog(tmp_path_factory.mktemp("log"), clock=lambda: NOON + timedelta(days=9))
    clicks = pl.DataFrame({"event": [1, 2], "time": NOON, "item": [1, 2]})
    log.append(click=clicks, known_at="time", complete_until=NOON + timedelta(days=1))
    return log


def test_a_run_comes_back_as_it_was_made(uri, booster, log, tmp_path):
    (tmp_path / "note.txt").write_text("looked fine")
    view = log.as_of(NOON + timedelta(hours=1))
    with tracking.start(
        "whole", uri=uri, data=view, features=["amount", Spend()], params=Spec(), device="cpu"
    ) as open_run:
        open_run.metrics({"auc": 0.5, "log_loss": np.float32(0.25)})
        open_run.metrics({"auc": Interval(0.81, 0.79, 0.83), "recall": (0.4, 0.3, 0.5)})
        open_run.model(booster)
        open_run.artifact(tmp_path / "note.txt", folder="notes")
    run = tracking.find("whole", uri=uri, id=open_run.id)
    assert (run.id, run.name, run.uri, run.status) == (open_run.id, "whole", uri, "finished")
    assert run.data == tracking.Data(log.version, NOON + timedelta(hours=1), view.complete_until)
    assert run.features == {"amount": None, "spend_30d": "a1b2c3"}
    assert run.params == {"depth": 6, "rate": 0.1}
    assert run.metrics == {
        "auc": tracking.Metric(0.81, 0.79, 0.83),
        "log_loss": tracking.Metric(0.25),
        "recall": tracking.Metric(0.4, 0.3, 0.5),
    }
    assert run.artifacts == ("model/model.json", "notes/note.txt", "run.json")
    assert run.code.package == code_now().package
    assert run.environment["python"].startswith("3.")
    assert run.environment["xgboost"] == xgboost.__version__
    assert abs(run.started - datetime.now(UTC)) < timedelta(minutes=5)
    assert 0 <= run.duration_seconds < 300
    assert "log_loss 0.25" in repr(run)
    assert f"version {log.version} as of 2026-03-01 13:00" in repr(run)
    assert max(map(len, repr(run).splitlines())) <= 90


def test_the_champion_scores_like_the_model_that_was_kept(uri, booster):
    rows = xgboost.DMatrix(np.eye(2), feature_names=["a", "b"])
    with tracking.start("champions", uri=uri) as first:
        first.model(booster)
    with tracking.start("champions", uri=uri) as second:
        second.model(booster[:1])
    tracking.promote(first)
    loaded = tracking.load("champions", uri=uri)
    assert loaded.predict(rows).tolist() == booster.predict(rows).tolist()
    promoted = tracking.promote(tracking.find("champions", uri=uri, id=second.id))
    assert promoted.id == second.id
    assert tracking.load("champions", uri=uri).num_boosted_rounds() == 1
    tracking.promote(first, alias="challenger")
    assert tracking.find("champions", uri=uri).id == second.id
    assert tracking.find("champions", uri=uri, alias="challenger").id == first.id
    table = tracking.runs("champions", uri=uri)
    assert dict(zip(table["run"], table["alias"], strict=True)) == {
        first.id: "challenger",
        second.id: "champion",
    }


def test_a_trained_model_comes_back_with_its_facts(uri):
    amount = np.random.default_rng(0).lognormal(3, 1, 500)
    table = {"amount": amount, "label": (amount > 20).astype(float)}
    with tracking.start("trained", uri=uri, data=table) as run:
        model = training.fit(table, features=["amount"], label="label")
        run.model(model)
    tracking.promote(run)
    loaded = tracking.load("trained", uri=uri, read=training.Model.load)
    assert loaded.score(table).tolist() == model.score(table).tolist()
    assert loaded.facts == json.loads(json.dumps(model.facts))


def test_no_pickle_is_kept(uri, booster):
    with tracking.start("safe", uri=uri) as run:
        run.model(booster)
    folder = Path(uri.removeprefix("sqlite:///")).parent / "artifacts" / "safe" / run.id
    files = [file for file in folder.rglob("*") if file.is_file()]
    assert sorted(file.name for file in files) == ["model.json", "run.json"]
    for file in files:
        json.loads(file.read_text())


def test_an_error_in_the_block_marks_the_run_failed_and_comes_out(uri, booster):
    started = []

    def break_off():
        with tracking.start("failing", uri=uri, params={"depth": 3}) as run:
            started.append(run)
            run.model(booster)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        break_off()
    [run] = started
    with pytest.raises(KeyboardInterrupt), tracking.start("failing", uri=uri):
        raise KeyboardInterrupt
    table = tracking.runs("failing", uri=uri)
    assert table["status"].to_list() == ["killed", "failed"]
    assert tracking.find("failing", uri=uri, id=run.id).params == {"depth": 3}
    with pytest.raises(ValueError, match=r"failing cannot be 'champion': .* is failed"):
        tracking.promote(run)


def test_a_run_without_a_model_cannot_be_champion(uri):
    with tracking.start("empty", uri=uri) as run:
        pass
    with pytest.raises(ValueError, match=r"cannot be 'champion': .* kept no model"):
        tracking.promote(run)
    with pytest.raises(ValueError, match=r"no model of 'empty' is 'champion' .* promote a run"):
        tracking.load("empty", uri=uri)


def test_runs_are_a_table_newest_first(uri):
    for depth in (3, 4):
        with tracking.start("table", uri=uri, params={"depth": depth, "spec": Spec()}) as run:
            run.metrics({"auc": (depth / 10, 0.1, 0.9)})
    with tracking.start("table", uri=uri) as run:
        pass
    table = tracking.runs("table", uri=uri)
    assert table["param.depth"].to_list() == [None, "4", "3"]
    assert table["auc"].to_list() == [None, 0.4, 0.3]
    assert table["param.spec.rate"].to_list() == [None, "0.1", "0.1"]
    assert table.schema["started"] == pl.Datetime("us", "UTC")
    assert table["data_version"].null_count() == 3


def test_a_table_is_known_by_all_its_rows(uri):
    rows = pl.DataFrame({"amount": np.arange(20_000.0)})
    changed = rows.with_columns(pl.col("amount").replace(19_999.0, 0.0))
    frames = [rows, rows.to_pandas(), rows.to_arrow(), changed]
    digests = [tracking.run.data_of(frame).digest for frame in frames]
    assert digests[0] == digests[1] == digests[2] != digests[3]


def test_unknown_names_ids_and_stores_are_errors_that_say_what_there_is(uri, tmp_path):
    with tracking.start("known", uri=uri):
        pass
    with pytest.raises(ValueError, match=r"no runs of 'unknown' at .*; there are: .*known"):
        tracking.runs("unknown", uri=uri)
    with pytest.raises(ValueError, match="no model of 'unknown' is 'champion'"):
        tracking.load("unknown", uri=uri)
    with pytest.raises(ValueError, match="there is no run nothing"):
        tracking.find("known", uri=uri, id="nothing")
    nowhere = f"sqlite:///{tmp_path / 'not' / 'there.db'}"
    for ask in (tracking.runs, tracking.load, tracking.find):
        with pytest.raises(ValueError, match=r"there.db does not exist"):
            ask("known", uri=nowhere)
    assert not (tmp_path / "not").exists()


@pytest.mark.parametrize("value", ["0.8", None, True, (0.1, 0.2), [0.1]])
def test_a_metric_is_a_number_or_an_interval(uri, value):
    run = tracking.OpenRun("x", "x", uri)
    with pytest.raises(ValueError, match="metric 'auc' must be a number"):
        run.metrics({"auc": value})


def test_other_wrong_arguments_are_errors(uri, tmp_path):
    for name in ("", "a/b", "../a", None):
        with pytest.raises(ValueError, match="a name is letters"), tracking.start(name, uri=uri):
            pass
    for wrong in ("mlflow.db", None, 7):
        with pytest.raises(ValueError, match="uri must be an address"):
            tracking.runs("a", uri=wrong)
    with pytest.raises(ValueError, match="params must be a mapping or a dataclass, got list"):
        tracking.start("a", uri=uri, params=[1]).__enter__()
    run = tracking.OpenRun("x", "x", uri)
    with pytest.raises(ValueError, match=r"a model has save\(path\) or save_model\(path\), got in"):
        run.model(7)
    with pytest.raises(ValueError, match="there is no file"):
        run.artifact(tmp_path / "nothing")


def test_a_store_that_was_deleted_is_made_anew_in_the_same_process(tmp_path, booster):
    """MLflow alone goes on writing into the deleted file."""
    uri = f"sqlite:///{tmp_path / 'tracking' / 'mlflow.db'}"
    for _ in range(2):
        with tracking.start("again", uri=uri) as run:
            run.model(booster)
        tracking.promote(run)
        assert tracking.runs("again", uri=uri)["run"].to_list() == [run.id]
        for file in (tmp_path / "tracking").glob("mlflow.db*"):
            file.unlink()


QUIET = """
import os, sys
before = dict(os.environ), set(os.listdir("."))
from workbench import tracking
assert "mlflow" not in sys.modules
with tracking.start("quiet", uri=sys.argv[1], params={"depth": 6}) as run:
    run.metrics({"auc": 0.8})
tracking.runs("quiet", uri=sys.argv[1])
import mlflow
from mlflow.telemetry.client import get_telemetry_client
assert get_telemetry_client() is None
assert "quiet" not in mlflow.get_tracking_uri() and mlflow.active_run() is None
assert set(os.listdir(".")) == before[1], os.listdir(".")
"""


def test_nothing_is_printed_sent_or_left_in_the_working_folder(tmp_path):
    work = tmp_path / "work"
    work.mkdir()
    environment = {k: v for k, v in os.environ.items() if k not in ("CI", "PYTEST_CURRENT_TEST")}
    uri = f"sqlite:///{tmp_path / 'store' / 'quiet.db'}"
    done = subprocess.run(
        [sys.executable, "-c", QUIET, uri],
        capture_output=True,
        text=True,
        cwd=work,
        env=environment,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_users_own_logging_level_is_put_back(uri):
    logger = logging.getLogger("mlflow")
    before = logger.level
    with contextlib.redirect_stderr(io.StringIO()) as said, tracking.start("levels", uri=uri):
        pass
    assert (logger.level, said.getvalue()) == (before, "")


def test_the_commit_and_whether_files_differ_are_known(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert (code_now().commit, code_now().dirty) == (None, False)
    for command in (
        ["init", "-q"],
        ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "--allow-empty", "-m", "x"],
    ):
        subprocess.run(["git", *command], check=True)
    (tmp_path / "new.py").write_text("1")
    assert len(code_now().commit) == 40
    assert not code_now().dirty
    subprocess.run(["git", "add", "new.py"], check=True)
    assert code_now().dirty
    monkeypatch.setenv("PATH", "/nowhere")
    assert code_now().commit is None
