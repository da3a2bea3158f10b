"""One definition, three paths: training, batch online, stream. All equal the brute force.

A random history is told three times: appended to a log and read by `training_frame`; materialised
from the log at each moment that somebody asks; written to a journal, with duplicates, and
streamed. Counts, sets and times are equal exactly, sums within 1e-9 of the absolute values.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.features.brute import brute_force
from workbench import features
from workbench.events import EventLog
from workbench.journal import Journal

START = datetime(2024, 3, 31, tzinfo=UTC)  # clocks change in Europe
HOUR = timedelta(hours=1)
WHENS = st.integers(0, 40).map(lambda n: START + n * HOUR / 4)
EVENTS = st.lists(
    st.fixed_dictionaries(
        {
            "user": st.one_of(st.none(), st.integers(1, 3)),
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
PER_USER = {"of": "spend", "per": "user"}
FEATURES = [
    features.count(**PER_USER),
    features.count(**PER_USER, hours=3),
    features.sum("amount", **PER_USER, hours=4),
    features.sum("amount", **PER_USER, hours=6, step_minutes=60),
    features.mean("amount", **PER_USER, hours=6, where="amount > 0"),
    features.min("amount", **PER_USER, hours=5, missing=-1.0),
    features.max("amount", **PER_USER),
    features.std("amount", **PER_USER, hours=8),
    features.share("amount > 0", **PER_USER, hours=8, lag_days=1 / 24),
    features.distinct("device", **PER_USER, hours=4),
    features.values("device", **PER_USER, most=2),
    features.last("device", 3, **PER_USER, hours=7),
    features.last("amount", 2, **PER_USER, session_minutes=45),
    features.count(**PER_USER, session_minutes=30),
    features.latest("device", **PER_USER, hours=9),
    features.latest("amount", **PER_USER),
    features.time_since(**PER_USER),
    features.count("spend", per=("user", "device"), hours=6),
]
EXACT = ("count", "distinct", "values", "last", "latest", "time_since", "min", "max")


def number(value):
    return None if isinstance(value, float) and math.isnan(value) else value


def amount(event):
    return number(event["amount"])


HOLDS = {"amount > 0": lambda event: amount(event) is not None and amount(event) > 0}


def value_of(feature):
    if feature.aggregate == "share":
        return lambda event: None if amount(event) is None else amount(event) > 0
    return amount if feature.column == "amount" else lambda event: event["device"]


def expected(feature, request, events):
    holds = HOLDS.get(feature.where, lambda _event: True)
    return brute_force(feature, request, events, value=value_of(feature), holds=holds)


def assert_same(feature, got, want, total):
    got = number(got.to_list() if isinstance(got, pl.Series) else got)
    if want is None or feature.aggregate in EXACT:
        assert got == want, (feature.name, got, want)
    elif feature.aggregate == "std":  # of two values a rounding apart
        assert got == pytest.approx(want, rel=1e-9, abs=1e-7 * max(total, 1.0)), feature.name
    else:
        assert got == pytest.approx(want, rel=1e-12, abs=1e-9 * total), feature.name


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(history=EVENTS, asked=ASKED, cuts=st.randoms(use_true_random=False))
def test_offline_batch_and_stream_equal_the_brute_force(tmp_path_factory, history, asked, cuts):
    folder = tmp_path_factory.mktemp("paths")
    events = [
        {
            "event": number,
            **{name: each[name] for name in ("user", "device", "amount", "time")},
            "known_at": each["time"] + each["late"],
        }
        for number, each in enumerate(history)
    ]
    requests = [
        {"user": user, "device": device, "time": t}
        for t in sorted(asked)
        for user, device in ((1, "a"), (2, "b"), (3, None), (None, "a"), (9, "c"))
    ]
    plain = [{**event, "amount": amount(event)} for event in events]
    log = EventLog(folder / "lake")
    table = pl.DataFrame(plain, schema=SCHEMA)
    from workbench.contracts import Column, Contract

    columns = {"user": "id", "device": "id", "amount": "float"}
    log.register(Contract("spend", tuple(Column(name=n, dtype=d) for n, d in columns.items())))
    log.append(spend=table)
    schema = {"user": pl.Int64, "device": pl.String, "time": SCHEMA["time"]}
    frame = features.training_frame(pl.DataFrame(requests, schema=schema), FEATURES, log)
    total = math.fsum(abs(event["amount"] or 0.0) for event in plain)
    batch = features.OnlineStore(folder / "batch", FEATURES)
    streamed = features.OnlineStore(folder / "streamed", FEATURES)
    arrivals = sorted(plain, key=lambda event: event["known_at"])
    with Journal(folder / "journal") as journal:
        source = features.JournalSource(folder / "journal")
        for row, request in enumerate(requests):
            t = request["time"]
            batch.materialise(log, until=t)
            while arrivals and arrivals[0]["known_at"] < t:
                event = arrivals.pop(0)
                for _ in range(cuts.choice([1, 1, 2])):  # some are sent twice
                    journal.write("spend", **event)
            journal.sync()
            features.stream(source, streamed, until="caught up")
            for feature in FEATURES:
                want = expected(feature, request, plain)
                keys = {key: request[key] for key in ("user", "device")}
                assert_same(feature, frame[feature.name][row], want, total)
                assert_same(feature, batch.read(keys, at=t)[feature.name], want, total)
                assert_same(feature, streamed.read(keys, at=t)[feature.name], want, total)
    batch.close()
    streamed.close()


SCHEMA = {
    "event": pl.Int64,
    "user": pl.Int64,
    "device": pl.String,
    "amount": pl.Float64,
    "time": pl.Datetime("us", "UTC"),
    "known_at": pl.Datetime("us", "UTC"),
}
