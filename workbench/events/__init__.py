"""The log: everything that happened, with two times. When it happened, and when we knew.

`time` is when an event happened, `known_at` when we could know it: a fraud complaint comes weeks
after the payment. `log.as_of(t)` is the log as it was known at t, so that whatever is trained on
it has not seen the future. The log is a Delta Lake table partitioned by kind and day: an append
of several kinds is one commit, and the version of all data is one integer.

    append ──► check ──► deduplicate ──► one commit ──► scan · as_of(t) · at(version)
                 │            │              ▲
                 └── refused ─┴─► quarantine ┘   with the reason; nothing is ever lost
"""

from workbench.events.commits import Appended
from workbench.events.log import EventLog

__all__ = ["Appended", "EventLog"]
