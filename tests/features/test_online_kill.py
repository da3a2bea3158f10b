"""Kill -9 while applying and materialising: nothing lost, nothing twice, nothing torn."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.features import store_writer
from tests.features.store_writer import FEATURES, MINUTE, START, USERS
from workbench import features

pytestmark = pytest.mark.clock  # a kill hits whatever the process has come to by then

PROGRAM = Path(store_writer.__file__)
ROUNDS = {"lmdb": 50, "redis": 15}


@pytest.fixture(scope="module", params=["lmdb", "redis"])
def address(request, tmp_path_factory):
    if request.param == "lmdb":
        return str(tmp_path_factory.mktemp("killed"))
    return request.getfixturevalue("redis_address") + "?name=killed"


@pytest.fixture(scope="module", params=["apply", "materialise"])
def killed(request, address):
    """A store whose writer was killed many times, while two others read it."""
    address = f"{address}-{request.param}"
    run = [sys.executable, PROGRAM, address]
    readers = [
        subprocess.Popen([*run, "read"], stdout=subprocess.PIPE, text=True) for _ in range(2)
    ]
    try:
        for reader in readers:
            assert reader.stdout.readline() == "reading\n"
        rounds = ROUNDS["redis" if "redis://" in address else "lmdb"]
        words = [*run, request.param, str(rounds), "0"]
        done = subprocess.run(words, capture_output=True, text=True)
    finally:
        for reader in readers:
            reader.terminate()
    told = [json.loads(reader.communicate(timeout=20)[0].splitlines()[-1]) for reader in readers]
    assert done.returncode == 0, done.stderr[-2000:]
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return {"address": address, "how": request.param, "rounds": lines, "readers": told}


def test_every_round_was_killed_and_none_failed(killed):
    rounds = killed["rounds"]
    assert [line["errors"] for line in rounds if line["errors"]] == []
    assert sum(line["promised"] is not None for line in rounds) > len(rounds) / 4


def test_what_was_promised_is_found_by_the_next_and_never_more_than_one_batch_beyond(killed):
    promised = 0
    for line in killed["rounds"]:
        if line["found"] is not None:
            assert promised <= line["found"] < promised + 40
            promised = line["found"]
        promised = max(promised, line["promised"] or 0)


def test_nothing_is_lost_and_nothing_is_in_twice(killed):
    with features.OnlineStore(killed["address"], FEATURES) as store:
        if killed["how"] == "apply":
            batches = int(store.position("test"))
        else:
            until = store.status()["groups"]["user"]["materialised_until"]
            batches = (until - START) // MINUTE
        frame = store.read_many({"user": list(range(USERS))}, at=START + 10**6 * MINUTE)
        assert frame["count"].to_list() == frame["different"].to_list() == [batches] * USERS
        assert frame["sum"].to_list() == [batches] * USERS
        assert frame["last"].to_list() == [[batches - 3, batches - 2, batches - 1]] * USERS
        assert batches > 40


def test_readers_beside_the_writers_saw_whole_commits_only(killed):
    for reader in killed["readers"]:
        assert reader["torn"] == []
        assert reader["states"] > 10  # they did see it change
