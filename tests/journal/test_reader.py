"""A journal read while it is written: each event once, nothing that a crash could take back."""

import os
import subprocess
import sys
import threading
import time

import pytest

from workbench.events import EventLog
from workbench.journal import DamagedJournal, Journal, JournalGap, JournalReader, Place, kept
from workbench.journal import segments as segments_module
from workbench.journal.frames import TABLE, frame
from workbench.journal.rows import decode
from workbench.journal.tables import unpack


def write(journal, numbers):
    for number in numbers:
        journal.write("click", event=number, item=number % 7)
    journal.sync()


def read_all(reader, place=None, max_events=5_000):
    numbers = []
    while True:
        found, place = reader.read(place, max_events)
        if not found:
            return numbers, place
        for each in found:
            tables = [unpack(each.payload)] if each.type == TABLE else decode([each.payload])
            for _kind, table in tables:
                numbers += table["event"].to_list()


@pytest.fixture
def journal(tmp_path):
    with Journal(tmp_path / "journal", sync_ms=1000) as journal:
        yield journal


@pytest.fixture
def reader(journal):
    with JournalReader(journal.path, "features") as reader:
        yield reader


def test_what_is_synced_is_read_once_and_in_order(journal, reader):
    place = None
    for begin in range(0, 500, 100):
        write(journal, range(begin, begin + 100))
        numbers, place = read_all(reader, place)
        assert numbers == [*range(begin, begin + 100)]
    assert read_all(reader, place) == ([], place)


def test_the_next_reader_goes_on_from_a_place(journal, reader):
    for begin in range(0, 60, 20):
        write(journal, range(begin, begin + 20))
    found, place = reader.read(None, max_events=20)
    assert [each.events for each in found] == [20]
    reader.close()
    with JournalReader(journal.path, "features") as following:
        assert read_all(following, place)[0] == [*range(20, 60)]


def test_nothing_is_read_before_it_is_on_the_disk(journal, reader):
    write(journal, range(10))
    _numbers, place = read_all(reader)
    file = max(journal.path.glob("*.journal"))
    whole = frame(b"r", b"[{}]", events=1)
    for end in (3, 24, len(whole)):  # torn at three places, and whole but not synced
        with file.open("ab") as torn:
            torn.write(whole[:end])
        assert reader.read(place) == ([], place)
        os.truncate(file, place.offset)


def test_a_group_that_the_disk_did_not_take_is_not_read(journal, reader, monkeypatch):
    write(journal, range(10))
    numbers, place = read_all(reader)

    def failing(file):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(segments_module, "_sync_file", failing)
    journal.write("click", event=10, item=1)
    with pytest.raises(OSError, match="No space"):
        journal.sync()
    assert read_all(reader, place) == ([], place)
    monkeypatch.undo()
    journal.sync()
    assert read_all(reader, place)[0] == [10]
    assert numbers == [*range(10)]


def test_it_waits_for_what_comes_and_no_longer_than_asked(journal, reader):
    write(journal, range(3))
    _numbers, place = read_all(reader)
    began = time.monotonic()
    assert not reader.wait(place, 0.05)
    assert 0.04 < time.monotonic() - began < 1
    timer = threading.Timer(0.05, write, (journal, [3]))
    timer.start()
    assert reader.wait(place, 20)
    timer.join()
    assert read_all(reader, place)[0] == [3]


def test_drain_keeps_segments_for_a_registered_reader_until_it_is_through(
    journal, reader, tmp_path
):
    log = EventLog(tmp_path / "log")
    for begin in range(0, 300, 100):
        write(journal, range(begin, begin + 100))
        journal.drain(log)
    assert len([*journal.path.glob("*.kept")]) == 3
    assert journal.waiting == 0
    numbers, place = read_all(reader)
    assert numbers == [*range(300)]
    reader.done(place)
    write(journal, [300])
    journal.drain(log)  # which removes what nobody needs
    assert [path.name for path in journal.path.glob("*.kept")] == ["0000000004.kept"]
    assert read_all(reader, place)[0] == [300]


def test_without_readers_drain_keeps_nothing(journal, tmp_path):
    log = EventLog(tmp_path / "log")
    write(journal, range(10))
    journal.drain(log)
    assert not [*journal.path.glob("*.kept")]


def test_forgetting_a_reader_frees_what_was_kept_for_it(journal, reader, tmp_path):
    log = EventLog(tmp_path / "log")
    write(journal, range(10))
    journal.drain(log)
    reader.forget()
    write(journal, range(10, 20))
    journal.drain(log)
    assert not [*journal.path.glob("*.kept")]


def test_the_slowest_of_two_readers_decides(journal, reader, tmp_path):
    log = EventLog(tmp_path / "log")
    with JournalReader(journal.path, "slow") as slow:
        write(journal, range(10))
        journal.drain(log)
        reader.done(read_all(reader)[1])
        write(journal, range(10, 20))
        journal.drain(log)
        assert read_all(slow)[0] == [*range(20)]


