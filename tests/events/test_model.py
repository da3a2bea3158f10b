"""Any order of appends, crashes, compactions and reopenings: the log says what a list would say.

The model is a list of dicts. Every version ever seen must keep answering the same, and `as_of(t)`
for t up to the watermark must never change.
"""

import shutil
import tempfile
from datetime import UTC, datetime, timedelta

import polars as pl
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from workbench.events import EventLog
from workbench.events.lake import Lake

START = datetime(2026, 3, 1, tzinfo=UTC)
KINDS = ("payment", "rating")  # the same columns, so that one strategy makes rows of both
VALUE = {"payment": "amount", "rating": "score"}

hours = st.integers(0, 71)
rows = st.lists(
    st.fixed_dictionaries(
        {
            "event": st.integers(0, 25),
            "known_after": st.integers(-1, 90),  # hours; -1 is known before it happened: bad
            "value": st.sampled_from([1.0, 2.0, float("nan"), None]),
        }
    ),
    max_size=6,
)


def hour(event: int) -> datetime:
    """When an event happened; its id fixes it."""
    return START + timedelta(hours=3 * event)


class Crash(Exception):
    """Stands for the machine going off."""


class LogAgainstList(RuleBasedStateMachine):
    @initialize()
    def open(self):
        self.folder = tempfile.mkdtemp()
        self.now = START
        self.log = EventLog(self.folder, clock=lambda: self.now)
        self.rows, self.refused, self.line = [], {}, None  # what should be in the log
        self.batch = 0
        self.seen, self.frozen = {}, {}  # answers once given, by version and by moment

    def teardown(self):
        shutil.rmtree(self.folder)

    def accept(self, kind: str, row: dict) -> None:
        """Put a row where the log should put it."""
        ours = {"kind": kind, "event": row["event"], "value": row["value"]}
        known_at = hour(row["event"]) + timedelta(hours=row["known_after"])
        bad = row["value"] is None or row["value"] != row["value"]
        bad = bad or known_at < hour(row["event"]) or known_at > self.now
        same = [r for r in self.rows if (r["kind"], r["event"]) == (kind, row["event"])]
        if bad or (same and same[0]["value"] != row["value"]):
            self.refused[kind, row["event"], known_at, str(row["value"])] = True
        elif not same:
            self.rows.append({**ours, "known_at": max(known_at, self.line or known_at)})

    def frame(self, kind: str, some: list[dict]) -> pl.DataFrame:
        return pl.DataFrame(
            {
                "event": [row["event"] for row in some],
                "time": [hour(row["event"]) for row in some],
                "known_at": [
                    hour(row["event"]) + timedelta(hours=row["known_after"]) for row in some
                ],
                "user": [7] * len(some),
                "item": [3] * len(some),
                VALUE[kind]: [row["value"] for row in some],
            },
            schema_overrides={
                "time": pl.Datetime("us", "UTC"),
                "known_at": pl.Datetime("us", "UTC"),
                VALUE[kind]: pl.Float64,
            },
        )

    @rule(payment=rows, rating=rows, later=st.integers(0, 30), line=st.booleans())
    def append(self, payment, rating, later, line):
        self.now += timedelta(hours=later)
        until = self.now - timedelta(hours=10) if line else None
        tables = {"payment": payment, "rating": rating}
        done = self.log.append(
            **{kind: self.frame(kind, some) for kind, some in tables.items()}, complete_until=until
        )
        before = len(self.rows)
        for kind, some in tables.items():
            for row in some:
                self.accept(kind, row)
        if until is not None:
            self.line = max(until, self.line or until)
        assert sum(done.added.values()) == len(self.rows) - before

    @rule(some=rows, again=st.booleans())
    def append_a_batch_twice(self, some, again):
        self.batch += 1
        self.log.append(payment=self.frame("payment", some), batch=("stream", self.batch))
        for row in some:
            self.accept("payment", row)
        if again:
            version = self.log.version
            done = self.log.append(rating=self.frame("rating", some), batch=("stream", self.batch))
            assert done.skipped
            assert self.log.version == version

    @rule(some=rows, when=st.sampled_from(["before writing", "after writing", "after commit"]))
    def crash_in_an_append(self, some, when):
        write, commit = Lake._write, Lake._note_written

        def die_before(lake, path, frame, codec):
            raise Crash

        def die_after(lake, path, frame, codec):
            write(lake, path, frame, codec)
            raise Crash

        def die_committed(lake, version):
            raise Crash

        if when == "after commit":
            Lake._note_written = die_committed
        else:
            Lake._write = die_before if when == "before writing" else die_after
        try:
            self.log.append(payment=self.frame("payment", some))
            crashed = False
        except Crash:
            crashed = True
        finally:
            Lake._write, Lake._note_written = write, commit
        if when == "after commit" or not crashed:
            for row in some:
                self.accept("payment", row)
        self.reopen()

    @rule()
    def compact(self):
        self.log.compact()

    @rule()
    def reopen(self):
        self.log = EventLog(self.folder, clock=lambda: self.now)

    @rule(back=st.integers(0, 80))
    def look_at_the_past(self, back):
        t = self.now - timedelta(hours=back)
        for kind in KINDS:
            expected = {r["event"] for r in self.rows if r["kind"] == kind and r["known_at"] < t}
            assert set(self.log.as_of(t).scan(kind).collect()["event"]) == expected
        if self.line is not None and t <= self.line:
            answer = self.answer(self.log.as_of(t))
            assert self.frozen.setdefault(t, answer) == answer

    @precondition(lambda self: self.seen)
    @rule(data=st.data())
    def look_at_an_old_version(self, data):
        version = data.draw(st.sampled_from(sorted(self.seen)))
        assert self.answer(self.log.at(version)) == self.seen[version]

    def answer(self, log) -> list:
        return sorted(
            (kind, *row)
            for kind in KINDS
            for row in log.scan(kind).collect().select(*self.columns(log, kind)).iter_rows()
        )

    def columns(self, log, kind):
        return ("event", "time", "known_at", VALUE[kind])

    @invariant()
    def the_log_is_the_list(self):
        if not hasattr(self, "log") or self.log.version < 0:
            return
        answer = self.answer(self.log)
        expected = sorted(
            (row["kind"], row["event"], hour(row["event"]), row["known_at"], row["value"])
            for row in self.rows
        )
        assert answer == expected
        self.seen[self.log.version] = answer
        assert self.log.quarantine().height == len(self.refused)
        assert self.log.complete_until == self.line


LogAgainstList.TestCase.settings = settings(
    max_examples=15,
    stateful_step_count=15,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
test_log_against_list = LogAgainstList.TestCase
