"""The journal takes small events and gives them back with the very same types."""

import os
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from workbench.journal import Journal
from workbench.journal.frames import ROWS
from workbench.journal.rows import decode
from workbench.journal.tables import parts, unpack

NOON = datetime(2026, 3, 1, 12, 0, 0, 123_456, tzinfo=UTC)
ROW = {"event": 1, "time": NOON, "known_at": NOON}


@pytest.fixture
def journal(tmp_path):
    with Journal(tmp_path / "journal") as journal:
        yield journal


def on_disk(journal):
    """Every table in the journal's closed and open segments, as `drain` would see it."""
    journal.sync()
    with journal._disk:
        journal._segments.close_active()
        numbers = journal._segments.closed()
    frames = [frame for number in numbers for frame in journal._segments.read(number)]
    tables = decode(frame.payload for frame in frames if frame.type == ROWS)
    tables += [unpack(frame.payload) for frame in frames if frame.type == b"t"]
    return parts(tables)


def test_types_and_values_come_back_exactly(journal):
    written = {
        "event": 2**63 - 1,
        "time": NOON.astimezone(timezone(timedelta(hours=-3))),
        "known_at": pd.Timestamp(NOON),
        "user": "Zoë \x00 \n 東京",
        "item": -(2**63),
        "amount": 0.1 + 0.2,
        "label": float("inf"),
        "live": True,
        "position": np.int32(3),
        "score": np.float32(0.1),
        "place": None,
    }
    journal.write("click", **written)
    [part] = on_disk(journal)
    row = part["click"].row(0, named=True)
    assert row == {
        **{name: value for name, value in written.items() if name != "place"},
        "time": NOON,
        "known_at": NOON,
        "score": float(np.float32(0.1)),
    }
    assert dict(part["click"].schema) == {
        "event": pl.Int64,
        "time": pl.Datetime("us", "UTC"),
        "known_at": pl.Datetime("us", "UTC"),
        "user": pl.String,
        "item": pl.Int64,
        "amount": pl.Float64,
        "label": pl.Float64,
        "live": pl.Boolean,
        "position": pl.Int64,
        "score": pl.Float64,
    }


@pytest.mark.parametrize(
    "moment",
    [
        datetime(1, 1, 1, tzinfo=UTC),
        datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
        datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
    ],
)
def test_no_microsecond_is_lost_at_either_end_of_time(journal, moment):
    journal.write("click", event=1, time=moment, known_at=moment)
    assert on_disk(journal)[0]["click"]["time"].to_list() == [moment]


def test_nan_is_kept_for_the_log_to_judge(journal):
    journal.write("click", **ROW, amount=float("nan"))
    assert np.isnan(on_disk(journal)[0]["click"]["amount"].item())


def test_what_is_missing_gets_an_id_and_the_clocks_time(tmp_path):
    with Journal(tmp_path, clock=lambda: NOON) as journal:
        first, second = journal.write("click", item=1), journal.write("click", item=2)
        journal.write("click", item=3, time=NOON - timedelta(days=1), event="mine", known_at=None)
        table = on_disk(journal)[0]["click"].sort("item")
    assert table["event"].to_list() == [first, second, "mine"]
    assert first != second
    assert table["known_at"].to_list() == [NOON] * 3
    assert table["time"].to_list() == [NOON, NOON, NOON - timedelta(days=1)]


def test_ids_of_two_sessions_never_meet(tmp_path):
    ids = set()
    for _ in range(3):
        with Journal(tmp_path) as journal:
            ids |= {journal.write("click", item=1) for _ in range(10)}
    assert len(ids) == 30


TABLE = {"item": [1, 2, 3], "score": np.array([0.5, 1.5, 2.5], np.float32), "policy": list("abc")}


@pytest.mark.parametrize(
    "table", [TABLE, pd.DataFrame(TABLE, index=[7, 7, 7]), pl.DataFrame(TABLE), pa.table(TABLE)]
)
def test_many_rows_go_in_from_any_table(tmp_path, table):
    with Journal(tmp_path, clock=lambda: NOON) as journal:
        ids = journal.write_many("decision", table)
        journal.write("decision", item=4, score=1, policy="d")  # a whole number among floats
        [part] = on_disk(journal)
    rows = part["decision"].sort("item")
    assert rows["event"].head(3).to_list() == ids.to_list()
    assert rows["score"].to_list() == [0.5, 1.5, 2.5, 1.0]
    assert rows["time"].unique().to_list() == [NOON]


