"""What Feast answers to a small history, run by the Python of the peers' environment.

python feast_answers.py FOLDER host:port    reads events.parquet and requests.parquet in FOLDER,
                                            writes answers.json

offline   dask, duckdb; with and without Feast's second clock   {request's row: [values]}
online    sqlite, redis; with and without time-to-live          {user: [values]}
          written row by row in the order of `known_at`, read now, years after the history
"""

import json
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

import pandas as pd
from feast_stores import applied, historical, online, store

COLUMNS = {"amount": "Float64", "place": "String"}
PACKAGES = ("feast", "dask", "duckdb", "ibis-framework", "pandas", "redis")
TTL_DAYS = 7


def main(folder: Path, address: str) -> None:
    requests = pd.read_parquet(folder / "requests.parquet")
    events = folder / "events.parquet"
    with tempfile.TemporaryDirectory(prefix="workbench-feast-") as scratch:
        answers = {
            "versions": {name: version(name) for name in PACKAGES},
            "offline": {
                f"{name}{', known' * known}": offline(scratch, name, events, requests, known)
                for name in ("dask", "duckdb")
                for known in (False, True)
            },
            "online": {
                f"{name}{', ttl' * (ttl > 0)}": written(scratch, name, address, events, ttl)
                for name in ("sqlite", "redis")
                for ttl in (0, TTL_DAYS)
            },
        }
    (folder / "answers.json").write_text(json.dumps(answers), encoding="utf-8")


def offline(scratch: str, name: str, events: Path, requests, known: bool) -> dict:
    feast = store(Path(scratch, f"offline_{name}_{int(known)}"), offline=name)
    references = applied(feast, events, COLUMNS, TTL_DAYS)
    frame = historical(feast, requests, references, known=known)
    return {str(int(row.pop("row"))): values(row) for row in frame.to_dict("records")}


def written(scratch: str, name: str, address: str, events: Path, ttl_days: float) -> dict:
    feast = store(
        Path(scratch, f"online_{name}_{int(ttl_days)}"), online=address if name == "redis" else name
    )
    references = applied(feast, events, COLUMNS, ttl_days)
    frame = pd.read_parquet(events).sort_values("known_at", kind="stable")
    for place in range(len(frame)):
        feast.write_to_online_store("payment", frame.iloc[[place]].drop(columns="event"))
    users = sorted(frame["user"].unique())
    rows = pd.DataFrame(online(feast, users, references)).to_dict("records")
    return {str(row["user"]): values(row) for row in rows}


def values(row: dict) -> list:
    return [None if pd.isna(row[name]) else row[name] for name in COLUMNS]


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
