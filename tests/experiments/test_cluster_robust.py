"""Errors of clusters: by hand, statsmodels' own numbers, the delta method, and coverage."""

import numpy as np
import polars as pl
import pytest

from workbench.experiments.cluster_robust import cluster_robust
from workbench.experiments.cuped import moments_of
from workbench.experiments.difference import Moments, difference_in_means
from workbench.experiments.metric import Ratio
from workbench.experiments.statistics import statistics


def table(treated):
    return pl.DataFrame(
        {
            "shop": [0, 0, 1, 1, 1, 2, 3, 3, 4, 4, 5, 5, 5],
            "variant": ["new" if each else "old" for each in treated],
            "sold": [1.0, 3, 2, 6, 4, 8, 5, 9, 7, 7, 12, 10, 6],
        }
    )


NESTED = table([0] * 6 + [1] * 7)
CROSSED = table([0, 1, 0, 1, 1, 0, 1, 0, 0, 1, 1, 1, 0])


def test_by_hand():
    # old: mean 4; shops' residuals -3 - 1 = -4, -2 + 2 + 0 = 0, 4, over 6 rows
    # new: mean 8; -3 + 1 = -2, -1 - 1 = -2, 4 + 2 - 2 = 4, over 7 rows
    made = cluster_robust(NESTED, "sold", cluster="shop", control="old", kind="CR0")
    assert made.difference == 4.0
    assert made.error**2 == pytest.approx((16 + 0 + 16) / 36 + (4 + 4 + 16) / 49)
    rows = (9 + 1 + 4 + 4 + 0 + 16) / 36 + (9 + 1 + 1 + 1 + 16 + 4 + 4) / 49
    assert made.design_effect == pytest.approx(made.error**2 / rows)
    assert made.table.rows() == [("old", 6, 3, 4.0, 6.0), ("new", 7, 3, 8.0, 7.0)]


@pytest.mark.parametrize(
    ("rows", "kind", "difference", "error", "p_value", "low", "high"),
    [
        (NESTED, "CR0", 4.0, 1.174174095803616, 0.01911264643360343, 0.9816893974525311,
         7.018310602547469),
        (NESTED, "CR1", 4.0, 1.3434372883320211, 0.03089102711912372, 0.5465845092972001,
         7.4534154907028),
        (CROSSED, "CR0", 1.2142857142857113, 1.504145704859896, 0.4561684195278037,
         -2.652243912777519, 5.080815341348941),
        (CROSSED, "CR1", 1.2142857142857113, 1.7209759900300232, 0.5119556558876412,
         -3.2096239052516897, 5.638195333823113),
    ],
)  # fmt: skip
def test_the_numbers_of_statsmodels(rows, kind, difference, error, p_value, low, high):
    """OLS(...).fit(cov_type="cluster", use_t=True) of statsmodels 0.15.0, with use_correction."""
    made = cluster_robust(rows, "sold", cluster="shop", control="old", kind=kind)
    found = (made.difference, made.error, made.p_value, made.low, made.high)
    assert found == pytest.approx((difference, error, p_value, low, high), rel=1e-9)


def views(users=400, seed=0, effect=0.0):
    """Clicks on views of users who click more or less often, and see few or many views."""
    rng = np.random.default_rng(seed)
    many = rng.integers(1, 30, users)
    user = np.repeat(np.arange(users), many)
    treated = np.arange(users) % 2 == 1
    rate = rng.beta(1, 4, users) + effect * treated
    clicked = rng.random(len(user)) < rate[user]
    variant = np.where(treated, "new", "old")[user]
    return pl.DataFrame({"user": user, "variant": variant, "clicks": clicked.astype(float)})


def test_a_mean_over_rows_is_the_ratio_of_the_delta_method():
    rows = views().with_columns(views=pl.lit(1.0))
    ratio = Ratio("clicks", "views")
    by_rows = cluster_robust(rows, "clicks", cluster="user", control="old", kind="CR0")
    made = statistics(rows, ratio)
    old, new = (moments_of(made.sample(variant=name), ratio) for name in ("old", "new"))
    delta = sum(each.variance * (each.users - 1) / each.users**2 for each in (old, new))
    assert by_rows.error**2 == pytest.approx(delta, rel=1e-9)
    assert by_rows.difference == pytest.approx(new.mean - old.mean, rel=1e-9)
    per_user = rows.group_by("user", "variant").agg(pl.col("clicks", "views").sum())
    as_ratio = cluster_robust(per_user, ratio, cluster="user", control="old", kind="CR0")
    assert as_ratio.error == pytest.approx(by_rows.error, rel=1e-9)