@pytest.mark.parametrize(
    ("event", "words"),
    [
        ({"user": 1.5}, r"click\.user.* Float64"),
        ({"time": datetime(2026, 1, 1)}, "click.time: a datetime needs a time zone"),
        ({"place": datetime(2026, 1, 1)}, "click.place: a datetime needs a time zone"),
        ({"time": "2026-01-01"}, r"click\.time.* String"),
        ({"time": pd.Timestamp(1, tz="UTC")}, "click.time: microseconds are the finest unit"),
        ({"item": 2**63}, "click.item: an int must fit into 64 bits, got 9223372036854775808"),
        ({"place": "\ud800"}, "click.place: .*surrogates not allowed"),
        ({"place": ["a"]}, "click.place: a value is None, bool, .* got list"),
        ({"day": 1}, r"click\.day.* the log uses"),
        ({"kind": "x"}, r"click\.kind.* the log uses"),
    ],
)
def test_what_no_log_could_take_is_refused_at_once(journal, event, words):
    with pytest.raises(ValueError, match=words):
        journal.write("click", **event)
    assert journal.waiting == 0


@pytest.mark.parametrize("kind", ["", "Click", "a b", "1st", "../x", 7, None])
def test_a_kind_is_one_lower_case_word(journal, kind):
    for write in (lambda: journal.write(kind), lambda: journal.write_many(kind, {"item": [1]})):
        with pytest.raises(ValueError, match="a kind is lower case letters"):
            write()


def test_many_rows_are_refused_as_a_whole(journal):
    naive = np.array(["2026-01-01"], "datetime64[us]")
    for columns, words in [
        ({"time": naive}, r"click\.time.* zone"),
        ({"item": [1, 2], "user": [1, 2, 3]}, "click cannot be read as a table"),
        ({"item": ["a", 1]}, "click cannot be read as a table"),
        (7, "click cannot be read as a table"),
    ]:
        with pytest.raises(ValueError, match=words):
            journal.write_many("click", columns)
    assert journal.waiting == 0


def test_an_id_is_all_numbers_or_all_words_also_after_reopening(tmp_path):
    words = "click.user is Int64 in this journal, got String"
    with Journal(tmp_path) as journal:
        journal.write("click", user=1)
        journal.write("click", user=None)
        with pytest.raises(ValueError, match=words):
            journal.write("click", user="u1")
    with Journal(tmp_path) as journal:
        with pytest.raises(ValueError, match=words):
            journal.write("click", user="u1")
        with pytest.raises(ValueError, match=words):
            journal.write_many("click", {"user": ["u1"]})
        assert journal.waiting == 2


def test_a_thread_syncs_without_being_asked(journal):
    journal.write("click", item=1)
    deadline = time.monotonic() + 5
    while journal._durable < 1 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert journal._durable == 1


def test_sync_covers_writes_of_every_thread(journal):
    def write(thread):
        for number in range(500):
            journal.write("click", event=thread * 1000 + number, item=number)
            if number % 100 == 0:
                journal.sync()

    threads = [threading.Thread(target=write, args=(thread,)) for thread in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    [part] = on_disk(journal)
    expected = {thread * 1000 + number for thread in range(8) for number in range(500)}
    assert set(part["click"]["event"]) == expected
    assert len(part["click"]) == 4000


def test_one_writer_has_the_folder(journal):
    with pytest.raises(ValueError, match=r"is open in this process: one writer"):
        Journal(journal.path)
    code = f"from workbench.journal import Journal; Journal({str(journal.path)!r})"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert f"is open in process {os.getpid()}: one writer" in other.stderr


def test_a_forked_process_is_told_to_open_its_own(journal):
    journal.write("click", item=1)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            journal.write("click", item=2)
        except ValueError as error:
            os.write(writer, str(error).encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    os.close(writer)
    with open(reader) as pipe:
        assert "belongs to process" in pipe.read()
    journal.sync()
    assert journal.waiting == 1


def test_a_closed_journal_says_so_and_closing_twice_is_fine(tmp_path):
    journal = Journal(tmp_path)
    journal.write("click", item=1)
    journal.close()
    journal.close()
    for call in (journal.sync, lambda: journal.write("click"), lambda: journal.drain(None)):
        with pytest.raises(ValueError, match=r"the journal .* is closed"):
            call()
    assert repr(journal) == "Journal: 1 event not yet drained"


def test_what_was_written_is_kept_when_a_script_just_ends(tmp_path):
    code = (
        f"from workbench.journal import Journal; j = Journal({str(tmp_path)!r}, sync_ms=10_000)\n"
        "for number in range(7): j.write('click', item=number)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    with Journal(tmp_path) as journal:
        assert journal.waiting == 7


def test_sync_ms_must_be_positive(tmp_path):
    with pytest.raises(ValueError, match="sync_ms must be positive, got 0"):
        Journal(tmp_path, sync_ms=0)


@pytest.mark.clock
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_twenty_thousand_small_events_a_second(journal, fastest):
    """The promise, with a wide margin: 200,000 a second when nothing else runs."""

    def work():
        for number in range(20_000):
            journal.write("click", event=number, user=7, item=3, position=1)
        journal.sync()

    assert fastest(work) < 1.0
