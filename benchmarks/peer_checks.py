"""Data checks of a peer, Evidently, in an environment of its own: it wants pandas before 3.

The environment, `.venv-peers`, is built from `peers.txt` on first use: by uv, in half a minute.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import polars as pl

__all__ = ["NAME", "fired", "peer_python", "serving"]

ROOT = Path(__file__).resolve().parent.parent
PINS = Path(__file__).with_name("peers.txt")
SCRIPT = Path(__file__).with_name("evidently_checks.py")
NAME = "Evidently"
IDS = ("event", "request", "user", "item", "seller", "session", "device", "sequence")

Pair = tuple[pl.DataFrame, pl.DataFrame]


def fired(
    pairs: Sequence[Pair], ids: Sequence[str] = IDS, *, environment: Path = ROOT / ".venv-peers"
) -> list[list[tuple[str, bool]]]:
    """Let the peer check many pairs of reference and live rows, in one process.

    Parameters
    ----------
    pairs : sequence of (reference, live)
    ids : names of columns that say who or what; it does not look for drift in them.
    environment : Path
        Where its virtual environment is, or is to be built.

    Returns
    -------
    list, one for each pair, of (column, whether it fired)
        The column "" stands for the table: duplicated rows, another number of columns.

    Raises
    ------
    RuntimeError
        If it breaks off; with the last of what it said.
    """
    python = peer_python(environment)
    with tempfile.TemporaryDirectory(prefix="workbench-peer-") as folder:
        _write(Path(folder), pairs, ids)
        run = subprocess.run([python, SCRIPT, folder], capture_output=True, text=True, check=False)
        if run.returncode:
            raise RuntimeError(f"{NAME} broke off: {run.stderr.strip()[-500:]}")
        answers = json.loads((Path(folder) / "fired.json").read_text(encoding="utf-8"))
    return [[(column, bool(alarm)) for column, alarm in answer] for answer in answers]


@contextmanager
def serving(pair: Pair, ids: Sequence[str] = IDS) -> Iterator:
    """A function that lets the peer check one pair, which it has loaded already."""
    with tempfile.TemporaryDirectory(prefix="workbench-peer-") as folder:
        _write(Path(folder), [pair], ids)
        command = [peer_python(), SCRIPT, folder, "--serve"]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process:
            _expect(process, "ready")

            def once() -> None:
                process.stdin.write("go\n")
                process.stdin.flush()
                _expect(process, "done")

            try:
                yield once
            finally:
                process.stdin.close()


def peer_python(environment: Path = ROOT / ".venv-peers") -> Path:
    """The Python of the peers' environment, built if it is not there or its pins have changed."""
    python, built = environment / "bin" / "python", environment / "peers.txt"
    if built.exists() and built.read_text(encoding="utf-8") == PINS.read_text(encoding="utf-8"):
        return python
    shutil.rmtree(environment, ignore_errors=True)
    uv = [sys.executable, "-m", "uv"]
    subprocess.run([*uv, "venv", "-q", "--python", sys.executable, environment], check=True)
    install = ["pip", "install", "-q", "--no-deps", "--python", python, "-r", PINS]
    subprocess.run([*uv, *install], check=True)
    built.write_text(PINS.read_text(encoding="utf-8"), encoding="utf-8")
    return python


def _write(folder: Path, pairs: Sequence[Pair], ids: Sequence[str]) -> None:
    (folder / "ids.json").write_text(json.dumps(list(ids)), encoding="utf-8")
    for number, (reference, live) in enumerate(pairs):
        reference.write_parquet(folder / f"{number}.reference.parquet")
        live.write_parquet(folder / f"{number}.live.parquet")


def _expect(process: subprocess.Popen, word: str) -> None:
    for line in process.stdout:
        if line.strip() == word:
            return
    raise RuntimeError(f"{NAME} broke off before it said {word!r}")
