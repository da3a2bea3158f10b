"""Every marimo app: clean for `marimo check`, and whole when it runs as a script."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.app

ROOT = Path(__file__).resolve().parent.parent
APPS = sorted((ROOT / "notebooks" / "apps").glob("*.py"))
NAMES = [path.relative_to(ROOT).as_posix() for path in APPS]


def test_there_are_apps():
    assert APPS, "notebooks/apps holds no *.py"


def test_marimo_finds_nothing_to_say_about_them():
    check = run("-m", "marimo", "check", "--strict", *NAMES)
    assert check.returncode == 0, check.stdout + check.stderr


@pytest.mark.parametrize("name", NAMES)
def test_it_runs_as_a_script(name, tmp_path):
    script = run(name, WORKBENCH_HOME=str(tmp_path))
    assert script.returncode == 0, script.stderr[-4000:]


@pytest.mark.parametrize("name", NAMES)
def test_it_keeps_to_the_style(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    lines = len(text.splitlines())
    assert lines <= 150, f"{lines} lines; 150 is the limit"
    assert "with app.setup" in text
    assert text.startswith('"""')
    cells = text.count("\n@app.")
    assert 0 < cells <= 15, f"{cells} cells; 15 is the limit"


def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=240,
    )
