"""Ask Feast what a small history means, and keep its answers for our tests.

    python -m benchmarks.feast_oracle     # writes tests/features/feast_oracle.json

The first users each stand for one thing that can go wrong, see `CASES`; the last twenty have a
random history in which nothing is ambiguous: no two events at one time, all known at once. Users
1 to 99 are asked at noon of the 20th, the twenty at random times.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.peer_checks import peer_python
from benchmarks.redis_server import redis_server

__all__ = ["CASES", "RECORD", "answers", "history"]

RECORD = Path(__file__).resolve().parent.parent / "tests" / "features" / "feast_oracle.json"
SCRIPT = Path(__file__).with_name("feast_answers.py")
NOON = datetime(2024, 5, 20, 12, tzinfo=UTC)
NOW, MINUTE, HOUR, DAY = (timedelta(minutes=m) for m in (0, 1, 60, 1440))
CASES = {  # user -> what happened to it: (time, known_at, amount, place)
    1: ("plain", [(-2 * DAY, -2 * DAY, 1.0, "a"), (-DAY, -DAY, 2.0, "b")]),
    2: ("older than the time-to-live", [(-8 * DAY, -8 * DAY, 3.0, "a")]),
    3: ("exactly as old as the time-to-live", [(-7 * DAY, -7 * DAY, 4.0, "a")]),
    4: ("one time, known later", [(-DAY, -HOUR, 5.0, "a"), (-DAY, -2 * HOUR, 6.0, "b")]),
    5: ("one time, known at once", [(-DAY, -DAY, 7.0, "a"), (-DAY, -DAY, 8.0, "b")]),
    6: ("asked twice at one time", [(-DAY, -DAY, 9.0, "a")]),
    7: ("known after the request", [(-2 * DAY, -2 * DAY, 10.0, "a"), (-DAY, HOUR, 11.0, "b")]),
    8: ("at the very time of the request", [(-DAY, -DAY, 12.0, "a"), (NOW, NOW, 13.0, "b")]),
    9: ("the newer one is null", [(-2 * DAY, -2 * DAY, 14.0, "a"), (-DAY, -DAY, None, None)]),
    10: ("nothing yet", [(DAY, DAY, 15.0, "a")]),
    11: ("nothing ever", []),
    12: ("late, older than what is there", [(-DAY, -DAY, 16.0, "a"), (-3 * DAY, -HOUR, 17.0, "b")]),
}  # fmt: skip


def history(seed: int = 7) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Events and requests; requests have their number as `row`."""
    rng = np.random.default_rng(seed)
    happened = [
        {"user": user, "time": NOON + time, "known_at": NOON + known, "amount": amount, "place": p}
        for user, (_, events) in CASES.items()
        for time, known, amount, p in events
    ]
    asked = [{"user": user, "time": NOON} for user in [*CASES, 6]]
    minutes = rng.permutation(30 * 24 * 60)
    moments = [NOON - 30 * DAY + int(minute) * MINUTE for minute in minutes]
    for user, time in zip(rng.integers(100, 120, 200), moments[:200], strict=True):
        amount = None if rng.random() < 0.1 else round(float(rng.normal(20, 30)), 2)
        words = {"amount": amount, "place": str(rng.choice(["a", "b", "c"]))}
        happened.append({"user": int(user), "time": time, "known_at": time, **words})
    for user, time in zip(rng.integers(100, 125, 150), moments[200:350], strict=True):
        asked.append({"user": int(user), "time": time})
    clocks = {name: pl.Datetime("us", "UTC") for name in ("time", "known_at")}
    events = pl.DataFrame(happened, schema_overrides=clocks, infer_schema_length=None)
    events = events.with_columns(event=pl.int_range(len(happened), 0, -1))  # the first wins a tie
    requests = pl.DataFrame(asked, schema_overrides={"time": clocks["time"]})
    return events, requests.with_row_index("row")


def answers(events: pl.DataFrame, requests: pl.DataFrame) -> dict:
    """What Feast says, in the environment of the peers; see `feast_answers`.

    Raises RuntimeError if it breaks off, with the last of what it said.
    """
    with tempfile.TemporaryDirectory(prefix="workbench-peer-") as folder, redis_server() as port:
        events.write_parquet(Path(folder) / "events.parquet")
        requests.write_parquet(Path(folder) / "requests.parquet")
        command = [peer_python(), SCRIPT, folder, f"127.0.0.1:{port}"]
        run = subprocess.run(command, capture_output=True, text=True, check=False)
        if run.returncode:
            raise RuntimeError(f"Feast broke off: {run.stderr.strip()[-2000:]}")
        return json.loads((Path(folder) / "answers.json").read_text(encoding="utf-8"))


if __name__ == "__main__":
    text = json.dumps(answers(*history()), separators=(",", ":"), ensure_ascii=False)
    RECORD.write_text(text.replace("},", "},\n") + "\n", encoding="utf-8")
    print(f"wrote {RECORD.name}")
