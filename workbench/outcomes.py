"""What came of each decision, as far as it could be known at a moment.

A label is not a column, it is a question with a date. A chargeback arrives weeks after the payment,
so at any moment some decisions have an answer, some are too young, and some will never have one.

    decision ──────────────── horizon ───────────────┐
       │         chargeback known ▲                  │ matured: nothing came, and now it counts
       └──────────────────────────┴──────────────────┴──────────►  at
              pending until then     positive from then on

The same horizon for all: an old decision had no more time to turn bad than a young one. A negative
is one only when the horizon has passed: counting "no chargeback yet" is the mistake of delayed
feedback. Blocked payments and shadow decisions were never tried: censored.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl

from workbench.tables import is_pandas, one_frame

__all__ = ["outcomes"]


def outcomes(log, decisions, *, of: str = "chargeback", horizon: timedelta, at: datetime):
    """The decisions with `label` (1.0, 0.0 or null) and `status`, in the order they came.

    Parameters
    ----------
    log : EventLog
    decisions : Polars, pandas or Arrow table, or LazyFrame such as `log.scan("decision")`
        With `request` and `time`; with `item` to tell the items of a slate apart. Without `action`
        every row counts as tried, without `live` as live.
    of : str, default "chargeback"
        Kind of event that makes a decision positive: one for the same request and, where both name
        an item, the same item.
    horizon : timedelta
        How long after the decision an event may become known and still count.
    at : datetime with time zone
        As known just before this moment.

    Returns
    -------
    the same kind of table
        positive (1.0)
            An event was known before `at`, and before time + horizon.
        matured_negative (0.0)
            None was, and time + horizon <= `at`: no answer changes after that.
        pending (null)
            None was, and the horizon has not passed.
        censored (null)
            `action` is block, or `live` is false: nobody will know.

    Raises
    ------
    ValueError
        If `at` or `time` has no time zone, the horizon is not positive, a column is missing, or the
        ids of decisions and events are of different types.

    Notes
    -----
    Among the young, only the positive are known: a training set of all labels overstates the rate.
    Take decisions with time <= at - horizon, whose labels are all known, or model the delay [1]_.
    A log whose watermark (`complete_until`) or clock lies before `at` is known only until then, so
    decisions that mature later stay pending.

    References
    ----------
    .. [1] O. Chapelle (2014), "Modeling delayed feedback in display advertising", KDD.

    Examples
    --------
    >>> import tempfile
    >>> from datetime import UTC
    >>> from workbench.events import EventLog
    >>> log, start = EventLog(tempfile.mkdtemp()), datetime(2026, 1, 1, tzinfo=UTC)
    >>> late = pl.DataFrame({"event": [1], "request": [7], "time": start + timedelta(days=20)})
    >>> _ = log.append(chargeback=late, known_at="time")
    >>> paid = pl.DataFrame({"request": [7, 8], "time": start, "action": "approve"})
    >>> for day in (10, 30, 60):
    ...     then = start + timedelta(days=day)
    ...     outcomes(log, paid, horizon=timedelta(days=45), at=then)["status"].to_list()
    ['pending', 'pending']
    ['positive', 'pending']
    ['positive', 'matured_negative']
    """
    if not isinstance(horizon, timedelta) or horizon <= timedelta(0):
        raise ValueError(f"horizon must be a positive timedelta, got {horizon!r}")
    if not isinstance(at, datetime) or at.tzinfo is None:
        raise ValueError(f"at must be a datetime with a time zone, got {at!r}")
    at = at.astimezone(UTC)
    if isinstance(decisions, pl.LazyFrame):
        return _labelled(log, decisions, of, horizon, at)
    if is_pandas(decisions) and hasattr(decisions, "columns"):
        used = [name for name in _USED if name in decisions.columns]
        table = one_frame(decisions, "decisions", ["request", "time", *used])
        labelled = _labelled(log, table.lazy(), of, horizon, at).collect()
        return decisions.assign(
            label=labelled["label"].to_numpy(), status=labelled["status"].to_list()
        )
    table = one_frame(decisions, "decisions")
    labelled = _labelled(log, table.lazy(), of, horizon, at).collect()
    return labelled if isinstance(decisions, pl.DataFrame) else labelled.to_arrow()


_USED = ("request", "item", "time", "action", "live")


def _labelled(log, decisions: pl.LazyFrame, of: str, horizon: timedelta, at: datetime):
    schema = decisions.collect_schema()
    events = log.scan(of).filter(pl.col("known_at") < at)
    _check(schema, events.collect_schema(), of)
    has_item = schema.get("item", pl.Null) != pl.Null and "item" in events.collect_schema()

    answered = _first_known(decisions, events, has_item)
    matures = pl.col("time").dt.convert_time_zone("UTC") + horizon
    tried = pl.lit(True)
    if "action" in schema:
        tried &= pl.col("action").ne_missing("block")
    if "live" in schema:
        tried &= pl.col("live").fill_null(True)
    status = (
        pl.when(~tried)
        .then(pl.lit("censored"))
        .when(pl.col(_KNOWN) < matures)
        .then(pl.lit("positive"))
        .when(matures <= _complete_until(log, at))
        .then(pl.lit("matured_negative"))
        .otherwise(pl.lit("pending"))
    )
    return answered.with_columns(status.alias("status")).select(
        pl.exclude(_KNOWN, "label", "status"),
        label=pl.col("status").replace_strict(
            {"positive": 1.0, "matured_negative": 0.0}, default=None, return_dtype=pl.Float64
        ),
        status="status",
    )


_KNOWN = "__first_known"  # when the first event of a decision became known


def _first_known(decisions: pl.LazyFrame, events: pl.LazyFrame, has_item: bool) -> pl.LazyFrame:
    """The decisions, with the moment at which the first event of theirs became known."""
    known = pl.col("known_at").min()
    keep_order = {"how": "left", "maintain_order": "left"}
    schema = decisions.collect_schema()  # narrower ids than the log's are still the same ids
    events = events.with_columns(pl.col("request").cast(schema["request"], strict=False))
    if not has_item:
        first = events.group_by("request").agg(known.alias(_KNOWN))
        return decisions.join(first, on="request", **keep_order)
    events = events.with_columns(
        pl.col("item").cast(schema["item"], strict=False), whole=pl.col("item").is_null()
    )
    same_item = events.group_by("request", "item").agg(known.alias("__same"))
    of_request = events.group_by("request").agg(
        known.alias("__any"),
        pl.col("known_at").filter("whole").min().alias("__whole"),
    )
    joined = decisions.join(same_item, on=["request", "item"], **keep_order)
    joined = joined.join(of_request, on="request", **keep_order)
    first = (
        pl.when(pl.col("item").is_null())
        .then("__any")
        .otherwise(pl.min_horizontal("__same", "__whole"))
    )
    return joined.with_columns(first.alias(_KNOWN)).drop("__same", "__any", "__whole")


def _complete_until(log, at: datetime) -> datetime:
    """Until when silence means that nothing came."""
    limits = [at, log.complete_until or log.clock(), log.known_before]
    return min(limit for limit in limits if limit is not None)


def _check(schema: pl.Schema, event_schema: pl.Schema, of: str) -> None:
    for name in ("request", "time"):
        if name not in schema:
            raise ValueError(f"decisions have no column {name!r}; they have {schema.names()}")
    if "request" not in event_schema:
        raise ValueError(f"{of} events have no request, so none can be told to be of a decision")
    time = schema["time"]
    if not isinstance(time, pl.Datetime) or time.time_zone is None:
        raise ValueError(f"decisions.time must have a time zone, got {time}")
    for name in ("request", "item"):
        ours, theirs = (each.get(name, pl.Null) for each in (schema, event_schema))
        if pl.Null not in (ours, theirs) and ours.is_integer() != theirs.is_integer():
            raise ValueError(
                f"{name} is {ours} in decisions and {theirs} in {of}: one id, one type"
            )
