"""What a store keeps, for how long, and what it says when it cannot know."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from workbench import features
from workbench.features import advance, log_slices

START = datetime(2024, 5, 1, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
PER = {"of": "payment", "per": "user"}


def payments(*rows, **columns) -> pl.DataFrame:
    """Events of user 1 at some hours; values by column."""
    time = [START + hour * HOUR for hour in rows]
    made = {"event": range(len(rows)), "user": 1, "time": time, "known_at": time} | columns
    return pl.DataFrame(made)


def test_a_value_lives_as_long_as_its_window_and_one_microsecond_less_than_forever(new_store):
    seen = features.latest("place", **PER, hours=5, name="seen")
    with new_store(seen) as store:
        store.apply({"payment": payments(0, place="zurich")})
        edge = START + 5 * HOUR
        assert store.read({"user": 1}, at=edge) == {"seen": "zurich"}
        assert store.read({"user": 1}, at=edge + timedelta(microseconds=1)) == {"seen": None}


def test_an_older_value_that_comes_later_does_not_overwrite_a_newer_one(new_store):
    place = features.latest("place", **PER, name="place")
    new, old = payments(9, 2, place=["new", "old"]).with_row_index().partition_by("index")
    with new_store(place) as store:
        for rows in (new, old):
            store.apply({"payment": rows.drop("index")})
        assert store.read({"user": 1}, at=START + DAY) == {"place": "new"}


def test_values_of_every_type_come_back_as_they_were(new_store):
    columns = {
        "text": pl.Series(["a", "ä" * 600, None]),
        "small": pl.Series([1, -2, 3], dtype=pl.Int16),
        "large": pl.Series([2**63, 5, None], dtype=pl.UInt64),
        "flag": pl.Series([True, False, None]),
        "real": pl.Series([0.1, None, 1e9], dtype=pl.Float32),
        "day": pl.Series([START.date()] * 3),
        "when": pl.Series([START] * 3, dtype=pl.Datetime("us", "UTC")),
        "vector": pl.Series([[0.5, 1.5], None, [2.5, 3.5]], dtype=pl.List(pl.Float32)),
        "array": pl.Series([[1.0, 2.0]] * 3, dtype=pl.Array(pl.Float64, 2)),
    }
    names = [*columns]
    latest = [features.latest(name, **PER, name=name) for name in names]
    last = [features.last(name, 2, **PER, name=f"last_{name}") for name in names if name != "array"]
    rows = payments(0, 1, 2).with_columns(user=pl.Series([1, 2, 3]), **columns)
    with new_store([*latest, *last]) as store:
        store.apply({"payment": rows})
        frame = store.read_many({"user": [1, 2, 3, 4]}, at=START + DAY)
        offline = features.training_frame(
            pl.DataFrame({"user": [1, 2, 3, 4]}).with_columns(time=START + DAY),
            [*latest, *last],
            {"payment": rows},
        )
        for name in (*names, *(feature.name for feature in last)):
            assert frame[name].to_list() == offline[name].to_list(), name
            assert [store.read({"user": u}, at=START + DAY)[name] for u in (1, 2, 3, 4)] == (
                offline[name].to_list()
            )
            if name != "array":  # lists here
                assert frame.schema[name] == offline.schema[name]


def test_a_full_track_reads_null_where_it_would_be_wrong(new_store, monkeypatch):
    monkeypatch.setattr(advance, "MOST_ITEMS", 5)
    some = [
        features.count(**PER, hours=3, name="short"),
        features.count(**PER, hours=30, name="long"),
        features.count(**PER, name="ever"),
        features.last("amount", 2, **PER, name="last"),
        features.last("amount", 9, **PER, name="more"),
        features.distinct("amount", **PER, name="different"),
    ]
    with new_store(some) as store:
        for hour in range(20):
            row = payments(hour, amount=float(hour)).with_columns(event=pl.lit(hour))
            store.apply({"payment": row})
        read = store.read({"user": 1}, at=START + 20 * HOUR)
        assert read == {
            "short": 3,
            "long": None,
            "ever": 20,
            "last": [18.0, 19.0],
            "more": None,
            "different": None,
        }
        assert store.status()["truncated"] == 3
        assert store.read_many({"user": [1]}, at=START + 20 * HOUR)["short"].to_list() == [3]
        assert store.status()["truncated"] == 6


def test_old_tiles_go_so_that_a_record_stays_as_small_as_its_window(tmp_path):
    hourly = features.sum("amount", **PER, days=2, step_minutes=60)
    with features.OnlineStore(tmp_path, hourly) as store:
        sizes = []
        for day in range(30):
            hours = [day * 24 + hour / 2 for hour in range(48)]
            rows = payments(*hours, amount=1.0).with_columns(
                event=pl.int_range(pl.len()) + day * 48
            )
            store.apply({"payment": rows})
            prefix = next(iter(store._writer._remembered.catalog.groups.values()))
            sizes.append(len(store._store.read([prefix + (2**63 + 1).to_bytes(8, "big")])[0]))
        assert sizes[-1] == sizes[5] <= 8 * (3 + 3 * 50)


def test_ids_are_forgotten_after_the_bound_and_their_blocks_merged(new_store):
    count = features.count(**PER, name="n")
    with new_store(count, late_days=1.0) as store:
        for hour in range(200):
            row = payments(hour, user=1).with_columns(event=pl.lit(f"payment {hour}"))
            store.apply({"payment": row})
        (seen,) = store._writer._remembered.seen.values()
        assert 25 <= sum(block[1] for block in seen.blocks) <= 25 + 8
        assert len(seen.blocks) < 16
        done = store.apply({"payment": row})
        assert (done.events, done.duplicates) == (0, 1)


def test_a_log_larger_than_a_slice_gives_the_same(new_store, monkeypatch):
    rng = np.random.default_rng(0)
    rows = payments(*rng.integers(0, 500, 300).tolist(), amount=rng.normal(size=300))
    rows = rows.with_columns(user=pl.Series(rng.integers(1, 9, 300)))
    some = [
        features.sum("amount", **PER, days=9, name="s"),
        features.latest("amount", **PER, name="l"),
    ]
    frames = []
    for slice_rows in (10**9, 40):
        monkeypatch.setattr(log_slices, "SLICE_ROWS", slice_rows)
        with new_store(some) as store:
            assert store.materialise({"payment": rows}, until=START + 30 * DAY).events == 300
            frames.append(store.read_many({"user": list(range(10))}, at=START + 30 * DAY))
    assert frames[0]["l"].equals(frames[1]["l"])
    assert (frames[0]["s"] - frames[1]["s"]).abs().max() < 1e-12


def test_another_definition_is_not_mixed_in_but_materialised_on_its_own(tmp_path):
    month, week = (features.count(**PER, days=days, name="n") for days in (30, 7))
    log = {"payment": payments(0, 100, 200)}
    now = START + 10 * DAY
    with features.OnlineStore(tmp_path, month) as store:
        store.materialise(log, until=now)
    with features.OnlineStore(tmp_path, week) as store:
        with pytest.raises(ValueError, match=r"not materialised: n; .*other definitions"):
            store.read({"user": 1}, at=now)
        with pytest.raises(ValueError, match="n are not materialised"):
            store.apply(log)
        store.materialise(log, until=now)
        assert store.read({"user": 1}, at=now) == {"n": 2}
    with features.OnlineStore(tmp_path, month) as store:
        assert store.read({"user": 1}, at=now) == {"n": 3}


def test_a_store_that_nothing_came_to_yet_reads_as_if_nothing_had_happened(new_store):
    some = [features.count(**PER, name="n"), features.latest("amount", **PER, missing=0, name="l")]
    with new_store(some) as store:
        assert store.read({"user": 1}) == {"n": 0, "l": 0}
        assert store.read({"user": None}) == {"n": None, "l": None}
        assert store.read_many({"user": [1, None]})["n"].to_list() == [0, None]
        assert store.position("anybody") is None
        assert store.aside().is_empty()


def test_positions_are_kept_by_source_and_survive(tmp_path):
    count = features.count(**PER, name="n")
    with features.OnlineStore(tmp_path, count) as store:
        store.apply({"payment": payments(1)}, position=("journal", "7"))
        store.apply({}, position=("redis", "5-0"))
    with features.OnlineStore(tmp_path, count) as store:
        assert (store.position("journal"), store.position("redis")) == ("7", "5-0")
        assert store.apply({"payment": payments(1), "click": payments(2)}).ignored == 1


def test_the_map_grows_by_itself_while_others_read(tmp_path, monkeypatch):
    import threading

    from workbench.features import lmdb_store

    monkeypatch.setattr(lmdb_store, "_MAP_BYTES", 2**18)
    count = features.count(**PER, name="n")
    with features.OnlineStore(tmp_path, count) as store:
        store.apply({"payment": payments(0)})
        done, counts = threading.Event(), set()

        def read():
            while not done.is_set():
                counts.add(store.read({"user": 1}, at=START + DAY)["n"])

        reader = threading.Thread(target=read)
        reader.start()
        for number in range(5):
            rows = payments(*[0] * 5_000).with_columns(
                user=pl.int_range(pl.len()), event=pl.int_range(pl.len()) + 5_000 * number + 9
            )
            store.apply({"payment": rows})
        done.set()
        reader.join()
        assert store.read({"user": 1}, at=START + DAY) == {"n": 6}
        assert max(counts) > 1
    assert (tmp_path / "data.mdb").stat().st_size > 2**19


def test_a_forgotten_store_lets_go_of_its_files_and_its_right_to_write(tmp_path):
    count = features.count(**PER, name="n")
    for number in range(600):  # more than there are addresses for, were they kept
        store = features.OnlineStore(tmp_path / str(number % 300), count)
    store.apply({"payment": payments(0)})
    del store
    from workbench.features.lmdb_store import _open

    assert not [path for path in _open if path.startswith(str(tmp_path))]
