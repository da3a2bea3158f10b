"""The arena: cells keep their truth, procedures decide as planned, no worker changes a bit."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from benchmarks.broken_worlds import workers_map
from workbench.assign import assign
from workbench.cluster import connect
from workbench.experiments.analyse import analyse
from workbench.marketplace.potential import METRICS, PotentialOutcomes
from workbench.studies.arena import ArenaSpec, arena
from workbench.studies.arena_cells import (
    clean,
    heavy_tail,
    shown_to,
    srm_bug,
    winsorised,
    with_twin,
)
from workbench.studies.arena_procedures import PROCEDURES, decide
from workbench.studies.arena_readings import Readings, cohorts, read
from workbench.studies.arena_verdicts import peeking, verdicts

SMALL = ArenaSpec(experiments=60, twins=60, looks=7, horizon_users=100_000)


def planted(users=4_000, lift=0.2, seed=5):
    """Revenue of a control, of an arm that brings everybody so much more, and from before."""
    rng = np.random.default_rng(seed)
    level = rng.gamma(1.0, 1.0, users)
    rows = np.zeros((len(METRICS), users, 1))
    rows[METRICS.index("revenue"), :, 0] = level * rng.gamma(1.0, 10.0, users)
    values = {"old": rows, "new": rows * (1 + lift)}
    return PotentialOutcomes(np.arange(users), 0, values, False), level * rng.gamma(1, 10, users)


@pytest.fixture(scope="module")
def cell():
    return clean(planted()[0], "revenue", planted()[1])


@pytest.fixture(scope="module")
def marked(cell):
    return arena([cell, srm_bug(cell, lost_share=0.1, busy_share=0.1)], SMALL)


class TestCells:
    def test_the_truth_is_the_mean_over_everybody(self, cell):
        mean = cell.outcomes.of("revenue", "old").mean()
        assert cell.truth == {"new": pytest.approx(0.2 * mean)}
        assert with_twin(cell).truth["same"] == 0.0
        assert with_twin(with_twin(cell)).outcomes.arms == ["old", "new", "same"]

    def test_the_bug_loses_busy_users_only_and_as_many_as_asked(self, cell):
        lost = srm_bug(cell, lost_share=0.02, busy_share=0.1).lost
        assert lost.mean() == pytest.approx(0.02, abs=0.006)
        assert cell.covariate[lost].min() >= np.quantile(cell.covariate, 0.9)

    def test_a_heavy_tail_makes_few_users_worth_many(self, cell):
        tail = heavy_tail(cell, index=1.5)
        old, usual = (each.outcomes.of("revenue", "old") for each in (tail, cell))
        factor = old / usual
        for above in (2.0, 10.0, 50.0):  # of a Pareto number: above ** -1.5
            assert (factor > above).mean() == pytest.approx(above**-1.5, abs=0.02)
        assert factor.max() > 100
        np.testing.assert_allclose(tail.covariate, cell.covariate * factor)
        assert tail.truth["new"] == pytest.approx(0.2 * old.mean())

    def test_winsorising_cuts_both_arms_at_one_value_and_leaves_the_truth(self, cell):
        cut = winsorised(cell, share=0.01)
        old, new = (cut.outcomes.of("revenue", arm) for arm in ("old", "new"))
        top = np.quantile(cell.outcomes.of("revenue", "old"), 0.99)
        assert old.max() == new.max() == pytest.approx(top)
        assert (old == cell.outcomes.of("revenue", "old")).mean() == pytest.approx(0.99, abs=1e-3)
        assert cut.truth == cell.truth
        assert (new - old).mean() < cell.truth["new"]

    def test_who_is_touched_is_nested_and_has_their_share_of_the_effect(self):
        outcomes, _ = planted(users=20_000)
        arms = shown_to(outcomes, {"a": 0.0, "b": 0.3, "c": 1.0}, base="old", other="new", salt="x")
        old, part, new = (arms.of("revenue", arm) for arm in ("a", "b", "c"))
        assert (old == outcomes.of("revenue", "old")).all()
        assert (new == outcomes.of("revenue", "new")).all()
        share = (part - old).mean() / (new - old).mean()
        assert share == pytest.approx(0.3, abs=0.02)

    @pytest.mark.parametrize(
        ("make", "message"),
        [
            (lambda c: clean(c.outcomes, "revenue", c.covariate[:3]), "covariate must be"),
            (lambda c: clean(c.outcomes, "revenue", c.covariate * np.nan), "covariate must be"),
            (lambda c: clean(c.outcomes, "income", c.covariate), "metric must be of"),
            (lambda c: srm_bug(c, lost_share=0.2, busy_share=0.1), "lost_share <= busy_share"),
            (lambda c: heavy_tail(c, index=1.0), "index must be above 1"),
            (lambda c: winsorised(c, share=1.0), r"share must be in \(0, 1\)"),
            (lambda c: shown_to(c.outcomes, {"a": 2.0}, base="old", other="new", salt=""), "2.0"),
            (lambda c: shown_to(c.outcomes, {}, base="old", other="x", salt=""), "got 'x'"),
            (lambda c: cohorts(c.outcomes.users, 5_000), "count must be in"),
            (lambda c: arena([c, c], SMALL), "different names"),
            (lambda c: arena([], SMALL), "different names"),
            (lambda c: arena([c], replace(SMALL, horizon_users=10)), "horizon must be at least"),
            (lambda c: ArenaSpec(share=1.0), "share must be in"),
            (lambda c: ArenaSpec(looks=0), "looks must be at least 1"),
            (lambda c: peeking(c, (3, 10)), "divide the largest"),
        ],
    )
    def test_what_makes_no_sense_is_refused(self, make, message, cell):
        with pytest.raises(ValueError, match=message):
            make(cell)


@pytest.mark.parametrize("bug", [False, True])
def test_readings_are_the_sums_over_those_who_have_arrived(bug, cell):
    cell = srm_bug(cell, lost_share=0.05, busy_share=0.1) if bug else cell
    seen = read(cell, "new", range(3, 5), looks=6, share=0.3, salt="s")
    users, arrived = cell.outcomes.users, cohorts(cell.outcomes.users, 6)
    for row, number in enumerate((3, 4)):
        new = assign(users, {"old": 0.7, "new": 0.3}, salt=f"s/{number}") == "new"
        for look in (0, 3, 5):
            arms = []
            for arm, dealt in (("old", ~new), ("new", new)):
                here = dealt & (arrived <= look)
                if bug and arm == "new":
                    here &= ~cell.lost
                shown = np.stack([cell.outcomes.of("revenue", arm)[here], cell.covariate[here]])
                arms.append((here.sum(), shown.mean(axis=1), np.cov(shown), shown))
            (n0, mean0, cov0, shown0), (n1, mean1, cov1, shown1) = arms
            assert seen[False].control_users[row, look] == n0
            assert seen[False].users[row, look] == n1
            pooled = np.cov(np.hstack([shown0, shown1]))  # both arms as one, as `adjust` does
            for cuped, slope in ((False, 0.0), (True, pooled[0, 1] / pooled[1, 1])):
                weights = np.array([1.0, -slope])
                estimate = (mean1 - mean0) @ weights
                variance = weights @ cov0 @ weights / n0 + weights @ cov1 @ weights / n1
                assert seen[cuped].estimate[row, look] == pytest.approx(estimate, rel=1e-9)
                assert seen[cuped].variance[row, look] == pytest.approx(variance, rel=1e-9)


def test_a_covariate_that_says_nothing_changes_nothing(cell):
    flat = replace(cell, covariate=np.ones(len(cell.covariate)))
    seen = read(flat, "new", range(2), looks=3, share=0.5, salt="s")
    np.testing.assert_array_equal(seen[True].estimate, seen[False].estimate)
    np.testing.assert_array_equal(seen[True].variance, seen[False].variance)


def test_the_fixed_horizon_says_what_analyse_says(cell):
    shares = {"old": 0.5, "new": 0.5}
    dealt = cell.outcomes.deal(shares, salt="s/7")
    effect = analyse(dealt, ["revenue"], expected=shares)["revenue"].effect
    readings = read(cell, "new", range(7, 8), looks=5, share=0.5, salt="s")[False]
    half = PROCEDURES["fixed horizon"](readings, 0.05)
    ends = decide(readings, half, share=0.5, srm_alpha=0.001)
    assert ends.estimate[0] == pytest.approx(effect.difference, rel=1e-9)
    assert ends.low[0] == pytest.approx(effect.low, rel=2e-3)  # normal here, Student's t there
    assert ends.high[0] == pytest.approx(effect.high, rel=2e-3)


class TestProcedures:
    def test_it_stops_at_the_first_look_without_zero_and_at_the_last_at_the_latest(self):
        estimate = np.array([[3.0, 1.0, -9.0], [0.5, -2.0, 0.0], [0.0, 0.0, 0.5], [0, 0, 5.0]])
        users = np.full((4, 3), [100.0, 200.0, 300.0])
        treated = users.copy()
        treated[3] += 60.0  # 360 of 660: p = 0.0195 at the end
        readings = Readings(users, treated, estimate, np.ones((4, 3)), 600)
        half = np.full((4, 3), [np.inf, 1.5, 1.0])
        ends = decide(readings, half, share=0.5, srm_alpha=0.001)
        assert ends.look.tolist() == [2, 1, 2, 2]
        assert ends.claim.tolist() == [-1, -1, 0, 1]
        assert ends.low.tolist() == [-10.0, -3.5, -0.5, 4.0]
        assert ends.high.tolist() == [-8.0, -0.5, 1.5, 6.0]
        blocked = decide(readings, half, share=0.5, srm_alpha=0.02)
        assert blocked.claim.tolist() == [-1, -1, 0, 0]
        assert blocked.blocked.tolist() == [False, False, False, True]

    def test_only_the_peeker_and_the_fixed_horizon_use_the_plain_interval(self):
        ones = np.ones((1, 10))
        users = np.arange(1, 11) * 100.0 * ones
        readings = Readings(users, users, ones, ones, 2_000)
        half = {name: make(readings, 0.05)[0] for name, make in PROCEDURES.items()}
        assert np.isinf(half["fixed horizon"][:-1]).all()
        assert half["fixed horizon"][-1] == pytest.approx(1.96, abs=1e-3)
        assert half["daily peek"] == pytest.approx(1.96, abs=1e-3)
        assert (np.diff(half["group sequential"]) < 0).all()
        assert 1.96 < half["group sequential"][-1] < 2.2
        assert (half["always-valid"] > half["group sequential"][-1]).all()

    def test_identical_users_claim_nothing(self):
        rows = np.ones((len(METRICS), 200, 1))
        outcomes = PotentialOutcomes(np.arange(200), 0, {"old": rows, "new": rows}, False)
        result = arena([clean(outcomes, "revenue", np.ones(200))], SMALL)
        assert result.rows["claim"].to_list() == [0] * result.rows.height
        assert result.rows["estimate"].abs().max() == 0.0
        assert "no arm has an effect" in repr(result)


class TestArena:
    def test_the_bug_is_blocked_at_the_end_and_kills_the_read_out(self, marked):
        rows = marked.table.filter(pl.col("procedure") == "fixed horizon", ~pl.col("cuped"))
        good, bad = rows.rows(named=True)
        assert good["blocked"] < 0.05 < 0.1 < bad["blocked"]
        assert bad["coverage"] < 0.9 < good["coverage"]
        assert bad["bias_high"] < 0
        assert abs(good["bias"]) < 0.5

    def test_peeking_claims_more_of_nothing_and_exaggerates_more(self, marked):
        rows = marked.table.filter(pl.col("cell") == "clean", ~pl.col("cuped"))
        by = {row["procedure"]: row for row in rows.iter_rows(named=True)}
        fixed, peek = by["fixed horizon"], by["daily peek"]
        assert peek["type_i"] > fixed["type_i"]
        assert peek["type_m"] > fixed["type_m"]
        assert peek["days"] < by["group sequential"]["days"] <= fixed["days"] == SMALL.looks

    def test_cuped_narrows_and_stays_true(self, marked):
        by = marked.by_arm.filter(pl.col("cell") == "clean", pl.col("arm") == "new")
        fixed = by.filter(pl.col("procedure") == "fixed horizon").sort("cuped")
        off, on = fixed.rows(named=True)
        assert on["bias_high"] - on["bias_low"] < off["bias_high"] - off["bias_low"]
        assert on["bias_low"] < 0 < on["bias_high"]
        assert on["power"] >= off["power"]

    def test_no_number_depends_on_workers_or_slices(self, cell, marked):
        worlds = [cell, srm_bug(cell, lost_share=0.1, busy_share=0.1)]
        order = ["cell", "arm", "cuped", "procedure", "experiment"]
        whole = marked.rows.sort(order)
        for size in (7, 16):
            other = arena(worlds, replace(SMALL, slice_size=size)).rows.sort(order)
            assert other.equals(whole)
        with workers_map(2) as each:
            assert (
                arena(worlds, replace(SMALL, slice_size=20), map=each)
                .rows.sort(order)
                .equals(whole)
            )
        with connect(workers=2) as client:
            other = arena(
                worlds, replace(SMALL, slice_size=30),
                map=lambda work, tasks: client.gather(client.map(work, list(tasks))),
            )  # fmt: skip
        assert other.rows.sort(order).equals(whole)

    def test_the_report_fits_the_page(self, marked):
        lines = repr(marked).splitlines()
        assert max(map(len, lines)) <= 90
        assert lines[0].startswith("clean: new +")
        assert len(lines) == 2 * 11 + 1

    def test_shipping_that_costs_more_than_it_brings_is_best_left(self, cell, marked):
        dear = arena([cell], replace(SMALL, ship_cost=1e9))
        shipped = dear.rows.filter(pl.col("claim") > 0)
        assert shipped["regret"].min() > 5e8 > marked.rows["regret"].max()


def test_verdicts_fail_who_breaks_a_promise(marked):
    clean_ones = verdicts(marked)
    assert clean_ones.height == 8
    assert clean_ones["ok"].all()
    cheat = marked.table.with_columns(type_i=pl.lit(0.4))
    assert not verdicts(replace(marked, table=cheat)).filter(what="type I")["ok"].any()
    low = marked.table.with_columns(type_i=pl.lit(0.0), coverage=pl.lit(1.0))
    strict = verdicts(replace(marked, table=low))
    assert strict.filter(what="type I")["ok"].all()  # 60 A/A cannot tell 0 from 0.05
    with pytest.raises(ValueError, match="cells must be of"):
        verdicts(marked, ["dirty"])


def test_peeking_inflates_as_published():
    outcomes, before = planted(users=20_000)
    found = peeking(clean(outcomes, "revenue", before), (1, 2, 5, 10, 20), experiments=1_000)
    for row in found.iter_rows(named=True):
        error = np.sqrt(row["published"] * (1 - row["published"]) / 1_000)
        assert abs(row["claimed"] - row["published"]) < 3.3 * error  # 0.001, of five: 0.005
