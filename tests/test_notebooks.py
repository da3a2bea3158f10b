"""The notebooks as saved, and run again: alone, twice, two at once, each time the same.

`make test` runs every notebook's cells by nbval (first run, in an empty home of its own, see
conftest.py). The second run here uses the home that the first one left behind, and a third runs
beside it, unless the first left nothing there that two could quarrel about: nbval compares the
checked outputs each time.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.notebook

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
SOLUTIONS = sorted((ROOT / "notebooks" / "solutions").glob("*.ipynb"))
EVERY = [path.relative_to(ROOT).as_posix() for path in NOTEBOOKS + SOLUTIONS]
SECONDS = 300  # for two runs at once on a busy machine; a notebook alone should take 15
TAGS = {"parameters", "nbval-check-output", "nbval-ignore-output", "nbval-raises-exception"}
NEVER = re.compile(
    r"%autoreload|pip install|filterwarnings|simplefilter|plt\.rc|(np|numpy)\.random\.seed"
    r"|random\.seed|(?<![\w.])/(home|Users|tmp|root)/|__version__"
)


def test_there_are_notebooks_and_each_has_its_solutions():
    assert "00_the_loop.ipynb" in [path.name for path in NOTEBOOKS]
    without = {path.name for path in NOTEBOOKS} - {path.name for path in SOLUTIONS}
    assert not without, f"no notebooks/solutions/{sorted(without)[0]}"
    assert {path.name for path in SOLUTIONS} <= {path.name for path in NOTEBOOKS}


@pytest.mark.parametrize("name", EVERY)
def test_it_was_saved_whole_after_one_run_from_top_to_bottom(name):
    codes = code_cells(name)
    assert [cell["execution_count"] for cell in codes] == list(range(1, len(codes) + 1))
    outputs = [output for cell in codes for output in cell["outputs"]]
    kinds = [output.get("name", output["output_type"]) for output in outputs]
    assert "error" not in kinds
    assert "stderr" not in kinds, "a warning or a log line was saved: repair what it says"
    size = len(json.dumps(outputs))
    assert size <= 200_000, f"{size:,} bytes of outputs; 200,000 is the limit"


@pytest.mark.parametrize("name", EVERY)
def test_it_keeps_to_the_style(name):
    codes = [cell for cell in code_cells(name) if source(cell).strip()]
    assert codes, "no code"
    assert len(codes) <= 20, f"{len(codes)} code cells; 20 is the limit"
    for number, cell in enumerate(codes, start=1):
        lines = source(cell).strip().splitlines()
        limit = 8 if "parameters" in tags(cell) else 12
        assert len(lines) <= limit, f"code cell {number} has {len(lines)} lines, not {limit}"
        assert not NEVER.search(source(cell)), f"code cell {number}: {NEVER.search(source(cell))}"
        assert tags(cell) <= TAGS, f"code cell {number}: what is {tags(cell) - TAGS}?"
    assert any("nbval-check-output" in tags(cell) for cell in codes), "no cell's output is checked"


@pytest.mark.parametrize("name", EVERY)
def test_it_opens_anywhere(name):
    notebook = read(name)
    assert notebook["metadata"]["kernelspec"]["name"] == "python3"
    assert "widgets" not in notebook["metadata"], "saved widget state does not redraw: leave it out"
    first = notebook["cells"][0]
    assert first["cell_type"] == "markdown"
    assert source(first).startswith("# ")
    ids = [cell["id"] for cell in notebook["cells"]]
    assert len(set(ids)) == len(ids)
    timed = [cell["id"] for cell in notebook["cells"] if "execution" in cell["metadata"]]
    assert timed == [], "times of execution were saved: strip them"


@pytest.mark.again
@pytest.mark.parametrize("name", [path.relative_to(ROOT).as_posix() for path in NOTEBOOKS])
def test_it_runs_again_and_two_at_once_with_the_same_checked_output(name, request):
    home = request.config.labs / "notebooks" / Path(name).stem  # where its first run was
    left_nothing = home.is_dir() and not any(path.is_file() for path in home.rglob("*"))
    nbval = ["--nbval-lax", "--nbval-current-env", "--nbval-cell-timeout", "120"]
    nbval += ["--noconftest", "-o", "addopts=-q", "-p", "no:cacheprovider", "-p", "no:xdist"]
    runs = [
        subprocess.Popen(
            [sys.executable, "-m", "pytest", *nbval, name],
            cwd=ROOT,
            env={**os.environ, "WORKBENCH_HOME": str(home)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for _ in range(1 if left_nothing else 2)
    ]
    try:
        said = [run.communicate(timeout=SECONDS)[0] for run in runs]
    finally:
        for run in runs:
            run.kill()
    for run, text in zip(runs, said, strict=True):
        assert run.returncode == 0, text[-4000:]
        assert f"{len(code_cells(name))} passed" in text


def read(name: str) -> dict:
    return json.loads((ROOT / name).read_text(encoding="utf-8"))


def code_cells(name: str) -> list[dict]:
    return [cell for cell in read(name)["cells"] if cell["cell_type"] == "code"]


def source(cell: dict) -> str:
    return "".join(cell["source"])


def tags(cell: dict) -> set[str]:
    return set(cell["metadata"].get("tags", []))
