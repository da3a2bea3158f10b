"""What a recorded log says was asked, and which answers it has the outcome of.

A `Surface` is one place where the log's people asked for something:

    kinds of the log          surface      one request is                 the record answers
    request + decision        as recorded  a request as recorded          the same item in the same
                                                                          place, or the same action
    payment                   checkout     a payment                      approve: it went through
    purchase                  home         a visit: all lines of one      nothing: what was shown is
                                           invoice                        not recorded
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from workbench.policy import NO_ITEM, Columns
from workbench.policy.columns import take

__all__ = ["Surface", "surfaces_of"]

Candidates = Callable[[Columns], Columns]

_NOT_ASKED = ("event", "known_at")


@dataclass
class Surface:
    """Requests of one kind, by row; what to offer with them; and what the record answers.

    `requests` has one row per request, by time. `offer` turns some of its rows, as columns, into
    what a policy gets. `recorded` are the decisions that reached the people.
    """

    name: str
    requests: pl.DataFrame
    offer: Candidates | None = None
    recorded: Columns | None = field(default=None, repr=False)
    always: str | None = None  # the action that everybody got, if nothing else is recorded

    @property
    def silent(self) -> bool:
        """Whether nobody recorded what the people got."""
        return self.always is None and self.recorded is None

    def answered(self, decisions: Columns) -> np.ndarray | None:
        """Which decisions are what the people got, shape (n,); None if nobody knows."""
        if self.always is not None:
            return np.asarray(decisions["action"]) == self.always
        if self.recorded is None:
            return None
        position = np.asarray(decisions["position"])
        deepest = max(int(self.recorded["position"].max()), int(position.max(initial=1))) + 1
        number = self._number_of(np.asarray(decisions["request"]))
        known = self._number_of(self.recorded["request"]) * deepest + self.recorded["position"]
        key = number * deepest + position
        place = np.minimum(np.searchsorted(known, key), len(known) - 1)
        same = (known[place] == key) & (self.recorded["action"][place] == decisions["action"])
        if self.offer is not None:
            same &= self.recorded["item"][place] == decisions["item"]
        return same

    def _number_of(self, request: np.ndarray) -> np.ndarray:
        return np.searchsorted(self._ids, request)

    def __post_init__(self):
        self._ids = np.sort(columns_of(self.requests.select("request"))["request"])
        if self.recorded is not None:
            recorded = take(self.recorded, np.isin(self.recorded["request"], self._ids))
            order = np.lexsort((recorded["position"], self._number_of(recorded["request"])))
            self.recorded = take(recorded, order)


def surfaces_of(
    events: Mapping[str, pl.DataFrame], candidates: Candidates | None = None
) -> list[Surface]:
    """The surfaces that a log's kinds make.

    Parameters
    ----------
    events : mapping of kind to DataFrame
    candidates : callable, optional
        For surfaces whose candidates are not recorded: columns with `request user time`, a row per
        visit, to columns with `request` and `item`, a row per candidate, and what else scores need.

    Raises
    ------
    ValueError
        If no kind says what was asked.

    Examples
    --------
    >>> noon = pl.datetime(2026, 3, 1, 12, time_zone="UTC")
    >>> payment = pl.DataFrame({"request": [7], "user": [1], "amount": [9.5]}).with_columns(
    ...     event="request", time=noon, known_at=noon)
    >>> [surface.name for surface in surfaces_of({"payment": payment})]
    ['checkout']
    """
    if "request" in events and "decision" in events:
        return _recorded_surfaces(events)
    found = []
    if "payment" in events:
        payments = _with_request(events["payment"], "payment")
        found.append(Surface("checkout", _asked(payments), always="approve"))
    if "purchase" in events:
        lines = _with_request(events["purchase"], "purchase")
        first = [name for name in ("user", "session", "device", "place") if name in lines.columns]
        visits = lines.group_by("request", maintain_order=True).agg(
            pl.col("time").min(), *(pl.col(name).first() for name in first)
        )
        found.append(Surface("home", _asked(visits), offer=_filled(candidates)))
    if not found:
        raise ValueError(
            f"a replay needs events that answer a request: payment, purchase, or request with "
            f"decision; got {', '.join(events) or 'none'}"
        )
    return found


def columns_of(frame: pl.DataFrame) -> dict[str, np.ndarray]:
    """A frame as a policy takes it: missing ids as NO_ITEM or "", lists as rows of a matrix."""
    columns = {}
    for series in frame:
        if series.dtype == pl.String:
            columns[series.name] = np.array(series.fill_null("").to_list(), str)
        elif isinstance(series.dtype, pl.List):
            columns[series.name] = np.stack(series.to_list()) if len(series) else np.empty((0, 0))
        elif series.dtype.is_integer():
            columns[series.name] = series.fill_null(NO_ITEM).to_numpy()
        else:
            columns[series.name] = series.to_numpy()
    return columns


def _with_request(frame: pl.DataFrame, kind: str) -> pl.DataFrame:
    if "request" not in frame.columns or frame["request"].null_count():
        raise ValueError(f"{kind} events must all have a request, by which decisions refer to them")
    return frame


def _asked(requests: pl.DataFrame) -> pl.DataFrame:
    names = [name for name in requests.columns if name not in _NOT_ASKED]
    twice = requests["request"].is_duplicated()
    if twice.any():
        raise ValueError(f"request {requests['request'].filter(twice)[0]!r} was asked twice")
    return requests.select(names).sort("time", maintain_order=True)


def _filled(candidates: Candidates | None) -> Candidates | None:
    """The candidates with `user` and `time` of their request, where they do not bring them."""
    if candidates is None:
        return None

    def offer(visits: Columns) -> Columns:
        rows = dict(candidates(visits))
        missing = [name for name in visits if name not in rows]
        left = ~np.isin(visits["request"], rows["request"])
        if left.any():
            raise ValueError(
                f"candidates gave none for request {visits['request'][left][0]}: give each request "
                "a row, with a missing item (NO_ITEM or '') if there is nothing to offer"
            )
        order = np.argsort(visits["request"])
        place = np.searchsorted(visits["request"], rows["request"], sorter=order)
        place = order[np.minimum(place, len(order) - 1)]
        return {**rows, **{name: visits[name][place] for name in missing}}

    return offer


def _recorded_surfaces(events: Mapping[str, pl.DataFrame]) -> list[Surface]:
    requests, decisions = events["request"], events["decision"]
    if "features" in events:
        own = [name for name in events["features"].columns if name not in requests.columns]
        known = events["features"].select("request", *own).drop("policy", strict=False)
        requests = requests.join(known, on="request", how="left", maintain_order="left")
    if "surface" not in requests.columns:
        requests = requests.with_columns(surface=pl.lit("recorded"))
    if "live" in decisions.columns:
        decisions = decisions.filter(pl.col("live").fill_null(True))
    found = []
    for (name,), asked in requests.group_by("surface", maintain_order=True):
        reached = decisions.join(asked.select("request"), on="request", how="semi")
        has_items = "item" in reached.columns and reached["item"].null_count() < reached.height
        key = ["request", "position", "action", *(["item"] if has_items else [])]
        offer = _listed(events, name, reached) if has_items else None
        recorded = columns_of(reached.select(key)) if reached.height else None
        found.append(Surface(name, _asked(asked.drop("surface")), offer=offer, recorded=recorded))
    return found


def _listed(events: Mapping[str, pl.DataFrame], surface: str, reached: pl.DataFrame) -> Candidates:
    """Offers the items that were listed on the surface by then, as first listed.

    Without listings it offers every item ever shown there. A request's list column with one number
    per item becomes one number per candidate.
    """
    items = reached.select("item", known_at=pl.lit(reached["time"].min()))
    if "listing" in events:
        items = events["listing"]
        if "surface" in items.columns:
            items = items.filter(pl.col("surface") == surface)
    first = items.sort("known_at", maintain_order=True).unique("item", keep="first").sort("item")
    own = columns_of(first.drop("event", "time", "surface", strict=False))
    listed_at, count = own.pop("known_at"), len(first)

    def offer(requests: Columns) -> Columns:
        n = len(requests["request"])
        rows = {name: np.tile(values, n) for name, values in own.items()}
        for name, values in requests.items():
            rows[name] = values.repeat(count) if values.ndim == 1 else values.reshape(-1)
        listed = np.tile(listed_at, n) <= rows["time"]
        if listed.all():
            return rows
        some = listed.reshape(n, count).any(axis=1)
        if not some.all():
            request = requests["request"][~some][0]
            raise ValueError(f"no item was listed on {surface} before request {request}")
        return take(rows, listed)

    return offer
