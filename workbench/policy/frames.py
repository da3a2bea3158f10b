"""The same policies for tables: Polars, pandas or Arrow in, the same kind out."""

from __future__ import annotations

import numpy as np

from workbench.assign import fingerprint
from workbench.policy.columns import NO_ITEM, Columns
from workbench.policy.decisions import DECISION_COLUMNS
from workbench.policy.protocol import Policy

__all__ = ["decide", "decision_table"]

# what a decision takes over from its request
_CARRIED = ("time", "user", "session", "device", "surface", "query", "candidate_source")
_IDS = ("request", "item", "user", "seller", "session", "device")


def decide(policy: Policy, frame):
    """Let the policy answer a table of requests.

    Parameters
    ----------
    policy : Policy
    frame : Polars, pandas or Arrow table
        One row per (request, candidate): `request`, `item` and what the scores need; `time` and
        `user` if the decisions are to be logged.

    Returns
    -------
    the same kind of table
        One row per decision. Columns: `event`, `time` when the requests have it, DECISION_COLUMNS,
        and `user session device surface query candidate_source` where the requests have
        them. With `time` it is ready for `log.append(decision=…, known_at="time")`. From pandas,
        the index says from which row each decision came: with one row per request, that is the
        index of `frame`.

    Raises
    ------
    ValueError
        If a column that the policy needs is missing.

    Examples
    --------
    >>> import polars as pl
    >>> from workbench.policy import Threshold
    >>> payments = pl.DataFrame({"request": [7, 8], "score": [0.2, 0.9]})
    >>> decide(Threshold("score", 0.5), payments)["action"].to_list()
    ['approve', 'block']
    """
    import narwhals as nw

    from workbench.tables import one_frame

    given = nw.from_native(frame, eager_only=True, pass_through=True)
    if given is frame:
        raise ValueError(f"requests must be a table (Polars, pandas, Arrow), got {type(frame)}")
    requests = one_frame(frame, "requests")
    decisions = policy.act(_columns(requests))
    answers, source = _table(decisions, requests)
    if given.implementation.is_pandas():
        answers = answers.to_pandas()
        answers.index = frame.index[source]
    elif given.implementation.is_pyarrow():
        answers = answers.to_arrow()
    return answers


def decision_table(decisions: Columns, requests: Columns):
    """Decisions as a Polars frame that `EventLog.append` takes; `requests` gives time and user.

    >>> from workbench.policy import Rank
    >>> requests = {"request": np.array([7]), "item": np.array([3]), "score": np.array([0.5]),
    ...             "user": np.array([1])}
    >>> decision_table(Rank("score", 1).act(requests), requests)["user"].to_list()
    [1]
    """
    import polars as pl

    wanted = ("request", "item", "event", *_CARRIED)
    kept = {name: np.asarray(requests[name]) for name in wanted if name in requests}
    frame = pl.DataFrame({name: _plain(values) for name, values in kept.items()})
    return _table(decisions, _with_nulls(frame))[0]


def _table(decisions: Columns, requests):
    """(decisions as a Polars frame, the row of `requests` that each came from)."""
    import polars as pl

    table = _with_nulls(pl.DataFrame({name: _plain(decisions[name]) for name in DECISION_COLUMNS}))
    if table["item"].is_null().all():  # as the requests' items; without any, of no type at all
        table = table.with_columns(item=pl.lit(None, requests.schema.get("item", pl.Null)))
    source = _source(table, requests)
    carried = [requests[name][source] for name in _CARRIED if name in requests.columns]
    follows = requests.schema.get("event", table.schema["request"])
    event = _event(decisions, as_text=not follows.is_integer())
    table = table.with_columns(event, *carried)
    first = ["event", *(["time"] if "time" in requests.columns else [])]
    return table.select(*first, pl.exclude(first)), source


def _source(table, requests) -> np.ndarray:
    """Row of the candidate that was shown; for an empty slate, of the request's first."""
    import polars as pl

    rows = requests.lazy().with_row_index("row")
    kept = {"on": "request", "how": "left", "maintain_order": "left"}
    found = table.lazy().join(rows.group_by("request").agg(pl.col("row").min()), **kept)
    if "item" in requests.columns:
        exact = rows.group_by("request", "item").agg(pl.col("row").min().alias("exact"))
        kept["on"] = ["request", "item"]
        found = found.join(exact, **kept).with_columns(row=pl.coalesce("exact", "row"))
    return found.select("row").collect()["row"].to_numpy()


def _event(decisions: Columns, *, as_text: bool):
    """One id per (request, policy, position): deciding again makes the same event."""
    import polars as pl

    key = [decisions[name] for name in ("request", "policy", "position")]
    if as_text:
        return pl.Series(
            "event", ["/".join(map(str, row)) for row in zip(*key, strict=True)], pl.String
        )
    return pl.Series("event", (fingerprint("decision", *key) >> np.uint64(1)).astype(np.int64))


def _columns(frame) -> dict[str, np.ndarray]:
    """Columns of a Polars frame as arrays, ids without nulls."""
    import polars as pl

    columns = {}
    for series in frame:
        if series.dtype.is_integer() and series.name in _IDS:
            if series.dtype == pl.UInt64 and (series.max() or 0) >= 2**63:
                raise ValueError(
                    f"{series.name} goes beyond 2**63 - 1, where ids end: make it text"
                )
            series = series.cast(pl.Int64).fill_null(NO_ITEM)
        if series.dtype in (pl.String, pl.Categorical, pl.Enum):
            columns[series.name] = np.array(series.cast(pl.String).fill_null("").to_list(), str)
        else:
            columns[series.name] = series.to_numpy()
    return columns


def _plain(values: np.ndarray):
    """What Polars takes: text arrays of any kind as a list."""
    return values if values.dtype.kind in "iufbM" else values.tolist()


def _with_nulls(table):
    """Missing ids, words and numbers as nulls."""
    import polars.selectors as cs

    return table.with_columns(
        (cs.integer() & cs.by_name(_IDS, require_all=False)).replace(NO_ITEM, None),
        cs.string().replace("", None),
        cs.float().fill_nan(None),
    )
