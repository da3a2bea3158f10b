"""Training rows as they were knowable: `training_frame`.

    requests ─► keys and times ─► codes ───────────────┐
    log ──────► scan(kind): needed columns and dates ──┴─► History ─► one column per feature

The log is read once per kind. It may be an `EventLog`, a view of one, or simply a mapping from
kind to a table that has the two clocks.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import polars as pl

from workbench.features.buckets import by_bucket
from workbench.features.composed import Calendar, Definition, Formula, Ratio
from workbench.features.definition import Feature
from workbench.features.layout import Layout
from workbench.features.past import columns_of
from workbench.features.reading import attach, check_names, read_events, read_requests

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["training_frame"]


def training_frame(
    requests,
    features: Iterable[Definition] | Definition,
    log,
    *,
    buckets: int | None = None,
    client: Client | None = None,
):
    """Return the requests with one column per feature, as it was knowable at each request.

    A request at t sees the events with time in [t - lag - window, t - lag) and known_at < t; see
    `workbench.features.definition` for steps, sessions and ties. Events at the very time of the
    request, among them the request itself, are not seen.

    Parameters
    ----------
    requests : polars.DataFrame, pandas.DataFrame or pyarrow.Table, n rows
        Has `time` (with time zone), the features' key columns and what formulas read.
    features : Feature, Ratio, Formula, Calendar, or several of them
        Their names become the new columns.
    log : EventLog, Layout, or mapping of kind to Polars, pandas or Arrow table
        Where the events are. What came into the log later than a request's time never shows.
    buckets : int, optional
        Compute so many groups of entities one after the other, with about that share of the
        memory; the events wait on the disk. By default all at once, or four for each worker.
    client : distributed.Client, optional
        A Dask cluster that computes the buckets. The answers are the same to the last bit.

    Returns
    -------
    same type as `requests`, n rows
        The same rows in the same order (pandas: with the same index) and one new column for each
        feature: Int64 for counts, lists for `last` and `values`, the column's own type for
        `latest`, Float64 for the rest. A request whose key is null has null features. No events: 0
        for count, sum and distinct, an empty list, else null, or what `missing` says.

    Raises
    ------
    ValueError
        If a key, a clock or a needed column is missing, a clock has no time zone, a key has one
        type in the requests and another in the events, a kind is unknown, a name is taken, or
        an aggregated column is neither a number nor a condition or is infinite. NaN is null.

    Notes
    -----
    Two clocks make this an interval-stabbing problem: each event is seen by the requests between
    its begin and its end; see `workbench.features.kernels_seen`. O((n + m) log m) for n requests
    and m events, whatever the windows. Sums are rounded once, so they are the same on any number
    of threads and in any order.

    Examples
    --------
    >>> from datetime import datetime, UTC
    >>> from workbench import features
    >>> day = lambda d: datetime(2024, 5, d, tzinfo=UTC)
    >>> paid = pl.DataFrame({"user": [1, 1], "amount": [10.0, 30.0], "time": [day(1), day(2)],
    ...                      "known_at": [day(1), day(9)]})         # the second is known late
    >>> asked = pl.DataFrame({"user": [1, 1, 2], "time": [day(3), day(10), day(10)]})
    >>> mean = features.mean("amount", of="payment", per="user", days=30, name="mean_30d")
    >>> features.training_frame(asked, [mean], {"payment": paid})["mean_30d"].to_list()
    [10.0, 20.0, None]
    """
    features = read_features(features)
    inputs = frozenset().union(*(feature.inputs for feature in features))
    keys = {key for feature in features for leaf in feature.leaves for key in leaf.per}
    asked = read_requests(requests, sorted(keys), sorted(inputs - keys - {"time"}))
    check_names(features, requests)
    wanted = list(dict.fromkeys(leaf for feature in features for leaf in feature.leaves))
    if isinstance(log, Layout):
        log.check()
    if buckets is None and client is None:
        leaves = _all_at_once(asked, wanted, log)
    else:
        leaves = by_bucket(asked, wanted, log, buckets, client)
    return attach(requests, {each.name: each.combine(leaves, asked) for each in features})


def _all_at_once(asked: pl.DataFrame, wanted: list[Feature], log) -> dict[Feature, pl.Series]:
    leaves: dict[Feature, pl.Series] = {}
    for kind in dict.fromkeys(leaf.of for leaf in wanted):
        of_kind = [leaf for leaf in wanted if leaf.of == kind]
        events = read_events(log, kind, of_kind, asked)
        for per in dict.fromkeys(leaf.per for leaf in of_kind):
            features = [leaf for leaf in of_kind if leaf.per == per]
            runs = log.entities(kind) if isinstance(log, Layout) and log.per == per else None
            leaves |= columns_of(features, events, asked, runs)
    return leaves


def read_features(features: Iterable[Definition] | Definition) -> list[Definition]:
    """One or several definitions as a list; ValueError for anything else."""
    one = isinstance(features, Feature | Ratio | Formula | Calendar)
    features = [features] if one else list(features)
    wrong = [feature for feature in features if not hasattr(feature, "leaves")]
    if wrong:
        raise ValueError(
            f'features are definitions, such as features.count("payment", per="user"), '
            f"got {wrong[0]!r}"
        )
    return features
