"""The winner's curse, and what shrinking leaves of it; arms that meet on one shelf."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from workbench.assign import assign
from workbench.marketplace import Marketplace, MarketplaceSpec
from workbench.marketplace.potential import METRICS, PotentialOutcomes
from workbench.policy import Rank, Split, Threshold
from workbench.studies.interference import interference
from workbench.studies.shipped_lift import shipped_lift, shrunk

HALVES = {"old": 0.5, "new": 0.5}


def planted(users=3_000, seed=3):
    rng = np.random.default_rng(seed)
    rows = np.zeros((len(METRICS), users, 1))
    rows[METRICS.index("revenue"), :, 0] = rng.gamma(2.0, 10.0, users)
    values = {"old": rows, "new": rows * 1.5}
    return PotentialOutcomes(np.arange(users), 0, values, False), rng.normal(size=users)


@pytest.fixture(scope="module")
def ledger():
    rng = np.random.default_rng(4)
    shares = dict(enumerate(np.clip(0.5 + 0.06 * rng.normal(size=400), 0, 1)))
    return shipped_lift(*arguments(), {f"c{key}": share for key, share in shares.items()})


def arguments():
    outcomes, before = planted()
    return outcomes, "revenue", before


class TestLedger:
    def test_winners_claim_too_much_and_shrinking_takes_it_away(self, ledger):
        claimed, less = ledger.table.rows(named=True)
        assert claimed["winners"] == less["winners"] > 20
        assert claimed["excess_low"] > 0.3 * claimed["true"]
        assert less["excess_low"] < 0 < less["excess_high"]
        assert claimed["coverage"] < 0.9 < 0.93 < less["coverage"] + 0.03

    def test_over_all_challengers_nothing_is_too_much(self, ledger):
        off = ledger.rows["claimed"] - ledger.rows["true"]
        assert abs(off.mean()) < 3 * off.std() / len(off) ** 0.5
        shrunk_off = ledger.rows["shrunk"] - ledger.rows["true"]
        assert (shrunk_off**2).mean() < 0.8 * (off**2).mean()

    def test_the_report(self, ledger):
        lines = repr(ledger).splitlines()
        assert lines[0].startswith("400 challengers, ")
        assert max(map(len, lines)) <= 90
        nobody = ledger.rows.with_columns(shipped=pl.lit(False))
        assert repr(type(ledger)(nobody)).endswith("nothing to mark")

    def test_what_makes_no_sense_is_refused(self):
        outcomes, metric, before = arguments()
        with pytest.raises(ValueError, match="at least three"):
            shipped_lift(outcomes, metric, before, {"a": 0.5, "b": 0.6})
        alone = replace(outcomes, values={"old": outcomes.values["old"]})
        with pytest.raises(ValueError, match="two arms"):
            shipped_lift(alone, metric, before, {})
        for errors in ([1.0, 1.0, 0.0], [1.0, 1.0, np.nan]):
            with pytest.raises(ValueError, match="errors finite"):
                shrunk(np.zeros(3), np.array(errors))


def test_shrinking_by_hand():
    estimates, errors = np.array([-2.0, 0.0, 2.0, 4.0]), np.full(4, 2.0)
    means, left = shrunk(estimates, errors)  # mean 1, variance 20/3, of it 4 noise: 0.4 is signal
    assert means == pytest.approx(1 + 0.4 * (estimates - 1))
    assert left == pytest.approx(np.full(4, 2 * 0.4**0.5))
    means, left = shrunk(np.array([0.9, 1.0, 1.1]), np.ones(3))
    assert means == pytest.approx(np.ones(3))
    assert left.tolist() == [0, 0, 0]


def test_shrunk_intervals_hold_as_often_as_they_say():
    rng = np.random.default_rng(6)
    true, errors = rng.normal(1.0, 2.0, 20_000), rng.uniform(0.5, 3.0, 20_000)
    means, left = shrunk(true + errors * rng.normal(size=20_000), errors)
    won = means > 2.0
    assert (means - true)[won].mean() == pytest.approx(0, abs=0.05)
    assert (np.abs(means - true) < 1.96 * left)[won].mean() == pytest.approx(0.95, abs=0.01)


class TestInterference:
    def test_by_hand(self):
        worlds = [self.by_hand(f"x/{number}") for number in range(2)]
        found = interference(worlds, "clicks", shares=HALVES, salt="x")
        assert found.rows["true"].to_list() == found.rows["dealt"].to_list() == [1.0, 1.0]
        assert found.rows["split"].to_list() == [3.0, 3.0]
        assert found.table["bias"].to_list() == [0.0, 2.0]
        assert found.table["coverage"].to_list() == [1.0, 0.0]
        assert max(map(len, repr(found).splitlines())) <= 90

    def by_hand(self, salt):
        users = np.arange(400)
        new = assign(users, HALVES, salt=salt) == "new"
        values = {name: np.zeros((len(METRICS), 400, 1)) for name in ("old", "new", "split")}
        place = METRICS.index("clicks")
        values["new"][place] = 1.0
        values["split"][place, :, 0] = np.where(new, 2.0, -1.0)
        return PotentialOutcomes(users, 0, values, False)

    def test_on_scarce_shelves_the_better_arm_empties_those_of_the_other(self):
        worlds = [self.world(seed) for seed in range(3)]
        found = interference(worlds, "purchases", shares=HALVES, salt="shelves")
        gap = found.rows["split"] - found.rows["dealt"]
        assert (gap > 0).all()
        assert found.table["bias"][1] > 0.2 * found.rows["true"].mean()

    def world(self, seed):
        world = Marketplace(
            MarketplaceSpec(
                seed=seed, users=400, items=100, days=6, visits_per_day=1.5, direct_share=0.1,
                stock_days=2.0, wave_minutes=1440,
            )
        )  # fmt: skip
        best = Rank(world.truth.click_probability, 5, "best")
        rest = {"search": Rank("price", 8), "checkout": Threshold("amount", 300.0)}
        split = Split({"old": Rank("price", 5), "new": best}, HALVES, salt=f"shelves/{seed}")
        homes = {"old": Rank("price", 5), "new": best, "split": split}
        return world.truth.potential_outcomes(
            {name: {"home": home, **rest} for name, home in homes.items()}
        )

    def test_what_makes_no_sense_is_refused(self):
        with pytest.raises(ValueError, match="at least one world"):
            interference([], "clicks", shares=HALVES, salt="x")
        with pytest.raises(ValueError, match="a control and a treatment"):
            interference([], "clicks", shares={"old": 1.0}, salt="x")
