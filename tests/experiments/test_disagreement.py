"""Pairs and disagreement: by hand, limits, cross-checks, and coverage on planted truth."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import stats

from workbench.assign import uniform
from workbench.events import EventLog
from workbench.experiments.clustered import cluster_means, paired_interval, share_interval
from workbench.experiments.corrections import holm
from workbench.experiments.degenerate import oddities
from workbench.experiments.disagreement import disagreement, measures
from workbench.experiments.pairs import pairs
from workbench.metrics import share_interval as wilson
from workbench.policy import Explore, Rank, Shadow, Threshold, decide

SCORES = pl.DataFrame(
    {"request": [1, 2, 3, 4], "user": [1, 1, 2, 2], "country": ["ch", "ch", "de", "de"],
     "old": [0.1, 0.6, 0.7, 0.9], "new": [0.6, 0.6, 0.4, 0.9], "again": [0.1, 0.4, 0.7, 0.9]}
)  # fmt: skip


def test_two_score_columns_of_any_kind_of_table_are_the_same_pairs():
    want = pairs(SCORES, live="old", shadow="new", cutoff=0.5)
    for table in (SCORES.to_pandas(), SCORES.to_arrow(), SCORES.lazy()):
        assert pairs(table, live="old", shadow="new", cutoff=0.5).equals(want)
    assert want["live_action"].to_list() == ["approve", "block", "block", "block"]
    assert want["shadow_action"].to_list() == ["block", "block", "approve", "block"]
    assert want["country"].to_list() == ["ch", "ch", "de", "de"]


def test_each_model_may_have_its_cutoff_and_words_are_actions():
    both = pairs(SCORES, live="old", shadow="new", cutoff={"old": 0.8, "new": 0.5})
    assert both["live_action"].to_list() == ["approve", "approve", "approve", "block"]
    words = pl.DataFrame({"request": [1, 2], "a": ["cat", "dog"], "b": ["cat", None]})
    found = disagreement(pairs(words, live="a", shadow="b"))["action"]
    assert (found["requests"], found["disagreement"]) == (2, 0.5)


def test_a_score_that_is_not_finite_is_no_answer():
    frame = pl.DataFrame(
        {"request": [1, 2, 3], "old": [0.1, 0.9, 0.9], "new": [0.1, np.inf, -np.inf]}
    )
    both = pairs(frame, live="old", shadow="new", cutoff=0.5)
    assert both["shadow_score"].to_list() == [0.1, None, None]
    assert both["shadow_action"].to_list() == ["approve", None, None]
    assert oddities(both).alarms == []  # one of three proves nothing
    many = pl.concat([frame.with_columns(pl.col("request") + 3 * i) for i in range(100)])
    found = oddities(pairs(many, live="old", shadow="new", cutoff=0.5))
    assert {"missing answers", "missing scores"} <= set(found.alarms)


def test_rows_of_ones_own_slates_may_come_in_any_order():
    table = pl.DataFrame(
        {"request": [1, 2, 1, 2], "position": [2, 1, 1, 2], "old": ["b", "a", "a", "b"],
         "new": ["b", "a", "c", "b"]}
    )  # fmt: skip
    found = measures(pairs(table, live="old", shadow="new"))
    assert found.rows() == [(1, 1.0), (2, 0.0)]


def test_a_score_that_is_missing_is_null_in_pandas_and_nan_in_polars():
    frame = pd.DataFrame({"request": [1, 2], "old": [0.1, np.nan], "new": [np.nan, 0.9]})
    for table in (frame, pl.DataFrame(frame.to_dict("list"))):
        both = pairs(table, live="old", shadow="new", cutoff=0.5)
        assert both["live_score"].to_list() == [0.1, None]
        assert both["shadow_action"].to_list() == [None, "block"]


def test_disagreement_floor_and_excess_by_hand():
    both = pairs(SCORES, live="old", shadow="new", twin="again", cutoff=0.5)
    found = disagreement(both.drop("user"), by="country")
    row = found["action"]
    assert (row["disagreement"], row["floor"], row["excess"]) == (0.5, 0.25, 0.25)
    low, high = wilson(2, 4).low, wilson(2, 4).high
    assert (row["low"], row["high"]) == pytest.approx((low, high), rel=1e-12)
    # cells: shadow only 2 (requests 1, 3), twin only 1 (request 2), n 4; half a pair to each cell
    middle, total = 1 / 6, 6
    error = np.sqrt((3 + 1 - 1 / total) / total**2)
    z = stats.norm.ppf(0.975)
    assert row["excess_low"] == pytest.approx(middle - z * error, rel=1e-12)
    assert row["excess_high"] == pytest.approx(middle + z * error, rel=1e-12)
    by_country = found.table.filter(pl.col("by") == "country")
    assert by_country["segment"].to_list() == ["ch", "de"]
    assert by_country["disagreement"].to_list() == [0.5, 0.5]
    assert by_country["floor"].to_list() == [0.5, 0.0]


def test_agresti_and_mins_interval_of_a_published_table():
    # Approval in two surveys (Agresti 1990, "Categorical Data Analysis", p. 350; the example of R's
    # `mcnemar.test`): 794 approve twice, 150 then not, 86 only later, 570 never; n 1,600.
    first = np.repeat([1.0, 1.0, 0.0, 0.0], [794, 150, 86, 570])
    second = np.repeat([1.0, 0.0, 1.0, 0.0], [794, 150, 86, 570])
    estimate, low, high, _ = paired_interval(first, second)
    assert estimate[0] == pytest.approx(0.04)  # 944 against 880 of 1,600
    # Wald: 0.04 +- 1.96 sqrt((236 / 1600 - 0.04^2) / 1600); half a pair more moves it by a fraction
    assert (low[0], high[0]) == pytest.approx((0.021, 0.059), abs=5e-4)


def test_a_users_requests_are_one_witness():
    values = np.repeat([1.0, 0.0, 0.0, 1.0, 0.0], 20)
    users = np.repeat(np.arange(5), 20)
    apart, together = cluster_means(values), cluster_means(values, users)
    assert together.variance[0] == pytest.approx(np.var([1, 0, 0, 1, 0], ddof=1) / 5)
    low, high = share_interval(together)
    # the effective number is that of five users, up to n / (n - 1) of the rows
    assert (low[0], high[0]) == pytest.approx((wilson(2, 5).low, wilson(2, 5).high), abs=0.03)
    assert np.subtract(*share_interval(apart))[0] > np.subtract(*share_interval(together))[0]


def test_clustered_variance_is_that_of_sums_of_residuals_for_unequal_users():
    rng = np.random.default_rng(0)
    users = rng.integers(0, 40, 500)
    group = users % 3
    values = rng.random(500) + users / 40
    found = cluster_means(values, users, group)
    for g in range(3):
        mine, who = values[group == g], users[group == g]
        residual = mine - mine.mean()
        sums = np.array([residual[who == u].sum() for u in np.unique(who)])
        k = len(sums)
        assert found.clusters[g] == k
        assert found.variance[g] == pytest.approx(
            (sums**2).sum() * k / (k - 1) / len(mine) ** 2, rel=1e-12
        )


def test_holm_agrees_with_a_worked_example():
    # Holm 1979: sorted .01 .02 .03 .04 times 4 3 2 1, never falling
    assert holm(np.array([0.04, 0.01, 0.03, 0.02])) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert np.isnan(holm(np.array([np.nan]))[0])


def slates(n=300, m=12, seed=0):
    rng = np.random.default_rng(seed)
    return pl.DataFrame(
        {"request": np.repeat(np.arange(n), m), "user": np.repeat(np.arange(n) // 3, m),
         "item": np.tile(np.arange(m), n), "score": rng.random(n * m),
         "other": rng.random(n * m), "device": np.repeat(np.where(np.arange(n) % 2, "a", "b"), m)}
    )  # fmt: skip


def logged(policy, frame):
    time = pl.lit("2024-05-01").str.to_datetime(time_zone="UTC")
    return decide(policy, frame.with_columns(time=time))


def test_slates_of_a_log_are_compared_place_by_place(tmp_path):
    policy = Shadow(Rank("score", 4, "a@1"), {"b": Rank("other", 4, "b@1")}, sample=0.5)
    decisions = logged(policy, slates())
    log = EventLog(tmp_path)
    log.append(decision=decisions, known_at="time")
    both = pairs(log, live="a@1", shadow="b@1")
    assert both.select("request", "position").n_unique() == len(both)
    assert both["request"].n_unique() == decisions.filter(~pl.col("live"))["request"].n_unique()
    some = pairs(decisions, live="a@1", shadow="b@1")
    columns = ["request", "position", "live_item", "shadow_item", "device", "user"]
    assert both.select(columns).equals(some.select(columns))
    shadow = decisions.filter(pl.col("policy") == "b@1").sort("request", "position")
    assert some["shadow_item"].to_list() == shadow["item"].to_list()
    found = disagreement(some, by="device")
    assert found["action"]["disagreement"] == 0
    expected = (some["live_item"] != some["shadow_item"]).to_numpy().reshape(-1, 4)
    assert found["first item"]["disagreement"] == pytest.approx(expected[:, 0].mean())
    assert found["any item"]["disagreement"] == pytest.approx(expected.any(axis=1).mean())
    assert found.cluster == "user"


def test_what_a_sampled_shadow_left_out_is_told_from_what_it_was_not_shown():
    n = 1_000
    frame = pl.DataFrame({"request": range(n), "score": np.linspace(0, 1, n)})
    both = Shadow(Threshold("score", 0.5, "a"), {"b": Threshold("score", 0.6, "b")}, sample=0.3)
    decisions = decide(both, frame)
    shown = uniform("shadow", np.arange(n)) < 0.3
    silent = pl.col("request") % 10 == 0
    kept = decisions.filter(pl.col("live") | ~silent)
    assert len(pairs(kept, live="a", shadow="b")) == (shown & (np.arange(n) % 10 > 0)).sum()
    asked = pairs(kept, live="a", shadow="b", sample=0.3)
    assert len(asked) == shown.sum()
    assert asked["shadow_action"].null_count() == (shown & (np.arange(n) % 10 == 0)).sum()


def test_short_and_empty_slates_have_their_places():
    decisions = pl.DataFrame(
        {"request": [1, 1, 2, 1, 2, 2], "policy": ["a", "a", "a", "b", "b", "b"],
         "position": [1, 2, 1, 1, 1, 2], "item": ["x", "y", None, "x", "x", "y"]}
    )  # fmt: skip
    both = pairs(decisions, live="a", shadow="b")
    assert both["live_item"].to_list() == ["x", "y", None, None]
    found = measures(both)
    assert found["shadow any item"].to_list() == [1.0, 1.0]
    assert found["shadow items"].to_list() == [0.5, 1.0]
    assert found["shadow order"].to_list() == pytest.approx([0.0, 1.0])  # so far as both go


def test_another_salt_is_the_floor_and_a_shadow_like_it_has_no_excess():
    covered, n = 0, 100
    for seed in range(n):
        frame = slates(60, 8, seed)
        policies = {
            name: Explore("score", 3, temperature=0.3, salt=f"{name} {seed}", name=name)
            for name in ("live", "shadow", "twin")
        }
        decisions = pl.concat(decide(policy, frame) for policy in policies.values())
        row = disagreement(pairs(decisions, live="live", shadow="shadow", twin="twin"))
        row = row["first item"]
        assert row["floor"] > 0
        covered += row["excess_low"] <= 0 <= row["excess_high"]
    # no true excess: intervals of 95 % cover 0; binomial band of 100 with 0.1 % each side
    assert stats.binom.ppf(0.001, n, 0.95) <= covered


def test_intervals_of_rate_and_excess_cover_what_was_planted_with_clustered_users():
    rng, n, hit = np.random.default_rng(5), 1_000, np.zeros(2)
    users, each = 150, 6
    for _ in range(n):
        habit = rng.beta(1, 4, users)  # users differ: mean 0.2
        user = np.repeat(np.arange(users), each)
        shadow = rng.random(users * each) < habit[user]
        twin = rng.random(users * each) < 0.5 * habit[user]
        low, high = share_interval(cluster_means(shadow, user))
        hit[0] += low[0] <= 0.2 <= high[0]
        _, low, high, _ = paired_interval(shadow, twin, user)
        hit[1] += low[0] <= 0.1 <= high[0]
    band = stats.binom.ppf([0.0005, 0.9995], n, 0.95)
    assert (hit >= band[0]).all()
    assert (hit <= band[1]).all()


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda: pairs(SCORES, live="old", shadow="old"), "must be different"),
        (lambda: pairs(SCORES, live="old", shadow="newer"), "'newer' is no column"),
        (lambda: pairs(SCORES.drop("request"), live="old", shadow="new"), "no column 'request'"),
        (lambda: pairs(pl.concat([SCORES, SCORES]), live="old", shadow="new"), "comes twice"),
        (
            lambda: pairs(SCORES.with_columns(request=None), live="old", shadow="new"),
            "request is null in 4 rows",
        ),
        (lambda: pairs(SCORES, live="old", shadow="country"), "all be scores or all be words"),
        (lambda: pairs(SCORES, live="old", shadow="new", cutoff={"old": 1}), "number for 'new'"),
        (lambda: pairs(3, live="old", shadow="new"), "not a table"),
        (
            lambda: pairs(pl.DataFrame({"request": [1], "policy": ["a"], "score": [0.1]}),
                          live="a", shadow="b"),
            "no decision is by policy 'b'",
        ),
        (
            lambda: pairs(pl.DataFrame({"request": [1, 2], "policy": ["a", "b"], "score": [0., 1]}),
                          live="a", shadow="b"),
            "no common request",
        ),
        (lambda: disagreement(pairs(SCORES, live="old", shadow="new")), "give a cutoff"),
        (
            lambda: disagreement(pairs(SCORES, live="old", shadow="new", cutoff=1), by="city"),
            "no column 'city'",
        ),
        (
            lambda: pairs(SCORES, live="old", shadow="new", labels=SCORES.select("request")),
            "labels has no column 'label'",
        ),
    ],
)  # fmt: skip
def test_bad_input_has_a_clear_error(ask, words):
    with pytest.raises(ValueError, match=words):
        ask()


def test_identical_policies_and_a_single_request_have_an_answer():
    same = SCORES.with_columns(new="old", again="old")
    row = disagreement(pairs(same, live="old", shadow="new", twin="again", cutoff=0.5))["action"]
    assert (row["disagreement"], row["excess"], row["p_value"]) == (0, 0, 1)
    assert row["high"] == pytest.approx(wilson(0, 2).high)  # two users
    one = disagreement(pairs(SCORES[:1], live="old", shadow="new", cutoff=0.5))["action"]
    assert (one["requests"], one["disagreement"]) == (1, 1)
    assert 0 <= one["low"] < one["high"] == 1


def test_segments_of_several_columns_are_corrected_together():
    rng = np.random.default_rng(0)
    n = 4_000
    frame = pl.DataFrame(
        {"request": range(n), "a": rng.integers(0, 3, n), "b": rng.integers(0, 2, n),
         "old": rng.random(n)}
    )  # fmt: skip
    frame = frame.with_columns(new=pl.col("old") + 0.02, again=pl.col("old") + 0.01)
    both = pairs(frame, live="old", shadow="new", twin="again", cutoff=0.9)
    table = disagreement(both, by=["a", "b"]).table
    assert table["segment"].to_list() == [None, "0", "1", "2", "0", "1"]
    assert table["p_adjusted"][0] == table["p_value"][0]
    want = holm(table["p_value"].to_numpy()[1:])
    assert table["p_adjusted"].to_list()[1:] == pytest.approx(want.tolist())
    assert max(map(len, repr(disagreement(both, by=["a", "b"])).splitlines())) <= 90