def test_clusters_of_one_row_have_the_usual_error():
    rows = views().unique("user", keep="first", maintain_order=True)
    made = cluster_robust(rows, "clicks", cluster="user", control="old", kind="CR0")
    assert made.design_effect == pytest.approx(1.0)
    arms = [rows.filter(variant=name)["clicks"] for name in ("old", "new")]
    assert made.error**2 == pytest.approx(sum(arm.var(ddof=0) / len(arm) for arm in arms))


def test_the_interval_covers_where_that_of_independent_rows_does_not():
    covered, naive, wide = 0, 0, []
    for seed in range(400):
        rows = views(users=200, seed=seed, effect=0.1)
        made = cluster_robust(rows, "clicks", cluster="user", control="old")
        covered += made.low <= 0.1 <= made.high
        wide.append(made.design_effect)
        arms = [rows.filter(variant=name)["clicks"] for name in ("old", "new")]
        alone = difference_in_means(*(Moments(len(a), a.mean(), a.var()) for a in arms))
        naive += alone.low <= 0.1 <= alone.high
    assert covered / 400 == pytest.approx(0.95, abs=4 * np.sqrt(0.05 * 0.95 / 400))
    assert naive / 400 < 0.85
    assert np.mean(wide) > 2


def test_every_kind_of_table_and_order_of_rows():
    rows = views()
    made = [
        cluster_robust(each, "clicks", cluster="user", control="old")
        for each in (rows, rows.lazy(), rows.to_pandas(), rows.to_arrow(), rows.reverse())
    ]
    for each in made[1:]:
        assert each.error == pytest.approx(made[0].error, rel=1e-12)


def test_the_report_says_the_kind_and_warns_of_few_clusters():
    few, many = (
        repr(cluster_robust(rows, column, cluster=cluster, control="old"))
        for rows, column, cluster in ((NESTED, "sold", "shop"), (views(), "clicks", "user"))
    )
    assert "CR1 with 6 clusters of shop" in few
    assert "few clusters" in few
    assert "few clusters" not in many
    assert max(map(len, (few + "\n" + many).split("\n"))) <= 90


def test_no_variance_and_identical_arms_are_defined():
    same = NESTED.with_columns(sold=pl.lit(2.0))
    made = cluster_robust(same, "sold", cluster="shop", control="old")
    assert (made.difference, made.error, made.p_value) == (0.0, 0.0, 1.0)
    apart = NESTED.with_columns(sold=pl.when(variant="new").then(2.0).otherwise(1.0))
    made = cluster_robust(apart, "sold", cluster="shop", control="old")
    assert (made.difference, made.error, made.p_value) == (1.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("change", "asked", "words"),
    [
        ({}, {"control": "base"}, r"two arms, 'base' and another, got \['new', 'old'\]"),
        ({"variant": pl.lit("old")}, {}, r"two arms, 'old' and another, got \['old'\]"),
        ({"variant": pl.lit(None).cast(str)}, {}, "'variant' is null in some rows"),
        ({"shop": pl.lit(None).cast(int)}, {}, "'shop' is null in some rows"),
        ({"shop": pl.col("shop") // 3}, {}, "shop must have at least three clusters, got 2"),
        ({"sold": pl.lit(None).cast(float)}, {}, r"\['sold'\] are null in 13 rows"),
        ({"sold": pl.lit(np.nan)}, {}, "must be finite, got NaN or infinite"),
        ({"sold": pl.lit(np.inf)}, {}, "must be finite, got NaN or infinite"),
        ({"sold": pl.lit("much")}, {}, "metric 'sold' must be numbers, got String"),
        ({"none": pl.lit(0.0)}, {"metric": Ratio("sold", "none")}, "'none' is 0 in old: no ratio"),
        ({}, {"metric": "gone"}, "has no column 'gone'"),
        ({}, {"metric": 3}, "metric must be a column or a Ratio, got int"),
        ({}, {"metric": Ratio("sold", "shop", ["shop"])}, "takes no covariates"),
        ({}, {"kind": "CR3"}, "kind must be CR0 or CR1, got 'CR3'"),
        ({}, {"confidence": 95}, r"confidence must be in \(0, 1\), got 95"),
    ],
)
def test_bad_input_is_refused_by_name(change, asked, words):
    asked = {"metric": "sold", "cluster": "shop", "control": "old", **asked}
    for rows in (NESTED.with_columns(**change), NESTED.with_columns(**change).lazy()):
        with pytest.raises(ValueError, match=words):
            cluster_robust(rows, **asked)
