"""A catalogue of broken pipes: faults with a known time, slice, size, and a ledger of the rows.

    cents = FAULTS["amount in cents"].at("large", start=noon)
    broken, touched = cents.apply(events)                                # all events at once
    world.run(policies, log=log, pipe=Pipe([cents]))                     # batch by batch
    table, touched = inject(table, FAULTS["nulls"].on("orders", "country"))      # your own

Each is one mistake that a team has made: a unit changed, a field renamed, a retry counted twice, a
clock off by an hour. The names follow the taxonomies of Kandel et al. (2011), "Research directions
in data wrangling", and Schelter et al. (2021), "JENGA: a framework to study the impact of data
errors on the predictions of machine learning models", EDBT; the sizes are ours: *large* is what
anybody would see on a chart, *small* what nobody does.

They are not part of the world: what people did is as it was, only what arrives is broken.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import polars as pl

from workbench.data.fault import LEVELS, Fault
from workbench.data.pipe import Pipe
from workbench.tables import is_pandas, one_frame

__all__ = ["FAULTS", "LEVELS", "Fault", "Pipe", "inject"]


def _fault(name, summary, how, kind, column=None, *, levels, value=None) -> Fault:
    return Fault(
        name=name, summary=summary, how=how, kind=kind, column=column, magnitude=levels[1],
        levels=levels, value=value,
    )  # fmt: skip


SOME, MANY, MOST = (0.03, 0.1, 0.5), (0.05, 0.3, 1.0), (0.1, 0.5, 1.0)  # shares of rows

_CATALOGUE = (
    # rows that are gone, or are there twice
    _fault("dropped events", "a share of the rows never arrives", "gone", "click", levels=SOME),
    _fault("dropped devices", "nothing arrives from a share of the devices: a broken app version",
           "gone by group", "payment", "device", levels=SOME),
    _fault("outage", "nothing of this kind arrives for hours from the start on", "gone for hours",
           "click", levels=(2.0, 8.0, 24.0)),
    _fault("retried", "rows arrive twice under one id: a retry after a lost answer", "again",
           "payment", levels=SOME),
    _fault("doubled", "rows arrive twice, the second time under a new id", "again renamed",
           "payment", levels=SOME),
    # numbers that mean something else
    _fault("amount in cents", "a hundred times as much", "scaled", "payment", "amount",
           levels=MANY, value=100),
    _fault("amount in thousands", "a thousandth", "scaled", "payment", "amount", levels=MANY,
           value=0.001),
    _fault("other currency", "all amounts times a factor", "multiplied", "payment", "amount",
           levels=(1.1, 1.5, 3.0)),
    _fault("position off by one", "the top is logged as 2", "moved", "click", "position",
           levels=MOST, value=1),
    _fault("noisy", "times a log-normal factor of this sigma", "noisy", "payment", "amount",
           levels=(0.1, 0.5, 1.5)),
    _fault("rounded", "rounded to multiples of so much", "rounded", "payment", "amount",
           levels=(1.0, 10.0, 100.0)),
    _fault("flipped labels", "0 for 1 and 1 for 0", "flipped", "review", "label", levels=SOME),
    # fields that are something else
    _fault("renamed field", "the field has another name", "renamed", "payment", "device",
           levels=MOST),
    _fault("number as text", '12.5 is "12,5"', "as text", "payment", "amount", levels=MANY),
    _fault("nulls", "missing in a share of the rows", "missing", "payment", "place", levels=SOME),
    _fault("default value", "0 where the amount was not known", "constant", "payment", "amount",
           levels=SOME, value=0),
    _fault("unknown", '"unknown" where the place was not known', "constant", "payment", "place",
           levels=SOME, value="unknown"),
    _fault("stuck value", "the same amount again and again", "constant", "payment", "amount",
           levels=MANY, value=19.99),
    _fault("respelled", '"de" for "DE"', "respelled", "payment", "place", levels=MANY),
    _fault("truncated ids", "only the last eight digits (of a text: the first eight letters)",
           "cut", "click", "request", levels=MANY, value=8),
    _fault("swapped columns", "user and device change places", "swapped", "payment", "user",
           levels=MANY, value="device"),
    _fault("wrong join", "items are taken for their neighbours in the catalogue", "neighbours",
           "click", "item", levels=MANY),
    # clocks
    _fault("clock behind", "it is logged to have happened so many hours earlier", "shifted",
           "payment", "time", levels=(1.0, 6.0, 24.0), value=-1),
    _fault("known before", "known six hours before it happened", "shifted by value", "payment",
           "known_at", levels=SOME, value=-6),
    _fault("late arrival", "known so many hours later", "shifted", "payment", "known_at",
           levels=(3.0, 12.0, 48.0), value=1),
    _fault("local time", "the wall clock of New York, written down as UTC", "local", "payment",
           "time", levels=MOST, value="America/New_York"),
    # labels
    _fault("lost chargebacks", "a share of the complaints never arrives", "gone", "chargeback",
           levels=(0.1, 0.4, 0.8)),
    _fault("late chargebacks", "complaints are known so many hours later", "shifted", "chargeback",
           "known_at", levels=(24.0, 96.0, 336.0), value=1),
    _fault("wrong chargebacks", "complaints are attributed to the payment before the right one",
           "of the one before", "chargeback", "request", levels=(0.1, 0.4, 1.0)),
)  # fmt: skip

FAULTS: Mapping[str, Fault] = MappingProxyType({each.name: each for each in _CATALOGUE})


def inject(table: Any, fault: Fault) -> tuple[Any, Any]:
    """Break a table of one's own: the same fault, without events, kinds or a log.

    Parameters
    ----------
    table : Polars, pandas or Arrow table, n rows
        Without a column `event` rows go by their number: their luck, and in what was touched.
    fault : Fault
        Its kind does not matter. With a start or an end the table needs `known_at` or `time`.

    Returns
    -------
    table : the same kind of table
        pandas keeps its index and the columns that are not hit as they were.
    touched : the same kind of table
        fault, kind, event (or the row number), and time if there is one.

    Raises
    ------
    ValueError
        As `Fault.apply`.

    Examples
    --------
    >>> import pandas as pd
    >>> orders = pd.DataFrame({"country": ["DE", "CH", "DE"], "eur": [5.0, 9.0, 7.0]})
    >>> swiss = FAULTS["amount in cents"].on("orders", "eur", where={"country": "CH"}).at("large")
    >>> broken, touched = inject(orders, swiss)
    >>> broken["eur"].tolist(), touched["event"].tolist()
    ([5.0, 900.0, 7.0], [1])
    """
    frame = one_frame(table, fault.kind)
    own_ids = "event" in frame.columns
    if not own_ids:
        frame = frame.with_columns(event=pl.int_range(pl.len()))
    marked = frame.with_columns(pl.int_range(pl.len()).alias(_ROW))
    events, touched = fault.apply({fault.kind: marked})
    made = events[fault.kind]
    rows, made = made[_ROW].to_numpy(), made.drop(_ROW)
    made = made if own_ids else made.drop("event")
    if isinstance(table, (pl.DataFrame, pl.LazyFrame)):
        return made, touched
    if not is_pandas(table):
        return made.to_arrow(), touched.to_arrow()
    out = table.iloc[rows].copy()
    for name in frame.columns:
        if name in out.columns and name not in made.columns:
            out = out.drop(columns=name)
    for name in made.columns:
        was = frame[name][rows] if name in frame.columns else None
        if was is None or was.dtype != made.schema[name] or not was.equals(made[name]):
            out[name] = made[name].to_pandas().to_numpy()
    return out, touched.to_pandas()


_ROW = "__row"
