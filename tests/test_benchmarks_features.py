"""The benchmarks of features compare like with like."""

import sys
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # benchmarks are not part of the package

from benchmarks import features_join, features_windows, features_wrong  # noqa: E402
from benchmarks.features_data import COLUMNS, arrays, history, spending  # noqa: E402
from benchmarks.features_limits import merged, merged_sorted  # noqa: E402
from benchmarks.rounds import row  # noqa: E402


@pytest.fixture(scope="module")
def joined():
    asked, happened = history(20_000, 2_000)
    return asked, happened, features_join.ours(asked, happened)


def test_ours_polars_and_both_limits_find_the_same_values(joined):
    asked, happened, ours = joined
    features_join.check_equal(ours, features_join.as_of(asked, happened))
    expected = np.stack([ours[name].to_numpy() for name in COLUMNS])
    assert 0.5 < np.isfinite(expected).mean() < 1
    users = 200
    raw = merged(arrays(happened), arrays(asked), features_join.TTL_US, users)
    np.testing.assert_array_equal(raw, expected)
    lying = happened.sort("user", "time")
    ends = np.searchsorted(lying["user"].to_numpy(), np.arange(users + 1))
    sorted_events = (ends, *arrays(lying)[1:])
    raw = merged_sorted(sorted_events, arrays(asked), features_join.TTL_US, users)
    np.testing.assert_array_equal(raw, expected)


def test_a_benchmark_of_two_different_things_is_none(joined):
    _, _, ours = joined
    with pytest.raises(ValueError, match="different values"):
        features_join.check_equal(ours, ours.with_columns(x0=pl.col("x0") + 1))


def test_the_peers_windows_hold_what_ours_hold():
    paid = spending(5_000)
    ours = features_windows.ours(paid)
    by_user = ours.select("user", "time", pl.nth(range(2, 11)).cast(pl.Float64)).sort(
        "user", "time"
    )
    polars = features_windows.polars(paid)
    for number, frame in enumerate(polars):
        theirs = frame.select(pl.col("count", "sum", "mean").cast(pl.Float64)).to_numpy()
        mine = by_user.select(pl.nth(range(2 + 3 * number, 5 + 3 * number))).to_numpy()
        np.testing.assert_allclose(mine, theirs, rtol=1e-9, atol=1e-9)
    duck = pl.from_arrow(features_windows.duckdb(paid))
    for place in range(9):  # rows in no order: the same values, sorted
        theirs = np.sort(duck.to_series(place).cast(pl.Float64).fill_null(np.nan).to_numpy())
        mine = np.sort(by_user.to_series(2 + place).fill_null(np.nan).to_numpy())
        if place % 3 == 1:  # DuckDB's sum of nothing is null
            theirs = np.sort(np.nan_to_num(theirs))
        np.testing.assert_allclose(mine, theirs, rtol=1e-9, atol=1e-9)


def test_a_plain_as_of_join_uses_what_was_not_known_and_ours_does_not():
    found = features_wrong.unknown(100_000, 10_000, quick=True)
    assert found.ours == 1
    assert 0.99 < found.peer < 0.997


def test_shares_are_rates_and_are_not_rounded():
    figures = {"ours": 1.0, "peer": 0.5, "limit": 1.0}
    given = partial(
        row, "features", "nothing", "share of rows", peer_name="half", target="ours >= 1"
    )
    found = given([figures])
    assert (found.ratio_to_peer, found.ratio_to_limit, found.met) == (0.5, 1, True)
    almost = given([figures | {"ours": 0.999999}])
    assert almost.met is False
