"""Writing, draining, dying and reading in any order: each event is read once, as written."""

from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.events import EventLog
from workbench.journal import Journal, JournalReader
from workbench.journal.frames import TABLE, frame
from workbench.journal.rows import decode
from workbench.journal.tables import unpack

STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["write", "write_many", "read"]), st.integers(1, 30)),
        st.tuples(st.sampled_from(["drain", "reopen", "leave", "done", "torn"]), st.just(0)),
    ),
    max_size=25,
)


@settings(max_examples=60, deadline=None)
@given(steps=STEPS)
def test_whatever_happens_in_between_each_event_is_read_once_and_in_order(tmp_path_factory, steps):
    folder = tmp_path_factory.mktemp("any")
    path, log = folder / "journal", EventLog(folder / "log")
    journal, written, seen, place = Journal(path, sync_ms=1000), 0, [], None
    reader = JournalReader(path, "features")
    for step, count in [*steps, ("read", 10**6)]:
        if step == "write":
            for number in range(written, written + count):
                journal.write("click", event=number, item=1)
            journal.sync()
            written += count
        elif step == "write_many":
            some = range(written, written + count)
            journal.write_many("click", {"event": some, "item": [1] * count})
            journal.sync()
            written += count
        elif step == "read":
            while count > 0 and (found := reader.read(place, min(count, 50)))[0]:
                for each in found[0]:
                    tables = (
                        [unpack(each.payload)] if each.type == TABLE else decode([each.payload])
                    )
                    seen += [number for _kind, table in tables for number in table["event"]]
                    count -= each.events
                place = found[1]
        elif step == "drain":
            journal.drain(log)
        elif step == "done" and place is not None:
            reader.done(place)
        elif step == "leave":
            reader.close()
            reader = JournalReader(path, "features")
        elif step in ("reopen", "torn"):
            journal.close()
            if step == "torn":
                with max(path.glob("*.journal")).open("ab") as file:
                    file.write(frame(b"r", b"[{}]", events=1)[:-1])
            journal = Journal(path, sync_ms=1000)
        assert seen == [*range(len(seen))]
    assert len(seen) == written
    reader.close()
    journal.close()
