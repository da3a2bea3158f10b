"""Feast as an oracle: equal to ours where Feast is right, and its faults by name where it is not.

Its answers are recorded, with the versions that gave them; where the peers' environment is built
it is asked anew. `benchmarks.feast_oracle` has the history.
"""

from __future__ import annotations

import json
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from workbench import features

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))  # benchmarks are not part of the package

from benchmarks import feast_oracle  # noqa: E402

EVENTS, REQUESTS = feast_oracle.history()
RECORD = json.loads(feast_oracle.RECORD.read_text(encoding="utf-8"))
ROW = {name: user - 1 for user, (name, _) in feast_oracle.CASES.items()}
RANDOM = [row for row, user in REQUESTS.select("row", "user").rows() if user >= 100]
OFFLINE = ("dask", "dask, known", "duckdb", "duckdb, known")
NULLS = [None, None]


def ours(requests, days=7):
    """{row: [amount, place]} by our own join."""
    latest = [
        features.latest(column, of="payment", per="user", days=days, name=column)
        for column in ("amount", "place")
    ]
    frame = features.training_frame(requests, latest, {"payment": EVENTS})
    return {row: values for row, *values in frame.select("row", "amount", "place").rows()}


OURS = ours(REQUESTS)
LAST = (
    EVENTS.select("user")
    .unique("user", maintain_order=True)
    .with_columns(time=EVENTS["known_at"].max() + timedelta(days=1), row="user")
)
ONLINE = ours(LAST, days=None)


def theirs(store, row):
    return RECORD["offline"][store].get(str(row))


def online(store, name):
    return RECORD["online"][store][str(ROW[name] + 1)]


def test_the_record_says_who_answered_what():
    assert RECORD["versions"].keys() >= {"feast", "dask", "duckdb"}
    assert set(RECORD["offline"]) == set(OFFLINE)
    assert set(RECORD["online"]) == {"sqlite", "redis", "sqlite, ttl", "redis, ttl"}
    assert len(OURS) == REQUESTS.height == len(ROW) + 1 + len(RANDOM)


@pytest.mark.parametrize("store", OFFLINE)
def test_feast_offline_gives_our_values_where_nothing_is_ambiguous(store):
    found = {row: theirs(store, row) for row in RANDOM if theirs(store, row) is not None}
    assert found == {row: OURS[row] for row in found}
    assert len(found) > 0.8 * len(RANDOM)
    assert sum(values != NULLS for values in found.values()) > 60
    if store.startswith("duckdb"):
        assert len(found) == len(RANDOM)


@pytest.mark.parametrize("store", OFFLINE)
@pytest.mark.parametrize(
    "name", ["plain", "exactly as old as the time-to-live", "the newer one is null", "nothing ever"]
)
def test_feast_offline_gives_our_values(store, name):
    assert theirs(store, ROW[name]) == OURS[ROW[name]]


@pytest.mark.parametrize("name", ["older than the time-to-live", "nothing yet"])
def test_feast_on_duckdb_has_the_time_to_live_and_the_future_right(name):
    assert theirs("duckdb", ROW[name]) == OURS[ROW[name]] == NULLS


def test_feast_on_duckdb_breaks_ties_by_the_second_clock_as_we_do():
    assert theirs("duckdb", ROW["one time, known later"]) == OURS[ROW["one time, known later"]]


def test_our_online_store_fed_as_feast_was_gives_what_ours_gives_offline(tmp_path):
    latest = [
        features.latest(column, of="payment", per="user", name=column)
        for column in ("amount", "place")
    ]
    store = features.OnlineStore(tmp_path / "store", latest, late_days=60)
    in_order = EVENTS.sort("known_at", maintain_order=True)
    for place in range(in_order.height):
        store.apply({"payment": in_order[place]})
    at = LAST["time"][0]
    assert {user: [*store.read({"user": user}, at=at).values()] for user in ONLINE} == ONLINE
    store.close()


# --- its faults -----------------------------------------------------------------------------------


