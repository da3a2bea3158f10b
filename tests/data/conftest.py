"""The real data sets, where they are at hand: no test fetches them. And eight days of events."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from workbench import lab
from workbench.data.sources import SOURCES


@pytest.fixture
def real_data(monkeypatch):
    """The mirror, or the sets downloaded before; without either skip, but fail in CI."""
    checkout = Path(lab.__file__).resolve().parent.parent
    home = Path(os.environ.get("WORKBENCH_PUBLIC_DATA") or checkout / "data" / "public")
    if all((home / source.folder).is_dir() for source in SOURCES.values()):
        monkeypatch.setenv("WORKBENCH_PUBLIC_DATA", str(home))
        return
    words = (
        f"the public data is not in {home}: let WORKBENCH_PUBLIC_DATA name a mirror, or load each "
        "set once with workbench.data.public.table(name)"
    )
    if os.environ.get("CI") == "true":
        pytest.fail(words)
    pytest.skip(words)


@pytest.fixture(scope="session")
def events():
    """Payments, clicks, chargebacks and reviews of eight days, one every half hour."""
    noon, number = datetime(2026, 3, 1, 12, tzinfo=UTC), np.arange(400)
    times = [noon + timedelta(minutes=30 * int(n)) for n in number]
    paid = pl.DataFrame(
        {
            "event": number + 10**15, "time": times, "known_at": times, "request": number + 10**12,
            "user": number % 37, "item": number % 50, "seller": number % 5,
            "device": number % 41 + 100, "place": np.array(["DE", "CH", "FR"])[number % 3],
            "amount": 5.0 + number % 90 + 0.25,
        }
    )  # fmt: skip
    click = paid.select("event", "time", "known_at", "request", "user", "item").with_columns(
        position=pl.int_range(400) % 5 + 1
    )
    bad = paid.gather_every(7).select("event", "time", "known_at", "request", "user", "amount")
    bad = bad.with_columns(pl.col("known_at") + timedelta(days=3))
    review = bad.select("event", "time", "known_at", "request", label=pl.int_range(pl.len()) % 2)
    return {"payment": paid, "click": click, "chargeback": bad, "review": review}
