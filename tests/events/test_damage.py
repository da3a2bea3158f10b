"""Disks that are full, read-only or half deleted: errors say what and where, no row is lost."""

import os
import re
import resource
import shutil
import signal
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from deltalake import DeltaTable

from workbench.events import EventLog

MOMENT = datetime(2026, 3, 1, 12, tzinfo=UTC)


def payments(first: int, rows: int = 3) -> pl.DataFrame:
    amounts = np.random.default_rng(first).random(rows)
    return pl.DataFrame(
        {"event": range(first, first + rows), "time": MOMENT, "user": 7, "amount": amounts}
    )


@pytest.fixture
def log(tmp_path):
    log = EventLog(tmp_path / "log")
    for number in range(4):
        log.append(payment=payments(10 * number), known_at="time")
    return log


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 256 KiB where we may mount one; else a limit of 64 KiB on every file written."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)]
    mounted = not subprocess.run(command, capture_output=True).returncode
    if mounted:
        yield folder
        subprocess.run(["umount", "-l", str(folder)], check=True)
        return
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64 * 1024, old[1]))
    yield folder
    resource.setrlimit(resource.RLIMIT_FSIZE, old)
    signal.signal(signal.SIGXFSZ, handler)


def test_a_full_disk_is_an_error_that_says_so_and_the_log_stays_readable(small_disk):
    log = EventLog(small_disk / "log")
    log.append(payment=payments(0), known_at="time")
    number, caught = 0, None
    while caught is None and number < 100:
        number += 1
        try:
            log.append(payment=payments(10_000 * number, 1_000 * number), known_at="time")
        except OSError as error:
            caught = error
    rows = 3 + sum(1_000 * each for each in range(number))
    assert re.match(r"could not write to the log at .*bytes free", str(caught))
    assert "nothing was added" in str(caught)
    assert log.scan("payment").collect().height == rows
    files = sum(len(names) for _, _, names in os.walk(small_disk / "log" / "kind=payment"))
    assert files == DeltaTable(small_disk / "log").get_add_actions().num_rows  # no half file left


def test_after_a_full_disk_the_same_append_works_again(small_disk):
    log = EventLog(small_disk / "log")
    log.append(payment=payments(0), known_at="time")
    too_much = payments(100, 60_000)
    with pytest.raises(OSError, match="could not write"):
        log.append(payment=too_much, known_at="time")
    done = log.append(payment=too_much.head(500), known_at="time")
    assert done.added == {"payment": 500}


def test_a_read_only_disk_can_be_read_and_not_written(log, tmp_path):
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)]
    mounted = not subprocess.run(mount, capture_output=True).returncode
    shutil.copytree(tmp_path / "log", folder / "log")
    if mounted:
        subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
    else:  # permissions stop everybody but root, and root can mount
        for path in [*folder.rglob("*"), folder]:
            path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        there = EventLog(folder / "log")
        assert there.scan("payment").collect().height == 12
        assert there.as_of(MOMENT).at(2).kinds == []
        for write in (
            lambda: there.append(payment=payments(100), known_at="time"),
            there.compact,
            lambda: EventLog(folder / "new").append(payment=payments(1), known_at="time"),
        ):
            with pytest.raises(OSError, match=rf"could not write to the log at {folder}.*nothing"):
                write()
    finally:
        if mounted:
            subprocess.run(["umount", "-l", str(folder)], check=True)
        else:
            for path in [folder, *folder.rglob("*")]:
                path.chmod(0o755)


def test_a_deleted_data_file_is_named(log):
    gone = next(Path(log.path).rglob("*.parquet"))
    gone.unlink()
    with pytest.raises(ValueError, match=f"data file {gone} is gone, and version 4"):
        log.scan("payment")
    with pytest.raises(ValueError, match="is gone"):
        log.append(payment=payments(0, 40), known_at="time")


def test_a_cut_data_file_is_named(log):
    cut = next(Path(log.path).rglob("*.parquet"))
    cut.write_bytes(cut.read_bytes()[:500])
    with pytest.raises(ValueError, match=rf"data file {cut} has 500 bytes instead of [\d,]+"):
        log.scan("payment")


@pytest.mark.parametrize("version", [0, 1, 2, 3])
def test_a_deleted_entry_of_the_history_is_named(log, version):
    entry = Path(log.path, "_delta_log", f"{version:020}.json")
    entry.unlink()
    with pytest.raises(ValueError, match=f"cannot be read: {entry} is gone"):
        log.scan("payment")


def test_a_deleted_newest_entry_is_noticed(log):
    Path(log.path, "_delta_log", f"{4:020}.json").unlink()
    for ask in (lambda: log.version, lambda: log.append(payment=payments(99), known_at="time")):
        with pytest.raises(ValueError, match="version 4 was written, version 3 is there"):
            ask()


def test_a_torn_entry_of_the_history_is_an_error_of_one_line(log):
    Path(log.path, "_delta_log", f"{3:020}.json").write_text('{"add":')
    with pytest.raises(ValueError, match="cannot be read") as caught:
        log.scan("payment")
    assert "\n" not in str(caught.value)


def test_a_folder_or_file_that_is_not_ours_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("precious")
    with pytest.raises(ValueError, match=r"is not an event log.*holds thesis.txt"):
        EventLog(tmp_path)
    with pytest.raises(ValueError, match="is a file, and an event log is a folder"):
        EventLog(tmp_path / "thesis.txt")
    assert sorted(tmp_path.iterdir()) == [tmp_path / "thesis.txt"]


def test_a_delta_table_of_somebody_else_is_left_alone(tmp_path):
    pl.DataFrame({"a": [1]}).write_delta(tmp_path / "theirs")
    log = EventLog(tmp_path / "theirs")
    for ask in (lambda: log.kinds, lambda: log.append(payment=payments(0), known_at="time")):
        with pytest.raises(ValueError, match="is a Delta table but no event log"):
            ask()
    assert DeltaTable(tmp_path / "theirs").version() == 0


def test_a_commit_that_is_in_survives_a_checkpoint_that_fails(tmp_path):
    log = EventLog(tmp_path)
    log.append(payment=payments(0), known_at="time")
    for number in range(98):
        log.append(batch=("tick", number + 1))
    assert log.version == 99
    # a folder where Delta wants to write its checkpoint of version 100
    (tmp_path / "_delta_log" / f"{100:020}.checkpoint.parquet").mkdir()
    log.append(payment=payments(10), known_at="time")
    assert log.scan("payment").collect()["event"].sort().to_list() == [0, 1, 2, 10, 11, 12]
