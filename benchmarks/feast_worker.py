"""Feast at work, run by the Python of the peers' environment: one JSON line in, one out.

    open, folder, offline, online, events, columns, ttl_days
    load, requests         the requests as a pandas frame, in memory
    join                   ─► rows: how many came back
    write                  all events to the online store
    read, users            ─► seconds: of one read for each list of users, with the answer as a dict
    push, rows             ─► seconds: the first so many events, as a stream would bring them

It takes the time itself where one call is short.
"""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter

import pandas as pd
from feast_stores import applied, historical, online, store


class Work:
    """What has been opened and loaded."""

    def open(self, folder, offline, online, events, columns, ttl_days):
        """A store and a view over a file."""
        self.feast = store(Path(folder), offline=offline, online=online)
        kinds = dict.fromkeys(columns, "Float64")
        self.references = applied(self.feast, Path(events), kinds, ttl_days)
        self.events = events
        return {}

    def load(self, requests):
        """What will be joined."""
        self.requests = pd.read_parquet(requests)
        return {"rows": len(self.requests)}

    def join(self):
        """Point in time."""
        return {"rows": len(historical(self.feast, self.requests, self.references))}

    def write(self):
        """All there is, up to now."""
        first, now = datetime(2000, 1, 1, tzinfo=UTC), datetime.now(UTC)
        self.feast.materialize(first, now)
        return {}

    def read(self, users):
        """As a dict, each."""
        seconds = []
        for some in users:
            start = perf_counter()
            online(self.feast, some, self.references)
            seconds.append(perf_counter() - start)
        return {"seconds": seconds}

    def push(self, rows):
        """The first rows of the file, straight into the online store."""
        frame = pd.read_parquet(self.events).head(rows)
        start = perf_counter()
        self.feast.write_to_online_store("payment", frame)
        return {"seconds": [perf_counter() - start]}


def main() -> None:
    work, answers = Work(), sys.stdout
    sys.stdout = sys.stderr  # Feast talks
    for line in sys.stdin:
        order = json.loads(line)
        answers.write(json.dumps(getattr(work, order.pop("do"))(**order)) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
