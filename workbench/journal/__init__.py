"""Many small events a second, safe on this machine's disk before they reach the log.

    write ─► memory ─► segment files ─► EventLog
                every 10 ms   │     drain: whole segments
                              └───► JournalReader: frames as they come

`write` returns at once; a thread puts everything written so far on the disk every `sync_ms`
(group commit), and `sync` waits for it. What `sync` has returned for survives kill -9 and a power
cut. `drain` moves whole segments into the log as numbered batches, which the log takes once
however often they come, and deletes a segment only when its commits are in the log.
"""

from workbench.journal.frames import DamagedJournal
from workbench.journal.journal import Journal
from workbench.journal.kept import JournalGap
from workbench.journal.reader import JournalReader, Place

__all__ = ["DamagedJournal", "Journal", "JournalGap", "JournalReader", "Place"]
