"""Random histories of events, small enough that everything that can collide does."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl
from hypothesis import strategies as st

from workbench import features

START = datetime(2024, 3, 30, 20, tzinfo=UTC)  # clocks change in Europe five hours later
HALF_HOUR = timedelta(minutes=30)
CLOCK = pl.Datetime("us", "UTC")
SCHEMA = {
    "event": pl.Int64,
    "user": pl.Int64,
    "device": pl.String,
    "amount": pl.Float64,
    "place": pl.String,
    "time": CLOCK,
    "known_at": CLOCK,
}
OF = {"of": "payment", "per": "user"}

EVERY = [
    features.count(**OF, hours=3),
    features.count(**OF, step_minutes=60, hours=4, missing=7),
    features.count(of="payment", per=("user", "device"), hours=5),
    features.sum("amount", **OF, hours=4, where="amount > 0"),
    features.sum("amount", **OF, hours=4, lag_days=1 / 24),
    features.mean("amount", **OF, hours=6),
    features.mean("amount", **OF, missing=-1.0),
    features.min("amount", **OF, hours=2, step_minutes=60, lag_days=1 / 24),
    features.max("amount", **OF, hours=3, where="device = 'a'"),
    features.std("amount", **OF, hours=6),
    features.share("amount > 0", **OF, hours=5),
    features.distinct("device", **OF, hours=4),
    features.values("device", most=2, **OF),
    features.last("amount", 2, **OF, hours=6),
    features.last("device", 3, **OF, session_minutes=45),
    features.latest("place", **OF, hours=3, missing="nowhere"),
    features.latest("amount", **OF),
    features.count(**OF, session_minutes=45, hours=4, name="in_session"),
    features.time_since(**OF),
    features.time_since(**OF, hours=3, lag_days=1 / 24, where="amount < 5"),
]
_when = st.integers(0, 14).map(lambda n: START + n * HALF_HOUR)


@st.composite
def histories(draw, most: int = 12) -> pl.DataFrame:
    """Payments with ties, late ones, nulls and NaN, in any order."""
    rows = draw(
        st.lists(
            st.tuples(
                st.one_of(st.none(), st.integers(1, 2)),
                st.one_of(st.none(), st.sampled_from("abc")),
                st.one_of(st.none(), st.floats(-1e9, 1e9), st.sampled_from([4.0, -0.1, 1e9 + 0.5])),
                st.one_of(st.none(), st.sampled_from(["CH", "FR"])),
                _when,
                st.sampled_from([0, 0, 0, 1, 3, 8]),
            ),
            max_size=most,
        )
    )
    ids = draw(st.permutations(range(len(rows))))
    made = [
        (event, user, device, amount, place, time, time + late * HALF_HOUR)
        for event, (user, device, amount, place, time, late) in zip(ids, rows, strict=True)
    ]
    return pl.DataFrame(made, schema=SCHEMA, orient="row")


requests = st.lists(
    st.fixed_dictionaries(
        {
            "user": st.one_of(st.none(), st.integers(1, 3)),
            "device": st.sampled_from("abc"),
            "time": _when,
        }
    ),
    min_size=1,
    max_size=6,
).map(
    lambda rows: pl.DataFrame(
        rows, schema={"user": pl.Int64, "device": pl.String, "time": CLOCK}, orient="row"
    )
)

READS = {  # what an expression reads, in Python
    "amount > 0": lambda e: None if e["amount"] is None else float(e["amount"] > 0),
    "amount < 5": lambda e: None if e["amount"] is None else e["amount"] < 5,
    "device = 'a'": lambda e: None if e["device"] is None else e["device"] == "a",
}


def read(text: str | None):
    """The Python function behind a column or condition of `EVERY`."""
    return READS.get(text, lambda event: None if text is None else event[text])
