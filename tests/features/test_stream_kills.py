"""Consumers killed by kill -9, fifty times while a producer writes: nothing lost, nothing twice."""

import json
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest

from tests.features import stream_kills
from workbench import features
from workbench.events import EventLog

pytestmark = pytest.mark.clock  # a kill hits whatever the process has come to by then

ROUNDS = 50
PROGRAM = Path(stream_kills.__file__)
ROOT = PROGRAM.parents[2]


def run(what, source, folder, *more):
    command = [sys.executable, PROGRAM, what, source, folder, *more]
    path = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "HOME": str(folder)}
    return subprocess.Popen(command, env=path, stdout=subprocess.PIPE, text=True)


def killed(source, folder):
    """How many events were produced, and what the rounds told."""
    if source == "journal":  # from now on drain keeps what the stream has not had
        (folder / "journal").mkdir()
        stream_kills.opened(source, folder, "a").close()
    assert run("warm", source, folder).wait(120) == 0
    producer = run("produce", source, folder)
    consumers = run("consume", source, folder, str(ROUNDS))
    told = [json.loads(line) for line in consumers.communicate(timeout=300)[0].splitlines()]
    assert consumers.returncode == 0
    (folder / "stop").touch()
    produced = json.loads(producer.communicate(timeout=120)[0])
    return produced, told


def check_rounds(rounds):
    assert len(rounds) == ROUNDS
    assert [line for each in rounds for line in each["told"] if line.startswith("x")] == []
    assert sum(each["told"] == ["o"] for each in rounds) > ROUNDS * 0.8


@pytest.fixture(autouse=True)
def the_shortest_wait(monkeypatch):
    """`stream_kills` shortens it for its own processes; here it is as it was."""
    monkeypatch.setattr(stream_kills.redis_group, "IDLE_SECONDS", 5.0)


def test_a_store_fed_from_the_journal_has_the_features_of_training(tmp_path):
    produced, rounds = killed("journal", tmp_path)
    check_rounds(rounds)
    check_values(tmp_path, "journal", produced, EventLog(tmp_path / "log"))


def test_a_store_fed_from_redis_has_the_features_of_training(stream_address, tmp_path, monkeypatch):
    produced, rounds = killed(stream_address, tmp_path)
    check_rounds(rounds)
    monkeypatch.setattr(stream_kills.redis_group, "IDLE_SECONDS", 0.0)
    log = {"payment": pl.DataFrame(stream_kills.events(range(produced)))}
    check_values(tmp_path, stream_address, produced, log)


def check_values(folder, source, produced, log):
    """Catch up, then compare every value with training."""
    store = stream_kills.store_of(folder)
    assert store.status()["commits"] > ROUNDS / 2  # the kills hit consumers at work
    rest = stream_kills.opened(source, folder, "a")
    features.stream(rest, store, until="caught up")
    rest.close()
    at = stream_kills.START + timedelta(milliseconds=10 * produced)
    users = [*range(17)]
    trained = features.training_frame(
        pl.DataFrame({"user": users, "time": at}), stream_kills.FEATURES, log
    )
    online = store.read_many({"user": users}, at=at)
    counts = online[stream_kills.FEATURES[0].name]
    assert counts.sum() == produced
    for feature in stream_kills.FEATURES:
        got, want = online[feature.name].to_list(), trained[feature.name].to_list()
        exact = feature.aggregate not in ("sum", "mean", "std")
        assert got == (want if exact else pytest.approx(want, rel=1e-9)), feature.name
    store.close()
