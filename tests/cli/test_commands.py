"""The command line: every word works, says what it does, and fails with a sentence."""

import importlib
import subprocess
import sys

import pytest

from workbench.cli import COMMANDS, main
from workbench.cli.lab import environment, jupyterlab


@pytest.mark.parametrize("word", COMMANDS)
def test_every_command_is_there_and_explains_itself(word, capsys):
    module, function = COMMANDS[word][1].split(":")
    assert callable(getattr(importlib.import_module(module), function))
    with pytest.raises(SystemExit) as leaving:
        main([word, "--help"])
    assert leaving.value.code == 0
    assert f"workbench {word}" in capsys.readouterr().out


def test_help_names_every_command_and_loads_none():
    code = "import sys; from workbench.cli import main; main([]); print(*sys.modules)"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    help_text, _, modules = shown.stdout.rstrip().rpartition("\n")
    assert all(f"\n  {word} " in help_text for word in COMMANDS)
    assert not {"numpy", "polars", "argparse"} & set(modules.split())


def test_a_misspelt_command_is_answered_with_those_there_are(capsys):
    assert main(["lap"]) == 2
    assert "no command 'lap'; one of lab, apps" in capsys.readouterr().err


def test_an_error_of_ours_is_one_sentence_and_no_traceback(checkout, capsys):
    assert main(["reset", "77"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("workbench reset: no notebook is called '77'")
    assert said.count("\n") == 1


def test_reset_lists_and_restores_by_number(checkout, capsys):
    assert main(["reset"]) == 0
    listed = dict(line.rsplit(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert listed == dict.fromkeys(["00_a.ipynb", "01_b.ipynb", "solutions/00_a.ipynb"], "absent")
    assert main(["reset", "00", "solutions/00"]) == 0
    assert (checkout / "notebooks/mine/00_a.ipynb").is_file()
    assert (checkout / "notebooks/mine/solutions/00_a.ipynb").is_file()
    assert not (checkout / "notebooks/mine/01_b.ipynb").exists()


@pytest.mark.parametrize("name", ["0", "solutions", ""])
def test_a_name_that_fits_several_or_all_restores_none(name, checkout, capsys):
    assert main(["reset", name]) == 1
    assert "called" in capsys.readouterr().err
    assert not (checkout / "notebooks/mine").exists()


@pytest.mark.parametrize("command", ["lab", "apps"])
def test_what_is_not_there_is_named(command, tmp_path, monkeypatch, capsys):
    (tmp_path / "notebooks" / "apps").mkdir(parents=True)
    monkeypatch.setattr(f"workbench.cli.{command}.checkout", lambda: tmp_path)
    assert main([command]) == 1
    assert f"{tmp_path}/notebooks" in capsys.readouterr().err


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    for name in ["00_a.ipynb", "01_b.ipynb", "solutions/00_a.ipynb"]:
        path = tmp_path / "notebooks" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text('{"cells": []}')
    monkeypatch.setattr("workbench.cli.reset.checkout", lambda: tmp_path)
    return tmp_path


def test_the_lab_listens_here_only_behind_a_token_and_asks_nobody(tmp_path):
    command = jupyterlab(tmp_path, "00_the_loop.ipynb", 9000, browser=False)
    assert "--ServerApp.ip=127.0.0.1" in command
    assert not [word for word in command if "token" in word or "password" in word]
    assert "--LabApp.news_url=None" in command
    assert '"fetchNews": "false"' in (tmp_path / ".jupyter/settings/overrides.json").read_text()


def test_no_jupyter_folder_of_the_reader_is_read_or_written(tmp_path, monkeypatch):
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", "/elsewhere")
    monkeypatch.setenv("JUPYTER_TOKEN", "")
    variables = environment(tmp_path)
    folders = [variables[name] for name in variables if name.startswith(("JUPYTER_", "IPYTHON"))]
    folders = [folder for folder in folders if folder != "1"]
    assert len(folders) == 4
    assert all(folder.startswith(str(tmp_path)) for folder in folders)
    assert variables["MLFLOW_DISABLE_TELEMETRY"] == "true"
