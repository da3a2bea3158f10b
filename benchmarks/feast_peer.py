"""Feast beside us: a process of the peers' environment that does what it is told."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import polars as pl

from benchmarks.peer_checks import peer_python

__all__ = ["Feast", "feast"]

SCRIPT = Path(__file__).with_name("feast_worker.py")


class Feast:
    """Gives orders to `feast_worker` and waits for its answers."""

    def __init__(self, process: subprocess.Popen, complaints: Path):
        self._process, self._complaints = process, complaints

    def __call__(self, do: str, **words) -> dict:
        """What it answers; RuntimeError if it breaks off, with the last of what it said."""
        try:
            self._process.stdin.write(json.dumps({"do": do, **words}) + "\n")
            self._process.stdin.flush()
            answer = self._process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        if not answer:
            said = self._complaints.read_text(encoding="utf-8", errors="replace")
            raise RuntimeError(f"Feast broke off while it was to {do}: {said.strip()[-1000:]}")
        return json.loads(answer)


@contextmanager
def feast(
    events: pl.DataFrame,
    columns: Sequence[str],
    *,
    offline: str = "duckdb",
    online: str = "sqlite",
    ttl_days: float = 0,
) -> Iterator[Feast]:
    """A worker that has opened a view over these events; `online` may be a Redis host:port."""
    with tempfile.TemporaryDirectory(prefix="workbench-feast-") as folder:
        path = Path(folder, "events.parquet")
        events.write_parquet(path, compression="lz4", row_group_size=1_000_000)
        complaints = Path(folder, "complaints.txt")
        with (
            complaints.open("w") as errors,
            subprocess.Popen(
                [peer_python(), SCRIPT],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            ) as process,
        ):
            work = Feast(process, complaints)
            where = {"folder": f"{folder}/shop", "offline": offline, "online": online}
            work("open", **where, events=str(path), columns=[*columns], ttl_days=ttl_days)
            try:
                yield work
            finally:
                process.stdin.close()
