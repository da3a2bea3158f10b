"""The smallest store that keeps the promise of `apply`: events and position in one commit.

It remembers every event in SQLite, so that tests can count what a stream delivered.
"""

import json
import sqlite3
import threading
from types import SimpleNamespace


class Recorder:
    def __init__(self, path):
        self.lock = threading.Lock()
        self.base = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self.base.execute("PRAGMA journal_mode=WAL")
        self.base.execute("PRAGMA synchronous=OFF")  # kill -9 is survived all the same
        self.base.execute(
            "CREATE TABLE IF NOT EXISTS events (kind, event, row, UNIQUE(kind, event))"
        )
        self.base.execute("CREATE TABLE IF NOT EXISTS positions (source PRIMARY KEY, position)")
        self.base.execute("CREATE TABLE IF NOT EXISTS counts (duplicates)")

    def apply(self, tables, position=None):
        with self.lock:
            self.base.execute("BEGIN IMMEDIATE")
            came = changed = 0
            for kind, table in tables.items():
                rows = [(kind, row["event"], _text(row)) for row in table.iter_rows(named=True)]
                came += len(rows)
                changed += self.base.executemany(
                    "INSERT OR IGNORE INTO events VALUES (?, ?, ?)", rows
                ).rowcount
            if position is not None:
                self.base.execute("INSERT OR REPLACE INTO positions VALUES (?, ?)", position)
            self.base.execute("INSERT INTO counts VALUES (?)", (came - changed,))
            self.base.execute("COMMIT")
        return SimpleNamespace(events=changed, duplicates=came - changed, ignored=0, aside={})

    def position(self, source):
        found = self.base.execute("SELECT position FROM positions WHERE source = ?", (source,))
        return next((text for (text,) in found), None)

    def rows(self, kind="click"):
        found = self.base.execute("SELECT row FROM events WHERE kind = ?", (kind,))
        return [json.loads(row) for (row,) in found]

    def events(self, kind="click"):
        return sorted(row["event"] for row in self.rows(kind))

    @property
    def duplicates(self):
        return self.base.execute("SELECT sum(duplicates) FROM counts").fetchone()[0] or 0

    @property
    def commits(self):
        return self.base.execute("SELECT count(*) FROM counts").fetchone()[0]

    def close(self):
        self.base.close()


def _text(row):
    return json.dumps(row, default=str)
