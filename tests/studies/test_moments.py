"""Weighted statistics by hand, and their resamples against drawing the rows themselves."""

import numpy as np
import polars as pl
import pytest

from workbench.studies.moments import Groups, calendar_moments, top_shares, zipf_exponents

RNG = np.random.default_rng(0)
USERS = pl.Series(RNG.integers(0, 400, 6_000))
AMOUNT = RNG.lognormal(3, 1, 6_000) * (1 + (USERS.to_numpy() % 7))


def resampled(statistic, draws: int = 300) -> float:
    """The spread of a statistic when users are drawn and their rows put together."""
    rng = np.random.default_rng(1)
    rows_of = [np.flatnonzero(USERS.to_numpy() == user) for user in range(400)]
    drawn = (rng.integers(0, 400, 400) for _ in range(draws))
    return np.std([statistic(AMOUNT[np.concatenate([rows_of[u] for u in each])]) for each in drawn])


@pytest.mark.parametrize("rows", [1, 3, 4, 1_999, 2_000, 6_000])
def test_the_first_quantile_is_the_lower_one_of_the_rows(rows):
    groups = Groups(USERS.head(rows), draws=20, seed=0)
    found = groups.quantiles(AMOUNT[:rows], 0.5, 0.99)[0]
    assert found.tolist() == np.quantile(AMOUNT[:rows], [0.5, 0.99], method="inverted_cdf").tolist()


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (lambda groups: groups.mean(AMOUNT), np.mean),
        (lambda groups: groups.deviation(np.log(AMOUNT)), lambda rows: np.log(rows).std()),
        (lambda groups: groups.quantiles(AMOUNT, 0.5)[:, 0], np.median),
        (lambda groups: groups.quantiles(AMOUNT, 0.99)[:, 0], lambda rows: np.quantile(rows, 0.99)),
    ],
    ids=["mean", "deviation", "median", "p99"],
)
def test_weights_spread_like_drawn_rows(ours, theirs):
    draws = ours(Groups(USERS, draws=300, seed=0))
    assert draws[0] == pytest.approx(theirs(AMOUNT), rel=2e-3)
    assert draws[1:].std() == pytest.approx(resampled(theirs), rel=0.25)


def test_groups_are_drawn_whole():
    groups = Groups(pl.Series(["a", "a", "b"]), draws=50, seed=0)
    assert (groups.weights.sum(axis=1) == 2).all()
    sums = groups.sums(np.array([1.0, 1.0, 10.0]))
    assert set(sums.tolist()) == {4.0, 12.0, 20.0}


def test_the_top_share_by_hand():
    counts = np.array([[5, 0, 3, 1, 1, 0], [1, 1, 1, 1, 0, 0]], np.uint32)
    assert top_shares(counts, 0.5).tolist() == [0.8, 0.5]
    assert top_shares(counts, 0.01).tolist() == [0.5, 0.25]  # at least one


def test_a_planted_zipf_exponent_is_recovered_in_any_order():
    counts = RNG.multinomial(200_000, (w := np.arange(1, 301) ** -1.3) / w.sum(), size=3)
    found = zipf_exponents(RNG.permuted(counts, axis=1).astype(np.uint32))
    assert found == pytest.approx([1.3] * 3, abs=0.02)


def test_one_item_has_no_exponent():
    assert np.isnan(zipf_exponents(np.array([[7, 0, 0]]))).all()


def test_a_weekday_that_comes_more_often_counts_no_more():
    time = pl.datetime_range(pl.datetime(2026, 1, 5), pl.datetime(2026, 1, 21), "1h", eager=True)
    day = (time.dt.date() - time.dt.date().min()).dt.total_days()
    rows = pl.DataFrame({"time": time, "day": day}).filter(pl.col("day") < 16)
    found = calendar_moments(rows, "rows", draws=20, seed=0)
    assert found["weekdays of rows"][0] == pytest.approx([1 / 7] * 7)
    assert found["hours of rows"][0] == pytest.approx([1 / 24] * 24)
    assert found["days without rows, share"].tolist() == [0.0] * 21


def test_a_month_seen_twice_or_by_half_counts_as_one():
    time = pl.datetime_range(
        pl.datetime(2025, 12, 1), pl.datetime(2026, 12, 8, 23), "1h", eager=True
    )
    day = (time.dt.date() - time.dt.date().min()).dt.total_days()
    found = calendar_moments(pl.DataFrame({"time": time, "day": day}), "rows", draws=20, seed=0)
    assert found["months of rows"][0] == pytest.approx([1 / 12] * 12, abs=1e-3)


def test_closed_days_and_weeks_of_different_size_by_hand():
    day = [0] * 2 + [7] * 8 + [14] * 2 + [21] * 8 + [27] * 0 + [29]
    time = pl.datetime(2026, 1, 5, 10) + pl.duration(days="day")
    rows = pl.DataFrame({"day": day}).with_columns(time=time)
    found = calendar_moments(rows, "rows", draws=20, seed=0)
    assert found["days without rows, share"][0] == pytest.approx(25 / 30)
    assert found["weekly rows, log-sd"][0] == pytest.approx(np.log(4) / 2)
    assert "months of rows" not in found
