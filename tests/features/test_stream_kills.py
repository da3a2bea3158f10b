"""Consumers killed by kill -9, fifty times while a producer writes: nothing lost, nothing twice."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.features import stream_kills
from tests.features.recorder import Recorder
from workbench import features
from workbench.events import EventLog

ROUNDS = 50
PROGRAM = Path(stream_kills.__file__)
ROOT = PROGRAM.parents[2]


def run(what, source, folder, *more):
    command = [sys.executable, PROGRAM, what, source, folder, *more]
    path = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "HOME": str(folder)}
    return subprocess.Popen(command, env=path, stdout=subprocess.PIPE, text=True)


def killed(source, folder, kind):
    """How many events were produced, and what the rounds told."""
    if source == "journal":  # from now on drain keeps what the stream has not had
        (folder / "journal").mkdir()
        stream_kills.opened(source, folder, "a").close()
    producer = run("produce", source, folder)
    consumers = run("consume", source, folder, kind, str(ROUNDS))
    told = [json.loads(line) for line in consumers.communicate(timeout=120)[0].splitlines()]
    assert consumers.returncode == 0
    (folder / "stop").touch()
    produced = json.loads(producer.communicate(timeout=60)[0])
    return produced, told


def check_rounds(rounds):
    assert len(rounds) == ROUNDS
    assert [line for each in rounds for line in each["told"] if line.startswith("x")] == []
    assert sum(each["told"] == ["o"] for each in rounds) > ROUNDS * 0.8


def test_from_the_journal_each_event_is_applied_once(tmp_path):
    produced, rounds = killed("journal", tmp_path, "recorder")
    check_rounds(rounds)
    store = Recorder(tmp_path / "store.db")
    assert store.commits > ROUNDS / 2  # the kills hit consumers at work
    source = stream_kills.opened("journal", tmp_path, "a")
    features.stream(source, store, until="caught up")
    source.close()
    assert store.events("payment") == [*range(produced)]
    assert store.duplicates == 0
    assert EventLog(tmp_path / "log").scan("payment").collect().height == produced


def test_from_redis_each_event_is_applied_once(redis_address, tmp_path, monkeypatch):
    produced, rounds = killed(redis_address, tmp_path, "recorder")
    check_rounds(rounds)
    store = Recorder(tmp_path / "store.db")
    assert store.commits > ROUNDS / 2  # the kills hit consumers at work
    source = stream_kills.opened(redis_address, tmp_path, "a")
    monkeypatch.setattr(stream_kills.redis_group, "IDLE_SECONDS", 0.0)
    features.stream(source, store, until="caught up")
    source.close()
    assert store.events("payment") == [*range(produced)]
    left = source_pending(redis_address)
    assert left == 0


def source_pending(address):
    import redis

    with redis.Redis.from_url(address) as client:
        return client.xpending("s0", "features")["pending"]


@pytest.fixture(autouse=True)
def the_shortest_wait(monkeypatch):
    """`stream_kills` shortens it for its own processes; here it is as it was."""
    monkeypatch.setattr(stream_kills.redis_group, "IDLE_SECONDS", 5.0)
