"""What a row must look like to enter the log: one vocabulary, one contract per kind.

Columns have one name everywhere: a user is `user`, whichever table it comes from
(`workbench.rename` is the door for other names). A contract says, for one kind of event,
which columns must be there and what they may hold. `check` splits a table by it:

    table ──► check ──► good   cast without loss, ready for the log
                  └───► bad    as it came, plus the `reason`: for the quarantine

What is wrong with single rows is a reason in `bad`. What is wrong with the table as a whole
(no clock, no time zone, ids that are neither whole numbers nor words) is an error.
"""

from workbench.contracts.check import check
from workbench.contracts.contract import (
    CLOCKS,
    CONTRACTS,
    VOCABULARY,
    Column,
    Contract,
    grow,
    refuse_changed_types,
    schema_of,
)

__all__ = [
    "CLOCKS",
    "CONTRACTS",
    "VOCABULARY",
    "Column",
    "Contract",
    "check",
    "grow",
    "refuse_changed_types",
    "schema_of",
]
