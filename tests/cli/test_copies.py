"""The reader's copies: never overwritten, never lost, always to be had again."""

import json

import pytest

from workbench.cli.copies import copies, fill, restore


@pytest.fixture
def folders(tmp_path):
    notebooks = tmp_path / "notebooks"
    write(notebooks / "00_the_loop.ipynb", "1 + 1")
    write(notebooks / "01_your_own_tables.ipynb", "2 + 2")
    write(notebooks / "solutions" / "00_the_loop.ipynb", "3")
    return notebooks, notebooks / "mine"


def test_the_first_start_copies_everything_and_the_second_nothing(folders):
    assert [copy.state for copy in copies(*folders)] == ["absent"] * 3
    assert [copy.state for copy in fill(*folders)] == ["as shipped"] * 3
    before = {path: path.stat().st_mtime_ns for path in folders[1].rglob("*.ipynb")}
    assert len(before) == 3
    fill(*folders)
    assert {path: path.stat().st_mtime_ns for path in folders[1].rglob("*.ipynb")} == before


def test_a_changed_copy_stays_when_the_lab_starts_again(folders):
    fill(*folders)
    write(folders[1] / "00_the_loop.ipynb", "1 + 41")
    assert states(folders)["00_the_loop.ipynb"] == "changed by you"
    fill(*folders)
    assert "1 + 41" in (folders[1] / "00_the_loop.ipynb").read_text()


def test_running_a_copy_does_not_change_it(folders):
    fill(*folders)
    write(folders[1] / "00_the_loop.ipynb", "1 + 1", outputs=["2"], execution_count=7)
    assert states(folders)["00_the_loop.ipynb"] == "as shipped"


def test_a_newer_original_is_offered_and_not_imposed(folders):
    fill(*folders)
    write(folders[0] / "00_the_loop.ipynb", "1 + 1 + 0")
    fill(*folders)
    assert states(folders)["00_the_loop.ipynb"] == "a newer one is shipped"
    assert "1 + 1 + 0" not in (folders[1] / "00_the_loop.ipynb").read_text()


@pytest.mark.parametrize("text", ["1 + 41", None])
def test_restoring_keeps_what_was_changed_even_if_it_no_longer_opens(folders, text):
    fill(*folders)
    mine = folders[1] / "00_the_loop.ipynb"
    write(mine, text) if text else mine.write_text("not a notebook")
    had = mine.read_text()
    backup = restore(named(folders, "00_the_loop.ipynb"), folders[1])
    assert backup.read_text() == had
    assert mine.read_bytes() == (folders[0] / "00_the_loop.ipynb").read_bytes()
    assert states(folders)["00_the_loop.ipynb"] == "as shipped"


def test_restoring_twice_keeps_both_versions(folders):
    fill(*folders)
    for text in ["mine", "mine too"]:
        write(folders[1] / "00_the_loop.ipynb", text)
        restore(named(folders, "00_the_loop.ipynb"), folders[1])
    kept = [path.read_text() for path in sorted((folders[1] / "backups").iterdir())]
    assert ["mine too" in text for text in kept] == [False, True]


def test_restoring_an_unchanged_or_absent_copy_leaves_no_backup(folders):
    assert restore(named(folders, "solutions/00_the_loop.ipynb"), folders[1]) is None
    assert restore(named(folders, "solutions/00_the_loop.ipynb"), folders[1]) is None
    assert (folders[1] / "solutions" / "00_the_loop.ipynb").is_file()
    assert not (folders[1] / "backups").exists()


def test_a_lost_or_broken_record_loses_nothing(folders):
    fill(*folders)
    write(folders[1] / "00_the_loop.ipynb", "1 + 41")
    (folders[1] / ".originals.json").write_text("{ torn")
    assert states(folders)["00_the_loop.ipynb"] == "changed by you"
    fill(*folders)
    assert "1 + 41" in (folders[1] / "00_the_loop.ipynb").read_text()


def test_a_folder_without_notebooks_is_named(tmp_path):
    with pytest.raises(ValueError, match="holds no notebook"):
        copies(tmp_path, tmp_path / "mine")


def write(path, text, outputs=(), execution_count=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    run = {"outputs": list(outputs), "execution_count": execution_count}
    cell = {"cell_type": "code", "source": [text], "metadata": {}} | run
    path.write_text(json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4}))


def states(folders) -> dict[str, str]:
    return {copy.name: copy.state for copy in copies(*folders)}


def named(folders, name):
    return next(copy for copy in copies(*folders) if copy.name == name)