def test_a_reader_that_fell_away_does_not_fill_the_disk_and_is_told_so(
    journal, reader, tmp_path, monkeypatch
):
    log = EventLog(tmp_path / "log")
    monkeypatch.setattr(kept, "KEPT_BYTES", 4 * 2**16)  # four small files
    write(journal, range(10))
    _found, place = reader.read(None)
    for begin in range(10, 100, 10):
        write(journal, range(begin, begin + 10))
        journal.drain(log)
    assert len([*journal.path.glob("*.kept")]) == 4
    with pytest.raises(JournalGap, match=r"segment 1 of .* is gone, the oldest left is 6.*rebuild"):
        reader.read(place)
    assert read_all(reader, reader.first())[0] == [*range(60, 100)]  # the way out


def test_two_readers_cannot_have_one_name(journal, reader):
    with pytest.raises(ValueError, match=r"a reader called 'features' reads .* already"):
        JournalReader(journal.path, "features")
    JournalReader(journal.path, "other").close()


@pytest.mark.parametrize("name", ["", "../x", ".lock", "a b", "x" * 101])
def test_a_name_that_is_no_files_is_refused(journal, name):
    with pytest.raises(ValueError, match="a reader's name is letters"):
        JournalReader(journal.path, name)


def test_a_folder_that_is_missing_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="there is no journal at"):
        JournalReader(tmp_path / "nowhere", "features")


def test_a_folder_without_a_writer_yet_gives_nothing(tmp_path):
    with JournalReader(tmp_path, "features") as reader:
        assert reader.id is None
        assert not reader.wait(reader.read(None)[1], 0.01)
        with Journal(tmp_path) as journal:
            write(journal, range(5))
            assert reader.wait(Place(0), 5)
            assert read_all(reader)[0] == [*range(5)]
            assert reader.id == journal.id


def test_damage_in_what_was_on_the_disk_is_named(journal, reader):
    write(journal, range(10))
    _numbers, place = read_all(reader)
    write(journal, range(10, 20))
    file = max(journal.path.glob("*.journal"))
    with file.open("r+b") as damaged:
        damaged.seek(place.offset + 40)
        damaged.write(b"XX")
    with pytest.raises(DamagedJournal, match=f"does not read at byte {place.offset}"):
        reader.read(place)


def test_a_reader_in_the_midst_of_a_salvaged_segment_is_told(tmp_path):
    path = tmp_path / "journal"
    with Journal(path) as journal:
        for begin in range(0, 30, 10):
            write(journal, range(begin, begin + 10))
    with JournalReader(path, "features") as reader:
        _found, place = reader.read(None, max_events=10)
        file = max(path.glob("*.journal"))
        with file.open("r+b") as damaged:
            damaged.seek(place.offset + 40)
            damaged.write(b"XX")
        with Journal(path, salvage=True):
            with pytest.raises(JournalGap, match="was salvaged"):
                reader.read(place)
            assert read_all(reader, Place(1))[0] == [*range(10), *range(20, 30)]


def test_it_goes_through_closed_segments_into_the_next(tmp_path, monkeypatch):
    monkeypatch.setattr(segments_module, "SEGMENT_BYTES", 2_000)
    with Journal(tmp_path) as journal, JournalReader(tmp_path, "features") as reader:
        for begin in range(0, 400, 20):
            write(journal, range(begin, begin + 20))
        assert len([*tmp_path.glob("*.journal")]) > 3
        assert read_all(reader, max_events=30)[0] == [*range(400)]


PROGRAM = """
import sys
from workbench.journal import Journal
with Journal(sys.argv[1], sync_ms=2) as journal:
    for number in range(20_000):
        journal.write("click", event=number, item=number % 7)
        if number == 7_000:
            journal.sync()
"""


def test_another_process_is_followed_while_it_writes_and_this_one_drains_nothing(tmp_path):
    writer = subprocess.Popen([sys.executable, "-c", PROGRAM, tmp_path])
    numbers, place = [], None
    with JournalReader(tmp_path, "features") as reader:
        until = time.monotonic() + 60
        while len(numbers) < 20_000 and time.monotonic() < until:
            more, place = read_all(reader, place)
            numbers += more
            reader.wait(place, 0.05)
    assert writer.wait(60) == 0
    assert numbers == [*range(20_000)]


def test_the_journal_reads_what_it_wrote_before_there_were_readers(tmp_path):
    with Journal(tmp_path) as journal:
        write(journal, range(10))
    (tmp_path / "journal.synced").unlink()  # as a journal of an earlier version left it
    with Journal(tmp_path), JournalReader(tmp_path, "features") as reader:
        assert read_all(reader)[0] == [*range(10)]
