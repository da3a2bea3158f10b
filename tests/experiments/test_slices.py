"""Slices, cells, score shift and calibration: by hand, limits, and against SciPy."""

import numpy as np
import polars as pl
import pytest
from scipy import stats

from workbench.experiments.cells import cells, rows_of
from workbench.experiments.score_shift import calibration, score_shift
from workbench.experiments.slices import slices, who_was_right
from workbench.metrics import auc, log_loss, population_stability_index, share_interval


def both(n=1_000, seed=0):
    rng = np.random.default_rng(seed)
    live = rng.random(n)
    shadow = np.clip(live + rng.normal(0, 0.1, n), 0, 1)
    label = rng.random(n) < live
    action = {
        f"{who}_action": np.where(score >= 0.5, "block", "approve")
        for who, score in (("live", live), ("shadow", shadow))
    }
    return pl.DataFrame(
        {"request": range(n), "user": rng.integers(0, n // 5 + 1, n), "live_score": live,
         "shadow_score": shadow, "label": label.astype(int), "amount": rng.lognormal(3, 1, n),
         "country": rng.choice(["ch", "de"], n)} | action
    )  # fmt: skip


def test_a_slice_by_words_is_what_a_group_by_says():
    table = both()
    found = slices(table, "country").sort("value")
    for value, row in zip(["ch", "de"], found.iter_rows(named=True), strict=True):
        mine = table.filter(pl.col("country") == value)
        block = mine["label"] == 1
        right = {w: (mine[f"{w}_action"] == "block") == block for w in ("live", "shadow")}
        assert row["rows"] == len(mine)
        assert row["disagree"] == (mine["live_action"] != mine["shadow_action"]).mean()
        assert row["mean_live"] == pytest.approx(mine["live_score"].mean())
        assert row["rate"] == mine["label"].mean()
        assert row["both"] == (right["live"] & right["shadow"]).mean()
        assert row["live"] == (right["live"] & ~right["shadow"]).mean()
        assert row["both"] + row["live"] + row["shadow"] + row["neither"] == pytest.approx(1)


def test_a_slice_by_numbers_has_bins_in_order_and_keeps_the_missing():
    table = both().with_columns(
        amount=pl.when(pl.col("request") < 10).then(None).otherwise("amount")
    )
    found = slices(table, "amount", bins=4)
    assert found["rows"].to_list() == [10, 248, 247, 247, 248]
    assert found["value"][0] is None
    assert found["value"][1].startswith("<= ")
    assert found["value"][-1].startswith("> ")


def test_few_numbers_stay_numbers_and_rare_words_are_put_together():
    table = both().with_columns(hour=pl.col("request") % 24, word=pl.col("request").cast(pl.String))
    assert slices(table, "hour")["value"].dtype.is_integer()
    found = slices(table, "word", most=3)
    assert found["value"][0] == "(others)"
    assert found["rows"].sum() == 1_000


def test_who_was_right_is_unknown_without_a_label_or_an_answer():
    table = pl.DataFrame(
        {"live_action": ["block", "approve", None, "approve"], "label": [1, None, 1, 0],
         "shadow_action": ["approve", "block", "block", "block"]}
    )  # fmt: skip
    assert who_was_right(table).to_list() == ["live", None, None, "live"]


@pytest.mark.parametrize("edges", [None, np.array([0.0, 0.1, 0.11, 0.7, 1.0])])
def test_cells_are_numpys_histogram_and_lead_back_to_their_rows(edges):
    table = both().with_columns(
        label=pl.when(pl.col("request") % 3 == 0).then(None).otherwise("label")
    )
    found = cells(table, 8, edges=edges)
    live, shadow = (table[f"{who}_score"].to_numpy() for who in ("live", "shadow"))
    want = np.histogram2d(live, shadow, bins=[found.edges] * 2)[0]
    np.testing.assert_array_equal(found.counts, want)
    assert found.labelled.sum() == table["label"].count()
    assert found.positives.sum() == table["label"].sum()
    rows = 0
    for i in range(len(want)):
        for j in range(len(want)):
            behind = rows_of(table, found, i, j)
            assert len(behind) == found.counts[i, j]
            differ = (behind["live_action"] != behind["shadow_action"]).sum()
            assert differ == found.disagreements[i, j]
            rows += len(behind)
    assert rows == len(table) == found.table["rows"].sum()
    assert len(rows_of(table, found, 0, 0, most=2)) <= 2


def test_cells_on_the_edges_and_with_one_score():
    steps = np.arange(11) / 10  # whose tenths are not exact
    table = pl.DataFrame({"live_score": steps, "shadow_score": steps[::-1]})
    found = cells(table, 10)
    want = np.histogram2d(steps, steps[::-1], bins=[found.edges] * 2)[0]
    np.testing.assert_array_equal(found.counts, want)
    one = pl.DataFrame({"live_score": [0.3, None], "shadow_score": [0.3, 0.2]})
    assert cells(one, 3).counts.sum() == 1
    assert cells(one, 3).missing == 1


def test_score_shift_agrees_with_scipy_and_metrics():
    table = both()
    row = score_shift(table.drop("user")).table.row(0, named=True)
    live, shadow = table["live_score"].to_numpy(), table["shadow_score"].to_numpy()
    assert row["ks"] == pytest.approx(stats.ks_2samp(live, shadow).statistic, rel=1e-12)
    assert row["psi"] == population_stability_index(live, shadow)
    assert row["tau"] == pytest.approx(stats.kendalltau(live, shadow).statistic, rel=1e-12)
    want = stats.ttest_rel(shadow, live).confidence_interval()
    assert (row["low"], row["high"]) == pytest.approx((want.low, want.high), rel=1e-9)


def test_calibration_by_hand_and_with_metrics():
    table = both(4_000)
    found = calibration(table.drop("user"))
    for row in found.table.iter_rows(named=True):
        score, label = table[f"{row['policy']}_score"].to_numpy(), table["label"].to_numpy()
        assert (row["auc"], row["log_loss"]) == (auc(label, score), log_loss(label, score))
        assert row["gap"] == pytest.approx(score.mean() - label.mean())
    first = found.bins.filter(pl.col("policy") == "live").row(0, named=True)
    lowest = table.sort("live_score").head(400)
    assert first["rows"] == 400
    assert first["rate"] == lowest["label"].mean()
    want = share_interval(int(lowest["label"].sum()), 400)
    assert (first["low"], first["high"]) == pytest.approx((want.low, want.high))
    by_policy = dict(found.table.select("policy", "error").rows())
    assert by_policy["live"] < 0.05  # labels were drawn from the live score


def test_scores_that_are_no_chances_have_no_log_loss():
    table = both().with_columns(pl.col("shadow_score") * 10)
    row = calibration(table).table.row(1, named=True)
    assert row["log_loss"] is None
    assert row["auc"] > 0.5


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda t: slices(t, "city"), "no column 'city'"),
        (lambda t: who_was_right(t.drop("label")), "no column 'label'"),
        (lambda t: cells(t.drop("live_score")), "no column 'live_score'"),
        (lambda t: cells(t, 0), "bins must be at least 1, got 0"),
        (lambda t: cells(t, edges=[1, 0]), "ascending"),
        (lambda t: cells(t.with_columns(live_score=None)), "no row has both scores"),
        (lambda t: rows_of(t, cells(t, 3), 3, 0), "bins go from 0 to 2, got 3 and 0"),
        (lambda t: score_shift(t.drop("shadow_score")), "no scores"),
        (lambda t: score_shift(t.with_columns(live_score=float("inf"))), "infinite"),
        (lambda t: calibration(t.drop("label")), "no column 'label'"),
        (lambda t: calibration(t.with_columns(label=2)), "labels must be 0, 1 or null"),
        (lambda t: calibration(t.with_columns(label=None)), "no request with a score"),
    ],
)
def test_bad_input_has_a_clear_error(ask, words):
    with pytest.raises(ValueError, match=words):
        ask(both(50))


@pytest.mark.clock
def test_a_million_rows_are_sliced_behind_a_slider(fastest):
    table = both(1_000_000)
    for ask in (lambda: slices(table, "country"), lambda: slices(table, "amount"),
                lambda: cells(table, 40)):  # fmt: skip
        assert fastest(ask) < 0.5  # on a quiet machine 0.1, 0.13 and 0.06
