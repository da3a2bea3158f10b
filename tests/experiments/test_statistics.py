"""Sufficient statistics in one pass: the same numbers as NumPy, from any table, however it lies."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from workbench.experiments.metric import Mean, Proportion, Ratio, as_metrics
from workbench.experiments.statistics import Sample, statistics
from workbench.experiments.users import per_user

METRICS = [Mean("revenue", ["before"]), Proportion("bought"), Ratio("clicks", "views")]


@pytest.fixture(scope="module")
def table() -> pl.DataFrame:
    """One row for each of 3,000 users, in their order."""
    rng = np.random.default_rng(5)
    users = 3_000
    before = rng.exponential(5.0, users)
    views = rng.poisson(9.0, users) + 1
    columns = {
        "user": np.arange(users),
        "variant": rng.choice(["old", "new"], users),
        "country": rng.choice(["de", "fr", "us"], users),
        "before": before,
        "revenue": before + rng.exponential(2.0, users),
        "bought": rng.random(users) < 0.2,
        "views": views,
        "clicks": rng.binomial(views, 0.3),
    }
    return pl.DataFrame(columns)


def split_rows(table: pl.DataFrame) -> pl.DataFrame:
    """Two rows a user, which add up to the one."""
    half = table.with_columns(pl.col("revenue") * 0.25, pl.lit(False).alias("bought"))
    rest = table.with_columns(pl.col("revenue") * 0.75)
    half = half.with_columns(clicks=pl.lit(0, pl.Int64), views=pl.lit(0, pl.Int64))
    return pl.concat([half, rest]).sample(fraction=1, shuffle=True, seed=1)


def assert_same(first, second):
    assert first.groups.equals(second.groups)
    np.testing.assert_array_equal(first.samples.users, second.samples.users)
    np.testing.assert_allclose(first.samples.means, second.samples.means, rtol=1e-12)
    np.testing.assert_allclose(first.samples.covariance, second.samples.covariance, rtol=1e-11)


def test_means_and_covariances_are_those_of_numpy(table):
    found = statistics(table, METRICS)
    names = ["revenue", "before", "bought", "clicks", "views"]
    for arm in ("new", "old"):
        rows = table.filter(pl.col("variant") == arm).select(pl.col(names).cast(pl.Float64))
        sample = found.sample(variant=arm)
        assert sample.users == len(rows)
        np.testing.assert_allclose(sample.means, rows.mean().row(0), rtol=1e-12)
        want = np.cov(rows.to_numpy().T)
        known = np.isfinite(sample.covariance)
        np.testing.assert_allclose(sample.covariance[known], want[known], rtol=1e-11)
        assert known.sum() == 4 + 1 + 4  # what the three metrics need, and no more


def test_rows_of_a_user_are_summed_and_the_way_they_lie_does_not_matter(table, tmp_path):
    want = statistics(table, METRICS)
    shuffled = table.sample(fraction=1, shuffle=True, seed=2)
    path = tmp_path / "table.parquet"
    table.write_parquet(path)
    assert_same(statistics(split_rows(table), METRICS), want)
    assert_same(statistics(split_rows(table).lazy(), METRICS), want)
    assert_same(statistics(shuffled, METRICS), want)
    assert_same(statistics(shuffled, METRICS, one_row_per="user"), want)
    assert_same(statistics(pl.scan_parquet(path), METRICS, one_row_per="user"), want)
    assert_same(statistics(table.to_pandas(), METRICS), want)
    assert_same(statistics(table.to_arrow(), METRICS), want)


def test_the_log_is_scanned_where_it_lies(table, tmp_path):
    from datetime import UTC, datetime

    from workbench.contracts import Column, Contract
    from workbench.events import EventLog

    log = EventLog(tmp_path / "log")
    words = {"user": "id", "variant": "word", "country": "word", "bought": "bool"}
    columns = [Column(name=name, dtype=words.get(name, "float")) for name in table.columns]
    log.register(Contract("outcome", tuple(columns)))
    rows = table.with_columns(event=pl.col("user"), time=pl.lit(datetime(2026, 3, 1, tzinfo=UTC)))
    log.append(outcome=rows, known_at="time")
    assert_same(statistics(log.scan("outcome"), METRICS), statistics(table, METRICS))


def test_by_segment_each_group_is_what_it_is_alone(table):
    found = statistics(table, METRICS, segments=["country"])
    assert len(found.groups) == 6
    alone = statistics(table.filter(pl.col("country") == "fr"), METRICS)
    for arm in ("old", "new"):
        first, second = found.sample(variant=arm, country="fr"), alone.sample(variant=arm)
        np.testing.assert_allclose(first.covariance, second.covariance, rtol=1e-11)
    assert found.sample(variant="old", country="mars") is None


def test_two_samples_together_are_the_sample_of_both(table):
    found, whole = (
        statistics(rows, METRICS[0]) for rows in (table, table.with_columns(variant=pl.lit("all")))
    )
    both = found.sample(variant="old") + found.sample(variant="new")
    want = whole.sample(variant="all")
    assert both.users == want.users
    np.testing.assert_allclose(both.means, want.means, rtol=1e-12)
    np.testing.assert_allclose(both.covariance, want.covariance, rtol=1e-11)


@pytest.mark.parametrize("offset", [0.0, 1e6, 1e9])
def test_digits_survive_a_large_mean_and_a_strange_beginning(offset):
    rng = np.random.default_rng(6)
    value = offset + rng.normal(size=20_000)
    value[:1_000] = 0.0  # the first rows tell nothing about the others
    table = pl.DataFrame({"user": range(20_000), "variant": ["a"] * 1_000 + ["b"] * 19_000})
    found = statistics(table.with_columns(value=pl.Series(value)), "value").sample(variant="b")
    # doubles near 1e9 are 1e-7 apart: what NumPy finds has those digits only
    assert found.covariance[0, 0] == pytest.approx(np.var(value[1_000:], ddof=1), rel=1e-9)


def test_a_constant_column_has_no_variance():
    table = pl.DataFrame({"user": range(3_000), "variant": ["a", "b", "b"] * 1_000, "value": 0.1})
    assert (statistics(table, "value").samples.covariance == 0).all()


def test_sums_are_capped_at_quantiles_of_both_arms_pooled(table):
    found = statistics(split_rows(table), Mean("revenue", winsorise=(0.05, 0.9)))
    low, high = np.quantile(table["revenue"], [0.05, 0.9])
    for arm in ("old", "new"):
        value = table.filter(pl.col("variant") == arm)["revenue"].to_numpy().clip(low, high)
        sample = found.sample(variant=arm)
        assert sample.means[0] == pytest.approx(value.mean(), rel=1e-11)
        assert sample.covariance[0, 0] == pytest.approx(value.var(ddof=1), rel=1e-11)


def test_of_picks_columns_in_the_order_asked_for():
    sample = Sample(("a", "b"), 5, np.array([1.0, 2.0]), np.array([[1.0, 0.5], [0.5, 4.0]])).of(
        "ba"
    )
    assert sample.means.tolist() == [2.0, 1.0]
    assert sample.covariance.tolist() == [[4.0, 0.5], [0.5, 1.0]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"revenue": pl.lit("9")}, "metric 'revenue' must be numbers, got String"),
        ({"bought": pl.lit(2)}, "'bought' must be of 0 and 1, but is not in"),
        ({"bought": pl.lit(float("nan"))}, "'bought' must be of 0 and 1"),
        ({"before": pl.lit(None, pl.Float64)}, "'before' is null in .* rows$"),
        ({"views": pl.lit(None, pl.Int64)}, "'views' is null in .* rows: 0 if nothing happened"),
        ({"user": pl.lit(None, pl.Int64)}, "'user' is null"),
        ({"variant": pl.lit(None, pl.String)}, "'variant' is null"),
        (
            {"before": pl.when(pl.col("user") > 1).then(pl.lit(float("inf"))).otherwise(0)},
            "'before'",
        ),
    ],
)
@pytest.mark.parametrize("form", ["row", "user", "lazy", "declared"])
def test_bad_values_are_named_however_the_table_comes(table, change, message, form):
    bad = table.with_columns(**change)
    if form == "user":
        bad = pl.concat([bad, bad]).sample(fraction=1, shuffle=True, seed=1)
    elif form != "row":
        bad = bad.lazy()
    with pytest.raises(ValueError, match=message):
        statistics(bad, METRICS, one_row_per="user" if form == "declared" else None)


def test_what_changes_within_a_user_is_no_covariate_and_no_segment(table):
    moving = split_rows(table).with_row_index("row")
    late = moving.with_columns(before=pl.col("before") + pl.col("row"))
    with pytest.raises(ValueError, match=r"covariate 'before' must be one value per user.*3,000"):
        statistics(late, METRICS)
    with pytest.raises(ValueError, match="segment 'row' must be one value per user"):
        statistics(moving, METRICS, segments=["row"])


def test_a_false_declaration_is_noticed(table):
    with pytest.raises(ValueError, match="6,000 rows have about"):
        statistics(split_rows(table), METRICS, one_row_per="user")
    with pytest.raises(ValueError, match='one_row_per must be "user"'):
        statistics(table, METRICS, one_row_per="session")
    with pytest.raises(ValueError, match="no column 'profit'; it has"):
        statistics(table.lazy(), "profit")


def test_users_in_two_arms_are_in_none(table):
    twice = table.with_columns(variant=pl.lit("old"))
    found = per_user(pl.concat([table, twice]), [])
    assert found.crossed == (table["variant"] == "new").sum()
    assert found.frame.collect()["variant"].unique().to_list() == ["old"]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: as_metrics([]), "one or more different"),
        (lambda: as_metrics(["revenue", Mean("revenue")]), "one or more different"),
        (lambda: as_metrics([3]), r"got \[3\]"),
        (lambda: Mean("revenue", covariates="before"), r"\['before'\]"),
        (lambda: Mean("revenue", winsorise=99), "must be quantiles"),
        (lambda: Mean(""), "must be the name of a column"),
        (lambda: Ratio("clicks", "clicks"), "two columns"),
        (lambda: Ratio("clicks", "views", [("a", "b", "c")]), "a pair of columns"),
    ],
)
def test_bad_metrics_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("arms", [["old", "new"], [0, 1], [False, True]])
@pytest.mark.parametrize("dtype", [None, pl.Categorical])
def test_arms_keep_their_names_however_rows_lie(table, arms, dtype):
    named = table.with_columns(variant=pl.col("variant").replace_strict(["old", "new"], arms))
    if dtype:
        named = named.with_columns(pl.col("variant").cast(pl.String).cast(dtype))
        arms = [str(arm).lower() for arm in arms]
    first, second = statistics(named, METRICS), statistics(split_rows(named), METRICS)
    for arm in arms:
        a, b = first.sample(variant=arm), second.sample(variant=arm)
        assert a.users == b.users
        np.testing.assert_allclose(a.means, b.means, rtol=1e-12)


def test_segments_without_a_value_stay_without_and_a_half_value_is_an_error(table):
    country = pl.when(pl.col("user") % 3 == 0).then(None).otherwise("country")
    some = split_rows(table.with_columns(country=country))
    found = statistics(some, "revenue", segments=["country"])
    assert found.groups["country"].null_count() == 2
    half = some.with_columns(
        country=pl.when(pl.col("clicks") == 0).then(None).otherwise(pl.col("country"))
    )
    with pytest.raises(ValueError, match="segment 'country' must be one value per user"):
        statistics(half, "revenue", segments=["country"])


def test_who_was_dealt_is_no_metric(table):
    with pytest.raises(ValueError, match="nor segments may be user or variant"):
        statistics(table, "user")
