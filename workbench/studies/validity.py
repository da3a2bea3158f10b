"""How like real data is a simulated shop? A card with a line per moment, and what is not modelled.

    a world's log ──► moments ──┐
                                ├──► ratio or distance, with an interval ──► like / other
    real logs     ──► moments ──┘                                            / not modelled

Two sets are compared with: Online Retail II, a shop's real invoices, and the card transactions of
the Fraud Detection Handbook, which its authors *simulated*: agreement with those is agreement with
another simulator. Both are measured by the same functions as the world, in windows as long as the
shorter of the two spans, so that who comes back and what sells has the same time to show.

A world need not be like either set. What the card is for: to say which conclusions carry over.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from workbench.studies.validity_card import CardSpec, Line, ValidityCard, line_of
from workbench.studies.validity_logs import curves_of, moments_of, read, span_days
from workbench.studies.validity_words import MOMENTS, NOT_COMPARED, NOT_MODELLED

__all__ = [
    "NOT_COMPARED", "NOT_MODELLED", "CardSpec", "Line", "Record", "ValidityCard",
    "public_records", "validity_card", "world_card",
]  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Record:
    """A log to compare, and in which zone its hours are meant.

    Parameters
    ----------
    name : str
    events : EventLog or mapping of kind to table
        `purchase` or `payment` at least; Polars, pandas or Arrow. Other kinds that are read, where
        they are: chargeback, listing, refund.
    zone : str
        Hours and days are told in this zone, such as "Europe/London".
    note : str
        What a reader must know about it.
    """

    name: str
    events: Any
    zone: str = "UTC"
    note: str = ""


def validity_card(
    world: Record, against: Sequence[Record], *, truth: Any = None, spec: CardSpec | None = None
) -> ValidityCard:
    """Compare the moments of a world's log with those of real logs.

    Parameters
    ----------
    world : Record
        The log of a world, or any other to be judged.
    against : sequence of Record
        Real logs; `public_records()` are two.
    truth : object, optional
        The world's: adds the line of its true fraud share, and is used for nothing else.
    spec : CardSpec, optional

    Raises
    ------
    ValueError
        If a log has neither purchases nor payments, or fewer than 14 days of them; if a table lacks
        a column that is needed, or times have no zone; if there is nothing to compare with.

    Examples
    --------
    >>> rng, n = np.random.default_rng(0), 4_000
    >>> minutes = pl.Series(rng.integers(0, 28 * 1440, n))
    >>> pay = pl.DataFrame({"user": rng.integers(0, 90, n), "amount": rng.lognormal(3, 1, n)})
    >>> start = pl.datetime(2026, 3, 2, time_zone="UTC")
    >>> pay = pay.with_columns(time=start + pl.duration(minutes=minutes))
    >>> dearer = pay.with_columns(amount=pl.col("amount") * 3)
    >>> card = validity_card(Record(name="dearer", events={"payment": dearer}),
    ...                      [Record(name="usual", events={"payment": pay})])
    >>> {line.moment: round(line.value, 2) for line in card if line.verdict == "other"}
    {'amount of a payment, median': 3.0}
    """
    spec = spec or CardSpec()
    if not against:
        raise ValueError("against must hold at least one record to compare with, got none")
    logs = [read(record.name, record.events, record.zone) for record in [world, *against]]
    first, *others = logs
    if not any(set(first) & {"purchase", "payment"} & set(other) for other in others):
        raise ValueError(f"{world.name} has no kind (purchase, payment) that the others have too")
    windows = {
        kind: min(span_days(log[kind]) for log in logs if kind in log)
        for kind in ("purchase", "payment")
        if any(kind in log for log in logs)
    }
    settings = {"windows": windows, "draws": spec.draws}
    mine = moments_of(first, seed=spec.seed, truth=truth, **settings)
    lines, compared, curves = [], set(), [curves_of(world.name, first, windows, mine)]
    for number, (record, log) in enumerate(zip(against, others, strict=True), start=1):
        theirs = moments_of(log, seed=spec.seed + number, **settings)
        curves.append(curves_of(record.name, log, windows, theirs))
        for asked in MOMENTS:
            real = theirs.get(asked.real or asked.name)
            if real is not None and (asked.name in mine or not asked.real):
                lines.append(line_of(asked, record.name, mine.get(asked.name), real, spec))
                compared.add(asked.name)
    lines += [
        line_of(asked, "no set", mine[asked.name], None, spec)
        for asked in MOMENTS
        if asked.name in mine and asked.name not in compared
    ]
    notes = [f"{record.name}: {record.note}" for record in [world, *against] if record.note]
    watched = [f"{windows[kind]} days of {kind}s" for kind in windows if kind in first]
    notes.append(f"What repeats or runs out is measured in windows of {', '.join(watched)}.")
    title = f"validity card of {world.name}"
    return ValidityCard(title, tuple(lines), tuple(notes), spec, pl.concat(curves))


def public_records() -> tuple[Record, Record]:
    """Online Retail II and the Handbook's card transactions, loaded; see `workbench.data.public`.

    Raises
    ------
    OSError
        If a set must be fetched and cannot be.
    """
    from workbench.data import public

    shop, cards = public.events("online-retail"), public.events("cards")
    return (
        Record(
            name="online-retail",
            events={kind: shop[kind] for kind in ("purchase", "refund", "listing")},
            zone="Europe/London",
            note="Online Retail II, a British wholesaler of gifts, December 2009 to 2010; real.",
        ),
        Record(
            name="cards",
            events=cards,
            note="the Fraud Detection Handbook's card transactions, April to June 2018; "
            "SIMULATED by its authors: agreement is agreement with another simulator.",
        ),
    )


def world_card(
    world: Any, log: Any, against: Sequence[Record] | None = None, *,
    spec: CardSpec | None = None, progress: bool = False,
) -> ValidityCard:  # fmt: skip
    """Play a world to its end on pages filled at random, nothing blocked, and draw its card.

    Parameters
    ----------
    world : a world with `run` and perhaps `truth`
    log : EventLog
        Empty; gets what happens.
    against : sequence of Record, optional
        `public_records()` by default.
    spec : CardSpec, optional
    progress : bool
    """
    from workbench.policy import Explore, Threshold

    against = public_records() if against is None else against
    page = Explore(_alike, 5, salt="validity card", epsilon=1.0, name="random@1")
    policies = {"home": page, "search": page}
    policies["checkout"] = Threshold(_alike, float("inf"), "approve@1")
    world.run(policies, log=log, progress=progress)
    record = Record(
        name="the world",
        events=log,
        note=f"{world!r}; pages filled at random, no payment blocked.",
    )
    return validity_card(record, against, truth=getattr(world, "truth", None), spec=spec)


def _alike(requests) -> np.ndarray:
    return np.zeros(len(requests["request"]))
