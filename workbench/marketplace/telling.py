"""How a world tells a log what has become known: one commit, and the log's clock moved along."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import polars as pl

__all__ = ["tell", "with_bar"]


def tell(log, events: dict[str, pl.DataFrame], now: datetime) -> None:
    """Append events in one commit; the log's `complete_until` and its clock, if it can be set, too.

    >>> tell(None, {}, datetime(2026, 1, 1))                     # nobody listens: nothing happens
    """
    if log is None:
        return
    if isinstance(getattr(type(log.clock), "now", None), property):
        log.clock.now = now
    log.append(**events, complete_until=now)


def with_bar(steps: list, show: bool) -> Iterable:
    """The same steps, with a bar if it is wanted.

    >>> list(with_bar([1, 2], False))
    [1, 2]
    """
    if not show:
        return steps
    from tqdm.auto import tqdm

    return tqdm(steps, desc="marketplace", unit="commit")
