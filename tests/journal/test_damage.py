"""A torn tail goes, damage is named, what still reads is kept, a full disk harms nothing."""

import errno
import os
import subprocess
import sys

import pytest

from workbench.journal import DamagedJournal, Journal
from workbench.journal.frames import frame, read_segment


def filled(path, groups=4, each=10):
    """A journal with `groups` synced groups of `each` events; returns its one segment's file."""
    with Journal(path) as journal:
        for group in range(groups):
            for number in range(each):
                journal.write("click", event=group * each + number, item=number)
            journal.sync()
    [file] = path.glob("*.journal")
    return file


def frames_of(file):
    return read_segment(file, sealed=False)[0]


def events_left(path, **options):
    with Journal(path, **options) as journal:
        return journal.waiting


def without_closing_mark(file):
    """As after a kill: the file ends with the last group, and nothing says that it was synced."""
    data = file.read_bytes()
    file.write_bytes(data[: frames_of(file)[-2].end])


def test_a_torn_tail_is_cut_at_every_length(tmp_path):
    file = filled(tmp_path)
    without_closing_mark(file)
    data, last = file.read_bytes(), frames_of(file)[-1]
    for end in range(last.start, len(data)):
        file.write_bytes(data[:end])
        found, kept = read_segment(file, sealed=False)
        assert (kept, sum(each.events for each in found)) == (last.start, 30)
    assert events_left(tmp_path) == 30
    assert filled_again(tmp_path) == 31


def filled_again(path):
    with Journal(path) as journal:
        journal.write("click", event=1000, item=1)
        journal.sync()
        return journal.waiting


@pytest.mark.parametrize("tail", [b"\0" * 4096, b"WBJ", b"WBJr\xff\xff\xff\xff" + b"\0" * 40])
def test_a_tail_of_zeros_or_a_lying_length_is_cut(tmp_path, tail):
    file = filled(tmp_path)
    file.write_bytes(file.read_bytes() + tail)
    assert events_left(tmp_path) == 40


def test_a_hole_in_bytes_that_were_never_synced_is_a_torn_tail(tmp_path):
    file = filled(tmp_path)
    end = len(file.read_bytes())
    hole, whole = frame(b"r", b"[{}]", synced=end), frame(b"r", b"[{}]", synced=end)
    file.write_bytes(file.read_bytes() + b"\0" * len(hole) + whole)
    assert events_left(tmp_path) == 40


def test_every_flipped_bit_in_synced_bytes_is_noticed(tmp_path):
    file = filled(tmp_path, groups=2, each=2)
    data = file.read_bytes()
    for place in range(frames_of(file)[-1].start):  # all but the closing mark
        file.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        with pytest.raises(DamagedJournal, match=r"0000000001.journal is damaged at byte \d+ of"):
            read_segment(file, sealed=False)


def test_damage_names_file_and_offset_and_the_rest_can_be_salvaged(tmp_path):
    file = filled(tmp_path)
    second = frames_of(file)[2]  # after the header and the first group
    data = bytearray(file.read_bytes())
    data[second.start + 40] ^= 0xFF
    file.write_bytes(data)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(
        DamagedJournal,
        match=rf"0000000001.journal is damaged at byte {second.start} of {len(data)}: 2 frames "
        r"before it and 3 after it still read; Journal\(path, salvage=True\)",
    ):
        Journal(tmp_path)
    assert sorted(tmp_path.iterdir()) == before
    assert events_left(tmp_path, salvage=True) == 30
    assert file.with_suffix(".damaged").read_bytes() == bytes(data)
    assert events_left(tmp_path) == 30  # and it opens as any other from now on
    assert filled_again(tmp_path) == 31


def test_a_damaged_header_can_be_salvaged_too(tmp_path):
    file = filled(tmp_path)
    file.write_bytes(b"????" + file.read_bytes()[4:])
    with pytest.raises(DamagedJournal, match="damaged at byte 0"):
        Journal(tmp_path)
    with Journal(tmp_path, salvage=True) as journal:
        name = journal.id
        assert journal.waiting == 40
    with Journal(tmp_path) as journal:
        assert (journal.id, journal.waiting) == (name, 40)


def test_a_closed_segment_that_was_cut_is_damaged_wherever_it_was_cut(tmp_path, monkeypatch):
    monkeypatch.setattr("workbench.journal.segments.SEGMENT_BYTES", 1)
    with Journal(tmp_path) as journal:
        for number in range(3):
            journal.write("click", event=number, item=1)
            journal.sync()
    first = min(tmp_path.glob("*.journal"))
    data = first.read_bytes()
    for end in range(len(data)):
        first.write_bytes(data[:end])
        with pytest.raises(DamagedJournal, match=first.name):
            read_segment(first, sealed=True)
    with pytest.raises(DamagedJournal, match=first.name):
        Journal(tmp_path)
    first.write_bytes(data[:-1])  # only the mark is torn: all events still read
    assert events_left(tmp_path, salvage=True) == 3


def test_a_journal_that_died_before_its_header_was_whole_begins_anew(tmp_path):
    file = filled(tmp_path)
    data = file.read_bytes()
    header = frames_of(file)[0]
    for end in range(header.end):
        file.write_bytes(data[:end])
        assert events_left(tmp_path) == 0


FULL = """
import resource, signal, sys
from workbench.journal import Journal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
journal = Journal(sys.argv[1], sync_ms=float(sys.argv[2]))
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))        # this disk is full at 20 kB
taken, refused = [], 0
for number in range(20_000):
    try:
        journal.write("click", event=number, place="x" * 50)
        taken.append(number)
        if number % 20 == 0:
            journal.sync()
    except OSError as error:
        refused += 1
        if refused == 1:
            print(error.errno, error)
        if refused == 50:
            break
try:
    journal.sync()
except OSError as error:
    print("sync raises, too")
if sys.argv[3] == "room":
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    journal.sync()
    journal.write("click", event=1_000_000)
    taken.append(1_000_000)
    journal.close()
print(len(taken), refused, flush=True)
import os, signal
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("sync_ms", [1, 10_000])
def test_a_full_disk_raises_and_what_was_taken_is_written_when_there_is_room(tmp_path, sync_ms):
    told, sync_told, (taken, refused) = run_full(tmp_path, sync_ms, "room")
    assert told.startswith(f"{errno.EFBIG} ")
    assert "the journal could not write" in told
    assert "0000000001.journal" in told
    assert (sync_told, refused) == ("sync raises, too", 50)
    assert events_left(tmp_path) == taken


def test_a_full_disk_leaves_nothing_half_written(tmp_path):
    _told, _sync, (taken, _refused) = run_full(tmp_path, 10_000, "no room")
    assert 0 < events_left(tmp_path) < taken
    [file] = tmp_path.glob("*.journal")
    whole = frames_of(file)
    assert os.path.getsize(file) == whole[-1].end <= 20_000


def run_full(path, sync_ms, then):
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(path), str(sync_ms), then], capture_output=True, text=True
    )
    told, sync_told, counts = done.stdout.splitlines()
    return told, sync_told, tuple(map(int, counts.split()))
