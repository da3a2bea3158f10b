"""Buckets, threads and workers change nothing, to the last bit; buckets take less memory."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.features import histories
from workbench import cluster
from workbench.features import training_frame

WANTED = [each for words in histories.WORDS[1:8:2] for each in histories.every_aggregate(words)]


def history(rows: int, seed: int = 0) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Requests and payments, many of them at one time, some late."""
    rng = np.random.default_rng(seed)
    minutes = rng.integers(0, 60 * 24, rows)
    late = rng.integers(0, 400, rows) * (rng.random(rows) < 0.1)
    time = pl.Series([histories.START + timedelta(minutes=int(m)) for m in minutes])
    events = pl.DataFrame(
        {
            "event": [f"e{n}" for n in rng.permutation(rows)],
            "user": rng.integers(0, rows // 50 + 1, rows),
            "device": rng.choice(["a", "b", "c"], rows),
            "amount": rng.normal(0, 1, rows) * 10.0 ** rng.integers(-9, 9, rows),
            "time": time,
            "known_at": time + pl.Series(late * 60_000_000).cast(pl.Duration("us")),
        },
        schema_overrides={"time": pl.Datetime("us", "UTC")},
    )
    return events.sample(rows // 2, seed=1).select("user", "device", "time"), events


@settings(max_examples=15, deadline=None)
@given(events=histories.EVENTS, requests=histories.REQUESTS, buckets=st.integers(1, 5))
def test_any_number_of_buckets_gives_the_same_bits(events, requests, buckets):
    log = {"payment": histories.table(histories.with_ids(events, "none"), "none").lazy()}
    asked = pl.DataFrame(requests, schema=histories.REQUEST)
    whole = training_frame(asked, WANTED, log)
    assert training_frame(asked, WANTED, log, buckets=buckets).equals(whole)


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_any_number_of_threads_gives_the_same_bits(monkeypatch, threads):
    asked, events = history(40_000)
    monkeypatch.setattr(pl, "thread_pool_size", lambda: 1)
    alone = training_frame(asked, WANTED, {"payment": events})
    monkeypatch.setattr(pl, "thread_pool_size", lambda: threads)
    assert training_frame(asked, WANTED, {"payment": events}).equals(alone)


def test_two_workers_give_the_same_bits_as_none():
    asked, events = history(20_000)
    log = {"payment": events.lazy()}
    whole = training_frame(asked, WANTED, log)
    with cluster.connect(workers=2) as client:
        assert training_frame(asked, WANTED, log, client=client).equals(whole)
        assert training_frame(asked, WANTED, log, buckets=3, client=client).equals(whole)


PEAK = """
import sys, polars as pl
from datetime import timedelta
from workbench import features
folder, buckets = sys.argv[1], int(sys.argv[2]) or None
asked, log = pl.read_parquet(folder + "/asked.parquet"), pl.scan_parquet(folder + "/e.parquet")
wanted = [features.mean("amount", of="payment", per="user"),
          features.latest("amount", of="payment", per="user")]
features.training_frame(asked[:9], wanted, {"payment": log.head(99)})
def memory(line):
    return next(int(l.split()[1]) for l in open("/proc/self/status") if l.startswith(line))
before = memory("VmRSS")
features.training_frame(asked, wanted, {"payment": log}, buckets=buckets)
print((memory("VmHWM") - before) / 1024)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc for its peak memory")
def test_buckets_take_less_memory(tmp_path):
    rng = np.random.default_rng(0)
    rows = 6_000_000  # reading in pieces takes about 80 MB by itself
    time = histories.START + pl.Series(rng.integers(0, 10**12, rows)).cast(pl.Duration("us"))
    user = rng.integers(0, 20_000, rows)
    events = pl.DataFrame({"user": user, "amount": rng.normal(size=rows), "time": time})
    events.with_columns(known_at="time").write_parquet(tmp_path / "e.parquet")
    events[:1000].select("user", "time").write_parquet(tmp_path / "asked.parquet")
    peaks = []
    for buckets in (0, 16):
        command = [sys.executable, "-c", PEAK, str(tmp_path), str(buckets)]
        run = subprocess.run(command, capture_output=True, text=True, check=True)
        peaks.append(float(run.stdout))
    assert peaks[1] < 0.6 * peaks[0], peaks


@pytest.mark.parametrize("buckets", [0, -1, 1.5])
def test_a_wrong_number_of_buckets_is_refused(buckets):
    asked, events = history(100)
    with pytest.raises(ValueError, match=r"buckets must be a whole number of at least 1, got"):
        training_frame(asked, WANTED, {"payment": events}, buckets=buckets)
