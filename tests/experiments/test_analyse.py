"""The read-out agrees with SciPy and tea-tasting, and refuses where it must."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from workbench.experiments import Moments, analyse, difference_in_means, sample_ratio

SHARES = {"old": 0.7, "new": 0.3}


@pytest.fixture(scope="module")
def table() -> pl.DataFrame:
    """Two to four rows a user; the new arm spends 0.5 more per row."""
    rng = np.random.default_rng(1)
    users = 4_000
    arm = rng.choice(["old", "new"], users, p=[0.7, 0.3])
    user = np.repeat(np.arange(users), rng.integers(2, 5, users))
    revenue = rng.exponential(5.0, len(user)) + 0.5 * (arm[user] == "new")
    clicks = rng.poisson(2.0, len(user))
    frame = pl.DataFrame({"user": user, "variant": arm[user], "revenue": revenue, "clicks": clicks})
    return frame.sample(fraction=1.0, shuffle=True, seed=2)


def test_intervals_agree_with_scipy(table):
    from scipy import stats

    users = table.group_by("user").agg(pl.col("variant").first(), pl.col("revenue").sum())
    new, old = (users.filter(pl.col("variant") == arm)["revenue"] for arm in ("new", "old"))
    want = stats.ttest_ind(new, old, equal_var=False)
    got = analyse(table, ["revenue"], expected=SHARES)["revenue"].effect
    interval = want.confidence_interval(0.95)
    assert got.p_value == pytest.approx(want.pvalue, rel=1e-9)
    assert (got.low, got.high) == pytest.approx((interval.low, interval.high), rel=1e-9)


def test_lift_and_sample_ratio_agree_with_tea_tasting(table):
    import tea_tasting as tt

    users = table.group_by("user").agg(
        pl.col("variant").first(), pl.col("revenue").sum(), pl.col("clicks").sum()
    )
    want = tt.Experiment(
        revenue=tt.Mean("revenue"),
        clicks=tt.Mean("clicks"),
        ratio=tt.SampleRatio({"old": 7, "new": 3}, method="norm", correction=False),
    ).analyze(users, control="old")
    result = analyse(table, ["revenue", "clicks"], expected=SHARES)
    for metric in ("revenue", "clicks"):
        peer, ours = want[metric], result[metric]
        assert ours.control.mean == pytest.approx(peer.control, rel=1e-9)
        pairs = [
            (ours.effect.difference, peer.effect_size),
            (ours.effect.low, peer.effect_size_ci_lower),
            (ours.effect.high, peer.effect_size_ci_upper),
            (ours.effect.lift, peer.rel_effect_size),
            (ours.effect.lift_low, peer.rel_effect_size_ci_lower),
            (ours.effect.lift_high, peer.rel_effect_size_ci_upper),
            (ours.effect.p_value, peer.pvalue),
        ]
        for mine, theirs in pairs:
            assert mine == pytest.approx(theirs, rel=1e-9, abs=1e-12)
    assert result.sample_ratio.p_value == pytest.approx(want["ratio"].pvalue, rel=1e-9)


def test_welch_by_hand():
    # var/n: 4/4 = 1 and 9/9 = 1; error sqrt(2); freedom 4 / (1/3 + 1/8) = 96/11
    effect = difference_in_means(Moments(4, 10.0, 4.0), Moments(9, 13.0, 9.0))
    from scipy.stats import t

    half = t.ppf(0.975, 96 / 11) * 2**0.5
    assert effect.difference == 3.0
    assert (effect.low, effect.high) == pytest.approx((3 - half, 3 + half))
    assert effect.lift == pytest.approx(0.3)


def test_a_failed_sample_ratio_blocks_the_read_out_and_says_so(table):
    lost = table.filter(~((pl.col("variant") == "new") & (pl.col("user") % 4 == 0)))
    result = analyse(lost, ["revenue"], expected=SHARES)
    assert not result.sample_ratio.ok
    assert result.comparisons == ()
    assert result.table.is_empty()
    assert "NOT AS DEALT" in repr(result)
    assert "no read-out" in repr(result)
    with pytest.raises(KeyError, match="no read-out of 'revenue'"):
        result["revenue"]


def test_a_missing_arm_is_a_failed_sample_ratio_not_an_effect(table):
    result = analyse(table.filter(pl.col("variant") == "old"), ["revenue"], expected=SHARES)
    assert result.comparisons == ()


def test_pandas_and_arrow_read_the_same(table):
    want = analyse(table, ["revenue", "clicks"], expected=SHARES)
    frame = table.to_pandas()
    frame.index = np.arange(len(frame))[::-1]
    for other in (frame, table.to_arrow()):
        got = analyse(other, ["revenue", "clicks"], expected=SHARES)
        for first, second in zip(got.comparisons, want.comparisons, strict=True):
            assert first.effect.p_value == pytest.approx(second.effect.p_value, rel=1e-9)


def test_users_in_both_arms_are_in_none_and_are_counted(table):
    both = pl.DataFrame({"user": [1, 1], "variant": ["old", "new"], "revenue": 1e9, "clicks": 1})
    mixed = pl.concat([table.filter(pl.col("user") != 1), both.cast(table.schema)])
    result = analyse(mixed, ["revenue"], expected=SHARES)
    assert result.crossed_users == 1
    assert "1 users who were in more than one arm" in repr(result)
    assert result["revenue"].control.mean < 100


def test_three_arms_are_each_compared_with_the_first(table):
    thirds = table.with_columns(
        variant=(pl.col("user") % 3).replace_strict({0: "a", 1: "b", 2: "c"})
    )
    result = analyse(thirds, ["clicks"], expected=dict.fromkeys("bca", 1 / 3))
    assert [c.arm for c in result.comparisons] == ["c", "a"]
    assert "2 comparisons, none corrected" in repr(result)


def test_a_nominal_five_per_cent_test_rejects_about_five_per_cent():
    rng = np.random.default_rng(3)
    rejected, covered, worlds = 0, 0, 2_000
    for _ in range(worlds):
        old, new = rng.exponential(3.0, 300), rng.exponential(3.0, 100)
        arms = (Moments(len(x), x.mean(), x.var(ddof=1)) for x in (old, new))
        effect = difference_in_means(*arms)
        rejected += effect.p_value < 0.05
        covered += effect.low <= 0 <= effect.high
    assert rejected + covered == worlds
    assert 0.035 < rejected / worlds < 0.065  # four binomial errors, with some skew


def test_the_report_fits_a_page(table):
    report = repr(analyse(table, ["revenue", "clicks"], expected=SHARES))
    assert max(map(len, report.splitlines())) <= 92
    assert report.splitlines()[1].split()[:3] == ["metric", "arm", "control"]


def test_arms_without_variance_are_compared_exactly():
    same = difference_in_means(Moments(5, 2.0, 0.0), Moments(9, 2.0, 0.0))
    assert (same.difference, same.low, same.high, same.p_value) == (0, 0, 0, 1)
    other = difference_in_means(Moments(5, 2.0, 0.0), Moments(9, 3.0, 0.0))
    assert (other.low, other.lift, other.p_value) == (1, 0.5, 0)
    nothing = difference_in_means(Moments(5, 0.0, 0.0), Moments(9, 0.0, 0.0))
    assert nothing.lift is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"revenue": pl.lit("9")}, "'revenue' must be numbers"),
        ({"revenue": pl.lit(float("nan"))}, "NaN or infinite"),
        ({"revenue": pl.lit(None, pl.Float64)}, "'revenue' is null in .* 0 if nothing happened"),
        ({"variant": pl.lit(None, pl.String)}, "'variant' is null"),
        ({"variant": pl.lit("blue")}, "arm 'blue' was not planned"),
    ],
)
def test_bad_tables_are_named(table, change, message):
    with pytest.raises(ValueError, match=message):
        analyse(table.with_columns(**change), ["revenue"], expected=SHARES)


def test_bad_arguments_are_named(table):
    with pytest.raises(ValueError, match="no column 'profit'"):
        analyse(table, ["profit"], expected=SHARES)
    with pytest.raises(ValueError, match="sum to 1"):
        analyse(table, ["revenue"], expected={"old": 0.9, "new": 0.2})
    with pytest.raises(ValueError, match="confidence must be in"):
        analyse(table, ["revenue"], expected=SHARES, confidence=95)
    with pytest.raises(ValueError, match="no users"):
        sample_ratio({}, SHARES)
    with pytest.raises(ValueError, match="at least two users"):
        difference_in_means(Moments(1, 0.0, 0.0), Moments(9, 0.0, 0.0))
