"""What can go wrong with a table: one pure function for each, from two frames to findings.

`live` is what has just arrived, `reference` what arrived before it. A finding says what changed,
by how much, and in how many of the live rows. Below the thresholds, below what chance alone would
do, and within what the days of the reference did among themselves, there is no finding.
"""

from workbench.data.rules.arrivals import freshness, volume
from workbench.data.rules.clocks import clock_skew, hours, label_delay
from workbench.data.rules.finding import Finding
from workbench.data.rules.gaps import sequence_gaps
from workbench.data.rules.identity import strangers
from workbench.data.rules.kinds import cohorts, label_rate, orphans, ratios
from workbench.data.rules.missing import completeness
from workbench.data.rules.numbers import ranges, units
from workbench.data.rules.repeats import duplicates, resent
from workbench.data.rules.schema import schema
from workbench.data.rules.shift import distribution
from workbench.data.rules.slices import slices
from workbench.data.rules.words import new_categories

__all__ = [
    "Finding",
    "clock_skew",
    "cohorts",
    "completeness",
    "distribution",
    "duplicates",
    "freshness",
    "hours",
    "label_delay",
    "label_rate",
    "new_categories",
    "orphans",
    "ranges",
    "ratios",
    "resent",
    "schema",
    "sequence_gaps",
    "slices",
    "strangers",
    "units",
    "volume",
]