@pytest.mark.parametrize("store", ["dask", "duckdb"])
def test_fault_feast_shows_what_was_known_after_the_request_unless_asked_not_to(store):
    row = ROW["known after the request"]
    assert theirs(store, row) == [11.0, "b"]
    assert theirs(f"{store}, known", row) == OURS[row] == [10.0, "a"]


@pytest.mark.parametrize("store", OFFLINE)
def test_fault_feast_shows_what_happens_at_the_very_time_of_the_request(store):
    row = ROW["at the very time of the request"]
    assert theirs(store, row) == [13.0, "b"]
    assert OURS[row] == [12.0, "a"]


@pytest.mark.parametrize("store", ["dask", "dask, known"])
def test_fault_feast_on_dask_drops_requests_that_share_key_and_time(store):
    first, second = (row for row, user in REQUESTS.select("row", "user").rows() if user == 6)
    assert OURS[first] == OURS[second] == [9.0, "a"]
    assert [theirs(store, row) for row in (first, second)].count(None) == 1


@pytest.mark.parametrize("store", ["dask", "dask, known"])
def test_fault_feast_on_dask_drops_requests_whose_events_are_all_too_old_or_still_to_come(store):
    lost = {row for row in OURS if theirs(store, row) is None}
    assert lost > {ROW["older than the time-to-live"], ROW["nothing yet"]}
    assert {OURS[row] == NULLS for row in lost & set(RANDOM)} == {True}
    assert len(lost & set(RANDOM)) > 10


def test_fault_feast_on_dask_takes_of_two_events_at_one_time_the_one_known_sooner():
    row = ROW["one time, known later"]
    assert (theirs("dask", row), OURS[row]) == ([6.0, "b"], [5.0, "a"])


@pytest.mark.parametrize("store", ["sqlite", "redis"])
def test_fault_feast_ignores_the_time_to_live_online(store):
    assert online(f"{store}, ttl", "older than the time-to-live") == [3.0, "a"]
    assert RECORD["online"][f"{store}, ttl"] == RECORD["online"][store]  # years after the history


def test_our_online_store_honours_the_time_to_live(tmp_path):
    lived = features.latest("amount", of="payment", per="user", days=7, name="amount")
    store = features.OnlineStore(tmp_path / "store", lived)
    store.materialise({"payment": EVENTS}, LAST["time"][0])
    later = LAST["time"][0] + timedelta(days=3)
    expected = {row: values[0] for row, values in ours(LAST.with_columns(time=later)).items()}
    assert {user: store.read({"user": user}, at=later)["amount"] for user in ONLINE} == expected
    assert 0 < sum(value is None for value in expected.values()) < len(expected)
    store.close()


def test_fault_feast_on_sqlite_lets_late_data_overwrite_newer_and_on_redis_not():
    name = "late, older than what is there"
    assert online("sqlite", name) == [17.0, "b"]
    assert online("redis", name) == ONLINE[ROW[name] + 1] == [16.0, "a"]


def test_fault_feast_on_redis_keeps_the_sooner_known_of_two_events_at_one_time_and_on_sqlite_not():
    name = "one time, known later"
    assert online("redis", name) == [6.0, "b"]
    assert online("sqlite", name) == ONLINE[ROW[name] + 1] == [5.0, "a"]


@pytest.mark.parametrize("store", ["sqlite", "redis"])
def test_fault_feast_does_not_write_an_event_of_nulls_alone_and_shows_the_old_value(store):
    name = "the newer one is null"
    assert online(store, name) == [14.0, "a"]
    assert ONLINE[ROW[name] + 1] == NULLS


@pytest.mark.parametrize("store", ["sqlite", "redis"])
def test_feast_online_gives_our_values_where_nothing_is_ambiguous(store):
    users = [user for user in ONLINE if user >= 100]
    answers = RECORD["online"][store]
    assert len(users) == 20
    assert {user: answers[str(user)] for user in users} == {user: ONLINE[user] for user in users}


@pytest.mark.skipif(
    not (ROOT / ".venv-peers" / "peers.txt").exists(), reason="the peers' environment is not built"
)
def test_feast_still_answers_what_is_recorded():
    assert feast_oracle.answers(EVENTS, REQUESTS) == RECORD
