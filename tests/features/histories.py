"""Random histories of payments, features that use every word, and what brute force says."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import strategies as st

from tests.features.brute import brute_force
from workbench import features

START = datetime(2024, 3, 31, tzinfo=UTC)  # clocks change in Europe
HOUR = timedelta(hours=1)
WHENS = st.integers(0, 40).map(lambda n: START + n * HOUR / 4)
LATE = st.sampled_from([timedelta(0)] * 4 + [HOUR / 4, HOUR, 5 * HOUR])
AMOUNTS = st.one_of(st.none(), st.floats(-1e12, 1e12), st.sampled_from([0.1, 4.0, -0.1, math.nan]))
EVENTS = st.lists(
    st.fixed_dictionaries(
        {
            "user": st.one_of(st.none(), st.integers(1, 2)),
            "device": st.one_of(st.none(), st.sampled_from(["a", "b", "c"])),
            "amount": AMOUNTS,
            "time": WHENS,
            "late": LATE,
        }
    ),
    max_size=30,
)
REQUESTS = st.lists(
    st.fixed_dictionaries(
        {
            "user": st.one_of(st.none(), st.integers(1, 3)),
            "device": st.one_of(st.none(), st.sampled_from(["a", "b"])),
            "time": WHENS,
        }
    ),
    min_size=1,
    max_size=12,
)
_CLOCK = pl.Datetime("us", "UTC")
_KEYS = {"user": pl.Int64, "device": pl.String}
REQUEST = {**_KEYS, "time": _CLOCK}
EVENT = {**_KEYS, "amount": pl.Float64, "time": _CLOCK, "known_at": _CLOCK}
WORDS = [  # every word, and words together
    {},
    {"hours": 3},
    {"hours": 4, "where": "amount > 0"},
    {"hours": 4, "lag_days": 1 / 12},
    {"lag_days": 1 / 24},
    {"hours": 6, "step_minutes": 60},
    {"hours": 5, "step_minutes": 120, "lag_days": 1 / 32},
    {"hours": 7, "session_minutes": 30},
    {"session_minutes": 45, "where": "amount > 0"},
]


def every_aggregate(words: dict) -> list[features.Feature]:
    """Each aggregate with these words, per user; some per device and per both."""
    words = {"of": "payment", "per": "user", **words}
    return [
        features.count(**words),
        features.sum("amount", **words),
        features.mean("amount", **words),
        features.share("amount > 0", **words),
        features.min("amount", **words),
        features.max("amount", **words, missing=-1.0),
        features.std("amount", **words),
        features.distinct("device", **words),
        features.distinct("amount", **words),
        features.values("device", **words),
        features.values("amount", most=2, **words),
        features.last("device", 3, **words),
        features.last("amount", 1, **words),
        features.latest("device", **words),
        features.latest("amount", **words, missing=0),
        features.time_since(**words),
        features.mean("amount", **(words | {"per": "device"})),
        features.last("amount", 2, **(words | {"per": ("user", "device")})),
    ]


def with_ids(events: list[dict], ids: str) -> list[dict]:
    """The events with `known_at` and, unless ids is "none", an id each: numbers or texts."""
    made = [{**each, "known_at": each["time"] + each["late"]} for each in events]
    for number, event in enumerate(made):
        del event["late"]
        if ids != "none":
            event["event"] = (number * 7) % 31 if ids == "numbers" else f"e{(number * 7) % 31}"
    return made


def table(events: list[dict], ids: str) -> pl.DataFrame:
    """The events as a frame."""
    dtype = {"none": {}, "numbers": {"event": pl.Int64}, "texts": {"event": pl.String}}[ids]
    return pl.DataFrame(events, schema=EVENT | dtype)


def expected(feature, request: dict, events: list[dict]):
    """Brute force; NaN is null and texts tie by their fingerprint."""
    from workbench.assign import fingerprint

    plain = [dict(event) for event in events]
    for event in plain:
        event["amount"] = _number(event["amount"])
        if isinstance(event.get("event"), str):
            event["event"] = fingerprint("", [event["event"]]).view("int64")[0]
    above = lambda event: event["amount"] is not None and event["amount"] > 0  # noqa: E731
    value = lambda event: event["amount" if feature.column == "amount" else "device"]  # noqa: E731
    if feature.aggregate == "share":
        value = lambda event: None if event["amount"] is None else above(event)  # noqa: E731
    holds = {} if feature.where is None else {"holds": above}
    return brute_force(feature, request, plain, value=value, **holds)


def assert_same(feature, got, want) -> None:
    """Exactly, but for what is rounded: that to the last bits."""
    got = got.to_list() if isinstance(got, pl.Series) else got
    if feature.aggregate in ("sum", "mean", "std") and want is not None:
        assert got == pytest.approx(want, rel=5e-16, abs=0), (feature.name, got, want)
    else:
        assert got == want, (feature.name, got, want)


def _number(value):
    return None if isinstance(value, float) and math.isnan(value) else value
