"""By segment, by metric kind and from moments: the whole read-out."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from workbench.experiments.analyse import analyse, compare_moments
from workbench.experiments.corrections import benjamini_hochberg, holm
from workbench.experiments.difference import Moments
from workbench.experiments.metric import Mean, Proportion, Ratio
from workbench.experiments.segments import heterogeneity

HALVES = {"old": 0.5, "new": 0.5}


def people(users: int, seed: int, gain=(0.0, 0.0, 1.0)) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    country, new = rng.integers(0, 3, users), rng.random(users) < 0.5
    views = rng.poisson(5.0, users) + 1
    return pl.DataFrame(
        {
            "user": np.arange(users),
            "variant": np.where(new, "new", "old"),
            "country": np.array(["de", "fr", "us"])[country],
            "paying": rng.random(users) < 0.4,
            "revenue": rng.exponential(3.0, users) + np.array(gain)[country] * new,
            "bought": rng.random(users) < 0.2,
            "views": views,
            "clicks": rng.binomial(views, 0.3),
        }
    )


METRICS = ["revenue", Proportion("bought"), Ratio("clicks", "views")]


def test_each_segment_is_read_as_if_it_were_alone():
    table = people(3_000, 1)
    found = analyse(table, METRICS, expected=HALVES, segments=["country", "paying"]).segments
    assert len(found.table) == (3 + 2) * 3
    for country in ("de", "fr", "us"):
        alone = analyse(table.filter(pl.col("country") == country), METRICS, expected=HALVES).table
        here = found.table.filter(pl.col("segment") == "country", pl.col("value") == country)
        for name in ("difference", "low", "high", "lift", "lift_low", "p_value", "control_mean"):
            np.testing.assert_allclose(here[name], alone[name], rtol=1e-10)
    assert found.table["p_adjusted"].to_list() == pytest.approx(list(holm(found.table["p_value"])))


def test_the_effect_is_found_where_it_was_planted():
    found = analyse(people(6_000, 2), "revenue", expected=HALVES, segments="country").segments
    claimed = found.table.filter(pl.col("p_adjusted") < 0.05)["value"].to_list()
    assert claimed == ["us"]
    assert found.differ["p_adjusted"].item() < 0.001
    assert "effects on revenue by country differ" in repr(found)
    assert max(map(len, repr(found).splitlines())) <= 90


def test_holm_over_segments_claims_falsely_in_about_five_per_cent_of_experiments():
    """300 A/A experiments of six comparisons; uncorrected a quarter would claim something."""
    corrected, naive, differ = 0, 0, 0
    for seed in range(300):
        table = people(900, 100 + seed, gain=(0.0, 0.0, 0.0))
        found = analyse(table, ["revenue", "clicks"], expected=HALVES, segments="country").segments
        corrected += (found.table["p_adjusted"] < 0.05).any()
        naive += (found.table["p_value"] < 0.05).any()
        differ += (found.differ["p_adjusted"] < 0.05).any()
    band = 0.05 + 4 * (0.05 * 0.95 / 300) ** 0.5
    assert corrected / 300 < band
    assert differ / 300 < band
    assert naive / 300 > 0.15


def test_a_segment_that_lost_users_is_not_read():
    table = people(6_000, 3)
    bad = (pl.col("country") == "fr") & (pl.col("variant") == "new") & (pl.col("user") % 5 < 1)
    result = analyse(table.filter(~bad), "revenue", expected=HALVES, segments="country")
    rows = {row["value"]: row for row in result.segments.table.iter_rows(named=True)}
    assert result.sample_ratio.ok
    assert rows["fr"]["sample_ratio_p"] < 0.001
    assert rows["fr"]["difference"] is None
    assert rows["us"]["difference"] is not None
    assert "country fr     no read-out" in repr(result)


def test_a_segment_with_one_user_or_none_of_an_arm_has_no_effect():
    table = people(1_000, 4).with_columns(
        country=pl.when(pl.col("user") == 0).then(pl.lit("mars")).otherwise("country")
    )
    found = analyse(table, METRICS, expected=HALVES, segments="country").segments.table
    mars = found.filter(pl.col("value") == "mars")
    assert mars["difference"].null_count() == 3
    assert mars["p_adjusted"].null_count() == 3
    assert mars["control_users"][0] + mars["arm_users"][0] == 1


def test_users_without_a_segment_are_one():
    table = people(1_000, 5).with_columns(
        country=pl.when(pl.col("country") == "de").then(None).otherwise("country")
    )
    found = analyse(table, "revenue", expected=HALVES, segments="country").segments.table
    assert found["value"].to_list() == [None, "fr", "us"]
    assert found["difference"].null_count() == 0


def test_corrections_of_metrics_are_in_the_table_and_in_the_report():
    table = people(1_000, 6)
    plain = analyse(table, METRICS, expected=HALVES)
    found = analyse(table, METRICS, expected=HALVES, correction="benjamini_hochberg")
    assert plain.table["p_adjusted"].null_count() == 3
    want = benjamini_hochberg(plain.table["p_value"])
    assert found.table["p_adjusted"].to_list() == pytest.approx(list(want))
    assert "3 comparisons, p corrected by benjamini_hochberg" in repr(found)
    assert "none corrected for the others" in repr(plain)


def test_heterogeneity_by_hand():
    # weights 1 and 4: mean (1 + 4 x 2) / 5 = 1.8; Q = 0.64 + 4 x 0.04 = 0.8, one degree
    from scipy.stats import chi2

    found = heterogeneity(np.array([1.0, 2.0]), np.array([1.0, 0.25]))
    assert found == pytest.approx(chi2.sf(0.8, 1))
    assert np.isnan(heterogeneity(np.array([1.0, np.nan]), np.array([1.0, 1.0])))


def test_moments_read_as_the_table_they_came_from():
    table = people(2_000, 7)
    want = analyse(table, ["revenue", Proportion("bought")], expected=HALVES)
    arms = {each.metric: {"old": each.control, "new": each.treatment} for each in want.comparisons}
    found = compare_moments(arms, expected=HALVES, proportions=["bought"])
    assert found.table.drop("arm").equals(want.table.drop("arm"))
    assert repr(found) == repr(want)
    lost = {"old": Moments(900, 1.0, 1.0), "new": Moments(600, 1.0, 1.0)}
    assert compare_moments(lost, expected=HALVES).comparisons == ()


def test_a_heavy_tail_capped_is_sharper():
    rng = np.random.default_rng(8)
    table = people(4_000, 8).with_columns(revenue=pl.Series(rng.pareto(1.5, 4_000)))
    metrics = [Mean("revenue"), Mean("revenue", winsorise=0.99)]
    plain, capped = analyse(table, metrics, expected=HALVES).comparisons
    assert capped.effect.high - capped.effect.low < 0.7 * (plain.effect.high - plain.effect.low)
    assert capped.metric == "revenue, capped"


def test_identical_arms_and_no_conversions_are_well_defined():
    table = pl.DataFrame({"user": range(40), "variant": ["old", "new"] * 20, "spent": 2.0})
    table = table.with_columns(bought=pl.lit(0), pre=pl.lit(1.0))
    metrics = ["spent", Proportion("bought"), Mean("spent", ["pre"]), "bought"]
    with pytest.raises(ValueError, match="one or more different"):
        analyse(table, metrics, expected=HALVES)
    found = analyse(table, metrics[:3], expected=HALVES)
    assert [each.effect.difference for each in found.comparisons] == [0.0, 0.0, 0.0]
    assert [each.effect.p_value for each in found.comparisons] == [1.0, 1.0, 1.0]
    assert found["bought"].effect.lift is None
    assert found["bought"].effect.high > 0.1  # twenty users without one say little


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda t: analyse(t, "revenue", expected=HALVES, segments="user"), "not user or variant"),
        (lambda t: analyse(t, "revenue", expected=HALVES, correction="x"), "correction must be"),
        (lambda t: analyse(t, "revenue", expected=["old"]), "expected must be planned shares"),
        (lambda t: analyse(t.head(0), "revenue", expected=HALVES), "no users"),
        (lambda t: compare_moments({}, expected=HALVES), "got none"),
        (
            lambda t: compare_moments({"old": Moments(9, 1.0, 1.0)}, expected=HALVES),
            "must have the arms",
        ),
        (
            lambda t: compare_moments(
                dict.fromkeys(HALVES, Moments(9, 1.0, 1.0)), expected=HALVES, proportions=["x"]
            ),
            "proportions must be among",
        ),
    ],
)
def test_bad_calls_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call(people(100, 9))
