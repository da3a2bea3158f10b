"""The lab: state where it belongs, and never a file deleted that no lab made."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from workbench import lab as lab_module
from workbench.lab import Clock, Lab

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("WORKBENCH_HOME", str(tmp_path / "labs"))
    yield tmp_path / "labs"
    for lab in list(lab_module._held.values()):
        lab.close()


def test_the_folder_is_home_then_environment_then_checkout_then_here(tmp_path, monkeypatch):
    monkeypatch.setenv("WORKBENCH_HOME", str(tmp_path / "environment"))
    with Lab("a", home=tmp_path / "given") as lab:
        assert lab.path == tmp_path / "given" / "a"
    with Lab("a") as lab:
        assert lab.path == tmp_path / "environment" / "a"

    monkeypatch.delenv("WORKBENCH_HOME")
    monkeypatch.chdir(tmp_path)
    package = tmp_path / "checkout" / "workbench"
    package.mkdir(parents=True)
    monkeypatch.setattr(lab_module, "__file__", str(package / "lab.py"))
    with Lab("a") as lab:  # no checkout around the package
        assert lab.path == tmp_path / ".workbench" / "a"
    (tmp_path / "checkout" / "notebooks").mkdir()
    (tmp_path / "checkout" / "pyproject.toml").write_text('[project]\nname = "another"\n')
    with Lab("a") as lab:  # a checkout, but not ours
        assert lab.path == tmp_path / ".workbench" / "a"
    (tmp_path / "checkout" / "pyproject.toml").write_text('[project]\nname = "mlsys-workbench"\n')
    with Lab("a") as lab:
        assert lab.path == tmp_path / "checkout" / "data" / "lab" / "a"


def test_files_stay_until_a_fresh_lab_empties_its_own_folder(home):
    with Lab("a") as lab:
        (lab.path / "kept.txt").write_text("kept")
    with Lab("a") as lab:
        assert (lab.path / "kept.txt").read_text() == "kept"
    with Lab("a", fresh=True) as lab:
        assert {entry.name for entry in lab.path.iterdir()} == {"lab.json", "lab.lock"}


def test_fresh_deletes_links_and_not_what_they_point_to(home, tmp_path):
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "file").write_text("precious")
    with Lab("a") as lab:
        (lab.path / "link").symlink_to(tmp_path / "precious")
        (lab.path / "dangling").symlink_to(tmp_path / "nowhere")
        (lab.path / "deep" / "er").mkdir(parents=True)
    with Lab("a", fresh=True) as lab:
        assert {entry.name for entry in lab.path.iterdir()} == {"lab.json", "lab.lock"}
    assert (tmp_path / "precious" / "file").read_text() == "precious"


@pytest.mark.parametrize("marker", [None, "", "{}", "[]", '{"lab_of": "something else"}'])
@pytest.mark.parametrize("fresh", [False, True])
def test_a_folder_that_no_lab_made_is_refused_and_left_alone(home, marker, fresh):
    (home / "a").mkdir(parents=True)
    (home / "a" / "thesis.txt").write_text("years of work")
    if marker is not None:
        (home / "a" / "lab.json").write_text(marker)
    with pytest.raises(ValueError, match=r"labs/a holds 'thesis.txt' and no lab.json"):
        Lab("a", fresh=fresh)
    assert (home / "a" / "thesis.txt").read_text() == "years of work"


def test_a_lab_that_died_before_its_marker_was_written_is_taken_up(home):
    (home / "a").mkdir(parents=True)
    (home / "a" / "lab.lock").touch()
    (home / "a" / "lab.json.new").write_text('{"lab')
    with Lab("a") as lab:
        assert json.loads((lab.path / "lab.json").read_text())["name"] == "a"


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../a", "a/b", "/etc", "-a", ".a", "a b", "a\n", "a" * 101, "é", None]
)
def test_a_name_that_could_leave_the_folder_is_refused(home, name):
    with pytest.raises(ValueError, match="a lab's name is letters"):
        Lab(name)
    assert not home.exists()


def test_a_home_that_cannot_be_written_is_an_error_that_says_what_to_do(tmp_path):
    (tmp_path / "file").touch()
    for home in ("/proc/nowhere", tmp_path / "file"):
        with pytest.raises(OSError, match=r"give home= or set WORKBENCH_HOME.*nowhere/a|file/a"):
            Lab("a", home=home)


HOLD = """
import sys
from workbench.lab import Lab
lab = Lab("a", fresh=True)
print(lab.path, flush=True)
sys.stdin.readline()
"""


def hold():
    return subprocess.Popen(
        [sys.executable, "-c", HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def test_a_notebook_run_twice_at_once_works_in_two_folders(home):
    with hold() as first, hold() as second:
        paths = {process.stdout.readline().strip() for process in (first, second)}
        with Lab("a", fresh=True) as third:
            assert paths == {str(home / "a"), str(home / "a-2")}
            assert third.path == home / "a-3"
            assert repr(third) == "Lab('a-3')"
            assert third.tracking.endswith("/a-3/tracking/mlflow.db")
        first.kill()
        first.wait()
        with Lab("a") as after_a_kill:
            assert after_a_kill.path in (home / "a", home / "a-2")
        second.communicate("\n")


def test_the_same_cell_again_takes_the_same_folder_and_closes_the_earlier_lab(home):
    first = Lab("a", fresh=True)
    second = Lab("a", fresh=True)
    assert first.path == second.path == home / "a"
    assert (repr(first), repr(second)) == ("Lab('a', closed)", "Lab('a')")
    first.close()  # a second close does nothing
    with hold() as other:
        assert other.stdout.readline().strip() == str(home / "a-2")
        other.communicate("\n")
    second.close()


def test_no_open_file_is_left_behind(home):
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        with Lab("a", fresh=True):
            pass
    assert len(os.listdir("/proc/self/fd")) == before


def test_the_clock_is_the_machines_until_it_is_set():
    clock = Clock()
    assert abs(clock() - datetime.now(UTC)) < timedelta(seconds=5)
    assert (clock.simulated, repr(clock)) == (False, "Clock(wall)")
    clock.now = NOON.astimezone(timezone(timedelta(hours=9)))
    assert clock() == clock.now == NOON
    assert (clock.simulated, repr(clock)) == (True, "Clock(2026-03-01 12:00 UTC)")
    clock.advance(days=1, minutes=1)
    assert clock() == datetime(2026, 3, 2, 12, 1, tzinfo=UTC)
    clock.now = None
    assert not clock.simulated
    for wrong in (datetime(2026, 3, 1), "2026-03-01"):
        with pytest.raises(ValueError, match="needs a datetime with a time zone"):
            clock.now = wrong


def test_runs_are_kept_below_the_lab(home):
    with Lab("a") as lab:
        assert lab.tracking == f"sqlite:///{lab.path}/tracking/mlflow.db"
        assert Path(lab.path).is_relative_to(home)
