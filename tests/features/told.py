"""Random histories, features of every kind, and what the brute force says of them."""

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
TIME = pl.Datetime("us", "UTC")
SCHEMA = {
    "event": pl.Int64,
    "user": pl.Int64,
    "device": pl.String,
    "amount": pl.Float64,
    "time": TIME,
    "known_at": TIME,
}
WHENS = st.integers(0, 40).map(lambda n: START + n * HOUR / 4)
EVENTS = st.lists(
    st.fixed_dictionaries(
        {
            "user": st.one_of(st.none(), st.integers(1, 2)),
            "device": st.one_of(st.none(), st.sampled_from(["a", "b", "c"])),
            "amount": st.one_of(
                st.none(), st.floats(-1e9, 1e9), st.sampled_from([0.1, 4.0, -0.1, math.nan])
            ),
            "time": WHENS,
            "late": st.sampled_from([timedelta(0)] * 3 + [HOUR / 4, 5 * HOUR]),
        }
    ),
    max_size=30,
)
ASKED = st.lists(WHENS.map(lambda t: t + HOUR / 8), min_size=1, max_size=4, unique=True)
PER = {"of": "payment", "per": "user"}
FEATURES = [
    features.count(**PER),
    features.count(**PER, hours=3),
    features.count(**PER, hours=3, lag_days=1 / 12),
    features.count(**PER, lag_days=1 / 12),
    features.count(**PER, hours=6, step_minutes=120, lag_days=1 / 12),
    features.sum("amount", **PER, hours=4),
    features.sum("amount", **PER, lag_days=1 / 24),
    features.sum("amount", **PER, hours=6, step_minutes=60),
    features.mean("amount", **PER, hours=6, where="amount > 0"),
    features.mean("amount", **PER),
    features.min("amount", **PER, hours=5, missing=-1.0),
    features.max("amount", **PER),
    features.std("amount", **PER, hours=8),
    features.std("amount", **PER),
    features.share("amount > 0", **PER, hours=8, lag_days=1 / 24),
    features.distinct("device", **PER, hours=4),
    features.distinct("device", **PER, hours=6, lag_days=1 / 24),
    features.distinct("amount", **PER),
    features.values("device", **PER, most=2),
    features.values("device", **PER, most=2, hours=5, lag_days=1 / 24, step_minutes=60),
    features.values("amount", **PER, session_minutes=60, most=3),
    features.last("device", 3, **PER, hours=7),
    features.last("amount", 2, **PER, session_minutes=45),
    features.last("amount", 4, **PER, lag_days=1 / 24),
    features.count(**PER, session_minutes=30),
    features.sum("amount", **PER, session_minutes=60, hours=2),
    features.time_since(**PER, session_minutes=60),
    features.latest("device", **PER, hours=9),
    features.latest("amount", **PER),
    features.latest("amount", **PER, lag_days=1 / 12, hours=6, step_minutes=90),
    features.latest("device", **PER, missing="none"),
    features.time_since(**PER),
    features.time_since(**PER, hours=3, lag_days=1 / 24, where="amount > 0"),
    features.count("payment", per=("user", "device"), hours=6),
    features.latest("user", of="payment", per="device"),
]
EXACT = ("count", "distinct", "values", "last", "latest", "time_since", "min", "max")
KEYS = [(1, "a"), (2, "b"), (1, None), (None, "a"), (9, "c")]


def number(value):
    return None if isinstance(value, float) and math.isnan(value) else value


def plain(history: list[dict]) -> list[dict]:
    """A drawn history as events with ids, in an order that has nothing to do with time."""
    return [
        {
            "event": place,
            **{name: each[name] for name in ("user", "device", "time")},
            "amount": number(each["amount"]),
            "known_at": each["time"] + each["late"],
        }
        for place, each in enumerate(history)
    ]


def table(events: list[dict]) -> pl.DataFrame:
    return pl.DataFrame(events, schema=SCHEMA)


def held(feature):
    if feature.where is None:
        return lambda _event: True
    return lambda event: event["amount"] is not None and event["amount"] > 0


def read_value(feature):
    if feature.aggregate == "share":
        return lambda event: None if event["amount"] is None else event["amount"] > 0
    return lambda event: event[feature.column]


def expected(feature, request: dict, events: list[dict]):
    return brute_force(feature, request, events, value=read_value(feature), holds=held(feature))


def assert_same(feature, got, want, total: float) -> None:
    got = got.to_list() if isinstance(got, pl.Series) else got
    if want is None or feature.aggregate in EXACT:
        assert got == want, (feature.name, got, want)
    elif feature.aggregate == "std":
        assert got == pytest.approx(want, rel=1e-9, abs=1e-7 * max(total, 1.0)), feature.name
    else:
        assert got == pytest.approx(want, rel=1e-12, abs=1e-9 * total), feature.name
        assert isinstance(got, float), feature.name


def assert_reads(store, t: datetime, events: list[dict], some=FEATURES) -> None:
    """Single reads and a frame of many equal the brute force."""
    total = math.fsum(abs(event["amount"] or 0.0) for event in events)
    users, devices = zip(*KEYS, strict=True)
    asked = {"user": pl.Series(users), "device": pl.Series(devices)}
    frame = store.read_many(asked, at=t)
    for row, (user, device) in enumerate(KEYS):
        request = {"user": user, "device": device, "time": t}
        found = store.read({"user": user, "device": device}, at=t)
        for feature in some:
            want = expected(feature, request, events)
            assert_same(feature, found[feature.name], want, total)
            assert_same(feature, frame[feature.name][row], want, total)
