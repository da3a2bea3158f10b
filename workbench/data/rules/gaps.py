"""How much was dropped? What counters, pages and references between kinds say about it.

Rows that never came leave traces in those that did: a hole in a producer's counter, in the
positions of a page, or a click whose page is not there.

    counter of a device      17 18 20 21 23        first to last: 3 places between, and 2 holes
    positions of a page      1 2 4                 places below the last: 3, and 1 hole

Given the first and the last that came, each place between is there or not by the luck of its own
row. So holes / places estimates the share that was dropped, without bias if rows are dropped
independently of each other.
"""

from __future__ import annotations

import polars as pl

from workbench.data.rules.finding import FEW, Finding, percent

__all__ = ["holes", "sequence_gaps"]

COUNTERS = ("sequence", "seq", "sequence_number", "offset")
PRODUCERS = ("source", "producer", "device", "session", "surface", "user")
HOLED = 0.2  # a sequence with more holes than this before is none


def sequence_gaps(live: pl.DataFrame, reference: pl.DataFrame) -> list[Finding]:
    """Rows that never came, by holes in sequences: a warning from 0.5 points more, an error from 5.

    Used are the counters `sequence`, `seq`, `sequence_number` and `offset`, for each `source`,
    `producer`, `device`, `session`, `surface` or `user` (the first of them whose counters have next
    to no holes in the reference), and the positions of a page, `position` for each `request`. A
    sequence that had holes in more than a fifth of its places before is not used. Both frames must
    be complete, not samples.

    Notes
    -----
    The interval is Wilson's, for the share of holes now.

    Examples
    --------
    >>> page = pl.DataFrame({"request": [n // 10 for n in range(2_000)],
    ...                      "position": [n % 10 + 1 for n in range(2_000)]})
    >>> live = page.filter(pl.int_range(2_000) % 7 != 3)
    >>> sequence_gaps(live, page)[0].evidence
    'position by request: 14.6 % never came (13.0 to 16.3 %), 0 % before'
    """
    from workbench.metrics import share_interval

    found = []
    for counter, producer in _sequences(reference):
        wanted = {counter, producer} - {None}
        if not wanted <= set(live.columns) or not live.schema[counter].is_integer():
            continue
        (places, missing), (before_places, before) = (
            holes(frame, counter, producer) for frame in (live, reference)
        )
        usual = before / max(before_places, 1)
        if places < 3 * FEW or before_places < 3 * FEW:
            continue
        interval = share_interval(missing, places, level=0.9999)
        if interval.low - usual <= 0.005:
            continue
        shown = share_interval(missing, places)
        share = missing / places
        severity = "error" if share - usual > 0.05 and missing >= FEW else "warning"
        name = f"{counter} by {producer}" if producer else counter
        evidence = (
            f"{name}: {100 * share:.1f} % never came ({100 * shown.low:.1f} to "
            f"{100 * shown.high:.1f} %), {percent(usual)} before"
        )
        where = _beside_a_hole(counter, producer)
        rows = live.select(where.sum()).item()
        found.append(Finding("sequence gaps", severity, evidence, rows, counter, where))
    return found


def holes(frame: pl.DataFrame, counter: str, producer: str | None) -> tuple[int, int]:
    """Places between the first and the last of each sequence (of a page: from 1), and its holes."""
    first = pl.lit(0) if counter == "position" else pl.col(counter).min()
    rows = frame.lazy().drop_nulls([counter, *([producer] if producer else [])])
    length = pl.col(counter).max().cast(pl.Int64) - first - 1
    there = pl.col(counter).n_unique() - (1 if counter == "position" else 2)
    each = pl.col(counter).max() > first + (0 if counter == "position" else 1)
    sequences = rows.group_by(producer) if producer else rows.group_by(pl.lit(0).alias("_all"))
    sequences = sequences.agg(length.alias("places"), there.alias("there"), each.alias("long"))
    sums = sequences.filter("long").select(pl.sum("places"), pl.sum("there")).collect()
    places, there = sums.row(0)
    return int(places), int(max(places - there, 0))


def _sequences(reference: pl.DataFrame) -> list[tuple[str, str | None]]:
    """Which columns count what, as (counter, producer), by the reference's own holes."""
    found = []
    for counter in COUNTERS:
        if not reference.schema.get(counter, pl.Null).is_integer():
            continue
        for producer in (*(name for name in PRODUCERS if name in reference.columns), None):
            places, missing = holes(reference, counter, producer)
            if places >= 3 * FEW and missing <= HOLED * places:
                found.append((counter, producer))
                break
    paged = {"position", "request"} <= set(reference.columns)
    if paged and reference.schema["position"].is_integer():
        places, missing = holes(reference, "position", "request")
        if places >= 3 * FEW and missing <= HOLED * places:
            found.append(("position", "request"))
    return found


def _beside_a_hole(counter: str, producer: str | None) -> pl.Expr:
    """Which rows come right after a hole in their sequence."""
    order = pl.col(counter)
    step = order - order.sort().shift(1).gather(order.rank("ordinal").cast(pl.UInt32) - 1)
    before = step.over(producer) if producer else step
    least = 0 if counter == "position" else None
    gap = before > 1
    return (gap | (before.is_null() & (order > 1)) if least == 0 else gap).fill_null(False)
