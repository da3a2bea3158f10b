"""Keys and values as small integers, which is all that the kernels know."""

from __future__ import annotations

import numpy as np
import polars as pl

from workbench.features.threads import on_threads, plain, split_by_work

__all__ = ["codes_of", "fingerprints", "ranks"]

_DIRECT = 8  # ids in a range at most so many times their number are looked up, not hashed


def codes_of(per: tuple[str, ...], asked: pl.DataFrame, events: pl.DataFrame):
    """Entities of the requests and of the events as codes 0 .. k - 1, and k.

    -1 is a null key, and an event of an entity that no request asks about.

    >>> asked, events = pl.DataFrame({"user": [7, None, 9]}), pl.DataFrame({"user": [9, 8]})
    >>> [part.tolist() for part in codes_of(("user",), asked, events)[:2]]
    [[0, -1, 1], [1, -1]]
    """
    if len(per) == 1 and asked.schema[per[0]] == pl.Int64:
        return _codes_of_integers(asked[per[0]], events.get_column(per[0], default=None))
    keys = asked.select(per)
    if len(events):  # a column of nulls has no type of its own
        keys = keys.cast({key: events.schema[key] for key in per if keys.schema[key] == pl.Null})
    complete = pl.all_horizontal(pl.col(per).is_not_null())
    entities = keys.filter(complete).unique(maintain_order=True)
    numbered = entities.with_columns(_code=pl.int_range(pl.len(), dtype=pl.Int64))
    return *(
        plain(table.select(per).join(numbered, on=per, how="left", maintain_order="left")["_code"]
              .fill_null(-1), np.int64) if len(table) else np.empty(0, np.int64)
        for table in (keys, events)
    ), len(entities)  # fmt: skip


def fingerprints(ids: pl.Series) -> np.ndarray:
    """What decides between events of equal clocks when their ids are text, int64."""
    from workbench.assign import fingerprint

    return fingerprint("", ids.fill_null("").to_numpy()).view(np.int64)


def ranks(column: pl.Series) -> tuple[np.ndarray, pl.Series]:
    """Codes of a column's values (-1: null) and the different values, sorted.

    >>> code, values = ranks(pl.Series(["b", None, "a", "b"]))
    >>> code.tolist(), values.to_list()
    ([1, -1, 0, 1], ['a', 'b'])
    """
    if column.dtype.is_float():
        column = column + 0.0  # -0.0 is 0.0
    if column.dtype in (pl.Categorical, pl.Enum):
        column = column.cast(pl.String)
    values = column.unique().drop_nulls().sort()
    code = column.rank("dense").cast(pl.Int64) - 1
    return plain(code.fill_null(-1), np.int64), values


def _codes_of_integers(asked: pl.Series, events: pl.Series | None):
    from workbench.features import kernels_order as kernels

    known = None if not asked.null_count() else plain(asked.is_not_null())
    keys = plain(asked.drop_nulls(), np.int64)
    least = int(keys.min(initial=2**62))
    width = int(keys.max(initial=least)) - least + 1
    if width <= _DIRECT * len(keys) + 1_000:
        *table, code, entities = kernels.make_direct(keys, least, width)
        find, table = kernels.find_direct, (*table, least)
    else:
        *table, code, entities = kernels.make_table(keys)
        find = kernels.find_in_table
    if known is not None:
        full = np.full(len(asked), -1, np.int64)
        full[known] = code
        code = full
    if events is None or not len(events):
        return code, np.empty(0, np.int64), entities
    null = plain(events.is_null()) if events.null_count() else None
    keys = plain(events.fill_null(0), np.int64)
    event_code = np.empty(len(keys), np.int64)
    on_threads(find, split_by_work(len(keys)), keys, *table, event_code)
    if null is not None:
        event_code[null] = -1
    return code, event_code, entities
